"""``Server-Timing`` in debug: how long the parts of our work took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from apps import SITE, App, make_app
from flask import Flask

from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up


def parts(header: str) -> dict[str, float]:
    """Return the durations in a header."""
    found = [part.strip().partition(";dur=") for part in header.split(",")]
    return {name: float(duration) for name, _, duration in found}


@pytest.fixture
def in_debug() -> App:
    """An app in debug with an own page."""

    def debug(app: Flask) -> None:
        app.debug = True
        app.add_url_rule("/own", "own", lambda: "own")

    return make_app(before=debug)


def test_debug_tells_how_long_the_parts_took(in_debug: App) -> None:
    """In debug our routes say how long the store, the credentials and the check of a response took."""
    client, ada = in_debug.app.test_client(), VirtualAuthenticator(SITE)
    headers: list[str] = []
    in_debug.app.wsgi_app = _listening(in_debug.app.wsgi_app, headers)  # type: ignore[method-assign]
    sign_up(client, ada, "ada")
    sign_in(client, ada)
    begin, finish = (parts(header) for header in headers[-2:])
    assert set(begin) == {"store", "total"}
    assert set(finish) == {"store", "credentials", "verify", "total"}
    assert finish["verify"] > 0 and sum(finish.values()) <= 2 * finish["total"] + 0.05
    assert "Server-Timing" not in client.get("/own").headers
    assert "total" in parts(client.get("/user/authn").headers["Server-Timing"])


def _listening(inner: Callable[..., Any], found: list[str]) -> Callable[..., Any]:
    def wsgi_app(environ: Any, start_response: Any) -> Any:
        def listening(status: str, headers: list[tuple[str, str]], *args: Any) -> Any:
            found.extend(value for name, value in headers if name == "Server-Timing")
            return start_response(status, headers, *args)

        return inner(environ, listening)

    return wsgi_app


def test_nobody_else_is_told(site: App) -> None:
    """Without debug there is no such header: how long a check takes is nobody's business."""
    assert "Server-Timing" not in site.app.test_client().put("/session/authn").headers
