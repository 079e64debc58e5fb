"""The audit log: one line for every outcome, which tells all that an auditor asks for and no secret."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from apps import SITE, App, make_app

from flask_passkey import NameTaken, signals
from flask_passkey.errors import SignInRequired
from flask_passkey.testing import (
    Refused,
    VirtualAuthenticator,
    add_passkey,
    b64url_encode,
    sign_in,
    sign_up,
)

PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')


@pytest.fixture
def site() -> App:
    """Return an app with nobody in it."""
    return make_app()


class Audit:
    """What the audit log has said."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def messages(self) -> list[str]:
        """Return the lines."""
        return [record.getMessage() for record in self._caplog.records if record.name == "flask_passkey.audit"]

    @property
    def lines(self) -> list[dict[str, str]]:
        """Return the pairs of each line, as a reader of the file would."""
        for message in self.messages:
            assert PAIR.sub("", message).strip() == "" and message.isprintable(), message
        found = [dict(PAIR.findall(message)) for message in self.messages]
        return [{k: json.loads(v) if v.startswith('"') else v for k, v in pairs.items()} for pairs in found]

    def take(self) -> dict[str, str]:
        """Return the only line, and forget it."""
        [line] = self.lines
        self._caplog.clear()
        return line


@pytest.fixture
def audit(caplog: pytest.LogCaptureFixture) -> Audit:
    """Return the audit log, which is on."""
    caplog.set_level(logging.INFO, "flask_passkey.audit")
    return Audit(caplog)


@pytest.mark.proves("rules:log")
def test_every_success_is_a_line(site: App, audit: Audit) -> None:
    """Sign-up, sign-in, step-up, a passkey more, another name, a deletion and a forgotten account are a line each."""
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    user_id, first = site.user("ada").id, b64url_encode(ada.credentials[0].id)
    line = audit.take()
    assert len(line.pop("correlation_id")) == 36
    assert line == {
        "event": "registered",
        "outcome": "success",
        "user_id": user_id,
        "purpose": "sign-up",
        "credential": first,
    }
    sign_in(client, ada)
    assert audit.take()["event"] == "signed-in"
    second = add_passkey(client, VirtualAuthenticator(SITE))["id"]
    assert audit.take()["purpose"] == "registration"
    client.patch(f"/user/authn/{second}", json={"name": "Secret label"})
    assert (line := audit.take())["event"] == "renamed" and line["credential"] == second
    client.delete(f"/user/authn?id={first}&id={second}")
    assert audit.lines[0]["event"] == "deleted" and audit.lines[0]["user_id"] == user_id
    assert audit.lines[1]["event"] == "refused" and audit.lines[1]["error"] == "LastCredential"
    audit._caplog.clear()
    with site.app.app_context():
        site.passkey.forget_user(user_id)
    assert {**audit.take(), "correlation_id": ""} == {
        "event": "forgotten", "outcome": "success", "correlation_id": "", "user_id": user_id,
    }  # fmt: skip


def test_every_refusal_is_a_line(site: App, audit: Audit) -> None:
    """A refusal says what was asked for, the code, the reason, and the correlation id that the client was told."""
    client = site.app.test_client()
    envelope = client.post("/session/authn", json={"session_id": "x", "response": "{"}).get_json()
    line = audit.take()
    assert (line["event"], line["outcome"], line["action"]) == ("refused", "refused", "finish_sign_in")
    assert (line["code"], line["error"]) == ("40001", "MalformedRequest")
    assert line["correlation_id"] == envelope["correlation_id"] and "session_id" in line["reason"]
    client.get("/user/authn", headers={"Origin": "https://evil.example\x85"})
    assert "evil.example" in audit.take()["reason"]


@pytest.mark.parametrize(("path", "action"), [("/diary", "diary"), ("/nowhere", "")])
def test_a_refusal_elsewhere_has_the_apps_endpoint(site: App, audit: Audit, path: str, action: str) -> None:
    """The line of a refusal names the app's view where it was, and none where there is none."""
    site.app.add_url_rule("/diary", "diary", lambda: "")

    @site.app.before_request
    def refuse() -> None:
        raise SignInRequired("nobody is signed in")

    assert site.app.test_client().get(path).status_code == 401
    assert audit.take().get("action", "") == action


