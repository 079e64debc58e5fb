"""What we keep in the browser and in ``flask.session``: the secret ceremonies are bound to, and the last sign-in.

The secret has a cookie of its own, so that an anonymous visitor needs no session record. It names nobody, is
never stored on the server, and ends with the browser session.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flask import Flask, Request, Response, after_this_request, current_app, request, session
from flask.sessions import SessionInterface, SessionMixin

from .accounts import Accounts
from .ceremonies import base64url
from .challenges import new_browser_secret
from .config import PasskeyConfig
from .errors import CeremonyStoreUnavailable
from .outcomes import Proof, Visitor

_PROOF = "_passkey"
_UNAVAILABLE = "passkey.session_unavailable"
_COOKIE = "passkey_"
# Two first requests at once give a browser two secrets; more than a few are somebody's game.
_MAX_SECRETS = 4


def visitor(accounts: Accounts) -> Visitor:
    """Return who is asking by the current request."""
    return Visitor(_browser_secrets(), accounts.current(), _proof())


def known_browser(asking: Visitor, config: PasskeyConfig) -> Visitor:
    """Return the same visitor, after giving the browser a secret if it has none."""
    if asking.secrets:
        return asking
    secret = new_browser_secret()
    after_this_request(lambda response: _set_cookie(response, secret, config))
    return replace(asking, secrets=(secret,))


def anybody() -> Visitor:
    """Return the browser of the current request without asking the app who is signed in."""
    return Visitor(_browser_secrets())


def _browser_secrets() -> tuple[str, ...]:
    """Return the secrets among the cookies, whatever prefix the deployment gave their names."""
    found = [
        value for name, value in request.cookies.items() if name.removeprefix("__Host-").startswith(_COOKIE) and value
    ]
    return tuple(value for value in found if len(value) == 43)[:_MAX_SECRETS]


def _set_cookie(response: Response, secret: str, config: PasskeyConfig) -> Response:
    # A name of its own for each secret: two first answers at once do not overwrite each other's.
    name = f"{_COOKIE}{secrets.token_hex(4)}"
    response.set_cookie(
        f"__Host-{name}" if config.https_only else name,
        secret,
        secure=config.https_only,
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def _proof() -> Proof | None:
    """Return the last passkey sign-in of this session."""
    kept = session.get(_PROOF)
    if not isinstance(kept, dict):
        return None
    return Proof(str(kept["user_id"]), base64url.decode(kept["credential_id"]), float(kept["at"]))


def rotate(*, previous_user_id: str | None, user_id: str) -> None:
    """Give the session a new id, and empty it when somebody else was signed in before.

    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    if previous_user_id not in (None, user_id):
        session.clear()
    with _store_errors():
        regenerate = getattr(current_app.session_interface, "regenerate", None)
        if regenerate is not None:
            regenerate(session)


def remember_proof(*, user_id: str, credential_id: bytes) -> None:
    """Note in the session that this user signed in with this passkey now."""
    session[_PROOF] = {"user_id": user_id, "credential_id": base64url.encode(credential_id), "at": time.time()}


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except Exception as exc:  # whatever the session store's library raises
        raise CeremonyStoreUnavailable(f"the session store failed: {type(exc).__name__}") from exc


def require_available() -> None:
    """Refuse the request if its session could not be read.

    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    if _UNAVAILABLE in request.environ:
        raise CeremonyStoreUnavailable("the session store could not be read")


class GuardedSessions(SessionInterface):
    """The app's session interface, that does not end our routes in a 500 while its store is down.

    Flask opens the session before it looks at the route and saves it after the view, where no error handler of
    ours is asked. On other routes everything is as it was.

    :param inner: the app's own session interface.
    :param is_ours: tells whether a request is for one of our routes.
    :param answer: makes the answer when the session could not be saved.
    """

    def __init__(
        self, inner: SessionInterface, *, is_ours: Callable[[str], bool], answer: Callable[[Exception], Response]
    ) -> None:
        self._inner = inner
        self._is_ours = is_ours
        self._answer = answer

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        try:
            return self._inner.open_session(app, request)
        except Exception:
            if not self._is_ours(request.path):
                raise
            app.logger.exception("The session store could not be read.")
            request.environ[_UNAVAILABLE] = True
            return self._inner.session_class()  # type: ignore[attr-defined, no-any-return]

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if _UNAVAILABLE in request.environ:
            return
        try:
            self._inner.save_session(app, session, response)
        except Exception as exc:
            if not self._is_ours(request.path):
                raise
            app.logger.exception("The session could not be saved.")
            _replace(response, self._answer(exc))

    def is_null_session(self, obj: object) -> bool:
        return self._inner.is_null_session(obj)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance() sees the app's own interface
        return self._inner.__class__


def _replace(response: Response, other: Response) -> None:
    response.status_code = other.status_code
    response.set_data(other.get_data())
    response.content_type = other.content_type
