"""Flask-Security, from its models ``fsqla``: a table of passkeys, and the user handles with the users.

Read from version 5.9.2. Table names are the app's; columns are those of ``FsWebAuthnMixin`` and ``FsUserMixin``.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ceremonies.registration import discoverable_by
from .base import ImportedCredential, Peer, Row, Source, Unusable

_HANDLES = (("id",), ("fs_webauthn_user_handle",))


def _reader(source: Source) -> Callable[[Row], ImportedCredential]:
    handles: dict[str, bytes] = {}
    if source.has(_HANDLES):
        _, users = source.rows(source.find(_HANDLES))
        handles = {user.key("id"): user.text("fs_webauthn_user_handle").encode() for user in users}

    def read(row: Row) -> ImportedCredential:
        if row.text("usage") == "secondary":
            raise Unusable("it is a second factor only, by its usage")
        user_id, extensions = row.key("user_id"), row.json("extensions")
        return ImportedCredential(
            id=row.data("credential_id"),
            public_key=row.data("public_key"),
            user_id=user_id,
            user_handle=handles.get(user_id) or None,
            sign_count=row.number("sign_count"),
            transports=row.names("transports"),
            backup_eligible=row.text("device_type") == "multi_device",
            backup_state=row.flag("backup_state"),
            label=row.text("name"),
            discoverable=discoverable_by(extensions) if isinstance(extensions, dict) else None,
            created_at=row.moment("create_datetime"),
            last_used_at=row.moment("lastuse_datetime"),
        )

    return read


PEER = Peer((("credential_id",), ("public_key",), ("sign_count",), ("device_type",), ("user_id",)), _reader)
