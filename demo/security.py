"""What every answer tells the browser to refuse, and what is answered without a look at cookies."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request, session
from flask_login import logout_user

from flask_passkey import Passkey

from .settings import DEFAULTS

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def init_app(app: Flask, passkey: Passkey) -> None:
    """Add the headers to all answers, and keep cookies from what is the same for everybody."""
    app.after_request(_add_headers)
    app.before_request(lambda: _end_sessions_of_deleted_passkeys(passkey))
    with app.app_context():
        prefix = passkey.config.url_prefix
    _keep_cookies_from(app, ("/static/", f"{prefix}/passkey/", "/.well-known/"))


def secure_session_cookie(app: Flask, passkey: Passkey) -> None:
    """On https, keep the session's cookie from plain http, from other sites and from other subdomains."""
    with app.app_context():
        https_only = passkey.config.https_only
    if https_only:
        app.config["SESSION_COOKIE_SECURE"] = True
        if app.config["SESSION_COOKIE_NAME"] == DEFAULTS["SESSION_COOKIE_NAME"]:
            app.config["SESSION_COOKIE_NAME"] = f"__Host-{DEFAULTS['SESSION_COOKIE_NAME']}"


def _end_sessions_of_deleted_passkeys(passkey: Passkey) -> None:
    """Sign out whoever signed in with a passkey that its owner has deleted since, on another device."""
    if not passkey.still_valid():
        logout_user()
        session.clear()


def _keep_cookies_from(app: Flask, paths: tuple[str, ...]) -> None:
    """Hide the cookies of requests for some paths: no session is read or renewed for them, and none is missed."""
    inner = app.wsgi_app

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        if environ.get("PATH_INFO", "").startswith(paths):
            environ.pop("HTTP_COOKIE", None)
        return inner(environ, start_response)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]


def _add_headers(response: Response) -> Response:
    response.headers.extend({name: text for name, text in HEADERS.items() if name not in response.headers})
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    if request.is_secure:  # browsers complain about these elsewhere
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    return response
