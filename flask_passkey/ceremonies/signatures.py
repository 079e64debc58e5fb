"""Signatures of passkeys and of attestation keys, by the number of their algorithm in the `COSE registry
<https://www.iana.org/assignments/cose/cose.xhtml#algorithms>`_.

A maker's attestation key may be of another algorithm than any passkey that an app offers. PS256 and its like have a
salt as long as the hash (`RFC 8230, section 2 <https://www.rfc-editor.org/rfc/rfc8230#section-2>`_).
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from ..errors import ResponseRejected
from .keys import RSA_BITS
from .responses import quoted

_SHA1, _SHA256, _SHA384, _SHA512 = hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
_ECDSA = {-7: _SHA256, -35: _SHA384, -36: _SHA512, -9: _SHA256, -51: _SHA384, -52: _SHA512}
# SHA-1 is what the TPMs of older machines sign with.
_PKCS1: dict[int, hashes.HashAlgorithm] = {-257: _SHA256, -258: _SHA384, -259: _SHA512, -65535: _SHA1}
_PSS = {-37: _SHA256, -38: _SHA384, -39: _SHA512}

#: The kind of key of each algorithm, and what its method ``verify`` has to be told.
_ALGORITHMS: dict[int, tuple[Any, ...]] = {
    **{number: (ec.EllipticCurvePublicKey, ec.ECDSA(digest)) for number, digest in _ECDSA.items()},
    **{number: (rsa.RSAPublicKey, PKCS1v15(), digest) for number, digest in _PKCS1.items()},
    **{number: (rsa.RSAPublicKey, PSS(MGF1(digest), PSS.DIGEST_LENGTH), digest) for number, digest in _PSS.items()},
    **dict.fromkeys((-8, -19), (ed25519.Ed25519PublicKey,)),
    -53: (ed448.Ed448PublicKey,),
    -48: (mldsa.MLDSA44PublicKey,),
    -49: (mldsa.MLDSA65PublicKey,),
    -50: (mldsa.MLDSA87PublicKey,),
}


def check_signature(key: Any, algorithm: int, signature: bytes, message: bytes) -> None:
    """Check a signature of a message.

    :param key: a public key.
    :param algorithm: its COSE number.
    :raises ResponseRejected: it was made with another key, or the key is not one for the algorithm.
    """
    kind, *parameters = _ALGORITHMS.get(algorithm, (type(None),))
    if not isinstance(key, kind):
        raise ResponseRejected(f"the key is not one for the algorithm {quoted(algorithm)}")
    try:
        key.verify(signature, message, *parameters)
    except InvalidSignature as exc:
        raise ResponseRejected("the signature does not fit") from exc


def digest(algorithm: int, message: bytes) -> bytes:
    """Hash a message as a signature algorithm does.

    :raises ResponseRejected: it has no hash apart.
    """
    known = {**_ECDSA, **_PKCS1, **_PSS}
    if algorithm not in known:
        raise ResponseRejected(f"the algorithm {quoted(algorithm)} has no hash")
    hashed = hashes.Hash(known[algorithm])
    hashed.update(message)
    return hashed.finalize()


def is_strong(key: CertificatePublicKeyTypes) -> bool:
    """Tell whether a key is long enough for anybody to vouch with it, and short enough to be worked with."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in RSA_BITS
    return not isinstance(key, ec.EllipticCurvePublicKey) or key.key_size >= 256
