"""Flask-Login, where the app uses it: its user loader and its login answer for our hooks."""

from __future__ import annotations

from typing import Any

from flask import Flask

from .accounts import Hooks
from .errors import AccountRefused


def hooks_of(app: Flask) -> Hooks | None:
    """Return hooks that work through the app's Flask-Login, ``None`` when it has none."""
    manager = getattr(app, "login_manager", None)
    if manager is None:
        return None
    return Hooks(get_current_user=_current_user, load_user=manager._user_callback, login_user=_login_user)


def _current_user() -> Any:
    from flask_login import current_user

    return current_user._get_current_object() if current_user.is_authenticated else None


def _login_user(user: Any) -> None:
    from flask_login import login_user

    if not login_user(user):
        raise AccountRefused("Flask-Login refuses this user")
