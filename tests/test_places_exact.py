"""A host or subdomain that no request would find for how it is written, and links that lead to where the pages are."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Blueprint, Flask
from test_places import AUTH, HOSTS, SETTINGS, SUBDOMAINS, make

from flask_passkey import ConfigurationError, Passkey

pytestmark = pytest.mark.proves("frictions:Q")

BELOW = SETTINGS | {"SERVER_NAME": "example.com"}


@pytest.mark.parametrize(
    ("settings", "flask", "place", "line"),
    [
        (SETTINGS, HOSTS, {"host": AUTH}, "host='auth.example.com'"),
        (SETTINGS, HOSTS, {"host": "Auth.Example.com"}, "host='auth.example.com'"),
        (SETTINGS, HOSTS, {"host": "auth.example.com:443"}, "host='auth.example.com'"),
        (SETTINGS, HOSTS, {"host": "auth.example.com/"}, "host='auth.example.com'"),
        (SETTINGS, HOSTS, {"host": "<tenantId>.Example.com"}, "host='<tenantId>.example.com'"),
        (BELOW, SUBDOMAINS, {"subdomain": "Auth"}, "subdomain='auth'"),
        (BELOW, SUBDOMAINS, {"subdomain": "auth."}, "subdomain='auth'"),
        (BELOW, SUBDOMAINS, {"subdomain": "auth.example.com"}, "subdomain='auth'"),
        (BELOW, SUBDOMAINS, {"subdomain": AUTH}, "subdomain='auth'"),
    ],
)
def test_what_no_request_has_is_refused(settings: Any, flask: Any, place: Any, line: str) -> None:
    """Hosts of requests are bare and in lower case: one that is written otherwise is refused, with the line."""
    with pytest.raises(ConfigurationError, match=rf"Write Passkey\(app, {line}\)"):
        make(settings, flask=flask, place=place)


@pytest.mark.parametrize(
    "host", ["auth.example.com:8443", "<tenantId>.example.com", "<string(length=3):id>.example.com"]
)
def test_what_requests_have_is_taken(host: str) -> None:
    """A port that is not the scheme's own and variable parts stay as they are."""
    make(SETTINGS, flask=HOSTS, place={"host": host})


@pytest.mark.parametrize(
    ("flask", "place", "more"),
    [(HOSTS, {"host": "auth.example.com"}, {}), (SUBDOMAINS, {"subdomain": "auth"}, {"SERVER_NAME": "example.com"})],
)
def test_links_lead_to_the_host_of_the_pages(flask: Any, place: Any, more: Any) -> None:
    """A link leads to where the pages are, whichever origin is listed first."""
    settings = SETTINGS | {"PASSKEY_ORIGINS": ["https://www.example.com", AUTH]} | more
    site = make(settings, flask=flask, place=place | {"pages": True})
    with site.app.app_context():
        assert site.passkey.config.enrol_url == f"{AUTH}/passkeys/new"


def app_below(root: str) -> Flask:
    """Return an app with pages whose configuration says that it is below a path."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="x", PASSKEY_CEREMONY_STORE="database", PASSKEY_DATABASE_URI="sqlite://")
    app.config.update(APPLICATION_ROOT=root)
    Passkey(app, pages=True).load_user(lambda user_id: {"id": user_id, "name": "ada"})
    return app


@pytest.mark.parametrize(
    ("configured", "script_name", "link"),
    [
        ("/", "", ""),
        ("/", "/shop", "/shop"),
        ("/shop", "/shop", "/shop"),
        ("/shop", "", "/shop"),
        ("/a", "/b/c", "/b/c"),
    ],
)
def test_links_lead_below_the_path_of_the_app(configured: str, script_name: str, link: str) -> None:
    """A link that is made in a request leads below the path that the server has mounted the app at."""
    app = app_below(configured)
    with app.test_request_context(environ_overrides={"SCRIPT_NAME": script_name}):
        invitation = app.extensions["passkey"].invite({"id": "1", "name": "ada"})
    assert invitation.url == f"http://localhost{link}/passkeys/new#{invitation.token}"


def test_a_page_of_the_apps_own_stays() -> None:
    """An address that the app gives is taken as it is."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="x", PASSKEY_CEREMONY_STORE="database", PASSKEY_DATABASE_URI="sqlite://")
    passkey = Passkey()
    app.config["PASSKEY_ENROL_URL"] = "http://localhost/welcome"
    passkey.init_app(app, pages=True)
    with app.test_request_context(environ_overrides={"SCRIPT_NAME": "/shop"}):
        assert str(passkey.invite({"id": "1", "name": "ada"}).url).startswith("http://localhost/welcome#")


def test_the_pages_name_is_theirs() -> None:
    """An app with a blueprint of that name is told to rename it, and our routes cannot have it; nothing is set up."""
    app = app_with_pages_blueprint()
    with pytest.raises(ConfigurationError, match="'passkey_pages' already"):
        Passkey(app, pages=True)
    assert "passkey" not in app.extensions
    Passkey(app)
    with pytest.raises(ConfigurationError, match="Write blueprint_name='webauthn'"):
        Passkey(app_with_pages_blueprint(), blueprint_name="passkey_pages")


def app_with_pages_blueprint() -> Flask:
    """Return an app that calls a blueprint as the ready pages are called."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="x", PASSKEY_CEREMONY_STORE="database", PASSKEY_DATABASE_URI="sqlite://")
    app.register_blueprint(Blueprint("passkey_pages", __name__))
    return app
