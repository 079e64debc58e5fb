"""What is kept of a credential: the record, and places that keep records."""

from __future__ import annotations

from .memory import MemoryCredentialRepository
from .record import MAX_CREDENTIAL_ID, CredentialRecord, CredentialRepository, counter_grows

__all__ = [
    "MAX_CREDENTIAL_ID",
    "CredentialRecord",
    "CredentialRepository",
    "MemoryCredentialRepository",
    "counter_grows",
]
