"""What is kept of a credential and of an enrolment grant: the records, and places that keep them."""

from __future__ import annotations

from .grant import GRANT_METHODS, INVITATION, RECOVERY_CODE, GrantRecord, GrantRepository
from .memory import MemoryCredentialRepository
from .record import MAX_CREDENTIAL_ID, CredentialRecord, CredentialRepository, counter_grows

__all__ = [
    "GRANT_METHODS",
    "INVITATION",
    "MAX_CREDENTIAL_ID",
    "RECOVERY_CODE",
    "CredentialRecord",
    "CredentialRepository",
    "GrantRecord",
    "GrantRepository",
    "MemoryCredentialRepository",
    "counter_grows",
]
