"""A developer at the wrong address is told what to write, or where to go."""

from __future__ import annotations

import logging

import pytest
from apps import SITE, App, begin, finish, make_app, warnings_in
from flask.testing import FlaskClient

from flask_passkey import ConfigurationError
from flask_passkey.testing import VirtualAuthenticator, sign_up

pytestmark = pytest.mark.proves("frictions:R")

ANDROID = "android:apk-key-hash:" + 43 * "A"


@pytest.mark.parametrize("port", ["", ":80", ":5000", ":5001", ":65535"])
@pytest.mark.parametrize("mode", ["debug", "testing"])
def test_localhost_works_on_any_port_in_development(mode: str, port: str) -> None:
    """In debug and testing a whole sign-up works at localhost, whatever the port."""
    site = make_app({"PASSKEY_RP_ID": "localhost"})
    site.app.testing, site.app.debug = mode == "testing", mode == "debug"
    client = site.app.test_client()
    client.environ_base["HTTP_ORIGIN"] = f"http://localhost{port}"
    sign_up(client, VirtualAuthenticator(f"http://localhost{port}"), "ada")


@pytest.mark.parametrize(
    ("config", "origin"),
    [
        ({}, "http://127.0.0.1:5001"),
        ({}, "http://localhost.evil.example:5001"),
        ({}, "http://evil.localhost:5001"),
        ({}, "https://localhost:5001"),
        ({}, "http://localhost:5001/"),
        ({}, "http://localhost:05001"),
        ({}, "http://localhost:"),
        ({}, "http://localhost:5001\n"),
        ({"PASSKEY_RP_ID": "example.com"}, "http://localhost:5001"),
        ({"PASSKEY_RP_ID": "app.localhost"}, "http://localhost:5001"),
    ],
)
def test_only_localhost_itself_has_any_port(config: dict[str, str], origin: str) -> None:
    """Other hosts and schemes are refused in development, too, and so is localhost where it is not the RP ID."""
    client = make_app(config).app.test_client()
    environ = {"HTTP_ORIGIN": origin}
    assert client.put("/session/authn", environ_overrides=environ).get_json()["code"] == 403


def test_a_page_may_be_there_too() -> None:
    """In development the page for enrolment may be at any port of localhost; elsewhere it must be at a listed one."""
    page = {"PASSKEY_ENROL_URL": "http://localhost:5001/enrol"}
    make_app(page)
    with pytest.raises(ConfigurationError, match="PASSKEY_ENROL_URL"):
        make_app(page | {"TESTING": False, "PASSKEY_RP_ID": "localhost"})


def test_outside_development_the_port_must_be_listed(caplog: pytest.LogCaptureFixture) -> None:
    """In production it is refused, and the log has a WARNING with the line to write: one a minute."""
    site = make_app({"PASSKEY_RP_ID": "localhost"})
    site.app.testing = False
    client = site.app.test_client()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            response = client.put("/session/authn", headers={"Origin": "http://localhost:5001"})
            assert response.status_code == 403
    (warning,) = warnings_in(caplog)
    assert "PASSKEY_ORIGINS = ['http://localhost', 'http://localhost:5000', 'http://localhost:5001']" in warning
    refused = [record.getMessage() for record in caplog.records if "Refused" in record.getMessage()]
    assert len(refused) == 3 and response.get_json()["correlation_id"] in refused[-1]


def test_the_warning_comes_again_after_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cause is warned of once a minute, each for itself."""
    site = make_app({"PASSKEY_RP_ID": "example.com"})
    now = [1000.0]
    monkeypatch.setattr("flask_passkey.state.time.monotonic", lambda: now[0])
    for now[0], count in ((1000, 1), (1059, 1), (1060, 2), (1061, 2)):
        site.app.test_client().put("/session/authn", headers={"Origin": "https://www.example.com"})
        assert len(warnings_in(caplog)) == count


@pytest.mark.parametrize(
    ("rp_id", "origin", "host", "line"),
    [
        ("example.com", "https://www.example.com", "x", "['https://example.com', 'https://www.example.com']"),
        ("example.com", "https://example.com:8443", "x", "['https://example.com', 'https://example.com:8443']"),
        ("example.com", "http://example.com", "x", "Open 'https://example.com' instead"),
        ("example.com", "https://example.org", "example.org", "PASSKEY_RELATED_ORIGINS = ['https://example.org']"),
        ("example.com", "https://example.org", "example.org:443", "PASSKEY_RELATED_ORIGINS = ['https://example.org']"),
        ("localhost", "http://127.0.0.1:5001", "127.0.0.1:5001", "Open 'http://localhost:5001' instead"),
        ("localhost", "http://[::1]", "[::1]", "Open 'http://localhost' instead"),
    ],
)
def test_the_line_to_write(rp_id: str, origin: str, host: str, line: str, caplog: pytest.LogCaptureFixture) -> None:
    """Each of the app's own addresses that is not listed has the line, or the address to go to; debug shows it, too."""
    site = make_app({"PASSKEY_RP_ID": rp_id})
    site.app.debug = True
    headers = {"Origin": origin, "Host": host}
    response = site.app.test_client().put("/session/authn", headers=headers)
    (warning,) = warnings_in(caplog)
    assert response.status_code == 403 and line in warning and line in response.get_json()["error"]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "https://example.com.evil.example", "https://evilexample.com", "null", "x", "http://[",
     "https://example.com:99999", "https://example.com/..", "https://x@example.com", ANDROID],
)  # fmt: skip
def test_other_sites_are_no_misconfiguration(origin: str, caplog: pytest.LogCaptureFixture) -> None:
    """A stranger's page is refused without a warning, and nobody is told to list it."""
    site = make_app({"PASSKEY_RP_ID": "example.com"})
    with caplog.at_level(logging.INFO):
        response = site.app.test_client().put("/session/authn", environ_overrides={"HTTP_ORIGIN": origin})
    assert response.status_code == 403 and not warnings_in(caplog) and "PASSKEY_ORIGINS =" not in caplog.text


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (ANDROID, "If it is your app, write PASSKEY_ORIGINS = ['http://localhost', "),
        ("http://login.localhost:5000", "Write PASSKEY_ORIGINS = ['http://localhost', "),
        ("https://evil.example", None),
        ("https://evil.example\n[warning]", None),
        ("http://127.0.0.1:99999", None),
    ],
)
@pytest.mark.parametrize("ceremony", ["sign-in", "sign-up"])
def test_an_origin_that_the_browser_signed(
    site: App, client: FlaskClient, origin: str, line: str | None, ceremony: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An app's own page or native app that is not listed is warned of, whatever the ceremony."""
    authenticator = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), authenticator, "ada")
    if ceremony == "sign-in":
        begun = begin(client)
        response = finish(client, begun, authenticator.get(begun["options"], origin=origin))
    else:
        begun = begin(client, "/user/authn", name="bob")
        made = VirtualAuthenticator(SITE).create(begun["options"], origin=origin)
        response = finish(client, begun, made, "/user/authn")
    assert response.get_json()["code"] == 40025
    assert [line in warning for warning in warnings_in(caplog) if line] == [True] * (line is not None)
    assert len(warnings_in(caplog)) == (line is not None)
