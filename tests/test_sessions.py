"""What we keep in the browser and in its session, and what happens when the session store is down."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast
from unittest.mock import Mock

import pytest
from apps import ROUTES, SITE, App, begin, finish, make_app
from cachelib import SimpleCache
from flask import Request, session
from flask.globals import request_ctx
from flask.testing import FlaskClient
from flask_session.cachelib import CacheLibSessionInterface
from werkzeug.test import EnvironBuilder, TestResponse

from flask_passkey import ConfigurationError
from flask_passkey.cli import passkey as commands
from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_in, sign_up, step_up
from flask_passkey.web import outage

HTTPS = {"PASSKEY_RP_ID": "example.com", "PASSKEY_ORIGINS": ["https://example.com", "https://www.example.com"]}


def set_cookies(response: Any) -> list[str]:
    """Return the cookies an answer sets, as it writes them."""
    cookies: list[str] = response.headers.getlist("Set-Cookie")
    return cookies


def secrets_of(client: FlaskClient, prefix: str = "passkey_") -> dict[str, str]:
    """Return the secrets a browser holds by the names of their cookies."""
    return {cookie.key: cookie.value for cookie in (client._cookies or {}).values() if cookie.key.startswith(prefix)}


def raw_client(site: App) -> FlaskClient:
    """Return a browser whose cookies are those that a test writes into the header."""
    return site.app.test_client(use_cookies=False)


def session_id(client: FlaskClient) -> str:
    """Return the id of a browser's session."""
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


# The cookie with the browser's secret


def test_the_first_prepare_gives_the_browser_a_secret(client: FlaskClient) -> None:
    """It is in a cookie that scripts cannot read and other sites' posts do not carry, and ends with the browser."""
    (cookie,) = set_cookies(client.put("/session/authn"))
    pair, *attributes = cookie.split("; ")
    name, _, value = pair.partition("=")
    assert name.startswith("passkey_") and len(name) == len("passkey_") + 8 and len(value) == 43
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Lax"}


@pytest.mark.proves("rules:cookie")
def test_on_https_the_cookie_is_secure_and_of_this_host() -> None:
    """When all pages are https the cookie is Secure and has a name that no other subdomain can set."""
    (cookie,) = set_cookies(make_app(HTTPS).app.test_client().put("/session/authn"))
    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-passkey_")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}


def test_a_related_origin_on_http_is_refused() -> None:
    """One page on http would take Secure and __Host- from the cookies of all others, so it is refused."""
    config = HTTPS | {"PASSKEY_RELATED_ORIGINS": ["https://example.org", "http://localhost:5000"]}
    with pytest.raises(ConfigurationError, match=r"Write PASSKEY_RELATED_ORIGINS = \['https://example.org'\]"):
        make_app(config)
    make_app({"PASSKEY_RELATED_ORIGINS": ["http://other.localhost:5000"]})


