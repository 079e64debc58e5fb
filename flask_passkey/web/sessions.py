"""What we keep in ``flask.session``: the last passkey sign-in, the offer of a passkey, and what a step-up has to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import current_app, request, session
from flask.sessions import SessionMixin

from .. import signals
from ..accounts import Accounts
from ..encoding import base64url_decode, base64url_encode
from ..errors import FeatureOff, StepUpRequired
from ..outcomes import Deleted, Registered, SignedIn
from ..proxies import current_request, current_session
from ..state import State, common, current
from ..visitor import LastSignIn, Visitor
from . import browsers, ended

_LAST = "_passkey"
_OFFER = "_passkey_offer"
_VERIFY = "_passkey_verify"
# All of them: each a dict with the id of the user whom it is about.
_NOTES = (_LAST, _OFFER, _VERIFY)
# Seconds after a password sign-in in which its landing page must be there.
_OFFER_AGE = 300
# Seconds after a refusal in which the step-up that it asked for must begin. Later ones may be for something else.
_VERIFY_AGE = 300

# In the request: we are signing somebody in; something was noted for whoever is signed in at its end.
_OURS = "passkey.signing_in"
_NOTED = "passkey.noted"


def visitor(state: State | None = None, *, begins: bool = False) -> Visitor:
    """Return who asks by the current request; the app is asked once who is signed in, and once to describe them.

    :param state: for the relying party of the request, where it is at hand.
    :param begins: a ceremony may begin, for which a browser without a secret needs one.
    """
    state = state or current()
    user = state.accounts.current()
    info = None if user is None else state.accounts.describe(user)
    opened = current_session()
    _forget_others(opened, "" if info is None else info.id)
    secrets = browsers.known(state.config) if begins else browsers.held(state.config)
    offered, wanted = _recent(opened.get(_OFFER), _OFFER_AGE), _recent(opened.get(_VERIFY), _VERIFY_AGE)
    return Visitor(secrets, user, info, _last_sign_in(opened), offered, wants_verification=wanted != "")


def _forget_others(opened: SessionMixin, user_id: str) -> None:
    """Forget what another user has left in the session."""
    for name in _NOTES:
        if name in opened and not (isinstance(opened[name], dict) and opened[name].get("user_id") == user_id):
            opened.pop(name)


def sign_in(outcome: SignedIn | Registered, state: State | None = None) -> Mapping[str, Any]:
    """Sign the user of a sign-in or sign-up in at the app; return what the app adds to the answer.

    The session is emptied of another user's data, and gets a new id; where the app's hook fails, what was in it is put
    back. A registration for an account that is there already signs nobody in.

    :param state: for the relying party of the request, where it is at hand.
    :raises AccountRefused: the app's hook refuses this user.
    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    user = outcome.user if isinstance(outcome, SignedIn) else outcome.new_user if outcome.may_sign_in else None
    if user is None:
        return {}
    state, opened = state or current(), current_session()
    before = dict(opened)
    try:
        added = _sign_in(opened, user, outcome, state.accounts)
    except Exception:  # who was signed in still is, and nobody else
        opened = current_session()  # which the hook may have replaced
        opened.clear()
        opened.update(before)
        raise
    if isinstance(outcome, SignedIn):
        state.relying_party.tell(
            signals.signed_in,
            outcome.info,
            user=outcome.user,
            credential=outcome.credential,
            purpose=outcome.purpose,
            user_verified=outcome.user_verified,
            backed_up=outcome.backed_up,
            amr=outcome.amr,
            authenticator_attachment=outcome.authenticator_attachment,
            extensions=outcome.extensions,
        )
    return added


