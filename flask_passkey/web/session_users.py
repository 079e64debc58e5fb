"""Apps that keep the id of who is signed in in ``flask.session`` themselves: ``PASSKEY_USER_SESSION_KEY``."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import session

from ..accounts import Hooks, attribute
from ..config import PasskeyConfig
from ..errors import Misconfigured
from ..state import common


def hooks_of(config: PasskeyConfig) -> Hooks | None:
    """Return hooks that look into the session and write into it, ``None`` where the app does not say that they may."""
    key = config.user_session_key
    if not key:
        return None
    return Hooks(get_current_user=partial(_current_user, key), login_user=partial(_login, key))


def _current_user(key: str) -> Any:
    user_id = session.get(key)
    return None if user_id is None else common().accounts.get(str(user_id))


def _login(key: str, user: Any, _outcome: object) -> None:
    """Keep the id as the app itself does: of the type that the user has it in."""
    user_id = attribute(user, "id")
    if str(user_id) != common().accounts.describe(user).id:
        raise Misconfigured(
            f"PASSKEY_USER_SESSION_KEY keeps the user's id in the session, which is {user_id!r} here and not what "
            "describe_user or get_id() tells: write hooks @passkey.get_current_user and @passkey.login_user"
        )
    session[key] = user_id
