"""The SQL repository: the contract on three kinds of databases, and what is SQL's own."""

from __future__ import annotations

import contextvars
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import services
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.migration import MigrationContext
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.schema import CreateTable

from flask_passkey.contracts import CredentialRepositoryContract, GrantRepositoryContract, new_record
from flask_passkey.contracts.repository import Adding, Deleting
from flask_passkey.credentials.sql import SQLCredentialRepository, metadata, passkey_credential, passkey_user
from flask_passkey.errors import (
    ConfigurationError,
    CredentialExists,
    CredentialNotFound,
    CredentialStoreUnavailable,
    Misconfigured,
)

pytestmark = pytest.mark.proves("threats:grant-used-twice")

#: The app's own table.
account = Table("account", MetaData(), Column("id", Integer, primary_key=True), Column("name", String(40), unique=True))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An app's own SQLite engine, with an account table."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.sqlite3", connect_args={"timeout": 0.05})
    account.create(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def repository(engine: Engine) -> SQLCredentialRepository:
    return SQLCredentialRepository(engine)


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Engine]:
    """An engine for a PostgreSQL database without our tables."""
    engine = create_engine(postgresql_url)
    metadata.drop_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def mariadb(mariadb_url: str) -> str:
    """URL of a MariaDB database with our tables, empty, as making them anew takes it a while."""
    engine = create_engine(mariadb_url)
    metadata.create_all(engine)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    engine.dispose()
    return mariadb_url


def fill(repository: SQLCredentialRepository, *ids: bytes) -> None:
    """Store credentials of one account."""
    repository.add_user("ada", new_record().user_handle)
    for id_ in ids or (b"id",):
        repository.add(new_record(id_))


def names(connection: Connection) -> list[str]:
    """Return the names of the app's accounts."""
    return list(connection.execute(account.select().order_by(account.c.name)).scalars(1))


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that the database is sent, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def remember(connection: object, cursor: object, statement: str, parameters: Any, *_: object) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", remember)
    yield seen
    event.remove(engine, "before_cursor_execute", remember)


class TestOnSQLite(CredentialRepositoryContract, GrantRepositoryContract):
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Iterator[SQLCredentialRepository]:
        repository = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkey.sqlite3")
        yield repository
        repository.close()


class TestInMemory(CredentialRepositoryContract, GrantRepositoryContract):
    @pytest.fixture
    def repository(self) -> Iterator[SQLCredentialRepository]:
        repository = SQLCredentialRepository.from_uri("sqlite://")
        yield repository
        repository.close()


@pytest.mark.services
class TestOnPostgreSQL(CredentialRepositoryContract, GrantRepositoryContract):
    @pytest.fixture
    def repository(self, postgresql: Engine) -> SQLCredentialRepository:
        return SQLCredentialRepository(postgresql)


@pytest.mark.services
class TestOnSerializablePostgreSQL(Adding, Deleting):
    """There the database undoes what gets into each other's way: of simultaneous calls none may fail for that."""

    @pytest.fixture
    def repository(self, postgresql: Engine) -> SQLCredentialRepository:
        return SQLCredentialRepository(postgresql.execution_options(isolation_level="SERIALIZABLE"))


@pytest.mark.services
class TestOnMariaDB(CredentialRepositoryContract, GrantRepositoryContract):
    @pytest.fixture
    def repository(self, mariadb: str) -> Iterator[SQLCredentialRepository]:
        repository = SQLCredentialRepository.from_uri(mariadb)
        yield repository
        repository.close()


class TestInSession(CredentialRepositoryContract, GrantRepositoryContract):
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Iterator[SQLCredentialRepository]:
        self.app = Flask(__name__)
        self.app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/app.sqlite3"
        db = SQLAlchemy(self.app)
        with self.app.app_context():
            yield SQLCredentialRepository(session=db.session)
            db.session.remove()
            db.engine.dispose()

    def thread_context(self) -> AbstractContextManager[object]:
        return self.app.app_context()


