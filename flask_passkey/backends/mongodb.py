"""MongoDB."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from .base import Adapter


class MongoDBBackend(Adapter):
    """A document each in Flask-Session's collection, found by ``_id``: the ``id`` of sessions has no index.

    Flask-Session's index on ``expiration`` lets MongoDB remove expired ones, within about a minute.
    """

    serves = "flask_session.MongoDBSessionInterface"
    setting = 'SESSION_TYPE = "mongodb"'
    client_setting = "SESSION_MONGODB"
    instead = 'SESSION_MONGODB = pymongo.MongoClient("mongodb://127.0.0.1")'

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        from pymongo.errors import PyMongoError

        super().__init__(interface, clock)
        self.errors = (PyMongoError,)
        self._collection = interface.store

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        self._collection.insert_one({"_id": name, "val": value, "expiration": _date(self._clock() + lifetime)})

    def _claim(self, name: str) -> bytes | None:
        wanted = {"_id": name, "expiration": {"$gt": _date(self._clock())}}
        document = self._collection.find_one_and_delete(wanted, {"val": True})
        return cast(bytes, document["val"]) if document else None


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
