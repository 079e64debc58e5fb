"""What a sign-in asks of its stores, counted: figures without the noise that times have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, App, make_app
from cachelib import SimpleCache
from flask.testing import FlaskClient
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from redis import Redis
from sqlalchemy import Engine, create_engine, event

from flask_passkey import MemoryCredentialRepository
from flask_passkey.credentials.sql import SQLCredentialRepository, metadata
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

pytestmark = pytest.mark.proves("benchmarks:operations")

#: What a store was asked for, in order.
Asked = list[str]


@contextmanager
def asked_of(engine: Engine) -> Iterator[Asked]:
    """Collect statements, by what they do to which tables, and commits."""
    seen: Asked = []

    def execute(connection: object, cursor: object, statement: str, *_: object) -> None:
        seen.append(" ".join(re.findall(r"^UPDATE \w+|^\w+|(?:FROM|INTO) \w+", statement)))

    listeners: dict[str, Callable[..., None]] = {
        "before_cursor_execute": execute,
        "commit": lambda connection: seen.append("COMMIT"),
    }
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    yield seen
    for name, listener in listeners.items():
        event.remove(engine, name, listener)


@contextmanager
def asked_of_redis(url: str) -> Iterator[Asked]:
    """Collect commands and the keys they are for, as the server sees them."""
    seen: Asked = []
    with Redis.from_url(url) as watching, Redis.from_url(url) as speaking, watching.monitor() as monitor:
        speaking.ping()
        while monitor.next_command()["command"] != "PING":
            pass
        yield seen
        speaking.echo("that was all")
        while "that was all" not in (command := monitor.next_command()["command"]):
            seen.append(" ".join(command.split()[:2]))


class CountingCache(SimpleCache):
    """Notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__(threshold=10_000)
        self.asked: Asked = []

    def get(self, key: str) -> Any:
        self.asked.append(f"get {key}")
        return super().get(key)

    def set(self, key: str, value: Any, timeout: Any = None, **more: Any) -> Any:
        self.asked.append(f"set {key}")
        return super().set(key, value, timeout, **more)

    def delete(self, key: str) -> Any:
        self.asked.append(f"delete {key}")
        return super().delete(key)


class CountingRecords(dict[str, Any]):
    """Notes what is asked of the pending ceremonies beside it."""

    def __init__(self) -> None:
        self.asked: Asked = []

    def __setitem__(self, key: str, value: Any) -> None:
        self.asked.append("set")
        super().__setitem__(key, value)

    def __getitem__(self, key: str) -> Any:
        self.asked.append("get")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.append("get")
        return super().get(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        self.asked.append("pop")
        return super().pop(key, *default)


class CountingCredentials(MemoryCredentialRepository):
    """Notes which of its methods are called from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Asked = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if callable(found) and not name.startswith("_"):
            self.asked.append(name)
        return found


class Person:
    """Somebody with a passkey, and a browser that signs in with it."""

    def __init__(self, site: App) -> None:
        self.authenticator = VirtualAuthenticator(SITE)
        sign_up(site.app.test_client(), self.authenticator, "ada")
        sign_in(site.app.test_client(), self.authenticator)  # connections are open, tables looked for
        self.client: FlaskClient = site.app.test_client()

    def begin(self) -> Any:
        """Begin, and see that no session was begun with it."""
        answer = self.client.put("/session/authn", headers={"Origin": SITE})
        assert answer.status_code == 200 and self.client.get_cookie("session") is None
        return answer.get_json()["data"]

    def finish(self, begun: Any) -> None:
        """Finish."""
        body = {"session_id": begun["session_id"], "response": self.authenticator.get(begun["options"])}
        answer = self.client.post("/session/authn", json=body, headers={"Origin": SITE})
        assert answer.status_code == 200 and self.client.get_cookie("session") is not None


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database for credentials, empty."""
    sqlite = request.param == "sqlite"
    engine = create_engine(f"sqlite:///{tmp_path}/c.db" if sqlite else request.getfixturevalue("postgresql_url"))
    metadata.drop_all(engine)
    yield engine
    engine.dispose()


def test_in_memory() -> None:
    """A begin keeps one record and reads no credential; a finish claims it, reads once and writes once."""
    cache, credentials, pending = CountingCache(), CountingCredentials(), CountingRecords()
    vars(cache)["_passkey_records"] = pending
    ada = Person(make_app({"SESSION_CACHELIB": cache}, credentials=credentials))
    for asked in (cache.asked, credentials.asked, pending.asked):
        asked.clear()
    begun = ada.begin()
    assert (pending.asked, cache.asked, credentials.asked) == (["set"], [], [])
    ada.finish(begun)
    assert pending.asked == ["set", "pop"]
    assert credentials.asked == ["get", "record_use"]
    written = {entry for entry in cache.asked if entry.startswith("set")}
    assert len(written) == 1, "the session's own record"


def test_credentials_in_a_database(engine: Engine) -> None:
    """A begin asks the database for nothing, a finish for one row, and to change it, in one transaction."""
    ada = Person(make_app(credentials=SQLCredentialRepository(engine)))
    with asked_of(engine) as asked:
        begun = ada.begin()
        assert asked == []
        ada.finish(begun)
    # The account's list comes with the answer.
    update = "UPDATE passkey_credential FROM passkey_credential FROM passkey_user"
    assert asked == ["SELECT FROM passkey_credential", update, "COMMIT"]


@pytest.mark.services
def test_ceremonies_in_redis(redis_url: str) -> None:
    """A begin is one SET and a finish one GETDEL, besides the commands for the session that it begins."""
    client = Redis.from_url(redis_url)
    ada = Person(make_app({"SESSION_TYPE": "redis", "SESSION_REDIS": client, "SESSION_KEY_PREFIX": "costs:"}))
    with asked_of_redis(redis_url) as asked:
        begun = ada.begin()
    assert [re.sub("passkey:.+", "", entry) for entry in asked] == ["SET costs:"]
    with asked_of_redis(redis_url) as asked:
        ada.finish(begun)
    assert [entry.split()[0] for entry in asked if "costs:passkey:" in entry] == ["GETDEL"]
    assert [entry.split()[0] for entry in asked if "costs:passkey:" not in entry] == ["SET"], "the session's own"
    client.close()


def test_ceremonies_in_a_table(tmp_path: Path) -> None:
    """A begin is one INSERT and a finish one DELETE, each a transaction, besides those for the session it begins."""
    site, db = make_app(), SQLAlchemy()
    site.app.config.update(SESSION_TYPE="sqlalchemy", SESSION_SQLALCHEMY=db)
    site.app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/sessions.db"
    db.init_app(site.app)
    Session(site.app)
    with site.app.app_context():
        engine = db.engine
    ada = Person(site)
    with asked_of(engine) as asked:
        begun = ada.begin()
    assert asked == ["INSERT INTO sessions", "COMMIT"]
    with asked_of(engine) as asked:
        ada.finish(begun)
    assert asked[:2] == ["DELETE FROM sessions", "COMMIT"], asked
    assert [entry for entry in asked[2:] if entry.startswith("INSERT")] == ["INSERT INTO sessions"], asked
    engine.dispose()
