"""Options as a server writes them, and responses taken apart: what the tests of the virtual authenticator share."""

from __future__ import annotations

import json
from typing import Any

import cbor2
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers.structs import AttestationFormat
from webauthn.registration.verify_registration_response import VerifiedRegistration

from flask_passkey.testing import VirtualCredential, b64url_decode, b64url_encode

ORIGIN = "https://example.com"
RP_ID = "example.com"
CHALLENGE = bytes(range(32))
AAGUID = "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4"
ES256, EDDSA, RS256 = -7, -8, -257
#: Flags of an honest authentication with a synced passkey: UP 01, UV 04, BE 08, BS 10.
FLAGS = 0x1D


def creation_options(**changes: Any) -> dict[str, Any]:
    """Return creation options as a server of ours writes them."""
    options: dict[str, Any] = {
        "rp": {"id": RP_ID, "name": "Example"},
        "user": {"id": b64url_encode(b"handle of ada"), "name": "ada", "displayName": "Ada Lovelace"},
        "challenge": b64url_encode(CHALLENGE),
        "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (ES256, EDDSA, RS256)],
        "timeout": 300000,
        "excludeCredentials": [],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
        "extensions": {"credProps": True},
    }
    return {"publicKey": options | changes}


def request_options(**changes: Any) -> dict[str, Any]:
    """Return request options as a server of ours writes them."""
    options = {"challenge": b64url_encode(CHALLENGE), "timeout": 300000, "rpId": RP_ID, "userVerification": "required"}
    return {"publicKey": options | changes}


def allowing(*credentials: VirtualCredential) -> list[dict[str, str]]:
    """Return credential descriptors."""
    return [{"type": "public-key", "id": b64url_encode(credential.id)} for credential in credentials]


def offering(*algorithms: int) -> list[dict[str, Any]]:
    """Return ``pubKeyCredParams``."""
    return [{"type": "public-key", "alg": algorithm} for algorithm in algorithms]


def user(handle: bytes, name: str = "bob") -> dict[str, str]:
    """Return the ``user`` member of creation options."""
    return {"id": b64url_encode(handle), "name": name, "displayName": name}


def verify_registration(response: Any, *, algorithm: int = EDDSA, root: bytes | None = None) -> VerifiedRegistration:
    """Let the ``webauthn`` library judge a registration."""
    # Plain numbers: the library compares only, and has no name for some of the algorithms.
    algorithms: list[Any] = [algorithm]
    return verify_registration_response(
        credential=response,
        expected_challenge=CHALLENGE,
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
        require_user_verification=True,
        supported_pub_key_algs=algorithms,
        pem_root_certs_bytes_by_fmt={AttestationFormat.PACKED: [root]} if root else None,
    )


def verify_authentication(response: Any, credential: VirtualCredential, *, count: int = 0) -> VerifiedAuthentication:
    """Let the ``webauthn`` library judge an authentication."""
    return verify_authentication_response(
        credential=response,
        expected_challenge=CHALLENGE,
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
        credential_public_key=credential.cose_key(),
        credential_current_sign_count=count,
        require_user_verification=True,
    )


def read(response: dict[str, Any]) -> dict[str, Any]:
    """Return every value in a response under a flat name, signatures left out."""
    inner = dict(response["response"])
    flat = {f"client_data.{k}": v for k, v in json.loads(b64url_decode(inner.pop("clientDataJSON"))).items()}
    data = b64url_decode(inner.pop("authenticatorData"))
    flat |= {"rp_id_hash": data[:32], "flags": data[32], "sign_count": int.from_bytes(data[33:37], "big")}
    flat["rest"] = data[37:]
    if "attestationObject" in inner:
        attestation = cbor2.loads(b64url_decode(inner.pop("attestationObject")))
        assert attestation.pop("authData") == data
        attestation["attStmt"].pop("sig", None)
        length = int.from_bytes(data[53:55], "big")
        flat |= {"aaguid": data[37:53], "attested_id": data[55 : 55 + length], "rest": data[55 + length :]}
        flat |= attestation
    inner.pop("signature", None)
    return flat | inner | {k: v for k, v in response.items() if k != "response"}


def changes(honest: dict[str, Any], bent: dict[str, Any]) -> dict[str, Any]:
    """Return what a bent response has that an honest one has not; ``None`` for what it lacks."""
    before, after = read(honest), read(bent)
    return {k: after.get(k) for k in before.keys() | after.keys() if before.get(k) != after.get(k)}
