"""The two statements of every sign-in by the database's own driver: read a credential, and store its use.

On our own engines they go past SQLAlchemy's execution, which costs several times what SQLite needs for them. Their
texts are SQLAlchemy's, made once, and the connections come from its pool; a few need not go back in between. Everything
else goes through SQLAlchemy: so do these two on other engines and drivers, in transactions, and where somebody watches
the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, DateTime, Engine, Select, Update
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.pool import PoolProxiedConnection

from .. import CredentialRecord
from . import files
from .kept import Kept
from .statements import GET, RECORD_USE, ids_of, record_of, use_of
from .watching import Watch


class Driver:
    """Runs the two statements on one engine, whose driver takes parameters by name, each as a transaction by itself."""

    #: How many of ours listen to the engine's pool.
    _listeners = 0

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.watch = Watch(engine)
        self.kept = Kept(engine, listeners=self._listeners)
        self._get = self._text(GET)
        self._uses = {
            must_grow: self._text(update)
            for must_grow, use in RECORD_USE.items()
            if (update := use.in_one(engine.dialect)) is not None
        }

    def get(self, credential_id: bytes) -> CredentialRecord | None:
        """Return the record with this credential ID, ``None`` if there is none."""
        row = self._row(self._get, {"key": credential_id}, write=False)
        return None if row is None else record_of(self._values(row))

    def record_use(
        self, record: CredentialRecord, *, counter_must_grow: bool, rp_ids: Collection[str]
    ) -> list[bytes] | None:
        """Store a use; return the IDs of the account's credentials, ``None`` if nothing was stored."""
        row = self._row(self._uses[counter_must_grow], self._use(record), write=True)
        return None if row is None else ids_of(row[0], rp_ids)

    def _text(self, statement: Select[Any] | Update) -> str:
        return str(statement.compile(dialect=self._engine.dialect))

    def _row(self, text: str, values: dict[str, Any], *, write: bool) -> Sequence[Any] | None:
        """Run a statement that returns one row or none."""
        try:
            lent = self.kept.take()
            rows = self._rows_on(lent.connection, text, values, write=write)
            self.kept.keep(lent)
        except self._engine.dialect.loaded_dbapi.Error as exc:  # of a new connection, too
            raise self._told(exc) from exc
        return rows[0] if rows else None

    def _rows_on(self, pooled: PoolProxiedConnection, text: str, values: dict[str, Any], *, write: bool) -> list[Any]:
        connection: Any = pooled.driver_connection
        try:
            return self._rows(connection, text, values, write=write)
        except BaseException as exc:
            error: Any = exc
            is_dead = self._engine.dialect.is_disconnect(error, connection, None)
            pooled.invalidate(exc)  # it may be in the middle of something
            pooled.close()
            if is_dead:
                self._engine.dispose()  # the server was restarted, so the pool's others are dead, too
                raise self._told(error, connection_invalidated=True) from exc
            raise

    def _told(self, exc: Exception, *, connection_invalidated: bool = False) -> StatementError:
        """Return a driver's error as SQLAlchemy tells it."""
        base = self._engine.dialect.loaded_dbapi.Error
        return DBAPIError.instance(None, None, exc, base, connection_invalidated=connection_invalidated)

    def _rows(self, connection: Any, text: str, values: dict[str, Any], *, write: bool) -> list[Any]:
        """Run a statement, and commit what it writes."""
        raise NotImplementedError

    def _use(self, record: CredentialRecord) -> dict[str, Any]:
        """Return the parameters of a use, as the driver takes them."""
        return use_of(record)

    def _values(self, row: Sequence[Any]) -> Sequence[Any]:
        """Return the row of a credential as SQLAlchemy would."""
        return row


class PsycopgDriver(Driver):
    """PostgreSQL: each statement is a transaction by itself, and psycopg prepares it where its threshold says so."""

    _listeners = 2  # engines.py tests connections after silence

    def _rows(self, connection: Any, text: str, values: dict[str, Any], *, write: bool) -> list[Any]:
        connection.autocommit = True
        rows: list[Any] = connection.execute(text, values).fetchall()
        connection.autocommit = False
        return rows


#: How to read what SQLite keeps as something else.
_READ: dict[type, Callable[[Any], Any]] = {Boolean: bool, DateTime: datetime.fromisoformat}
_READERS = [
    (place, read)
    for place, column in enumerate(GET.selected_columns)
    for kind, read in _READ.items()
    if isinstance(column.type, kind)
]


class SQLiteDriver(Driver):
    """A SQLite file: BEGIN and COMMIT around a write would cost half as much again as the write."""

    def _rows(self, connection: Any, text: str, values: dict[str, Any], *, write: bool) -> list[Any]:
        begins = connection.isolation_level
        if write:
            connection.isolation_level = None  # each statement by itself
        cursor = connection.execute(text, values)
        try:
            rows: list[Any] = cursor.fetchall()
        finally:
            cursor.close()  # or a statement that has not ended would keep its lock
        if write:
            connection.isolation_level = begins
        if connection.in_transaction:  # where a listener has set ``autocommit = False``, of Python 3.12
            connection.commit()
        return rows

    def _use(self, record: CredentialRecord) -> dict[str, Any]:
        values = use_of(record)
        if (moment := values["new_time"]) is not None:
            values["new_time"] = moment.isoformat(" ", "microseconds").removesuffix("+00:00")
        return values

    def _values(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, read in _READERS:
            if values[place] is not None:
                values[place] = read(values[place])
        return values


def driver_for(engine: Engine) -> Driver | None:
    """Return what runs the two statements on an engine of ours, ``None`` if SQLAlchemy does."""
    dialect = engine.dialect
    if not dialect.update_returning:  # SQLite before 3.35
        return None
    if (dialect.name, dialect.driver) == ("postgresql", "psycopg"):
        return PsycopgDriver(engine)
    # A connection is closed after an error, and with it a database in memory would be gone.
    is_file = (dialect.name, dialect.driver) == ("sqlite", "pysqlite") and files.file_of(engine)
    return SQLiteDriver(engine) if is_file else None
