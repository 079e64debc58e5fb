"""Packed attestation, with the credential's own key or with a certificate chain.

By `W3C WebAuthn Level 3, sections 8.2 and 8.2.1 <https://www.w3.org/TR/webauthn-3/#sctn-packed-attestation>`_.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .keys import ES256, PrivateKey, algorithm_of, sign

#: id-fido-gen-ce-aaguid, the certificate extension that names the AAGUID.
_AAGUID_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
# Fixed and wide, so that no test depends on the day it runs on.
_NOT_BEFORE = datetime(2024, 1, 1, tzinfo=UTC)
_NOT_AFTER = datetime(2099, 12, 31, tzinfo=UTC)


def self_attestation(key: PrivateKey, message: bytes) -> dict[str, object]:
    """Return a packed attestation statement signed with the credential's own key.

    :param key: the credential's private key.
    :param message: authenticator data followed by the hash of the client data.
    """
    return {"alg": algorithm_of(key), "sig": sign(key, message)}


@dataclass(frozen=True)
class AttestationAuthority:
    """A manufacturer for tests: a root certificate that signs those of attestation keys."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False)

    @cached_property
    def root_pem(self) -> bytes:
        """The root certificate in PEM, for the relying party's list of trusted roots."""
        name = _name("Virtual attestation root")
        builder = _certificate(name, name, self.key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = builder.serial_number(x509.random_serial_number()).sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)

    def statement(self, message: bytes, *, aaguid: str) -> dict[str, object]:
        """Return a packed attestation statement signed with a new attestation key, certificate included.

        :param message: authenticator data followed by the hash of the client data.
        :param aaguid: dashed text; the certificate names it too.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certify(key.public_key(), UUID(aaguid))
        return {"alg": ES256, "sig": sign(key, message), "x5c": [certificate]}

    def _certify(self, public_key: ec.EllipticCurvePublicKey, aaguid: UUID) -> bytes:
        """Return an attestation certificate in DER that meets section 8.2.1."""
        builder = _certificate(_name("Virtual authenticator"), _name("Virtual attestation root"), public_key)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        # The extension's value is itself a DER OCTET STRING (tag 4) of the 16 bytes.
        aaguid_extension = x509.UnrecognizedExtension(_AAGUID_EXTENSION, b"\x04\x10" + aaguid.bytes)
        builder = builder.add_extension(aaguid_extension, critical=False)
        certificate = builder.serial_number(x509.random_serial_number()).sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.DER)


def _name(common_name: str) -> x509.Name:
    """Return a subject as section 8.2.1 wants it; the organisational unit must be exactly this text."""
    parts = (
        (NameOID.COUNTRY_NAME, "AA"),
        (NameOID.ORGANIZATION_NAME, "Flask-Passkey tests"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Authenticator Attestation"),
        (NameOID.COMMON_NAME, common_name),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _certificate(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
    return builder.not_valid_before(_NOT_BEFORE).not_valid_after(_NOT_AFTER)
