"""What we keep in the browser and in ``flask.session``: the secret ceremonies are bound to, and the last sign-in.

The secret has a cookie of its own, so that an anonymous visitor needs no session record. It names nobody, is
never stored on the server, and ends with the browser session.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from flask import Flask, Request, Response, after_this_request, current_app, request, session
from flask.sessions import SessionInterface, SessionMixin

from ..accounts import Accounts
from ..config import PasskeyConfig
from ..encoding import base64url_decode, base64url_encode
from ..errors import CeremonyStoreUnavailable
from ..pending import MARK
from ..pending.ceremonies import new_browser_secret
from ..visitor import LastSignIn, Visitor

_PROOF = "_passkey"
_UPGRADE = "_passkey_upgrade"
# Seconds after a password sign-in in which its landing page must be there.
_UPGRADE_AGE = 300
_UNAVAILABLE = "passkey.session_unavailable"
# Two first requests at once give a browser two secrets; more than a few are somebody's game.
_MAX_SECRETS = 16
# Some databases find a text by others that look like it; these do so only where the case does not count.
_VISIBLE = re.compile("[!-~]*")


def visitor(accounts: Accounts, config: PasskeyConfig) -> Visitor:
    """Return who is asking by the current request."""
    return Visitor(_browser_secrets(config), accounts.current(), _last_sign_in(), _conditional_user_id())


def ensure_secret(asking: Visitor, config: PasskeyConfig) -> Visitor:
    """Return the same visitor, after giving the browser a secret if it has none."""
    if asking.secrets:
        return asking
    secret = new_browser_secret()
    after_this_request(lambda response: _set_cookie(response, secret, config))
    return replace(asking, secrets=(secret,))


def anonymous(config: PasskeyConfig) -> Visitor:
    """Return the browser of the current request without asking the app who is signed in."""
    return Visitor(_browser_secrets(config))


def _browser_secrets(config: PasskeyConfig) -> tuple[str, ...]:
    """Return the secrets among the cookies."""
    if not request.cookies:
        return ()
    prefix = _cookie_prefix(config)
    found = (value for name, value in request.cookies.items() if name.startswith(prefix))
    return tuple(value for value in found if len(value) == 43)[:_MAX_SECRETS]


def _cookie_prefix(config: PasskeyConfig) -> str:
    # With __Host- the browser refuses cookies that another subdomain, or a page on http, tries to plant.
    return "__Host-passkey_" if config.https_only else "passkey_"


def _set_cookie(response: Response, secret: str, config: PasskeyConfig) -> Response:
    # A name of its own for each secret: two first answers at once do not overwrite each other's.
    name = _cookie_prefix(config) + secrets.token_hex(4)
    secure = "Secure; " if config.https_only else ""
    response.headers.add("Set-Cookie", f"{name}={secret}; {secure}HttpOnly; Path=/; SameSite=Lax")
    return response


def _last_sign_in() -> LastSignIn | None:
    """Return the last passkey sign-in of this session."""
    kept = session.get(_PROOF)
    if kept is None:
        return None
    try:
        return LastSignIn(kept["user_id"], base64url_decode(kept["credential_id"]), kept["at"])
    except (KeyError, TypeError, ValueError):  # it is of another release
        return None


def rotate(*, previous_user_id: str | None, user_id: str) -> None:
    """Give the session a new id, and empty it when somebody else was signed in before.

    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    try:
        # Before it is emptied: an empty session would keep its id.
        current_app.session_interface.regenerate(session)  # type: ignore[attr-defined]
    except Exception as exc:  # whatever the session store's library raises
        raise CeremonyStoreUnavailable(f"the session store failed: {type(exc).__name__}") from exc
    if previous_user_id not in (None, user_id):
        session.clear()


@contextmanager
def undone_on_error() -> Iterator[None]:
    """Put back what was in the session when signing in fails half-way: who was signed in still is, and nobody else."""
    before = dict(session)
    try:
        yield
    except Exception:
        session.clear()
        session.update(before)
        raise


def note_sign_in(*, user_id: str, credential_id: bytes) -> None:
    """Note in the session that this user signed in with this passkey now."""
    session[_PROOF] = {"user_id": user_id, "credential_id": base64url_encode(credential_id), "at": time.time()}


