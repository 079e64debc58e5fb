"""The procedures that verify a statement, by its format: section 8 of `W3C WebAuthn Level 3
<https://www.w3.org/TR/webauthn-3/#sctn-defined-attestation-formats>`_.

A procedure finds out whether the statement was made for this very credential, by whoever has the key of its
certificate. Whose certificate that is, is asked afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

from ...credentials import NO_AAGUID
from ...errors import ResponseRejected
from ..responses import quoted
from ..signatures import check_signature, is_strong
from . import android_key, tpm
from .certificates import MOST_CERTIFICATES, extension, loaded, raw_extension
from .claims import Claim

#: Extension in which an attestation certificate names its model (section 8.2.1).
_MODEL = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
#: Extension in which Apple repeats what is attested (section 8.8).
_APPLE_NONCE = x509.ObjectIdentifier("1.2.840.113635.100.8.2")


def verify(claim: Claim) -> list[x509.Certificate]:
    """Verify a statement by the procedure of its format.

    :returns: its certificates, that of the attestation key first; none for self attestation.
    :raises ResponseRejected: it does not hold, or its format has no procedure here.
    :raises Exception: anything else, where it is not made of what its format is made of.
    """
    procedure = _PROCEDURES.get(claim.form)
    if procedure is None:
        raise ResponseRejected(f"attestation of the format {quoted(claim.form)} proves nothing here")
    return procedure(claim)


def named_model(certificate: x509.Certificate) -> str | None:
    """Return the AAGUID that a certificate names, if it does.

    :raises ResponseRejected: the extension is not as section 8.2.1 wants it.
    """
    found = raw_extension(certificate, _MODEL)
    if found is None:
        return None
    value: bytes = found.value.value
    if found.critical or len(value) != 18 or not value.startswith(b"\x04\x10"):  # OCTET STRING of 16 bytes
        raise ResponseRejected("the attestation certificate does not name its model as section 8.2.1 wants")
    return str(UUID(bytes=value[2:]))


def _packed(claim: Claim) -> list[x509.Certificate]:
    """Section 8.2."""
    statement = claim.statement
    if "x5c" not in statement:
        return _self_attested(claim)
    certificates = _certificates(claim)
    check_signature(certificates[0].public_key(), statement["alg"], statement["sig"], claim.signed)
    if not _is_for_attestation(certificates[0]):
        raise ResponseRejected("the attestation certificate is not one by section 8.2.1")
    return certificates


def _self_attested(claim: Claim) -> list[x509.Certificate]:
    """Section 8.2, without certificates: the passkey vouches for itself."""
    if decode_credential_public_key(claim.public_key).alg != claim.statement["alg"]:
        raise ResponseRejected("the self attestation is not made with the algorithm of the passkey")
    check_signature(_credential_key(claim), claim.statement["alg"], claim.statement["sig"], claim.signed)
    return []


def _fido_u2f(claim: Claim) -> list[x509.Certificate]:
    """Section 8.6. What is signed has no AAGUID."""
    certificates, key = _certificates(claim), _credential_key(claim)
    attestation_key = certificates[0].public_key()
    if len(certificates) != 1 or not _is_p256(attestation_key) or not _is_p256(key):
        raise ResponseRejected("attestation of U2F has one certificate, and keys on P-256")
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    signed = b"\0" + claim.authenticator_data[:32] + claim.client_data_hash + claim.credential_id + point
    check_signature(attestation_key, -7, claim.statement["sig"], signed)
    return certificates


def _tpm(claim: Claim) -> list[x509.Certificate]:
    """Section 8.3."""
    certificates = _certificates(claim)
    tpm.check(claim, certificates[0], _credential_key(claim))
    return certificates


def _android_key(claim: Claim) -> list[x509.Certificate]:
    """Section 8.4."""
    certificates = _certificates(claim)
    key = certificates[0].public_key()
    check_signature(key, claim.statement["alg"], claim.statement["sig"], claim.signed)
    if key != _credential_key(claim):
        raise ResponseRejected("the attestation certificate is for another key than the passkey's")
    android_key.check(certificates[0], claim.client_data_hash)
    return certificates


def _apple(claim: Claim) -> list[x509.Certificate]:
    """Section 8.8."""
    certificates = _certificates(claim)
    found = raw_extension(certificates[0], _APPLE_NONCE)
    # SEQUENCE, [1], OCTET STRING of 32 bytes
    if found is None or found.value.value != bytes.fromhex("3024a1220420") + sha256(claim.signed).digest():
        raise ResponseRejected("the attestation certificate was made for something else")
    if certificates[0].public_key() != _credential_key(claim):
        raise ResponseRejected("the attestation certificate is for another key than the passkey's")
    return certificates


_PROCEDURES: dict[str, Callable[[Claim], list[x509.Certificate]]] = {
    "packed": _packed,
    "tpm": _tpm,
    "android-key": _android_key,
    "fido-u2f": _fido_u2f,
    "apple": _apple,
}


def _certificates(claim: Claim) -> list[x509.Certificate]:
    """Return the certificates of a statement, those left out that cannot be read but for the first."""
    x5c = claim.statement["x5c"]
    if not isinstance(x5c, list) or not 0 < len(x5c) <= MOST_CERTIFICATES:
        raise ResponseRejected(f"x5c is not a list of 1 to {MOST_CERTIFICATES} certificates")
    first = x509.load_der_x509_certificate(x5c[0])
    if not is_strong(first.public_key()):
        raise ResponseRejected("the attestation key is too short or too long")
    if named_model(first) not in (None, claim.aaguid) and not _claims_no_model(claim):
        raise ResponseRejected("the attestation certificate is for another model")
    return [first, *loaded(x5c[1:])]


def _claims_no_model(claim: Claim) -> bool:
    """Tell whether this is a newer key used as U2F: its certificate names the model, but the protocol cannot."""
    return claim.form == "fido-u2f" and claim.aaguid == NO_AAGUID


def _is_for_attestation(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate meets section 8.2.1. Its version is 3, as no other has extensions."""
    names = {(attribute.oid, attribute.value) for attribute in certificate.subject}
    constraints = extension(certificate, x509.BasicConstraints)
    return (
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Authenticator Attestation") in names
        and {NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME} <= {oid for oid, _ in names}
        and constraints is not None
        and not constraints.ca
    )


def _credential_key(claim: Claim) -> Any:
    return decoded_public_key_to_cryptography(decode_credential_public_key(claim.public_key))


def _is_p256(key: object) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
