"""Redis, as Flask-Session's own store or behind CacheLib."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from ..logs import loggable
from . import early, internals
from .base import Adapter

# Bytes, even from a client that has decode_responses switched on.
_RAW = {"NEVER_DECODE": True}


def _claimed(answers: Sequence[Any]) -> list[bytes | None]:
    """Return a pipeline's answers; an error among them is raised only where no value is, which would be lost."""
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    values = [None if isinstance(answer, Exception) else answer for answer in answers]
    if errors and all(value is None for value in values):
        raise errors[0]
    return values


class RedisStore(Adapter):
    """Redis 6.2 or later. An older one refuses every claim; the logged reason names GETDEL, which it lacks."""

    setting = 'SESSION_TYPE = "redis"'
    client_setting = "SESSION_REDIS"
    advice = (
        'SESSION_REDIS = redis.Redis.from_url("redis://127.0.0.1"), which speaks to Valkey, too. For a cluster write '
        'SESSION_TYPE = "cachelib" and SESSION_CACHELIB = cachelib.RedisCache(redis.RedisCluster(...)).'
    )

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        from redis import Redis
        from redis.exceptions import RedisClusterException, RedisError

        super().__init__(interface, clock)
        self.errors = (RedisError, RedisClusterException)
        self._client: Any = self._find_client()
        # CacheLib takes any client. A MultiDBClient has another pipeline; in that of a RedisCluster one node that is
        # down would spoil the claims on others.
        self._has_pipeline = isinstance(self._client, Redis)

    def _find_client(self) -> Any:
        return internals.client_of(self._interface)

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        self._client.execute_command("SET", name, value, "EX", lifetime)

    def _claim(self, name: str) -> bytes | None:
        return cast("bytes | None", self._client.execute_command("GETDEL", name, **_RAW))

    def claim_each(self, keys: Sequence[str]) -> Iterator[bytes | None]:
        if (held := early.held()) and not held.keys().isdisjoint(keys):
            return self._claim_rest(keys, held)
        if len(keys) < 2 or not self._has_pipeline:
            return super().claim_each(keys)
        try:
            return iter(_claimed(self._answers(self._claims(keys))))
        except self.errors as exc:
            raise self._unavailable(exc) from loggable(exc)

    def _claim_rest(self, keys: Sequence[str], held: dict[str, bytes | None]) -> Iterator[bytes | None]:
        rest = [key for key in keys if key not in held]
        yield from [held.pop(key) for key in keys if key in held]
        yield from self.claim_each(rest)

    def uses(self, client: Any) -> bool:
        """Tell whether this store asks Redis by a certain client."""
        return client is self._client

    def get_and_claim(self, name: str, keys: Sequence[str]) -> Any:
        """Return a session's record as the client's ``get()`` does, and claim values on the same way to Redis and back.

        The request holds the values, where :meth:`claim_each` finds them. A value with an error is left to that.
        """
        record, *values = self._answers([("GET", name), *self._claims(keys)])
        answers = zip(keys, values, strict=True)
        early.hold({key: value for key, value in answers if not isinstance(value, Exception)})
        if isinstance(record, Exception):
            raise record
        return self._client.get_encoder().decode(record)

    def _claims(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        return [("GETDEL", self._prefix + key) for key in keys]

    def _answers(self, commands: Sequence[tuple[str, str]]) -> list[Any]:
        """Return the answers to commands on one way to Redis and back, errors among them."""
        with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command, **_RAW)
            return cast("list[Any]", pipeline.execute(raise_on_error=False))


class RedisCacheStore(RedisStore):
    """The Redis server of a CacheLib cache. The cache itself is not used, as its records are pickles."""

    setting = 'SESSION_TYPE = "cachelib" with SESSION_CACHELIB = RedisCache(...)'
    client_setting = ""

    def _find_client(self) -> Any:
        client, prefix = internals.redis_of(internals.cache_of(self._interface))
        self._prefix = f"{prefix}{self._prefix}"
        return client
