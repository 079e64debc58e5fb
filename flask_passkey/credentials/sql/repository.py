"""The credential repository on an SQL database."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ...errors import (
    CredentialExists,
    CredentialNotFound,
    CredentialStoreUnavailable,
    LastCredential,
    Misconfigured,
)
from .. import CredentialRecord
from . import statements
from .connections import Connections, EngineConnections, SessionConnections
from .engines import engine_for
from .failures import is_mistake

if TYPE_CHECKING:  # it doubles the start-up time, and an app with a session has imported it
    from sqlalchemy.orm import Session, scoped_session


T = TypeVar("T")


@dataclass(slots=True)
class _Transaction:
    """The open transaction of a repository in one thread."""

    connection: Connection
    is_open: bool = True
    #: Has a call in it failed because of the database? Then part of it may be rolled back already.
    failed: bool = False


class SQLCredentialRepository:
    """Credentials in an SQL database.

    .. code-block:: python

        SQLCredentialRepository.from_uri("postgresql+psycopg://…")
        SQLCredentialRepository(engine)                      # your engine, or a function that returns it
        SQLCredentialRepository(session=db.session)          # Flask-SQLAlchemy's, or any Session

    **With a session** everything happens in the session's transaction. A write outside :meth:`transaction` and the
    end of the outermost :meth:`transaction` call ``session.commit()``; any error calls ``session.rollback()``. Both
    include all that the app has in the session. Reads leave its transaction open.

    :param engine: an engine, or a function that returns the one to use now; nothing connects before the first call.
    :param session: a session, or a registry of sessions, instead of an engine.
    :param create_tables: create missing tables on first use. Switch it off when migrations create them.
    """

    def __init__(
        self,
        engine: Engine | Callable[[], Engine] | None = None,
        *,
        session: Session | scoped_session[Any] | None = None,
        create_tables: bool = True,
    ) -> None:
        self._connections: Connections
        if engine is not None and session is None:
            self._connections = EngineConnections(engine, create=create_tables)
        elif session is not None and engine is None:
            self._connections = SessionConnections(session, create=create_tables)
        else:
            raise TypeError("give an engine or a session: SQLCredentialRepository(session=db.session)")
        self._hint = "" if create_tables else " (create_tables is off: have migrations created the tables?)"
        # One for each thread and greenlet. An async hook joins ours: Flask runs it in a copy of our context.
        self._current: ContextVar[_Transaction | None] = ContextVar("flask_passkey_transaction", default=None)

    @classmethod
    def from_uri(cls, uri: str, *, create_tables: bool = True) -> SQLCredentialRepository:
        """Return a repository with a new engine for this database URL.

        The folder of a SQLite file is created if it is missing. On SQLite the driver runs the statements of a sign-in,
        without SQLAlchemy's execution. If somebody listens to the engine's events or the log ``sqlalchemy.engine`` is
        on, SQLAlchemy runs them all.

        :param uri: an SQLAlchemy URL: ``"postgresql+psycopg://…"``.
        :param create_tables: create missing tables on first use.
        :raises ConfigurationError: the URL is not one, or its driver is not installed.
        """
        return cls(engine_for(uri), create_tables=create_tables)

    def create_tables(self) -> None:
        """Create the missing tables now. This commits the session, and cannot be part of a transaction."""
        try:
            self._connections.create_tables()
        except (SQLAlchemyError, OSError) as exc:
            raise self._unavailable(exc) from exc

    def close(self) -> None:
        """Close idle connections of the engine; the repository opens new ones when it is used again."""
        self._connections.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Make all calls inside the block take effect together or, when it raises, not at all.

        It gives the connection. Rows that the app writes on it take effect together with the rest. A block inside a
        block joins the outer one. If the inner one raises and the outer one goes on, only the inner one is undone.
        What the block raises comes out unchanged, IntegrityError included; only other errors of SQLAlchemy become
        :class:`~flask_passkey.errors.CredentialStoreUnavailable` or, where no other try could help,
        :class:`~flask_passkey.errors.Misconfigured`.
        """
        current = self._open()
        with self._given(self._outer() if current is None else self._inner(current)) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection on which the app can read its rows, for example to load its user.

        It takes no lock: on SQLite others can write meanwhile, while those in :meth:`transaction` wait for each other.
        What the app writes on it outside a transaction is undone at the end of the block. With a session it is the
        session's connection, in the session's transaction.
        """
        current = self._open()
        source = self._connections.begin(write=False) if current is None else nullcontext(current.connection)
        with self._given(source) as connection:
            yield connection

    @contextmanager
    def _given(self, source: AbstractContextManager[Connection]) -> Iterator[Connection]:
        """Give the caller's block a connection; the block's own errors come out unchanged."""
        in_block = False
        try:
            with source as connection:
                in_block = True
                yield connection
                in_block = False
        except IntegrityError:
            raise
        except (SQLAlchemyError, OSError) as exc:
            if in_block and isinstance(exc, OSError):
                raise
            raise self._unavailable(exc) from exc

    def run_apart(self, work: Callable[[Connection], T]) -> T:
        """Do the work of one statement in a transaction by itself, for pending ceremonies; errors come out as they are.

        :raises Misconfigured: :meth:`transaction` is open, and another one beside it would wait for it or end it.
        """
        current = self._open()
        if current is not None and (
            current.connection.dialect.name == "sqlite" or isinstance(self._connections, SessionConnections)
        ):
            raise Misconfigured("a ceremony was begun or finished inside passkey.credentials.transaction()")
        try:
            return self._connections.run(work, write=True, single=True)
        except (SQLAlchemyError, OSError):
            self._connections.forget_tables()  # somebody may have dropped them
            raise

    def get_user_handle(self, user_id: str) -> bytes | None:
        return self._read(lambda connection: connection.execute(statements.GET_HANDLE, {"owner": user_id}).scalar())

    def add_user(self, user_id: str, user_handle: bytes) -> bytes:
        values = {"user_id": user_id, "user_handle": user_handle}

        def add(connection: Connection) -> bytes | None:
            return (
                user_handle if statements.ADD_USER(connection, values) else statements.ADD_USER.find(connection, values)
            )

        handle = self._call(add)
        if handle is None:
            raise CredentialStoreUnavailable("the account was forgotten at the same moment")
        return handle

    def delete_user(self, user_id: str) -> None:
        def delete(connection: Connection) -> None:
            # The database cascades, except SQLite on an engine that has not switched foreign keys on.
            connection.execute(statements.DELETE_ALL, {"owner": user_id})
            connection.execute(statements.DELETE_USER, {"owner": user_id})

        self._call(delete)

    def add(self, record: CredentialRecord) -> None:
        if not self._call(lambda connection: statements.ADD(connection, statements.values_of(record))):
            raise CredentialExists("the credential ID is already registered")

    def get(self, credential_id: bytes) -> CredentialRecord | None:
        key = {"key": credential_id}
        row = self._read(lambda connection: connection.execute(statements.GET, key).one_or_none())
        return None if row is None else statements.record_of(row)

    def of_user(self, user_id: str) -> builtins.list[CredentialRecord]:
        owner = {"owner": user_id}
        rows = self._read(lambda connection: connection.execute(statements.LIST, owner).all())
        return [statements.record_of(row) for row in rows]

    def record_use(self, record: CredentialRecord, *, counter_must_grow: bool) -> builtins.list[bytes] | None:
        record_use = statements.RECORD_USE_IF_GROWN if counter_must_grow else statements.RECORD_USE
        return self._call(lambda connection: record_use(connection, statements.use_of(record)), single=True)

    def rename(self, credential_id: bytes, *, user_id: str, label: str) -> CredentialRecord:
        change = {"key": credential_id, "owner": user_id, "new_label": label}

        def rename(connection: Connection) -> CredentialRecord:
            if not connection.execute(statements.RENAME, change).rowcount:
                raise CredentialNotFound("the account has no credential with this ID")
            return statements.record_of(connection.execute(statements.GET, {"key": credential_id}).one())

        return self._call(rename)

    def delete(self, credential_id: bytes, *, user_id: str, keep_last: bool) -> None:
        owner = {"owner": user_id}

        def delete(connection: Connection) -> None:
            connection.execute(statements.LOCK, owner)
            ids = connection.execute(statements.LOCK_IDS, owner).scalars().all()
            if credential_id not in ids:
                raise CredentialNotFound("the account has no credential with this ID")
            if keep_last and len(ids) == 1:
                raise LastCredential("the account has no other way to sign in")
            connection.execute(statements.DELETE, {"key": credential_id})

        self._call(delete)

    def _read(self, work: Callable[[Connection], T]) -> T:
        return self._call(work, write=False, single=True)

    def _call(self, work: Callable[[Connection], T], *, write: bool = True, single: bool = False) -> T:
        """Do the work of one call, which may be a single statement, in the open transaction or else in a new one."""
        current = self._open()
        try:
            if current is not None:
                return work(self._connections.current(current.connection))
            return self._connections.run(work, write=write, single=single)
        except (SQLAlchemyError, OSError) as exc:
            if current is not None:
                current.failed = True
            raise self._unavailable(exc) from exc

    @contextmanager
    def _outer(self) -> Iterator[Connection]:
        """Open a transaction for the caller's block."""
        with self._connections.begin(write=True) as connection:
            if connection.dialect.name == "sqlite":
                # Take the write lock now: a transaction that has read first may never get it.
                connection.execute(statements.LOCK, {"owner": ""})
            current = _Transaction(connection)
            self._current.set(current)
            try:
                yield connection
            finally:
                current.is_open = False
                self._current.set(None)
            if current.failed:
                raise CredentialStoreUnavailable("a call inside the transaction failed, and the block went on")

    @contextmanager
    def _inner(self, current: _Transaction) -> Iterator[Connection]:
        """Open a savepoint in the open transaction for the caller's inner block."""
        connection = self._connections.current(current.connection)
        savepoint = self._connections.savepoint(connection)
        try:
            yield connection
        except BaseException:
            if savepoint.is_active:
                savepoint.rollback()
            raise
        if savepoint.is_active:
            savepoint.commit()

    def _open(self) -> _Transaction | None:
        current = self._current.get()
        return current if current is not None and current.is_open else None

    def _unavailable(self, exc: Exception) -> CredentialStoreUnavailable | Misconfigured:
        """Return the refusal with the error's first line for the log: databases add values on further lines."""
        self._connections.forget_tables()  # somebody may have dropped them
        cause = getattr(exc, "orig", None) or exc
        first_line = str(cause).partition("\n")[0]
        refusal = Misconfigured if is_mistake(exc) else CredentialStoreUnavailable
        return refusal(f"{type(cause).__name__}: {first_line}{self._hint}")
