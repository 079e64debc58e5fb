"""The settings of one app, read and checked at start-up."""

from __future__ import annotations

from .origins import android_origin
from .settings import PasskeyConfig

__all__ = ["PasskeyConfig", "android_origin"]