SAFE = {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Strict"}


@pytest.mark.proves("threats:session-cookie", "rules:cookie")
@pytest.mark.parametrize("missing", [set(), {"SESSION_COOKIE_SECURE"}, {"SESSION_COOKIE_SAMESITE"}, set(SAFE)])
def test_missing_flags_of_the_sessions_cookie_are_named(missing: set[str], caplog: pytest.LogCaptureFixture) -> None:
    """On https they are named once, when the first request comes, and by ``flask passkey check``; others are not."""
    site = make_app(HTTPS)
    site.app.config.update({name: value for name, value in SAFE.items() if name not in missing})
    caplog.clear()
    for _ in range(2):
        site.app.test_client().put("/session/authn")
    named = [record.getMessage() for record in caplog.records if "SESSION_COOKIE" in record.getMessage()]
    told = site.app.test_cli_runner().invoke(commands, ["check"]).output
    assert len(named) == bool(missing)
    for text in (*named, told):
        assert {name for name in SAFE if f"{name} = " in text} == missing


def test_on_http_no_flags_are_missing(site: App, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """At localhost nothing is named."""
    client.put("/session/authn")
    assert "SESSION_COOKIE" not in caplog.text + site.app.test_cli_runner().invoke(commands, ["check"]).output


def test_a_browser_keeps_its_secret(client: FlaskClient) -> None:
    """No answer sets a second cookie when the browser has one, whichever route it asks."""
    client.put("/session/authn")
    assert set_cookies(client.put("/session/authn")) == []
    assert set_cookies(client.put("/user/authn", json={"name": "ada"})) == []


def test_what_prepares_nothing_sets_no_cookie(client: FlaskClient) -> None:
    """Only a prepare needs the browser to be known."""
    for response in (client.get("/user/authn"), client.post("/session/authn", json={}), client.get("/session/authn")):
        assert set_cookies(response) == []


@pytest.mark.parametrize("value", ["", "short", "x" * 42, "x" * 44, "ü" * 44])
def test_what_is_no_secret_is_not_taken_for_one(site: App, value: str) -> None:
    """A cookie of our name with something else in it is passed over, and a good one is set."""
    response = raw_client(site).put("/session/authn", headers={"Cookie": f"passkey_00000000={value}"})
    assert response.status_code == 200 and len(set_cookies(response)) == 1


@pytest.mark.parametrize("value", ["x" * 43, "ü" * 43, "x" * 42 + "\x80"])
def test_any_secret_of_the_right_length_is_one(site: App, value: str) -> None:
    """Nobody is served by a secret of their own making, so nothing else is asked of it; no bytes are an error."""
    response = raw_client(site).put("/session/authn", headers={"Cookie": f"passkey_00000000={value}"})
    assert response.status_code == 200 and set_cookies(response) == []


def test_two_first_prepares_at_once_can_both_be_finished(site: App) -> None:
    """A page that asks twice before the first answer is there gets two secrets, and both ceremonies work."""
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    browser = site.app.test_client()
    answers = [site.app.test_client().put("/session/authn") for _ in range(2)]
    for cookie in (cookie for answer in answers for cookie in set_cookies(answer)):
        name, _, value = cookie.partition(";")[0].partition("=")
        browser.set_cookie(name, value)
    assert len(secrets_of(browser)) == 2
    for answer in answers:
        begun = answer.get_json()["data"]
        body = {"session_id": begun["session_id"], "response": ada.get(begun["options"])}
        assert browser.post("/session/authn", json=body).status_code == 200


@pytest.mark.proves("threats:planted-secret")
def test_a_planted_cookie_binds_nothing_on_https() -> None:
    """Another subdomain can plant a cookie without the prefix; ceremonies are not bound to what it knows."""
    site = make_app(HTTPS)
    planted = {"Cookie": f"passkey_00000000={'x' * 43}"}
    ada = VirtualAuthenticator("https://example.com")
    sign_up(site.app.test_client(), ada, "ada")
    answer = raw_client(site).put("/session/authn", headers=planted)
    (own,) = (cookie.partition(";")[0] for cookie in set_cookies(answer))
    begun = answer.get_json()["data"]
    body = {"session_id": begun["session_id"], "response": ada.get(begun["options"])}
    assert raw_client(site).post("/session/authn", json=body, headers=planted).status_code == 404
    both = {"Cookie": f"{planted['Cookie']}; {own}"}
    assert raw_client(site).post("/session/authn", json=body, headers=both).status_code == 200


def test_a_browser_with_many_secrets_does_not_make_us_search_for_long(
    site: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many cookies of our name come, only a few are looked up."""
    lookups: list[str] = []
    claim = "flask_passkey.pending.memory.SimpleCacheStore._claim"
    monkeypatch.setattr(claim, lambda self, name: lookups.append(name))
    cookies = "; ".join(f"passkey_{number:08}={'x' * 43}" for number in range(200))
    body = {"session_id": "5b2a1a57-5d0a-4dd2-8a3c-3c6c6b1d9f5e", "response": {}}
    assert raw_client(site).post("/session/authn", json=body, headers={"Cookie": cookies}).status_code == 404
    assert len(lookups) == 4


# The session


@pytest.mark.proves("threats:full-store")
@pytest.mark.parametrize("json", [None, {"name": "ada"}])
def test_an_anonymous_prepare_writes_no_session(site: App, client: FlaskClient, json: object) -> None:
    """Who only prepares leaves one pending ceremony in the store, and neither a session nor its cookie."""
    client.put("/user/authn" if json else "/session/authn", json=json)
    assert site.session_ids() == set()
    assert client.get_cookie("session") is None
    assert len(site.pending) == 1


@pytest.mark.proves("threats:fixation", "rules:new-id")
def test_sign_in_gives_the_session_a_new_id(site: App, client: FlaskClient) -> None:
    """A session id known before the sign-in is worth nothing after it; what was in the session stays."""
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    with client.session_transaction() as before:
        before["basket"] = ["tea"]
    old = session_id(client)
    sign_in(client, ada)
    new = session_id(client)
    assert new != old
    assert old not in site.session_ids() and new in site.session_ids()
    with client.session_transaction() as after:
        assert after["basket"] == ["tea"]


@pytest.mark.parametrize("ceremony", [sign_in, step_up])
def test_signing_in_again_gives_the_session_a_new_id(
    site: App, client: FlaskClient, ceremony: Callable[..., object]
) -> None:
    """The same user's second sign-in or step-up rotates the id as well, and stays in the session."""
    ada = VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    with client.session_transaction() as before:
        before["basket"] = ["tea"]
    old = session_id(client)
    ceremony(client, ada)
    assert session_id(client) != old and site.session_ids() == {session_id(client)}
    with client.session_transaction() as after:
        assert after["basket"] == ["tea"]


def test_another_users_sign_in_empties_the_session_and_gives_it_a_new_id(site: App, client: FlaskClient) -> None:
    """Nothing of one user is left to the next, and a session planted in the browser is not the new user's."""
    ada, eve = VirtualAuthenticator(SITE), VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    sign_up(client, eve, "eve")
    with client.session_transaction() as before:
        before["basket"] = ["poison"]
    planted = session_id(client)
    sign_in(client, ada)
    assert session_id(client) != planted and planted not in site.session_ids()
    with client.session_transaction() as after:
        assert "basket" not in after
    attacker = site.app.test_client()
    attacker.set_cookie("session", planted)
    assert attacker.get("/user/authn").status_code == 401
    assert client.get("/user/authn").get_json()["data"]["signals"]["name"] == "ada"


@pytest.mark.proves("rules:strict")
def test_an_unknown_session_id_is_not_taken_over(site: App, client: FlaskClient) -> None:
    """A browser that comes with an id somebody made up gets another one at its sign-in."""
    ada = VirtualAuthenticator(SITE)
    client.set_cookie("session", "made-up")
    sign_up(client, ada, "ada")
    assert session_id(client) != "made-up" and site.session_ids() == {session_id(client)}


def test_a_refused_sign_in_leaves_the_session_alone(site: App, client: FlaskClient) -> None:
    """The id changes only when somebody is signed in."""
    ada, eve = VirtualAuthenticator(SITE), VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    sign_up(client, eve, "eve")
    old = session_id(client)
    begun = client.put("/session/authn").get_json()["data"]
    body = {"session_id": begun["session_id"], "response": ada.get(begun["options"], signature=b"\0")}
    assert client.post("/session/authn", json=body).status_code == 401
    assert session_id(client) == old and site.session_ids() >= {old}


@pytest.mark.parametrize(
    "kept", [None, 5, {}, {"user_id": "x"}, {"user_id": "x", "credential_id": "=", "at": 1}, {"at": "now"}]
)
def test_an_odd_note_in_the_session_counts_as_none(site: App, client: FlaskClient, kept: object) -> None:
    """A session of another release is no proof of a sign-in, and no error either."""
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    with client.session_transaction() as opened:
        assert set(opened["_passkey"]) == {"user_id", "credential_id", "at", "user_verified"}
        opened["_passkey"] = kept
    assert client.put("/user/authn").get_json()["code"] == 40091


def test_a_hook_may_empty_the_session(site: App, client: FlaskClient) -> None:
    """An app that clears its session at sign-in, as many do, is still told who signed in with what."""

    @site.passkey.login_user
    def login_user(user: Any) -> None:
        session.clear()
        session["user_id"] = user.id

    ada = VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    add_passkey(client, VirtualAuthenticator(SITE))


def put_another_session_in_place(site: App) -> None:
    """Give the request a new session, as some apps do at sign-in."""
    interface, context = cast(Any, site.app.session_interface), cast(Any, request_ctx)._get_current_object()
    name = "_session" if "_session" in vars(context) else "session"  # since Flask 3.1.3
    vars(context)[name] = interface.session_class(sid="new-" * 10, permanent=False)


def test_a_hook_may_put_another_session_in_place(site: App, client: FlaskClient) -> None:
    """There, too, it is noted who signed in with what."""

    @site.passkey.login_user
    def login_user(user: Any) -> None:
        put_another_session_in_place(site)
        session["user_id"] = user.id

    sign_up(client, VirtualAuthenticator(SITE), "ada")
    assert session_id(client) == "new-" * 10
    add_passkey(client, VirtualAuthenticator(SITE))


def test_a_hook_that_fails_leaves_nobody_in_another_session(site: App, client: FlaskClient) -> None:
    """Whom the hook signed in there before it refused is signed in no more."""
    sign_up(site.app.test_client(), (ada := VirtualAuthenticator(SITE)), "ada")

    @site.passkey.login_user
    def login_user(user: Any) -> bool:
        put_another_session_in_place(site)
        session["user_id"] = user.id
        return False

    begun = begin(client)
    assert finish(client, begun, ada.get(begun["options"])).status_code == 403
    assert client.get("/user/authn").status_code == 401


def test_a_new_id_may_be_that_of_another_session(
    site: App, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interface that puts another session in place to give it a new id finds nothing of ours left in it."""

    def regenerate(old: Any) -> None:
        put_another_session_in_place(site)
        session.update(old)

    ada = VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    monkeypatch.setattr(site.app.session_interface, "regenerate", regenerate)
    sign_in(client, ada)
    assert session_id(client) == "new-" * 10
    with client.session_transaction() as opened:
        assert set(opened) == {"_passkey", "_permanent", "user_id"}


# A session store that is down


class Down(RuntimeError):
    """What a store's library raises."""


Break = Callable[[str], None]


@pytest.fixture
def break_store(site: App, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> Break:
    """Return a switch that breaks one method of the store, in an app with a page, where Ada is signed in."""
    site.app.add_url_rule("/page", "page", lambda: f"Hello {session.get('user_id', 'stranger')}")
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    return lambda method: monkeypatch.setattr(site.cache, method, Mock(side_effect=Down("secret address")))


def assert_unavailable(response: TestResponse) -> None:
    """Check that an answer is the envelope of a store that is down, and tells nothing of it."""
    envelope = response.get_json()
    assert (response.status_code, envelope["code"], envelope["data"]) == (503, 50006, None)
    assert set(envelope) == {"code", "msg", "data", "correlation_id"} and "secret" not in response.text
    assert response.content_type == "application/json" and response.headers["Cache-Control"] == "no-store"
    assert response.content_length == len(response.data)
    assert not [cookie for cookie in set_cookies(response) if cookie.startswith("session=")]


@pytest.mark.parametrize(
    ("method", "path"),
    [*ROUTES, ("OPTIONS", "/user/authn")],
)
@pytest.mark.parametrize("broken", ["get", "set"])
def test_our_routes_answer_while_the_store_is_down(
    client: FlaskClient, break_store: Break, broken: str, method: str, path: str
) -> None:
    """Whether the session cannot be read or not be saved, every route of the contract answers 503 and 50006."""
    break_store(broken)
    assert_unavailable(client.open(path, method=method))


def test_http_status_can_be_switched_off_for_it_too() -> None:
    """With PASSKEY_HTTP_STATUS = False the answer is HTTP 200 like all others."""
    site = make_app({"PASSKEY_HTTP_STATUS": False})
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.cache, "set", Mock(side_effect=Down))
        response = client.get("/user/authn")
    assert (response.status_code, response.get_json()["code"]) == (200, 50006)


def test_a_session_that_was_not_saved_signs_nobody_in(site: App, break_store: Break) -> None:
    """When the store fails at the end of a sign-in, the browser is told so and is not signed in."""
    eve, browser = VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(site.app.test_client(), eve, "eve")
    begun = browser.put("/session/authn").get_json()["data"]
    body = {"session_id": begun["session_id"], "response": eve.get(begun["options"])}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.cache, "set", Mock(side_effect=Down))
        assert_unavailable(browser.post("/session/authn", json=body))
    assert browser.get("/user/authn").status_code == 401
    assert sign_in(browser, eve)["user"]["name"] == "eve"


def test_the_reason_is_logged(client: FlaskClient, break_store: Break, caplog: pytest.LogCaptureFixture) -> None:
    """The store's own words are in the log, under the correlation id of the answer."""
    break_store("set")
    envelope = client.get("/user/authn").get_json()
    assert "secret address" in caplog.text and envelope["correlation_id"] in caplog.text


@pytest.mark.parametrize("broken", ["get", "set"])
def test_the_script_is_served_while_the_store_is_down(client: FlaskClient, break_store: Break, broken: str) -> None:
    """A file needs no session."""
    break_store(broken)
    with client.get("/passkey/static/passkey.js") as response:
        assert response.status_code == 200 and response.mimetype == "text/javascript"


def test_a_session_that_could_not_be_read_is_not_written(
    site: App, client: FlaskClient, break_store: Break, caplog: pytest.LogCaptureFixture
) -> None:
    """What the app writes into the empty one it got instead does not replace the real one."""
    break_store("get")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.app, "before_request_funcs", {None: [lambda: session.update(seen=True)]})
        with client.get("/passkey/static/passkey.js") as response:
            assert response.status_code == 200
    assert "could not be read" in caplog.text and "could not be saved" not in caplog.text


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("/api/session/authn", True), ("/api/user/authn", True), ("/api/user/authn/x", True),
        ("/api/passkey/static/passkey.js", True), ("/session/authn", False), ("/api/user/authnx", False),
        ("/api/session/authn/x", False), ("/api/passkey/settings", False), ("/user/authn", False),
    ],
)  # fmt: skip
def test_only_the_blueprints_paths_are_guarded(path: str, ours: bool) -> None:
    """An app's own routes are not taken for ours, however alike they look."""
    app = make_app({"PASSKEY_URL_PREFIX": "/api"}).app
    app.add_url_rule("/api/passkey/settings", "settings", lambda: "")
    app.add_url_rule("/user/authn", "app_authn", lambda: "")
    assert outage._is_ours(app, Request(EnvironBuilder(path).get_environ())) is ours


