"""Tools for tests: a virtual authenticator, and ceremonies over a Flask test client.

.. code-block:: python

    def test_sign_in(client):
        authenticator = VirtualAuthenticator("http://localhost")
        sign_up(client, authenticator, "ada")
        assert sign_in(client, authenticator)["user"]["name"] == "ada"

Nothing here is shared with the server's side of this package, and nothing needs pytest. These keys protect nothing:
never register one of these credentials at a real site.
"""

from __future__ import annotations

from .attack import AttackFinding, AttackReport, attack, attack_cases
from .attestation import AttestationAuthority
from .authenticator import VirtualAuthenticator
from .browser import (
    BrowserError,
    EncodingError,
    InvalidStateError,
    NotAllowedError,
    NotSupportedError,
    SecurityError,
)
from .ceremony import (
    AuthenticationBends,
    AuthenticationCeremony,
    Ceremony,
    Flags,
    RegistrationBends,
    RegistrationCeremony,
)
from .client import Refused, add_passkey, as_json_text, client_at, enrol, sign_in, sign_up, step_up
from .credential import VirtualCredential
from .encoding import b64url_decode, b64url_encode, encode_cbor
from .keys import ALGORITHMS, cose_map, generate_key

__all__ = [
    "ALGORITHMS",
    "AttackFinding",
    "AttackReport",
    "AttestationAuthority",
    "AuthenticationBends",
    "AuthenticationCeremony",
    "BrowserError",
    "Ceremony",
    "EncodingError",
    "Flags",
    "InvalidStateError",
    "NotAllowedError",
    "NotSupportedError",
    "Refused",
    "RegistrationBends",
    "RegistrationCeremony",
    "SecurityError",
    "VirtualAuthenticator",
    "VirtualCredential",
    "add_passkey",
    "as_json_text",
    "attack",
    "attack_cases",
    "b64url_decode",
    "b64url_encode",
    "client_at",
    "cose_map",
    "encode_cbor",
    "enrol",
    "generate_key",
    "sign_in",
    "sign_up",
    "step_up",
]
