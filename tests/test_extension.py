"""The object an app holds: set-up in any order, several apps and extensions, and what is refused at start-up."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, User, make_app, pending_in
from cachelib import SimpleCache
from flask import Flask
from flask.sessions import SecureCookieSessionInterface, SessionInterface
from flask.testing import FlaskClient
from flask_session import Session

from flask_passkey import (
    ConfigurationError,
    MemoryCredentialRepository,
    Passkey,
    SQLCredentialRepository,
)
from flask_passkey.testing import Refused, VirtualAuthenticator, sign_in, sign_up

#: What a refusal of client-side sessions shows, whenever it comes.
LINES = (
    "pip install flask-session",
    "from flask_session import Session",
    'app.config["SESSION_TYPE"] = "redis"',
    "Session(app)",
)


def bare_app(**config: Any) -> Flask:
    """Return an app with no extension."""
    app = Flask(__name__)
    app.config.update({"TESTING": True, "SECRET_KEY": "secret"} | config)
    return app


def session_app(**config: Any) -> Flask:
    """Return an app with Flask-Session."""
    app = bare_app(**{"SESSION_TYPE": "cachelib", "SESSION_CACHELIB": SimpleCache()} | config)
    Session(app)
    return app


def memory_passkey(app: Flask | None = None) -> Passkey:
    """Return an extension that keeps credentials in memory."""
    return Passkey(app, credentials=MemoryCredentialRepository())


def options(client: FlaskClient, prefix: str = "") -> Any:
    """Begin a sign-in and return what the browser gets."""
    response = client.put(f"{prefix}/session/authn")
    assert response.status_code == 200, response.get_json()
    return response.get_json()["data"]["options"]["publicKey"]


# Set-up


def test_the_app_knows_its_extension() -> None:
    """The extension is where Flask's extensions are, whether given the app at once or later."""
    app, later = session_app(), session_app()
    at_once, passkey = memory_passkey(app), memory_passkey()
    passkey.init_app(later)
    assert app.extensions["passkey"] is at_once and later.extensions["passkey"] is passkey


def test_only_the_routes_of_the_contract_are_added() -> None:
    """An app gets the contract's routes, the script's folder and the icons, and nothing else."""
    app = session_app()
    before = {rule.rule for rule in app.url_map.iter_rules()}
    memory_passkey(app)
    assert {rule.rule for rule in app.url_map.iter_rules()} - before == {
        "/session/authn",
        "/session/authn/password",
        "/user/authn",
        "/user/authn/<credential_id>",
        "/passkey/static/<path:filename>",
        "/passkey/icons/<aaguid>/<theme>",
    }


