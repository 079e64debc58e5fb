"""Cloudreve 4: its table ``passkeys``, with a credential of go-webauthn as JSON in each row.

Read from ``ent/migrate/schema.go``, ``service/user/passkey.go`` and ``pkg/hashid/hash.go`` of Cloudreve 4, and from
``webauthn/credential.go`` of go-webauthn. The user handle is the user's number as a hashid, with a salt that is in the
table of settings.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from ..errors import ConfigurationError
from .base import ImportedCredential, Peer, Row, Source, Unusable
from .hashids import hashid

_SETTINGS = (("name",), ("value",))
_USER = 1  # the kind of what a hashid is of


def _reader(source: Source) -> Callable[[Row], ImportedCredential | None]:
    salt = _salt(source)

    def read(row: Row) -> ImportedCredential | None:
        if row.value("deleted_at"):
            return None
        kept = row.below("credential")
        flags, authenticator, user_id = kept.below("flags"), kept.below("authenticator"), row.number("user_id")
        if user_id < 0:
            raise Unusable("user_id is negative")
        return ImportedCredential(
            id=kept.data("id"),
            public_key=kept.data("publicKey"),
            user_id=str(user_id),
            user_handle=None if salt is None else hashid((user_id, _USER), salt=salt).encode(),
            sign_count=authenticator.number("SignCount"),
            transports=kept.names("transport"),
            backup_eligible=flags.flag("backupEligible"),
            backup_state=flags.flag("backupState"),
            uv_initialized=flags.flag("userVerified"),
            label=row.text("name"),
            aaguid=_uuid(authenticator),
            created_at=row.moment("created_at"),
            last_used_at=row.moment("used_at"),
        )

    return read


def _salt(source: Source) -> str | None:
    """Return the salt of hashids, ``None`` where the settings were not exported."""
    try:
        _, rows = source.rows(source.find(_SETTINGS, "settings"))
    except ConfigurationError:
        return None
    return next((row.text("value") for row in rows if row.text("name") == "hash_id_salt"), "")


def _uuid(authenticator: Row) -> str:
    aaguid = authenticator.data("AAGUID") if authenticator.value("AAGUID") else b""
    return str(UUID(bytes=aaguid)) if len(aaguid) == 16 else ""


PEER = Peer((("user_id",), ("credential_id",), ("name",), ("credential",)), _reader)
