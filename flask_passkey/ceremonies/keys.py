"""Public keys: may this one be kept, will it load and verify when its owner comes back?"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

from ..errors import ResponseRejected

# COSE key type and curve that belong to each algorithm identifier (section 5.8.5); RSA and ML-DSA have no curve.
_SHAPES: dict[int, tuple[int, int | None]] = {
    **{-7: (2, 1), -8: (1, 6), -36: (2, 3)},
    **dict.fromkeys((-257, -258, -259, -37, -38, -39), (3, None)),
    **dict.fromkeys((-48, -49, -50), (7, None)),
}
RSA_BITS = range(2048, 8193)


def known_algorithm(algorithm: int) -> int:
    """Return the COSE number of an algorithm that passkeys may have.

    :raises ValueError: it is another.
    """
    if algorithm not in _SHAPES:
        raise ValueError(f"no passkey has the algorithm {int(algorithm)}")
    return int(algorithm)


def check_public_key(cose_key: bytes) -> int:
    """Return the algorithm of a key that loads and has the shape of its algorithm, so that it can verify.

    The library loads the key only at the first sign-in, when it would be too late to tell its owner.

    :param cose_key: COSE_Key, CBOR.
    :raises ResponseRejected: it cannot be used.
    """
    try:
        algorithm, shape, bits = _inspect(cose_key)
    except Exception as exc:  # a verdict on bytes an attacker chose: the library raises builtins as well
        raise ResponseRejected("the public key cannot be loaded") from exc
    if shape != _SHAPES.get(algorithm):
        raise ResponseRejected(f"the public key does not fit its algorithm {algorithm}")
    if bits is not None and bits not in RSA_BITS:
        raise ResponseRejected(f"the RSA key has {bits} bits")
    return algorithm


def _inspect(cose_key: bytes) -> tuple[int, tuple[int, int | None], int | None]:
    decoded = decode_credential_public_key(cose_key)
    key = decoded_public_key_to_cryptography(decoded)
    curve = getattr(decoded, "crv", None)
    bits = key.key_size if isinstance(key, RSAPublicKey) else None
    return int(decoded.alg), (int(decoded.kty), None if curve is None else int(curve)), bits