# The app's transaction


def test_apps_rows_are_undone_with_ours(repository: SQLCredentialRepository, engine: Engine) -> None:
    """What the app writes on the connection it is given takes effect, or not, together with the credential."""
    with pytest.raises(CredentialExists), repository.transaction() as connection:
        connection.execute(account.insert(), {"name": "ada"})
        fill(repository, b"1", b"1")
    with repository.transaction() as connection:
        assert names(connection) == []
        connection.execute(account.insert(), {"name": "ada"})
        fill(repository, b"1")
    with engine.connect() as connection:
        assert names(connection) == ["ada"]
    assert len(repository.of_user("ada")) == 1


@pytest.mark.services
@pytest.mark.parametrize("nested", [True, False])
def test_taken_name_can_be_told(postgresql: Engine, nested: bool) -> None:
    """An app's own violated constraint comes out as it is, and in an inner block leaves the outer one usable."""
    repository = SQLCredentialRepository(postgresql)
    account.create(postgresql, checkfirst=True)

    def create_account() -> None:
        with pytest.raises(IntegrityError), repository.transaction() as connection:
            connection.execute(account.insert(), [{"name": "ada"}, {"name": "ada"}])

    if nested:
        with repository.transaction():
            create_account()
            fill(repository)
        assert repository.get(b"id") is not None
    else:
        create_account()
    with postgresql.connect() as connection:
        assert names(connection) == []
    account.drop(postgresql)


def test_other_errors_of_the_apps_statements_are_the_stores(repository: SQLCredentialRepository) -> None:
    """An error of the database in the app's block is the store's, here a mistake; the cause stays with it."""
    with pytest.raises(Misconfigured) as caught, repository.transaction() as connection:
        connection.execute(text("SELECT nonsense FROM nowhere"))
    assert isinstance(caught.value.__cause__, OperationalError)


@pytest.mark.parametrize("error", [OSError("the app's"), KeyboardInterrupt(), ValueError("the app's")])
def test_apps_errors_come_out_as_they_are(repository: SQLCredentialRepository, error: BaseException) -> None:
    """Whatever else the app's block raises comes out unchanged, after everything is undone."""
    with pytest.raises(type(error)) as caught, repository.transaction():
        fill(repository)
        raise error
    assert caught.value is error
    assert repository.get(b"id") is None


def test_failed_call_fails_its_transaction(repository: SQLCredentialRepository) -> None:
    """A block that hides that the store failed in it does not end as if all were well, and has changed nothing."""
    with pytest.raises(CredentialStoreUnavailable), repository.transaction() as connection:
        fill(repository)
        connection.execute(text("ALTER TABLE passkey_credential RENAME TO elsewhere"))
        with pytest.raises(Misconfigured):
            repository.get(b"id")
        connection.execute(text("ALTER TABLE elsewhere RENAME TO passkey_credential"))
    assert repository.get_user_handle("ada") is None


def test_threads_do_not_share_a_transaction(repository: SQLCredentialRepository) -> None:
    """Another thread does not see what an open transaction has done, and its reads do not wait for it."""
    fill(repository, b"before")
    seen: list[object] = []
    with repository.transaction():
        repository.add(new_record(b"during"))
        run_in_thread(lambda: seen.extend((repository.get(b"before"), repository.get(b"during"))))
    assert seen == [new_record(b"before"), None]


def test_copied_context_joins_the_transaction(repository: SQLCredentialRepository) -> None:
    """An async hook, which Flask runs in another thread with a copy of the context, joins, and only until the end."""
    with repository.transaction():
        context = contextvars.copy_context()
        run_in_thread(lambda: context.run(fill, repository))
        assert repository.get(b"id") == new_record()
    run_in_thread(lambda: context.run(repository.add, new_record(b"later")))
    assert repository.get(b"later") == new_record(b"later")


