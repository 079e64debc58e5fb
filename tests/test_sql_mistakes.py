"""What a database calls wrong is a misconfiguration with its cause in the log; what may pass is worth another try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, User, make_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from flask_passkey import SQLCredentialRepository
from flask_passkey.contracts import new_record
from flask_passkey.credentials.sql import metadata
from flask_passkey.credentials.sql.failures import is_mistake
from flask_passkey.errors import CredentialStoreUnavailable, Misconfigured
from flask_passkey.testing import Refused, VirtualAuthenticator, sign_up

pytestmark = pytest.mark.proves("frictions:I")

SERVERS = ("postgresql", "mariadb")
KINDS = ["sqlite", *(pytest.param(kind, marks=pytest.mark.services) for kind in SERVERS)]


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database of each kind, in which our tables are missing."""
    where = f"sqlite:///{tmp_path}/app.sqlite3"
    if request.param in SERVERS:
        where = request.getfixturevalue(f"{request.param}_url")
        engine = create_engine(where)
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS passkey_credential"))
        metadata.drop_all(engine)
        engine.dispose()
    return where


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine for it."""
    engine = create_engine(url)
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS passkey_credential"))
    metadata.drop_all(engine)
    engine.dispose()


def error_of(engine: Engine, *statements: str) -> SQLAlchemyError:
    """Return what the last of some statements raises."""
    with engine.connect() as connection:
        with pytest.raises(SQLAlchemyError) as caught:
            for statement in statements:
                connection.execute(text(statement))
        connection.invalidate()  # what was set in it must not come back from the pool
    return caught.value


def assert_mistake(repository: SQLCredentialRepository, cause: str) -> None:
    """Check that a call is refused as a misconfiguration whose reason names the cause."""
    for call in (lambda: repository.of_user("ada"), lambda: repository.get(b"id")):
        with pytest.raises(Misconfigured, match=cause):
            call()


def test_missing_tables(engine: Engine) -> None:
    """Without the tables, and where we may not create them, no other try helps."""
    assert_mistake(SQLCredentialRepository(engine, create_tables=False), "passkey_.*create_tables is off")


def test_missing_columns(engine: Engine) -> None:
    """A table of our name that is not ours is named, with what it lacks."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE passkey_credential (id INTEGER PRIMARY KEY, user_handle INTEGER)"))
    assert_mistake(SQLCredentialRepository(engine), "(?i)column|bytea = integer")


def test_values_that_do_not_fit(engine: Engine) -> None:
    """A value that is too long for its column is too long every time."""
    repository = SQLCredentialRepository(engine)
    repository.add_user("ada", new_record().user_handle)
    if engine.dialect.name == "sqlite":  # which cuts nothing off and refuses nothing
        return
    with pytest.raises(Misconfigured, match="(?i)too long|DataError|StringDataRightTruncation"):
        repository.add(new_record(label="x" * 300))


def test_statements_that_are_wrong(engine: Engine) -> None:
    """Whatever the database finds wrong about a statement is a mistake."""
    for statement in ("SELECT nonsense FROM nowhere", "SELEKT 1", "SELECT nonsense"):
        assert is_mistake(error_of(engine, statement))


def test_required_values(engine: Engine) -> None:
    """A column that must not be empty, or a check, is a mistake; a reference or a double is another request's work."""
    parent = "id VARCHAR(9) PRIMARY KEY, filled VARCHAR(9) NOT NULL, CHECK (id <> 'no')"
    child = "id VARCHAR(9) PRIMARY KEY, FOREIGN KEY (id) REFERENCES mistake_parent (id)"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE mistake_parent ({parent})"))
        connection.execute(text(f"CREATE TABLE mistake_child ({child})"))
    on = ["PRAGMA foreign_keys=ON"] * (engine.dialect.name == "sqlite")
    row = "INSERT INTO mistake_parent VALUES ('ada', 'x')"
    assert is_mistake(error_of(engine, "INSERT INTO mistake_parent (id) VALUES ('ada')"))
    assert is_mistake(error_of(engine, "INSERT INTO mistake_parent VALUES ('ada', NULL)"))
    assert is_mistake(error_of(engine, "INSERT INTO mistake_parent VALUES ('no', 'x')"))
    assert not is_mistake(error_of(engine, row, row))
    assert not is_mistake(error_of(engine, *on, "INSERT INTO mistake_child VALUES ('eve')"))
    with engine.begin() as connection:
        for name in ("mistake_child", "mistake_parent"):
            connection.execute(text(f"DROP TABLE {name}"))


