"""The records of credentials and of enrolment grants, and the repositories that keep them."""

from __future__ import annotations

from .draft import FIELDS, after_use, record_with
from .grant import GRANT_METHODS, INVITATION, RECOVERY_CODE, GrantRecord, GrantRepository
from .record import (
    MAX_CREDENTIAL_ID,
    MAX_USER_HANDLE,
    NO_AAGUID,
    CredentialRecord,
    CredentialRepository,
    counter_grows,
    counts,
    is_stand_in,
    stand_in_handle,
)

__all__ = [
    "FIELDS",
    "GRANT_METHODS",
    "INVITATION",
    "MAX_CREDENTIAL_ID",
    "MAX_USER_HANDLE",
    "NO_AAGUID",
    "RECOVERY_CODE",
    "CredentialRecord",
    "CredentialRepository",
    "GrantRecord",
    "GrantRepository",
    "after_use",
    "counter_grows",
    "counts",
    "is_stand_in",
    "record_with",
    "stand_in_handle",
]
