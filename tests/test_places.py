"""Where the routes are: on one host or subdomain, under another blueprint name, below a path."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from apps import App, allow_sign_up, use_flask_login
from cachelib import SimpleCache
from flask import Blueprint, Flask, url_for
from flask.testing import FlaskClient
from flask_session import Session
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import BuildError
from werkzeug.test import Client

from flask_passkey import ConfigurationError, MemoryCredentialRepository, Passkey
from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_in, sign_up

pytestmark = pytest.mark.proves("frictions:Q", "frictions:blueprint-name")

AUTH = "https://auth.example.com"
SCRIPT = "/passkey/static/passkey.js"
#: A model whose provider has an icon.
ICLOUD = "fbfc3007-154e-4ecc-8c0b-6e020557d7bd"
HOSTS = {"host_matching": True, "static_host": "auth.example.com"}
SUBDOMAINS = {"subdomain_matching": True}
SETTINGS = {
    "PASSKEY_RP_ID": "example.com",
    "PASSKEY_ORIGINS": AUTH,
    "PASSKEY_RELATED_ORIGINS": "https://example.org",
    "PASSKEY_ENDPOINTS": {"manage": f"{AUTH}/passkeys"},
}
#: Two ways to the same place.
AT_AUTH = pytest.mark.parametrize(
    ("flask", "place", "settings"),
    [
        (HOSTS, {"host": "auth.example.com"}, SETTINGS),
        (SUBDOMAINS, {"subdomain": "auth"}, SETTINGS | {"SERVER_NAME": "example.com"}),
    ],
    ids=["host", "subdomain"],
)


class At:
    """A browser on pages of one origin."""

    def __init__(self, client: FlaskClient, origin: str) -> None:
        self.put = partial(client.put, base_url=origin)
        self.post = partial(client.post, base_url=origin)


def status(client: Client, path: str, origin: str = "http://localhost") -> int:
    """Return how a path is answered."""
    with client.get(path, base_url=origin) as answer:
        return answer.status_code


def make(settings: Mapping[str, Any] = {}, *, flask: Mapping[str, Any] = {}, place: Mapping[str, Any] = {}) -> App:
    """Return an app with sign-up through Flask-Login.

    :param flask: arguments of ``Flask``.
    :param place: arguments of ``Passkey``.
    """
    app = Flask(__name__, **flask)
    app.config.update(TESTING=True, SECRET_KEY="secret", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    app.config.update(settings)
    Session(app)
    site = App(app, Passkey(app, credentials=MemoryCredentialRepository(), **place))
    use_flask_login(site)
    allow_sign_up(site)
    return site


@AT_AUTH
def test_all_routes_are_at_one_place(flask: Any, place: Any, settings: Any) -> None:
    """Ceremonies and the browser's module are at the given host or subdomain, and nowhere else."""
    app = make(settings, flask=flask, place=place).app
    client, ada = app.test_client(), VirtualAuthenticator(AUTH)
    sign_up(At(client, AUTH), ada, "ada")
    assert sign_in(At(client, AUTH), ada)["user"]["name"] == "ada"
    for path in ("/session/authn", "/user/authn", SCRIPT):
        assert status(client, path, AUTH) != 404
        assert status(client, path, "https://www.example.com") == 404
    with app.test_request_context(base_url=AUTH):
        assert app.url_for("passkey.static", filename="passkey.js").endswith(SCRIPT)


@AT_AUTH
@pytest.mark.parametrize("path", ["/.well-known/webauthn", "/.well-known/passkey-endpoints"])
def test_well_known_documents_are_at_the_rp_id_too(flask: Any, place: Any, settings: Any, path: str) -> None:
    """Browsers ask the RP ID's own host for them, whatever host the pages have."""
    client = make(settings, flask=flask, place=place).app.test_client()
    places = ("https://example.com", AUTH, "https://www.example.com")
    assert [status(client, path, place) for place in places] == [200, 200, 404]


