"""A value that must be unique and is there already, in the words of each database's driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import NameTaken

#: SQLite's extended codes of primary keys and unique columns.
_SQLITE = frozenset((1555, 2067))
_SQLSTATE, _MYSQL = "23505", 1062


def is_double(error: BaseException) -> bool:
    """Tell whether a database refused a value for being there: by an error of its driver, or SQLAlchemy's around it."""
    own: Any = getattr(error, "orig", None) or error
    if all(cls.__name__ != "IntegrityError" for cls in type(own).__mro__):
        return False
    state = getattr(own, "sqlstate", None) or getattr(own, "pgcode", None)
    return state == _SQLSTATE or getattr(own, "sqlite_errorcode", None) in _SQLITE or own.args[:1] == (_MYSQL,)


@contextmanager
def as_taken_names() -> Iterator[None]:
    """Take what the database has already, where the app's ``create_user`` does not look, for a name that is taken.

    :raises NameTaken: the block met such a value.
    """
    try:
        yield
    except Exception as exc:
        if not is_double(exc):
            raise
        raise NameTaken("the account has a value that must be unique: let create_user raise NameTaken") from exc
