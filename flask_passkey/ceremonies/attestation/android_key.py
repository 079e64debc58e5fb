"""What Android says of a key that it made: section 8.4 of `W3C WebAuthn Level 3
<https://www.w3.org/TR/webauthn-3/#sctn-android-key-attestation>`_.

The extension of the certificate is Android's `KeyDescription
<https://source.android.com/docs/security/features/keystore/attestation#schema>`_.
"""

from __future__ import annotations

from cryptography import x509

from ...errors import ResponseRejected
from .certificates import raw_extension
from .der import ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, SET, elements, only

_DESCRIPTION = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
#: attestationVersion, its security level, keyMintVersion, its security level, attestationChallenge, uniqueId,
#: softwareEnforced, hardwareEnforced.
_LAYOUT = (INTEGER, ENUMERATED, INTEGER, ENUMERATED, OCTET_STRING, OCTET_STRING, SEQUENCE, SEQUENCE)

# Items of an authorization list, by their identifiers.
_PURPOSE, _ALL_APPLICATIONS, _ORIGIN = b"\xa1", b"\xbf\x84\x58", b"\xbf\x85\x3e"  # [1], [600], [702]
_GENERATED, _SIGN = 0, 2


def check(certificate: x509.Certificate, client_data_hash: bytes) -> None:
    """Check that a key was made in secure hardware, for signing, and for this ceremony.

    :raises ResponseRejected: it was not.
    :raises ValueError: the description is not DER, or not laid out as Android's.
    """
    challenge, software, hardware = _description(certificate)
    if challenge != client_data_hash:
        raise ResponseRejected("the key of the attestation certificate was made for another challenge")
    if _ALL_APPLICATIONS in software or _ALL_APPLICATIONS in hardware:
        raise ResponseRejected("the key of the attestation certificate is open to all applications")
    if _ORIGIN not in hardware or _number(only(hardware[_ORIGIN], INTEGER)) != _GENERATED:
        raise ResponseRejected("the key of the attestation certificate was not made in secure hardware")
    if _PURPOSE not in hardware or _purposes(hardware[_PURPOSE]) != {_SIGN}:
        raise ResponseRejected("the key of the attestation certificate is not only for signing")


def _description(certificate: x509.Certificate) -> tuple[bytes, dict[bytes, bytes], dict[bytes, bytes]]:
    found = raw_extension(certificate, _DESCRIPTION)
    if found is None:
        raise ResponseRejected("the attestation certificate has no description of its key")
    values = list(elements(only(found.value.value, SEQUENCE)))
    if tuple(identifier for identifier, _ in values) != _LAYOUT:
        raise ValueError("the description of the key is laid out in another way")
    *_, (_, challenge), _, (_, software), (_, hardware) = values
    return challenge, dict(elements(software)), dict(elements(hardware))


def _purposes(value: bytes) -> set[int]:
    values = list(elements(only(value, SET)))
    if any(identifier != INTEGER for identifier, _ in values):
        raise ValueError("a purpose of the key is not a number")
    return {_number(content) for _, content in values}


def _number(content: bytes) -> int:
    return int.from_bytes(content, "big", signed=True)
