"""Flask-Talisman, Flask-Limiter, Flask-Babel and Flask-CORS: their strict defaults leave passkeys alone."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask import Flask, request
from flask.testing import FlaskClient
from flask_babel import Babel, lazy_gettext
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_talisman import Talisman
from werkzeug.test import TestResponse

from flask_passkey import UserInfo
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

HTTPS = "https://example.com"
SCRIPT = "/passkey/static/passkey.js"
ICON = "/passkey/icons/fbfc3007-154e-4ecc-8c0b-6e020557d7bd/light"


class Page:
    """A browser's page at an origin, and the app's address that it asks."""

    def __init__(self, client: FlaskClient, *, origin: str, api: str) -> None:
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin" if origin == api else "same-site"}
        self.put = partial(client.put, base_url=api, headers=headers)
        self.post = partial(client.post, base_url=api, headers=headers)


# Flask-Talisman


@pytest.fixture
def strict() -> App:
    """Return an app on https with Flask-Talisman as it comes."""
    return make_app({"PASSKEY_RP_ID": "example.com"}, before=Talisman)


def test_ceremonies_work_under_talisman(strict: App, caplog: pytest.LogCaptureFixture) -> None:
    """Sign-up, sign-in and the browser's module work under its policy, and nothing is warned of that it sees to."""
    caplog.set_level(logging.WARNING, "flask_passkey.web")
    client, ada = strict.app.test_client(), VirtualAuthenticator(HTTPS)
    page = Page(client, origin=HTTPS, api=HTTPS)
    sign_up(page, ada, "ada")
    assert sign_in(page, ada)["user"]["name"] == "ada"
    with client.get(SCRIPT, base_url=HTTPS) as script:
        assert script.status_code == 200 and "default-src 'self'" in script.headers["Content-Security-Policy"]
    assert "SESSION_COOKIE" not in caplog.text


def test_icons_keep_their_policy_under_talisman(strict: App) -> None:
    """An SVG of somebody else's stays in its sandbox, whatever policy the app has for its own pages."""
    icon = strict.app.test_client().get(ICON, base_url=HTTPS)
    directives = {part.strip() for part in icon.headers["Content-Security-Policy"].split(";")}
    assert directives == {"default-src 'none'", "style-src 'unsafe-inline'", "sandbox"}


# Flask-Limiter


def limited(app: Flask) -> None:
    """Allow three requests a minute."""
    Limiter(get_remote_address, app=app, default_limits=["3/minute"], storage_uri="memory://", headers_enabled=True)


def begin_often(site: App) -> TestResponse:
    """Begin a sign-in more often than allowed, and return the last answer."""
    client = site.app.test_client()
    assert [client.put("/session/authn").status_code for _ in range(3)] == [200] * 3
    return client.put("/session/authn")


def test_the_limiters_answer_is_our_envelope() -> None:
    """What is too much for Flask-Limiter is 429 in our envelope, with its headers; files are not counted."""
    site = make_app(before=limited)
    answer = begin_often(site)
    assert (answer.status_code, answer.get_json()["code"], answer.get_json()["data"]) == (429, 429, None)
    assert answer.headers["X-RateLimit-Remaining"] == "0" and answer.headers["Retry-After"]
    with site.app.test_client().get(SCRIPT) as script:
        assert script.status_code == 200


def test_the_apps_own_answer_to_too_many_requests_stands() -> None:
    """An app that has a handler for 429 answers itself."""
    site = make_app(before=limited)
    site.app.register_error_handler(429, lambda error: (f"Slowly: {error.description}", 429))
    answer = begin_often(site)
    assert (answer.status_code, answer.text) == (429, "Slowly: 3 per 1 minute")


def test_our_blueprint_can_have_limits_of_its_own() -> None:
    """The blueprint of an app is the one that it has limited, by object."""
    site = make_app()
    limiter = Limiter(get_remote_address, app=site.app, storage_uri="memory://")
    blueprint: Any = site.app.blueprints["passkey"]
    limiter.limit("3/minute")(blueprint)
    assert begin_often(site).status_code == 429


# Flask-Babel


def test_lazy_texts_of_babel_are_names() -> None:
    """A user's names may be lazy; each answer has them as text."""
    site = make_app(before=lambda app: Babel(app, locale_selector=lambda: request.args.get("lang", "de")))

    @site.passkey.describe_user
    def describe(user: User) -> Any:
        return UserInfo(user.id, lazy_gettext(user.name), lazy_gettext("Guest"))

    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    assert sign_in(client, ada)["user"] == {"id": site.user("ada").id, "name": "ada", "display_name": "Guest"}


# Flask-CORS

PAGES, API = "http://localhost:3000", "http://localhost:5000"


@pytest.fixture
def api() -> App:
    """Return an API for pages on another origin."""
    return make_app(
        {"PASSKEY_ORIGINS": PAGES},
        before=lambda app: CORS(app, origins=[PAGES, "http://localhost:4000"], supports_credentials=True),
    )


def preflight(client: FlaskClient, method: str, path: str, origin: str = PAGES) -> TestResponse:
    """Ask as browsers do before they send JSON to another origin."""
    headers = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"}
    return client.options(path, base_url=API, headers=headers | {"Origin": origin, "Sec-Fetch-Site": "same-site"})


def test_pages_on_another_origin_have_whole_ceremonies(api: App) -> None:
    """A listed origin is answered before and after, cookies go along, and a refusal can be read there, too."""
    client, ada = api.app.test_client(), VirtualAuthenticator(PAGES)
    routes = [
        ("PUT", "/session/authn"),
        ("POST", "/user/authn"),
        ("PATCH", "/user/authn/x"),
        ("DELETE", "/user/authn/x"),
    ]
    for method, path in routes:
        asked = preflight(client, method, path)
        assert asked.status_code == 200 and method in asked.headers["Access-Control-Allow-Methods"]
        assert asked.headers["Access-Control-Allow-Headers"] == "content-type"
        assert_readable(asked)
    page = Page(client, origin=PAGES, api=API)
    sign_up(page, ada, "ada")
    assert sign_in(page, ada)["user"]["name"] == "ada"
    refused = page.post("/session/authn", json={})
    assert refused.status_code == 400
    assert_readable(refused)


def assert_readable(answer: TestResponse) -> None:
    """Assert that a page of the other origin may read an answer that cookies went along for."""
    headers = answer.headers
    assert headers["Access-Control-Allow-Origin"] == PAGES
    assert headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize("origin", ["http://localhost:4000", "https://evil.example"])
def test_origins_that_we_do_not_know_have_no_ceremonies(api: App, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Flask-CORS allows and PASSKEY_ORIGINS does not have is refused: the lists are two."""
    monkeypatch.setattr(api.app, "testing", False)  # where localhost may have any port
    client = api.app.test_client()
    assert preflight(client, "PUT", "/session/authn", origin).status_code in (200, 403)
    answer = Page(client, origin=origin, api=API).put("/session/authn")
    assert (answer.status_code, answer.get_json()["code"]) == (403, 403)
