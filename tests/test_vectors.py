"""W3C's own test vectors, through the functions that judge real responses.

What becomes of each is written down, with the reason, in the table of ``docs/proof/specification.md``.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path
from typing import Any

import cbor2
import pytest
import w3c
from rehearsal import ADA, HANDLES, configured, finish_registration, finish_sign_in

from flask_passkey.ceremonies.attestation import Trust
from flask_passkey.ceremonies.pending import REGISTRATION, SIGN_IN, PendingCeremony
from flask_passkey.config import PasskeyConfig
from flask_passkey.credentials import CredentialRecord
from flask_passkey.errors import RegistrationRejected, ResponseRejected
from flask_passkey.testing import b64url_encode

ROOT = Path(__file__).parent.parent
SITE: dict[str, Any] = {
    "rp_id": "example.org",
    "origins": ("https://example.org",),
    "user_verification": "preferred",
    "algorithms": (-7, -8, -36, -257),
}
AS_IT_STANDS = configured(**SITE)
EMBEDDED = configured(**SITE, allow_cross_origin=True, top_origins=("https://example.com",))
PASSES, REFUSED = "passes", "refused"

pytestmark = [w3c.needs_vectors, pytest.mark.proves("specification:vectors")]


@functools.cache
def vectors() -> dict[str, Any]:
    """Return the vectors by name; the first entry is the certificate of their attestation."""
    return {name: vector for name, vector in w3c.vectors().items() if "registration" in vector}


def text(hexadecimal: str) -> str:
    """Turn a vector's hexadecimal bytes into the base64url text of JSON."""
    return b64url_encode(bytes.fromhex(hexadecimal))


def pending(purpose: str, challenge: str) -> PendingCeremony:
    """Return a ceremony that was begun with a vector's challenge."""
    return PendingCeremony(
        purpose=purpose,
        rp_id="example.org",
        challenge=text(challenge),
        user_verification="preferred",
        user_handle=b64url_encode(HANDLES[ADA]) if purpose == REGISTRATION else "",
    )


def response(vector: Any, members: dict[str, str]) -> dict[str, Any]:
    """Return the JSON a browser would have made of a vector."""
    credential_id = text(vector["registration"]["credential_id"])
    return {"id": credential_id, "rawId": credential_id, "type": "public-key", "response": members}


def register(
    vector: Any, config: PasskeyConfig, *, attested: bool = True, trust: Trust | None = None
) -> CredentialRecord:
    """Register a vector's credential, with its attestation or as browsers send it when none was asked for."""
    given = vector["registration"]
    attestation_object = bytes.fromhex(given["attestationObject"])
    if not attested:
        attestation_object = cbor2.dumps({**cbor2.loads(attestation_object), "fmt": "none", "attStmt": {}})
    members = {
        "clientDataJSON": text(given["clientDataJSON"]),
        "attestationObject": b64url_encode(attestation_object),
    }
    begun = pending(REGISTRATION, given["challenge"])
    return finish_registration(begun, response(vector, members), config=config, trust=trust or Trust())


def sign_in(vector: Any, record: CredentialRecord, config: PasskeyConfig) -> CredentialRecord:
    """Sign in with a vector's credential; the vectors have no user handle, so the account's is added."""
    given = vector["authentication"]
    members = {name: text(given[name]) for name in ("clientDataJSON", "authenticatorData", "signature")}
    members["userHandle"] = b64url_encode(HANDLES[ADA])
    begun = pending(SIGN_IN, given["challenge"])
    return finish_sign_in(begun, response(vector, members), record, config=config).record


def outcome(vector: Any, config: PasskeyConfig, *, attested: bool = True, trust: Trust | None = None) -> str:
    """Register a vector's credential and sign in with it."""
    try:
        record = register(vector, config, attested=attested, trust=trust)
    except RegistrationRejected:
        return REFUSED
    assert record.id == bytes.fromhex(vector["registration"]["credential_id"])
    assert record.aaguid.replace("-", "") == vector["registration"]["aaguid"]
    assert sign_in(vector, record, config).last_used_at is not None
    return PASSES


