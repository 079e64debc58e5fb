"""A page of the app asks for what a missing hook would do: the log warns, once a minute, with the line to write."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from apps import App, make_app, warnings_in
from flask import abort
from flask.testing import FlaskClient
from test_passwords import add_password_sign_in

pytestmark = pytest.mark.proves("frictions:R")


@pytest.fixture
def bare(request: pytest.FixtureRequest) -> App:
    """An app without a hook that creates accounts; its users come from elsewhere."""
    return in_debug(make_app(getattr(request, "param", {}), sign_up=False))


def in_debug(site: App) -> App:
    """Have an app's answers say why."""
    site.app.debug = True
    return site


def refusal(client: FlaskClient, method: str, path: str, **body: Any) -> tuple[int, str]:
    """Return code and reason of an answer; whoever asks three times is answered the same each time."""
    for _ in range(3):
        answer = client.open(path, method=method, json=body).get_json()
    return answer["code"], answer["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "line"),
    [
        ("PUT", "/user/authn", {"name": "ada"}, "add a @passkey.create_user hook"),
        ("PUT", "/session/authn", {"user_name": "ada"}, "@passkey.find_user hook, and PASSKEY_USERNAME_FIRST = True"),
    ],
)
def test_a_missing_hook_is_warned_of(
    bare: App, method: str, path: str, body: dict[str, str], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A form for what no hook can do is refused as switched off, and the developer reads which hook it takes."""
    code, reason = refusal(bare.app.test_client(), method, path, **body)
    (warning,) = warnings_in(caplog)
    assert code == 40019 and line in reason and line in warning


@pytest.mark.parametrize("bare", [{"PASSKEY_SIGN_UP": False}], indirect=True)
def test_what_is_switched_off_is_not_warned_of(bare: App, caplog: pytest.LogCaptureFixture) -> None:
    """An app that has switched its sign-up off needs no advice; the log has the setting."""
    with caplog.at_level(logging.INFO):
        assert refusal(bare.app.test_client(), "PUT", "/user/authn", name="ada") == (
            40019,
            "sign-up is off: PASSKEY_SIGN_UP is False",
        )
    assert not warnings_in(caplog) and "PASSKEY_SIGN_UP is False" in caplog.text


def test_fields_that_no_hook_takes_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """A form with more fields than the hook takes names the line that takes them."""
    site = in_debug(make_app())
    code, _ = refusal(site.app.test_client(), "PUT", "/user/authn", name="ada", fields={"mail": "a@example.com"})
    (warning,) = warnings_in(caplog)
    assert code == 40001 and "def create_user(name, display_name, fields):" in warning


def test_a_password_that_nobody_checks_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """A form with a password, in an app without the hook for it, names the hook."""
    site = in_debug(make_app())
    add_password_sign_in(site)
    client = site.app.test_client()
    client.post("/password/ada")
    code, _ = refusal(client, "POST", "/session/authn/password", password="x")
    (warning,) = warnings_in(caplog)
    assert code == 40019 and "@passkey.check_password" in warning


@pytest.mark.parametrize("said", ["CSRF token missing or incorrect.", "Wrong csrf_token"])
@pytest.mark.parametrize("status", [400, 403])
def test_any_check_of_csrf_tokens_is_warned_of(status: int, said: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever asks our routes for a token, the app or an extension such as SeaSurf, is told how to leave them out."""
    site = in_debug(make_app())
    site.app.before_request(lambda: abort(status, said))
    client = site.app.test_client()
    for _ in range(3):
        assert client.put("/session/authn").status_code == status
    (warning,) = warnings_in(caplog)
    assert said in warning and "if request.blueprint != 'passkey'" in warning


def test_other_refusals_of_the_app_are_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """A refusal that has nothing to do with tokens is the app's affair."""
    site = in_debug(make_app())
    site.app.before_request(lambda: abort(403, "Not on Sundays."))
    begun = site.app.test_client().put("/session/authn")
    assert begun.status_code == 403 and not warnings_in(caplog)