def run_in_thread(work: Callable[[], object]) -> None:
    """Run something in another thread and wait for it."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)


@pytest.mark.parametrize("begins", [True, False])
def test_transaction_holds_the_write_lock_from_its_start(tmp_path: Path, begins: bool) -> None:
    """On SQLite, what a transaction has read stays true until it writes: others have to wait, and it never fails."""
    uri = f"sqlite:///{tmp_path}/app.sqlite3"
    engine, others = (create_engine(uri, connect_args={"timeout": 0}) for _ in range(2))
    if begins:  # as SQLAlchemy's manual says, for transactions that cover reads; then snapshots grow old
        event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    repository, other = SQLCredentialRepository(engine), SQLCredentialRepository(others)
    fill(repository, b"first")
    with repository.transaction():
        assert len(repository.of_user("ada")) == 1
        with pytest.raises(CredentialStoreUnavailable):
            other.add(new_record(b"other"))
        repository.add(new_record(b"second"))
    other.add(new_record(b"other"))
    assert len(repository.of_user("ada")) == 3
    engine.dispose()
    others.dispose()


def test_reading_waits_for_nobody(tmp_path: Path) -> None:
    """On SQLite, what an app reads through the repository needs no lock that somebody who writes may hold."""
    uri = f"sqlite:///{tmp_path}/app.sqlite3"
    engine, others = (create_engine(uri, connect_args={"timeout": 0}) for _ in range(2))
    account.create(engine)
    repository, other = SQLCredentialRepository(engine), SQLCredentialRepository(others)
    with repository.transaction() as connection:
        connection.execute(account.insert(), {"name": "ada"})
    other.create_tables()
    with repository.transaction() as connection:
        connection.execute(account.insert(), {"name": "bob"})
        with repository.reading() as inner:
            assert names(inner) == ["ada", "bob"], "it is part of the transaction that is open"
        with other.reading() as connection:
            assert names(connection) == ["ada"]
        with pytest.raises(CredentialStoreUnavailable), other.transaction():
            pass
    with repository.reading() as connection:
        connection.execute(account.insert(), {"name": "eve"})
    with pytest.raises(Misconfigured), repository.reading() as connection:
        connection.execute(text("SELECT nonsense FROM nowhere"))
    with repository.reading() as connection:
        assert names(connection) == ["ada", "bob"]
    engine.dispose()
    others.dispose()


# The app's session


@pytest.fixture
def db() -> Iterator[SQLAlchemy]:
    """Flask-SQLAlchemy in memory, as in apps' tests, with an account table."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db = SQLAlchemy(app)
    with app.app_context():
        account.create(db.engine)
        yield db
        db.session.remove()
        db.engine.dispose()


def test_session_commits_with_the_credential(db: SQLAlchemy) -> None:
    """A write outside a transaction commits all that the app has in its session."""
    repository = SQLCredentialRepository(session=db.session)
    db.session.execute(account.insert(), {"name": "ada"})
    fill(repository)
    db.session.rollback()
    assert names(db.session.connection()) == ["ada"]
    assert repository.get(b"id") == new_record()


def test_session_rolls_back_with_the_credential(db: SQLAlchemy) -> None:
    """When a block raises, what the app did in its session is undone too."""
    repository = SQLCredentialRepository(session=db.session)
    with pytest.raises(KeyError), repository.transaction():
        db.session.execute(account.insert(), {"name": "ada"})
        fill(repository)
        raise KeyError
    assert names(db.session.connection()) == []
    assert repository.get(b"id") is None


def test_reading_leaves_the_session_alone(db: SQLAlchemy) -> None:
    """A read neither commits nor undoes what the app has in its session, not even the one that creates the tables."""
    repository = SQLCredentialRepository(session=db.session)
    db.session.execute(account.insert(), {"name": "ada"})
    assert repository.of_user("ada") == []
    assert repository.get(b"id") is None
    assert names(db.session.connection()) == ["ada"]
    db.session.rollback()
    assert names(db.session.connection()) == []
    fill(repository)
    assert repository.get(b"id") == new_record()


