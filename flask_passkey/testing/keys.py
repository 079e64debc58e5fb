"""Credential key pairs: make one, write its public key as COSE_Key and as SPKI, sign with it.

The key formats are those of `W3C WebAuthn Level 3, section 5.8.5
<https://www.w3.org/TR/webauthn-3/#sctn-alg-identifier>`_ and section 6.5.1.1, from RFC 9053, RFC 8230 and RFC 9964.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa

_MLDSAPrivateKey: TypeAlias = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
#: What a :class:`VirtualCredential` signs with: a private key of the ``cryptography`` library.
PrivateKey: TypeAlias = (
    ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | rsa.RSAPrivateKey
    | _MLDSAPrivateKey
)

ES256, ES384, ES512, EDDSA, ED448, RS256 = -7, -35, -36, -8, -53, -257

#: COSE algorithm -> its type of key (RFC 9964).
_MLDSA: dict[int, type[mldsa.MLDSA44PrivateKey] | type[mldsa.MLDSA65PrivateKey] | type[mldsa.MLDSA87PrivateKey]] = {
    -48: mldsa.MLDSA44PrivateKey,
    -49: mldsa.MLDSA65PrivateKey,
    -50: mldsa.MLDSA87PrivateKey,
}

#: COSE identifiers of all algorithms that there are here.
ALGORITHMS = (ES256, EDDSA, RS256, ES384, ES512, ED448, *_MLDSA)

#: COSE algorithm -> its curve, that curve's number in COSE, its hash. WebAuthn ties the curve to the algorithm.
_ECDSA: dict[int, tuple[ec.EllipticCurve, int, hashes.HashAlgorithm]] = {
    ES256: (ec.SECP256R1(), 1, hashes.SHA256()),
    ES384: (ec.SECP384R1(), 2, hashes.SHA384()),
    ES512: (ec.SECP521R1(), 3, hashes.SHA512()),
}
_ECDSA_OF_CURVE = {curve.name: algorithm for algorithm, (curve, _, _) in _ECDSA.items()}

# Labels of RFC 9052, section 7.1, and RFC 9053, section 7: kty, alg; crv, x, y of an elliptic curve key.
_KTY, _ALG, _CRV, _X, _Y = 1, 3, -1, -2, -3
_KTY_OKP, _KTY_EC2, _KTY_RSA, _KTY_AKP = 1, 2, 3, 7


def generate_key(algorithm: int = ES256, *, shared_rsa_key: bool = False) -> PrivateKey:
    """Make a key pair.

    :param algorithm: COSE algorithm identifier, one of :data:`ALGORITHMS`.
    :param shared_rsa_key: return the same RSA key every time, as making one takes long.
    :raises ValueError: there is no such algorithm here.
    """
    if algorithm in _ECDSA:
        return ec.generate_private_key(_ECDSA[algorithm][0])
    if algorithm in _MLDSA:
        return _MLDSA[algorithm].generate()
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == ED448:
        return ed448.Ed448PrivateKey.generate()
    if algorithm == RS256:
        return _shared_rsa_key() if shared_rsa_key else _new_rsa_key()
    raise ValueError(f"no such algorithm here: {algorithm}; there are {ALGORITHMS}")


def _new_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _shared_rsa_key() -> rsa.RSAPrivateKey:
    return _new_rsa_key()


def algorithm_of(key: PrivateKey) -> int:
    """Return the COSE algorithm identifier of a key."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _ECDSA_OF_CURVE[key.curve.name]
    for algorithm, kind in _MLDSA.items():
        if isinstance(key, kind):
            return algorithm
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return EDDSA
    return ED448 if isinstance(key, ed448.Ed448PrivateKey) else RS256


def cose_map(key: PrivateKey) -> dict[int, int | bytes]:
    """Return the public key as the map of a COSE_Key, not yet encoded."""
    algorithm = algorithm_of(key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
        x, y = point.x.to_bytes(size, "big"), point.y.to_bytes(size, "big")
        return {_KTY: _KTY_EC2, _ALG: algorithm, _CRV: _ECDSA[algorithm][1], _X: x, _Y: y}
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_numbers()
        n, e = public.n.to_bytes(key.key_size // 8, "big"), public.e.to_bytes(3, "big")
        return {_KTY: _KTY_RSA, _ALG: algorithm, -1: n, -2: e}
    raw = key.public_key().public_bytes_raw()
    if algorithm in _MLDSA:
        return {_KTY: _KTY_AKP, _ALG: algorithm, -1: raw}
    return {_KTY: _KTY_OKP, _ALG: algorithm, _CRV: 6 if algorithm == EDDSA else 7, _X: raw}


def spki(key: PrivateKey) -> bytes:
    """Return the public key as a DER SubjectPublicKeyInfo, like the browser's ``getPublicKey()``."""
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Sign a message in the signature format of section 6.5.5: ECDSA in DER, PKCS #1 v1.5 for RSA."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(_ECDSA[algorithm_of(key)][2]))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(message)
