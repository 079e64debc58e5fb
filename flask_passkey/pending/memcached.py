"""Memcached, as Flask-Session's own store or behind CacheLib, through whichever client library the app uses."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..errors import CeremonyStoreUnavailable, ConfigurationError
from . import internals
from .base import MARK, Adapter

log = logging.getLogger(__name__)

#: Connections in our pool, where the app's client has a single one.
CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class _Library:
    """How to use memcached through one client library."""

    #: Gives a client that no other thread uses until the block ends.
    connection: Callable[[], AbstractContextManager[Any]]
    #: What the client raises when the server does not answer.
    errors: tuple[type[Exception], ...]
    #: Arguments that make the client wait for the server's reply.
    reply: dict[str, bool] = field(default_factory=dict)
    #: Are the servers up? For clients to which a missing record and a missing server look alike.
    is_up: Callable[[Any], bool] = lambda client: True


def _pymemcache(client: Any) -> _Library:
    from pymemcache.client.base import PooledClient
    from pymemcache.exceptions import MemcacheError

    inner = getattr(client, "_client", client)  # of a RetryingClient
    if not isinstance(inner, PooledClient) and not getattr(inner, "use_pooling", False):
        raise ConfigurationError(
            f"The memcached client of this app, a {type(inner).__name__} of pymemcache, has one connection for all "
            "threads: they read each other's answers, and a user may get the session of another. Write\n\n"
            '    from pymemcache.client.base import PooledClient\n    PooledClient("127.0.0.1:11211")\n\n'
            "instead, or HashClient(..., use_pooling=True)."
        )
    # By default it does not wait for replies, and reports success for every delete.
    return _Library(partial(nullcontext, client), (MemcacheError, OSError), {"noreply": False})


def _pylibmc(client: Any) -> _Library:
    import pylibmc

    if not hasattr(client, "reserve"):
        log.warning(
            "A pylibmc.Client must not be used by two threads, and Flask-Session lets all use this one. Run workers of "
            'one thread each, or set SESSION_TYPE = "cachelib" with SESSION_CACHELIB = MemcachedCache([...]), which '
            "has a pool in CacheLib 0.15 and later."
        )
        client = pylibmc.ClientPool(client, CONNECTIONS)
    with client.reserve() as one:
        if one.behaviors.get("_noreply"):
            raise ConfigurationError(
                "The pylibmc client of this app does not wait for replies, and says of every delete that it was the "
                'one: two could use one ceremony. Leave "_noreply" out of its behaviors.'
            )
    return _Library(partial(client.reserve, block=True), (pylibmc.Error,))


def _python_memcached(client: Any) -> _Library:
    # The client keeps a connection for each thread. A server that is down looks like one without records.
    return _Library(partial(nullcontext, client), (OSError,), is_up=lambda c: len(c.get_stats()) == len(c.servers))


LIBRARIES = {"pymemcache": _pymemcache, "pylibmc": _pylibmc, "memcache": _python_memcached}


def _library_of(client: Any) -> _Library:
    for cls in type(client).__mro__:
        if make := LIBRARIES.get(cls.__module__.partition(".")[0]):
            return make(client)
    raise ConfigurationError(
        f"Pending ceremonies cannot be kept through the memcached client of this app: {type(client).__module__}."
        f"{type(client).__qualname__} is not known to Flask-Passkey. (libmc is, but says of every delete that it was "
        "the one.) Run `pip install pymemcache` and write\n\n"
        '    from pymemcache.client.base import PooledClient\n    PooledClient("127.0.0.1:11211")\n\n'
        "instead. pylibmc and python-memcached will do, too."
    )


class MemcachedStore(Adapter):
    """Memcached: the caller that reads a record has claimed it only if the server says that its delete removed it.

    Memcached may drop any record when its memory is full.
    """

    setting = 'SESSION_TYPE = "memcached"'
    client_setting = "SESSION_MEMCACHED"
    advice = 'SESSION_MEMCACHED = PooledClient("127.0.0.1:11211"), of pymemcache.client.base'

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        super().__init__(interface, clock)
        self._library = _library_of(self._client)
        self.errors = self._library.errors

    @property
    def _client(self) -> Any:
        return internals.client_of(self._interface)

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        with self._library.connection() as client:
            # Memcached counts whole seconds by its clock, so the last one would be missing.
            if not client.set(_key(name), value, lifetime + 1, **self._library.reply):
                raise CeremonyStoreUnavailable(f"{type(self).__name__}: memcached did not keep the record")

    def _claim(self, name: str) -> bytes | None:
        key = _key(name)
        with self._library.connection() as client:
            value: bytes | None = client.get(key)
            if value is not None:
                return value if client.delete(key, **self._library.reply) else None
            if not self._library.is_up(client):
                raise CeremonyStoreUnavailable(f"{type(self).__name__}: memcached does not answer")
        return None


class MemcachedCacheStore(MemcachedStore):
    """The memcached servers of a CacheLib cache."""

    setting = 'SESSION_TYPE = "cachelib" with SESSION_CACHELIB = MemcachedCache(...)'
    client_setting = ""

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        super().__init__(interface, clock)
        self._prefix = f"{internals.memcached_of(internals.cache_of(interface))[1]}{self._prefix}"

    @property
    def _client(self) -> Any:
        return internals.memcached_of(internals.cache_of(self._interface))[0]


def _key(name: str) -> str:
    """Return the name, or its hash if memcached would refuse it; a client may put a prefix in front."""
    if len(name) <= 200 and name.isascii() and name.isprintable() and " " not in name:
        return name
    return f"{MARK}{hashlib.sha256(name.encode()).hexdigest()}"
