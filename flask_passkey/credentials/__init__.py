"""Credential records, and the repositories that keep them."""

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
