"""HTTP at the border: origin and body in; envelopes and refusals out."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Request, Response, current_app, has_request_context, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from .. import signals
from ..config import PasskeyConfig, advice, host_of
from ..encoding import parse_json
from ..errors import BodyTooLarge, CrossSiteRequest, MalformedRequest, MethodNotAllowed, NotJSON, Refusal
from ..logs import loggable
from ..proxies import current_application, current_request
from ..state import common
from . import schemas, words

log = logging.getLogger(__name__)

#: In the environment of a request: the JSON of its body, where that was read, and found good, before Flask looked.
BODY = "passkey.body"


def refuse_cross_site(config: PasskeyConfig, environ: Mapping[str, Any]) -> None:
    """Refuse a request that a browser sent from another site's page.

    Browsers put ``Origin`` on every request that could change something, and ``Sec-Fetch-Site`` on every one. A client
    that sends neither is no browser, so nobody's cookies are abused. ``Origin`` is ``null`` in forms of a page whose
    ``Referrer-Policy`` is ``no-referrer``, and in those of sandboxed frames; only in the former the site is the same.

    :param environ: of the request.
    :raises CrossSiteRequest: it did.
    """
    origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE", "none")
    if origin == "null" and site == "same-origin":
        return
    if origin is not None:
        if not config.allows(origin):
            raise _other_origin(config, origin)
    elif site not in ("same-origin", "none"):
        raise CrossSiteRequest(f"Sec-Fetch-Site is {site!r}")


def _other_origin(config: PasskeyConfig, origin: str) -> CrossSiteRequest:
    line = advice(config, origin, asked_host=host_of(f"http://{request.host}"))
    refusal = CrossSiteRequest(f"Origin {origin!r} is not in {config.name_of('origins')}. {line}".rstrip(" ."))
    refusal.setting = "PASSKEY_ORIGINS" if line else ""
    return refusal


def enrol_page(config: PasskeyConfig) -> str:
    """Return the address of the page that takes enrolment grants, below the path that the app is mounted at."""
    root: str = (request.root_path if has_request_context() else "") or current_app.config["APPLICATION_ROOT"]
    return config.enrol_url_below(root.rstrip("/"))


def body(config: PasskeyConfig, *, optional: bool = False) -> Any:
    """Return the JSON of the request's body, ``{}`` for an empty one where it is optional.

    :raises BodyTooLarge: it is longer than ``PASSKEY_MAX_BODY``.
    :raises MalformedRequest: it is empty or not strict JSON.
    :raises NotJSON: it says that it is something else.
    """
    asked = current_request()
    if BODY in asked.environ:
        return asked.environ[BODY]
    data = b"" if asked.environ.get("CONTENT_LENGTH") == "0" else _data(asked, config.max_body)
    if not data:
        if optional:
            return {}
        raise MalformedRequest("body", "the body is empty")
    if not says_json(asked):
        raise NotJSON(f"Content-Type is {asked.mimetype!r}")
    return parse_json(data)


def says_json(asked: Request) -> bool:
    """Tell whether a request says that its body is JSON; most say no more than that."""
    return asked.environ.get("CONTENT_TYPE") == "application/json" or asked.is_json


def _data(asked: Request, longest: int) -> bytes:
    """Read the body, which is kept, for the app's hooks may want to read it too."""
    # Werkzeug cuts a chunked body off at the limit without an error, so leave room to see that it is too long. In Flask
    # 3.0 the limit of one request cannot be set in another way.
    try:
        asked.stream = get_input_stream(asked.environ, max_content_length=longest + 1)
        data = asked.get_data()
    except RequestEntityTooLarge as exc:
        raise BodyTooLarge(f"the body is longer than {longest} bytes, or than the app allows") from exc
    except HTTPException as exc:
        if isinstance(exc, BadRequest):
            raise MalformedRequest("body", f"the body cannot be read: {exc.description}") from exc
        raise
    except Exception as exc:  # whatever the server raises for malformed chunked encoding
        raise MalformedRequest("body", f"the body cannot be read: {type(exc).__name__}") from exc
    if len(data) > longest:
        raise BodyTooLarge(f"the body is longer than {longest} bytes")
    return data


def handle(app: Flask, kind: type[Refusal], handler: Callable[[Any], ResponseReturnValue]) -> None:
    """Have a handler answer refusals of a kind in the whole app, unless the app has its own by now."""
    if kind not in app.error_handler_spec[None][None]:
        app.register_error_handler(kind, handler)


def answer(members: dict[str, Any] | list[Any], status: int = 200) -> Response:
    """Return a JSON response that must not be cached."""
    response: Response = current_application().json.response(members)  # type: ignore[assignment]
    if status != 200:
        response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def succeed(data: dict[str, Any]) -> Response:
    """Answer with the envelope of a success."""
    return answer(schemas.success(data))


def refuse(refusal: Refusal, *, status: int | None = None) -> Response:
    """Answer with the envelope of a refusal.

    :param status: the HTTP status, if not the refusal's own.
    """
    status = refusal.status if status is None else status
    response = answer(_failure(refusal, status), _status(status))
    if isinstance(refusal, MethodNotAllowed) and refusal.allowed:
        response.headers["Allow"] = ", ".join(refusal.allowed)
    return response


def partly_done(data: dict[str, Any], refused: dict[str, Refusal]) -> Response:
    """Answer a batch of which some failed, by the text of their ids."""
    correlation_id = str(uuid.uuid4())
    failures = {text: _failure(refusal, refusal.status) for text, refusal in refused.items()}
    log.info("Deleted %s, refused %s [%s]", len(data["deleted"]), len(refused), correlation_id)
    members = schemas.partly_done(data, failures, correlation_id=correlation_id, gettext=words.gettext)
    return answer(members, _status(207))


def _status(status: int) -> int:
    return status if common().config.http_status else 200


def _failure(refusal: Refusal, status: int) -> dict[str, Any]:
    """Return the envelope of a refusal; log and signal get its reason under the same correlation id."""
    correlation_id = str(uuid.uuid4())
    level = _level(refusal, status)
    cause = loggable(refusal.__cause__) if level == logging.ERROR else None
    log.log(level, "Refused with code %s: %s [%s]", refusal.code, refusal.reason, correlation_id, exc_info=cause)
    audit = {"action": common().route_of(request.endpoint) or request.endpoint or ""}
    signals.send(signals.refused, current_application(), audit=audit, error=refusal, correlation_id=correlation_id)
    return schemas.failure(refusal, correlation_id=correlation_id, debug=current_app.debug, gettext=words.gettext)


def _level(refusal: Refusal, status: int) -> int:
    """Warn of a setting that is probably wrong, once a minute, as anybody can ask again and again."""
    if status >= 500:
        return logging.ERROR
    return logging.WARNING if refusal.setting and common().may_warn_of(refusal.setting) else logging.INFO
