"""The session's cookie: what browsers drop, and what keeps it from our routes."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from ..config import PasskeyConfig, host_of
from ..web.cookies import missing_lines
from .findings import Finding, error, warning

_KEPT_NOWHERE = "browsers drop the session's cookie, and nobody stays signed in."


def check(app: Flask, config: PasskeyConfig) -> Iterator[Finding]:
    """Look at Flask's ``SESSION_COOKIE_…`` settings."""
    for line in missing_lines(app.config, config):
        name = line.partition(" = ")[0]
        yield warning(
            f"cookies.{name.removeprefix('SESSION_COOKIE_').lower()}-missing",
            f"{name} is not set, and all pages are on https: the session's cookie is not as safe as it can be.",
            line,
        )
    yield from _flags(app)
    yield from _place(app, config)


def _flags(app: Flask) -> Iterator[Finding]:
    secure, name = app.config["SESSION_COOKIE_SECURE"], str(app.config["SESSION_COOKIE_NAME"])
    if (app.config["SESSION_COOKIE_SAMESITE"] or "").lower() == "none" and not secure:
        yield error(
            "cookies.none-insecure",
            f"SESSION_COOKIE_SAMESITE is 'None' without SESSION_COOKIE_SECURE: {_KEPT_NOWHERE}",
            "SESSION_COOKIE_SECURE = True, or SESSION_COOKIE_SAMESITE = 'Lax'",
        )
    if name.startswith(("__Host-", "__Secure-")) and not secure:
        yield error(
            "cookies.prefix-insecure",
            f"SESSION_COOKIE_NAME is {name!r} without SESSION_COOKIE_SECURE: {_KEPT_NOWHERE}",
            "SESSION_COOKIE_SECURE = True",
        )
    if name.startswith("__Host-") and app.config["SESSION_COOKIE_DOMAIN"]:
        yield error(
            "cookies.host-domain",
            f"SESSION_COOKIE_NAME is {name!r}, and SESSION_COOKIE_DOMAIN is set: {_KEPT_NOWHERE}",
            "SESSION_COOKIE_DOMAIN = None",
        )


def _place(app: Flask, config: PasskeyConfig) -> Iterator[Finding]:
    domain, path = app.config["SESSION_COOKIE_DOMAIN"], app.session_interface.get_cookie_path(app)
    hosts = [host for origin in config.origins if (host := host_of(origin))]
    outside = [host for host in hosts if domain and not f".{host}".endswith(f".{domain.lstrip('.')}")]
    if outside:
        yield error(
            "cookies.domain",
            f"SESSION_COOKIE_DOMAIN is {domain!r}, and {outside[0]} is not below it: {_KEPT_NOWHERE}",
            "SESSION_COOKIE_DOMAIN = None",
        )
    root = app.config["APPLICATION_ROOT"]
    ours = f"{root.rstrip('/')}{config.url_prefix}/session/authn"
    if path != "/" and not ours.startswith(f"{path.rstrip('/')}/"):
        yield error(
            "cookies.path",
            f"The session's cookie is for {path!r} only, and browsers do not send it to {ours}.",
            f"SESSION_COOKIE_PATH = {root!r}",
        )
