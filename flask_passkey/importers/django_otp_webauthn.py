"""django-otp-webauthn: a table of credentials, and one of user handles in hexadecimal.

Read from version 0.10.3. Passkeys from before its migration 0004 may have another user handle, which was not kept.
"""

from __future__ import annotations

from collections.abc import Callable

from .base import ImportedCredential, Peer, Row, Source, Unusable

_HANDLES = (("user_id", "user", "id"), ("handle_hex",))


def _reader(source: Source) -> Callable[[Row], ImportedCredential]:
    handles: dict[str, str] = {}
    if source.has(_HANDLES):
        _, rows = source.rows(source.find(_HANDLES))
        # The user is the primary key, which dumpdata does not name.
        handles = {row.key("user_id", "user", "id"): row.text("handle_hex") for row in rows}

    def read(row: Row) -> ImportedCredential:
        if row.known_flag("confirmed") is False:
            raise Unusable("it was never confirmed")
        user_id = row.key("user_id", "user")
        return ImportedCredential(
            id=row.data("credential_id"),
            public_key=row.data("public_key"),
            user_id=user_id,
            user_handle=_from_hex(handles.get(user_id, "")) or None,
            sign_count=row.number("sign_count"),
            transports=row.names("transports"),
            backup_eligible=row.flag("backup_eligible"),
            backup_state=row.flag("backup_state"),
            label=row.text("name"),
            discoverable=row.known_flag("discoverable"),
            aaguid=row.text("aaguid"),
            created_at=row.moment("created_at"),
            last_used_at=row.moment("last_used_at"),
        )

    return read


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as exc:
        raise Unusable("handle_hex is not hexadecimal") from exc


PEER = Peer((("credential_id",), ("public_key",), ("credential_id_sha256",), ("user_id", "user")), _reader)
