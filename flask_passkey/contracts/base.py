"""What the tests share: records, simultaneous calls, and the fixture."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ..credentials import NO_AAGUID, CredentialRecord, CredentialRepository

#: The tests of simultaneous calls have so many callers, so many times.
CALLERS, ROUNDS = 8, 5

NOON = datetime(2026, 2, 28, 12, 0, 0, 123456, tzinfo=UTC)


def new_record(credential_id: bytes = b"id", *, user_id: str = "ada", **changes: Any) -> CredentialRecord:
    """Return a record like those of a registration.

    :param credential_id: raw bytes.
    :param user_id: the app's key for the account, from which the user handle is made.
    :param changes: other fields of :class:`~flask_passkey.CredentialRecord`.
    """
    record = CredentialRecord(
        id=credential_id,
        public_key=b"\xa5\x01\x02\x03\x26 not a key",
        sign_count=0,
        uv_initialized=True,
        transports=("internal", "hybrid"),
        backup_eligible=True,
        backup_state=False,
        user_id=user_id,
        user_handle=handle_of(user_id),
        label="Phone",
        aaguid=NO_AAGUID,
        created_at=NOON,
        algorithm=-7,
    )
    return replace(record, **changes)


def handle_of(user_id: str) -> bytes:
    """Return the 64 bytes of user handle that the tests give this account."""
    return user_id.encode().ljust(64, b"\xff")


class Contract:
    """What all parts of the contract have in common."""

    @pytest.fixture
    def repository(self) -> CredentialRepository:
        """Return the repository to test, empty. Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture named repository")

    def thread_context(self) -> AbstractContextManager[object]:
        """Return the context that a new thread needs to use the repository, such as ``app.app_context()``."""
        return nullcontext()

    def together(self, calls: Sequence[Callable[[], object]]) -> list[object]:
        """Make the calls at the same moment, each in its own thread.

        :returns: in the order of the calls what each returned, or the exception it raised.
        """
        barrier = threading.Barrier(len(calls))

        def run(call: Callable[[], object]) -> object:
            with self.thread_context():
                barrier.wait(30)
                try:
                    return call()
                except Exception as exc:
                    return exc

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(run, calls))

    def add(self, repository: CredentialRepository, *records: CredentialRecord) -> None:
        """Store records, and the user handles of their accounts."""
        for record in records:
            repository.add_user(record.user_id, record.user_handle)
            repository.add(record)
