"""The repository of credentials and enrolment grants on an SQL database."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet, finalize

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ...errors import (
    CredentialExists,
    CredentialNotFound,
    CredentialStoreUnavailable,
    LastCredential,
    Misconfigured,
    TooManyCredentials,
)
from ...logs import loggable, summary
from .. import CredentialRecord, GrantRecord
from . import grants, statements
from .connections import Connections, EngineConnections, Hot, SessionConnections, Work
from .deletion import delete_account, delete_with, mapped_base
from .engines import engine_for, of_this_process
from .failures import is_mistake, is_sqlite_lock
from .inspection import TableProblem, table_problems
from .missing import advice
from .tables import has_tables

if TYPE_CHECKING:  # it doubles the start-up time, and an app with a session has imported it
    from sqlalchemy.orm import Session, scoped_session


log = logging.getLogger(__name__)

T = TypeVar("T")

_LOCKED_BY_US = (
    "create_user, or what else is in passkey.credentials.transaction(), waits for a lock that this transaction has: "
    "let it write on the connection that passkey.credentials.transaction() gives, or Passkey(app, "
    "credentials=SQLCredentialRepository(session=db.session)) with db.session"
)


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
        SQLCredentialRepository(session=lambda: db.session)  # Flask-SQLAlchemy-Lite's: the current one

    **With a session** everything happens in the session's transaction. A write outside :meth:`transaction` and the
    end of the outermost :meth:`transaction` call ``session.commit()``; any error calls ``session.rollback()``. Both
    include all that the app has in the session. Reads leave its transaction open.

    :param engine: an engine, or a function that returns the one to use now; nothing connects before the first call.
    :param session: a session, a registry of sessions, or a function that returns the one to use now, instead of an
        engine. With several engines behind it, everything is done where the session writes ``passkey_user``.
    :param create_tables: create missing tables on first use. Switch it off when migrations create them.
    """

    def __init__(
        self,
        engine: Engine | Callable[[], Engine] | None = None,
        *,
        session: Session | scoped_session[Any] | Callable[[], Session] | None = None,
        create_tables: bool = True,
    ) -> None:
        self._connections: Connections
        if engine is not None and session is None:
            self._connections = EngineConnections(engine, create=create_tables)
        elif session is not None and engine is None:
            self._connections = SessionConnections(session, create=create_tables)
        else:
            raise TypeError("give an engine or a session: SQLCredentialRepository(session=db.session)")
        self._models: WeakSet[type] = WeakSet()
        self._has_warned = False
        # One for each thread and greenlet. An async hook joins ours: Flask runs it in a copy of our context.
        self._current: ContextVar[_Transaction | None] = ContextVar("flask_passkey_transaction", default=None)

    @classmethod
    def from_uri(cls, uri: str, *, create_tables: bool = True) -> SQLCredentialRepository:
        """Return a repository with a new engine for this database URL.

        A SQLite file that is missing is created for its owner only, and so is its folder. On a SQLite file, and with
        psycopg, the driver runs the two statements of a sign-in, without SQLAlchemy's execution. If somebody listens
        to the engine's events or the log ``sqlalchemy.engine`` is on, SQLAlchemy runs them all.

        :raises ConfigurationError: the URL is not one, or its driver is not installed.
        """
        engine = engine_for(uri)
        repository = cls(of_this_process(engine), create_tables=create_tables)
        # SQLAlchemy leaves a forgotten engine's connections open, and Python 3.13 warns of SQLite's.
        finalize(repository, engine.dispose).atexit = False
        return repository

    def create_tables(self) -> None:
        """Create the missing tables now. This commits the session, and cannot be part of a transaction."""
        try:
            self._connections.create_tables()
        except (SQLAlchemyError, OSError) as exc:
            raise self._unavailable(exc) from loggable(exc)

    @property
    def url(self) -> URL:
        """Return the database's URL, to look where it is. Never show it: it may hold a password."""
        return self._connections.url

    def table_problems(self) -> list[TableProblem]:
        """Look how the tables differ from ours; missing ones are told only where the first use does not make them.

        :raises CredentialStoreUnavailable: the database cannot be reached.
        :raises Misconfigured: it lets nobody look.
        """
        with self._given(self._connections.bare()) as connection:
            problems = list(table_problems(connection))
        return [problem for problem in problems if not (problem.is_mended and self._connections.create)]

    def close(self) -> None:
        """Close idle connections of the engine; the repository opens new ones when it is used again."""
        self._connections.close()

    def check_beside(self, db: Any) -> None:
        """Refuse what cannot work beside the app's own connections to its databases, in its context.

        :param db: Flask-SQLAlchemy or Flask-SQLAlchemy-Lite.
        :raises ConfigurationError: with the line to write.
        """
        self._connections.check_beside(db)

    def leaves_tables_to(self, db: Any) -> bool:
        """Tell whether the app makes the tables that are in its database, by migrations or ``db.create_all()``.

        It does where its metadata has them, and then we make none.

        :param db: Flask-SQLAlchemy or Flask-SQLAlchemy-Lite, in its context.
        """
        if not self._connections.is_beside(db):
            return True
        if has_tables(getattr(db, "metadatas", {}).values()):
            self._connections.create = False
        return not self._connections.create

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
        with self._given(self._outer() if current is None else self._inner(current), writes=True) as connection:
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
    def _given(self, source: AbstractContextManager[Connection], *, writes: bool = False) -> Iterator[Connection]:
        """Give the caller's block a connection; the block's own errors come out unchanged.

        :param writes: the block has SQLite's lock, for which whatever else is in it waits in vain.
        """
        in_block = False
        try:
            with source as connection:
                in_block = True
                yield connection
                in_block = False
        except IntegrityError:
            raise
        except (SQLAlchemyError, sqlite3.OperationalError, OSError) as exc:
            if in_block and writes and connection.dialect.name == "sqlite" and is_sqlite_lock(exc):
                raise Misconfigured(_LOCKED_BY_US) from loggable(exc)
            if in_block and not isinstance(exc, SQLAlchemyError):
                raise
            raise self._unavailable(exc) from loggable(exc)

    def delete_with(self, model: type, user_id: Callable[[Any], str]) -> None:
        """Have passkeys go with their account's row, where a model of SQLAlchemy's stands for that.

        It makes no difference where the accounts are in another database.

        :param model: the class of the app's users, which may be any.
        :param user_id: gives the id of one of them.
        """
        if model not in self._models:
            self._models.add(model)
            if (base := mapped_base(model)) is not None:
                delete_with(base, user_id=user_id)

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
        values = {"user_id": user_id, "user_handle": user_handle, "primary_for": user_id}

        def add(connection: Connection) -> bytes | None:
            if statements.ADD_USER(connection, values):
                return user_handle
            first = statements.ADD_USER.find(connection, values)
            if first is None and connection.execute(statements.GET_OWNER, {"handle": user_handle}).scalar():
                raise CredentialExists("the user handle belongs to another account")
            if first not in (None, user_handle):
                statements.ADD_HANDLE(connection, values | {"primary_for": None})
            return first

        handle = self._call(add)
        if handle is None:
            raise CredentialNotFound("the account was forgotten at the same moment")
        return handle

    def delete_user(self, user_id: str) -> None:
        self._call(lambda connection: delete_account(connection, user_id))

    def user_ids(self, *, after: str = "", limit: int = 500) -> list[str]:
        wanted = {"owner": after, "limit": limit}
        return self._read(lambda connection: list(connection.execute(statements.USER_IDS, wanted).scalars()))

    def add(self, record: CredentialRecord, *, limit: int | None = None, rp_ids: Collection[str] = ()) -> None:
        owner = {"owner": record.user_id}

        def add(connection: Connection) -> None:
            if not connection.execute(statements.LOCK, owner).rowcount:
                raise CredentialNotFound("the account has no user handle: it was forgotten")
            rows = () if limit is None else connection.execute(statements.LOCK_IDS, owner).all()
            if limit is not None and len(statements.counted(rows, rp_ids)) >= limit:
                raise TooManyCredentials(f"the account has {limit} credentials")
            owner_of_handle = connection.execute(statements.GET_OWNER, {"handle": record.user_handle}).scalar()
            if owner_of_handle != record.user_id:
                raise CredentialNotFound("the account does not have this user handle: it was forgotten")
            if not statements.ADD(connection, statements.values_of(record)):
                raise CredentialExists("the credential ID is already registered")

        self._call(add)

    def get(self, credential_id: bytes) -> CredentialRecord | None:
        def get(connection: Connection) -> CredentialRecord | None:
            row = connection.execute(statements.GET, {"key": credential_id}).one_or_none()
            return None if row is None else statements.record_of(row)

        return self._call(get, write=False, single=True, hot=lambda driver: driver.get(credential_id))

    def of_user(self, user_id: str) -> list[CredentialRecord]:
        owner = {"owner": user_id}
        rows = self._read(lambda connection: connection.execute(statements.LIST, owner).all())
        return [statements.record_of(row) for row in rows]

    def record_use(
        self, record: CredentialRecord, *, counter_must_grow: bool, rp_ids: Collection[str] = ()
    ) -> list[bytes] | None:
        record_use = statements.RECORD_USE[counter_must_grow]
        return self._call(
            lambda connection: record_use(connection, statements.use_of(record), rp_ids),
            single=True,
            hot=lambda driver: driver.record_use(record, counter_must_grow=counter_must_grow, rp_ids=rp_ids),
        )

    def rename(self, credential_id: bytes, *, user_id: str, label: str) -> CredentialRecord:
        change = {"key": credential_id, "owner": user_id, "new_label": label}

        def rename(connection: Connection) -> CredentialRecord:
            if not connection.execute(statements.RENAME, change).rowcount:
                raise CredentialNotFound("the account has no credential with this ID")
            return statements.record_of(connection.execute(statements.GET, {"key": credential_id}).one())

        return self._call(rename)

    def delete(self, credential_id: bytes, *, user_id: str, keep_last: bool, rp_ids: Collection[str] = ()) -> None:
        owner = {"owner": user_id}

        def delete(connection: Connection) -> None:
            connection.execute(statements.LOCK, owner)
            rows = connection.execute(statements.LOCK_IDS, owner).all()
            if credential_id not in statements.counted(rows):
                raise CredentialNotFound("the account has no credential with this ID")
            if keep_last and not set(statements.counted(rows, rp_ids)) - {credential_id}:
                raise LastCredential("the account has no other way to sign in")
            connection.execute(statements.DELETE, {"key": credential_id})

        self._call(delete)

    def count_by_rp_id(self) -> dict[str, int]:
        rows = self._read(lambda connection: connection.execute(statements.COUNT_BY_RP_ID, {}).all())
        return {rp_id: int(count) for rp_id, count in rows}

    # Enrolment grants

    def add_grant(self, grant: GrantRecord) -> None:
        def add(connection: Connection) -> None:
            values, owner = grants.values_of(grant), {"owner": grant.user_id}
            if not connection.execute(statements.LOCK, owner).rowcount:
                raise CredentialStoreUnavailable("the account has no user handle: it was forgotten at the same moment")
            connection.execute(grants.DELETE_EXPIRED, owner | {"now": values["new_created_at"]})
            connection.execute(grants.ADD, values)

        self._call(add)

    def get_grant(self, token_hash: bytes) -> GrantRecord | None:
        row = self._read(lambda connection: connection.execute(grants.GET, {"key": token_hash}).one_or_none())
        return None if row is None else grants.record_of(row)

    def claim_grant(self, token_hash: bytes, *, now: datetime) -> bool:
        claim = {"key": token_hash, "now": now.astimezone(UTC)}
        return self._call(lambda connection: connection.execute(grants.CLAIM, claim).rowcount == 1, single=True)

    def grants_of(self, user_id: str) -> list[GrantRecord]:
        rows = self._read(lambda connection: connection.execute(grants.LIST, {"owner": user_id}).all())
        return [grants.record_of(row) for row in rows]

    def delete_grants(self, user_id: str, *, kind: str | None = None, rp_id: str | None = None) -> int:
        delete = grants.delete_some(kind=kind, rp_id=rp_id)
        return self._call(lambda connection: int(connection.execute(delete, {"owner": user_id}).rowcount))

    def _read(self, work: Callable[[Connection], T]) -> T:
        return self._call(work, write=False, single=True)

    def _call(self, work: Work[T], *, write: bool = True, single: bool = False, hot: Hot[T] | None = None) -> T:
        """Do the work of one call, which may be a single statement, in the open transaction or else in a new one."""
        current = self._open()
        try:
            if current is not None:
                return work(self._connections.current(current.connection))
            return self._connections.run(work, write=write, single=single, hot=hot)
        except (SQLAlchemyError, OSError) as exc:
            if current is not None:
                current.failed = True
            raise self._unavailable(exc) from loggable(exc)

    @contextmanager
    def _outer(self) -> Iterator[Connection]:
        """Open a transaction for the caller's block."""
        with self._connections.begin(write=True) as connection:
            if connection.dialect.name == "sqlite":
                # Take the write lock now: a transaction that has read first may never get it.
                connection.execute(statements.LOCK, {"owner": ""})
            current, begun = _Transaction(connection), connection.get_transaction()
            self._current.set(current)
            try:
                yield connection
            finally:
                current.is_open = False
                self._current.set(None)
            if begun is not None and not begun.is_active:
                self._warn_of_end()
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
        else:
            self._warn_of_end()

    def _warn_of_end(self) -> None:
        """Warn, once, of an app that ends a transaction which is not over."""
        if not self._has_warned:
            self._has_warned = True
            log.warning(
                "The app has committed or rolled back in create_user, or elsewhere inside "
                "passkey.credentials.transaction(): an account may be left without its passkey. Flush, do not commit: "
                "write db.session.flush() instead of db.session.commit()."
            )

    def _open(self) -> _Transaction | None:
        current = self._current.get()
        return current if current is not None and current.is_open else None

    def _unavailable(self, exc: Exception) -> CredentialStoreUnavailable | Misconfigured:
        """Return the refusal with the error's first line for the log: databases add values on further lines."""
        self._connections.forget_tables()  # somebody may have dropped them
        refusal = Misconfigured if is_mistake(exc) else CredentialStoreUnavailable
        hint = (
            ""
            if self._connections.create
            else " (create_tables is off, or the app's metadata has the tables: have migrations run?)"
        )
        return refusal(f"{summary(exc)}{hint}{advice(exc)}")
