"""Certificates of authenticators, where an app names the roots that it trusts: section 8.2.1."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from rehearsal import begin_registration, browser, configured, finish_registration

from flask_passkey.ceremonies.attestation import Trust
from flask_passkey.errors import RegistrationRejected
from flask_passkey.testing import AttestationAuthority, RegistrationCeremony

CONFIG = configured(attestation="direct", algorithms=(-7,))
AUTHORITY = AttestationAuthority()
NAMES = {
    NameOID.COUNTRY_NAME: "AA",
    NameOID.ORGANIZATION_NAME: "Maker",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "Authenticator Attestation",
    NameOID.COMMON_NAME: "Key",
}
DAYS = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC))

#: Makes a bend of a certificate and its key.
Statement = Callable[[bytes, ec.EllipticCurvePrivateKey], Callable[[RegistrationCeremony], None]]


def certificate(
    names: dict[x509.ObjectIdentifier, str], *, ca: bool | None
) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    """Return a certificate in DER below the root, and its key."""
    key, root = ec.generate_private_key(ec.SECP256R1()), x509.load_pem_x509_certificate(AUTHORITY.root_pem)
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names.items()])
    builder = x509.CertificateBuilder(root.subject, subject, key.public_key(), x509.random_serial_number(), *DAYS)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    return builder.sign(AUTHORITY.key, hashes.SHA256()).public_bytes(Encoding.DER), key


def attested(leaf: bytes, key: ec.EllipticCurvePrivateKey) -> Callable[[RegistrationCeremony], None]:
    """Return a bend that makes a packed statement with this certificate."""

    def bend(ceremony: RegistrationCeremony) -> None:
        ceremony.client_data_json = ceremony.build_client_data_json()
        ceremony.authenticator_data = ceremony.build_authenticator_data()
        message = ceremony.authenticator_data + sha256(ceremony.client_data_json).digest()
        signature = key.sign(message, ec.ECDSA(hashes.SHA256()))
        ceremony.attestation_format = "packed"
        ceremony.attestation_statement = {"alg": -7, "sig": signature, "x5c": [leaf]}

    return bend


def u2f(leaf: bytes, key: ec.EllipticCurvePrivateKey) -> Callable[[RegistrationCeremony], None]:
    """Return a bend that makes the statement of a U2F key (section 8.6) with this certificate."""

    def bend(ceremony: RegistrationCeremony) -> None:
        ceremony.client_data_json = ceremony.build_client_data_json()
        public_key = ceremony.public_key
        point = bytes(public_key[-2]) + bytes(public_key[-3])
        digest = sha256(ceremony.client_data_json).digest()
        message = b"\0" + ceremony.rp_id_hash + digest + ceremony.credential_id + b"\4" + point
        ceremony.attestation_format = "fido-u2f"
        ceremony.attestation_statement = {"sig": key.sign(message, ec.ECDSA(hashes.SHA256())), "x5c": [leaf]}

    return bend


def register(
    names: dict[x509.ObjectIdentifier, str],
    *,
    ca: bool | None = False,
    statement: Statement = attested,
    form: str = "packed",
) -> None:
    """Register a passkey whose authenticator has a certificate like this, trusting its maker for one format."""
    options, pending = begin_registration(CONFIG)
    response = browser(algorithm=-7).create(options, bend=statement(*certificate(names, ca=ca)))
    root = x509.load_pem_x509_certificate(AUTHORITY.root_pem).public_bytes(Encoding.DER)
    finish_registration(pending, response, config=CONFIG, trust=Trust({form: [root]}))


def test_good_certificate_is_trusted() -> None:
    """Step 22: a certificate with all that section 8.2.1 wants is trusted below its root."""
    register(NAMES)


@pytest.mark.parametrize("missing", NAMES)
def test_certificate_with_a_missing_name_is_refused(missing: x509.ObjectIdentifier) -> None:
    """Step 22: country, organisation, unit and common name must be there."""
    with pytest.raises(RegistrationRejected, match=r"8\.2\.1"):
        register({oid: value for oid, value in NAMES.items() if oid != missing})


def test_certificate_for_something_else_is_refused() -> None:
    """Step 22: a certificate of the same maker that is not for attestation does not vouch for a passkey."""
    with pytest.raises(RegistrationRejected, match=r"8\.2\.1"):
        register(NAMES | {NameOID.ORGANIZATIONAL_UNIT_NAME: "Web servers"})


@pytest.mark.parametrize("ca", [True, None])
def test_certificate_of_an_authority_is_refused(ca: bool | None) -> None:
    """Step 22: a certificate that could issue others, or does not say that it cannot, is refused."""
    with pytest.raises(RegistrationRejected, match=r"8\.2\.1|no certificate"):
        register(NAMES, ca=ca)


def test_statement_must_be_signed_with_its_certificate() -> None:
    """Step 22: a certificate that anybody can copy vouches for nothing without its key."""
    leaf, _ = certificate(NAMES, ca=False)
    options, pending = begin_registration(CONFIG)
    stranger = ec.generate_private_key(ec.SECP256R1())
    response = browser(algorithm=-7).create(options, bend=attested(leaf, stranger))
    with pytest.raises(RegistrationRejected, match="signature"):
        finish_registration(pending, response, config=CONFIG)


def test_roots_are_for_their_format_only() -> None:
    """Step 23: a maker who is trusted for one format is not trusted for another, for which no root is known."""
    with pytest.raises(RegistrationRejected, match="no root is known for attestation of format 'packed'"):
        register(NAMES, form="tpm")


def test_other_formats_have_other_certificates() -> None:
    """Step 22: what section 8.2.1 wants is wanted of packed attestation, and not of the first security keys."""
    register({NameOID.COMMON_NAME: "Old key"}, ca=None, statement=u2f, form="fido-u2f")