@AT_AUTH
def test_an_outage_is_told_at_that_place(
    flask: Any, place: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the session store is down our routes answer 503; another host's same path is the app's own matter."""
    site = make(settings, flask=flask, place=place)
    site.app.add_url_rule("/session/authn", view_func=lambda: "", endpoint="own", **_elsewhere(flask))
    site.app.testing = False

    def fail(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(site.app.session_interface, "open_session", fail)
    client = site.app.test_client()
    answer = client.put("/session/authn", base_url=AUTH)
    assert (answer.status_code, answer.get_json()["code"]) == (503, 50006)
    elsewhere = client.get("/session/authn", base_url="https://www.example.com")
    assert elsewhere.status_code == 500 and not elsewhere.is_json


def _elsewhere(flask: Mapping[str, Any]) -> dict[str, Any]:
    return {"host": "www.example.com"} if flask is HOSTS else {"subdomain": "www"}


@pytest.mark.parametrize(
    ("settings", "flask", "place", "line"),
    [
        (SETTINGS, HOSTS, {}, r"Passkey\(app, host='auth\.example\.com'\)"),
        ({"PASSKEY_ORIGINS": "http://localhost:5000"}, HOSTS, {}, r"Passkey\(app, host='localhost:5000'\)"),
        (SETTINGS, HOSTS, {"subdomain": "auth"}, r"Passkey\(app, host="),
        (SETTINGS, HOSTS, {"subdomain": "auth", "host": "auth.example.com"}, "Write host='auth.example.com' only"),
        (SETTINGS, {}, {"host": "auth.example.com"}, r"Flask\(__name__, host_matching=True, static_host="),
        (SETTINGS, {}, {"subdomain": "auth"}, r"Flask\(__name__, subdomain_matching=True\)"),
        (SETTINGS, SUBDOMAINS, {"subdomain": "auth"}, "SERVER_NAME = 'example.com'"),
        ({}, {}, {"blueprint_name": "auth.passkey"}, "Write blueprint_name='webauthn'"),
        ({}, {}, {"blueprint_name": ""}, "Write blueprint_name='webauthn'"),
    ],
)
def test_a_place_that_no_request_finds_is_refused(settings: Any, flask: Any, place: Any, line: str) -> None:
    """The app does not start, and the message has the line to write."""
    with pytest.raises(ConfigurationError, match=line):
        make(settings, flask=flask, place=place)


@pytest.mark.parametrize(("origin", "warned"), [(AUTH, True), ("https://example.com", False)])
def test_routes_away_from_all_pages_are_warned_of(origin: str, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    """With subdomains told apart and none given, pages on one of them would look for the routes in vain."""
    caplog.set_level(logging.WARNING, "flask_passkey")
    make({"PASSKEY_RP_ID": "example.com", "PASSKEY_ORIGINS": origin, "SERVER_NAME": "example.com"}, flask=SUBDOMAINS)
    assert ("Passkey(app, subdomain='auth')" in caplog.text) is warned


def test_init_app_may_say_where() -> None:
    """One extension can have its routes at another place in each app."""
    passkey = Passkey(credentials=MemoryCredentialRepository(), host="one.localhost")
    for host in ("one.localhost", "two.localhost"):
        app = Flask(__name__, host_matching=True, static_host=host)
        app.config.update(TESTING=True, SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
        app.config.update(PASSKEY_ORIGINS=f"http://{host}")
        Session(app)
        passkey.init_app(app, host=None if host == "one.localhost" else host)
        assert app.test_client().put("/session/authn", base_url=f"http://{host}").status_code == 200


def test_a_host_may_have_a_variable_part() -> None:
    """In an app for many tenants each has the routes at its own subdomain, and icons there, too."""
    origin = "https://acme.example.com"
    settings = {"PASSKEY_RP_ID": "example.com", "PASSKEY_ORIGINS": [origin], "SERVER_NAME": "example.com"}
    site = make(settings, flask=SUBDOMAINS, place={"subdomain": "<tenant>"})
    site.app.add_url_rule(
        "/list",
        view_func=lambda tenant: site.passkey.list_passkeys()[0].icon_light,
        endpoint="list",
        subdomain="<tenant>",
    )
    client, ada = site.app.test_client(), VirtualAuthenticator(origin, aaguid=ICLOUD)
    made = sign_up(At(client, origin), ada, "ada")
    listed = client.get("/user/authn", base_url=origin).get_json()["data"]["credentials"]
    assert [item["id"] for item in listed] == [made["id"]]
    icon = f"/passkey/icons/{ICLOUD}/light"
    assert listed[0]["provider"]["icon_light"].endswith(icon)
    assert client.get("/list", base_url=origin).text.endswith(icon)
    assert status(client, icon, origin) == 200


# The blueprint's name


def test_a_taken_blueprint_name_is_refused_with_the_way_out() -> None:
    """An app that has a blueprint "passkey" is told which parameter gives ours another name."""
    app = Flask(__name__)
    app.testing = True
    app.register_blueprint(Blueprint("passkey", __name__))
    with pytest.raises(ConfigurationError, match=r"Passkey\(app, blueprint_name='webauthn'\)"):
        Passkey(app, credentials=MemoryCredentialRepository())
    assert "passkey" not in app.extensions


def test_the_blueprint_may_have_another_name(caplog: pytest.LogCaptureFixture) -> None:
    """Beside the app's own blueprint "passkey" everything works under another name, CSRFProtect's exemption too."""
    caplog.set_level(logging.INFO, "flask_passkey.audit")
    site = make(place={"blueprint_name": "webauthn"})
    site.app.register_blueprint(Blueprint("passkey", __name__), url_prefix="/own")
    CSRFProtect(site.app)
    client = site.app.test_client()
    ada = VirtualAuthenticator("http://localhost", aaguid=ICLOUD)
    sign_up(client, ada, "ada")
    assert sign_in(client, ada)["user"]["name"] == "ada"
    add_passkey(client, VirtualAuthenticator("http://localhost"))
    listed = client.get("/user/authn").get_json()["data"]["credentials"]
    assert status(client, listed[0]["provider"]["icon_light"]) == 200
    with site.app.test_request_context():
        script = site.app.url_for("webauthn.static", filename="passkey.js")
    assert status(client, script) == 200
    assert client.post("/session/authn", json={}).status_code == 400
    assert "action=finish_sign_in" in caplog.text


# Below a path


@pytest.mark.parametrize("prefix", ["", "/api/v4"])
def test_it_works_below_a_path(prefix: str) -> None:
    """An app that a server mounts below a path, with or without a prefix, is found there, and so are its files."""
    site = make({"PASSKEY_URL_PREFIX": prefix, "APPLICATION_ROOT": "/shop"})
    root, path = Flask("root"), f"/shop{prefix}"
    client = Client(DispatcherMiddleware(root, {"/shop": site.app}))
    ada = VirtualAuthenticator("http://localhost", aaguid=ICLOUD)
    sign_up(client, ada, "ada", prefix=path)
    assert sign_in(client, ada, prefix=path)["user"]["name"] == "ada"
    answer: Any = client.get(f"{path}/user/authn").json
    listed = answer["data"]["credentials"]
    icon = listed[0]["provider"]["icon_light"]
    assert icon == f"{path}/passkey/icons/{ICLOUD}/light" and status(client, icon) == 200
    assert status(client, path + SCRIPT) == 200
    assert client.put(f"{prefix}/session/authn").status_code == 404
    cookies = client.get_cookie("session", path="/shop"), client.get_cookie("session")
    assert [cookie is not None for cookie in cookies] == [True, False]


def test_only_the_host_is_put_into_addresses() -> None:
    """What else is in the address of a request is not: a page about one passkey does not link to it unasked."""
    app = Flask("apps")
    app.config |= {**SETTINGS, "SECRET_KEY": "k" * 40, "SESSION_TYPE": "cachelib", "SESSION_CACHELIB": SimpleCache()}
    Session(app)
    Passkey(app, credentials=MemoryCredentialRepository())
    app.add_url_rule("/diary/<int:number>", "diary")
    with app.test_request_context("/user/authn/AAAA", method="DELETE"), pytest.raises(BuildError):
        url_for("passkey.rename_credential")
    for path in ("/diary/3", "/nowhere"):
        with app.test_request_context(path):
            assert url_for("passkey.begin_sign_in") == "/session/authn"
