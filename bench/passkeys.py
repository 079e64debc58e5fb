"""Passkeys: some that a virtual authenticator can use, and any number of others that only fill the tables."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from wsgi import SITE

from flask_passkey import CredentialRecord
from flask_passkey.credentials.sql import statements
from flask_passkey.testing import VirtualAuthenticator, VirtualCredential

RP_ID = "localhost"
#: Number of accounts that sign in; all others only fill the tables.
ACTIVE = 200


class Passkeys:
    """One passkey for each of ``count`` accounts, all in one authenticator."""

    def __init__(self, count: int = ACTIVE) -> None:
        self._authenticator = VirtualAuthenticator(SITE)
        self.credentials = [
            VirtualCredential(rp_id=RP_ID, user_handle=handle(number), id=_digest("id", number)[:32])
            for number in range(count)
        ]
        self._random = random.Random(1)

    def records(self) -> Iterator[CredentialRecord]:
        """Yield their credential records."""
        for number, credential in enumerate(self.credentials):
            yield record(number, credential.id, credential.cose_key())

    def register(self, options: dict[str, Any]) -> dict[str, Any]:
        """Make one more and return the browser's answer."""
        answer = self._authenticator.create(options)
        self.credentials.append(self._authenticator.credentials[-1])
        return answer

    def answer(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer a ceremony with one of them, chosen at random."""
        return self._authenticator.get(options, credential=self._random.choice(self.credentials))


def filler_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of passkeys that nobody uses, each of another account."""
    key = VirtualCredential(rp_id=RP_ID, user_handle=b"").cose_key()
    like = record(0, b"", key)
    for number in range(-count, 0):
        changes = {"id": _digest("id", number)[:32], "user_handle": handle(number), "user_id": f"nobody{number}"}
        yield statements.values_of(like) | changes


def record(number: int, credential_id: bytes, public_key: bytes) -> CredentialRecord:
    """Return the credential record of a synced passkey."""
    return CredentialRecord(
        id=credential_id,
        public_key=public_key,
        sign_count=0,
        uv_initialized=True,
        transports=("hybrid", "internal"),
        backup_eligible=True,
        backup_state=True,
        user_id=f"user-{number}",
        user_handle=handle(number),
        label="Phone",
        aaguid="00000000-0000-0000-0000-000000000000",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        algorithm=-7,
    )


def handle(number: int) -> bytes:
    """Return an account's user handle."""
    return _digest("handle", number)


def _digest(what: str, number: int) -> bytes:
    return hashlib.sha512(f"{what} {number}".encode()).digest()