@pytest.fixture
def reader(url: str, engine: Engine, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine of a user who may only read."""
    metadata.create_all(engine)
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        where: Any = f"sqlite:///file:{parts.database}?mode=ro&uri=true"
    else:
        grants = {
            "postgresql": ["GRANT SELECT ON ALL TABLES IN SCHEMA public TO passkey_reader"],
            "mysql": [f"GRANT SELECT ON {parts.database}.* TO passkey_reader"],
        }[parts.get_backend_name()]
        create = "CREATE USER passkey_reader" + " IDENTIFIED BY 'reader'" * (parts.get_backend_name() == "mysql")
        with engine.begin() as connection:
            for statement in (create, *grants):
                connection.execute(text(statement))
        where = parts.set(username="passkey_reader", password="reader")
    reader = create_engine(where)
    yield reader
    reader.dispose()
    if parts.get_backend_name() != "sqlite":
        drop_owned = ["DROP OWNED BY passkey_reader"] * (parts.get_backend_name() == "postgresql")
        with engine.begin() as connection:
            for statement in (*drop_owned, "DROP USER passkey_reader"):
                connection.execute(text(statement))


def test_a_role_that_may_only_read(reader: Engine) -> None:
    """Reading works; writing is a misconfiguration that names the cause."""
    repository = SQLCredentialRepository(reader, create_tables=False)
    assert repository.get(b"id") is None
    with pytest.raises(Misconfigured, match="(?i)readonly|permission denied|command denied"):
        repository.add_user("ada", new_record().user_handle)


def test_a_transaction_that_may_only_read(engine: Engine) -> None:
    """A server that takes no writes, as a standby, is another address to write."""
    metadata.create_all(engine)
    read_only = "PRAGMA query_only=ON" if engine.dialect.name == "sqlite" else "SET TRANSACTION READ ONLY"
    assert is_mistake(error_of(engine, read_only, "DELETE FROM passkey_user"))


@pytest.mark.services
@pytest.mark.parametrize("part", [{"database": "nowhere"}, {"username": "stranger", "password": "x"}])
def test_a_database_that_is_not_there(mariadb_url: str, part: dict[str, Any]) -> None:
    """A wrong name of a database or a wrong password is told from a server that is down, where the driver tells."""
    engine = create_engine(make_url(mariadb_url).set(**part))
    assert_mistake(SQLCredentialRepository(engine), "1049|1045|1698")
    engine.dispose()


def test_a_session_without_an_engine() -> None:
    """A session that knows no database will not know one the next time."""
    assert_mistake(SQLCredentialRepository(session=Session()), "UnboundExecutionError")


def test_a_session_outside_an_app() -> None:
    """Flask-SQLAlchemy's session needs an app; that is no error of a database, and comes out as it is."""
    with pytest.raises(RuntimeError, match="application context"):
        SQLCredentialRepository(session=SQLAlchemy().session).get(b"id")


# What may pass


def test_busy_databases_are_worth_another_try(engine: Engine) -> None:
    """A lock, a deadlock's victim, a time limit and a cancelled statement are no mistakes."""
    metadata.create_all(engine)
    waits = {
        "sqlite": ["PRAGMA busy_timeout=1", "BEGIN IMMEDIATE"],
        "postgresql": ["SET lock_timeout=1", "LOCK TABLE passkey_user"],
        "mysql": ["SET innodb_lock_wait_timeout=1", "UPDATE passkey_user SET user_id = user_id"],
    }[engine.dialect.name]
    row = {"user_handle": b"x" * 64, "user_id": "ada"}
    with engine.begin() as connection:
        connection.execute(metadata.tables["passkey_user"].insert(), row)
    with engine.connect() as holder:
        holder.execute(text(waits[-1]))
        assert not is_mistake(error_of(engine, *waits))
    limits = {
        "postgresql": ["SET statement_timeout=1", "SELECT pg_sleep(1)"],
        "mysql": ["SET max_statement_time=0.01", "SELECT count(*) FROM seq_1_to_100000000 WHERE rand() < 0"],
    }.get(engine.dialect.name)
    assert limits is None or not is_mistake(error_of(engine, *limits))


def test_a_full_pool_is_worth_another_try(tmp_path: Path) -> None:
    """All connections are in use: SQLAlchemy's own time limit is none of a statement."""
    engine = create_engine(
        f"sqlite:///{tmp_path}/app.sqlite3", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    with engine.connect(), pytest.raises(CredentialStoreUnavailable, match="QueuePool limit"):
        SQLCredentialRepository(engine, create_tables=False).get(b"id")
    engine.dispose()


@pytest.mark.services
def test_a_killed_connection_is_worth_another_try(postgresql_url: str) -> None:
    """A server that restarts takes connections away, which is no mistake of anybody's."""
    engine = create_engine(postgresql_url)
    assert not is_mistake(error_of(engine, "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1"))
    engine.dispose()


@pytest.mark.parametrize("error", [OSError("gone"), ConnectionError(), KeyError()])
def test_other_errors_are_no_mistakes_of_a_database(error: Exception) -> None:
    """Only SQLAlchemy and the databases below it are judged."""
    assert not is_mistake(error)


def test_a_file_that_cannot_be_opened_may_be_away(tmp_path: Path) -> None:
    """A disk that is not mounted comes back."""
    engine = create_engine(f"sqlite:///{tmp_path}/mounted/app.sqlite3")
    with pytest.raises(CredentialStoreUnavailable):
        SQLCredentialRepository(engine).get(b"id")


# What people and the log are told


@pytest.mark.parametrize("make", [lambda uri: create_engine(uri), lambda uri: None])
def test_nobody_is_asked_to_try_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make: Callable[[str], Engine | None]
) -> None:
    """Another package's table of our name is 50005 at every sign-up, with the cause in the log and no word outside."""
    uri = f"sqlite:///{tmp_path}/app.sqlite3"
    engine = create_engine(uri)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE passkey_user (id INTEGER PRIMARY KEY, name TEXT)"))
    own = make(uri)
    repository = SQLCredentialRepository(own) if own else SQLCredentialRepository.from_uri(uri)
    site = make_app(credentials=repository)
    with pytest.raises(Refused) as refused:
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    assert (refused.value.status, refused.value.code) == (500, 50005)
    assert "passkey_user" in caplog.text and "column" in caplog.text and "passkey_user" not in str(refused.value)
    for each in (engine, own, repository):
        getattr(each, "dispose", getattr(each, "close", lambda: None))()


def test_an_offer_does_not_break_the_page(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The page after a password sign-in is shown whatever is wrong with the credentials; the log says what."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.sqlite3")
    site = make_app(credentials=SQLCredentialRepository(engine, create_tables=False))
    site.passkey.get_current_user(lambda: User("ada", id="1"))

    @site.app.get("/home")
    def home() -> str:
        site.passkey.offer_passkey()
        return str(site.passkey.passkey_offered())

    assert site.app.test_client().get("/home").text == "False"
    assert "no such table" in caplog.text
    engine.dispose()