def forget_sign_in(*_: object, **__: object) -> None:
    """Forget the last passkey sign-in, and an offer after one by password: who comes next has not made either."""
    session.pop(_PROOF, None)
    session.pop(_UPGRADE, None)


def offer_passkey(user_id: str) -> None:
    """Note in the session that this user signed in with a password now and may get a passkey, once."""
    session[_UPGRADE] = {"user_id": user_id, "at": time.time()}


def _conditional_user_id() -> str:
    """Return who may get one."""
    kept = session.get(_UPGRADE)
    if kept is None:
        return ""
    try:
        return str(kept["user_id"]) if time.time() - kept["at"] < _UPGRADE_AGE else ""
    except (KeyError, TypeError):
        return ""


def forget_offer() -> None:
    """Forget the offer: it was taken."""
    session.pop(_UPGRADE, None)


def require_available() -> None:
    """Refuse the request if its session could not be read.

    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    if _UNAVAILABLE in request.environ:
        raise CeremonyStoreUnavailable("the session store could not be read")


def guard(app: Flask, *, is_ours: Callable[[str], bool], answer: Callable[[Exception], Response]) -> None:
    """Put :class:`GuardedSessions` around the app's session interface."""
    guarded = GuardedSessions(app.session_interface, is_ours=is_ours, answer=answer)
    app.session_interface = cast(SessionInterface, guarded)


def is_guarded(app: Flask) -> bool:
    """Tell whether :class:`GuardedSessions` are there; to ``isinstance`` they are the app's own interface."""
    interface: object = app.session_interface
    return type(interface) is GuardedSessions


def unguarded(interface: SessionInterface) -> SessionInterface:
    """Return the app's own session interface."""
    own: SessionInterface = getattr(interface, "unguarded", interface)
    return own


def _forget_odd_id(app: Flask, request: Request) -> None:
    """Drop a session cookie that Flask-Session cannot have set, as if the browser had not sent it.

    It could name a pending ceremony. Both are in one store, and to Flask-Session our JSON is a session like any: with
    the name that somebody wanted to sign up with as its ``name``. Saved again, it would also be there once more after
    its use. Browsers can work out the names of their own ceremonies. What no store takes as a name would look like an
    outage, after some seconds of trying.
    """
    cookie = app.config["SESSION_COOKIE_NAME"]
    sid = request.cookies.get(cookie, "")
    longest = max(200, 2 * app.config.get("SESSION_ID_LENGTH", 0))
    if _VISIBLE.fullmatch(sid) and len(sid) <= longest and MARK not in sid.lower():
        return
    others = [(name, value) for name, value in request.cookies.items(multi=True) if name != cookie]
    vars(request)["cookies"] = request.dict_storage_class(others)


class GuardedSessions:
    """The app's session interface, that does not end our routes in a 500 while its store is down.

    Flask opens the session before it looks at the route and saves it after the view, where no error handler of
    ours is asked. On other routes, and for everybody who asks, it is the app's own interface.

    :param inner: the app's own session interface, one of Flask-Session's.
    :param is_ours: tells whether a path is of one of our routes.
    :param answer: makes the answer when the session could not be saved.
    """

    def __init__(self, inner: Any, *, is_ours: Callable[[str], bool], answer: Callable[[Exception], Response]) -> None:
        self.unguarded = inner
        self._is_ours = is_ours
        self._answer = answer

    def open_session(self, app: Flask, request: Request) -> Any:
        _forget_odd_id(app, request)
        try:
            return self.unguarded.open_session(app, request)
        except Exception:
            if not self._is_ours(request.path):
                raise
            app.logger.exception("The session store could not be read.")
            request.environ[_UNAVAILABLE] = True
            return self.unguarded.session_class()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        try:
            if _UNAVAILABLE not in request.environ:
                self.unguarded.save_session(app, session, response)
        except Exception as exc:
            if not self._is_ours(request.path):
                raise
            app.logger.exception("The session could not be saved.")
            if not response.direct_passthrough:  # a file is good without a session
                _replace(response, self._answer(exc))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance() sees the app's own interface
        return self.unguarded.__class__


def _replace(response: Response, other: Response) -> None:
    response.status_code = other.status_code
    response.set_data(other.get_data())
    response.headers.update(other.headers)
