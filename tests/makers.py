"""Make-believe makers of authenticators: their certificates, and statements in every format that is verified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from rehearsal import attest, browser, configured

from flask_passkey.ceremonies.attestation import Trust
from flask_passkey.ceremonies.registration import Registration
from flask_passkey.testing import RegistrationCeremony

MODEL = "00010203-0405-0607-0809-0a0b0c0d0e0f"
NO_MODEL = "00000000-0000-0000-0000-000000000000"
DIRECT = configured(attestation="direct", algorithms=(-7, -257, -8))
NAMES = {
    NameOID.COUNTRY_NAME: "AA",
    NameOID.ORGANIZATION_NAME: "Maker",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "Authenticator Attestation",
}
MODEL_EXTENSION, DESCRIPTION, NONCE = (
    x509.ObjectIdentifier(oid)
    for oid in ("1.3.6.1.4.1.45724.1.1.4", "1.3.6.1.4.1.11129.2.1.17", "1.2.840.113635.100.8.2")
)
AIK = "2.23.133.8.3"

#: Makes ``attStmt``, and may change anything else of the ceremony, whose data are made already.
Make = Callable[[RegistrationCeremony], Any]


@dataclass(frozen=True)
class Party:
    """Somebody with a key and a certificate."""

    key: Any
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a private key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def named(common_name: str, *others: x509.NameAttribute[str]) -> x509.Name:
    """Return a subject by section 8.2.1."""
    attributes = [x509.NameAttribute(oid, value) for oid, value in NAMES.items()]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name), *others])


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return a key usage."""
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs_certificates, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def certified(
    name: str,
    issuer: Party | None = None,
    *,
    ca: bool | None = True,
    path_length: int | None = None,
    key: Any = None,
    subject: x509.Name | None = None,
    years: tuple[int, int] = (2020, 2090),
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> Party:
    """Return somebody whom an issuer certified, or who did so themselves.

    :param ca: what the certificate says of that; nothing if ``None``.
    :param years: from the begin of the first to the begin of the last.
    :param extensions: with whether they are critical.
    """
    key = key or new_key()
    subject = named(name) if subject is None else subject
    first, last = (datetime(year, 1, 1, tzinfo=UTC) for year in years)
    above, serial = issuer.certificate.subject if issuer else subject, x509.random_serial_number()
    builder = x509.CertificateBuilder(above, subject, key.public_key(), serial, first, last)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signing = issuer.key if issuer else key
    edwards = isinstance(signing, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return Party(key, builder.sign(signing, None if edwards else hashes.SHA256()))


def trusting(form: str, *anchors: Party) -> Trust:
    """Trust these for one format."""
    return Trust({form: [anchor.der for anchor in anchors]})


def model_extension(
    value: bytes = b"\x04\x10" + bytes(range(16)), *, critical: bool = False
) -> tuple[x509.ExtensionType, bool]:
    """Return the extension that names a model."""
    return x509.UnrecognizedExtension(MODEL_EXTENSION, value), critical


def register(
    form: str, make: Make, *, trust: Trust | None = None, aaguid: str = MODEL, algorithm: int = -7, config: Any = DIRECT
) -> Registration:
    """Register a passkey with a statement."""
    maker = browser(aaguid=aaguid, algorithm=algorithm)
    return attest(maker, config=config, trust=trust or Trust(), bend=stated(form, make))


def stated(form: str, make: Make) -> Callable[[RegistrationCeremony], None]:
    """Return a bend that puts a statement into a registration."""

    def bend(ceremony: RegistrationCeremony) -> None:
        ceremony.authenticator_data = ceremony.build_authenticator_data()
        ceremony.client_data_json = ceremony.build_client_data_json()
        ceremony.attestation_format = form
        ceremony.attestation_statement = make(ceremony)

    return bend


def instead(make: Make, **changes: object) -> Make:
    """Return a maker of the same statements with some members changed."""
    return lambda ceremony: make(ceremony) | changes


def client_data_hash(ceremony: RegistrationCeremony) -> bytes:
    """Return the hash of the client data."""
    return sha256(ceremony.client_data_json or b"").digest()


def signed(ceremony: RegistrationCeremony) -> bytes:
    """Return what most formats sign."""
    return (ceremony.authenticator_data or b"") + client_data_hash(ceremony)


_HASHES: dict[int, Any] = {-7: hashes.SHA256(), -35: hashes.SHA384(), -36: hashes.SHA512(), -65535: hashes.SHA1()}
_HASHES |= {-257: hashes.SHA256(), -258: hashes.SHA384(), -259: hashes.SHA512()}
_HASHES |= {-37: hashes.SHA256(), -38: hashes.SHA384(), -39: hashes.SHA512()}
_HASHES |= {-9: hashes.SHA256(), -51: hashes.SHA384(), -52: hashes.SHA512()}


def sign(key: Any, message: bytes, algorithm: int = -7) -> bytes:
    """Sign with a private key, by the COSE number of an algorithm."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(_HASHES[algorithm]))
    if isinstance(key, rsa.RSAPrivateKey):
        digest = _HASHES[algorithm]
        padding = PSS(MGF1(digest), PSS.DIGEST_LENGTH) if algorithm in (-37, -38, -39) else PKCS1v15()
        return key.sign(message, padding, digest)
    assert isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | mldsa.MLDSA44PrivateKey)
    return key.sign(message)


def packed(attester: Party, *sent: Party, algorithm: int = -7) -> Make:
    """Return a maker of statements of section 8.2."""

    def make(ceremony: RegistrationCeremony) -> dict[str, object]:
        signature = sign(attester.key, signed(ceremony), algorithm)
        return {"alg": algorithm, "sig": signature, "x5c": [attester.der, *(party.der for party in sent)]}

    return make


def u2f(attester: Party, *sent: Party) -> Make:
    """Return a maker of statements of section 8.6."""

    def make(ceremony: RegistrationCeremony) -> dict[str, object]:
        point = b"\4" + bytes(ceremony.public_key[-2]) + bytes(ceremony.public_key[-3])
        message = b"\0" + ceremony.rp_id_hash + client_data_hash(ceremony) + ceremony.credential_id + point
        return {"sig": sign(attester.key, message), "x5c": [attester.der, *(party.der for party in sent)]}

    return make


def apple(
    issuer: Party, *sent: Party, nonce: bytes | None = None, prefix: str = "3024a1220420", own: bool = True
) -> Make:
    """Return a maker of statements of section 8.8."""

    def make(ceremony: RegistrationCeremony) -> dict[str, object]:
        value = bytes.fromhex(prefix) + (nonce or sha256(signed(ceremony)).digest())
        extension = x509.UnrecognizedExtension(NONCE, value), False
        key = ceremony.credential.private_key if own else new_key()
        leaf = certified("Apple", issuer, ca=False, key=key, extensions=[extension])
        return {"x5c": [leaf.der, *(party.der for party in sent)]}

    return make


def tlv(identifier: str, *contents: bytes) -> bytes:
    """Write a value in DER."""
    content = b"".join(contents)
    length = bytes([len(content)]) if len(content) < 128 else b"\x82" + len(content).to_bytes(2, "big")
    return bytes.fromhex(identifier) + length + content


#: What Android's secure hardware says of a key that it made, for signing.
ENFORCED = {"a1": tlv("31", tlv("02", b"\2")), "a2": tlv("02", b"\3"), "bf853e": tlv("02", b"\0")}


def key_description(challenge: bytes, software: dict[str, bytes], hardware: dict[str, bytes]) -> bytes:
    """Write Android's description of a key."""
    lists = [tlv("30", *(tlv(tag, value) for tag, value in items.items())) for items in (software, hardware)]
    numbers = [tlv("02", b"\x01\x2c"), tlv("0a", b"\1"), tlv("02", b"\x01\x2c"), tlv("0a", b"\1")]
    return tlv("30", *numbers, tlv("04", challenge), tlv("04"), *lists)


def android_key(
    issuer: Party,
    *sent: Party,
    challenge: bytes | None = None,
    software: dict[str, bytes] | None = None,
    hardware: dict[str, bytes] | None = None,
    description: Callable[[bytes], bytes] = lambda value: value,
    own: bool = True,
) -> Make:
    """Return a maker of statements of section 8.4."""

    def make(ceremony: RegistrationCeremony) -> dict[str, object]:
        told = challenge or client_data_hash(ceremony)
        value = key_description(told, software or {}, ENFORCED if hardware is None else hardware)
        key = ceremony.credential.private_key if own else new_key()
        extension = x509.UnrecognizedExtension(DESCRIPTION, description(value)), False
        leaf = certified("Android Keystore Key", issuer, ca=False, key=key, extensions=[extension])
        signature = sign(key, signed(ceremony))
        return {"alg": -7, "sig": signature, "x5c": [leaf.der, *(party.der for party in sent)]}

    return make


TPM_NAMES = {1: "id:00000001", 2: "Model", 3: "id:13"}


def aik(
    issuer: Party,
    *,
    usages: Sequence[str] | None = (AIK,),
    names: dict[int, str] | None = None,
    one_by_one: bool = False,
    **changes: Any,
) -> Party:
    """Return a TPM with an attestation key, certified by section 8.3.1."""
    oids = {x509.ObjectIdentifier(f"2.23.133.2.{number}"): text for number, text in (names or TPM_NAMES).items()}
    attributes = [x509.NameAttribute(oid, text) for oid, text in oids.items()]
    parts = [[attribute] for attribute in attributes] if one_by_one else [attributes]
    directory = x509.Name([x509.RelativeDistinguishedName(part) for part in parts])
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName([x509.DirectoryName(directory)]), True)
    ]
    if usages is not None:
        extensions.append((x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid) for oid in usages]), False))
    about: dict[str, Any] = {"ca": False, "subject": x509.Name([]), "extensions": extensions} | changes
    return certified("", issuer, **about)


