"""Which errors of a database last until somebody mends something, and which are worth another try."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy.exc import DBAPIError, DisconnectionError, PendingRollbackError, SQLAlchemyError, TimeoutError

#: Classes of SQLSTATE that may pass: connection, transaction state, conflict, resources, object in use, intervention,
#: system, internal.
_PASSING_STATES = frozenset(("08", "25", "40", "53", "55", "57", "58", "XX"))
#: A reference or a unique value: another request came in between.
_RACES = frozenset(("23503", "23505"))
_READ_ONLY = "25006"
#: SQLite's result codes: a wrong statement or schema, not permitted, read-only, corrupt, too big, mismatch, misuse, not
#: authorized, wrong format, range, no database.
_SQLITE_MISTAKES = frozenset((1, 3, 8, 11, 18, 20, 21, 23, 24, 25, 26))
_SQLITE_CONSTRAINT = 19
_SQLITE_LOCKS = frozenset((5, 6))
#: SQLite's extended codes of foreign keys, primary keys and unique values.
_SQLITE_RACES = frozenset((787, 1555, 2067))
#: Numbers of MySQL and MariaDB that their drivers call operational or integrity errors: access denied, unknown database
#: or column, table or column denied, read-only, no default, null, check.
_MYSQL_MISTAKES = frozenset(
    (1044, 1045, 1048, 1049, 1054, 1142, 1143, 1227, 1290, 1364, 1370, 1698, 1792, 1836, 3819, 4025)
)
#: What PostgreSQL and PgBouncer say when they let nobody in; without a connection drivers have no SQLSTATE. Servers of
#: other languages than English say it in others, and then it counts as something that may pass.
_LETS_NOBODY_IN = re.compile(
    r"FATAL: .*(authentication failed|does not exist|no such (user|database)|no pg_hba.conf entry|is not permitted to"
    r" log in|permission denied for database)"
)
#: What PEP 249 calls errors that the database has with a statement or its values.
_MISTAKES = frozenset(("ProgrammingError", "DataError", "NotSupportedError"))


def is_mistake(error: Exception) -> bool:
    """Tell whether an error will come again however often the call is tried: no table or column, a value too long.

    A database that is away, busy or locked, or in conflict with another request, is none.
    """
    if not isinstance(error, SQLAlchemyError) or isinstance(error, TimeoutError | DisconnectionError):
        return False
    if not isinstance(error, DBAPIError):
        return not isinstance(error, PendingRollbackError)  # no engine, a wrong argument, …
    return not error.connection_invalidated and _is_mistake_of(error.orig)


def is_sqlite_lock(error: Any) -> bool:
    """Tell whether SQLite has waited for a lock in vain: busy, or a locked table."""
    return getattr(getattr(error, "orig", error), "sqlite_errorcode", 0) & 0xFF in _SQLITE_LOCKS


def _is_mistake_of(error: Any) -> bool:
    """Judge by what the driver tells: SQLSTATE, except of MySQL, whose numbers say more, or the class of PEP 249."""
    number = next(iter(error.args), None)
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state and not isinstance(number, int):
        return state == _READ_ONLY or (state[:2] not in _PASSING_STATES and state not in _RACES)
    if (code := getattr(error, "sqlite_errorcode", None)) is not None:
        if code & 0xFF == _SQLITE_CONSTRAINT:
            return code not in _SQLITE_RACES
        return code & 0xFF in _SQLITE_MISTAKES
    if isinstance(number, str) and _LETS_NOBODY_IN.search(number):
        return True
    return number in _MYSQL_MISTAKES or any(cls.__name__ in _MISTAKES for cls in type(error).__mro__)
