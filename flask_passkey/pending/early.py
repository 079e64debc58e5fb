"""What a request has claimed before its view asks for it: see :mod:`flask_passkey.web.early`."""

from __future__ import annotations

from flask import has_request_context

from ..proxies import current_request

_HELD = "passkey.held"


def hold(values: dict[str, bytes | None]) -> None:
    """Keep claimed values in the request, by their keys; ``None`` for what was not there, or is held already."""
    current_request().environ[_HELD] = values | held()


def held() -> dict[str, bytes | None]:
    """Return what the request holds. Whoever uses a value takes it out, so that nobody uses it again."""
    return current_request().environ.get(_HELD, {}) if has_request_context() else {}
