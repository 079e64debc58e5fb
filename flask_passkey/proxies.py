"""What Flask's proxies stand for: for others to keep, and for functions that look often, at four calls a look."""

from __future__ import annotations

from typing import Any

from flask import Flask, Request, current_app, request, session
from flask.sessions import SessionMixin

_app: Any = current_app
_request: Any = request
_session: Any = session


def current_application() -> Flask:
    """Return the app that is at work."""
    app: Flask = _app._get_current_object()
    return app


def current_request() -> Request:
    """Return the request that is being served."""
    served: Request = _request._get_current_object()
    return served


def current_session() -> SessionMixin:
    """Return its session."""
    opened: SessionMixin = _session._get_current_object()
    return opened
