"""What Flask's proxies stand for, for functions that look more than once: each look through one is four calls."""

from __future__ import annotations

from typing import Any

from flask import Request, request, session
from flask.sessions import SessionMixin

_request: Any = request
_session: Any = session


def current_request() -> Request:
    """Return the request that is being served."""
    served: Request = _request._get_current_object()
    return served


def current_session() -> SessionMixin:
    """Return its session."""
    opened: SessionMixin = _session._get_current_object()
    return opened
