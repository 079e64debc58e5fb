"""What an app does in its hooks and receivers, and what it may not break."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from apps import SITE, App, User
from flask import abort, request, session

from flask_passkey import signals
from flask_passkey.testing import Refused, VirtualAuthenticator, sign_in, sign_up


def test_hooks_can_read_the_request(site: App) -> None:
    """A hook can read more members of the body, say whether to remember the user."""
    seen: list[Any] = []

    @site.passkey.login_user
    def login_user(user: User) -> None:
        seen.append(request.get_json()["session_id"])
        session["user_id"] = user.id

    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    sign_in(site.app.test_client(), ada)
    assert len(seen) == 2


def test_a_receiver_that_fails_undoes_nothing(site: App, caplog: pytest.LogCaptureFixture) -> None:
    """A signal tells what has happened: when its receiver fails that is logged, and the answer is a success."""

    def fail(sender: object, **about: object) -> None:
        raise OSError("no mail today")

    ada = VirtualAuthenticator(SITE)
    with signals.registered.connected_to(fail), signals.signed_in.connected_to(fail), caplog.at_level(logging.ERROR):
        sign_up(site.app.test_client(), ada, "ada")
        assert sign_in(site.app.test_client(), ada)["user"]["name"] == "ada"
    assert "passkey-registered" in caplog.text and "passkey-signed-in" in caplog.text


def test_a_sign_in_that_the_app_refuses_is_not_told(site: App) -> None:
    """There is no signal of a sign-in that the app's own hook refused."""
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    site.passkey.login_user(lambda user: False)
    told: list[object] = []
    with signals.signed_in.connected_to(lambda sender, **about: told.append(about)), pytest.raises(Refused):
        sign_in(site.app.test_client(), ada)
    assert not told


@pytest.mark.parametrize("added", [{"key": object()}, {5: "key"}, "text"])
def test_a_login_that_fails_half_way_signs_nobody_in(site: App, added: object) -> None:
    """A hook that signed in and then gave what cannot be answered is a fault; who was signed in before still is."""
    ada, eve = VirtualAuthenticator(SITE), VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    client = site.app.test_client()
    sign_up(client, eve, "eve")

    @site.passkey.login_user
    def login_user(user: User) -> object:
        session["user_id"] = user.id
        return added

    for browser, code in ((client, 0), (site.app.test_client(), 401)):
        with pytest.raises(Refused) as refused:
            sign_in(browser, ada)
        assert refused.value.code == 50005
        listed = browser.get("/user/authn").get_json()
        assert listed["code"] == code and (code or listed["data"]["signals"]["name"] == "eve")


@pytest.mark.parametrize("code", [413, 429, 403])
def test_the_apps_own_error_pages_are_not_ours(site: App, code: int) -> None:
    """An app's handler for a status answers what the app aborts with; what we refuse stays in the envelope."""
    site.app.register_error_handler(code, lambda error: ("<h1>Sorry</h1>", code))
    site.app.before_request(lambda: abort(code) if request.args else None)
    client = site.app.test_client()
    assert client.put("/session/authn?stop=1").text == "<h1>Sorry</h1>"
    answer = client.put("/session/authn", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.get_json()["code"]) == (403, 403)


@pytest.mark.parametrize(("error", "code"), [(418, 40001), (502, 50005)])
def test_what_a_hook_aborts_with_is_translated(site: App, error: int, code: int) -> None:
    """An abort in a hook keeps its status, in the envelope: the request's fault below 500, the app's otherwise."""

    site.passkey.get_current_user(lambda: abort(error))
    answer = site.app.test_client().get("/user/authn")
    assert (answer.status_code, answer.get_json()["code"]) == (error, code)


def _raise(error: Exception) -> None:
    raise error


def test_only_faults_of_ours_are_errors_in_the_log(site: App, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal is a line at level INFO without a traceback; a broken hook is an ERROR with the cause's."""
    client = site.app.test_client()
    with caplog.at_level(logging.DEBUG):
        client.post("/session/authn", json={"session_id": "x", "response": "{"})
        site.passkey.get_current_user(lambda: _raise(OSError("no such disk")))
        client.get("/user/authn")
    refusal, fault = (record for record in caplog.records if record.name == "flask_passkey.web.http")
    assert (refusal.levelno, refusal.exc_info) == (logging.INFO, None)
    assert fault.levelno == logging.ERROR and "no such disk" in caplog.text and fault.exc_info is not None


def test_each_failure_of_a_batch_is_told(site: App) -> None:
    """Every failure in a batch has its own correlation id, which is in its signal."""
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    told: list[Any] = []

    def note(sender: object, **about: Any) -> None:
        told.append(about["correlation_id"])

    with signals.refused.connected_to(note):
        envelope = client.delete("/user/authn?id=AAAA&id=BBBB").get_json()
    assert sorted(told) == sorted(failure["correlation_id"] for failure in envelope["aggregated_error"].values())
    assert len(set(told)) == 2
