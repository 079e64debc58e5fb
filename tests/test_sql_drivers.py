"""The two statements of a sign-in by the driver of our own engine: the same answers and errors, and nothing hidden."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from own_engines import POSTGRESQL, USED, engine_without_tables, only_on_postgresql, only_on_sqlite, with_one_passkey
from sqlalchemy import Engine, create_engine, event, text

from flask_passkey.contracts import CredentialRepositoryContract
from flask_passkey.contracts.base import new_record
from flask_passkey.contracts.repository import Adding, Using
from flask_passkey.credentials.sql import SQLCredentialRepository, engines, kept, metadata
from flask_passkey.credentials.sql.connections import DRIVER
from flask_passkey.credentials.sql.engines import engine_for
from flask_passkey.errors import CredentialStoreUnavailable, Misconfigured


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is that is in a file."""
    return tmp_path / "passkeys.sqlite3"


@pytest.fixture(params=["sqlite", POSTGRESQL])
def engine(request: pytest.FixtureRequest, path: Path) -> Iterator[Engine]:
    """An engine of ours, on a database without our tables."""
    engine = engine_without_tables(request, path)
    yield engine
    engine.dispose()


@pytest.fixture
def repository(engine: Engine) -> SQLCredentialRepository:
    """A repository with one passkey."""
    return with_one_passkey(engine)


