"""Our routes while the session store is down: an envelope with 503, and no 500.

Flask opens the session before it looks at the route and saves it after the view, where no error handler of ours is
asked. So the two methods of the app's session interface are wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from ..errors import CeremonyStoreUnavailable
from ..logs import loggable
from ..pending import MARK
from ..proxies import current_request
from ..state import of
from .http import refuse

_UNAVAILABLE = "passkey.session_unavailable"
# Accept printable ASCII only: collations such as MySQL's also match look-alikes.
_VISIBLE = re.compile("[!-~]*")

Open = Callable[[Flask, Request], Any]
Save = Callable[[Flask, SessionMixin, Response], None]


def require_available(environ: Mapping[str, Any]) -> None:
    """Refuse the request if its session could not be read.

    :param environ: of the request.
    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    if _UNAVAILABLE in environ:
        raise CeremonyStoreUnavailable("the session store could not be read")


def guard(interface: SessionInterface) -> None:
    """Wrap the methods of a session interface that open and save sessions."""
    wrapped: Any = interface
    wrapped.open_session = partial(_open_session, interface.open_session, interface)
    wrapped.save_session = partial(_save_session, interface.save_session)


def is_guarded(interface: SessionInterface) -> bool:
    """Tell whether :func:`guard` has wrapped this interface."""
    opens = interface.open_session
    return isinstance(opens, partial) and opens.func is _open_session


def _open_session(open_session: Open, interface: Any, app: Flask, request: Request) -> Any:
    _drop_odd_id(app, request)
    try:
        return open_session(app, request)
    except Exception as exc:
        if not _is_ours(app, request):
            raise
        app.logger.error("The session store could not be read.", exc_info=loggable(exc))
        request.environ[_UNAVAILABLE] = True
        return interface.session_class()


def _save_session(save_session: Save, app: Flask, session: SessionMixin, response: Response) -> None:
    if _UNAVAILABLE in current_request().environ:
        return
    try:
        save_session(app, session, response)
    except Exception as exc:
        if not _is_ours(app, current_request()):
            raise
        app.logger.error("The session could not be saved.", exc_info=loggable(exc))
        if not response.direct_passthrough:  # a file is good without a session
            _replace(response, refuse(_not_saved(exc)))


def route_of(app: Flask, request: Request) -> str | None:
    """Return which of our routes a request is for, also before Flask has looked; ``None`` for one of others."""
    try:
        rule, _ = app.create_url_adapter(request).match(return_rule=True)  # type: ignore[union-attr]
    except (HTTPException, RequestRedirect):
        return None
    return of(app).route_of(rule.endpoint)


def _is_ours(app: Flask, request: Request) -> bool:
    return route_of(app, request) is not None


def _drop_odd_id(app: Flask, request: Request) -> None:
    """Drop a session cookie that Flask-Session cannot have set, as if the browser had not sent it.

    It could name a pending ceremony: both are in one store, and Flask-Session would take the record for a session and
    save it once more after its use. Browsers can work out the names of their own ceremonies. A name that the store does
    not accept would look like an outage.
    """
    cookie, sent = app.config["SESSION_COOKIE_NAME"], request.cookies
    if cookie not in sent or not (sid := sent[cookie]):
        return
    longest = max(200, 2 * app.config.get("SESSION_ID_LENGTH", 0))
    if _VISIBLE.fullmatch(sid) and len(sid) <= longest and MARK not in sid.lower():
        return
    others = [(name, value) for name, value in sent.items(multi=True) if name != cookie]
    vars(request)["cookies"] = request.dict_storage_class(others)


def _not_saved(error: Exception) -> CeremonyStoreUnavailable:
    refusal = CeremonyStoreUnavailable(f"the session could not be saved: {type(error).__name__}")
    refusal.__cause__ = error
    return refusal


def _replace(response: Response, other: Response) -> None:
    response.status_code = other.status_code
    response.set_data(other.get_data())
    response.headers.update(other.headers)