def roots() -> Trust:
    """Trust the vectors' own root for every format of attestation."""
    root = bytes.fromhex(w3c.vectors()["attestation-root-cert"]["data"]["attestation_ca_cert"])
    return Trust({form: [root] for form in ("packed", "tpm", "android-key", "apple", "fido-u2f")})


@functools.cache
def written_down() -> dict[str, tuple[str, ...]]:
    """Return the rows of the table: name, and the four outcomes."""
    document = (ROOT / "docs" / "proof" / "specification.md").read_text("utf-8")
    row = r"^\| `([\w-]+)` \| (passes|refused) \| (passes|refused) \| (passes|refused) \| (passes|refused) \| .+ \|$"
    return {name: tuple(outcomes) for name, *outcomes in re.findall(row, document, re.MULTILINE)}


def test_every_vector_is_written_down() -> None:
    """The table has the vectors and no others."""
    assert set(written_down()) == set(vectors())


@pytest.mark.parametrize("name", written_down())
def test_outcome_is_as_written_down(name: str) -> None:
    """Each vector passes or is refused as the table says, in all four ways to look at it."""
    vector = vectors()[name]
    outcomes = (
        outcome(vector, AS_IT_STANDS),
        outcome(vector, EMBEDDED),
        outcome(vector, EMBEDDED, attested=False),
        outcome(vector, EMBEDDED, trust=roots()),
    )
    assert outcomes == written_down()[name]


@pytest.mark.parametrize("name", ["crossOrigin", "topOrigin"])
def test_embedded_vectors_are_refused_by_default(name: str) -> None:
    """The vectors of embedded pages are refused at registration and at sign-in, and the log tells the setting."""
    vector = vectors()[f"none-es256-{name}"]
    with pytest.raises(RegistrationRejected, match="PASSKEY_ALLOW_CROSS_ORIGIN"):
        register(vector, AS_IT_STANDS)
    with pytest.raises(ResponseRejected, match="PASSKEY_ALLOW_CROSS_ORIGIN"):
        sign_in(vector, register(vector, EMBEDDED), AS_IT_STANDS)


def test_outer_page_of_the_vector_must_be_named() -> None:
    """To allow embedding is not to allow every outer page."""
    vector = vectors()["none-es256-topOrigin"]
    with pytest.raises(RegistrationRejected, match="https://example.com.*PASSKEY_TOP_ORIGINS"):
        register(vector, configured(**SITE, allow_cross_origin=True))


@pytest.mark.parametrize("name", ["packed-es384", "packed-ed448"])
def test_sign_in_with_a_key_we_never_offer_is_refused(name: str) -> None:
    """ES384 and Ed448 keys, that only another system can have registered, are refused in the usual way."""
    other = register(vectors()["none-es256"], AS_IT_STANDS)
    authenticator_data = cbor2.loads(bytes.fromhex(vectors()[name]["registration"]["attestationObject"]))["authData"]
    record = dataclasses.replace(
        other,
        id=bytes.fromhex(vectors()[name]["registration"]["credential_id"]),
        public_key=authenticator_data[87:],  # after 37 bytes, an AAGUID, a length and an ID of 32 bytes
    )
    with pytest.raises(ResponseRejected, match="no passkey has the algorithm -35|alg -53 and crv 7 is not supported"):
        sign_in(vectors()[name], record, AS_IT_STANDS)


def test_vectors_verify_what_they_say() -> None:
    """The vectors are not passed by chance: with one bit of the signature changed each is refused."""
    for vector in vectors().values():
        if outcome(vector, EMBEDDED, attested=False) == PASSES:
            record = register(vector, EMBEDDED, attested=False)
            signature = bytearray.fromhex(vector["authentication"]["signature"])
            signature[-1] ^= 1
            bent = {**vector, "authentication": {**vector["authentication"], "signature": signature.hex()}}
            with pytest.raises(ResponseRejected, match="signature"):
                sign_in(bent, record, EMBEDDED)