@pytest.mark.parametrize("broken", ["get", "set"])
def test_other_routes_fail_as_without_us(client: FlaskClient, break_store: Break, broken: str) -> None:
    """On the app's own pages a store that is down is what it always was."""
    assert client.get("/page").text.startswith("Hello ")
    break_store(broken)
    with pytest.raises(Down):
        client.get("/page")


def test_everybody_sees_the_apps_own_interface(site: App, client: FlaskClient) -> None:
    """The session interface stays the app's own object, for whoever asks it anything."""
    own = site.app.session_interface
    client.get("/page")
    assert site.app.session_interface is own and type(own) is CacheLibSessionInterface


def test_what_the_interface_overrides_stays_overridden(site: App, client: FlaskClient) -> None:
    """An interface that opens sessions in another way still does so behind the guard."""
    own: Any = site.app.session_interface
    own.open_session = opened = Mock(wraps=own.open_session)
    client.get("/page")
    client.get("/page")
    assert opened.call_count == 2 and outage.is_guarded(own)


def test_the_guard_is_put_up_once(site: App, client: FlaskClient) -> None:
    """Any number of requests, and there is one guard; another interface gets another one."""
    for _ in range(3):
        client.get("/page")
    own: Any = site.app.session_interface
    (inner,) = own.open_session.args[:1]
    assert outage.is_guarded(own) and not isinstance(inner.args[0], partial)
    other = SimpleCache()
    site.app.session_interface = CacheLibSessionInterface(client=other, app=site.app)
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    assert outage.is_guarded(site.app.session_interface) and other._cache
