"""The writers of one process write one after the other, for SQLite has one at a time."""

from __future__ import annotations

from threading import Lock

#: Seconds to wait for SQLite's write lock.
PATIENCE = 5


class Queue:
    """Lets the writers of one process take turns.

    Without it a writer that finds another one there looks again later and later, so some would wait long.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    def turn(self) -> Turn:
        """Return what has one's turn while it is entered."""
        return Turn(self._lock)

    def forget(self) -> None:
        """Begin anew in a process that was forked off while another thread had its turn."""
        self._lock = Lock()


class Turn:
    """Waits for a writer's turn, but no longer than SQLite would; after that SQLite decides."""

    __slots__ = ("_is_mine", "_lock")

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._is_mine = False

    def __enter__(self) -> None:
        self._is_mine = self._lock.acquire(timeout=PATIENCE)

    def __exit__(self, *_: object) -> None:
        if self._is_mine:
            self._lock.release()
