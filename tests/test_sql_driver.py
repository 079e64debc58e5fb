"""Single statements by the driver of our own SQLite file: the same answers, the same errors, and nothing hidden."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from flask_passkey.contracts.base import NOON, new_record
from flask_passkey.credentials.sql import SQLCredentialRepository
from flask_passkey.credentials.sql.connections import DRIVER
from flask_passkey.credentials.sql.engines import engine_for
from flask_passkey.errors import CredentialStoreUnavailable, Misconfigured

USED = replace(new_record(), sign_count=3, last_used_at=NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "passkeys.sqlite3"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    """An engine of ours."""
    engine = engine_for(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def repository(engine: Engine) -> SQLCredentialRepository:
    """A repository with one passkey."""
    repository = SQLCredentialRepository(engine)
    repository.add_user("ada", new_record().user_handle)
    repository.add(new_record())
    return repository


@pytest.fixture
def by_driver(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Collect whether each piece of work that the driver was given is to be committed."""
    seen: list[bool] = []
    driver = engine.get_execution_options()[DRIVER]
    run = driver.run

    def note(work: Any, *, write: bool) -> Any:
        seen.append(write)
        return run(work, write=write)

    monkeypatch.setattr(driver, "run", note)
    return seen


def test_the_calls_of_a_sign_in_are_by_driver(repository: SQLCredentialRepository, by_driver: list[bool]) -> None:
    """A record is read, and its use stored, without SQLAlchemy's execution."""
    assert repository.get(b"id") == new_record()
    assert repository.record_use(USED, counter_must_grow=True) == [b"id"]
    assert by_driver == [False, True]


def test_answers_are_the_same(repository: SQLCredentialRepository, by_driver: list[bool]) -> None:
    """A transaction goes through SQLAlchemy, and reads and stores the same as the driver, types included."""
    assert repository.record_use(USED, counter_must_grow=True) == [b"id"]
    alone = everything(repository)
    calls = len(by_driver)
    with repository.transaction():
        assert everything(repository) == alone
    assert len(by_driver) == calls == 5
    assert alone == [USED, [USED], USED.user_handle, None]


def everything(repository: SQLCredentialRepository) -> list[object]:
    """Read in all ways there are."""
    answers = (
        repository.get(b"id"),
        repository.of_user("ada"),
        repository.get_user_handle("ada"),
        repository.get(b"gone"),
    )
    return [*answers]


def test_a_use_that_is_refused_changes_nothing(repository: SQLCredentialRepository, by_driver: list[bool]) -> None:
    """A counter that did not grow, and a passkey that is gone, are told by the driver, too."""
    repository.record_use(USED, counter_must_grow=True)
    assert repository.record_use(replace(USED, backup_state=True), counter_must_grow=True) is None
    assert repository.record_use(new_record(b"gone"), counter_must_grow=False) is None
    assert repository.get(b"id") == USED
    assert by_driver == [True, True, True, False]


@pytest.mark.parametrize("target", ["engine", "all engines"])
def test_who_listens_to_the_engine_sees_every_statement(
    repository: SQLCredentialRepository, engine: Engine, by_driver: list[bool], target: str
) -> None:
    """A tool that traces SQL finds the statements of a sign-in, whether it listens to this engine or to all."""
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        seen.append(statement.split()[0])

    listened = engine if target == "engine" else Engine
    event.listen(listened, "before_cursor_execute", note)
    try:
        assert repository.get(b"id") == new_record()
        assert repository.record_use(USED, counter_must_grow=True) == [b"id"]
    finally:
        event.remove(listened, "before_cursor_execute", note)
        if listened is Engine:
            Engine._has_events = False  # removing the last leaves it on
    assert (seen, by_driver) == (["SELECT", "UPDATE"], [])


def test_who_has_the_log_on_reads_every_statement(
    repository: SQLCredentialRepository, by_driver: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    """SQLAlchemy's own log has them all."""
    with caplog.at_level(logging.INFO, "sqlalchemy.engine.Engine"):
        assert repository.get(b"id") == new_record()
    assert "FROM passkey_credential" in caplog.text and by_driver == []


def test_an_error_of_the_driver_is_told(repository: SQLCredentialRepository, engine: Engine, path: Path) -> None:
    """It says what happened, leaves no connection behind, and is over when the database is well again."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("ALTER TABLE passkey_credential RENAME TO elsewhere")
        with pytest.raises(Misconfigured, match="OperationalError: no such table: passkey_credential"):
            repository.get(b"id")
        other.execute("ALTER TABLE elsewhere RENAME TO passkey_credential")
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert repository.get(b"id") == new_record()


def test_what_cannot_be_committed_is_undone(repository: SQLCredentialRepository, engine: Engine, path: Path) -> None:
    """A use whose commit fails is an outage, and is not there."""

    class Full(sqlite3.Connection):
        def commit(self) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    engine.dispose()

    def connect(*_: object) -> sqlite3.Connection:
        return sqlite3.connect(path, check_same_thread=False, factory=Full)

    event.listen(engine, "do_connect", connect)
    with pytest.raises(CredentialStoreUnavailable, match="disk is full"):
        repository.record_use(USED, counter_must_grow=True)
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    event.remove(engine, "do_connect", connect)
    engine.dispose()
    assert repository.get(b"id") == new_record()
