"""The memory of this process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from . import internals
from .base import Adapter

log = logging.getLogger(__name__)


class SimpleCacheStore(Adapter):
    """The memory of one process, for development: a dictionary beside that of a CacheLib cache.

    The cache itself would not do: above its threshold it deletes first what expires first, which is ours.
    """

    setting = 'SESSION_TYPE = "cachelib" with SESSION_CACHELIB = SimpleCache()'
    errors = ()

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        super().__init__(interface, clock)
        cache = internals.cache_of(interface)
        # Each call of a dictionary is atomic. It is kept on the cache, so that all adapters of one cache share it.
        self._records: dict[str, tuple[float, bytes]] = internals.records_beside(cache, "_passkey_records")
        log.warning(
            'SimpleCache is for one process, and drops sessions above %d records. Set SESSION_TYPE = "redis".',
            internals.threshold_of(cache),
        )

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        self._records[name] = (self._clock() + lifetime, value)

    def _claim(self, name: str) -> bytes | None:
        expires, value = self._records.pop(name, (0, None))
        return value if expires > self._clock() else None

    def _sweep(self, now: float) -> None:
        for name, (expires, _) in list(self._records.items()):
            if expires <= now:
                self._records.pop(name, None)
