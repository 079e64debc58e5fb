"""Flask-Login, where the app uses it: its user loader and its login answer for our hooks."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from ..accounts import Hooks


def hooks_of(app: Flask) -> Hooks | None:
    """Return hooks that work through the app's Flask-Login, ``None`` when it has none.

    An account's id is then what its ``get_id()`` returns, so that must never change: an app whose ``get_id()``
    returns a token that changes with the password needs hooks ``describe_user`` and ``load_user``.
    """
    manager = getattr(app, "login_manager", None)
    if manager is None:
        return None
    from flask_login import current_user, login_user

    return Hooks(
        get_current_user=current_user._get_current_object, load_user=manager.user_callback, login_user=login_user
    )


def on_logout(app: Flask, function: Callable[..., object]) -> None:
    """Call a function when Flask-Login signs somebody out, if it is installed."""
    try:
        from flask_login import user_logged_out
    except ImportError:
        return
    user_logged_out.connect(function, app)
