"""Public keys that may be kept: those that will verify when their owner comes back."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from rehearsal import EXAMPLES, begin_registration, browser, configured, finish_registration, register, sign_in

from flask_passkey.ceremonies.keys import check_public_key
from flask_passkey.errors import RegistrationRejected, ResponseRejected
from flask_passkey.testing import RegistrationCeremony, cose_map, encode_cbor, generate_key

KTY, ALG, CRV, X, Y = 1, 3, -1, -2, -3
ES256, EDDSA, RS256 = -7, -8, -257
MLDSA = (-48, -49, -50)

#: One good key of each kind; RSA keys of its size differ in nothing that matters here.
GOOD = {
    algorithm: cose_map(generate_key(algorithm, shared_rsa_key=True))
    for algorithm in (ES256, EDDSA, RS256, -36, *MLDSA)
}


def rsa_map(bits: int, algorithm: int = RS256, exponent: int = 65537) -> dict[int, int | bytes]:
    """Return a COSE_Key with an odd number of so many bits as its modulus; nobody can sign with it."""
    modulus = (1 << bits) - 159
    size = (exponent.bit_length() + 7) // 8
    return {KTY: 3, ALG: algorithm, -1: modulus.to_bytes(bits // 8, "big"), -2: exponent.to_bytes(size, "big")}


@pytest.mark.parametrize("algorithm", GOOD)
def test_good_key_is_accepted(algorithm: int) -> None:
    """A key of every algorithm that can be offered is accepted, and its algorithm returned."""
    assert check_public_key(encode_cbor(GOOD[algorithm])) == algorithm


@pytest.mark.parametrize("algorithm", [-258, -259, -37, -38, -39])
def test_other_rsa_algorithms_are_accepted(algorithm: int) -> None:
    """An app may offer the other RSA algorithms too."""
    assert check_public_key(encode_cbor({**GOOD[RS256], ALG: algorithm})) == algorithm


@pytest.mark.parametrize("bits", [2048, 3072, 4096, 8192])
def test_usual_rsa_sizes_are_accepted(bits: int) -> None:
    """RSA keys of usual sizes are accepted."""
    assert check_public_key(encode_cbor(rsa_map(bits))) == RS256


@pytest.mark.parametrize("bits", [512, 1024, 2040, 8200, 16384])
def test_other_rsa_sizes_are_refused(bits: int) -> None:
    """RSA keys that are too short to be safe or so long that verifying costs us are refused."""
    with pytest.raises(ResponseRejected, match=f"RSA key has {bits} bits|cannot be loaded"):
        check_public_key(encode_cbor(rsa_map(bits)))


def test_real_short_rsa_key_is_refused() -> None:
    """A real RSA key of 1024 bits is refused in a registration."""
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key().public_numbers()
    short = {KTY: 3, ALG: RS256, -1: numbers.n.to_bytes(128, "big"), -2: b"\x01\x00\x01"}
    with pytest.raises(RegistrationRejected, match="RSA key has 1024 bits"):
        register(browser(), bend=lambda c: setattr(c, "public_key", short))


BAD: dict[str, dict[int, int | bytes]] = {
    "not on the curve": {**GOOD[ES256], Y: bytes(32)},
    "point at infinity": {**GOOD[ES256], X: bytes(32), Y: bytes(32)},
    "coordinate too large": {**GOOD[ES256], X: b"\xff" * 33},
    "curve of another algorithm": {**cose_map(ec.generate_private_key(ec.SECP521R1())), ALG: ES256},
    "algorithm of another curve": {**GOOD[ES256], ALG: -36},
    "curve unknown": {**GOOD[ES256], CRV: 8},
    "coordinate missing": {label: value for label, value in GOOD[ES256].items() if label != Y},
    "type missing": {label: value for label, value in GOOD[ES256].items() if label != KTY},
    "algorithm missing": {label: value for label, value in GOOD[ES256].items() if label != ALG},
    "algorithm of another type": {**GOOD[ES256], ALG: RS256},
    "type of another algorithm": {**GOOD[RS256], ALG: ES256},
    "Ed25519 too short": {**GOOD[EDDSA], X: bytes(31)},
    "Ed25519 with curve Ed448": {**GOOD[EDDSA], CRV: 7},
    "Ed25519 as ES256": {**GOOD[EDDSA], ALG: ES256},
    "RSA exponent 1": rsa_map(2048, exponent=1),
    "RSA exponent even": rsa_map(2048, exponent=65536),
    "RSA with SHA-1": {**GOOD[RS256], ALG: -65535},
    "unknown algorithm": {**GOOD[ES256], ALG: -9},
    "ML-DSA-44 as ML-DSA-65": {**GOOD[-48], ALG: -49},
    "ML-DSA-87 as ML-DSA-44": {**GOOD[-50], ALG: -48},
    "ML-DSA too short": {**GOOD[-48], -1: bytes(1311)},
    "ML-DSA as Ed25519": {**GOOD[-48], ALG: EDDSA},
    "ML-DSA with the type of EC keys": {**GOOD[-48], KTY: 2},
    "ES256 with the type of ML-DSA": {**GOOD[ES256], KTY: 7},
    "ML-DSA without its bytes": {KTY: 7, ALG: -48},
    "symmetric": {KTY: 4, ALG: 5, -1: bytes(32)},
    "ES256K": {**cose_map(generate_key(ES256)), ALG: -47, CRV: 8},
    "empty": {},
}


@pytest.mark.proves("specification:keys")
@pytest.mark.parametrize("key", BAD.values(), ids=BAD)
def test_bad_key_is_refused(key: dict[int, int | bytes]) -> None:
    """A key that would not load or verify when its owner comes back is refused before it is kept."""
    with pytest.raises(ResponseRejected, match="public key|RSA key"):
        check_public_key(encode_cbor(key))


@pytest.mark.proves("specification:keys")
@pytest.mark.parametrize("name", ["not on the curve", "curve of another algorithm", "RSA exponent 1", "empty"])
def test_bad_key_is_refused_in_a_registration(name: str) -> None:
    """The same in a whole registration, which would otherwise store it."""

    def exchange(ceremony: RegistrationCeremony) -> None:
        ceremony.public_key = BAD[name]

    with pytest.raises(RegistrationRejected):
        register(browser(), bend=exchange, config=configured(algorithms=(-7, -36, -257)))


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x04" + bytes(64), b"\xa0", b"\xff", b"\x81" * 40_000, b"\x9f" * 99])
def test_garbage_is_refused(data: bytes) -> None:
    """Bytes that are no COSE_Key are refused; the old raw form of a point is none."""
    with pytest.raises(ResponseRejected, match="cannot be loaded"):
        check_public_key(data)


@pytest.mark.parametrize("algorithm", MLDSA)
@pytest.mark.parametrize("attestation", ["none", "packed"])
def test_ml_dsa_can_be_listed(algorithm: int, attestation: Any) -> None:
    """An app may offer ML-DSA: its keys register, sign in, and a signature that does not fit is refused."""
    config = configured(algorithms=(algorithm, -7), attestation="direct")
    authenticator = browser(attestation=attestation)
    record = register(authenticator, config=config)
    assert (record.algorithm, record.public_key) == (algorithm, authenticator.credentials[0].cose_key())
    assert sign_in(authenticator, record, config=config).record.id == record.id
    for signature in (bytes({-48: 2420, -49: 3309, -50: 4627}[algorithm]), bytes(64), b"\x00"):
        with pytest.raises(ResponseRejected, match="Could not verify authentication signature"):
            sign_in(authenticator, record, config=config, signature=signature)
    authenticator.credentials[0].private_key = generate_key(algorithm)
    with pytest.raises(ResponseRejected, match="Could not verify authentication signature"):
        sign_in(authenticator, record, config=config)


@pytest.mark.parametrize("algorithm", MLDSA)
def test_ml_dsa_is_not_offered_by_default(algorithm: int) -> None:
    """Unless it is listed, no ML-DSA is offered, and a key of it is refused."""
    assert algorithm not in configured().algorithms
    options, pending = begin_registration()
    options["pubKeyCredParams"] = [{"type": "public-key", "alg": algorithm}]
    with pytest.raises(RegistrationRejected, match="Unsupported credential public key alg"):
        finish_registration(pending, browser().create(options))


@EXAMPLES
@given(
    st.dictionaries(st.sampled_from([KTY, ALG, CRV, X, Y]), st.integers(-300, 10) | st.binary(max_size=70) | st.text())
)
def test_any_map_is_refused_or_usable(key: dict[int, int | bytes]) -> None:
    """Any map is refused, or its algorithm is one that a key of that kind can have."""
    try:
        algorithm = check_public_key(cbor2.dumps(key))
    except ResponseRejected:
        return
    assert key[ALG] == algorithm
    assert key[KTY] == {ES256: 2, EDDSA: 1, -36: 2, **dict.fromkeys(MLDSA, 7)}.get(algorithm, 3)
