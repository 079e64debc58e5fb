"""The memory of this process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from .base import Adapter

log = logging.getLogger(__name__)


class SimpleCacheBackend(Adapter):
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
