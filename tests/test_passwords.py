"""The app's password in place of a passkey: the hook ``check_password`` and the form of the ready page."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask import session
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_passkey import ConfigurationError, Passkey, signals
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey

pytestmark = pytest.mark.proves("threats:guessed-password", "frictions:B")

CONFIRM = "/passkeys/confirm"
FORM = 'action="/passkeys/confirm?next='


@pytest.fixture
def site() -> App:
    """An app with the ready pages, whose users have the password "correct", and a page that needs care."""
    made = make_app(pages=True)
    made.has_other_methods = True
    made.passkey.check_password(lambda user, password: password == "correct")
    made.app.add_url_rule("/money", "money", made.passkey.required()(lambda: "money"))
    made.app.add_url_rule("/vault", "vault", made.passkey.required(user_verified=True)(lambda: "vault"))
    add_password_sign_in(made)
    return made


def add_password_sign_in(made: App) -> None:
    """Let people in with a password that is not looked at."""

    @made.app.post("/password/<name>")
    def sign_in_with_password(name: str) -> str:
        session["user_id"] = made.users.setdefault(name, User(name, id=name)).id
        return ""


@pytest.fixture
def client(site: App) -> FlaskClient:
    """A browser in which somebody has a passkey that is lost, and has signed in with the password."""
    return with_lost_passkey(site)


def with_lost_passkey(site: App) -> FlaskClient:
    """Return such a browser."""
    client = site.app.test_client()
    client.post("/password/ada")
    add_passkey(client, VirtualAuthenticator(SITE))
    return client


def send(client: FlaskClient, password: str = "correct", **more: Any) -> TestResponse:
    """Send the form."""
    return client.post(f"{CONFIRM}?next=/money", data={"password": password}, **more)


def is_fresh(client: FlaskClient) -> bool:
    """Can this browser see what needs care?"""
    return client.get("/money").status_code == 200


@contextmanager
def heard(signal: Any, app: object) -> Iterator[list[dict[str, Any]]]:
    """Collect what a signal tells."""
    told: list[dict[str, Any]] = []

    def receive(_sender: object, **values: Any) -> None:
        told.append(values)

    with signal.connected_to(receive, app):
        yield told


def test_the_password_confirms(site: App, client: FlaskClient) -> None:
    """Who lost the passkey gives the password, goes on, and changes passkeys; the owner is told."""
    with pytest.raises(Refused):
        add_passkey(client, VirtualAuthenticator(SITE))
    assert FORM in client.get(f"{CONFIRM}?next=/money").text
    with heard(signals.identity_confirmed, site.app) as told:
        answer = send(client)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/money")
    assert [values["user"].name for values in told] == ["ada"]
    assert is_fresh(client)
    add_passkey(client, VirtualAuthenticator(SITE))


def test_a_wrong_password_is_asked_for_again(site: App, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong one is refused in words, counted by the signal, and is neither in the log nor in the address."""
    caplog.set_level(logging.DEBUG)
    with heard(signals.refused, site.app) as told:
        answer = send(client, "wr0ng")
    assert answer.headers["Location"] == f"{CONFIRM}?next=/money&passkey=password"
    assert "That is not your password." in client.get(answer.headers["Location"]).text
    assert [values["error"].code for values in told] == [40091]
    assert "action=passkey_pages.confirm_by_password code=40091" in caplog.text
    assert "wr0ng" not in caplog.text
    assert not is_fresh(client)


@pytest.mark.parametrize("password", ["", "correct\0", "\0", "correct" * 200])
def test_what_cannot_be_a_password_is_not_asked_about(site: App, client: FlaskClient, password: str) -> None:
    """Directories say yes to an empty password, some hashes stop at a NUL or take long, so the hook never sees them."""
    asked: list[str] = []

    @site.passkey.check_password
    def check_password(user: User, password: str) -> bool:
        asked.append(password)
        return True

    send(client, password)
    assert asked == []
    assert not is_fresh(client)