def test_hook_may_commit_the_session(db: SQLAlchemy) -> None:
    """A hook that commits the session in the middle of a transaction gives up "all or nothing", and no more."""
    repository = SQLCredentialRepository(session=db.session)
    with repository.transaction():
        db.session.execute(account.insert(), {"name": "ada"})
        db.session.commit()
        fill(repository)
    db.session.rollback()
    assert names(db.session.connection()) == ["ada"]
    assert repository.get(b"id") == new_record()


@pytest.mark.services
def test_session_on_postgresql(postgresql: Engine, postgresql_url: str) -> None:
    """In a session on PostgreSQL the tables are created beside the app's transaction, which goes on."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = postgresql_url
    db = SQLAlchemy(app)
    account.create(postgresql, checkfirst=True)
    with app.app_context():
        repository = SQLCredentialRepository(session=db.session)
        db.session.execute(account.insert(), {"name": "ada"})
        assert repository.of_user("ada") == []
        assert inspect(postgresql).has_table("passkey_user")
        db.session.rollback()
        fill(repository)
        assert repository.get(b"id") == new_record()
        db.session.remove()
        db.engine.dispose()
    account.drop(postgresql)


def test_engine_of_the_app_at_hand() -> None:
    """A function gives the engine anew for each call, so that one repository serves several apps."""
    db, apps = SQLAlchemy(), [Flask("one"), Flask("two")]
    repository = SQLCredentialRepository(lambda: db.engine)
    for number, app in enumerate(apps):
        app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
        db.init_app(app)
        with app.app_context():
            fill(repository, b"%d" % number)
    for number, app in enumerate(apps):
        with app.app_context():
            assert [record.id for record in repository.of_user("ada")] == [b"%d" % number]
            db.engine.dispose()


@pytest.mark.parametrize("both", [True, False])
def test_engine_or_session(engine: Engine, db: SQLAlchemy, both: bool) -> None:
    """A repository is made of an engine or a session, not of both or neither."""
    given: dict[str, Any] = {"engine": engine, "session": db.session} if both else {}
    with pytest.raises(TypeError, match="session=db.session"):
        SQLCredentialRepository(**given)


# Tables


def test_nothing_is_connected_before_the_first_call(tmp_path: Path) -> None:
    """Making a repository touches no database."""
    repository = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/deep/down/passkey.sqlite3")
    assert list(tmp_path.iterdir()) == []
    repository.create_tables()
    assert (tmp_path / "deep/down/passkey.sqlite3").exists()
    repository.close()


@pytest.mark.parametrize("kind", ["memory", "session"])
def test_tables_can_be_created_at_once(db: SQLAlchemy, kind: str) -> None:
    """Whoever wants the tables before the first call can have them, also in a database with one connection."""
    memory = SQLCredentialRepository.from_uri("sqlite://")
    repository = memory if kind == "memory" else SQLCredentialRepository(session=db.session, create_tables=False)
    repository.create_tables()
    db.session.rollback()
    fill(repository)
    assert repository.get(b"id") == new_record()
    memory.close()


def test_missing_tables_are_not_created_where_switched_off(engine: Engine) -> None:
    """With ``create_tables=False`` the tables are left to migrations; while they are missing, the log says so."""
    repository = SQLCredentialRepository(engine, create_tables=False)
    with pytest.raises(Misconfigured, match="no such table: passkey.*create_tables is off"):
        repository.get(b"id")
    assert inspect(engine).get_table_names() == ["account"]
    repository.create_tables()
    assert repository.get(b"id") is None


def test_dropped_tables_come_back(repository: SQLCredentialRepository, engine: Engine) -> None:
    """When somebody drops the tables, the next call fails and the one after it finds them again."""
    fill(repository)
    metadata.drop_all(engine)
    with pytest.raises(Misconfigured):
        repository.get(b"id")
    assert repository.get(b"id") is None


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def test_alembic_makes_the_same_tables(database: str, engine: Engine, request: pytest.FixtureRequest) -> None:
    """Alembic writes a migration for the tables that needs no import of ours, and sees no difference afterwards."""
    engine = engine if database == "sqlite" else request.getfixturevalue("postgresql")
    # Tables of other tests may be there.
    ours = {"include_name": lambda name, kind, _: kind != "table" or name in metadata.tables}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=ours)
        upgrade = produce_migrations(context, metadata).upgrade_ops
        assert upgrade is not None
        code = render_python_code(upgrade, migration_context=context)
        assert code.count("op.create_table(") == len(metadata.tables)
        assert "flask_passkey" not in code
        assert "pk_passkey_user" in code
        assert "fk_passkey_credential_user_handle" in code
    SQLCredentialRepository(engine).create_tables()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=ours)
        assert compare_metadata(context, metadata) == []


def test_mysql_gets_types_it_can_index() -> None:
    """On MySQL the keys are VARBINARY, times keep microseconds, and accounts are told apart by every letter."""
    ddl = " ".join(str(CreateTable(table).compile(dialect=mysql.dialect())) for table in metadata.sorted_tables)
    for expected in (
        "id VARBINARY(1023) NOT NULL",
        "user_handle VARBINARY(64) NOT NULL",
        "user_id VARCHAR(255) COLLATE utf8mb4_bin NOT NULL",
        "created_at DATETIME(6) NOT NULL",
        "last_used_at DATETIME(6)",
        "attestation_object BLOB(1048576)",
        "CHARSET=utf8mb4",
    ):
        assert expected in ddl


@pytest.mark.services
def test_times_do_not_depend_on_the_servers_zone(postgresql_url: str, postgresql: Engine) -> None:
    """Moments given in any zone, to a server in any zone, come back in UTC to the microsecond."""
    created = new_record().created_at
    zones = timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))
    engine = create_engine(postgresql_url, connect_args={"options": "-c timezone=Asia/Kolkata"})
    repository = SQLCredentialRepository(engine)
    repository.add_user("ada", new_record().user_handle)
    repository.add(new_record(created_at=created.astimezone(zones[0]), last_used_at=created.astimezone(zones[1])))
    found = repository.get(b"id")
    assert found == new_record(last_used_at=created)
    assert found.created_at.utcoffset() == timedelta(0)
    engine.dispose()


def test_times_in_other_zones(repository: SQLCredentialRepository) -> None:
    """On SQLite, which has no time zones, moments given in another zone come back in UTC."""
    record = new_record()
    zone = timezone(timedelta(hours=-8))
    repository.add_user("ada", record.user_handle)
    repository.add(replace(record, created_at=record.created_at.astimezone(zone)))
    later = record.created_at + timedelta(minutes=1)
    assert repository.record_use(replace(record, last_used_at=later.astimezone(zone)), counter_must_grow=True)
    assert repository.get(b"id") == replace(record, last_used_at=later)


def test_credential_without_account_is_refused(tmp_path: Path) -> None:
    """A credential whose account has no user handle is not stored, and not said to exist."""
    repository = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkey.sqlite3")
    with pytest.raises(CredentialNotFound):
        repository.add(new_record())
    assert repository.get(b"id") is None
    repository.close()


def test_list_of_one_moment(repository: SQLCredentialRepository) -> None:
    """Records of the same moment are listed in the order of their IDs, whatever the database likes."""
    fill(repository, b"7", b"3", b"9", b"1")
    assert [record.id for record in repository.of_user("ada")] == [b"1", b"3", b"7", b"9"]


@pytest.mark.services
def test_forgetting_waits_for_a_registration(postgresql: Engine) -> None:
    """An account that is deleted while a credential is being added to it is gone afterwards, and so is that."""
    repository = SQLCredentialRepository(postgresql)
    fill(repository)
    thread = threading.Thread(target=repository.delete_user, args=("ada",))
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    with repository.transaction():
        repository.add(new_record(b"new"))
        thread.start()
        deadline = time.monotonic() + services.PATIENCE
        with postgresql.connect() as other:
            while not other.execute(waiting).scalar_one() and time.monotonic() < deadline:
                other.rollback()
    thread.join(services.PATIENCE)
    assert repository.get_user_handle("ada") is None
    assert repository.of_user("ada") == []
    with postgresql.connect() as other:
        assert other.execute(passkey_credential.select()).all() == []


# Speed


@pytest.mark.parametrize(
    "call",
    [
        lambda repository: repository.get(b"2"),
        lambda repository: repository.of_user("ada"),
        lambda repository: repository.get_user_handle("ada"),
        lambda repository: repository.record_use(new_record(b"1", sign_count=9), counter_must_grow=True),
        lambda repository: repository.rename(b"1", user_id="ada", label="New"),
        lambda repository: repository.delete(b"1", user_id="ada", keep_last=True),
    ],
    ids=["get", "list", "get_user_handle", "record_use", "rename", "delete"],
)
def test_statements_use_indexes(
    repository: SQLCredentialRepository, engine: Engine, call: Callable[[SQLCredentialRepository], object]
) -> None:
    """However many credentials there are, no statement looks at all of them."""
    fill(repository, b"1", b"2", b"3")
    with statements_of(engine) as seen:
        call(repository)
    with engine.connect() as connection:
        for statement, parameters in seen:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).scalars("detail").all()
            assert plan
            assert not [step for step in plan if step.startswith("SCAN")], statement


@pytest.mark.parametrize(
    ("call", "count"),
    [
        (lambda repository: repository.get(b"1"), 1),
        (lambda repository: repository.of_user("ada"), 1),
        (lambda repository: repository.get_user_handle("ada"), 1),
        (lambda repository: repository.record_use(new_record(b"1", sign_count=9), counter_must_grow=True), 1),
        (lambda repository: repository.add(new_record(b"2")), 3),  # the account is locked first, its handle looked at
        (lambda repository: repository.add(new_record(b"2"), limit=9), 4),  # and its credentials counted
        (lambda repository: repository.add_user("bob", b"b" * 64), 1),
    ],
)
def test_calls_are_few_statements(
    repository: SQLCredentialRepository,
    engine: Engine,
    call: Callable[[SQLCredentialRepository], object],
    count: int,
) -> None:
    """What a sign-in needs is one statement each, and to add a credential takes few."""
    fill(repository, b"1")
    with statements_of(engine) as seen:
        call(repository)
    assert len(seen) == count


# Databases that are down, and our own engine


@pytest.mark.services
def test_server_comes_and_goes() -> None:
    """A repository starts while its server is down, says so, and works as soon as it is up, again and again."""
    port = services.free_port()
    repository = SQLCredentialRepository.from_uri(f"postgresql+psycopg://passkey@127.0.0.1:{port}/postgres")
    for _ in range(2):
        with pytest.raises(CredentialStoreUnavailable, match="refused") as caught:
            repository.get(b"id")
        assert isinstance(caught.value.__cause__, OperationalError)
        with pytest.raises(CredentialStoreUnavailable), repository.transaction():
            pytest.fail("the block was entered")
        with services.postgresql_server(port=port):
            fill(repository)
            assert repository.get(b"id") == new_record()
    repository.close()


@pytest.mark.services
def test_restarted_server_costs_no_failed_call(postgresql: Engine, postgresql_url: str) -> None:
    """Connections that died while they were idle are replaced before they are used."""
    repository = SQLCredentialRepository.from_uri(postgresql_url)
    fill(repository)
    others = "FROM pg_stat_activity WHERE pid != pg_backend_pid() AND usename = user"
    with postgresql.connect() as connection:
        assert connection.execute(text(f"SELECT count(pg_terminate_backend(pid, 5000)) {others}")).scalar_one() >= 1
    assert repository.get(b"id") == new_record()
    repository.close()


@pytest.mark.services
def test_server_lost_in_a_transaction(postgresql: Engine, postgresql_url: str) -> None:
    """When the connection dies in a transaction, its end tells, nothing was changed, and the next call works."""
    repository = SQLCredentialRepository.from_uri(postgresql_url)
    repository.create_tables()
    with pytest.raises(CredentialStoreUnavailable), repository.transaction() as connection:
        fill(repository)
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with postgresql.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    assert repository.get(b"id") is None
    repository.close()


def test_locked_database_is_unavailable(repository: SQLCredentialRepository, tmp_path: Path) -> None:
    """When another process keeps SQLite's write lock, writing is refused, reading goes on, and later all is well."""
    fill(repository)
    other = sqlite3.connect(tmp_path / "app.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for write in (lambda: repository.add(new_record(b"2")), lambda: repository.transaction().__enter__()):
        with pytest.raises(CredentialStoreUnavailable, match="database is locked"):
            write()
    assert repository.get(b"id") == new_record()
    other.close()
    repository.add(new_record(b"2"))


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """An error of the file system is the store's."""
    (tmp_path / "file").touch()
    repository = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/file/passkey.sqlite3")
    for call in (lambda: repository.get(b"id"), lambda: repository.transaction().__enter__()):
        with pytest.raises(CredentialStoreUnavailable) as caught:
            call()
        assert isinstance(caught.value.__cause__, OSError)
    (tmp_path / "file").unlink()
    assert repository.get(b"id") is None
    repository.close()


def test_reasons_hold_no_values(tmp_path: Path) -> None:
    """The reason of a failure, which is logged with its cause, holds nothing of the account or credential."""
    repository = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkey.sqlite3")
    record = new_record(b"Secret", user_id="Secret", user_handle=b"Secret" * 9, label=None)
    repository.add_user(record.user_id, record.user_handle)
    with pytest.raises(Misconfigured) as caught:
        repository.add(record)
    assert "Secret" not in caught.value.reason
    assert "Secret" not in f"{caught.value} {caught.value.__cause__}"
    repository.close()


def test_sqlite_settings(tmp_path: Path) -> None:
    """Our own SQLite database lets readers and a writer work together, checks references, and waits for locks."""
    repository = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkey.sqlite3")
    with repository.transaction() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000}
    repository.close()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("secret-password", "not a database URL"),
        ("oops://me:secret-password@host/db", "unknown start, 'oops'"),
        ("postgres://me:secret-password@host/db", "postgresql"),
        ("mssql+pyodbc://me:secret-password@host/db", "pip install pyodbc"),
    ],
)
def test_wrong_url_is_explained(uri: str, message: str) -> None:
    """A URL that cannot work is refused at start, naming the setting, and without the password."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        SQLCredentialRepository.from_uri(uri)
    assert "PASSKEY_DATABASE_URI" in str(caught.value)
    assert "secret-password" not in str(caught.value)
    assert caught.value.__cause__ is None or "secret-password" not in str(caught.value.__cause__)


def test_foreign_keys_need_not_be_on(repository: SQLCredentialRepository, engine: Engine) -> None:
    """An account is forgotten with its credentials also on an engine where SQLite does not check references."""
    fill(repository, b"1", b"2")
    repository.delete_user("ada")
    with engine.connect() as connection:
        assert connection.execute(passkey_credential.select()).all() == []
        assert connection.execute(passkey_user.select()).all() == []


@pytest.mark.services
def test_tables_may_be_in_a_schema(postgresql: Engine) -> None:
    """Where another package has tables of our names, ours can be in a schema of their own."""
    with postgresql.begin() as connection:
        connection.execute(text("CREATE TABLE passkey_user (id INTEGER)"))
        connection.execute(text("CREATE SCHEMA passkeys"))
    repository = SQLCredentialRepository(postgresql.execution_options(schema_translate_map={None: "passkeys"}))
    fill(repository)
    assert repository.get(b"id") == new_record()
    with postgresql.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM passkey_user")).scalar_one() == 0
        connection.execute(text("DROP SCHEMA passkeys CASCADE"))
        connection.execute(text("DROP TABLE passkey_user"))
