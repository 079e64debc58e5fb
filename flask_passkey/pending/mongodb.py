"""MongoDB."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from . import internals
from .base import Adapter

#: WriteConflict: nothing was written; retry. MongoDB retries by itself; not every compatible server does.
WRITE_CONFLICT = 112
ATTEMPTS = 10


class MongoDBStore(Adapter):
    """One document a ceremony in Flask-Session's collection, found by ``_id``: the ``id`` of sessions has no index.

    MongoDB removes expired documents within about a minute, by Flask-Session's index on ``expiration``.
    """

    setting = 'SESSION_TYPE = "mongodb"'
    client_setting = "SESSION_MONGODB"
    advice = 'SESSION_MONGODB = pymongo.MongoClient("mongodb://127.0.0.1")'

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        from pymongo.errors import PyMongoError

        super().__init__(interface, clock)
        self.errors = (PyMongoError,)
        self._collection = internals.collection_of(interface)

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        record = {"_id": name, "val": value, "expiration": _date(self._clock() + lifetime)}
        self._retry_on_conflict(partial(self._collection.insert_one, record))

    def _claim(self, name: str) -> bytes | None:
        wanted = {"_id": name, "expiration": {"$gt": _date(self._clock())}}
        document = self._retry_on_conflict(partial(self._collection.find_one_and_delete, wanted, {"val": True}))
        return cast(bytes, document["val"]) if document else None

    def _retry_on_conflict(self, call: Callable[[], Any]) -> Any:
        for last in (False,) * (ATTEMPTS - 1) + (True,):
            try:
                return call()
            except self.errors as exc:
                if last or getattr(exc, "code", None) != WRITE_CONFLICT:
                    raise
        raise AssertionError("the last attempt returns or raises")


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
