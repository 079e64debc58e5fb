"""Flask-Login, where the app uses it: its user loader and its login answer for our hooks."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from flask import Flask, current_app, session

from ..accounts import Hooks
from ..state import current
from . import flask_security, sessions


def hooks_of(app: Flask) -> Hooks | None:
    """Return hooks that work through the app's Flask-Login, ``None`` when it has none.

    An account's id is then what its ``get_id()`` returns, so that must never change: an app whose ``get_id()``
    returns a token that changes with the password needs hooks ``describe_user`` and ``load_user``. With Flask-Security,
    whose ``get_id()`` is such a token, it is the primary key, and sign-ins go through it.
    """
    manager = getattr(app, "login_manager", None)
    if manager is None:
        return None
    from flask_login import current_user

    current = current_user._get_current_object
    load = flask_security.loader_of(app, manager.user_callback)
    if flask_security.is_used(app):
        return replace(flask_security.hooks_of(app, current, load), confirm_login=confirm)
    return Hooks(get_current_user=current, load_user=load, login_user=_login, confirm_login=confirm)


def _login(user: Any, _outcome: object) -> Any:
    from flask_login import login_user

    return login_user(user, remember=current().config.remember)


def confirm(user: Any) -> None:
    """Make the session a fresh one for Flask-Login, too, as a sign-in does: ``fresh_login_required`` asks that."""
    from flask_login import confirm_login, current_user

    if "_user_id" in session and current_user == user:  # not of a token's user, nor of another one than the app's hook
        confirm_login()
        if flask_security.is_used(current_app):
            flask_security.note_confirmed()


def connect(app: Flask) -> None:
    """Listen to Flask-Login's sign-ins and sign-outs, if it is loaded by now; ask again before the first request.

    To import it here would take longer than all else at a start, also in apps that have it installed and do not use it.
    """
    signals: Any = sys.modules.get("flask_login")
    if signals is None:
        return
    signals.user_logged_in.connect(sessions.signed_in, app)
    signals.user_loaded_from_cookie.connect(sessions.remembered, app)
    signals.user_logged_out.connect(sessions.signed_out, app)
    signals.session_protected.connect(sessions.protected, app)
