"""How often one address may ask, with Flask-Limiter; a refusal reaches the browser as an envelope with code 429."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, current_app
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

#: Every other route is as cheap as a page, or needs somebody who is signed in.
LIMITS = {
    "passkey.begin_sign_in": "60/minute",
    "passkey.finish_sign_in": "60/minute",
    "passkey.begin_registration": "20/minute",
    "passkey.finish_registration": "20/minute",
}


def init_app(app: Flask) -> None:
    """Limit the routes of the ceremonies, counting in Redis where there is one.

    While Redis is down each process counts by itself: a limiter must not be what stops people from signing in.
    """
    redis = app.config["REDIS_URL"]
    options: dict[str, Any] = {"socket_connect_timeout": 2, "socket_timeout": 2} if redis else {}
    limiter = Limiter(
        get_remote_address,
        storage_uri=app.config.get("RATELIMIT_STORAGE_URI") or redis or "memory://",
        storage_options=options,
        in_memory_fallback_enabled=True,
        swallow_errors=True,
        headers_enabled=True,
    )
    app.after_request(_retry_after_a_refusal_only)  # runs after the limiter's own, which was registered later
    limiter.init_app(app)
    app.extensions["demo_limiter"] = limiter  # the limited views hold it only weakly
    for endpoint, limit in LIMITS.items():
        limited: Any = limiter.limit(limit)(app.view_functions[endpoint])
        app.view_functions[endpoint] = limited


def _retry_after_a_refusal_only(response: Response) -> Response:
    """Remove what the limiter adds to every answer; the status says nothing with ``PASSKEY_HTTP_STATUS = False``."""
    limit = current_app.extensions["demo_limiter"].current_limit
    if response.status_code < 400 and not (limit and limit.breached):
        response.headers.pop("Retry-After", None)
    return response
