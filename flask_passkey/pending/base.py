"""What a store of pending ceremonies promises, and what our adapters for such stores share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

from ..errors import CeremonyStoreUnavailable, Misconfigured, Refusal
from ..logs import loggable, summary
from .internals import key_prefix

log = logging.getLogger(__name__)

#: Part of every record's name, and of no session's id.
MARK = "passkey:"
#: Seconds between two sweeps of expired records.
SWEEP_EVERY = 60


class CeremonyStore(Protocol):
    """A store of pending ceremonies. Implement this to use another one: ``Passkey(app, ceremony_store=…)``.

    :class:`flask_passkey.contracts.CeremonyStoreContract` holds the promises as tests.
    """

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        """Keep a value until it is claimed or its time is up.

        :param key: text that was never used before: 43 characters of base64url.
        :param value: any bytes; :meth:`claim` returns them unchanged.
        :param lifetime: in whole seconds; less than one counts as one.
        :raises CeremonyStoreUnavailable: the store cannot be reached; the value is not kept.
        """

    def claim(self, key: str) -> bytes | None:
        """Remove a value and return it; ``None`` if it is missing, expired or claimed already.

        Of simultaneous callers exactly one gets it.

        :param key: any text; those of :meth:`put` are found.
        :raises CeremonyStoreUnavailable: the store cannot be reached.
        """


class Adapter:
    """What all adapters share: names of records, errors, and when to sweep."""

    setting: ClassVar[str]  # What an app writes to use this store.
    client_setting: ClassVar[str] = ""  # The setting that gives Flask-Session the store's client.
    advice: ClassVar[str] = ""  # What to write when Flask-Session does not take that client.
    errors: tuple[type[Exception], ...]  # What the store's library raises when the store does not answer.

    def __init__(self, interface: Any, clock: Callable[[], float]) -> None:
        self._interface = interface
        self._clock = clock
        self._prefix = f"{key_prefix(interface)}{MARK}"
        self._next_sweep = 0.0

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        try:
            # To some stores 0 means forever, and others refuse it.
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

    def claim_each(self, keys: Sequence[str]) -> Iterator[bytes | None]:
        """Claim several values, of which one at most is there; on one way to the store and back where that is possible.

        :raises CeremonyStoreUnavailable: the store cannot be reached.
        """
        return map(self.claim, keys)

    def _unavailable(self, exc: Exception) -> Refusal:
        refusal = Misconfigured if self._is_mistake(exc) else CeremonyStoreUnavailable
        return refusal(f"{type(self).__name__}: {summary(exc)}")

    def _is_mistake(self, exc: Exception) -> bool:
        """Tell whether no other try could help. Adapters override it where the store's library tells."""
        return False

    def _put(self, name: str, value: bytes, lifetime: int) -> None:
        raise NotImplementedError

    def _claim(self, name: str) -> bytes | None:
        raise NotImplementedError

    def _sweep(self, now: float) -> None:
        """Remove expired records. Adapters override it where the store does not do that itself."""