def sized(data: bytes) -> bytes:
    """Write bytes behind their length, as a TPM does."""
    return len(data).to_bytes(2, "big") + data


def ec_area(
    ceremony: RegistrationCeremony, *, symmetric: str = "0010", scheme: str = "0010", kdf: str = "0010"
) -> bytes:
    """Write the public area of a passkey on P-256."""
    head = bytes.fromhex("0023000b000604720000" + symmetric + scheme + "0003" + kdf)
    return head + sized(bytes(ceremony.public_key[-2])) + sized(bytes(ceremony.public_key[-3]))


def rsa_area(ceremony: RegistrationCeremony, *, scheme: str = "0010", exponent: str = "00000000") -> bytes:
    """Write the public area of an RSA passkey."""
    head = bytes.fromhex("0001000b000604720020" + 32 * "9d" + "0010" + scheme + "0800" + exponent)
    return head + sized(bytes(ceremony.public_key[-1]))


NAME_HASHES = {
    b"\0\x04": hashes.SHA1(),
    b"\0\x0b": hashes.SHA256(),
    b"\0\x0c": hashes.SHA384(),
    b"\0\x0d": hashes.SHA512(),
}


def hashed(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    """Hash some bytes."""
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def tpm(
    holder: Party,
    *sent: Party,
    algorithm: int = -7,
    area: Callable[[RegistrationCeremony], bytes] = ec_area,
    magic: str = "ff544347",
    kind: str = "8017",
    extra: bytes | None = None,
    name: bytes | None = None,
    behind: bytes = b"",
    **changes: object,
) -> Make:
    """Return a maker of statements of section 8.3."""

    def make(ceremony: RegistrationCeremony) -> dict[str, object]:
        public, data = area(ceremony), hashed(_HASHES[algorithm], signed(ceremony))
        info = bytes.fromhex(magic + kind) + sized(bytes(34)) + sized(extra or data) + bytes(17 + 8)
        info += sized(name or public[2:4] + hashed(NAME_HASHES[public[2:4]], public)) + sized(bytes(34)) + behind
        statement = {
            "ver": "2.0", "alg": algorithm, "sig": sign(holder.key, info, algorithm), "certInfo": info,
            "pubArea": public, "x5c": [holder.der, *(party.der for party in sent)],
        }  # fmt: skip
        return statement | changes

    return make


def without_extensions(party: Party, signer: Party | None = None) -> Party:
    """Return somebody with a certificate of version 1, in which subject and issuer are the same.

    :param signer: who has this name, too, and signs; themselves if ``None``.
    """
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    name, key = party.certificate.subject.public_bytes(), party.key.public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    days = tlv("30", tlv("17", b"200101000000Z"), tlv("17", b"490101000000Z"))
    body = tlv("30", tlv("02", b"\5"), algorithm, name, days, name, spki)
    signature = (signer or party).key.sign(body, ec.ECDSA(hashes.SHA256()))
    whole = tlv("30", body, algorithm, tlv("03", b"\0" + signature))
    return Party(party.key, x509.load_der_x509_certificate(whole))
