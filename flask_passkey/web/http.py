"""What every request is asked before a view looks at it: does it come from one of our pages, and is it JSON?"""

from __future__ import annotations

from typing import Any

from flask import request
from werkzeug.exceptions import HTTPException

from ..config import PasskeyConfig
from ..encoding import parse_json
from ..errors import BodyTooLarge, CrossSiteRequest, MalformedRequest, NotJSON


def refuse_cross_site(config: PasskeyConfig) -> None:
    """Refuse a request that a browser sent from another site's page.

    Browsers put ``Origin`` on every request that could change something, and ``Sec-Fetch-Site`` on every one;
    a client that sends neither is no browser, so nobody's cookies are abused.

    :raises CrossSiteRequest: it did.
    """
    environ = request.environ
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None:
        if origin not in config.all_origins:
            raise CrossSiteRequest(f"Origin {origin!r} is not in PASSKEY_ORIGINS")
    elif environ.get("HTTP_SEC_FETCH_SITE", "none") not in ("same-origin", "none"):
        raise CrossSiteRequest(f"Sec-Fetch-Site is {environ['HTTP_SEC_FETCH_SITE']!r}")


def body(config: PasskeyConfig, *, optional: bool = False) -> Any:
    """Return the JSON of the request's body, ``{}`` for an empty one where it is optional.

    :raises BodyTooLarge: it is longer than ``PASSKEY_MAX_BODY``.
    :raises MalformedRequest: it is empty or not strict JSON.
    :raises NotJSON: it says that it is something else.
    """
    data = b"" if request.environ.get("CONTENT_LENGTH") == "0" else _data(config.max_body)
    if not data:
        if optional:
            return {}
        raise MalformedRequest("body", "the body is empty")
    if not request.is_json:
        raise NotJSON(f"Content-Type is {request.mimetype!r}")
    return parse_json(data)


def _data(longest: int) -> bytes:
    """Read the body, which is kept, for the app's hooks may want to read it too."""
    # One that comes in chunks is cut off there without a word, so leave room to see that it is too long.
    request.max_content_length = longest + 1
    try:
        data = request.get_data()
    except HTTPException:
        raise
    except Exception as exc:  # whatever the WSGI server thinks of chunks that are none
        raise MalformedRequest("body", f"the body cannot be read: {type(exc).__name__}") from exc
    if len(data) > longest:
        raise BodyTooLarge(f"the body is longer than {longest} bytes")
    return data
