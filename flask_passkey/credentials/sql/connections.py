"""Sources of connections: an engine, or the app's session. Both create missing tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakSet

from sqlalchemy import URL, Connection, Engine, update
from sqlalchemy.exc import DBAPIError

from . import files
from .drivers import Driver
from .missing import add_missing
from .tables import metadata, passkey_user
from .turns import Queue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, scoped_session

T = TypeVar("T")
Work = Callable[[Connection], T]
#: Work that a driver can do.
Hot = Callable[[Driver], T]
#: Engine option: a single statement may run without a transaction around it.
SINGLE_STATEMENTS = "passkey_single_statements"
#: Engine option: the :class:`~flask_passkey.credentials.sql.drivers.Driver` that may run the statements of a sign-in.
DRIVER = "passkey_driver"
#: Engine option: the :class:`~flask_passkey.credentials.sql.turns.Queue` of those who write.
WRITERS = "passkey_writers"
#: Attempts after serialization failures and deadlocks.
_ATTEMPTS = 10
#: What a session is asked about that has several engines: where do you write this table?
_WRITING = update(passkey_user)


class Savepoint(Protocol):
    """What the nested transactions of an engine and of a session have in common."""

    @property
    def is_active(self) -> bool: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


class Connections(Protocol):
    """A source of connections."""

    #: Are missing tables created on first use?
    create: bool

    @property
    def url(self) -> URL:
        """The URL of the database."""

    def begin(self, *, write: bool) -> AbstractContextManager[Connection]:
        """Give a connection; roll back if the block raises, else commit if ``write``."""

    def run(self, work: Work[T], *, write: bool, single: bool = False, hot: Hot[T] | None = None) -> T:
        """Do the work in a new transaction and return what it returns.

        :param write: commit at the end.
        :param single: the work is one statement, on databases that can do it in one.
        :param hot: the same for the driver of an engine that has one.
        """

    def current(self, connection: Connection) -> Connection:
        """Return the connection of the open transaction."""

    def savepoint(self, connection: Connection) -> Savepoint:
        """Begin a part of the open transaction that can be rolled back alone."""

    def bare(self) -> AbstractContextManager[Connection]:
        """Give a connection for reading, without creating tables."""

    def create_tables(self) -> None:
        """Create the tables that are missing."""

    def forget_tables(self) -> None:
        """Check again before the next transaction whether the tables are there."""

    def close(self) -> None:
        """Close idle connections."""

    def check_beside(self, db: Any) -> None:
        """Refuse what cannot work beside the app's Flask-SQLAlchemy or Flask-SQLAlchemy-Lite."""

    def is_beside(self, db: Any) -> bool:
        """Tell whether the tables are in a database of theirs."""


class EngineConnections:
    """Connections of an engine, each for one transaction.

    :param engine: the engine, or a function that returns the one to use now.
    """

    def __init__(self, engine: Engine | Callable[[], Engine], *, create: bool) -> None:
        self._engine: Callable[[], Engine] = (lambda: engine) if isinstance(engine, Engine) else engine
        self.create = create
        self._ready: WeakSet[Engine] = WeakSet()

    @property
    def url(self) -> URL:
        return self._engine().url

    @contextmanager
    def begin(self, *, write: bool) -> Iterator[Connection]:
        engine = self._engine_with_tables()
        with _turn(engine) if write else nullcontext(), _aside(engine), engine.connect() as connection:
            yield connection
            if write:
                connection.commit()

    def run(self, work: Work[T], *, write: bool, single: bool = False, hot: Hot[T] | None = None) -> T:
        """Do the work; retry after a serialization failure or a deadlock.

        On PostgreSQL a single statement is a transaction by itself; BEGIN and COMMIT around it would cost two more
        messages to the server and back. They are left out on our own engine only: on the app's engine a transaction
        may begin with the app's own statements, such as which rows it may see.
        """
        engine = self._engine_with_tables()
        options = engine.get_execution_options()
        driver: Driver | None = options.get(DRIVER)
        run: Callable[[], T]
        if hot is not None and driver is not None and not driver.watch.is_on():
            run = partial(hot, driver)
        else:
            run = partial(self._run, engine, work, write=write, alone=single and SINGLE_STATEMENTS in options)
        if not write:
            return _retried(run, is_read=True)
        with _turn(engine):
            return _retried(run, is_read=False)

    def _run(self, engine: Engine, work: Work[T], *, write: bool, alone: bool) -> T:
        with _aside(engine), engine.connect() as connection:
            if alone:
                connection.execution_options(isolation_level="AUTOCOMMIT")
            result = work(connection)
            if write:
                connection.commit()
            return result

    def current(self, connection: Connection) -> Connection:
        return connection

    def savepoint(self, connection: Connection) -> Savepoint:
        return connection.begin_nested()

    def _engine_with_tables(self) -> Engine:
        engine = self._engine()
        if self.create and engine not in self._ready:
            self.create_tables()
        return engine

    @contextmanager
    def bare(self) -> Iterator[Connection]:
        engine = self._engine()
        with _aside(engine), engine.connect() as connection:
            yield connection

    def create_tables(self) -> None:
        engine = self._engine()
        _create_on_own_connection(engine)
        self._ready.add(engine)

    def forget_tables(self) -> None:
        self._ready.clear()

    def close(self) -> None:
        self._engine().dispose()

    def check_beside(self, db: Any) -> None:
        if (engine := self._engine_by_now()) is not None:
            files.check(engine, db)

    def is_beside(self, db: Any) -> bool:
        engine = self._engine_by_now()
        return engine is not None and any(engine.url == other.url for other in files.engines_of(db))

    def _engine_by_now(self) -> Engine | None:
        try:
            return self._engine()
        except Exception:  # the app's function may need a request
            return None