@pytest.fixture
def by_driver(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what the driver was asked to do."""
    seen: list[str] = []
    driver = engine.get_execution_options()[DRIVER]

    def note(name: str) -> None:
        work = getattr(driver, name)

        def noted(*args: Any, **kwargs: Any) -> Any:
            seen.append(name)
            return work(*args, **kwargs)

        monkeypatch.setattr(driver, name, noted)

    note("get")
    note("record_use")
    return seen


# Each way that a statement can run has the contract. The others are in test_sql.py: by the driver of SQLite, by
# SQLAlchemy on an engine of the app's, in its session, and on databases without a driver of ours.


@only_on_postgresql
class TestByPsycopg(CredentialRepositoryContract):
    @pytest.fixture
    def repository(self, engine: Engine) -> SQLCredentialRepository:
        return SQLCredentialRepository(engine)


class TestWatched(Adding, Using):
    """By SQLAlchemy, on an engine of ours that somebody listens to."""

    @pytest.fixture
    def repository(self, engine: Engine) -> SQLCredentialRepository:
        event.listen(engine, "before_execute", lambda *_: None)
        return SQLCredentialRepository(engine)


def test_the_calls_of_a_sign_in_are_by_driver(repository: SQLCredentialRepository, by_driver: list[str]) -> None:
    """A record is read, and its use stored, without SQLAlchemy's execution."""
    assert repository.get(b"id") == new_record()
    assert repository.record_use(USED, counter_must_grow=True) == [b"id"]
    assert by_driver == ["get", "record_use"]


@pytest.mark.parametrize(
    "record",
    [USED, new_record(b"all", user_id="bob", sign_count=2**32 - 1, discoverable=True, identity="é", rp_id="x")],
)
def test_answers_are_the_same(repository: SQLCredentialRepository, by_driver: list[str], record: Any) -> None:
    """A transaction goes through SQLAlchemy, and reads the same as the driver, types included."""
    repository.add_user(record.user_id, record.user_handle)
    if record.user_id != "ada":
        repository.add(record)
    assert repository.record_use(record, counter_must_grow=False) == [record.id]
    alone = repository.get(record.id), repository.get(b"gone")
    with repository.transaction():
        assert (repository.get(record.id), repository.get(b"gone")) == alone == (record, None)
    assert by_driver == ["record_use", "get", "get"]
    assert [type(value) for value in astuple(alone[0])] == [type(value) for value in astuple(record)]


def astuple(record: Any) -> list[object]:
    """Return the values of a record."""
    return [getattr(record, name) for name in record.__slots__]


def test_a_use_that_is_refused_changes_nothing(repository: SQLCredentialRepository, by_driver: list[str]) -> None:
    """A counter that did not grow, and a passkey that is gone, are told by the driver, too."""
    repository.record_use(USED, counter_must_grow=True)
    assert repository.record_use(replace(USED, backup_state=True), counter_must_grow=True) is None
    assert repository.record_use(new_record(b"gone"), counter_must_grow=False) is None
    assert repository.get(b"id") == USED
    assert by_driver == ["record_use"] * 3 + ["get"]


def test_a_transaction_on_the_same_connection_is_one(repository: SQLCredentialRepository) -> None:
    """A connection that the driver has used is given back as it was: what is undone on it afterwards is undone."""
    assert repository.record_use(USED, counter_must_grow=True)
    with pytest.raises(ZeroDivisionError), repository.transaction():
        repository.rename(b"id", user_id="ada", label="Other")
        raise ZeroDivisionError
    assert repository.get(b"id") == USED


#: What the statements of a sign-in show to those who listen to an engine or its dialect, or to all engines.
LISTENERS = [
    *(
        ("engine", name)
        for name in ("before_execute", "after_execute", "before_cursor_execute", "after_cursor_execute")
    ),
    *(("engine", name) for name in ("engine_connect", "begin", "do_execute")),
    *(("all engines", name) for name in ("before_execute", "after_cursor_execute")),
]


@pytest.mark.parametrize(("kind", "name"), LISTENERS)
def test_who_listens_to_the_engine_sees_every_statement(
    repository: SQLCredentialRepository, engine: Engine, by_driver: list[str], kind: str, name: str
) -> None:
    """A tool that traces SQL finds the statements of a sign-in; when it is gone the driver runs them again."""
    seen: list[str] = []

    def note(*_: object) -> None:
        seen.append(name)

    listened = engine if kind == "engine" else Engine
    event.listen(listened, name, note)
    try:
        assert repository.get(b"id") == new_record()
        assert repository.record_use(USED, counter_must_grow=True) == [b"id"]
    finally:
        event.remove(listened, name, note)
    assert (seen, by_driver) == ([name, name], [])
    assert repository.get(b"id") == USED
    assert by_driver == ["get"]


def test_who_listens_once_more_sees_once_more(
    repository: SQLCredentialRepository, engine: Engine, by_driver: list[str]
) -> None:
    """A tool that comes, goes and comes back is noticed each time."""
    seen: list[str] = []

    def note(*_: object) -> None:
        seen.append("seen")

    for _ in range(2):
        event.listen(engine, "before_execute", note)
        assert repository.get(b"id")
        event.remove(engine, "before_execute", note)
        assert repository.get(b"id")
    assert (seen, by_driver) == (["seen"] * 2, ["get"] * 2)


@pytest.mark.parametrize("kind", ["engine", "all engines", "engine, and went"])
def test_who_listened_before_sees_it(path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A tool that was there first, as one that replaces ``create_engine``, is not taken for silence."""
    seen: list[str] = []

    def note(*_: object) -> None:
        seen.append("seen")

    def watched_engine(*args: Any, **options: Any) -> Engine:
        engine = create_engine(*args, **options)
        event.listen(Engine if kind == "all engines" else engine, "before_cursor_execute", note)
        if "went" in kind:
            event.remove(engine, "before_cursor_execute", note)
        return engine

    monkeypatch.setattr(engines, "create_engine", watched_engine)
    engine = engine_for(f"sqlite:///{path}")
    repository = SQLCredentialRepository(engine)
    repository.create_tables()
    if "went" in kind:
        event.listen(engine, "before_cursor_execute", note)
    seen.clear()
    try:
        repository.get(b"id")
    finally:
        if kind == "all engines":
            event.remove(Engine, "before_cursor_execute", note)
        engine.dispose()
    assert seen == ["seen"]


def test_who_listens_to_errors_sees_them(repository: SQLCredentialRepository, engine: Engine) -> None:
    """A tool that collects the errors of a database finds those of a sign-in."""
    seen: list[str] = []
    event.listen(engine, "handle_error", lambda context: seen.append(str(context.original_exception)))
    metadata.drop_all(engine)
    with pytest.raises(Misconfigured):
        repository.get(b"id")
    assert len(seen) == 1 and "passkey_credential" in seen[0]


def test_who_has_the_log_on_reads_every_statement(
    repository: SQLCredentialRepository, by_driver: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """SQLAlchemy's own log has them all."""
    with caplog.at_level(logging.INFO, "sqlalchemy.engine.Engine"):
        assert repository.get(b"id") == new_record()
    assert "FROM passkey_credential" in caplog.text and by_driver == []


def test_an_error_of_the_driver_is_told(repository: SQLCredentialRepository, engine: Engine) -> None:
    """It says what happened, leaves no connection behind, and is over when the database is well again."""
    repository = SQLCredentialRepository(engine, create_tables=False)
    rename(engine, "passkey_credential", "elsewhere")
    with pytest.raises(Misconfigured, match="passkey_credential"):
        repository.get(b"id")
    with pytest.raises(Misconfigured, match="passkey_credential"):
        repository.record_use(USED, counter_must_grow=True)
    rename(engine, "elsewhere", "passkey_credential")
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert repository.get(b"id") == new_record()


def rename(engine: Engine, table: str, other: str) -> None:
    """Give a table another name."""
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO {other}"))


@only_on_sqlite
def test_what_cannot_be_committed_is_undone(repository: SQLCredentialRepository, engine: Engine, path: Path) -> None:
    """A use whose commit fails is not there; here another table's rule is only looked at by the commit."""
    with closing(sqlite3.connect(path)) as other:
        other.executescript(
            "CREATE TABLE log (id BLOB REFERENCES passkey_user (user_handle) DEFERRABLE INITIALLY DEFERRED);"
            "CREATE TRIGGER logs AFTER UPDATE ON passkey_credential BEGIN INSERT INTO log VALUES (x'00'); END"
        )
        with pytest.raises(CredentialStoreUnavailable, match="FOREIGNKEY"):
            repository.record_use(USED, counter_must_grow=True)
        other.execute("DROP TRIGGER logs")
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert repository.get(b"id") == new_record()
    assert repository.record_use(USED, counter_must_grow=True)


@only_on_sqlite
def test_a_use_is_committed_however_its_connection_begins(
    repository: SQLCredentialRepository, engine: Engine, path: Path
) -> None:
    """A connection that begins transactions whatever it is told, as with autocommit = False, commits the use, too."""

    class Beginning(sqlite3.Connection):
        isolation_level = property(lambda self: "", lambda self, value: None)

    engine.dispose()

    def connect(*_: object) -> sqlite3.Connection:
        return sqlite3.connect(path, check_same_thread=False, factory=Beginning)

    event.listen(engine, "do_connect", connect)
    assert repository.record_use(USED, counter_must_grow=True)
    event.remove(engine, "do_connect", connect)
    engine.dispose()
    assert repository.get(b"id") == USED


@only_on_sqlite
def test_a_connection_in_the_middle_of_something_is_closed(
    repository: SQLCredentialRepository, engine: Engine, path: Path
) -> None:
    """Whoever is stopped in the middle of a use leaves no connection behind, and nothing half-done."""

    class Stopping(sqlite3.Cursor):
        def fetchall(self) -> NoReturn:
            raise SystemExit("stop")

    class Connection(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            return self.cursor(Stopping).execute(*args)

    engine.dispose()

    def connect(*_: object) -> sqlite3.Connection:
        return sqlite3.connect(path, check_same_thread=False, factory=Connection)

    event.listen(engine, "do_connect", connect)
    with pytest.raises(SystemExit, match="stop"):
        repository.record_use(USED, counter_must_grow=True)
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    event.remove(engine, "do_connect", connect)
    assert repository.get(b"id") in (new_record(), USED)
    assert repository.record_use(replace(USED, sign_count=USED.sign_count + 1), counter_must_grow=True)


def test_a_database_in_memory_has_no_driver() -> None:
    """There a connection that is closed after an error would be the end of the database."""
    engine = engine_for("sqlite://")
    assert engine.get_execution_options()[DRIVER] is None


@pytest.fixture
def all_dead(engine: Engine, repository: SQLCredentialRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the server close all connections of the pool, as a restart does."""
    monkeypatch.setattr(kept, "SILENCE", 60.0)
    with ExitStack() as held:
        pooled: list[Any] = [held.enter_context(closing(engine.raw_connection())) for _ in range(4)]
        pids = [connection.driver_connection.info.backend_pid for connection in pooled]
    other = create_engine(engine.url)
    with other.connect() as connection:
        for pid in pids:
            assert connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar()
    other.dispose()


@only_on_postgresql
@pytest.mark.usefixtures("all_dead")
def test_a_read_finds_a_connection_that_lives(repository: SQLCredentialRepository, by_driver: list[str]) -> None:
    """A read on a dead connection is repeated on a new one, however many dead ones there are."""
    assert repository.get(b"id") == new_record()
    assert repository.record_use(USED, counter_must_grow=True) == [b"id"]
    assert by_driver == ["get", "get", "record_use"]


@only_on_postgresql
@pytest.mark.usefixtures("all_dead")
def test_a_write_is_not_repeated(repository: SQLCredentialRepository) -> None:
    """Nobody knows whether a write on a dead connection has been done, so it is an outage."""
    with pytest.raises(CredentialStoreUnavailable):
        repository.record_use(USED, counter_must_grow=True)
    assert repository.get(b"id") == new_record()


@only_on_postgresql
def test_the_statements_are_prepared_where_the_url_says_so(repository: SQLCredentialRepository, engine: Engine) -> None:
    """The threshold is psycopg's own, in the URL."""
    engine = engine_for(engine.url.update_query_dict({"prepare_threshold": "1"}).render_as_string(hide_password=False))
    repository = SQLCredentialRepository(engine)
    for count in range(3):
        assert repository.get(b"id")
        assert repository.record_use(replace(USED, sign_count=count + 1), counter_must_grow=True)
    with repository.reading() as connection:
        names = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%passkey_credential%'"
        assert connection.execute(text(names)).scalar() == 2
    engine.dispose()
