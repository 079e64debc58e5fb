"""Flask-Security, where the app uses it: sign-ins go through it, and a password is followed by an offer."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask, session

from ..accounts import Hooks
from ..errors import AccountRefused
from ..outcomes import Registered, SignedIn
from ..state import common, current
from . import sessions


def loader_of(app: Flask, loader: Callable[[str], Any] | None) -> Callable[[str], Any] | None:
    """Return what loads a user by id: by primary key where the user loader is Flask-Security's, else the loader."""
    if not is_used(app) or not getattr(loader, "__module__", "").startswith("flask_security."):
        return loader
    return partial(_by_primary_key, app.extensions["security"].datastore)


def is_used(app: Flask) -> bool:
    """Tell whether the app has Flask-Security by now."""
    return "security" in app.extensions


def hooks_of(app: Flask, get_current_user: Callable[[], Any], load_user: Callable[[str], Any] | None) -> Hooks:
    """Return hooks that ask Flask-Security who may sign in, and sign in through it."""
    return Hooks(
        get_current_user=get_current_user,
        load_user=load_user,
        login_user=partial(login, app),
        check_account=may_sign_in,
    )


def _by_primary_key(datastore: Any, user_id: str) -> Any:
    try:
        key_type = datastore.user_model.id.type.python_type
    except (AttributeError, NotImplementedError):  # no column, or of a type that does not say
        key_type = str
    try:
        key = user_id if key_type is object else key_type(user_id)
    except ValueError:
        return None
    return datastore.find_user(id=key)


def may_sign_in(user: Any) -> bool:
    """Tell whether its own views would let this user in: an active one whose address is confirmed, where it asks."""
    from flask_security import confirmable

    requires_confirmation: Callable[[Any], bool] = confirmable.requires_confirmation
    return bool(user.is_active) and not requires_confirmation(user)


def _lacks_second_factor(app: Flask, user: Any, outcome: SignedIn | Registered) -> bool:
    """Was the passkey one factor only, and does Flask-Security ask this user for two?"""
    if outcome.user_verified or not app.config.get("SECURITY_TWO_FACTOR"):
        return False
    plugins = app.extensions["security"].two_factor_plugins
    return bool(app.config.get("SECURITY_TWO_FACTOR_REQUIRED") or plugins.get_setup_tf_methods(user))


def login(app: Flask, user: Any, outcome: SignedIn | Registered) -> Any:
    """Sign in as its own views do: it counts visits, notes a fresh sign-in, and tells others who is there now.

    Whom the browser remembers is said by ``PASSKEY_REMEMBER``, not by ``SECURITY_DEFAULT_REMEMBER_ME``: such cookies
    are good for less.

    :raises AccountRefused: the user is to have two factors, and the passkey was used without PIN, finger or face.
    """
    from flask_security import login_user

    if not user.is_active:  # its function lets everybody in
        return False
    if _lacks_second_factor(app, user, outcome):
        raise AccountRefused(
            "SECURITY_TWO_FACTOR asks this user for a second factor, and the passkey verified nobody: write "
            'PASSKEY_USER_VERIFICATION = "required", which it is by default'
        )
    is_in = login_user(user, remember=current().config.remember, authn_via=["passkey"])
    app.extensions["security"].datastore.commit()
    return is_in


def note_confirmed() -> None:
    """Note when the signed-in user has proved who they are, as its own view does: ``auth_required(within=…)`` asks."""
    session["fs_paa"] = time.time()


def connect(app: Flask) -> None:
    """Listen to its sign-ins, if the app has it."""
    if is_used(app):
        from flask_security import user_authenticated

        user_authenticated.connect(_offer, app)


def _offer(_app: object, user: Any, authn_via: Any = None, **_: object) -> None:
    """Offer a passkey after a password, and after nothing else: browsers make one only beside a password."""
    if "password" in (authn_via or ()):
        sessions.offer_passkey(common().accounts.describe(user).id)
