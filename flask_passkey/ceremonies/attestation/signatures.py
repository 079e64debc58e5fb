"""Signatures of attestation keys, by the number of their algorithm in the `COSE registry
<https://www.iana.org/assignments/cose/cose.xhtml#algorithms>`_.

A maker's key may be of another algorithm than any passkey's that an app offers.
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes

from ...errors import ResponseRejected
from ..keys import RSA_BITS

_SHA256, _SHA384, _SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
_ECDSA = {-7: _SHA256, -35: _SHA384, -36: _SHA512, -9: _SHA256, -51: _SHA384, -52: _SHA512}
# SHA-1 is what the TPMs of older machines sign with.
_PKCS1: dict[int, hashes.HashAlgorithm] = {-257: _SHA256, -258: _SHA384, -259: _SHA512, -65535: hashes.SHA1()}
_PSS = {-37: _SHA256, -38: _SHA384, -39: _SHA512}
_OTHERS: dict[int, Any] = {
    -8: ed25519.Ed25519PublicKey,
    -19: ed25519.Ed25519PublicKey,
    -53: ed448.Ed448PublicKey,
    -48: mldsa.MLDSA44PublicKey,
    -49: mldsa.MLDSA65PublicKey,
    -50: mldsa.MLDSA87PublicKey,
}


def check_signature(key: PublicKeyTypes, algorithm: int, signature: bytes, message: bytes) -> None:
    """Check a signature of a message.

    :param algorithm: its COSE number.
    :raises ResponseRejected: it was made with another key, or the key is not one for the algorithm.
    """
    try:
        _verify(key, algorithm, signature, message)
    except InvalidSignature as exc:
        raise ResponseRejected("the signature of the attestation statement does not fit") from exc


def _verify(key: Any, algorithm: int, signature: bytes, message: bytes) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA:
        key.verify(signature, message, ec.ECDSA(_ECDSA[algorithm]))
    elif isinstance(key, rsa.RSAPublicKey) and algorithm in _PKCS1:
        key.verify(signature, message, PKCS1v15(), _PKCS1[algorithm])
    elif isinstance(key, rsa.RSAPublicKey) and algorithm in _PSS:
        digest = _PSS[algorithm]
        key.verify(signature, message, PSS(MGF1(digest), PSS.DIGEST_LENGTH), digest)
    elif algorithm in _OTHERS and isinstance(key, _OTHERS[algorithm]):
        key.verify(signature, message)
    else:
        raise ResponseRejected(f"the attestation key is not one for the algorithm {algorithm}")


def digest(algorithm: int, message: bytes) -> bytes:
    """Hash a message as a signature algorithm does.

    :raises ResponseRejected: it has no hash apart.
    """
    known = {**_ECDSA, **_PKCS1, **_PSS}
    if algorithm not in known:
        raise ResponseRejected(f"the algorithm {algorithm} has no hash")
    hashed = hashes.Hash(known[algorithm])
    hashed.update(message)
    return hashed.finalize()


def is_strong(key: CertificatePublicKeyTypes) -> bool:
    """Tell whether a key is long enough for anybody to vouch with it, and short enough to be worked with."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in RSA_BITS
    return not isinstance(key, ec.EllipticCurvePublicKey) or key.key_size >= 256
