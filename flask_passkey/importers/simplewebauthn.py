"""SimpleWebAuthn, which leaves the table to the app: the one that its documentation proposes, in any spelling.

Read from the documentation of version 13 (``Passkey`` under "Additional data structures") and from what
``verifyRegistrationResponse`` of 13 returns.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from .base import ImportedCredential, Peer, Row, Source, Unusable

_ID = ("credential_id", "id")
_KEY = ("public_key", "credential_public_key")
_COUNT = ("counter", "sign_count")
_USER = ("user_id", "user")
_HANDLE = ("webauthn_user_id", "user_handle")


def _reader(source: Source) -> Callable[[Row], ImportedCredential]:
    return _read


def _read(row: Row) -> ImportedCredential:
    handle = None
    with suppress(Unusable):  # not every app keeps it
        handle = row.data(*_HANDLE)
    return ImportedCredential(
        id=row.data(*_ID),
        public_key=row.data(*_KEY),
        user_id=row.text(*_USER),
        user_handle=handle,
        sign_count=row.number(*_COUNT),
        transports=row.names("transports"),
        backup_eligible=row.text("device_type", "credential_device_type") == "multiDevice",
        backup_state=row.flag("backed_up", "credential_backed_up"),
        label=row.text("name"),
        aaguid=row.text("aaguid"),
        created_at=row.moment("created_at"),
        last_used_at=row.moment("last_used_at", "last_used"),
    )


PEER = Peer((_ID, _KEY, _COUNT, ("device_type", "credential_device_type"), _USER), _reader)
