"""The settings of one app, read and checked at start-up."""

from __future__ import annotations

from .origins import android_origin, host_of, is_native
from .settings import PasskeyConfig
from .unlisted import advice

__all__ = ["PasskeyConfig", "advice", "android_origin", "host_of", "is_native"]