def _sign_in(opened: SessionMixin, user: Any, outcome: SignedIn | Registered, accounts: Accounts) -> Mapping[str, Any]:
    if outcome.visitor.user_id not in ("", outcome.info.id):
        opened.clear()
    environ = current_request().environ
    environ[_OURS] = True
    try:
        added = accounts.login(user, outcome)
    finally:
        del environ[_OURS]
    opened = current_session()  # which the hook may have replaced
    if added:
        current_app.json.dumps(added)  # what cannot be answered must be known before the session is saved
    _note_sign_in(
        opened,
        user_id=outcome.info.id,
        credential_id=outcome.credential.id,
        user_verified=outcome.user_verified,
    )
    # Last: if anything fails before, the session is as it was, under its old id.
    ended.rotate(opened, when_saved=True)
    return added


def confirm(user: Any, *, user_verified: bool = False) -> None:
    """Note, and tell, that the app has made sure, without a passkey, that the signed-in user is there.

    :param user_verified: the app's check was as good as a passkey with PIN, finger or face.
    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    state = current()
    info, opened = state.accounts.describe(user), current_session()
    _note_sign_in(opened, user_id=info.id, credential_id=b"", user_verified=user_verified)
    state.accounts.confirm_login(user)
    ended.rotate(opened)
    state.relying_party.tell(signals.identity_confirmed, info, user=user)


def confirm_by_password(read: Callable[[], str]) -> None:
    """Take the app's password in place of a passkey: it is as good as :func:`confirm`.

    :param read: returns the password from what was sent; called only when somebody is signed in.
    :raises SignInRequired: nobody is signed in.
    :raises FeatureOff: the app checks no passwords, or the user has none.
    :raises StepUpRequired: it is not the user's password.
    """
    state, asks = current(), visitor()
    state.relying_party.require_sign_in(asks)
    password = read()
    if not state.accounts.may_have_password(asks.user):
        setting = "" if state.accounts.has_hook("check_password") else "check_password"
        raise FeatureOff("no password will do: see @passkey.check_password, other_sign_in_methods", setting=setting)
    if not state.accounts.check_password(asks.user, password):
        raise StepUpRequired("the check_password hook says that this is not the user's password")
    confirm(asks.user)


def _note_sign_in(opened: SessionMixin, *, user_id: str, credential_id: bytes, user_verified: bool) -> None:
    current_request().environ[_NOTED] = True
    opened.pop(_VERIFY, None)
    opened[_LAST] = {
        "user_id": user_id,
        "credential_id": base64url_encode(credential_id),
        "at": time.time(),
        "user_verified": user_verified,
    }


def _last_sign_in(opened: SessionMixin) -> LastSignIn | None:
    kept = opened.get(_LAST)
    if kept is None:
        return None
    try:
        credential_id = base64url_decode(kept["credential_id"]) or None
        return LastSignIn(
            kept["user_id"],
            credential_id,
            float(kept["at"]),
            deleted_here=kept.get("deleted_here", False),
            user_verified=kept.get("user_verified") is True,
            remembered=kept.get("remembered") is True,
        )
    except (AttributeError, KeyError, TypeError, ValueError):  # written by another release
        return None


def require_recent(*, max_age: int | None, user_verified: bool) -> None:
    """Require a fresh sign-in; where it must have verified the person, the step-up that is asked for must, too.

    :raises SignInRequired: nobody is signed in.
    :raises StepUpRequired: there was none.
    """
    asks = visitor()
    try:
        current().relying_party.require_recent_sign_in(asks, max_age=max_age, user_verified=user_verified)
    except StepUpRequired:
        if user_verified:
            session[_VERIFY] = {"user_id": asks.user_id, "at": time.time()}
        raise


def delete(credential_ids: Iterable[bytes]) -> Deleted:
    """Delete some of the signed-in user's passkeys; a session that deletes its own goes on, but is not fresh.

    :raises StepUpRequired: there is no fresh sign-in.
    """
    asks = visitor()
    outcome = current().relying_party.delete(asks, credential_ids)
    if asks.current in outcome.deleted:
        session[_LAST] = session[_LAST] | {"deleted_here": True}
    return outcome


def delete_one(credential_id: bytes) -> Deleted:
    """Delete one of the signed-in user's passkeys.

    :raises StepUpRequired: there is no fresh sign-in.
    :raises CredentialNotFound: the user has no such passkey.
    :raises LastCredential: it is the only one, and the account has no other way to sign in.
    """
    outcome = delete([credential_id])
    for refusal in outcome.refused.values():
        raise refusal
    return outcome


def still_valid() -> bool:
    """Tell whether the current session may go on; the app is not asked who is signed in where it is by no passkey."""
    return _last_sign_in(current_session()) is None or current().relying_party.still_valid(visitor())


def offer_passkey(user_id: str) -> None:
    """Note in the session that this user signed in with a password now and may get a passkey, once.

    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    request.environ[_NOTED] = True
    session[_OFFER] = {"user_id": user_id, "at": time.time()}
    ended.rotate(session)


