"""Files in a folder."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO, cast

from . import internals
from .base import SWEEP_EVERY, Adapter

log = logging.getLogger(__name__)

#: A cache for at least so many sessions was configured on purpose.
MANY_SESSIONS = 10_000


class FileSystemCacheStore(Adapter):
    """One file a ceremony, in a folder inside that of a CacheLib cache. The file's modification time is its expiry.

    CacheLib ignores the folder because its name ends like CacheLib's own temporary files. CacheLib's records would
    not do: they are pickles, and above its threshold it deletes first what expires first, which is ours.
    """

    setting = 'SESSION_TYPE = "cachelib" with SESSION_CACHELIB = FileSystemCache(...)'
    errors = (OSError,)

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        super().__init__(interface, clock)
        cache = internals.cache_of(interface)
        if 0 < internals.threshold_of(cache) < MANY_SESSIONS:
            log.warning(
                "FileSystemCache forgets sessions, those of signed-in users among them, as soon as there are more than "
                "%d. Write SESSION_CACHELIB = FileSystemCache(%r, threshold=0), and remove old files now and then.",
                internals.threshold_of(cache),
                internals.path_of(cache),
            )

    @property
    def _folder(self) -> str:
        return internals.ignored_folder(internals.cache_of(self._interface), "passkey")

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        path = os.path.join(self._folder, hashlib.sha256(name.encode()).hexdigest())
        with self._create(path) as file:
            file.write(value)
        # Until then the file counts as expired, so one that a crash left unfinished is never read.
        expires = self._clock() + lifetime
        os.utime(path, (expires, expires))

    def _create(self, path: str) -> BinaryIO:
        create = partial(open, path, "xb", opener=partial(os.open, mode=0o600))
        try:
            return cast(BinaryIO, create())
        except FileNotFoundError:  # the first ceremony, or the cache was cleared
            os.makedirs(self._folder, 0o700, exist_ok=True)
            return cast(BinaryIO, create())

    def _claim(self, name: str) -> bytes | None:
        path = os.path.join(self._folder, hashlib.sha256(name.encode()).hexdigest())
        claimed = f"{path}.{secrets.token_hex(8)}"
        try:
            os.rename(path, claimed)
            with open(claimed, "rb") as file:
                value, expires = file.read(), os.fstat(file.fileno()).st_mtime
            os.unlink(claimed)
        except FileNotFoundError:
            return None
        return value if expires > self._clock() else None

    def _sweep(self, now: float) -> None:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    # Not at once: a file that is being written has the current time.
                    if entry.stat().st_mtime <= now - SWEEP_EVERY:
                        os.unlink(entry.path)
