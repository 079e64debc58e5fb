"""What a store of pending ceremonies promises, and what our adapters for such stores share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from ..errors import CeremonyStoreUnavailable
from ..logs import loggable, summary

log = logging.getLogger(__name__)

#: In the name of every record; never in a session's id.
MARK = "passkey:"
#: Seconds from one sweep of expired records to the next.
SWEEP_EVERY = 60


class CeremonyStore(Protocol):
    """A place that keeps pending ceremonies."""

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        """Keep a value for ``lifetime`` whole seconds, at least one, under a key that was never used before.

        :raises CeremonyStoreUnavailable: the store cannot be reached; the value is not kept.
        """

    def claim(self, key: str) -> bytes | None:
        """Remove a value and return it; ``None`` when there is none, or no more.

        However many ask at the same time, exactly one of them gets it.

        :raises CeremonyStoreUnavailable: the store cannot be reached.
        """


class Adapter:
    """What all adapters share: names of records, errors, and when to sweep."""

    store_class: ClassVar[str]  # Top package and name of the class of the session interface, or of the cache in it.
    setting: ClassVar[str]  # What an app writes to get it.
    client_setting: ClassVar[str] = ""  # Where an app gives Flask-Session the store's client.
    advice: ClassVar[str] = ""  # What to write where Flask-Session does not take that client.
    errors: tuple[type[Exception], ...]  # What the store's library raises when the store does not answer.

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        self._interface = interface
        self._clock = clock
        self._prefix = f"{getattr(interface, 'key_prefix', '')}{MARK}"
        self._next_sweep = 0.0

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        try:
            # None at all means "for ever" to some stores and is an error to others.
            self._put(self._prefix + key, value, max(1, int(lifetime)))
        except self.errors as exc:
            raise self._unavailable(exc) from loggable(exc)
        if (now := self._clock()) >= self._next_sweep:
            self._next_sweep = now + SWEEP_EVERY
            try:
                self._sweep(now)
            except self.errors as exc:
                log.warning("Expired ceremonies could not be removed from the store: %s", summary(exc))

    def claim(self, key: str) -> bytes | None:
        try:
            return self._claim(self._prefix + key)
        except self.errors as exc:
            raise self._unavailable(exc) from loggable(exc)

    def _unavailable(self, exc: Exception) -> CeremonyStoreUnavailable:
        return CeremonyStoreUnavailable(f"{type(self).__name__}: {summary(exc)}")

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        raise NotImplementedError

    def _claim(self, name: str) -> bytes | None:
        raise NotImplementedError

    def _sweep(self, now: float) -> None:
        """Remove expired records. Nothing to do where the store does."""
