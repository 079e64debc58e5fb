"""From a passkey as a peer keeps it to a credential record of ours, with every check that a registration makes."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from ..accounts import UserInfo
from ..ceremonies.authenticator_data import MAX_PUBLIC_KEY
from ..ceremonies.keys import check_public_key
from ..ceremonies.registration import clean_transports
from ..credentials import MAX_CREDENTIAL_ID, MAX_USER_HANDLE, NO_AAGUID, CredentialRecord, stand_in_handle
from ..errors import MalformedRequest, ResponseRejected
from ..names import MAX_LABEL, clean_label
from .base import ImportedCredential, Unusable

_COUNTERS = range(1 << 32)


def record_of(
    passkey: ImportedCredential, info: UserInfo, *, rp_id: str, now: datetime, user_verified: bool = False
) -> CredentialRecord:
    """Return the record of a passkey.

    :param info: whose it is now.
    :param rp_id: that the passkey must have been made for, where the peer knows.
    :param now: no time is after it; aware.
    :param user_verified: the peer is known to have had every user verified.
    :raises Unusable: it could not sign in.
    """
    _check_sizes(passkey)
    if passkey.rp_id_hash not in (b"", sha256(rp_id.encode()).digest()):
        raise Unusable("it was made for another RP ID: see --rp-id")
    return CredentialRecord(
        id=passkey.id,
        public_key=passkey.public_key,
        sign_count=passkey.sign_count,
        uv_initialized=passkey.uv_initialized or user_verified,
        transports=clean_transports(list(passkey.transports)),
        backup_eligible=passkey.backup_eligible or passkey.backup_state,
        backup_state=passkey.backup_state,
        user_id=info.id,
        user_handle=passkey.user_handle or stand_in_handle(),
        label=_label(passkey.label),
        aaguid=_aaguid(passkey.aaguid),
        discoverable=passkey.discoverable,
        created_at=min(passkey.created_at or now, now),
        last_used_at=passkey.last_used_at and min(passkey.last_used_at, now),
        algorithm=_algorithm(passkey.public_key),
        identity=info.identity or None,
        rp_id=rp_id,
    )


def _check_sizes(passkey: ImportedCredential) -> None:
    if not 0 < len(passkey.id) <= MAX_CREDENTIAL_ID:
        raise Unusable(f"its ID has not 1 to {MAX_CREDENTIAL_ID} bytes")
    if len(passkey.public_key) > MAX_PUBLIC_KEY:
        raise Unusable(f"its public key has more than {MAX_PUBLIC_KEY} bytes")
    if len(passkey.user_handle or b"") > MAX_USER_HANDLE:
        raise Unusable(f"its user handle has more than {MAX_USER_HANDLE} bytes")
    if passkey.sign_count not in _COUNTERS:
        raise Unusable("its signature counter has more than 32 bits")


def _algorithm(public_key: bytes) -> int:
    try:
        return check_public_key(public_key)
    except ResponseRejected as exc:
        raise Unusable(exc.reason) from exc


def _label(text: str) -> str:
    """Return a label that may be shown: without what must not be in one, and no longer than one may be."""
    seen = "".join(char for char in text[: 4 * MAX_LABEL] if unicodedata.category(char)[0] != "C").strip()
    try:
        return clean_label(unicodedata.normalize("NFC", seen)[:MAX_LABEL])
    except MalformedRequest:
        return ""


def _aaguid(text: str) -> str:
    """Return the model in our spelling, all zeros where the peer has something else."""
    try:
        return str(UUID(text))
    except ValueError:
        return NO_AAGUID
