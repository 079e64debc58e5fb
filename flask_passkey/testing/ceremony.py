"""One ceremony on the client's side: filled from options, changed ("bent") by a test, signed, written as JSON.

It runs in three steps. After each the test may change anything:

1. *fill*: client data and the parts of the authenticator data get an honest client's values. Then the simple
   keywords (``origin=``, ``user_verified=``, …) act, and the function ``bend``.
2. *sign*: what no bend has set is built and signed. Then the function ``tamper`` acts: what it changes no longer
   fits the signature.
3. *pack*: the JSON of the browser's ``toJSON()`` is made. Then the function ``after`` acts on that ``dict``.

Structures are those of `W3C WebAuthn Level 3, sections 5.8.1, 6.1 and 6.5
<https://www.w3.org/TR/webauthn-3/#sctn-authenticator-data>`_.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar, TypedDict
from uuid import UUID

from .attestation import AttestationAuthority, self_attestation
from .credential import VirtualCredential
from .encoding import b64url_encode, encode_cbor
from .keys import algorithm_of, sign, spki


class Flags(enum.IntFlag):
    """The flags byte of authenticator data (section 6.1)."""

    #: User present.
    UP = 0x01
    #: User verified.
    UV = 0x04
    #: Backup eligible.
    BE = 0x08
    #: Backup state: is backed up.
    BS = 0x10
    #: Attested credential data included.
    AT = 0x40
    #: Extension data included.
    ED = 0x80


_CLIENT_DATA = {
    "type": "type",
    "challenge": "challenge",
    "origin": "origin",
    "cross_origin": "crossOrigin",
    "top_origin": "topOrigin",
}
_FLAGS = {
    "user_present": Flags.UP,
    "user_verified": Flags.UV,
    "backup_eligible": Flags.BE,
    "backup_state": Flags.BS,
}


@dataclass(slots=True, kw_only=True)
class Ceremony:
    """What both ceremonies have in common. A bend may change every attribute.

    Flags and parts are written as they are: nothing checks that they fit together.
    """

    #: Attributes that a keyword of the same name sets.
    _fields: ClassVar[frozenset[str]] = frozenset({"sign_count", "credential_id"})

    #: The credential that signs.
    credential: VirtualCredential
    #: Members of the client data, in the order they are written.
    client_data: dict[str, Any]
    #: SHA-256 of the RP ID.
    rp_id_hash: bytes
    flags: Flags
    sign_count: int
    #: Raw bytes, as reported in ``id`` and ``rawId``.
    credential_id: bytes
    #: ``platform`` or ``cross-platform``; ``None`` leaves the member out.
    authenticator_attachment: str | None
    #: Authenticator extension outputs, written as one CBOR map; set :attr:`Flags.ED` for them.
    extensions: dict[str, object] = field(default_factory=dict)
    client_extension_results: dict[str, Any] = field(default_factory=dict)
    #: Set by the sign step from :attr:`client_data`, unless a bend has set it.
    client_data_json: bytes | None = None
    #: Set by the sign step from the parts above, unless a bend has set it.
    authenticator_data: bytes | None = None

    def run(self, bends: Mapping[str, Any]) -> dict[str, Any]:
        """Bend, sign, tamper and pack; return the response as the browser writes it.

        :param bends: keywords of :class:`RegistrationBends` or :class:`AuthenticationBends`.
        :raises TypeError: this ceremony does not have one of the keywords.
        """
        keywords = dict(bends)
        bend, tamper, after = (keywords.pop(name, _change_nothing) for name in ("bend", "tamper", "after"))
        self._apply(keywords)
        bend(self)
        self.sign()
        tamper(self)
        response = self.to_json()
        after(response)
        return response

    def set_flag(self, flag: Flags, value: bool) -> None:
        """Switch one flag on or off."""
        # By numbers: the complement of a flag would drop reserved bits.
        self.flags = self.flags | flag if value else Flags(self.flags.value & ~flag.value)

    def build_client_data_json(self) -> bytes:
        """Return the client data as the browser writes it (section 5.8.1.1)."""
        return json.dumps(self.client_data, separators=(",", ":"), ensure_ascii=False).encode()

    def build_authenticator_data(self) -> bytes:
        """Return the authenticator data made from the parts (section 6.1)."""
        head = self.rp_id_hash + bytes([self.flags]) + self.sign_count.to_bytes(4, "big")
        extensions = encode_cbor(self.extensions) if self.extensions else b""
        return head + self._attested_credential_data() + extensions

    def sign(self) -> None:
        """Build and sign what no bend has set."""
        if self.client_data_json is None:
            self.client_data_json = self.build_client_data_json()
        if self.authenticator_data is None:
            self.authenticator_data = self.build_authenticator_data()
        self._sign(self.authenticator_data + sha256(self.client_data_json).digest())

    def to_json(self) -> dict[str, Any]:
        """Return the signed ceremony as ``toJSON()`` writes it (section 5.1)."""
        packed: dict[str, Any] = {
            "id": b64url_encode(self.credential_id),
            "rawId": b64url_encode(self.credential_id),
            "type": "public-key",
            "clientExtensionResults": self.client_extension_results,
            "response": {
                "clientDataJSON": b64url_encode(self.client_data_json or b""),
                "authenticatorData": b64url_encode(self.authenticator_data or b""),
                **self._response_members(),
            },
        }
        if self.authenticator_attachment is not None:
            packed["authenticatorAttachment"] = self.authenticator_attachment
        return packed

    def _apply(self, keywords: Mapping[str, Any]) -> None:
        for name, value in keywords.items():
            if name in _CLIENT_DATA:
                self._set_client_data(_CLIENT_DATA[name], value)
            elif name in _FLAGS:
                self.set_flag(_FLAGS[name], value)
            elif name == "rp_id":
                self.rp_id_hash = sha256(value.encode()).digest()
            elif name in self._fields:
                setattr(self, name, value)
            else:
                raise TypeError(f"no such bend for this ceremony: {name}")

    def _set_client_data(self, member: str, value: object) -> None:
        if value is None:
            self.client_data.pop(member, None)
        else:
            self.client_data[member] = value

    def _attested_credential_data(self) -> bytes:
        return b""

    def _sign(self, message: bytes) -> None:
        raise NotImplementedError

    def _response_members(self) -> dict[str, Any]:
        raise NotImplementedError


@dataclass(slots=True, kw_only=True)
class RegistrationCeremony(Ceremony):
    """A call of ``create()``."""

    #: Lower case with dashes.
    aaguid: str
    #: The COSE_Key as a map, by label; see RFC 9053.
    public_key: dict[int, int | bytes]
    transports: list[str]
    #: ``none``, ``packed``, or any text from a bend.
    attestation_format: str
    #: Signs packed attestation; ``None`` is self attestation.
    authority: AttestationAuthority | None
    #: Set by the sign step, unless a bend has set it.
    attestation_statement: dict[str, object] | None = None

    def build_attestation_object(self) -> bytes:
        """Return the attestation object (section 6.5.4)."""
        return encode_cbor(
            {
                "fmt": self.attestation_format,
                "attStmt": self.attestation_statement,
                "authData": self.authenticator_data,
            }
        )

    def _attested_credential_data(self) -> bytes:
        """Return AAGUID, credential ID and public key (section 6.5.1)."""
        length = len(self.credential_id).to_bytes(2, "big")
        return UUID(self.aaguid).bytes + length + self.credential_id + encode_cbor(self.public_key)

    def _sign(self, message: bytes) -> None:
        if self.attestation_statement is not None:
            return
        if self.attestation_format != "packed":
            self.attestation_statement = {}
        elif self.authority is None:
            self.attestation_statement = self_attestation(self.credential.private_key, message)
        else:
            self.attestation_statement = self.authority.statement(message, aaguid=self.aaguid)

    def _response_members(self) -> dict[str, Any]:
        return {
            "attestationObject": b64url_encode(self.build_attestation_object()),
            "transports": self.transports,
            "publicKey": b64url_encode(spki(self.credential.private_key)),
            "publicKeyAlgorithm": algorithm_of(self.credential.private_key),
        }


@dataclass(slots=True, kw_only=True)
class AuthenticationCeremony(Ceremony):
    """A call of ``get()``."""

    _fields: ClassVar[frozenset[str]] = Ceremony._fields | {"user_handle", "signature"}

    #: Raw bytes; ``None`` leaves the member out.
    user_handle: bytes | None
    #: Set by the sign step, unless a bend has set it.
    signature: bytes | None = None

    def _sign(self, message: bytes) -> None:
        if self.signature is None:
            self.signature = sign(self.credential.private_key, message)

    def _response_members(self) -> dict[str, Any]:
        members = {"signature": b64url_encode(self.signature or b"")}
        if self.user_handle is not None:
            members["userHandle"] = b64url_encode(self.user_handle)
        return members


def _change_nothing(_: object) -> None:
    """Change nothing, as an honest client."""


# The keywords that bend a response. The module's docstring says when each acts.


class CommonBends(TypedDict, total=False):
    """The simple keywords of both ceremonies. ``None`` leaves a member of the client data out."""

    #: Client data: ``webauthn.create`` or ``webauthn.get``.
    type: str | None
    #: Client data: base64url text.
    challenge: str | None
    origin: str | None
    cross_origin: bool | None
    top_origin: str | None
    #: The RP ID whose hash is in the authenticator data.
    rp_id: str
    user_present: bool
    user_verified: bool
    backup_eligible: bool
    backup_state: bool
    sign_count: int
    #: Raw bytes. A new credential is kept under this ID.
    credential_id: bytes
    #: Acts on the finished JSON.
    after: Callable[[dict[str, Any]], object]


class RegistrationBends(CommonBends, total=False):
    """The keywords of :meth:`VirtualAuthenticator.create`."""

    #: Acts before anything is signed.
    bend: Callable[[RegistrationCeremony], object]
    #: Acts after all is signed.
    tamper: Callable[[RegistrationCeremony], object]


class AuthenticationBends(CommonBends, total=False):
    """The keywords of :meth:`VirtualAuthenticator.get`."""

    #: Raw bytes; ``None`` leaves the member out.
    user_handle: bytes | None
    #: Raw bytes instead of a real signature.
    signature: bytes
    #: Acts before anything is signed.
    bend: Callable[[AuthenticationCeremony], object]
    #: Acts after all is signed.
    tamper: Callable[[AuthenticationCeremony], object]
