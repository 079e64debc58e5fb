"""Single statements by the database's driver, for a database in our own process.

SQLite finds a row by its key in some microseconds; SQLAlchemy's execution adds ten times as much. The parts of it that
never change, a statement's text and the conversions of its values, are worked out once here. Connections still come
from the engine's pool.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from threading import Lock
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import Select, UpdateBase
from sqlalchemy.types import TypeEngine

#: Seconds to wait for SQLite's write lock.
PATIENCE = 5

T = TypeVar("T")
Statement = Select[Any] | UpdateBase
Convert = Callable[[Any], Any]

_log = logging.getLogger("sqlalchemy.engine.Engine")


class Queue:
    """Lets the writers of one process write one after the other.

    SQLite has one. A writer that finds another one there looks again later and later, so some would wait long.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, but no longer than SQLite would; after that SQLite decides."""
        lock = self._lock
        mine = lock.acquire(timeout=PATIENCE)
        try:
            yield
        finally:
            if mine:
                lock.release()

    def forget(self) -> None:
        """Begin anew in a process that was forked off while another thread had its turn."""
        self._lock = Lock()


class Driver:
    """Runs single statements on one engine.

    :param engine: its driver takes parameters by position.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._prepared: dict[Statement, Prepared] = {}
        self.queue = Queue()

    @property
    def is_watched(self) -> bool:
        """Does somebody watch the engine's events or its log? They would miss these statements."""
        # SQLAlchemy sets it when somebody listens to this engine or to all engines.
        return getattr(self._engine, "_has_events", True) or _log.isEnabledFor(logging.INFO)

    def run(self, work: Callable[[Connection], T], *, write: bool) -> T:
        """Do work that needs no more than ``execute``; roll back if it raises, else commit if ``write``."""
        if not write:
            return self._run(work, write=False)
        with self.queue.turn():
            return self._run(work, write=True)

    def _run(self, work: Callable[[Connection], T], *, write: bool) -> T:
        try:
            with closing(self._engine.raw_connection()) as connection:  # closing rolls back what is not committed
                result = work(cast(Connection, _Executor(self, connection)))
                if write:
                    connection.commit()
                return result
        except self._engine.dialect.loaded_dbapi.Error as exc:  # of a new connection, too
            raise DBAPIError(None, None, exc) from exc

    @property
    def dialect(self) -> Dialect:
        """The dialect of the engine."""
        return self._engine.dialect

    def prepared(self, statement: Statement) -> Prepared:
        """Return a statement's text and conversions, worked out at its first use."""
        if (found := self._prepared.get(statement)) is None:
            found = self._prepared[statement] = Prepared(statement, self.dialect)
        return found


class Prepared:
    """A statement's text, and the conversions of its parameters and columns."""

    def __init__(self, statement: Statement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text: str = compiled.string
        self._parameters = [
            (name, compiled.params[name], _bind_processor(compiled.binds[name].type, dialect))
            for name in compiled.positiontup
        ]
        columns = statement.selected_columns if isinstance(statement, Select) else statement.exported_columns
        conversions = [_result_processor(column.type, dialect) for column in columns]
        self._conversions = [(place, convert) for place, convert in enumerate(conversions) if convert]

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values as the driver takes them."""
        return [convert(values.get(name, default)) for name, default, convert in self._parameters]

    def row(self, row: tuple[Any, ...]) -> list[Any]:
        """Return a row as SQLAlchemy would."""
        values = list(row)
        for place, convert in self._conversions:
            values[place] = convert(values[place])
        return values


def _bind_processor(type_: TypeEngine[Any], dialect: Dialect) -> Convert:
    return type_.dialect_impl(dialect).bind_processor(dialect) or (lambda value: value)


def _result_processor(type_: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    return type_.dialect_impl(dialect).result_processor(dialect, None)


class _Executor:
    """The part of a connection that single statements use."""

    def __init__(self, driver: Driver, connection: Any) -> None:
        self._driver = driver
        self._connection = connection
        self.dialect = driver.dialect

    def execute(self, statement: Statement, values: Mapping[str, Any]) -> Rows:
        prepared = self._driver.prepared(statement)
        cursor = self._connection.cursor()
        cursor.execute(prepared.text, prepared.parameters(values))
        rows = Rows(map(prepared.row, cursor.fetchall()))
        rows.rowcount = cursor.rowcount
        cursor.close()
        return rows


class Rows(list[list[Any]]):
    """The part of a result that single statements use."""

    rowcount = -1

    def all(self) -> Rows:
        return self

    def one_or_none(self) -> list[Any] | None:
        return self[0] if self else None

    def scalar(self) -> Any:
        return self[0][0] if self else None

    def scalars(self) -> list[Any]:
        return [row[0] for row in self]
