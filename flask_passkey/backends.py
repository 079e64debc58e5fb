"""Where pending ceremonies are kept: one small adapter for each kind of store that Flask-Session can use.

An adapter keeps a value for some seconds and gives it out once. Which operation does that safely differs from
store to store, and it is never the pair that session interfaces are made of, to read and then to delete.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, Protocol, cast

from flask.sessions import SecureCookieSessionInterface, SessionInterface
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from .errors import CeremonyStoreUnavailable, ConfigurationError

log = logging.getLogger(__name__)

#: Seconds from one sweep of expired records to the next.
SWEEP_EVERY = 60


class CeremonyBackend(Protocol):
    """A place that keeps pending ceremonies.

    .. versionadded:: 0.1
    """

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        """Keep a value for ``lifetime`` whole seconds, at least one, under a key that was never used before.

        :raises CeremonyStoreUnavailable: the store cannot be reached; the value is not kept.
        """

    def claim(self, key: str) -> bytes | None:
        """Remove a value and return it; ``None`` when there is none, or no more.

        However many ask at the same time, exactly one of them gets it.

        :raises CeremonyStoreUnavailable: the store cannot be reached.
        """


def backend_for(interface: SessionInterface, *, clock: Callable[[], float] = time.time) -> CeremonyBackend:
    """Return the adapter for the store behind a session interface. Make it once and keep it: it sweeps by the minute.

    :param clock: seconds since 1970.
    :raises ConfigurationError: the app keeps sessions in the browser, or in a store that is not known here.

    .. versionadded:: 0.1
    """
    cache = getattr(interface, "cache", None)
    # By name, so that a library need not be installed to be asked about.
    classes = (*interface.__class__.__mro__, *cache.__class__.__mro__)
    names = {f"{cls.__module__.partition('.')[0]}.{cls.__name__}" for cls in classes}
    for adapter in ADAPTERS:
        if adapter.serves in names:
            return adapter(interface, clock)
    where = (interface if cache is None else cache).__class__
    what = f"where this app keeps its sessions: {where.__module__}.{where.__name__} is not known to Flask-Passkey"
    if isinstance(interface, SecureCookieSessionInterface):
        what = "Flask's own sessions: those live in a cookie, which a browser can send again after its use"
    raise ConfigurationError(
        f"Pending ceremonies cannot be kept in {what}. Run `pip install flask-session redis` and write\n\n"
        '    from flask_session import Session\n    app.config["SESSION_TYPE"] = "redis"\n    Session(app)\n\n'
        f"Any of these will do: {', '.join(adapter.setting for adapter in ADAPTERS)}."
    )


class _Adapter:
    """What all adapters share: names of records, errors, and when to sweep."""

    serves: ClassVar[str]  # Top package and name of the class of the session interface, or of the cache in it.
    setting: ClassVar[str]  # What an app writes to get it.
    errors: tuple[type[Exception], ...]  # What the store's library raises when the store does not answer.

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        self._interface = interface
        self._clock = clock
        self._prefix = f"{getattr(interface, 'key_prefix', '')}passkey:"
        self._next_sweep = 0.0

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        with self._store_errors():
            # None at all means "for ever" to some stores and is an error to others.
            self._put(self._prefix + key, value, max(1, int(lifetime)))
        if (now := self._clock()) >= self._next_sweep:
            self._next_sweep = now + SWEEP_EVERY
            try:
                self._sweep(now)
            except self.errors as exc:
                log.warning("Expired ceremonies could not be removed from the store: %s", exc)

    def claim(self, key: str) -> bytes | None:
        with self._store_errors():
            return self._claim(self._prefix + key)

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        try:
            yield
        except self.errors as exc:
            first_line = str(exc).partition("\n")[0]
            raise CeremonyStoreUnavailable(f"{type(self).__name__}: {type(exc).__name__}: {first_line}") from exc

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        raise NotImplementedError

    def _claim(self, name: str) -> bytes | None:
        raise NotImplementedError

    def _sweep(self, now: float) -> None:
        """Remove expired records. Nothing to do where the store does."""


class RedisBackend(_Adapter):
    """Redis 6.2 or later, for its GETDEL: the reason of an older one's refusal names that command."""

    serves = "flask_session.RedisSessionInterface"
    setting = 'SESSION_TYPE = "redis"'

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        from redis.exceptions import RedisError

        super().__init__(interface, clock)
        self.errors = (RedisError,)
        self._client: Any = getattr(interface, "client", None)

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        self._client.set(name, value, ex=lifetime)

    def _claim(self, name: str) -> bytes | None:
        # Never decoded, even by a client that has decode_responses switched on.
        return cast("bytes | None", self._client.execute_command("GETDEL", name, NEVER_DECODE=True))


class RedisCacheBackend(RedisBackend):
    """The Redis server of a CacheLib cache, used past the cache, whose own records are pickles."""

    serves = "cachelib.RedisCache"
    setting = 'SESSION_TYPE = "cachelib" with SESSION_CACHELIB = RedisCache(...)'

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        super().__init__(interface, clock)
        self._client, prefix = interface.cache._write_client, interface.cache.key_prefix or ""
        self._prefix = f"{prefix() if callable(prefix) else prefix}{self._prefix}"


