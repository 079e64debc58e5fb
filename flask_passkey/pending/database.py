"""A table beside the credentials, for apps whose sessions are in a cookie or in a store of another kind."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import BigInteger, LargeBinary, bindparam, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from ..credentials.sql.failures import is_mistake
from ..credentials.sql.tables import passkey_ceremony as table
from .base import Adapter

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..credentials.sql import SQLCredentialRepository

_now = bindparam("now", type_=BigInteger)
_wanted = (table.c.key == bindparam("wanted", type_=LargeBinary)) & (table.c.expires_at > _now)
# Built once: SQLAlchemy takes longer to build a statement than to run it.
_INSERT = insert(table)
_SELECT = select(table.c.value).where(_wanted)
_DELETE = delete(table).where(_wanted)
_DELETE_RETURNING = _DELETE.returning(table.c.value)
_SWEEP = delete(table).where(table.c.expires_at <= _now)


class DatabaseStore(Adapter):
    """The table ``passkey_ceremony``, through the engine or session of the credentials.

    Each call is a transaction by itself: a ceremony that was claimed stays so, whatever comes of its finish. With a
    session that is the session's, and a call commits what the app has in it, as all writes of such a repository do.

    :param repository: that of the credentials.
    :param clock: seconds since 1970.
    """

    errors = (SQLAlchemyError, OSError)

    def __init__(self, repository: SQLCredentialRepository, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(None, clock)
        self._prefix = ""  # nothing else is in the table
        self._repository = repository

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        row = {"key": name.encode(), "value": value, "expires_at": math.ceil(self._clock() + lifetime)}
        self._run(lambda connection: connection.execute(_INSERT, row))

    def _claim(self, name: str) -> bytes | None:
        wanted = {"wanted": name.encode(), "now": int(self._clock())}

        def claim(connection: Connection) -> Any:
            if connection.dialect.delete_returning:
                return connection.execute(_DELETE_RETURNING, wanted).scalar()
            value = connection.execute(_SELECT, wanted).scalar()
            return value if value is not None and connection.execute(_DELETE, wanted).rowcount == 1 else None

        return cast("bytes | None", self._run(claim))

    def _sweep(self, now: float) -> None:
        self._run(lambda connection: connection.execute(_SWEEP, {"now": int(now)}))

    def _run(self, work: Callable[[Connection], Any]) -> Any:
        return self._repository.run_apart(work)

    def _is_mistake(self, exc: Exception) -> bool:
        return is_mistake(exc)
