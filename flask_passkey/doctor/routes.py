"""Our routes beside the app's own, and documents that have to be at the root of the site."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, RequestRedirect, Rule

from ..config import PasskeyConfig
from ..state import of
from .findings import Finding, error, warning

_OURS = ("/session/authn", "/user/authn")


def documents(config: PasskeyConfig) -> dict[str, str]:
    """Return the well-known documents that an app has, with the setting that each is for."""
    wanted = {
        "webauthn": ("PASSKEY_RELATED_ORIGINS", config.related_origins),
        "passkey-endpoints": ("PASSKEY_ENDPOINTS", config.endpoints),
        "assetlinks.json": ("PASSKEY_ANDROID_APPS", config.android_apps),
        "apple-app-site-association": ("PASSKEY_APPLE_APPS", config.apple_apps),
    }
    return {f"/.well-known/{name}": key for name, (key, value) in wanted.items() if value}


def proxy_line(path: str, below: str) -> str:
    """Return the lines of nginx that bring a document of an app below a path to the root."""
    return f"location = {path} {{ proxy_pass http://127.0.0.1:8000{below}{path}; }} in nginx, with your app's address"


def check(app: Flask, config: PasskeyConfig) -> Iterator[Finding]:
    """Look for rules of the app that match our paths, and for an app below a path."""
    prefix = f"/auth{config.url_prefix}"
    for path in _OURS:
        ours = config.url_prefix + path
        for rule in _others(app, ours):
            kind = error if rule == ours else warning
            yield kind(
                "routes.collision",
                f"The app's own {rule} matches {ours}, which is ours: one of them is never reached.",
                f"PASSKEY_URL_PREFIX = {prefix!r}",
            )
    below = str(app.config["APPLICATION_ROOT"]).rstrip("/")
    for path, key in documents(config).items() if below else ():
        yield warning(
            "routes.document-below",
            f"The app is below {below}, and {path}, for {key}, is looked for at the root of the site.",
            proxy_line(path, below),
        )


def _others(app: Flask, path: str) -> list[str]:
    """Return the app's own rules that match a path and begin like it; a rule for whatever is left is meant to."""
    first = "/".join(path.split("/")[:-1]) + "/"
    others = [rule for rule in app.url_map.iter_rules() if of(app).route_of(rule.endpoint) is None]
    found = [rule.rule for rule in others if rule.rule.startswith(first) and _matches(app, rule, path)]
    return list(dict.fromkeys(found))


def _matches(app: Flask, rule: Rule, path: str) -> bool:
    alone = Map([Rule(rule.rule, endpoint="other")], converters=app.url_map.converters, strict_slashes=False)
    try:
        alone.bind("localhost").match(path, method="GET")
    except (HTTPException, RequestRedirect):
        return False
    return True
