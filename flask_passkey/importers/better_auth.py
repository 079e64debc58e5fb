"""better-auth: the table of its passkey plugin.

Read from better-auth 1.7.25 with @better-auth/passkey 1.7.6. It gives each passkey a random user handle, and does not
keep it.
"""

from __future__ import annotations

from collections.abc import Callable

from .base import ImportedCredential, Peer, Row, Source


def _reader(source: Source) -> Callable[[Row], ImportedCredential]:
    return _read


def _read(row: Row) -> ImportedCredential:
    return ImportedCredential(
        id=row.data("credentialID"),
        public_key=row.data("publicKey"),
        user_id=row.text("userId"),
        user_handle=None,
        sign_count=row.number("counter"),
        transports=row.names("transports"),
        backup_eligible=row.text("deviceType") == "multiDevice",
        backup_state=row.flag("backedUp"),
        label=row.text("name"),
        aaguid=row.text("aaguid"),
        created_at=row.moment("createdAt"),
    )


PEER = Peer((("credentialID",), ("publicKey",), ("userId",), ("counter",), ("deviceType",), ("backedUp",)), _reader)
