"""The attestation object, and what a statement in it is about.

`W3C WebAuthn Level 3, section 6.5.4 <https://www.w3.org/TR/webauthn-3/#sctn-generating-an-attestation-object>`_.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webauthn.helpers import encode_cbor, parse_cbor

from ...errors import ResponseRejected


@dataclass(frozen=True, slots=True)
class AttestationObject:
    """The members of an attestation object; others are never looked at."""

    form: str
    #: A map, or a list of maps in the format ``compound``.
    statement: Any
    authenticator_data: bytes

    @classmethod
    def read(cls, data: bytes) -> AttestationObject:
        """Take an attestation object apart.

        :param data: CBOR, as it came.
        :raises ResponseRejected: a member is missing or is not of its type.
        """
        try:
            members = parse_cbor(data)
        except Exception as exc:  # a verdict on bytes an attacker chose: the library raises builtins as well
            raise ResponseRejected("the attestation object is not CBOR") from exc
        if not isinstance(members, dict):
            raise ResponseRejected("the attestation object is not a map")
        form, statement, authenticator_data = (members.get(name) for name in ("fmt", "attStmt", "authData"))
        if not isinstance(form, str):
            raise ResponseRejected("the format of the attestation is missing or not text")
        if not isinstance(statement, list if form == "compound" else dict):
            raise ResponseRejected("the attestation statement is missing or not a map")
        if not isinstance(authenticator_data, bytes):
            raise ResponseRejected("the authenticator data are missing or not bytes")
        return cls(form, statement, authenticator_data)

    def without_statement(self) -> bytes:
        """Return the attestation object, in CBOR, that an authenticator without attestation would have made."""
        return encode_cbor({"fmt": "none", "attStmt": {}, "authData": self.authenticator_data})


@dataclass(frozen=True, slots=True)
class Claim:
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
