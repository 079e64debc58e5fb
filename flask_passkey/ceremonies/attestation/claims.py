"""What an attestation statement is about."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Claim(Struct, frozen=True):
    """A statement and what it is about, all of it verified but for the statement."""

    form: str
    statement: Any
    authenticator_data: bytes
    client_data_hash: bytes
    credential_id: bytes
    #: COSE_Key, CBOR.
    public_key: bytes
    aaguid: str

    @property
    def signed(self) -> bytes:
        """What most formats sign: authenticator data followed by the hash of the client data."""
        return self.authenticator_data + self.client_data_hash
