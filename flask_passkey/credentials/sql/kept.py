"""Connections that the driver keeps between its statements: to take one from SQLAlchemy's pool costs more than to read.

They stay checked out, so the pool's limit counts them. Nobody waits for one: whoever takes a connection from the pool
otherwise has all of them given back first, and none is kept as long as that lasts.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from operator import attrgetter
from time import monotonic

from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool, PoolProxiedConnection, QueuePool

#: For as many threads; at most half of what the pool has.
_MOST = 4
#: Seconds after its last use in which a connection counts as alive: less than a restart of the server takes. One that
#: was kept for longer goes back to the pool, which tests it.
SILENCE = 0.1
#: In the ``info`` of a connection that is given back: when it was used last.
UNUSED_SINCE = "passkey_unused_since"
#: The events of a pool that are missed while a connection stays outside.
_of_pool = attrgetter("checkout", "checkin", "reset")
_log = logging.getLogger("sqlalchemy.pool.impl.QueuePool")


@dataclass(slots=True)
class Lent:
    """A connection that is checked out."""

    connection: PoolProxiedConnection
    pool: Pool
    #: May it stay checked out?
    is_to_keep: bool
    used_at: float = 0.0


class Kept:
    """The connections that are kept of one engine.

    :param listeners: how many of ours listen to the pool; with others each connection is given back at once.
    """

    def __init__(self, engine: Engine, *, listeners: int = 0) -> None:
        self._engine = engine
        self._listeners = listeners
        pool = engine.pool
        self._most = min(_MOST, pool.size() // 2) if isinstance(pool, QueuePool) else 0
        # The ends of lists change in one step, whatever other threads do.
        self._idle: list[Lent] = []
        self._others: list[None] = []
        self._inherited: list[list[Lent]] = []
        event.listen(engine, "engine_disposed", lambda _: self.give_back())
        # The server may have been restarted: the pool knows which connections are older.
        event.listen(engine, "invalidate", lambda *_: self.give_back())

    def take(self) -> Lent:
        """Return a connection that was used a moment ago, or else one from the pool."""
        is_to_keep = self._most > 0 and self._is_unwatched()
        lent = self._last() if is_to_keep else None
        if lent is not None:
            if monotonic() - lent.used_at < SILENCE:
                return lent
            self._give_back(lent)
        pool = self._engine.pool
        with self.aside():
            return Lent(self._engine.raw_connection(), pool, is_to_keep)

    def keep(self, lent: Lent) -> None:
        """Keep a connection, which is in no transaction, unless that has to wait."""
        if not lent.is_to_keep or len(self._idle) >= self._most:
            lent.connection.close()  # gives it back to the pool
            return
        lent.used_at = monotonic()
        self._idle.append(lent)
        # Looked at afterwards: whoever comes now finds it, and whoever came before is found.
        if self._others or lent.pool is not self._engine.pool:
            self.give_back()

    def give_back(self) -> None:
        """Give all that is kept back to the pool."""
        while (lent := self._last()) is not None:
            self._give_back(lent)

    def aside(self) -> Aside:
        """Return what keeps all connections in the pool while it is entered."""
        return Aside(self, self._others)

    def forget(self) -> None:
        """Begin anew in a process that was forked off: neither use nor end what is the parent's."""
        self._inherited.append(self._idle)
        self._idle, self._others = [], []

    def _is_unwatched(self) -> bool:
        lists = _of_pool(self._engine.pool.dispatch)
        is_unheard = sum(map(len, lists)) == self._listeners if self._listeners else not any(lists)
        return is_unheard and not _log.isEnabledFor(logging.DEBUG)

    def _last(self) -> Lent | None:
        try:
            return self._idle.pop() if self._idle else None
        except IndexError:  # another thread was faster
            return None

    def _give_back(self, lent: Lent) -> None:
        if lent.pool is not self._engine.pool:
            lent.connection.detach()  # its pool was closed, so it is, too
        lent.connection.info[UNUSED_SINCE] = lent.used_at
        lent.connection.close()


class Aside:
    """Keeps the connections of an engine in its pool while somebody else may need them."""

    __slots__ = ("_kept", "_others")

    def __init__(self, kept: Kept, others: list[None]) -> None:
        self._kept = kept
        self._others = others

    def __enter__(self) -> None:
        self._others.append(None)
        self._kept.give_back()

    def __exit__(self, *_: object) -> None:
        self._others.pop()