@pytest.mark.parametrize("session_first", [True, False])
def test_session_may_be_set_up_before_or_after(session_first: bool) -> None:
    """The order of Session(app) and Passkey(app) does not matter."""
    app = bare_app(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    for extension in (Session, memory_passkey) if session_first else (memory_passkey, Session):
        extension(app)
    assert options(app.test_client())["rpId"] == "localhost"
    assert len(pending_in(app.config["SESSION_CACHELIB"])) == 1


def test_a_second_init_is_refused() -> None:
    """An app has one extension; a second one, or the same again, is a mistake that is named."""
    app = session_app()
    passkey = memory_passkey(app)
    for second in (passkey, memory_passkey()):
        with pytest.raises(RuntimeError, match=r"app\.extensions\['passkey'\]"):
            second.init_app(app)
    assert app.extensions["passkey"] is passkey
    options(app.test_client())


def test_a_refused_init_leaves_nothing_behind() -> None:
    """After the mistake is corrected the same app can be initialised."""
    app = session_app(PASSKEY_RP_ID="https://example.com")
    with pytest.raises(ConfigurationError):
        memory_passkey(app)
    assert "passkey" not in app.extensions and "passkey" not in app.blueprints
    app.config["PASSKEY_RP_ID"] = "example.com"
    memory_passkey(app)
    assert options(app.test_client())["rpId"] == "example.com"


def test_one_extension_for_many_apps() -> None:
    """Apps that share an extension, as in app factories, share its hooks and nothing else."""
    passkey = Passkey()
    first, second = session_app(PASSKEY_RP_ID="one.example"), session_app(PASSKEY_RP_ID="two.example")
    stores = [MemoryCredentialRepository(), MemoryCredentialRepository()]
    for app, store in zip((first, second), stores, strict=True):
        passkey.init_app(app, credentials=store)
    assert [options(app.test_client())["rpId"] for app in (first, second)] == ["one.example", "two.example"]
    with first.app_context():
        outer = passkey.config, passkey.credentials, passkey.relying_party, passkey.relying_party.accounts
        with second.app_context():
            inner = passkey.config, passkey.credentials, passkey.relying_party, passkey.relying_party.accounts
        assert (passkey.config, passkey.credentials) == outer[:2]
    assert [(part[0].rp_id, part[1]) for part in (outer, inner)] == [
        ("one.example", stores[0]),
        ("two.example", stores[1]),
    ]
    assert not {id(part) for part in outer} & {id(part) for part in inner}


def test_a_ceremony_of_one_app_is_unknown_to_the_other() -> None:
    """Two sites on one session store do not finish each other's ceremonies, even for one browser secret."""
    cache, passkey = SimpleCache(), memory_passkey()
    apps = [session_app(PASSKEY_RP_ID=f"{name}.example", SESSION_CACHELIB=cache) for name in ("one", "two")]
    for app in apps:
        passkey.init_app(app)
    passkey.get_current_user(lambda: None)
    one, two = (app.test_client(use_cookies=False) for app in apps)
    begun = one.put("/session/authn")
    body = {"session_id": begun.get_json()["data"]["session_id"], "response": {}}
    cookies = {"Cookie": begun.headers["Set-Cookie"].partition(";")[0]}
    assert two.post("/session/authn", json=body, headers=cookies).get_json()["code"] == 404
    assert one.post("/session/authn", json=body, headers=cookies).get_json()["code"] == 40025


def test_an_extension_for_each_app() -> None:
    """Extensions of their own keep apps apart altogether, hooks included."""
    one, two = make_app(), make_app()
    ada = VirtualAuthenticator(SITE)
    sign_up(one.app.test_client(), ada, "ada")
    with pytest.raises(Refused) as caught:
        sign_in(two.app.test_client(), ada)
    assert caught.value.code == 40090
    assert one.users and not two.users


def test_a_wrong_extension_says_so() -> None:
    """Asked in an app that it was not initialised on, an extension says what to call."""
    app = session_app()
    memory_passkey(app)
    for current in (app, bare_app()):
        with current.app_context(), pytest.raises(RuntimeError, match=r"passkey\.init_app\(app\)"):
            print(memory_passkey().config)
    with pytest.raises(RuntimeError, match="application context"):
        print(memory_passkey().config)


def test_apps_are_not_kept_alive() -> None:
    """An extension in a module does not hold the apps that a test suite makes and drops."""
    passkey = memory_passkey()
    app = session_app()
    passkey.init_app(app)
    options(app.test_client())
    dropped = weakref.ref(app)
    del app
    gc.collect()
    assert dropped() is None


def test_hooks_may_be_given_before_and_after() -> None:
    """Hooks are decorators that return the function, and work from the moment they are given."""
    passkey = memory_passkey()

    @passkey.get_current_user
    def nobody() -> None:
        return None

    assert nobody.__name__ == "nobody"
    app = session_app()
    passkey.init_app(app)
    client = app.test_client()
    assert client.get("/user/authn").get_json()["code"] == 401
    assert passkey.get_current_user(lambda: User("ada")) is not None
    assert client.get("/user/authn").get_json()["data"]["credentials"] == []


def test_hooks_may_be_coroutines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine is awaited as Flask does for views; it is never taken for a user or for a yes."""

    def async_to_sync(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def call(*values: Any) -> Any:
            return await function(*values)

        def run(*values: Any) -> Any:
            # In a thread of its own: the browser tests leave a loop running in this one.
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(copy_context().run, asyncio.run, call(*values)).result()

        return run

    site = make_app()
    monkeypatch.setattr(site.app, "async_to_sync", async_to_sync)

    @site.passkey.check_account
    async def check_account(user: User) -> bool:
        return False

    @site.passkey.load_user
    async def load_user(user_id: str) -> User | None:
        return site.users.get(user_id)

    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    with pytest.raises(Refused) as caught:
        sign_in(site.app.test_client(), ada)
    assert caught.value.code == 403


def test_forget_user() -> None:
    """An account that the app deletes takes its passkeys along."""
    site = make_app()
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    with site.app.app_context():
        site.passkey.forget_user(site.user("ada").id)
    assert site.passkey_records("ada") == []


def test_an_app_can_guard_its_own_forms() -> None:
    """refuse_cross_site() on the app's own routes refuses what a browser sent from elsewhere, in the envelope."""
    site = make_app()

    @site.app.post("/form")
    def form() -> str:
        site.passkey.refuse_cross_site()
        return "done"

    client = site.app.test_client()
    assert client.post("/form", headers={"Origin": SITE}).text == "done"
    response = client.post("/form", headers={"Origin": "https://evil.example"})
    assert (response.status_code, response.get_json()["code"]) == (403, 403)


# Sessions in a cookie


def test_client_side_sessions_are_refused_at_start_up() -> None:
    """Flask's own sessions cannot keep a ceremony, and the message has the lines to write."""
    with pytest.raises(ConfigurationError, match="cookie") as caught:
        memory_passkey(bare_app())
    assert [line for line in LINES if line not in str(caught.value)] == []


def test_a_session_that_never_came_is_refused_at_the_first_request() -> None:
    """SESSION_TYPE alone changes nothing: without Session(app) every request says so, until it is there."""
    app = bare_app(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    memory_passkey(app)
    app.add_url_rule("/page", "page", lambda: "Hello")
    for path in ("/session/authn", "/page", "/page"):
        with pytest.raises(ConfigurationError, match="cookie") as caught:
            app.test_client().get(path)
        assert [line for line in LINES if line not in str(caught.value)] == []
    Session(app)
    assert app.test_client().get("/page").text == "Hello"


class OwnSessions(SecureCookieSessionInterface):
    """Sessions in a cookie, of the app's own making."""


@pytest.mark.parametrize("interface", [OwnSessions(), SessionInterface()])
@pytest.mark.parametrize("config", [{}, {"SESSION_TYPE": "redis"}])
def test_unknown_sessions_are_refused(interface: SessionInterface, config: dict[str, str]) -> None:
    """What is not Flask-Session's is refused, at the latest at the first request."""
    app = bare_app(**config)
    app.session_interface = interface

    def start() -> None:
        memory_passkey(app)
        app.test_client().get("/")

    with pytest.raises(ConfigurationError, match="Session"):
        start()


# Settings that an app sees


def test_an_rp_id_is_required_in_production() -> None:
    """Outside debug and testing there is no default."""
    with pytest.raises(ConfigurationError, match="Write PASSKEY_RP_ID = 'example.com'"):
        memory_passkey(session_app(TESTING=False))
    for config in ({"DEBUG": True}, {"TESTING": True}):
        app = session_app(**{"TESTING": False} | config)
        memory_passkey(app)
        assert options(app.test_client())["rpId"] == "localhost"


def test_an_ip_address_is_served_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The seed's example has an IP address; it is answered, and the log says what to do instead."""
    with caplog.at_level(logging.WARNING, "flask_passkey"):
        app = session_app(PASSKEY_RP_ID="127.0.0.1")
        memory_passkey(app)
    assert "PASSKEY_RP_ID is the IP address 127.0.0.1" in caplog.text and "localhost" in caplog.text
    assert options(app.test_client())["rpId"] == "127.0.0.1"


@pytest.mark.parametrize("given", ["/api/v4", "/api/v4/"])
def test_url_prefix(given: str) -> None:
    """All routes and the script are under the prefix, and nowhere else; a whole ceremony works there."""
    site = make_app({"PASSKEY_URL_PREFIX": given})
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada", prefix="/api/v4")
    sign_in(client, ada, prefix="/api/v4")
    assert client.get("/api/v4/user/authn").status_code == 200
    assert client.put("/session/authn").status_code == client.get("/user/authn").status_code == 404
    with client.get("/api/v4/passkey/static/passkey.js") as script:
        assert script.status_code == 200 and script.mimetype == "text/javascript"
    with site.app.test_request_context():
        assert site.app.url_for("passkey.static", filename="passkey.js") == "/api/v4/passkey/static/passkey.js"


def test_http_status_off() -> None:
    """With PASSKEY_HTTP_STATUS = False every answer is HTTP 200, also as the text an environment variable is."""
    for off in (False, "False"):
        client = make_app({"PASSKEY_HTTP_STATUS": off}).app.test_client()
        response = client.get("/user/authn")
        assert (response.status_code, response.get_json()["code"]) == (200, 401)


RELATED = {"PASSKEY_RELATED_ORIGINS": ["https://example.org", "https://example.net"]}
PAGES = {"enroll": "https://example.com/account/passkeys", "manage": "https://example.com/account/passkeys"}


def test_well_known_documents_are_there_only_when_configured() -> None:
    """Without settings there are none, and each comes with its own."""
    paths = "/.well-known/webauthn", "/.well-known/passkey-endpoints"
    for config, found in (({}, [404, 404]), (RELATED, [200, 404]), ({"PASSKEY_ENDPOINTS": PAGES}, [404, 200])):
        client = make_app(config).app.test_client()
        assert [client.get(path).status_code for path in paths] == found


@pytest.mark.proves("browser:42")
@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/.well-known/webauthn", {"origins": RELATED["PASSKEY_RELATED_ORIGINS"]}),
        ("/.well-known/passkey-endpoints", PAGES),
    ],
)
def test_well_known_documents(path: str, document: object) -> None:
    """They are bare JSON at the site root, for anybody, without a cookie and without a session."""
    config = RELATED | {"PASSKEY_ENDPOINTS": PAGES, "PASSKEY_URL_PREFIX": "/api"}
    site = make_app(config)
    client = site.app.test_client()
    response = client.get(path, headers={"Origin": "https://anywhere.example", "Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 200 and response.content_type == "application/json"
    assert response.get_json() == document
    assert "Set-Cookie" not in response.headers and site.session_ids() == set()
    assert client.get(f"/api{path}").status_code == 404


# Where credentials are kept


def test_credentials_are_in_the_instance_folder_by_default(tmp_path: Path) -> None:
    """Without a setting they are in a SQLite file, whose folder is made when it is first needed."""
    folder = tmp_path / "instance"
    app = Flask(__name__, instance_path=str(folder))
    app.config.update(TESTING=True, SECRET_KEY="secret", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Session(app)
    passkey = Passkey(app)
    assert not folder.exists()
    with app.app_context():
        assert passkey.credentials.get(b"none") is None
        assert isinstance(passkey.credentials, SQLCredentialRepository)
        passkey.credentials.close()
    assert [path.name for path in folder.glob("*.sqlite3")] == ["passkey.sqlite3"]


def test_credentials_are_where_the_setting_says(tmp_path: Path) -> None:
    """PASSKEY_DATABASE_URI puts them elsewhere; a repository in the code goes before it."""
    place = tmp_path / "elsewhere.sqlite3"
    app = session_app(PASSKEY_DATABASE_URI=f"sqlite:///{place}")
    passkey = Passkey(app)
    with app.app_context():
        assert isinstance(passkey.credentials, SQLCredentialRepository)
        passkey.credentials.of_user("17")
        assert isinstance(passkey.credentials, SQLCredentialRepository)
        passkey.credentials.close()
    assert place.exists()
    own = MemoryCredentialRepository()
    other = session_app(PASSKEY_DATABASE_URI=f"sqlite:///{place}")
    passkey = Passkey(other, credentials=own)
    with other.app_context():
        assert passkey.credentials is own


def test_a_bad_database_uri_is_refused_at_start_up() -> None:
    """The message names the setting and the line to write, never the password."""
    with pytest.raises(ConfigurationError, match="Write PASSKEY_DATABASE_URI = ") as caught:
        Passkey(session_app(PASSKEY_DATABASE_URI="nosuch://ada:secret@db"))
    assert "secret" not in str(caught.value)


def test_sign_in_by_name_needs_a_secret_key() -> None:
    """Decoys are made with SECRET_KEY; without one the app does not start, and the message says how to make it."""
    with pytest.raises(ConfigurationError, match="write SECRET_KEY = "):
        memory_passkey(session_app(SECRET_KEY=None, PASSKEY_USERNAME_FIRST=True))
    memory_passkey(session_app(SECRET_KEY=None))
    memory_passkey(session_app(SECRET_KEY=b"bytes", PASSKEY_USERNAME_FIRST="yes"))
