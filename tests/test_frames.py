"""Pages inside pages of other sites, and what a browser's request says about where it comes from."""

from __future__ import annotations

from typing import Any

import pytest
from apps import ROUTES, SITE, App, make_app
from flask import Flask, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.test import TestResponse

from flask_passkey import ConfigurationError, PasskeyConfig
from flask_passkey.cli import passkey as commands
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up
from flask_passkey.web import cookies

pytestmark = pytest.mark.proves("frictions:E")

RP, SHOP = "https://rp.test", "https://shop.test"
HTTPS: dict[str, Any] = {"PASSKEY_RP_ID": "rp.test", "PASSKEY_ORIGINS": [RP]}
EMBEDDED = HTTPS | {"PASSKEY_ALLOW_CROSS_ORIGIN": True, "PASSKEY_TOP_ORIGINS": [SHOP]}
#: What such an app has to set for its session.
PARTITIONED = {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_PARTITIONED": True}
SECRET = "x" * 43


def cookies_of(answer: TestResponse) -> list[set[str]]:
    """Return the attributes of the cookies that an answer sets, but for when they end."""
    lines = (line.split("; ")[1:] for line in answer.headers.getlist("Set-Cookie"))
    return [{text for text in attributes if not text.startswith(("Expires", "Max-Age"))} for attributes in lines]


# The browser's secret


@pytest.mark.parametrize(
    ("config", "attributes"),
    [
        (EMBEDDED, {"HttpOnly", "Path=/", "SameSite=None", "Secure", "Partitioned"}),
        (HTTPS, {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}),
        ({"PASSKEY_ALLOW_CROSS_ORIGIN": True}, {"HttpOnly", "Path=/", "SameSite=Lax"}),
    ],
)
def test_the_secret_goes_along_in_frames_where_they_are_allowed(config: dict[str, Any], attributes: set[str]) -> None:
    """Only an app that allows frames of other sites, and is on https, has its secret sent from there."""
    answer = make_app(config).app.test_client().put("/session/authn")
    assert cookies_of(answer) == [attributes]


def test_there_is_no_page_on_http_that_frames_could_concern() -> None:
    """Plain http is for localhost only, whose ports are one site: anything else is refused at start."""
    with pytest.raises(ConfigurationError, match=r"Write PASSKEY_ORIGINS = \['https://rp.test'\]"):
        PasskeyConfig.from_mapping(EMBEDDED | {"PASSKEY_ORIGINS": ["http://rp.test"]})


# The session's cookie


def add_pages(app: Flask) -> None:
    """Add a page that begins a session, and one that ends it."""

    @app.get("/begin")
    def begin() -> str:
        session["seen"] = True
        return ""

    @app.get("/end")
    def end() -> str:
        session.clear()
        return ""


def on_flask_session(**config: Any) -> Flask:
    """Return an app whose sessions Flask-Session keeps."""
    return make_app(EMBEDDED | config).app


def on_cookies(**config: Any) -> Flask:
    """Return an app whose sessions are in the cookie, as Flask has them."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY="secret", **config)
    app.session_interface = SecureCookieSessionInterface()
    cookies.guard(app.session_interface)
    return app


@pytest.mark.parametrize("make", [on_flask_session, on_cookies])
@pytest.mark.parametrize(
    ("config", "attributes"),
    [
        (PARTITIONED, {"SameSite=None", "Secure", "Partitioned"}),
        (PARTITIONED | {"SESSION_COOKIE_SAMESITE": None}, {"Secure", "Partitioned"}),
        (PARTITIONED | {"SESSION_COOKIE_PARTITIONED": False}, {"SameSite=None", "Secure"}),
        ({"SESSION_COOKIE_SAMESITE": "Lax", "SESSION_COOKIE_SECURE": True}, {"SameSite=Lax", "Secure"}),
    ],
)
def test_the_sessions_cookie_is_what_the_app_says(make: Any, config: dict[str, Any], attributes: set[str]) -> None:
    """It is partitioned where the app says so, whichever Flask or Flask-Session set it; the rest stays the app's."""
    app = make(**config)
    add_pages(app)
    assert cookies_of(app.test_client().get("/begin")) == [{"HttpOnly", "Path=/"} | attributes]


@pytest.mark.parametrize("make", [on_flask_session, on_cookies])
def test_a_partitioned_session_can_be_deleted_in_a_frame(make: Any) -> None:
    """A browser deletes the cookie in a frame only if it is told to with the flags it was set with."""
    app = make(**PARTITIONED)
    add_pages(app)
    client = app.test_client()
    client.get("/begin", base_url=RP)
    (deleted,) = cookies_of(client.get("/end", base_url=RP))
    assert {"SameSite=None", "Secure", "Partitioned", "Path=/"} <= deleted
    assert client.get_cookie("session", domain="rp.test") is None


def test_other_cookies_are_left_alone() -> None:
    """The app's own cookies, however alike their names, keep what they were set with."""
    app = on_flask_session(**PARTITIONED)
    add_pages(app)

    @app.after_request
    def add(response: Any) -> Any:
        response.set_cookie("session_theme", "dark", path="/x")
        return response

    other, own = app.test_client().get("/begin").headers.getlist("Set-Cookie")
    assert other == "session_theme=dark; Path=/x" and own.startswith("session=")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, set()),
        ({"SESSION_COOKIE_SAMESITE": "none"}, set()),
        ({"SESSION_COOKIE_SAMESITE": "Lax"}, {"SESSION_COOKIE_SAMESITE"}),
        ({"SESSION_COOKIE_SAMESITE": "Strict"}, {"SESSION_COOKIE_SAMESITE"}),
        ({"SESSION_COOKIE_SAMESITE": None}, {"SESSION_COOKIE_SAMESITE"}),
        ({"SESSION_COOKIE_SECURE": False}, {"SESSION_COOKIE_SECURE"}),
        ({"SESSION_COOKIE_PARTITIONED": False}, {"SESSION_COOKIE_PARTITIONED"}),
        (dict.fromkeys(PARTITIONED), set(PARTITIONED)),
    ],
)
def test_flags_that_frames_need_are_named(
    given: dict[str, Any], wanted: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The log and ``flask passkey check`` have the lines to write for a session that is to work in frames."""
    app = make_app(EMBEDDED | PARTITIONED | given).app
    app.test_client().put("/session/authn")
    named = [record.getMessage() for record in caplog.records if "SESSION_COOKIE" in record.getMessage()]
    assert len(named) == bool(wanted)
    for text in (*named, app.test_cli_runner().invoke(commands, ["check"]).output):
        assert {name for name in PARTITIONED if f"{name} = {PARTITIONED[name]!r}" in text} == wanted


# What keeps other sites out, as SameSite does not


@pytest.mark.proves("threats:cross-site")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": SHOP, "Sec-Fetch-Site": "cross-site"},
        {"Origin": SHOP},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_cookies_that_go_along_are_of_no_use_to_other_sites(headers: dict[str, str]) -> None:
    """Where all cookies come with a request of the outer page, or of any other, each of our routes refuses it."""
    app = make_app(EMBEDDED | PARTITIONED).app
    client, ada = app.test_client(), VirtualAuthenticator(RP)
    sign_up(client, ada, "ada")
    sign_in(client, ada)
    assert client.get("/user/authn").status_code == 200
    for method, path in ROUTES:
        answer = client.open(path, method=method, headers=headers)
        assert (answer.status_code, answer.get_json()["code"]) == (403, 403), (method, path)


# Origins that are null


@pytest.mark.proves("frictions:O")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "null"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "Same-Origin"}, 403),
        ({"Origin": "NULL", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": f"{SITE}, null", "Sec-Fetch-Site": "same-origin"}, 403),
    ],
)
def test_null_is_taken_from_the_same_origin_only(site: App, headers: dict[str, str], status: int) -> None:
    """A page without referrers may use our routes and the app's forms; null from elsewhere may not."""

    @site.app.post("/form")
    def form() -> str:
        site.passkey.refuse_cross_site()
        return "done"

    client = site.app.test_client()
    assert client.put("/session/authn", headers=headers).status_code == status
    assert client.post("/form", headers=headers).status_code == status


# Names of cookies


@pytest.mark.proves("frictions:W")
@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("__Host-passkey_0123abcd", SECRET, True),
        ("__Host-passkey_0123abcd0", SECRET, False),
        ("__Host-passkey_0123ABCD", SECRET, False),
        ("__Host-passkey_", SECRET, False),
        ("__Host-passkey_consent", SECRET, False),
        ("__host-passkey_0123abcd", SECRET, False),
        ("passkey_0123abcd", SECRET, False),
        ("x__Host-passkey_0123abcd", SECRET, False),
        ("\u00a0__Host-passkey_0123abcd", SECRET, False),
        ("x=__Host-passkey_0123abcd", SECRET, False),
        ("__Host-passkey_0123abcd", SECRET[1:], False),
        ("__Host-passkey_0123abcd", f"{SECRET}x", False),
    ],
)
def test_only_our_own_cookies_are_read(name: str, value: str, known: bool) -> None:
    """A cookie of any other name, of the app's or planted with white space in front by a subdomain, binds nothing."""
    sent = f"a=b; {name}={value}; c=d".encode().decode("latin-1")  # as WSGI has it
    client = make_app(HTTPS).app.test_client(use_cookies=False)
    answer = client.put("/session/authn", headers={"Cookie": sent})
    assert answer.status_code == 200
    assert ("Set-Cookie" not in answer.headers) is known, "a browser without a secret gets one"
