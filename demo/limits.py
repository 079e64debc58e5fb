"""How often one address may ask, with Flask-Limiter; a refusal reaches the browser as an envelope with code 429."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, current_app, request
from flask_limiter import Limiter
from flask_limiter.constants import HeaderNames
from flask_limiter.util import get_remote_address

from flask_passkey.errors import GrantNotFound

#: For all requests of one address that change something, by route.
USUAL = "60/minute"
#: Where an account or passkey is made.
STRICTER = {
    "passkey.begin_registration": "20/minute",
    "passkey.finish_registration": "20/minute",
    "pages.recovery_codes": "5/minute",
}
#: Links and recovery codes that are wrong: nobody mistypes more.
WRONG_GRANTS = "5/minute;30/hour"
# The limiter adds it to every answer, also to one that says itself when to come back.
_RETRY_AFTER = "X-RateLimit-Retry-After"


def init_app(app: Flask) -> None:
    """Limit every route that changes something, counting in Redis where there is one.

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
        header_name_mapping={HeaderNames.RETRY_AFTER: _RETRY_AFTER},
        default_limits=[_limit],
        default_limits_exempt_when=_changes_nothing,
    )
    app.after_request(_retry_after_a_refusal_only)  # runs after the limiter's own, which was registered later
    limiter.init_app(app)
    wrong: Any = limiter.limit(
        WRONG_GRANTS, deduct_when=_was_wrong_grant, exempt_when=_changes_nothing, override_defaults=False
    )
    wrong(app.blueprints["passkey"])
    app.extensions["demo_limiter"] = limiter  # Flask holds it only weakly


def _limit() -> str:
    return STRICTER.get(request.endpoint or "", USUAL)


def _changes_nothing() -> bool:
    return request.method in ("GET", "HEAD", "OPTIONS")


def _was_wrong_grant(response: Response) -> bool:
    envelope = response.get_json(silent=True)
    return isinstance(envelope, dict) and envelope.get("code") == GrantNotFound.code


def _retry_after_a_refusal_only(response: Response) -> Response:
    """Say when to come back where the limiter refused, whatever the status: ``PASSKEY_HTTP_STATUS`` may be off."""
    seconds = response.headers.pop(_RETRY_AFTER, None)
    limit = current_app.extensions["demo_limiter"].current_limit
    if seconds and limit and limit.breached:
        response.headers["Retry-After"] = seconds
    return response
