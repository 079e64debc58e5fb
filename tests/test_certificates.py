"""Certificates of authenticators, where an app names whom it trusts: what they say (section 8.2.1)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from makers import (
    MODEL,
    NAMES,
    NO_MODEL,
    aik,
    android_key,
    apple,
    certified,
    instead,
    model_extension,
    named,
    packed,
    register,
    tpm,
    trusting,
    u2f,
)

from flask_passkey.errors import RegistrationRejected

pytestmark = pytest.mark.proves("threats:foreign-certificate")

ROOT = certified("root")
WANTED = {**NAMES, NameOID.COMMON_NAME: "Key"}
OTHER = b"\x04\x10" + bytes(16)


def attest(names: dict[x509.ObjectIdentifier, str], *, ca: bool | None = False) -> bool | None:
    """Register with packed attestation whose certificate has these names, below a trusted root."""
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names.items()])
    attester = certified("", ROOT, subject=subject, ca=ca)
    return register("packed", packed(attester), trust=trusting("packed", ROOT)).attestation_verified


def test_good_certificate_is_trusted() -> None:
    """Step 22: a certificate with all that section 8.2.1 wants is trusted below its root."""
    assert attest(WANTED) is True


@pytest.mark.parametrize("missing", WANTED)
def test_certificate_with_a_missing_name_is_refused(missing: x509.ObjectIdentifier) -> None:
    """Step 22: country, organisation, unit and common name must be there."""
    with pytest.raises(RegistrationRejected, match=r"8\.2\.1"):
        attest({oid: value for oid, value in WANTED.items() if oid != missing})


@pytest.mark.proves("specification:7.1.22")
def test_certificate_for_something_else_is_refused() -> None:
    """Step 22: a certificate of the same maker that is not for attestation does not vouch for a passkey."""
    with pytest.raises(RegistrationRejected, match=r"8\.2\.1"):
        attest(WANTED | {NameOID.ORGANIZATIONAL_UNIT_NAME: "Web servers"})


@pytest.mark.parametrize("unit", ["Keys", "ZZZ"])
def test_certificate_may_have_several_units(unit: str) -> None:
    """Step 22: the unit that section 8.2.1 wants may be any of those that a certificate names."""
    more = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit)
    for subject in (named("Key", more), x509.Name([more, *named("Key")])):
        attester = certified("", ROOT, subject=subject, ca=False)
        assert register("packed", packed(attester), trust=trusting("packed", ROOT)).attestation_verified is True


@pytest.mark.parametrize("ca", [True, None])
def test_certificate_of_an_authority_is_refused(ca: bool | None) -> None:
    """Step 22: a certificate that could issue others, or does not say that it cannot, is refused."""
    with pytest.raises(RegistrationRejected, match=r"8\.2\.1"):
        attest(WANTED, ca=ca)


def test_statement_must_be_signed_with_its_certificate() -> None:
    """Step 22: a certificate that anybody can copy vouches for nothing without its key."""
    attester, stranger = certified("Key", ROOT, ca=False), certified("Stranger", ROOT, ca=False)
    for trust in (trusting("packed", ROOT), trusting("packed", attester)):
        with pytest.raises(RegistrationRejected, match="signature"):
            register("packed", instead(packed(stranger), x5c=[attester.der]), trust=trust)


def test_roots_are_for_their_format_only() -> None:
    """Step 23: a maker who is trusted for one format is not trusted for another, for which no root is known."""
    with pytest.raises(RegistrationRejected, match="no root is known for attestation of format 'packed'"):
        register("packed", packed(certified("Key", ROOT, ca=False)), trust=trusting("tpm", ROOT))


def test_other_formats_have_other_certificates() -> None:
    """Step 22: what section 8.2.1 wants is wanted of packed attestation, and not of the first security keys."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old key")])
    attester = certified("", ROOT, subject=subject, ca=None)
    assert register("fido-u2f", u2f(attester), trust=trusting("fido-u2f", ROOT)).attestation_verified is True


@pytest.mark.proves("specification:model")
@pytest.mark.parametrize(
    ("value", "critical"),
    [
        (b"junk" + bytes(range(16)), False),
        (bytes(range(16)), False),
        (b"\x04\x10" + bytes(range(16)) + b"\0", False),
        (b"\x04\x81\x10" + bytes(range(16)), False),
        (b"\x03\x10" + bytes(range(16)), False),
        (b"\x04\x11" + bytes(range(16)), False),
        (b"\x30\x12\x04\x10" + bytes(range(16)), False),
        (b"\x04\x10" + bytes(range(16)), True),
    ],
    ids=["junk", "bare", "more", "long length", "another type", "another length", "wrapped", "critical"],
)
@pytest.mark.parametrize("form", ["packed", "fido-u2f", "tpm"])
def test_model_is_named_as_the_text_wants(form: str, value: bytes, critical: bool) -> None:
    """Step 22: the extension that names the model is one OCTET STRING of 16 bytes, not critical, in every format."""
    extension = model_extension(value, critical=critical)
    if form == "tpm":
        good = aik(ROOT)
        others = [
            (item.value, item.critical) for item in good.certificate.extensions if item.oid.dotted_string[-2:] != "19"
        ]
        make = tpm(aik(ROOT, extensions=[*others, extension]))
    else:
        attester = certified("Key", ROOT, ca=False, extensions=[extension])
        make = packed(attester) if form == "packed" else u2f(attester)
    with pytest.raises(RegistrationRejected, match=r"does not name its model as section 8\.2\.1 wants"):
        register(form, make, trust=trusting(form, ROOT))


