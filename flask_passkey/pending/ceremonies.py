"""Pending ceremonies: one record each in the store behind Flask-Session, used exactly once.

The name of the record is a hash of everything it is bound to and of a secret that only the browser holds. A request
of another browser, user, purpose or RP ID looks under another name and finds nothing, so it can neither use nor burn a
ceremony. One atomic claim is all a finish needs.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from secrets import token_urlsafe

from ..ceremonies.pending import REGISTRATION, STEP_UP, PendingCeremony
from ..encoding import base64url_encode
from ..errors import CeremonyNotFound
from .base import Adapter, CeremonyStore

log = logging.getLogger(__name__)


#: Purposes of a signed-in user, to whose id the ceremony is bound. An enrolment knows its account by the grant.
_WITH_USER = (STEP_UP, REGISTRATION)


class PendingCeremonies:
    """The pending ceremonies of one app.

    :param store: returns the store; called when it is needed, as Flask-Session may be set up after us.
    :param rp_id: the RP ID that every ceremony is bound to.
    :param clock: seconds since 1970.
    """

    def __init__(
        self, store: Callable[[], CeremonyStore], *, rp_id: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._rp_id = rp_id
        self._clock = clock

    def put(self, pending: PendingCeremony, *, secret: str, lifetime: int) -> str:
        """Keep a ceremony and return its id, a UUID.

        :param secret: the browser's.
        :param lifetime: in whole seconds.
        :raises CeremonyStoreUnavailable: the store cannot be reached.
        """
        ceremony_id = _new_id()
        owner = pending.user_id if pending.purpose in _WITH_USER else ""
        key = self._key(ceremony_id, secret, pending.purpose, owner)
        value = pending.to_json(expires_at=self._clock() + lifetime)
        self._store().put(key, value, lifetime=lifetime)
        return ceremony_id

    def take(
        self, ceremony_id: str, *, secrets: Sequence[str], purposes: Sequence[str], user_id: str = ""
    ) -> PendingCeremony:
        """Claim a ceremony of one of these purposes. It cannot be claimed again.

        :param ceremony_id: from :meth:`put`, or any text that a client sent.
        :param secrets: the browser's.
        :param user_id: the signed-in user's; empty if none is signed in.
        :raises CeremonyNotFound: none fits, or the ceremony was claimed or is expired.
        :raises CeremonyStoreUnavailable: the store cannot be reached.
        """
        keys = self.keys(ceremony_id, secrets=secrets, purposes=purposes, user_id=user_id)
        for value in self._claim_each(keys):
            if value is not None and (pending := self._read(value)) is not None:
                return pending
        raise CeremonyNotFound("no such ceremony is pending for this browser, user and purpose")

    def keys(
        self, ceremony_id: str, *, secrets: Sequence[str], purposes: Sequence[str], user_id: str = ""
    ) -> list[str]:
        """Return the keys of which :meth:`take` claims one."""
        names = [(purpose, user_id if purpose in _WITH_USER else "") for purpose in purposes]
        return [
            self._key(ceremony_id, secret, purpose, owner)
            for purpose, owner in names
            if owner or purpose not in _WITH_USER
            for secret in secrets
        ]

    def put_back(self, values: dict[str, bytes | None]) -> None:
        """Keep again what was claimed and not looked at, until its time is up.

        :param values: by their keys; it is empty afterwards.
        :raises CeremonyStoreUnavailable: the store cannot be reached.
        """
        while values:
            key, value = values.popitem()
            if value is not None and (pending := self._read(value)) is not None:
                self._store().put(key, value, lifetime=int(pending.expires_at - self._clock()))

    @property
    def store(self) -> CeremonyStore:
        """The store.

        :raises ConfigurationError: the app has none that will do.
        """
        return self._store()

    def _claim_each(self, keys: Sequence[str]) -> Iterator[bytes | None]:
        store = self._store()
        if isinstance(store, Adapter):
            return store.claim_each(keys)
        return map(store.claim, keys)  # a store of the app's own

    def _read(self, value: bytes) -> PendingCeremony | None:
        try:
            pending = PendingCeremony.from_json(value)
        except ValueError:
            log.warning("A pending ceremony in the store is not one of ours; it was dropped.")
            return None
        # Some stores drop expired records late or never, so the record's own time decides.
        return pending if self._clock() < pending.expires_at else None

    def _key(self, ceremony_id: str, secret: str, purpose: str, user_id: str) -> str:
        bound_to = "\0".join((secret, ceremony_id, purpose, self._rp_id, user_id))
        return base64url_encode(sha256(bound_to.encode()).digest())


def _new_id() -> str:
    """Make a random UUID (RFC 9562, section 5.4); the library's object costs as much as all else of a record."""
    number = bytearray(os.urandom(16))
    number[6], number[8] = number[6] & 0x0F | 0x40, number[8] & 0x3F | 0x80
    text = number.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_browser_secret() -> str:
    """Make the secret that binds ceremonies to one browser: 32 random bytes as base64url text."""
    return token_urlsafe(32)
