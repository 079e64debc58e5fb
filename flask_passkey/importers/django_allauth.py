"""django-allauth: a table of authenticators, with the whole response of each registration as JSON.

Read from version 65.21.1. It keeps no signature counters, and its user handle is the key of the user in the form of its
URLs: base 36 for numbers, hexadecimal for UUIDs.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from ..ceremonies.authenticator_data import read_attestation_object
from ..ceremonies.registration import discoverable_by
from ..errors import ResponseRejected
from .base import ImportedCredential, Peer, Row, Source, Unusable

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def _reader(source: Source) -> Callable[[Row], ImportedCredential | None]:
    return _read


def _read(row: Row) -> ImportedCredential | None:
    if row.text("type") != "webauthn":
        return None
    kept = row.below("data")
    credential = kept.below("credential")
    response, extensions = credential.below("response"), credential.json("clientExtensionResults")
    try:
        attestation = read_attestation_object(response.data("attestationObject"))
    except ResponseRejected as exc:
        raise Unusable("attestationObject cannot be read") from exc
    data, raw = attestation.data, attestation.authenticator_data
    user_id = row.key("user_id", "user")
    return ImportedCredential(
        id=data.credential_id,
        public_key=data.public_key,
        user_id=user_id,
        user_handle=_in_urls(user_id).encode(),
        sign_count=data.sign_count,
        transports=response.names("transports"),
        backup_eligible=data.backup_eligible,
        backup_state=data.backup_state,
        uv_initialized=data.user_verified,
        label=kept.text("name"),
        discoverable=discoverable_by(extensions) if isinstance(extensions, dict) else None,
        aaguid=str(UUID(bytes=raw[37:53])) if data.credential_id else "",
        created_at=row.moment("created_at"),
        last_used_at=row.moment("last_used_at"),
        rp_id_hash=raw[:32],
    )


def _in_urls(user_id: str) -> str:
    """Write a user's key as allauth's URLs have it."""
    try:
        return _in_base_36(int(user_id)) if user_id.isascii() and user_id.isdecimal() else UUID(user_id).hex
    except ValueError:
        return user_id


def _in_base_36(number: int) -> str:
    text = _DIGITS[number % 36]
    while number := number // 36:
        text = _DIGITS[number % 36] + text
    return text


PEER = Peer((("user_id", "user"), ("type",), ("data",), ("last_used_at",)), _reader)
