"""SQL databases through SQLAlchemy Core."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, bindparam, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..credentials.sql.failures import is_mistake
from . import internals
from .base import Adapter


class SQLAlchemyStore(Adapter):
    """The session table, through our own connections: the app's ``db.session`` and its work stay untouched.

    A request that also uses ``db.session`` takes two connections from the pool. SQLite in memory has one
    connection, which all share: use it only in tests with one thread.
    """

    setting = 'SESSION_TYPE = "sqlalchemy"'
    client_setting = "SESSION_SQLALCHEMY"
    advice = "SESSION_SQLALCHEMY = flask_sqlalchemy.SQLAlchemy(app)."
    errors = (SQLAlchemyError,)

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        super().__init__(interface, clock)
        self._table = internals.sessions_table(interface)
        columns = self._table.c
        wanted = (columns.session_id == bindparam("name")) & (columns.expiry > bindparam("now"))
        # Built once: SQLAlchemy takes longer to build a statement than to run it.
        self._insert = self._table.insert()
        self._select = select(columns.data).where(wanted)
        self._delete = self._table.delete().where(wanted)
        self._delete_returning = self._delete.returning(columns.data)

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        # Rounded up: MySQL cuts off fractions of a second, so the last second would be missing.
        expiry = _naive_utc(math.ceil(self._clock() + lifetime))
        row = {"session_id": name, "data": value, "expiry": expiry}
        self._run(lambda connection: connection.execute(self._insert, row))

    def _claim(self, name: str) -> bytes | None:
        wanted = {"name": name, "now": _naive_utc(self._clock())}

        def claim(connection: Connection) -> Any:
            if connection.dialect.delete_returning:
                return connection.execute(self._delete_returning, wanted).scalar()
            data = connection.execute(self._select, wanted).scalar()
            return data if data is not None and connection.execute(self._delete, wanted).rowcount == 1 else None

        return cast("bytes | None", self._run(claim))

    def _sweep(self, now: float) -> None:
        expired = self._table.delete().where(self._table.c.expiry <= _naive_utc(now))
        self._run(lambda connection: connection.execute(expired.where(self._is_ours(connection.dialect.name))))

    def _is_ours(self, dialect: str) -> ColumnElement[bool]:
        name: ColumnElement[str] = self._table.c.session_id
        begins = name.startswith(self._prefix, autoescape=True)
        if dialect in ("mysql", "mariadb"):
            # LIKE uses the index. To MySQL "PASSKEY:" equals "passkey:", so compare the bytes, too.
            return begins & (func.hex(func.left(name, len(self._prefix))) == self._prefix.encode().hex().upper())
        # The range uses the index. Alone it would be too wide where the database sorts by a language's rules.
        return begins & (name >= self._prefix) & (name <= self._prefix + 64 * "z")

    def _is_mistake(self, exc: Exception) -> bool:
        return is_mistake(exc)

    def _run(self, work: Callable[[Connection], Any], *, attempts: int = 5) -> Any:
        """Do the work in a transaction; retry after a conflict with another one or on a dead connection."""
        # Not through db.session, which would be created for this request and removed after it.
        engine = internals.sessions_engine(self._interface)
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as exc:
            exc.hide_parameters = True  # They hold the challenge, and a traceback would show them.
            if attempts == 1 or not _is_retryable(exc):
                raise
        return self._run(work, attempts=attempts - 1)


def _is_retryable(exc: DBAPIError) -> bool:
    """Is it a serialization failure or deadlock (by SQLSTATE or MySQL's number), or a dead connection?"""
    orig: Any = exc.orig
    code = getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None) or next(iter(orig.args), None)
    return exc.connection_invalidated or code in {"40001", "40P01", 1213}


def _naive_utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