def _recent(kept: Any, max_age: int) -> str:
    """Return the id of the user whom a note is about, empty where there is none or it is too old."""
    if kept is None:
        return ""
    try:
        return str(kept["user_id"]) if time.time() - kept["at"] < max_age else ""
    except (KeyError, TypeError):
        return ""


def forget_offer() -> None:
    """Forget the offer: it was taken."""
    session.pop(_OFFER, None)


def end() -> None:
    """End what a passkey or an offer has left in the session, and give the session a new id.

    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    for name in _NOTES:
        session.pop(name, None)
    ended.rotate(session)


# Sign-ins and sign-outs that are the app's own


def signed_in(*_: object, **__: object) -> None:
    """Begin anew after a sign-in of the app's own: who was there before leaves nothing to whoever is there now."""
    if _OURS not in request.environ:
        end()


def remembered(*_: object, user: Any, **__: object) -> None:
    """Begin anew after a sign-in by Flask-Login's cookie.

    Where passkey sign-ins make such cookies, one may go back to a passkey that was deleted: it is not enough for a
    first one.
    """
    end()
    state = current()
    if state.config.remember:
        request.environ[_NOTED] = True
        user_id = state.accounts.describe(user).id
        session[_LAST] = {"user_id": user_id, "credential_id": "", "at": 0, "remembered": True}


def signed_out(*_: object, **__: object) -> None:
    """End what a user leaves behind."""
    end()


def protected(*_: object, **__: object) -> None:
    """Take its freshness from a session that Flask-Login suspects, and end one that it signed out.

    Which passkey it rests on stays known: to lose that would make it good for a first passkey.
    """
    if "_user_id" not in session:
        # Flask-Login suspects sessions of nobody, too, and at every request.
        if "_user_id" in request.environ.get(ended.NAMES, ()):
            end()
    elif _LAST in session and isinstance(session[_LAST], dict):
        session[_LAST] = session[_LAST] | {"at": 0}
        session.pop(_OFFER, None)


def check_at_start() -> None:
    """End what is left of somebody who is signed in no longer, for apps whose sign-out we cannot see."""
    _end_if_left(current_request().environ.get(ended.SESSION))


def check_at_end(opened: SessionMixin) -> None:
    """Do that before a session is saved that this request has changed."""
    if not getattr(opened, "modified", True):  # not all sessions say
        return
    environ = current_request().environ
    if ended.SERVED in environ and _NOTED not in environ:
        _end_if_left(opened)


def _seen_in(opened: Any, name: str) -> Any:
    """Look not by flask.session or .get(), where a look makes the answer vary by its cookies; not all are a dict."""
    return dict.get(opened, name) if isinstance(opened, dict) else opened[name]


def _end_if_left(opened: Any) -> None:
    kept = [] if opened is None else [_seen_in(opened, name) for name in _NOTES if name in opened]
    if not kept:
        return
    # Our own routes look by themselves, and nobody is signed out by a file.
    state, endpoint = common(), request.endpoint or ""
    accounts = state.accounts
    if not accounts.has_own_current or state.route_of(endpoint) is not None or endpoint.endswith("static"):
        return
    try:
        user = accounts.current()
        user_id = "" if user is None else accounts.describe(user).id
    except Exception:  # the hook cannot tell now, so nobody is known to have gone
        return
    if any(not isinstance(note, dict) or note.get("user_id") != user_id for note in kept):
        end()
