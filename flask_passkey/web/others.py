"""What others raise on our routes, and what others do to what we raise: the app, its hooks and its extensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, current_app
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from ..errors import (
    BodyTooLarge,
    CredentialExists,
    CredentialNotFound,
    CredentialStoreUnavailable,
    CrossSiteRequest,
    MalformedRequest,
    MethodNotAllowed,
    Misconfigured,
    NotJSON,
    Refusal,
    SignInRequired,
    TooManyRequests,
)
from ..logs import summary
from ..state import common
from .http import refuse

_KINDS: dict[int, type[Refusal]] = {
    401: SignInRequired,
    402: CrossSiteRequest,
    403: CrossSiteRequest,
    404: CredentialNotFound,
    405: MethodNotAllowed,
    409: CredentialExists,
    410: CredentialNotFound,
    413: BodyTooLarge,
    415: NotJSON,
    429: TooManyRequests,
    503: CredentialStoreUnavailable,
}
_CSRF = "Our routes need no token. Write: if request.blueprint != {!r}: csrf.protect(), or what your check is called"


# Errors on our routes


def handle_error(error: Exception) -> ResponseReturnValue:
    """Answer whatever was raised on one of our routes.

    A refusal is answered with its envelope, whatever handlers the app has. What the app or an extension raised means
    what it means elsewhere in the app: its handler for that answers, and an HTTP exception keeps status and headers. A
    handler that returns or raises the error itself leaves it to us.
    """
    if isinstance(error, Refusal):
        return refuse(error)
    answered = _answer_of_app(error)
    if answered is not None and answered is not error:
        return answered  # type: ignore[no-any-return]
    if isinstance(error, HTTPException):
        return _from_http(error)
    misconfigured = Misconfigured(f"In a hook of the app or in Flask-Passkey: {summary(error)}")
    misconfigured.__cause__ = error
    return refuse(misconfigured)


def _answer_of_app(error: Exception) -> Any:
    handler = _handler_of_app(error)
    try:
        return None if handler is None else current_app.ensure_sync(handler)(error)
    except Exception as raised:
        if raised is not error:
            raise
        return None


def _handler_of_app(error: Exception) -> Callable[[Any], Any] | None:
    """Return the app's handler for an error, found as Flask does: by its code first, then by class and bases."""
    handlers = current_app.error_handler_spec[None]
    code = error.code if isinstance(error, HTTPException) else None
    for key in dict.fromkeys((code, None)):
        by_class = handlers.get(key, {})
        for base in type(error).__mro__:
            if base in by_class:
                return by_class[base]
    return None


def _from_http(error: HTTPException) -> ResponseReturnValue:
    """Answer an HTTP exception with the envelope, or with the answer that it brings along."""
    code = error.code or 500
    if error.response is not None or code < 400:
        return error.get_response()
    response = refuse(_refusal_for(error, code), status=code)
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            response.headers.add(name, value)
    return response


def _refusal_for(error: HTTPException, code: int) -> Refusal:
    reason = f"{code} {error.name}: {error.description}" if error.description else f"{code} {error.name}"
    original = getattr(error, "original_exception", None)
    kind = _KINDS.get(code, MalformedRequest if code < 500 else Misconfigured)
    refusal = kind("body", reason) if issubclass(kind, MalformedRequest) else kind(reason)
    refusal.__cause__ = original
    if "csrf" in f"{type(error).__name__} {error.description}".lower():
        # They are exempt from Flask-WTF's own check, so it is the app's, or another extension's.
        refusal.reason += f" {_CSRF.format(common().blueprint_name)}"
        refusal.setting = "csrf"
    return refusal


# What others do to our routes and refusals


def exempt_from_csrf(app: Flask, blueprint: Blueprint) -> None:
    """Take our routes out of Flask-WTF's protection, if the app has it: they check where a request comes from.

    A page may be open for longer than a token lives.
    """
    protection: Any = app.extensions.get("csrf")
    if any(cls.__module__.startswith("flask_wtf.") for cls in type(protection).__mro__):
        protection.exempt(blueprint)


def answer_refusals(app: Flask) -> None:
    """Let Flask itself answer refusals in an app where an extension has put its own error handling in front.

    Flask-RESTX and Flask-RESTful do that, and make a 500 of what they do not know.
    """
    in_front = vars(app).get("handle_user_exception")
    if in_front is None or hasattr(in_front, "answers_refusals"):
        return

    def handle_user_exception(error: Exception) -> Any:
        if isinstance(error, Refusal):
            return type(app).handle_user_exception(app, error)
        return in_front(error)

    vars(handle_user_exception)["answers_refusals"] = True
    vars(app)["handle_user_exception"] = handle_user_exception
