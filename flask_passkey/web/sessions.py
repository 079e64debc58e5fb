"""What we keep in ``flask.session``: the last passkey sign-in, and the offer of a passkey after one by password."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import current_app, session

from .. import signals
from ..encoding import base64url_decode, base64url_encode
from ..errors import CeremonyStoreUnavailable
from ..outcomes import Registered, SignedIn
from ..state import current
from ..visitor import LastSignIn, Visitor
from . import browsers

_LAST = "_passkey"
_OFFER = "_passkey_offer"
# Seconds after a password sign-in in which its landing page must be there.
_OFFER_AGE = 300


def visitor(*, begins: bool = False) -> Visitor:
    """Return who asks by the current request; the app is asked once who is signed in, and once to describe them.

    :param begins: a ceremony may begin, for which a browser without a secret needs one.
    """
    state = current()
    user = state.accounts.current()
    info = None if user is None else state.accounts.describe(user)
    secrets = browsers.known(state.config) if begins else browsers.held(state.config)
    return Visitor(secrets, user, info, _last_sign_in(), _conditional_user_id())


def sign_in(outcome: SignedIn | Registered) -> Mapping[str, Any]:
    """Sign the user of a sign-in or sign-up in at the app; return what the app adds to the answer.

    The session gets a new id and is emptied of another user's data; where the app's hook fails, what was in it is put
    back. A registration for an account that is there already signs nobody in.

    :raises AccountRefused: the app's hook refuses this user.
    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    user = outcome.user if isinstance(outcome, SignedIn) else outcome.new_user if outcome.may_sign_in else None
    if user is None:
        return {}
    with _undone_on_error():
        _rotate(previous_user_id=outcome.visitor.user_id, user_id=outcome.info.id)
        added = current().accounts.login(user)
        if added:
            current_app.json.dumps(added)  # what cannot be answered must be known before the session is saved
        _note_sign_in(user_id=outcome.info.id, credential_id=outcome.credential.id)
    if isinstance(outcome, SignedIn):
        _tell(outcome)
    return added


def _tell(outcome: SignedIn) -> None:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    about = {"user": outcome.user, "credential": outcome.credential, "purpose": outcome.purpose}
    signals.send(signals.signed_in, app, **about)


def _rotate(*, previous_user_id: str, user_id: str) -> None:
    """Give the session a new id, and empty it when somebody else was signed in before."""
    regenerate = getattr(current_app.session_interface, "regenerate", None)
    try:
        if regenerate is not None:  # sessions in a cookie have no id
            regenerate(session)  # before it is emptied: an empty session would keep its id
    except Exception as exc:  # whatever the session store's library raises
        raise CeremonyStoreUnavailable(f"the session store failed: {type(exc).__name__}") from exc
    if previous_user_id not in ("", user_id):
        session.clear()


@contextmanager
def _undone_on_error() -> Iterator[None]:
    """Put back what was in the session when signing in fails half-way: who was signed in still is, and nobody else."""
    before = dict(session)
    try:
        yield
    except Exception:
        session.clear()
        session.update(before)
        raise


def _note_sign_in(*, user_id: str, credential_id: bytes) -> None:
    session[_LAST] = {"user_id": user_id, "credential_id": base64url_encode(credential_id), "at": time.time()}


def _last_sign_in() -> LastSignIn | None:
    kept = session.get(_LAST)
    if kept is None:
        return None
    try:
        return LastSignIn(kept["user_id"], base64url_decode(kept["credential_id"]), kept["at"])
    except (KeyError, TypeError, ValueError):  # written by another release
        return None


def forget_sign_in(*_: object, **__: object) -> None:
    """Forget the last passkey sign-in and an offer after one by password: the next user must not inherit them."""
    session.pop(_LAST, None)
    session.pop(_OFFER, None)


def offer_passkey(user_id: str) -> None:
    """Note in the session that this user signed in with a password now and may get a passkey, once."""
    session[_OFFER] = {"user_id": user_id, "at": time.time()}


def _conditional_user_id() -> str:
    kept = session.get(_OFFER)
    if kept is None:
        return ""
    try:
        return str(kept["user_id"]) if time.time() - kept["at"] < _OFFER_AGE else ""
    except (KeyError, TypeError):
        return ""


def forget_offer() -> None:
    """Forget the offer: it was taken."""
    session.pop(_OFFER, None)
