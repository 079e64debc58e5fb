"""A create_user hook that meets what the database has already, or that waits for a lock of ours."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, create_engine, insert
from sqlalchemy.exc import IntegrityError

from flask_passkey import SQLCredentialRepository
from flask_passkey.doubles import is_double
from flask_passkey.testing import Refused, VirtualAuthenticator, sign_up

pytestmark = pytest.mark.proves("frictions:H")

people = Table(
    "people",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(80), unique=True, nullable=False),
)
KINDS = ["sqlite", *(pytest.param(kind, marks=pytest.mark.services) for kind in ("postgresql", "mariadb"))]


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of each kind with a table of people."""
    url = f"sqlite:///{tmp_path}/app.sqlite3"
    engine = create_engine(url if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_url"))
    people.metadata.create_all(engine)
    yield engine
    people.metadata.drop_all(engine)
    engine.dispose()


def refused(site: App, name: str = "ada") -> tuple[int, int | None]:
    """Return status and code of a sign-up that is refused."""
    with pytest.raises(Refused) as caught:
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), name)
    return caught.value.status, caught.value.code


def user_of(site: App, name: str) -> User:
    """Let the app know a new user."""
    user = User(name)
    site.users[user.id] = user
    return user


def test_a_name_that_is_there_is_taken(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """A hook that leaves it to the database to find a name taken is answered as one that raises NameTaken."""
    site = make_app(credentials=SQLCredentialRepository(engine))
    site.passkey.name_available(lambda name: True)

    @site.passkey.create_user
    def create(name: str, display_name: str) -> Any:
        with site.passkey.credentials.transaction() as connection:
            connection.execute(insert(people), {"name": name})
        return user_of(site, name)

    sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    with caplog.at_level(logging.INFO):
        assert refused(site) == (409, 409)
    assert "let create_user raise NameTaken" in caplog.text and "'ada'" not in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_name_that_is_missing_is_the_hooks_mistake(engine: Engine) -> None:
    """A column that must not be empty is no name that is taken."""
    site = make_app(credentials=SQLCredentialRepository(engine))

    @site.passkey.create_user
    def create(name: str, display_name: str) -> Any:
        with site.passkey.credentials.transaction() as connection:
            connection.execute(insert(people), {"name": None})

    assert refused(site) == (500, 50005)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (type("UniqueViolation", (sqlite3.IntegrityError,), {"sqlstate": "23505"})(), True),
        (type("NotNullViolation", (sqlite3.IntegrityError,), {"sqlstate": "23502"})(), False),
        (type("IntegrityError", (Exception,), {"pgcode": "23505"})(), True),
        (type("IntegrityError", (Exception,), {})(1062, "Duplicate entry"), True),
        (type("IntegrityError", (Exception,), {})(1048, "Column cannot be null"), False),
        (SimpleNamespace, False),
        (ValueError(1062), False),
    ],
)
def test_the_words_of_each_driver(error: Any, answer: bool) -> None:
    """Drivers tell a double by a state, a code or a number; SQLAlchemy has their error inside its own."""
    if isinstance(error, Exception):
        assert is_double(error) is answer
        assert is_double(IntegrityError("x", {}, error)) is answer


def own_engine(file: Path) -> Callable[[str], None]:
    """Write an account on an engine of the app's own, as with Flask-SQLAlchemy."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 0.1})

    def write(name: str) -> None:
        try:
            with engine.begin() as connection:
                connection.execute(insert(people), {"name": name})
        finally:
            engine.dispose()

    return write


def own_connection(file: Path) -> Callable[[str], None]:
    """Write an account with sqlite3 itself."""

    def write(name: str) -> None:
        with closing(sqlite3.connect(file, timeout=0.1)) as connection, connection:
            connection.execute("INSERT INTO people (name) VALUES (?)", (name,))

    return write


@pytest.mark.parametrize("way", [own_engine, own_connection])
def test_a_hook_that_waits_for_us(
    way: Callable[[Path], Callable[[str], None]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who writes the account to our SQLite file on another connection is told which to use, and nobody to try again."""
    file = tmp_path / "app.sqlite3"
    credentials = SQLCredentialRepository.from_uri(f"sqlite:///{file}")
    with credentials.transaction() as connection:
        people.create(connection)
    site, write = make_app(credentials=credentials), way(file)

    @site.passkey.create_user
    def create(name: str, display_name: str) -> Any:
        write(name)
        return user_of(site, name)

    assert refused(site) == (500, 50005)
    assert "on the connection that passkey.credentials.transaction() gives" in caplog.text
    credentials.close()


def test_a_lock_of_others_is_not_ours(caplog: pytest.LogCaptureFixture) -> None:
    """Where the passkeys are not on SQLite, nobody is told that a lock of SQLite is theirs."""
    site = make_app()

    @site.passkey.create_user
    def create(name: str, display_name: str) -> Any:
        raise sqlite3.OperationalError("database is locked")

    assert refused(site) == (500, 50005)
    assert "passkey.credentials.transaction()" not in caplog.text
