"""HTTP methods: what a route can do is what it says, in every answer that tells."""

from __future__ import annotations

import pytest
from apps import App, make_app
from flask import abort
from flask.testing import FlaskClient

pytestmark = pytest.mark.proves("frictions:allow")

METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE")
#: What the contract has for each route, with what comes by itself.
CAN = {
    "/session/authn": {"PUT", "POST", "OPTIONS"},
    "/session/authn/password": {"POST", "OPTIONS"},
    "/user/authn": {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"},
    "/user/authn/x": {"PATCH", "DELETE", "OPTIONS"},
}


def allowed(client: FlaskClient, method: str, path: str) -> set[str]:
    """Return what an answer says that the route can do."""
    return set(client.open(path, method=method).headers.get("Allow", "").split(", "))


@pytest.mark.parametrize("path", CAN)
def test_options_list_what_a_route_can_do(site: App, path: str) -> None:
    """OPTIONS list the methods of the contract and no other, and none of those is answered with 405."""
    client = site.app.test_client()
    asked = client.options(path)
    assert asked.status_code == 200 and not asked.data
    assert allowed(client, "OPTIONS", path) == CAN[path]
    answered = {method for method in METHODS if client.open(path, method=method).status_code != 405}
    assert answered == CAN[path] - {"OPTIONS"}


@pytest.mark.parametrize(("method", "path"), [(method, path) for path in CAN for method in METHODS])
def test_a_405_says_what_a_route_can_do(site: App, method: str, path: str) -> None:
    """A method that a route does not have is refused with the header Allow (RFC 9110, section 15.5.6)."""
    said = allowed(site.app.test_client(), method, path)
    assert said == ({""} if method in CAN[path] else CAN[path])


def test_methods_below_a_prefix() -> None:
    """The same holds for routes that are elsewhere."""
    client = make_app({"PASSKEY_URL_PREFIX": "/api"}).app.test_client()
    assert allowed(client, "OPTIONS", "/api/session/authn") == CAN["/session/authn"]
    assert allowed(client, "GET", "/api/session/authn") == CAN["/session/authn"]


def test_a_405_of_the_app_says_nothing_of_our_routes(site: App) -> None:
    """Where the app forbids a method without a word about others, no empty Allow says that there are none."""
    site.app.before_request(lambda: abort(405))
    answer = site.app.test_client().put("/session/authn")
    assert answer.status_code == 405 and "Allow" not in answer.headers