class FileSystemCacheBackend(_Adapter):
    """One file a record, whose modification time is its expiry, in a folder inside that of a CacheLib cache.

    The cache takes the folder, by its name, for unfinished business of its own and lets it be. Its records would
    not do: they are pickles, and above its threshold it throws away first what expires first, which is ours.
    """

    serves = "cachelib.FileSystemCache"
    setting = 'SESSION_TYPE = "cachelib" with SESSION_CACHELIB = FileSystemCache(...)'
    errors = (OSError,)

    @property
    def _folder(self) -> str:
        cache = self._interface.cache
        return os.path.join(cache._path, f"passkey{cache._fs_transaction_suffix}")

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        path = os.path.join(self._folder, hashlib.sha256(name.encode()).hexdigest())
        os.makedirs(self._folder, 0o700, exist_ok=True)
        with open(path, "xb", opener=partial(os.open, mode=0o600)) as file:
            file.write(value)
        # Until here the file counts as expired, so what a crash leaves unfinished is never read.
        expires = self._clock() + lifetime
        os.utime(path, (expires, expires))

    def _claim(self, name: str) -> bytes | None:
        path = os.path.join(self._folder, hashlib.sha256(name.encode()).hexdigest())
        mine = f"{path}.{secrets.token_hex(8)}"
        try:
            os.rename(path, mine)
            with open(mine, "rb") as file:
                value, expires = file.read(), os.fstat(file.fileno()).st_mtime
            os.unlink(mine)
        except FileNotFoundError:
            return None
        return value if expires > self._clock() else None

    def _sweep(self, now: float) -> None:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    # Not at once: one that is just being written has the present as its time.
                    if entry.stat().st_mtime <= now - SWEEP_EVERY:
                        os.unlink(entry.path)


class SimpleCacheBackend(_Adapter):
    """The memory of one process, for development."""

    serves = "cachelib.SimpleCache"
    setting = 'SESSION_TYPE = "cachelib" with SESSION_CACHELIB = SimpleCache()'
    #: Some releases of CacheLib walk through their dictionary while other threads write to it.
    errors = (RuntimeError,)

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        super().__init__(interface, clock)
        self._cache = interface.cache
        log.warning(
            'SimpleCache is for one process, and drops ceremonies above %d records. Set SESSION_TYPE = "redis".',
            self._cache._threshold,
        )

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        # The cache counts from the last full second, so it is told one second more.
        self._cache.set(name, (self._clock() + lifetime, value), timeout=lifetime + 1)

    def _claim(self, name: str) -> bytes | None:
        expires, value = self._cache.get(name) or (0, None)
        return value if self._cache.delete(name) and expires > self._clock() else None

    def _sweep(self, now: float) -> None:
        for name in [name for name in list(self._cache._cache) if name.startswith(self._prefix)]:
            if (self._cache.get(name) or (0, None))[0] <= now:
                self._cache.delete(name)


class SQLAlchemyBackend(_Adapter):
    """The session table, through connections of our own: the app's ``db.session`` and its work stay untouched.

    A request that also uses ``db.session`` thus takes two connections from the pool. SQLite in memory has only
    one, shared by everyone: it is good for tests with one thread, and for nothing else.
    """

    serves = "flask_session.SqlAlchemySessionInterface"
    setting = 'SESSION_TYPE = "sqlalchemy"'
    errors = (SQLAlchemyError,)

    @property
    def _table(self) -> Any:
        return self._interface.sql_session_model.__table__

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        # MySQL cuts fractions of a second off, so that the last second would be missing.
        expiry = _naive_utc(math.ceil(self._clock() + lifetime))
        insert = self._table.insert().values(session_id=name, data=value, expiry=expiry)
        self._run(lambda connection: connection.execute(insert))

    def _claim(self, name: str) -> bytes | None:
        columns = self._table.c
        wanted = (columns.session_id == name) & (columns.expiry > _naive_utc(self._clock()))
        delete, select = self._table.delete().where(wanted), self._table.select().where(wanted)

        def claim(connection: Connection) -> Any:
            if connection.dialect.delete_returning:
                return connection.execute(delete.returning(columns.data)).scalar()
            row = connection.execute(select).mappings().first()
            return row["data"] if row and connection.execute(delete).rowcount == 1 else None

        return cast("bytes | None", self._run(claim))

    def _sweep(self, now: float) -> None:
        # The range lets the index be used; in a database that sorts as people do it alone would be too wide.
        name, last = self._table.c.session_id, self._prefix + 64 * "z"
        ours = (name >= self._prefix) & (name <= last) & name.startswith(self._prefix, autoescape=True)
        expired = self._table.delete().where(ours, self._table.c.expiry <= _naive_utc(now))
        self._run(lambda connection: connection.execute(expired))

    def _run(self, work: Callable[[Connection], Any], *, attempts: int = 5) -> Any:
        """Do the work in a transaction; again, when the database undid it only because of others."""
        engine = self._interface.client.session.get_bind(self._interface.sql_session_model)
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as exc:
            exc.hide_parameters = True  # They hold the challenge, and a traceback would show them.
            if attempts == 1 or not _worth_repeating(exc):
                raise
        return self._run(work, attempts=attempts - 1)


def _worth_repeating(exc: DBAPIError) -> bool:
    """Tell a serialization failure or deadlock (SQLSTATE or MySQL's number), or a connection that had died."""
    orig: Any = exc.orig
    code = getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None) or next(iter(orig.args), None)
    return exc.connection_invalidated or code in {"40001", "40P01", 1213}


def _naive_utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


ADAPTERS = (RedisBackend, SQLAlchemyBackend, RedisCacheBackend, FileSystemCacheBackend, SimpleCacheBackend)