def test_a_named_model_must_be_that_of_the_authenticator() -> None:
    """Step 22: a certificate vouches for the model that it names, in every format, and for no other."""
    trust = trusting("packed", ROOT)
    right = certified("Key", ROOT, ca=False, extensions=[model_extension()])
    wrong = certified("Key", ROOT, ca=False, extensions=[model_extension(OTHER)])
    assert register("packed", packed(right), trust=trust, aaguid=MODEL).attestation_verified is True
    for form, make in (("packed", packed(wrong)), ("fido-u2f", u2f(wrong))):
        with pytest.raises(RegistrationRejected, match="another model"):
            register(form, make, trust=trusting(form, ROOT), aaguid=MODEL)


def test_a_newer_key_may_be_used_as_u2f() -> None:
    """Step 22: U2F knows no models, so a certificate that names one is no contradiction to an AAGUID of zeros."""
    newer = certified("Key", ROOT, ca=False, extensions=[model_extension()])
    assert register("fido-u2f", u2f(newer), trust=trusting("fido-u2f", ROOT), aaguid=NO_MODEL).attestation_verified
    with pytest.raises(RegistrationRejected, match="another model"):
        register("packed", packed(newer), trust=trusting("packed", ROOT), aaguid=NO_MODEL)


@pytest.mark.proves("specification:weak-keys")
@pytest.mark.parametrize("bits", [1024, 2047])
def test_short_rsa_keys_vouch_for_nothing(bits: int) -> None:
    """Step 22: an RSA key below 2048 bits is no attestation key, even if its certificate is trusted itself."""
    attester = certified("Key", ROOT, ca=False, key=rsa.generate_private_key(65537, bits))
    for anchor in (ROOT, attester):
        with pytest.raises(RegistrationRejected, match="too short or too long"):
            register("packed", packed(attester, algorithm=-257), trust=trusting("packed", anchor))


def test_long_rsa_keys_are_not_worked_with() -> None:
    """Step 22: an RSA key so long that it takes time is refused before anything is done with it."""
    public = rsa.RSAPublicNumbers(65537, 2**9000 + 1).public_key()
    leaf = certified("Key", ROOT, ca=False, key=SimpleNamespace(public_key=lambda: public))
    other = packed(certified("Other", ROOT, ca=False))
    with pytest.raises(RegistrationRejected, match="too short or too long"):
        register("packed", instead(other, alg=-257, x5c=[leaf.der]), trust=trusting("packed", ROOT))


def test_first_certificate_must_be_readable() -> None:
    """Step 22: the certificate of the attestation key is the first, and is not looked for among the others."""
    attester = certified("Key", ROOT, ca=False)
    for first in (b"", b"\x30\x00", b"junk", 5, None, [attester.der]):
        make = instead(packed(attester), x5c=[first, attester.der])
        with pytest.raises(RegistrationRejected):
            register("packed", make, trust=trusting("packed", ROOT))


@pytest.mark.parametrize("x5c", [[], {}, b"", "text", 5, None, {0: b""}])
def test_certificates_are_a_list(x5c: object) -> None:
    """Step 22: ``x5c`` is a list with something in it, in every format that has it."""
    attester = certified("Key", ROOT, ca=False)
    forms = {"packed": packed(attester), "fido-u2f": u2f(attester), "android-key": android_key(ROOT)}
    for form, make in (forms | {"apple": apple(ROOT), "tpm": tpm(aik(ROOT))}).items():
        with pytest.raises(RegistrationRejected, match="x5c is not a list of 1 to 12 certificates"):
            register(form, instead(make, x5c=x5c), trust=trusting(form, ROOT))


def test_certificates_are_not_too_many() -> None:
    """Step 22: more certificates than authenticators send are refused before any is read."""
    attester = certified("Key", ROOT, ca=False)
    assert register("packed", packed(attester, *[ROOT] * 11), trust=trusting("packed", ROOT)).attestation_verified
    with pytest.raises(RegistrationRejected, match="x5c is not a list of 1 to 12 certificates"):
        register("packed", packed(attester, *[ROOT] * 12), trust=trusting("packed", ROOT))
