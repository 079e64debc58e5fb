"""The virtual authenticator's encodings, judged by the examples in RFC 8949 and by W3C's own test vectors."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import cbor2
import pytest
import w3c
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding
from response_tools import ORIGIN, RP_ID, creation_options, request_options

from flask_passkey.testing import (
    ALGORITHMS,
    AuthenticationCeremony,
    Ceremony,
    Flags,
    RegistrationCeremony,
    VirtualAuthenticator,
    VirtualCredential,
    b64url_decode,
    b64url_encode,
    cose_map,
    encode_cbor,
    generate_key,
)

#: From RFC 8949, appendix A.
CBOR_EXAMPLES: list[tuple[object, str]] = [
    (0, "00"),
    (1, "01"),
    (10, "0a"),
    (23, "17"),
    (24, "1818"),
    (25, "1819"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    (18446744073709551615, "1bffffffffffffffff"),
    (-1, "20"),
    (-10, "29"),
    (-100, "3863"),
    (-1000, "3903e7"),
    (-18446744073709551616, "3bffffffffffffffff"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("", "60"),
    ("a", "6161"),
    ("IETF", "6449455446"),
    ('"\\', "62225c"),
    ("\u00fc", "62c3bc"),
    ("\u6c34", "63e6b0b4"),
    ([], "80"),
    ([1, 2, 3], "83010203"),
    ((1, [2, 3], [4, 5]), "8301820203820405"),
    (list(range(1, 26)), "98190102030405060708090a0b0c0d0e0f101112131415161718181819"),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
    (["a", {"b": "c"}], "826161a161626163"),
    ({c: c.upper() for c in "abcde"}, "a56161614161626142616361436164614461656145"),
]


@pytest.mark.parametrize(("value", "expected"), CBOR_EXAMPLES, ids=[text for _, text in CBOR_EXAMPLES])
def test_cbor_is_that_of_the_rfc(value: object, expected: str) -> None:
    """CBOR values are written as RFC 8949's own examples are."""
    assert encode_cbor(value).hex() == expected


@pytest.mark.parametrize("size", [23, 24, 255, 256, 65535, 65536])
def test_cbor_lengths(size: int) -> None:
    """A length is right on both sides of each limit, for bytes and for text counted in bytes."""
    assert cbor2.loads(encode_cbor(b"x" * size)) == b"x" * size
    assert cbor2.loads(encode_cbor("\u00fc" * size)) == "\u00fc" * size


def test_cbor_maps_are_canonical() -> None:
    """Keys stand in CTAP2's order, by type, length and value, whatever order they came in."""
    encoded = encode_cbor({"aa": 0, "b": 0, "a": 0, b"": 0, -1: 0, 24: 0, 3: 0, -100: 0, 1: 0})
    order = list(cbor2.loads(encoded))
    assert order == [1, 3, 24, -1, -100, b"", "a", "b", "aa"]


def test_cbor_refuses_what_it_does_not_know() -> None:
    """A type or a number that has no place in WebAuthn is refused, not written wrongly."""
    with pytest.raises(TypeError, match="float"):
        encode_cbor({"x": [1.5]})
    with pytest.raises(OverflowError):
        encode_cbor(1 << 64)


@pytest.mark.parametrize(("data", "text"), [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"\xfb\xff\xfe", "-__-")])
def test_base64url(data: bytes, text: str) -> None:
    """Base64url has the URL-safe alphabet and no padding, both ways."""
    assert b64url_encode(data) == text
    assert b64url_decode(text) == data


@pytest.mark.parametrize("text", ["Zg==", "+//+", "Zg\n", "Z g", "Z", "Zgé"])
def test_base64url_is_strict(text: str) -> None:
    """Anything but unpadded base64url is refused, as Chromium refuses it."""
    with pytest.raises(ValueError, match="not unpadded base64url"):
        b64url_decode(text)


#: All but the trust root, which is no ceremony, and RS256, whose private key the vectors don't give.
VECTOR_NAMES = [
    "none-es256",
    "packed-self-es256",
    "none-es256-crossOrigin",
    "none-es256-topOrigin",
    "none-es256-long-credential-id",
    "packed-es256",
    "packed-es384",
    "packed-es512",
    "packed-eddsa",
    "packed-ed448",
    "tpm-es256",
    "android-key-es256",
    "apple-es256",
    "fido-u2f-es256",
]


