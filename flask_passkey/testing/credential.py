"""A credential as an authenticator keeps it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from .encoding import encode_cbor
from .keys import PrivateKey, algorithm_of, cose_map, generate_key


@dataclass(slots=True, kw_only=True, eq=False)
class VirtualCredential:
    """One credential of a :class:`VirtualAuthenticator`; its attributes may be changed at any time.

    :meth:`VirtualAuthenticator.create` makes it. One made by hand and appended to
    :attr:`VirtualAuthenticator.credentials` gives a test a passkey that no ceremony has registered. The names are
    those of `W3C WebAuthn Level 3, section 11.5
    <https://www.w3.org/TR/webauthn-3/#sctn-automation-add-credential>`_.
    """

    rp_id: str
    #: Raw bytes, chosen by the relying party for the account; ``None`` only if the credential is not discoverable.
    user_handle: bytes | None
    #: Credential ID, raw bytes.
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    private_key: PrivateKey = field(default_factory=generate_key, repr=False)
    #: Signature counter in the last assertion.
    sign_count: int = 0
    backup_eligibility: bool = True
    backup_state: bool = True
    #: Is it discoverable, that is found without being named in ``allowCredentials``?
    is_resident_credential: bool = True
    #: The secret of ``prf``.
    prf_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    #: What ``largeBlob`` keeps; ``None`` for nothing.
    large_blob: bytes | None = None
    user_name: str = ""
    user_display_name: str = ""

    @property
    def algorithm(self) -> int:
        """COSE algorithm identifier of the key: -7, -8, -257, …."""
        return algorithm_of(self.private_key)

    def cose_key(self) -> bytes:
        """Return the public key in COSE_Key format, as a credential record keeps it."""
        return encode_cbor(cose_map(self.private_key))