@pytest.mark.parametrize("answer", [(False, "Wrong password"), "no", 1])
def test_only_true_is_a_yes(site: App, client: FlaskClient, answer: Any) -> None:
    """A hook that returns something else than True or False is wrong, and confirms nobody."""
    wrong: list[Any] = [lambda user, password: answer]
    site.passkey.check_password(wrong[0])
    assert send(client).status_code == 500
    assert not is_fresh(client)


def test_none_is_a_no(site: App, client: FlaskClient) -> None:
    """A hook without an answer confirms nobody."""
    wrong: list[Any] = [lambda user, password: None]
    site.passkey.check_password(wrong[0])
    assert send(client).status_code == 302
    assert not is_fresh(client)


def test_a_coroutine_is_no_yes(site: App, client: FlaskClient) -> None:
    """Nobody confirms with a password that was never looked at."""

    async def wait() -> bool:
        return True

    site.passkey.check_password(lambda user, password: wait())
    assert send(client).status_code == 500
    assert not is_fresh(client)


def test_no_hook_no_form() -> None:
    """An app that does not say how a password is checked has no form, and no route that takes one."""
    site = make_app(pages=True)
    add_password_sign_in(site)
    client = site.app.test_client()
    client.post("/password/ada")
    assert FORM not in client.get(CONFIRM).text
    assert send(client).status_code == 404


def test_who_has_no_other_way_in_is_not_asked(site: App, client: FlaskClient) -> None:
    """An account that has no other way to sign in has no password."""
    site.has_other_methods = False
    assert FORM not in client.get(CONFIRM).text
    assert 'href="/passkeys/confirm' not in client.get("/passkeys").text
    assert send(client).status_code == 404
    assert not is_fresh(client)


def test_a_stranger_is_led_to_the_sign_in(site: App) -> None:
    """Who is not signed in confirms nothing."""
    assert send(site.app.test_client()).headers["Location"].startswith("/passkeys/sign-in")


def test_an_account_that_may_not_sign_in_confirms_nothing(site: App, client: FlaskClient) -> None:
    """Who was shut out since cannot come back by the password."""
    site.user("ada").is_active = False
    assert send(client).status_code == 403


def test_other_sites_cannot_send_it(client: FlaskClient) -> None:
    """A form of another site confirms nobody."""
    assert send(client, headers={"Origin": "https://evil.example"}).status_code == 403
    assert not is_fresh(client)


def test_a_password_verifies_nobody(client: FlaskClient) -> None:
    """Where PIN, finger or face are asked for the password is not: it is one thing only, which somebody can steal."""
    send(client)
    assert client.get("/vault").status_code == 403
    assert FORM not in client.get(CONFIRM).text


def test_who_has_no_passkey_confirms_with_the_password(site: App) -> None:
    """An account without a passkey passes what needs care by its password."""
    client = site.app.test_client()
    client.post("/password/bob")
    assert "Your password" in client.get(CONFIRM).text
    send(client)
    assert is_fresh(client)


def test_who_has_no_code_is_told_of_the_password(site: App) -> None:
    """The page for links and codes tells of the password, in an app that takes it."""
    told = "Do you have a password here?"
    assert told in site.app.test_client().get("/passkeys/new").text
    assert told not in make_app(pages=True).app.test_client().get("/passkeys/new").text


def test_the_list_leads_to_the_form(client: FlaskClient) -> None:
    """Who lost the passkey finds in the list where to confirm, and is back there afterwards."""
    page = client.get("/passkeys").text
    assert 'href="/passkeys/confirm?next=/passkeys?passkey%3Dconfirmed"' in page
    answer = client.post("/passkeys/confirm?next=/passkeys?passkey%3Dconfirmed", data={"password": "correct"})
    assert "You can make the change now." in client.get(answer.headers["Location"]).text


def test_the_hook_of_the_wrong_shape() -> None:
    """It is refused where it is written, with the line to write."""
    wrong: list[Any] = [lambda password: True]
    with pytest.raises(ConfigurationError, match=r"Write def check_password\(user, password\):"):
        Passkey().check_password(wrong[0])
