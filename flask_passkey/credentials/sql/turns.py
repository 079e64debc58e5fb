"""The writers of one process write one after the other, for SQLite has one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

#: Seconds to wait for SQLite's write lock.
PATIENCE = 5


class Queue:
    """Lets the writers of one process take turns.

    Without it a writer that finds another one there looks again later and later, so some would wait long.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, but no longer than SQLite would; after that SQLite decides."""
        lock = self._lock
        mine = lock.acquire(timeout=PATIENCE)
        try:
            yield
        finally:
            if mine:
                lock.release()

    def forget(self) -> None:
        """Begin anew in a process that was forked off while another thread had its turn."""
        self._lock = Lock()
