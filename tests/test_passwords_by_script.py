"""The app's password in place of a passkey, sent by a script: ``POST /session/authn/password``."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from apps import SITE, App, make_app
from flask.testing import FlaskClient
from test_passwords import add_password_sign_in, heard, is_fresh, with_lost_passkey
from werkzeug.test import TestResponse

from flask_passkey import signals
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey

pytestmark = pytest.mark.proves("threats:guessed-password", "frictions:B")

CONFIRM = "/session/authn/password"


@pytest.fixture
def site() -> App:
    """An app without the ready pages, whose users have the password "correct"."""
    made = make_app()
    made.has_other_methods = True
    made.passkey.check_password(lambda user, password: password == "correct")
    made.app.add_url_rule("/money", "money", made.passkey.required()(lambda: "money"))
    add_password_sign_in(made)
    return made


@pytest.fixture
def client(site: App) -> FlaskClient:
    """A browser in which somebody has a passkey that is lost, and has signed in with the password."""
    return with_lost_passkey(site)


def send(client: FlaskClient, password: Any = "correct", **more: Any) -> TestResponse:
    """Send the password."""
    return client.post(CONFIRM, json={"password": password}, **more)


def code_of(answer: TestResponse) -> int:
    """Return the code of an envelope."""
    return int(answer.get_json()["code"])


def test_the_password_confirms(site: App, client: FlaskClient) -> None:
    """Who lost the passkey sends the password, and changes passkeys; the owner is told, and the session is new."""
    with pytest.raises(Refused):
        add_passkey(client, VirtualAuthenticator(SITE))
    before = client.get_cookie("session")
    with heard(signals.identity_confirmed, site.app) as told:
        assert send(client).get_json() == {"code": 0, "msg": "", "data": {}}
    after = client.get_cookie("session")
    assert [values["user"].name for values in told] == ["ada"]
    assert before and after and before.value != after.value
    assert is_fresh(client)
    add_passkey(client, VirtualAuthenticator(SITE))


@pytest.mark.parametrize("password", ["wr0ng", "", "correct\0", "correct" * 200])
def test_another_password_confirms_nobody(
    site: App, client: FlaskClient, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is refused as a step-up that is still to come, counted by the signal, and not in the log."""
    caplog.set_level(logging.DEBUG)
    with heard(signals.refused, site.app) as told:
        answer = send(client, password)
    assert (answer.status_code, code_of(answer)) == (403, 40091)
    assert [values["error"].code for values in told] == [40091]
    assert not is_fresh(client) and "wr0ng" not in caplog.text


@pytest.mark.parametrize("body", [{}, {"password": None}, {"password": 1}, {"password": ["correct"]}, []])
def test_a_body_of_another_shape(client: FlaskClient, body: Any) -> None:
    """What is no text is no password."""
    answer = client.post(CONFIRM, json=body)
    assert (answer.status_code, code_of(answer)) == (400, 40001)
    assert not is_fresh(client)


def test_half_a_character_is_no_error_of_the_server(client: FlaskClient) -> None:
    """Text that cannot be encoded, and so not hashed, never reaches the hook."""
    answer = client.post(CONFIRM, data=b'{"password": "\\ud800"}', content_type="application/json")
    assert (answer.status_code, code_of(answer)) == (400, 40001)


def test_a_stranger_confirms_nothing(site: App) -> None:
    """Who is not signed in is asked to be, before anybody reads what was sent."""
    stranger = site.app.test_client()
    assert code_of(send(stranger)) == 401
    assert code_of(stranger.post(CONFIRM, data=b"{", content_type="application/json")) == 401


def test_who_has_no_other_way_in_is_not_asked(site: App, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """An account that has no other way to sign in has no password; there is nothing to mend."""
    site.has_other_methods = False
    assert code_of(send(client)) == 40019
    assert not is_fresh(client) and not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_account_that_may_not_sign_in_confirms_nothing(site: App, client: FlaskClient) -> None:
    """Who was shut out since cannot come back by the password."""
    site.user("ada").is_active = False
    assert (send(client).status_code, is_fresh(client)) == (403, False)


def test_other_sites_cannot_send_it(client: FlaskClient) -> None:
    """A page of another site confirms nobody, and no form can: it sends no JSON."""
    assert code_of(send(client, headers={"Origin": "https://evil.example"})) == 403
    assert code_of(client.post(CONFIRM, data={"password": "correct"})) == 415
    assert not is_fresh(client)
