"""A sign-in in a browser that has a session: its ceremony is claimed on the way to Redis on which that is read.

Flask reads the session before it looks at the route, and before the app's own functions, which may refuse the request.
So whatever our view checks before its claim is checked here, too, and in any doubt the view claims, as on other stores.
What was claimed is held in the request. What the view has not taken at the end is put back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

from flask import Request, Response, after_this_request, has_request_context
from flask.sessions import SessionInterface
from werkzeug.wsgi import get_input_stream

from ..ceremonies.pending import SIGN_IN
from ..encoding import parse_json
from ..errors import MalformedRequest, Refusal
from ..pending import early
from ..pending.internals import client_of, is_plain_redis, read_by, replace_reading
from ..pending.redis import RedisStore
from ..progress import STORE, timed
from ..proxies import current_application, current_request
from ..state import common
from . import browsers, ended, http, outage, schemas

log = logging.getLogger(__name__)

# The end of the route's path, and its name.
_PATH = "/session/authn"
_ROUTE = "finish_sign_in"


def guard(interface: SessionInterface) -> None:
    """Wrap the method of a session interface that reads sessions, where it can claim on the same way."""
    if is_plain_redis(interface):
        replace_reading(interface, partial(_read, interface))


def _read(interface: Any, read: Callable[[str], Any], name: str) -> Any:
    if not has_request_context():
        return read(name)
    served = current_request()
    if served.method != "POST" or not served.path.endswith(_PATH):
        return read(name)
    try:
        keys = _keys(interface, served)
    except Exception:  # whatever is wrong with the request, the view says so
        keys = []
    return _read_and_claim(interface, name, keys) if keys else read(name)


def _keys(interface: Any, served: Request) -> list[str]:
    """Return the keys of the ceremony that our view is going to claim; none where it may not come to that."""
    state, environ = common(), served.environ
    # A test's look into a session is not served; a hook that chooses a relying party may look at the session.
    if ended.SERVED not in environ or state.others or state.accounts.has_rp_id_for:
        return []
    store = state.pending.store
    if type(store) is not RedisStore or not store.uses(client_of(interface)):
        return []
    http.refuse_cross_site(state.config, environ)
    if outage.route_of(current_application(), served) != _ROUTE:
        return []
    body = _json(served, state.config.max_body)
    ceremony_id = schemas.FinishSignInRequest.read(body)["session_id"]
    environ[http.BODY] = body
    return state.pending.keys(ceremony_id, secrets=browsers.held(state.config), purposes=(SIGN_IN,))


def _json(served: Request, longest: int) -> Any:
    """Read the body, and leave it for the app's functions to read again, and for the view where it has to refuse.

    :raises MalformedRequest: its length is not known, not true or too long, or it is not strict JSON.
    """
    length, environ, data = served.content_length, served.environ, b""
    if length is None or length > longest or not http.says_json(served):
        raise MalformedRequest("body", "not what a finish sends")
    try:
        data = get_input_stream(environ, max_content_length=longest + 1).read()
    finally:
        environ["wsgi.input"] = BytesIO(data)
    if len(data) != length:
        raise MalformedRequest("body", "not as long as it says")
    return parse_json(data)


def _read_and_claim(interface: Any, name: str, keys: list[str]) -> Any:
    store: Any = common().pending.store
    after_this_request(_put_back)
    return read_by(interface, lambda name: timed(STORE, store.get_and_claim, name, keys), name)


def _put_back(response: Response) -> Response:
    """Put back what the view has not taken: a request that the app has refused before changes nothing."""
    if left := early.held():
        try:
            common().pending.put_back(left)
        except Refusal as refusal:
            log.warning("A ceremony that was claimed for a refused request is lost: %s", refusal.reason)
    return response