class SessionConnections:
    """The connection of the app's session; commit and rollback include all that the app has in the session.

    A session that has several engines, for binds or replicas, says on which it writes our tables; there everything is
    done, reads too.

    :param session: the session, or a registry of sessions: a function that returns the one to use now.
    """

    def __init__(self, session: Session | scoped_session[Any] | Callable[[], Session], *, create: bool) -> None:
        self._given = session
        self._session: Callable[[], Session] = session if callable(session) else lambda: session
        self.create = create
        self._ready: WeakSet[Engine] = WeakSet()

    @property
    def url(self) -> URL:
        return self._session().get_bind(clause=_WRITING).engine.url

    @contextmanager
    def begin(self, *, write: bool) -> Iterator[Connection]:
        session = self._session()
        try:
            engine = session.get_bind(clause=_WRITING).engine
            if self.create and engine not in self._ready:
                self._create_first(session, engine)
            yield self._connection(session)
            if write:
                session.commit()
                self._ready.add(engine)
        except BaseException:
            session.rollback()
            raise

    def run(self, work: Work[T], *, write: bool, single: bool = False, hot: Hot[T] | None = None) -> T:
        with self.begin(write=write) as connection:
            return work(connection)

    def current(self, connection: Connection) -> Connection:
        # A hook may have committed the session, which then has another connection.
        return self._connection(self._session())

    def savepoint(self, connection: Connection) -> Savepoint:
        return self._session().begin_nested()

    @contextmanager
    def bare(self) -> Iterator[Connection]:
        session = self._session()
        try:
            yield self._connection(session)
        except BaseException:
            session.rollback()
            raise

    def create_tables(self) -> None:
        with self.begin(write=True) as connection:
            _create_during_transaction(connection)

    def forget_tables(self) -> None:
        self._ready.clear()

    def close(self) -> None:
        """Do nothing: the session is the app's."""

    def check_beside(self, db: Any) -> None:
        files.refuse_one_session(self._given, db)

    def is_beside(self, db: Any) -> bool:
        return True

    @staticmethod
    def _connection(session: Session) -> Connection:
        return session.connection(bind_arguments={"clause": _WRITING})

    def _create_first(self, session: Session, engine: Engine) -> None:
        """Create the tables before the first use, without ending the app's transaction, if there is one.

        Tables created in that transaction are gone if it is rolled back, so check again until it is committed.
        """
        was_open = session.in_transaction()
        _create_during_transaction(self._connection(session))
        if not was_open:
            session.commit()
        if not was_open or engine.dialect.name != "sqlite":
            self._ready.add(engine)


def _turn(engine: Engine) -> AbstractContextManager[None]:
    """Wait for the other writers of this process, where the database has one at a time."""
    writers: Queue | None = engine.get_execution_options().get(WRITERS)
    return nullcontext() if writers is None else writers.turn()


def _aside(engine: Engine) -> AbstractContextManager[None]:
    """Have the engine's pool to oneself, where a driver keeps connections."""
    driver: Driver | None = engine.get_execution_options().get(DRIVER)
    return nullcontext() if driver is None else driver.kept.aside()


def _retried(work: Callable[[], T], *, is_read: bool) -> T:
    """Do the work, and again after a conflict.

    A read is repeated once more, on a new connection, where the server has closed the first one since its last use.
    """
    may_be_dead = is_read
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except DBAPIError as exc:
            if may_be_dead and exc.connection_invalidated:
                may_be_dead = False
            elif not _is_conflict(exc):
                raise
    return work()


def _is_conflict(exc: DBAPIError) -> bool:
    """Is it a serialization failure or a deadlock, by SQLSTATE or MySQL's number? Then nothing was written: retry."""
    orig: Any = exc.orig
    code = getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None) or next(iter(orig.args), None)
    return code in {"40001", "40P01", 1213}


def _create_during_transaction(connection: Connection) -> None:
    """Create the tables while the app has a transaction open."""
    if connection.dialect.name == "sqlite":
        # SQLite has one writer, which may be the app's transaction.
        _create_missing(connection, retry=lambda: None)
    else:
        # In the app's transaction MySQL would commit it, and PostgreSQL would keep others waiting until its end.
        _create_on_own_connection(connection.engine)


def _create_on_own_connection(engine: Engine) -> None:
    with _aside(engine), engine.connect() as connection:
        if engine.dialect.name != "sqlite" or files.file_of(engine):
            # It is closed, and none is left open: a factory may create the tables before its server forks.
            connection.detach()
        _create_missing(connection, retry=connection.rollback)
        connection.commit()


def _create_missing(connection: Connection, *, retry: Callable[[], None]) -> None:
    """Create the tables that are missing, and the columns.

    Another process may create one between our check and our CREATE TABLE, which then fails. That can happen once
    for each table.
    """
    for last in (False,) * len(metadata.tables) + (True,):
        try:
            metadata.create_all(connection)
            add_missing(connection)
            return
        except DBAPIError as exc:
            if last or exc.connection_invalidated:
                raise
            retry()