def test_confirmations_and_links_are_lines(site: App, audit: Audit) -> None:
    """Who was confirmed, was given a link or lost one, and with what passkey they came back, is told by the account."""
    client = site.app.test_client()

    @site.app.get("/confirm")
    def confirm() -> str:
        site.passkey.confirm_user()
        return ""

    sign_up(client, VirtualAuthenticator(SITE), "ada")
    user = site.user("ada")
    audit._caplog.clear()
    client.get("/confirm")
    with site.app.app_context():
        site.passkey.invite(user)
        site.passkey.withdraw(user)
    assert [line["event"] for line in audit.lines] == ["identity-confirmed", "invited", "withdrawn"]
    assert {line["user_id"] for line in audit.lines} == {user.id}


def test_reported_oddities_are_lines(site: App, audit: Audit) -> None:
    """A counter that did not grow is told beside the sign-in that was accepted."""
    ada = VirtualAuthenticator(SITE, sign_count_step=1)
    sign_up(site.app.test_client(), ada, "ada")
    sign_in(site.app.test_client(), ada, sign_count=9)
    audit._caplog.clear()
    sign_in(site.app.test_client(), ada, sign_count=9)
    assert [line["event"] for line in audit.lines] == ["counter-regressed", "signed-in"]


def secrets_of(site: App, client: Any, ada: VirtualAuthenticator) -> list[str]:
    """Return what no line may have: challenges, user handle, key, secret of the browser, names."""
    [record] = site.passkey_records("ada.secret")
    kept = [record.user_handle, record.public_key, record.label.encode()]
    return [b64url_encode(value) for value in kept] + [cookie.value for cookie in client._cookies.values()]


@pytest.mark.proves("rules:log")
@pytest.mark.parametrize("names", [False, True])
def test_no_line_has_a_secret(audit: Audit, names: bool) -> None:
    """No line has a challenge, user handle, key or token, or, unless it is asked for, a name."""
    site = make_app({"PASSKEY_AUDIT_NAMES": names, "PASSKEY_USERNAME_FIRST": True}, find_user=True)
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada.secret", display_name="Ada Secret")
    begun = client.put("/session/authn", json={"user_name": "ada.secret"}).get_json()["data"]
    secrets = [*secrets_of(site, client, ada), begun["options"]["publicKey"]["challenge"], begun["session_id"]]
    client.post("/session/authn", json={"session_id": begun["session_id"], "response": ada.get(begun["options"])})
    client.post("/session/authn", json={"session_id": begun["session_id"], "response": ada.get(begun["options"])})
    with pytest.raises(Refused):
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada.secret")
    site.passkey.name_available(lambda name: _raise(KeyError(name)))
    client.put("/user/authn", json={"name": "bob.secret"})
    with site.app.test_client() as stranger:
        stranger.put("/user/authn", json={"name": "bob.secret"})
    site.passkey.name_available(lambda name: _raise(NameTaken(f"{name} is taken")))
    site.app.test_client().put("/user/authn", json={"name": "bob.secret"})
    written = "\n".join(audit.messages)
    assert len(audit.lines) >= 5 and not [secret for secret in secrets if secret and secret in written]
    assert ("ada.secret" in written) is names
    assert "bob.secret" not in written and "Ada Secret" not in written


def _raise(error: Exception) -> Any:
    raise error


def test_nothing_is_written_where_nobody_reads(site: App, caplog: pytest.LogCaptureFixture) -> None:
    """Without a level of INFO there is no line."""
    caplog.set_level(logging.WARNING)
    sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    assert not [record for record in caplog.records if record.name == "flask_passkey.audit"]


def test_receivers_are_told_what_they_were(site: App, audit: Audit) -> None:
    """What is for the audit log alone does not reach those who listen to a signal, and handlers find the pairs."""
    heard: list[set[str]] = []

    def note(sender: object, **about: Any) -> None:
        heard.append(set(about))

    with signals.registered.connected_to(note):
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    assert [names & {"user", "credential", "audit", "user_id", "name"} for names in heard] == [{"user", "credential"}]
    [record] = [record for record in audit._caplog.records if record.name == "flask_passkey.audit"]
    assert vars(record)["passkey"]["event"] == "registered"
