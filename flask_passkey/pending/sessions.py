"""Saving a session only while its record is there: a sign-out or a new id wins over all that had read it before.

Flask-Session writes the session that a request has read at the end of every request, whether its record is still
there or not. Here each of its stores does that in one atomic step that changes a record and never makes one.
Flask-Session still decides what is written, and for how long: only the last call, into the store's client, is another.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from .internals import (
    cache_of,
    class_names,
    client_of,
    collection_of,
    delete_of,
    ignored_folder,
    is_in_files,
    is_in_memory,
    is_plain_redis,
    memcached_of,
    redis_of,
    upsert_of,
)

#: Saves a session as Flask-Session's ``_upsert_session`` does: lifetime, session, name of the record.
Save = Callable[[timedelta, Any, str], None]
#: Does that under a new name, and deletes the record of the old one.
Move = Callable[[timedelta, Any, str, str], None]

_ATTEMPTS = 5
_lock = threading.RLock()


class SessionEnded(Exception):
    """The record of a session is gone: somebody signed out, or the session has another id by now."""


def saver_for(interface: Any) -> Save | None:
    """Return what saves a session only while its record is there; ``None`` where the store is not known.

    It raises :class:`SessionEnded` where the record is gone.
    """
    names = class_names(interface)
    for name, make in _SAVERS.items():
        if name in names:
            saver: Save = make(interface)
            return saver
    return None


def mover_for(interface: Any) -> Move | None:
    """Return what saves a session under a new name and deletes the old record on one way to the store and back.

    ``None`` where that takes two.
    """
    return partial(_move_in_redis, interface) if is_plain_redis(interface) else None


def lock_for(interface: Any) -> Callable[[], AbstractContextManager[None]] | None:
    """Return the lock to hold while a session is deleted, in stores that have no call to change what is there."""
    cache = cache_of(interface)
    if is_in_files(cache):
        return partial(_file_lock, ignored_folder(cache, "passkey-lock"))
    return _memory_lock if is_in_memory(cache) else None


class _Client:
    """A store's client in which one call is another.

    :param change: what the call does instead; ``None`` or ``False`` when there was no record.
    """

    def __init__(self, client: Any, call: str, change: Callable[..., Any]) -> None:
        self._client = client
        setattr(self, call, _or_ended(change))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _or_ended(change: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        result = change(*args, **kwargs)
        if not result:
            raise SessionEnded
        return result

    return call


def _with(holder: Any, **parts: Any) -> Any:
    """Return a copy of a session interface or cache with other parts."""
    other = copy(holder)
    vars(other).update(parts)
    return other


def _upsert(interface: Any) -> Save:
    return partial(upsert_of(interface), interface)


def _redis_client(client: Any) -> _Client:
    return _Client(client, "set", lambda *args, **kwargs: client.set(*args, xx=True, **kwargs))


def _redis(interface: Any) -> Save:
    return _upsert(_with(interface, client=_redis_client(client_of(interface))))


def _move_in_redis(interface: Any, lifetime: timedelta, session: Any, name: str, old: str) -> None:
    # Not a transaction: a proxy that spreads records over several servers may refuse those.
    with client_of(interface).pipeline(transaction=False) as pipeline:
        other = _with(interface, client=pipeline)
        delete_of(interface)(other, old)
        upsert_of(interface)(other, lifetime, session, name)
        pipeline.execute()


def _redis_cache(interface: Any) -> Save:
    cache = cache_of(interface)
    client, _ = redis_of(cache)
    return _upsert(_with(interface, cache=_with(cache, _write_client=_redis_client(client))))


def _memcached_client(client: Any) -> _Client:
    # By default pymemcache does not wait for replies.
    reply = {"noreply": False} if type(client).__module__.startswith("pymemcache") else {}
    return _Client(client, "set", lambda *args: client.replace(*args, **reply))


def _memcached(interface: Any) -> Save:
    return _upsert(_with(interface, client=_memcached_client(client_of(interface))))


def _memcached_cache(interface: Any) -> Save:
    cache = cache_of(interface)
    own, _ = memcached_of(cache)
    # CacheLib 0.15 and later take a client out of a pool.
    given: Callable[[], Any] = getattr(cache, "_client_context", lambda: nullcontext(own))

    @contextmanager
    def connection() -> Iterator[_Client]:
        with given() as client:
            yield _memcached_client(client)

    parts = {"_client": _memcached_client(own), "_client_context": connection}
    return _upsert(_with(interface, cache=_with(cache, **parts)))


def _mongodb(interface: Any) -> Save:
    store = collection_of(interface)

    def update_one(wanted: Any, change: Any, upsert: bool) -> bool:
        return bool(store.update_one(wanted, change).matched_count)

    return _upsert(_with(interface, store=_Client(store, "update_one", update_one)))


def _dynamodb(interface: Any) -> Save:
    from botocore.exceptions import ClientError

    store = collection_of(interface)

    def update_item(**item: Any) -> bool:
        try:
            store.update_item(**item, ConditionExpression="attribute_exists(id)")
        except ClientError as exc:
            if exc.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    return _upsert(_with(interface, store=_Client(store, "update_item", update_item)))


def _local_cache(interface: Any) -> Save:
    """Save into memory or files: nobody deletes a record between the look and the write."""
    upsert, lock = _upsert(interface), lock_for(interface) or _memory_lock

    def save(lifetime: timedelta, session: Any, name: str) -> None:
        with lock():
            if not cache_of(interface).has(name):
                raise SessionEnded
            upsert(lifetime, session, name)

    return save


def _sqlalchemy(interface: Any) -> Save:
    """Update the row, in the app's ``db.session`` and committing that, as Flask-Session does."""

    def save(lifetime: timedelta, session: Any, name: str) -> None:
        db, model = client_of(interface).session, interface.sql_session_model
        values = {
            "data": interface.serializer.encode(session),
            "expiry": datetime.now(UTC).replace(tzinfo=None) + lifetime,
        }
        for last in (False,) * (_ATTEMPTS - 1) + (True,):
            try:
                found = db.query(model).filter_by(session_id=name).update(values, synchronize_session=False)
                db.commit()
                break
            except Exception:
                db.rollback()
                if last:
                    raise
        if not found:
            raise SessionEnded

    return save


@contextmanager
def _memory_lock() -> Iterator[None]:
    with _lock:
        yield


@contextmanager
def _file_lock(path: str) -> Iterator[None]:
    """Hold a lock that all processes share; where the file system has none, all threads of this one."""
    with _lock, ExitStack() as held:
        with suppress(ImportError, OSError):
            import fcntl  # here, as other stores need no lock; Windows, where the files are for one process, has none

            file = held.enter_context(open(path, "ab", opener=partial(os.open, mode=0o600)))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


_SAVERS: dict[str, Callable[[Any], Save]] = {
    "flask_session.RedisSessionInterface": _redis,
    "flask_session.SqlAlchemySessionInterface": _sqlalchemy,
    "flask_session.MemcachedSessionInterface": _memcached,
    "flask_session.MongoDBSessionInterface": _mongodb,
    "flask_session.DynamoDBSessionInterface": _dynamodb,
    "cachelib.RedisCache": _redis_cache,
    "cachelib.MemcachedCache": _memcached_cache,
    "cachelib.FileSystemCache": _local_cache,
    "cachelib.SimpleCache": _local_cache,
}
