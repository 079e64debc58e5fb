"""The settings of one app, read and checked at start-up."""

from __future__ import annotations

from .origins import MOST_NAMES, android_origin, host_of, is_ip, is_local, is_native, is_page_below, names_of
from .settings import PasskeyConfig
from .unlisted import advice

__all__ = [
    "MOST_NAMES",
    "PasskeyConfig",
    "advice",
    "android_origin",
    "host_of",
    "is_ip",
    "is_local",
    "is_native",
    "is_page_below",
    "names_of",
]
