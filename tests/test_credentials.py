"""The credential record, and the contract on the repository in memory."""

from __future__ import annotations

import pytest

from flask_passkey import MemoryCredentialRepository
from flask_passkey.contracts import CredentialRepositoryContract, GrantRepositoryContract
from flask_passkey.credentials import counter_grows


class TestMemoryCredentialRepository(CredentialRepositoryContract, GrantRepositoryContract):
    @pytest.fixture
    def repository(self) -> MemoryCredentialRepository:
        return MemoryCredentialRepository()


@pytest.mark.parametrize(
    ("stored", "received", "grows"),
    [(0, 0, True), (0, 1, True), (1, 2, True), (1, 1, False), (2, 1, False), (1, 0, False)],
)
def test_counter_grows(stored: int, received: int, grows: bool) -> None:
    """A counter grows when it is greater than before, or was and is 0."""
    assert counter_grows(stored, received) is grows