class Vector:
    """One of W3C's test vectors, and an authenticator that holds its credential."""

    def __init__(self, name: str) -> None:
        vector = w3c.vectors()[name]
        self.registration = {k: bytes.fromhex(v) for k, v in vector["registration"].items()}
        self.authentication = {k: bytes.fromhex(v) for k, v in vector["authentication"].items()}
        self.attestation = cbor2.loads(self.registration["attestationObject"])
        self.key = self._key()
        self.credential = VirtualCredential(
            rp_id="example.org", user_handle=b"x", id=self.registration["credential_id"], private_key=self.key
        )
        self.authenticator = VirtualAuthenticator(
            "https://example.org", aaguid=self.attestation["authData"][37:53].hex(), credentials=[self.credential]
        )

    def _key(self) -> Any:
        if "private_key" in self.registration:
            seed = self.registration["private_key"]
            kind = ed25519.Ed25519PrivateKey if len(seed) == 32 else ed448.Ed448PrivateKey
            return kind.from_private_bytes(seed)
        secret = self.registration["credential_private_key"]
        curve = {32: ec.SECP256R1(), 48: ec.SECP384R1()}.get(len(secret), ec.SECP521R1())
        return ec.derive_private_key(int.from_bytes(secret, "big"), curve)

    def bend(self, ceremony: Ceremony, client_data_json: bytes, flags: int) -> None:
        """Feed a ceremony with what a vector says about the client and the flags."""
        client_data = json.loads(client_data_json)
        for member in ("crossOrigin", "topOrigin", "extraData"):
            if member in client_data:
                ceremony.client_data[member] = client_data[member]
        ceremony.flags = Flags(flags)


@w3c.needs_vectors
@pytest.mark.parametrize("name", VECTOR_NAMES)
def test_registration_is_that_of_the_vector(name: str) -> None:
    """Fed with a vector's inputs, client data and attestation object come out as its very bytes."""
    vector = Vector(name)
    wanted = vector.registration

    def feed(ceremony: RegistrationCeremony) -> None:
        vector.bend(ceremony, wanted["clientDataJSON"], vector.attestation["authData"][32])
        ceremony.public_key = cose_map(vector.key)
        ceremony.credential_id = wanted["credential_id"]
        ceremony.attestation_format = vector.attestation["fmt"]
        ceremony.attestation_statement = vector.attestation["attStmt"]

    options = creation_options(rp={"id": "example.org", "name": "W3C"}, challenge=b64url_encode(wanted["challenge"]))
    inner = vector.authenticator.create(options, bend=feed)["response"]
    assert b64url_decode(inner["clientDataJSON"]) == wanted["clientDataJSON"]
    assert b64url_decode(inner["attestationObject"]) == wanted["attestationObject"]
    assert b64url_decode(inner["authenticatorData"]) == vector.attestation["authData"]


@w3c.needs_vectors
@pytest.mark.parametrize("name", VECTOR_NAMES)
def test_authentication_is_that_of_the_vector(name: str) -> None:
    """Fed with a vector's inputs, client data and authenticator data come out as its very bytes."""
    vector = Vector(name)
    wanted = vector.authentication

    def feed(ceremony: AuthenticationCeremony) -> None:
        vector.bend(ceremony, wanted["clientDataJSON"], wanted["authenticatorData"][32])

    options = request_options(rpId="example.org", challenge=b64url_encode(wanted["challenge"]))
    inner = vector.authenticator.get(options, bend=feed)["response"]
    assert b64url_decode(inner["clientDataJSON"]) == wanted["clientDataJSON"]
    assert b64url_decode(inner["authenticatorData"]) == wanted["authenticatorData"]
    if name in ("packed-eddsa", "packed-ed448"):  # the other algorithms put randomness into a signature
        assert b64url_decode(inner["signature"]) == wanted["signature"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_signature_algorithms(algorithm: int) -> None:
    """Each algorithm's signature is of the kind and with the hash that its number says."""
    authenticator = VirtualAuthenticator(ORIGIN, shared_rsa_key=True)
    key: Any = generate_key(algorithm, shared_rsa_key=True)
    authenticator.credentials.append(VirtualCredential(rp_id=RP_ID, user_handle=b"x", private_key=key))
    inner = authenticator.get(request_options())["response"]
    signed = b64url_decode(inner["authenticatorData"]) + sha256(b64url_decode(inner["clientDataJSON"])).digest()
    arguments: dict[int, tuple[Any, ...]] = {
        -7: (ec.ECDSA(hashes.SHA256()),),
        -35: (ec.ECDSA(hashes.SHA384()),),
        -36: (ec.ECDSA(hashes.SHA512()),),
        -257: (padding.PKCS1v15(), hashes.SHA256()),
    }
    key.public_key().verify(b64url_decode(inner["signature"]), signed, *arguments.get(algorithm, ()))
    with pytest.raises(InvalidSignature):
        key.public_key().verify(b64url_decode(inner["signature"]), signed + b"x", *arguments.get(algorithm, ()))
