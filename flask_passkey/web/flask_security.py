"""Flask-Security, where the app uses it: sign-ins go through it, and a password is followed by an offer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask

from ..state import current
from . import sessions


def loader_of(app: Flask, loader: Callable[[str], Any] | None) -> Callable[[str], Any] | None:
    """Return what loads a user by id: by primary key where the user loader is Flask-Security's, else the loader."""
    if not is_used(app) or not getattr(loader, "__module__", "").startswith("flask_security."):
        return loader
    return partial(_by_primary_key, app.extensions["security"].datastore)


def is_used(app: Flask) -> bool:
    """Tell whether the app has Flask-Security by now."""
    return "security" in app.extensions


def _by_primary_key(datastore: Any, user_id: str) -> Any:
    key_type = getattr(getattr(datastore.user_model.id, "type", None), "python_type", str)
    try:
        key = key_type(user_id)
    except ValueError:
        return None
    return datastore.find_user(id=key)


def login(app: Flask, user: Any) -> Any:
    """Sign in as its own views do: it counts visits, notes a fresh sign-in, and tells others who is there now.

    Whom the browser remembers is said by ``PASSKEY_REMEMBER``, not by ``SECURITY_DEFAULT_REMEMBER_ME``: such cookies
    are good for less.
    """
    from flask_security import login_user

    is_in = login_user(user, remember=current().config.remember, authn_via=["passkey"])
    app.extensions["security"].datastore.commit()
    return is_in


def connect(app: Flask) -> None:
    """Listen to its sign-ins, if the app has it."""
    if is_used(app):
        from flask_security import user_authenticated

        user_authenticated.connect(_offer, app)


def _offer(_app: object, user: Any, authn_via: Any = None, **_: object) -> None:
    """Offer a passkey after a password, and after nothing else: browsers make one only beside a password."""
    if "password" in (authn_via or ()):
        sessions.offer_passkey(current().accounts.describe(user).id)
