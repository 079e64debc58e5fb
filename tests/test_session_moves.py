"""A sign-in on Redis deletes the session's old record on the way that saves the new one: neither less nor more."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from apps import SITE, App, make_app
from flask import request, session
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from flask_session.redis import RedisSessionInterface
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as NoConnection
from test_ended import Slow, copy_of
from test_sessions import session_id

from flask_passkey.pending.sessions import mover_for
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up, step_up

pytestmark = [pytest.mark.services, pytest.mark.proves("threats:ended-session")]


class Kept:
    """The records of an app's sessions."""

    def __init__(self, client: Redis) -> None:
        self.client, self.prefix = client, f"{uuid.uuid4()}:"

    def config(self) -> dict[str, Any]:
        """Return the settings of an app that keeps its sessions here."""
        return {"SESSION_TYPE": "redis", "SESSION_REDIS": self.client, "SESSION_KEY_PREFIX": self.prefix}

    def ids(self) -> set[str]:
        """Return the ids of all sessions."""
        names: list[Any] = self.client.keys(f"{self.prefix}*")
        ids = {name.decode().removeprefix(self.prefix) for name in names}
        return {id_ for id_ in ids if not id_.startswith("passkey:")}


@pytest.fixture
def kept(redis_url: str) -> Iterator[Kept]:
    """An empty place for sessions."""
    with Redis.from_url(redis_url) as client:
        yield Kept(client)


@pytest.fixture
def site(kept: Kept) -> App:
    """An app that keeps its sessions there."""
    site = make_app(kept.config())
    own_sign_in(site)
    return site


def own_sign_in(site: App) -> None:
    """Add a view that signs in and then does what it was asked for."""

    @site.app.post("/login")
    def login() -> ResponseReturnValue:
        sent, passkey = request.get_json(), site.passkey
        passkey.sign_in(passkey.relying_party.finish_sign_in(passkey.visitor(), sent["session_id"], sent["response"]))
        if sent["then"] == "empty":
            session.clear()
            session.pop("_permanent")
        elif sent["then"] == "new id":
            site.app.session_interface.regenerate(session)  # type: ignore[attr-defined]
        elif sent["then"] == "sign out":
            session.pop("user_id")
            passkey.signed_out()
        return ""


@pytest.fixture
def ada(site: App) -> VirtualAuthenticator:
    """An authenticator with the passkey of an account."""
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    return ada


@pytest.fixture
def browser(site: App, ada: VirtualAuthenticator, kept: Kept) -> FlaskClient:
    """A browser that has a session with something in it, the only one."""
    for id_ in kept.ids():
        kept.client.delete(kept.prefix + id_)
    browser = site.app.test_client()
    with browser.session_transaction() as opened:
        opened["basket"] = ["tea"]
    assert kept.ids() == {session_id(browser)}
    return browser


def test_the_new_record_replaces_the_old(browser: FlaskClient, ada: VirtualAuthenticator, kept: Kept) -> None:
    """After a sign-in there is one record, under the new id, with what was in the old one."""
    old = session_id(browser)
    sign_in(browser, ada)
    assert kept.ids() == {session_id(browser)} != {old}
    with browser.session_transaction() as opened:
        assert opened["basket"] == ["tea"] and "user_id" in opened


def test_whoever_was_under_way_does_not_bring_the_old_one_back(kept: Kept) -> None:
    """A stolen session is no good after a step-up: what it had under way is not saved and gets no cookie."""
    slow = Slow(make_app(kept.config()), flask_login=False)
    owner, ada = slow.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(owner, ada, "eve")
    thief = copy_of(slow.app, owner)
    with slow.under_way(thief) as answers:
        step_up(owner, ada)
    assert (slow.status(thief), slow.status(owner)) == (401, 200)
    assert kept.ids() == {session_id(owner)}
    assert "Set-Cookie" not in answers[0].headers


@pytest.mark.parametrize(("then", "left"), [("", 1), ("empty", 0), ("new id", 1), ("sign out", 1)])
def test_no_old_record_is_left(
    browser: FlaskClient, ada: VirtualAuthenticator, kept: Kept, then: str, left: int
) -> None:
    """Whatever the app does with the session after a sign-in, the old record is gone, and nobody else's is there."""
    old = session_id(browser)
    begun = browser.put("/session/authn").get_json()["data"]
    body = {"session_id": begun["session_id"], "response": ada.get(begun["options"]), "then": then}
    assert browser.post("/login", json=body).status_code == 200
    assert old not in kept.ids() and len(kept.ids()) == left


def test_a_sign_in_that_is_not_saved_changes_nothing(
    browser: FlaskClient, ada: VirtualAuthenticator, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the store fails at the end the browser is told so, and has the session that it had."""
    old = session_id(browser)
    begun = browser.put("/session/authn").get_json()["data"]
    body = {"session_id": begun["session_id"], "response": ada.get(begun["options"])}

    def down(*_: object, **__: object) -> None:
        raise NoConnection("down")

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "set", down)
        answer = browser.post("/session/authn", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (503, 50006)
    assert kept.ids() == {old} == {session_id(browser)}
    assert browser.get("/user/authn").status_code == 401
    sign_in(browser, ada)


class OtherClient(Redis):
    """A client that does more than redis-py's."""


class OtherInterface(RedisSessionInterface):  # type: ignore[misc]
    """An interface that does more than Flask-Session's."""


@pytest.mark.parametrize("kind", ["client", "interface"])
def test_what_is_not_known_is_left_alone(kept: Kept, redis_url: str, kind: str) -> None:
    """With a client or an interface of the app's the old record is deleted by a call of that, as without us."""
    client = OtherClient.from_url(redis_url) if kind == "client" else kept.client
    site = make_app(kept.config() | {"SESSION_REDIS": client})
    if kind == "interface":
        site.app.session_interface = OtherInterface(site.app, client=client, key_prefix=kept.prefix)
    assert mover_for(site.app.session_interface) is None
    browser, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(browser, ada, "ada")
    old = session_id(browser)
    sign_in(browser, ada)
    assert kept.ids() == {session_id(browser)} != {old}
    client.close()
