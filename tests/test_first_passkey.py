"""The first passkey of an account, and accounts that are forgotten meanwhile, on every database and in memory."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask.testing import FlaskClient
from sqlalchemy import create_engine

from flask_passkey import CredentialRepository, MemoryCredentialRepository
from flask_passkey.credentials.sql import SQLCredentialRepository, metadata
from flask_passkey.testing import VirtualAuthenticator, sign_up

pytestmark = pytest.mark.proves("threats:several-first-passkeys")

KINDS = [
    "memory",
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.services),
    pytest.param("mariadb", marks=pytest.mark.services),
]
#: How many finishes race.
AT_ONCE = 6


@pytest.fixture(params=KINDS)
def credentials(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[CredentialRepository]:
    """A place for credentials of each kind, empty."""
    if request.param == "memory":
        yield MemoryCredentialRepository()
        return
    url = f"sqlite:///{tmp_path}/c.db"
    if request.param != "sqlite":
        url = request.getfixturevalue(f"{request.param}_url")
        engine = create_engine(url)
        metadata.drop_all(engine)
        engine.dispose()
    repository = SQLCredentialRepository.from_uri(url)
    repository.create_tables()
    yield repository
    repository.close()


@pytest.fixture
def site(credentials: CredentialRepository) -> App:
    """An app that keeps its credentials there."""
    return make_app(credentials=credentials)


def enter(site: App, name: str) -> FlaskClient:
    """Return the browser of somebody who signed in with a password."""
    site.users[name] = User(name, id=name)
    client = site.app.test_client()
    with client.session_transaction() as session:
        session["user_id"] = name
    return client


def same_browser(site: App, client: FlaskClient) -> FlaskClient:
    """Return another client with the same cookies."""
    other = site.app.test_client()
    for cookie in (client._cookies or {}).values():
        other.set_cookie(cookie.key, cookie.value)
    return other


def answers(client: FlaskClient) -> dict[str, Any]:
    """Begin a registration; return the body of its finish."""
    begun = client.put("/user/authn").get_json()["data"]
    return {"session_id": begun["session_id"], "response": VirtualAuthenticator(SITE).create(begun["options"])}


def together(site: App, client: FlaskClient, bodies: list[dict[str, Any]]) -> list[int]:
    """Finish registrations of one browser at once; return the codes, sorted."""
    codes: list[int] = []
    ready = threading.Barrier(len(bodies))

    def finish(browser: FlaskClient, body: dict[str, Any]) -> None:
        ready.wait(20)
        codes.append(browser.post("/user/authn", json=body).get_json()["code"])

    threads = [threading.Thread(target=finish, args=(same_browser(site, client), body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(codes)


@pytest.fixture
def _in_a_hurry() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_in_a_hurry")
def test_one_of_many_adds_the_first(site: App) -> None:
    """Of finishes at once by a session that has shown no passkey one adds the first; the others are to step up."""
    for turn in range(4):
        client = enter(site, f"user {turn}")
        codes = together(site, client, [answers(client) for _ in range(AT_ONCE)])
        assert codes == [0] + [40091] * (AT_ONCE - 1)
        assert len(site.passkey_records(f"user {turn}")) == 1


@pytest.mark.usefixtures("_in_a_hurry")
def test_who_is_fresh_adds_several(site: App) -> None:
    """Whoever has just shown a passkey adds as many at once as they like."""
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    assert together(site, client, [answers(client) for _ in range(3)]) == [0, 0, 0]
    assert len(site.passkey_records("ada")) == 4


def test_an_account_that_is_forgotten_meanwhile(site: App, caplog: pytest.LogCaptureFixture) -> None:
    """A passkey that was begun before the account was forgotten is not stored: 404, and no error of the server's."""
    client = enter(site, "ada")
    body, again = answers(client), answers(client)
    with site.app.app_context():
        site.passkey.forget_user("ada")
    assert client.post("/user/authn", json=body).status_code == 404
    assert client.put("/user/authn").status_code == 200, "which gives the account another user handle"
    assert client.post("/user/authn", json=again).status_code == 404
    assert site.passkey_records("ada") == []
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_passkeys_session_of_a_forgotten_account(site: App, caplog: pytest.LogCaptureFixture) -> None:
    """A session from before changes nothing; whoever signs in anew can add a passkey."""
    client, key = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, key, "ada")
    body = answers(client)
    with site.app.app_context():
        site.passkey.forget_user(site.user("ada").id)
    assert client.post("/user/authn", json=body).get_json()["code"] == 40091
    begun = client.put("/session/authn").get_json()["data"]
    again = {"session_id": begun["session_id"], "response": key.get(begun["options"])}
    assert client.post("/session/authn", json=again).get_json()["code"] == 40090
    anew = site.app.test_client()
    with anew.session_transaction() as session:
        session["user_id"] = site.user("ada").id
    assert anew.post("/user/authn", json=answers(anew)).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.usefixtures("_in_a_hurry")
def test_forgotten_at_the_same_moment(site: App, caplog: pytest.LogCaptureFixture) -> None:
    """However a registration, a sign-in and the end of the account fall together, nothing is left and nothing fails."""
    for turn in range(4):
        client, key = site.app.test_client(), VirtualAuthenticator(SITE)
        sign_up(client, key, f"user {turn}")
        user_id = site.user(f"user {turn}").id
        bodies = [answers(client) for _ in range(2)]

        def forget(user_id: str = user_id) -> None:
            with site.app.app_context():
                site.passkey.forget_user(user_id)

        thread = threading.Thread(target=forget)
        thread.start()
        codes = together(site, client, bodies)
        thread.join(30)
        assert set(codes) <= {0, 404, 40091}
        assert site.passkey_records(f"user {turn}") == []
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
