"""Authenticator data and the attestation object around them, taken apart before a library sees them.

`W3C WebAuthn Level 3, sections 6.1 and 6.5 <https://www.w3.org/TR/webauthn-3/#sctn-authenticator-data>`_.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from webauthn.helpers import encode_cbor, parse_cbor

from ..errors import ResponseRejected
from .cbor import Reader

#: Longest public key that is kept, in bytes: those of ML-DSA-87 have 2,602.
MAX_PUBLIC_KEY: Final = 4096

_UP, _UV, _BE, _BS, _AT, _ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
#: Length of authenticator data that are nothing but the hash of the RP ID, the flags and the counter.
_BARE: Final = 37


class AuthenticatorData(Struct, frozen=True, kw_only=True):
    """What authenticator data say (section 6.1). Nothing of it is verified."""

    flags: int
    sign_count: int
    #: Empty in most sign-ins, as is the key.
    credential_id: bytes = b""
    #: COSE_Key, as it came.
    public_key: bytes = b""
    #: Extension outputs, a map in CBOR as it came; empty where there are none.
    extensions: bytes = b""

    @classmethod
    def read(cls, data: bytes, *, items: int = 0) -> AuthenticatorData:
        """Take authenticator data apart.

        :param items: how many CBOR items are around them.
        :raises ResponseRejected: they are something else, or too much.
        """
        if len(data) == _BARE and not data[32] & (_AT | _ED):  # as in most sign-ins
            return cls(flags=data[32], sign_count=int.from_bytes(data[33:], "big"))
        reader = Reader("authenticatorData", data, items=items)
        reader.take(32)  # the hash of the RP ID
        flags, sign_count = reader.take(1)[0], int.from_bytes(reader.take(4), "big")
        credential_id, public_key = _attested(reader) if flags & _AT else (b"", b"")
        extensions = reader.map("extension outputs") if flags & _ED else b""
        reader.end()
        return cls(
            flags=flags,
            sign_count=sign_count,
            credential_id=credential_id,
            public_key=public_key,
            extensions=extensions,
        )

    @property
    def user_present(self) -> bool:
        """The flag UP."""
        return bool(self.flags & _UP)

    @property
    def user_verified(self) -> bool:
        """The flag UV."""
        return bool(self.flags & _UV)

    @property
    def backup_eligible(self) -> bool:
        """The flag BE."""
        return bool(self.flags & _BE)

    @property
    def backup_state(self) -> bool:
        """The flag BS."""
        return bool(self.flags & _BS)


def _attested(reader: Reader) -> tuple[bytes, bytes]:
    """Return ID and key of attested credential data (section 6.5.1)."""
    reader.take(16)  # the AAGUID
    credential_id = reader.take(int.from_bytes(reader.take(2), "big"))
    public_key = reader.map("the public key")
    if len(public_key) > MAX_PUBLIC_KEY:
        reader.refuse(f"a public key of more than {MAX_PUBLIC_KEY} bytes")
    return credential_id, public_key


class AttestationObject(Struct, frozen=True, kw_only=True):
    """What an attestation object consists of (section 6.5.4). Nothing of it is verified."""

    form: str
    #: A map, or a list in the format ``compound``.
    statement: Any
    #: The authenticator data as they came, and what they say.
    authenticator_data: bytes
    data: AuthenticatorData

    def without_statement(self) -> bytes:
        """Return the attestation object that an authenticator without attestation would have made, in CBOR."""
        return encode_cbor({"fmt": "none", "attStmt": {}, "authData": self.authenticator_data})


def read_attestation_object(data: bytes) -> AttestationObject:
    """Take an attestation object apart.

    :raises ResponseRejected: it is something else, or too much.
    """
    reader = Reader("attestationObject", data)
    members = _decode(reader.map("it"))
    reader.end()
    form, statement, authenticator_data = (members.get(name) for name in ("fmt", "attStmt", "authData"))
    if not isinstance(authenticator_data, bytes):
        reader.refuse("authData is no byte string")
    if not isinstance(form, str):
        reader.refuse("fmt is no text")
    if not isinstance(statement, list if form == "compound" else dict):
        reader.refuse("attStmt is no map, or no list where the format is compound")
    found = AuthenticatorData.read(authenticator_data, items=reader.items)
    if not _is_where_the_library_looks(found.public_key):
        reader.refuse("the public key has open lengths or long heads")
    return AttestationObject(form=form, statement=statement, authenticator_data=authenticator_data, data=found)


def _is_where_the_library_looks(public_key: bytes) -> bool:
    """Tell whether the library will find the end of a key, after which it reads extension outputs.

    It counts the bytes that it would write itself. With fewer than came it would read on inside the key, in what was
    measured as the bytes of a string.
    """
    return not public_key or len(encode_cbor(_decode(public_key))) == len(public_key)


def _decode(item: bytes) -> Any:
    """Decode what was measured."""
    try:
        return parse_cbor(item)
    except Exception as exc:  # a verdict on bytes an attacker chose: a key that is there twice, for one
        raise ResponseRejected("attestationObject was malformed: its CBOR cannot be decoded") from exc
