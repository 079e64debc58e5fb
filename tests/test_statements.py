"""Attestation statements by the procedures of section 8, whose verdict is told and, below anchors, decides."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from hypothesis import given
from hypothesis import strategies as st
from makers import (
    AIK,
    DIRECT,
    ENFORCED,
    MODEL,
    NO_MODEL,
    TPM_NAMES,
    Make,
    aik,
    android_key,
    apple,
    certified,
    ec_area,
    instead,
    model_extension,
    new_key,
    packed,
    register,
    rsa_area,
    sign,
    signed,
    tlv,
    tpm,
    trusting,
    u2f,
)
from rehearsal import CONFIG, EXAMPLES, REGISTERED, configured

from flask_passkey.ceremonies.attestation import Claim, Trust, assess
from flask_passkey.errors import RegistrationRejected, ResponseRejected
from flask_passkey.testing import RegistrationCeremony

pytestmark = pytest.mark.proves("threats:foreign-certificate")

ROOT = certified("Root")
ATTESTER = certified("Key", ROOT, ca=False)
HOLDER = aik(ROOT)
OTHER_USAGE = "1.3.6.1.4.1.311.21.36"
GOOD: dict[str, tuple[str, Make]] = {
    "packed": ("packed", packed(ATTESTER)),
    "fido-u2f": ("fido-u2f", u2f(ATTESTER)),
    "tpm": ("tpm", tpm(HOLDER)),
    "android-key": ("android-key", android_key(ROOT)),
    "apple": ("apple", apple(ROOT)),
}


def own(ceremony: RegistrationCeremony) -> dict[str, object]:
    """Make self attestation."""
    return {"alg": -7, "sig": sign(ceremony.credential.private_key, signed(ceremony))}


def wrong(ceremony: RegistrationCeremony) -> dict[str, object]:
    """Make self attestation that somebody else signed."""
    return {"alg": -7, "sig": sign(new_key(), signed(ceremony))}


#: What a registration may come with and nobody can verify, by format.
UNVERIFIABLE: dict[str, tuple[str, Make]] = {
    "format of the future": ("vendor.of-the-future", lambda _: {"v": 1}),
    "safetynet": ("android-safetynet", lambda _: {"ver": "1", "response": b"x.y.z"}),
    "compound": ("compound", lambda c: [{"fmt": "packed", "attStmt": own(c)}] * 2),
    "empty compound": ("compound", lambda _: []),
    "none with a statement": ("none", lambda _: {"alg": -7}),
    "another case": ("None", lambda _: {}),
    "wrong signature": ("packed", wrong),
    "wrong types": ("packed", lambda _: {"alg": [], "sig": {}, "x5c": {1: 2}}),
    "empty packed": ("packed", lambda _: {}),
    "empty tpm": ("tpm", lambda _: {}),
    "empty apple": ("apple", lambda _: {}),
    "empty u2f": ("fido-u2f", lambda _: {}),
    "junk for certificates": ("android-key", lambda _: {"alg": -7, "sig": b"", "x5c": [b"junk"]}),
    "certificate of another key": ("apple", apple(ROOT, own=False)),
}


def refused(form: str, make: Make, reason: str = ".", *, trust: Trust | None = None, **options: Any) -> None:
    """Check that a statement is refused below its root, and does not decide where there is none."""
    with pytest.raises(RegistrationRejected, match=reason):
        register(form, make, trust=trust or trusting(form, ROOT), **options)
    assert register(form, make, **options).attestation_verified is False


def accepted(form: str, make: Make, *, trust: Trust | None = None, **options: Any) -> None:
    """Check that a statement verifies below its root, and where there is none."""
    assert register(form, make, trust=trust or trusting(form, ROOT), **options).attestation_verified is True
    assert register(form, make, **options).attestation_verified is True


# When it decides


@pytest.mark.proves("specification:7.1.24", "rules:13.4.4")
@pytest.mark.parametrize(("form", "make"), [*GOOD.values(), *UNVERIFIABLE.values()], ids=[*GOOD, *UNVERIFIABLE])
def test_nothing_decides_where_nobody_asked(form: str, make: Make) -> None:
    """With attestation ``none`` no statement is looked at: the record is that of a passkey without one."""
    registered = register(form, make, config=CONFIG)
    assert registered.attestation_verified is None
    assert registered.record.attestation_object is registered.record.attestation_client_data_json is None
    plain = register("none", lambda _: {}, config=CONFIG).record
    assert (registered.record.aaguid, registered.record.sign_count) == (plain.aaguid, plain.sign_count)


@pytest.mark.proves("specification:7.1.24")
@pytest.mark.parametrize("asked", ["indirect", "direct", "enterprise"])
@pytest.mark.parametrize(("form", "make"), UNVERIFIABLE.values(), ids=UNVERIFIABLE)
def test_nothing_decides_without_anchors(asked: str, form: str, make: Make) -> None:
    """Asked for, with nothing that it must lead to, a statement that does not verify is kept as it was given."""
    registered = register(form, make, config=configured(attestation=asked))
    assert registered.attestation_verified is False
    assert registered.record.attestation_client_data_json
    assert form.encode() in (registered.record.attestation_object or b"")


@pytest.mark.parametrize(("form", "make"), UNVERIFIABLE.values(), ids=UNVERIFIABLE)
def test_what_cannot_be_verified_is_refused_below_anchors(form: str, make: Make) -> None:
    """Step 24: where there are anchors, for this format or another, a statement that does not verify is refused."""
    for trusted in ({form, "packed"}, {"tpm"}):
        with pytest.raises(RegistrationRejected):
            register(form, make, trust=Trust({name: [ROOT.der] for name in trusted}))


@pytest.mark.proves("specification:7.1.22")
@pytest.mark.parametrize(("form", "make"), GOOD.values(), ids=GOOD)
def test_good_statements_verify(form: str, make: Make) -> None:
    """Step 22: a statement by the text verifies in every format, below an anchor and without one."""
    accepted(form, make)


@pytest.mark.proves("specification:7.1.22")
@pytest.mark.parametrize(("form", "make"), GOOD.values(), ids=GOOD)
def test_a_statement_is_for_its_ceremony_only(form: str, make: Make) -> None:
    """Step 22: a statement that was made for another registration is refused, in every format."""
    made: list[Any] = []
    register(form, lambda c: made.append(make(c)) or made[0])  # type: ignore[func-returns-value]
    refused(form, lambda _: made[0])


@pytest.mark.parametrize("form", sorted(GOOD.keys() - {"apple"}))  # whose certificate is the signature
def test_every_bit_of_a_signature_counts(form: str) -> None:
    """Step 22: a statement whose signature was changed is refused, in every format that has one."""
    _, make = GOOD[form]

    def bent(ceremony: RegistrationCeremony) -> Any:
        statement = make(ceremony)
        signature = bytearray(statement["sig"])
        signature[-1] ^= 1
        return statement | {"sig": bytes(signature)}

    refused(form, bent, "signature")


@pytest.mark.proves("specification:7.1.13")
@pytest.mark.parametrize("statement", ["text", b"bytes", 5, True, [], [{}]])
def test_statement_is_a_map(statement: object) -> None:
    """Step 13: a statement is a map, or in the format ``compound`` a list, whether anybody looks at it or not."""
    for config in (CONFIG, DIRECT):
        for form in ("none", "packed", "future"):
            with pytest.raises(RegistrationRejected, match="no map"):
                register(form, lambda _: statement, config=config)
        with pytest.raises(RegistrationRejected, match="no map"):
            register("compound", lambda _: {}, config=config)


@pytest.mark.proves("specification:7.1.13")
@pytest.mark.parametrize("form", [5, None, b"none", ["none"]])
def test_format_is_text(form: Any) -> None:
    """Step 13: the name of a format is text, whether anybody looks at it or not."""
    with pytest.raises(RegistrationRejected, match="no text"):
        register(form, lambda _: {}, config=CONFIG)


# Packed, section 8.2


def test_self_attestation_proves_no_model() -> None:
    """Step 24: a passkey that vouches for itself is verified without anchors, and refused below them."""
    assert register("packed", own).attestation_verified is True
    with pytest.raises(RegistrationRejected, match="no certificate"):
        register("packed", own, trust=trusting("packed", ROOT))


def test_self_attestation_is_by_the_algorithm_of_the_passkey() -> None:
    """Step 22: self attestation names the algorithm of the passkey's key."""
    for algorithm in (-35, -9):  # the latter with a signature that fits
        assert register("packed", instead(own, alg=algorithm)).attestation_verified is False


ATTESTATION_KEYS: dict[int, Callable[[], object]] = {
    -7: new_key,
    -9: new_key,
    -35: lambda: ec.generate_private_key(ec.SECP384R1()),
    -51: lambda: ec.generate_private_key(ec.SECP384R1()),
    -36: lambda: ec.generate_private_key(ec.SECP521R1()),
    -52: lambda: ec.generate_private_key(ec.SECP521R1()),
    **dict.fromkeys(
        (-257, -258, -259, -37, -38, -39, -65535),
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ),
    -8: ed25519.Ed25519PrivateKey.generate,
    -19: ed25519.Ed25519PrivateKey.generate,
    -53: ed448.Ed448PrivateKey.generate,
    -48: mldsa.MLDSA44PrivateKey.generate,
}


@pytest.mark.parametrize("algorithm", ATTESTATION_KEYS)
def test_attestation_keys_may_be_of_any_algorithm(algorithm: int) -> None:
    """Step 22: a maker's key may be of an algorithm that is not offered for passkeys."""
    key = ATTESTATION_KEYS[algorithm]()
    attester, stranger = (certified("Key", ROOT, ca=False, key=item) for item in (key, ATTESTATION_KEYS[algorithm]()))
    accepted("packed", packed(attester, algorithm=algorithm))
    refused("packed", instead(packed(stranger, algorithm=algorithm), x5c=[attester.der]), "signature")


@pytest.mark.parametrize("algorithm", [-257, -37, -8, -53, -48, 0, -6, -47, None, "ES256", b"\n" * 999, [], {}])
def test_algorithm_must_be_that_of_the_key(algorithm: object) -> None:
    """Step 22: a statement that names another kind of algorithm than its key's is refused."""
    reason = "did not verify" if isinstance(algorithm, list | dict) else "not one for the algorithm"
    refused("packed", instead(packed(ATTESTER), alg=algorithm), reason)
    signer = certified("Key", ROOT, ca=False, key=rsa.generate_private_key(65537, 2048))
    if algorithm not in (-257, -37):
        refused("packed", instead(packed(signer, algorithm=-257), alg=algorithm), reason)


@pytest.mark.parametrize("algorithm", [-35, -36])
def test_hash_must_be_that_of_the_algorithm(algorithm: int) -> None:
    """Step 22: a signature over another hash than the algorithm's does not fit."""
    refused("packed", instead(packed(ATTESTER), alg=algorithm), "signature")


# U2F, section 8.6


def test_u2f_has_one_certificate_and_p256() -> None:
    """Step 22: a statement of U2F has one certificate, and its keys are on P-256."""
    refused("fido-u2f", u2f(ATTESTER, ROOT), "one certificate")
    large = certified("Key", ROOT, ca=False, key=ec.generate_private_key(ec.SECP384R1()))
    refused("fido-u2f", u2f(large), "P-256")
    made = packed(ATTESTER)
    refused("fido-u2f", lambda c: {"sig": b"", "x5c": made(c)["x5c"]}, "P-256", algorithm=-8)


@pytest.mark.proves("specification:u2f")
def test_u2f_proves_no_model_by_itself() -> None:
    """Step 24: what U2F signs names no model, so it cannot enter a list of models under another's name."""
    listed = configured(attestation="direct", allowed_aaguids=(MODEL, NO_MODEL))
    trust = trusting("fido-u2f", ROOT)
    with pytest.raises(RegistrationRejected, match="PASSKEY_ALLOWED_AAGUIDS"):
        register("fido-u2f", u2f(ATTESTER), trust=trust, aaguid=MODEL, config=listed)
    assert register("fido-u2f", u2f(ATTESTER), trust=trust, aaguid=NO_MODEL, config=listed).attestation_verified
    named = certified("Key", ROOT, ca=False, extensions=[model_extension()])
    assert register("fido-u2f", u2f(named), trust=trust, aaguid=MODEL, config=listed).attestation_verified


class OneModel:
    """Metadata of one model, for which one root vouches."""

    def roots(self, aaguid: str) -> list[bytes]:
        """Return its root."""
        if aaguid != MODEL:
            raise ResponseRejected("unknown")
        return [ROOT.der]


@pytest.mark.proves("specification:7.1.23")
def test_roots_of_a_model_are_for_what_proves_it() -> None:
    """Step 23: a root in the metadata vouches for its own model, and not where the statement does not say which."""
    trust = Trust(metadata=OneModel())
    for form, make in GOOD.values():
        if form != "fido-u2f":
            assert register(form, make, trust=trust, aaguid=MODEL).attestation_verified is True
        with pytest.raises(RegistrationRejected, match="unknown"):
            register(form, make, trust=trust, aaguid="11111111-1111-1111-1111-111111111111")
    with pytest.raises(RegistrationRejected, match="no root is known"):
        register("fido-u2f", u2f(ATTESTER), trust=trust, aaguid=MODEL)
    named = certified("Key", ROOT, ca=False, extensions=[model_extension()])
    assert register("fido-u2f", u2f(named), trust=trust, aaguid=MODEL).attestation_verified is True


# TPM, section 8.3


@pytest.mark.parametrize("usages", [[AIK], [AIK, OTHER_USAGE], [OTHER_USAGE, AIK], [OTHER_USAGE, "2.5.29.37.0", AIK]])
def test_usage_of_a_tpm_may_stand_anywhere(usages: list[str]) -> None:
    """Step 22: the certificate of a TPM says what it is for, among other things that it may be for."""
    accepted("tpm", tpm(aik(ROOT, usages=usages)))


@pytest.mark.parametrize("maker", ["id:00000000", "id:4E544300", "id:FFFFF1D0", "somebody"])
def test_every_maker_of_a_tpm_may_be_trusted(maker: str) -> None:
    """Step 24: whose TPMs are trusted is the app's choice of roots, not that of a list in a library."""
    accepted("tpm", tpm(aik(ROOT, names=TPM_NAMES | {1: maker})))
    accepted("tpm", tpm(aik(ROOT, names=TPM_NAMES | {1: maker}, one_by_one=True)))


BAD_HOLDERS: dict[str, Callable[[], Any]] = {
    "no usage": lambda: aik(ROOT, usages=None),
    "another usage": lambda: aik(ROOT, usages=[OTHER_USAGE]),
    "no model": lambda: aik(ROOT, names={1: "id:1", 3: "id:13"}),
    "no maker": lambda: aik(ROOT, names={2: "x", 3: "id:13"}),
    "no version": lambda: aik(ROOT, names={1: "id:1", 2: "x"}),
    "a subject": lambda: aik(ROOT, subject=ATTESTER.certificate.subject),
    "an authority": lambda: aik(ROOT, ca=True),
    "does not say": lambda: aik(ROOT, ca=None),
    "no names at all": lambda: certified("", ROOT, ca=False, subject=aik(ROOT).certificate.subject),
}


@pytest.mark.parametrize("holder", BAD_HOLDERS.values(), ids=BAD_HOLDERS)
def test_certificate_of_a_tpm_is_as_wanted(holder: Callable[[], Any]) -> None:
    """Step 22: a certificate that does not meet section 8.3.1 is not a TPM's."""
    refused("tpm", tpm(holder()), r"8\.3\.1")


def swapped(ceremony: RegistrationCeremony) -> bytes:
    """Write the public area of another key."""
    numbers = new_key().public_key().public_numbers()
    area = ec_area(ceremony)
    points = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
    return area[:-68] + b"".join(b"\0\x20" + point for point in points)


BAD_TPMS: dict[str, tuple[Make, str]] = {
    "another version": (tpm(HOLDER, ver="1.2"), "2.0"),
    "another magic": (tpm(HOLDER, magic="ff544348"), "certify"),
    "a quote": (tpm(HOLDER, kind="8018"), "certify"),
    "another ceremony": (tpm(HOLDER, extra=bytes(32)), "another ceremony"),
    "another name": (tpm(HOLDER, name=b"\0\x0b" + bytes(32)), "another key than pubArea"),
    "name by another hash": (tpm(HOLDER, name=b"\0\x0c" + bytes(48)), "another key than pubArea"),
    "more in certInfo": (tpm(HOLDER, behind=b"\0"), "left over"),
    "another key": (tpm(HOLDER, area=swapped), "another key than the passkey"),
    "more in pubArea": (tpm(HOLDER, area=lambda c: ec_area(c) + b"\0"), "left over"),
    "less in pubArea": (tpm(HOLDER, area=lambda c: ec_area(c)[:-1]), "cut off"),
    "another curve": (tpm(HOLDER, area=lambda c: ec_area(c).replace(b"\0\x03\0\x10", b"\0\x04\0\x10")), "."),
    "an unknown curve": (
        tpm(HOLDER, area=lambda c: ec_area(c).replace(b"\0\x03\0\x10", b"\0\x09\0\x10")),
        "on another curve",
    ),
    "neither RSA nor EC": (tpm(HOLDER, area=lambda c: b"\0\x25" + ec_area(c)[2:]), "neither"),
    "RSA for EC": (tpm(HOLDER, area=lambda c: b"\0\x01" + ec_area(c)[2:]), "."),
    "signed by another": (tpm(HOLDER, x5c=[aik(ROOT).der]), "signature"),
    "no certInfo": (tpm(HOLDER, certInfo=b""), "cut off"),
    "no pubArea": (tpm(HOLDER, pubArea=b""), "cut off"),
    "no bytes": (tpm(HOLDER, certInfo=5, pubArea=None), "."),
    "algorithm without hash": (tpm(HOLDER, alg=-8), "no hash"),
}


@pytest.mark.parametrize(("make", "reason"), BAD_TPMS.values(), ids=BAD_TPMS)
def test_what_a_tpm_says_must_hold(make: Make, reason: str) -> None:
    """Step 22: what a TPM says is about this key, this ceremony, and nothing is left over behind it."""
    refused("tpm", make, reason)


def test_unknown_hash_of_a_name_is_refused() -> None:
    """Step 22: the name of a key is made with a hash that is known."""
    good = tpm(HOLDER)
    refused("tpm", lambda c: good(c) | {"pubArea": b"\0\x23\0\x12" + ec_area(c)[4:]})


@pytest.mark.parametrize("name", ["0004", "000b", "000c", "000d"])
def test_name_of_a_key_may_be_by_any_hash(name: str) -> None:
    """Step 22: a TPM names a key by the hash that the key's public area says."""
    accepted("tpm", tpm(HOLDER, area=lambda c: b"\0\x23" + bytes.fromhex(name) + ec_area(c)[4:]))


@pytest.mark.parametrize(
    "area",
    [
        lambda c: ec_area(c, scheme="0018000b"),
        lambda c: ec_area(c, scheme="001a000b0001"),
        lambda c: ec_area(c, symmetric="000600800043"),
        lambda c: ec_area(c, kdf="0020000b"),
    ],
    ids=["ECDSA", "ECDAA", "AES", "KDF"],
)
def test_details_of_a_key_may_be_given(area: Callable[[RegistrationCeremony], bytes]) -> None:
    """Step 22: where a key's public area has details of its algorithms, what comes behind them is found."""
    accepted("tpm", tpm(HOLDER, area=area))


@pytest.mark.parametrize(
    ("scheme", "exponent"), [("0010", "00000000"), ("0010", "00010001"), ("0014000b", "00000000"), ("0015", "00000000")]
)
def test_tpms_have_rsa_keys(scheme: str, exponent: str) -> None:
    """Step 22: RSA passkeys of TPMs verify, however their exponent is written; another exponent is another key."""
    holder = aik(ROOT, key=rsa.generate_private_key(65537, 2048))
    for algorithm in (-257, -65535):
        make = tpm(holder, algorithm=algorithm, area=lambda c: rsa_area(c, scheme=scheme, exponent=exponent))
        accepted("tpm", make, algorithm=-257)
    refused("tpm", tpm(holder, algorithm=-257, area=lambda c: rsa_area(c, exponent="00000003")), algorithm=-257)


# Android, section 8.4

BAD_PHONES: dict[str, tuple[Make, str]] = {
    "another challenge": (android_key(ROOT, challenge=bytes(32)), "another challenge"),
    "another key": (android_key(ROOT, own=False), "another key"),
    "for all apps": (android_key(ROOT, hardware=ENFORCED | {"bf8458": tlv("05")}), "all applications"),
    "for all apps, by software": (android_key(ROOT, software={"bf8458": tlv("05")}), "all applications"),
    "imported": (android_key(ROOT, hardware=ENFORCED | {"bf853e": tlv("02", b"\2")}), "secure hardware"),
    "made by software": (android_key(ROOT, software=ENFORCED, hardware={}), "secure hardware"),
    "no origin": (android_key(ROOT, hardware={"a1": ENFORCED["a1"]}), "secure hardware"),
    "no purpose": (android_key(ROOT, hardware={"bf853e": ENFORCED["bf853e"]}), "signing"),
    "to decrypt": (android_key(ROOT, hardware=ENFORCED | {"a1": tlv("31", tlv("02", b"\1"))}), "signing"),
    "for more": (
        android_key(ROOT, hardware=ENFORCED | {"a1": tlv("31", tlv("02", b"\2"), tlv("02", b"\1"))}),
        "signing",
    ),
    "for nothing": (android_key(ROOT, hardware=ENFORCED | {"a1": tlv("31")}), "signing"),
    "purpose of another type": (android_key(ROOT, hardware=ENFORCED | {"a1": tlv("31", tlv("04", b"\2"))}), "."),
    "purpose without a set": (android_key(ROOT, hardware=ENFORCED | {"a1": tlv("02", b"\2")}), "."),
    "more behind": (android_key(ROOT, description=lambda value: value + b"\0"), "."),
    "cut off": (android_key(ROOT, description=lambda value: value[:-1]), "."),
    "another layout": (
        android_key(ROOT, description=lambda value: value.replace(b"\2\2\1,", b"\4\2\1,", 1)),
        "laid out",
    ),
    "empty": (android_key(ROOT, description=lambda _: tlv("30")), "."),
    "no description": (packed(ATTESTER), "another key"),
}


@pytest.mark.proves("specification:android-key")
@pytest.mark.parametrize(("make", "reason"), BAD_PHONES.values(), ids=BAD_PHONES)
def test_key_of_a_phone_is_for_passkeys(make: Make, reason: str) -> None:
    """Step 22: a phone's key was made in secure hardware, for this ceremony, for one app and only for signing."""
    refused("android-key", make, reason)


def test_key_of_a_phone_must_be_described() -> None:
    """Step 22: a certificate of the right key that says nothing of it is refused."""

    def make(ceremony: RegistrationCeremony) -> dict[str, object]:
        key = ceremony.credential.private_key
        leaf = certified("Android Keystore Key", ROOT, ca=False, key=key)
        return {"alg": -7, "sig": sign(key, signed(ceremony)), "x5c": [leaf.der]}

    refused("android-key", make, "no description")


def test_phones_say_more_of_a_key() -> None:
    """Step 22: what else a phone says of a key, of today or of the future, does no harm."""
    more = {"bf8540": tlv("30", tlv("04", bytes(32))), "bf8554": tlv("04", bytes(32)), "bf857f": tlv("05")}
    accepted("android-key", android_key(ROOT, hardware=ENFORCED | more, software=more))


# Apple, section 8.8


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (apple(ROOT, nonce=bytes(32)), "something else"),
        (apple(ROOT, prefix="3024a1220421"), "something else"),
        (apple(ROOT, prefix=""), "something else"),
        (apple(ROOT, own=False), "another key"),
        (packed(ATTESTER), "something else"),
    ],
    ids=["nonce", "type", "bare", "key", "none"],
)
def test_certificate_of_apple_is_for_the_ceremony(make: Make, reason: str) -> None:
    """Step 22: Apple's certificate is for this key, and has the hash of what is attested."""
    refused("apple", make, reason)


def test_reasons_are_one_short_line() -> None:
    """What a stranger wrote into a statement cannot forge lines of the log, nor flood it."""
    long = "x\n" * 5_000
    for form, statement in ((long, {}), ("tpm", {"ver": long, "x5c": [ATTESTER.der]}), ("packed", {"alg": long})):
        with pytest.raises(RegistrationRejected) as refusal:
            register(form, instead(lambda _: {}, **statement), trust=trusting("tpm", ROOT))
        assert re.fullmatch(r"[^\n]{1,500}", refusal.value.reason)


@functools.cache
def claims() -> list[Claim]:
    """Return a good statement of each format, with what it is about."""
    found: list[Claim] = []
    for form, make in GOOD.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("flask_passkey.ceremonies.registration.assess", lambda claim, *_: found.append(claim))
            register(form, make)
    return found


ODD: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.binary(max_size=9)
    | st.text(max_size=9)
    | st.just([[]])
    | st.just({})
)


@EXAMPLES
@given(st.data())
def test_bent_statements_are_refused_or_told(data: st.DataObject) -> None:
    """Whatever is changed in a statement or in its certificate, it verifies or it does not, and nothing breaks."""

    def bent(value: Any) -> Any:
        if not isinstance(value, bytes) or data.draw(st.booleans()):
            return data.draw(ODD)
        at, gone = data.draw(st.integers(0, len(value))), data.draw(st.integers(0, 3))
        return value[:at] + data.draw(st.binary(max_size=3)) + value[at + gone :]

    claim = data.draw(st.sampled_from(claims()))
    statement = dict(claim.statement)
    member = data.draw(st.sampled_from(sorted(statement)))
    value = statement[member]
    statement[member] = [bent(value[0])] if isinstance(value, list) and data.draw(st.booleans()) else bent(value)
    claim = msgspec.structs.replace(claim, statement=statement)
    for trust in (Trust(), trusting(claim.form, ROOT)):
        try:
            assert assess(claim, DIRECT, trust, REGISTERED) in (True, False)
        except ResponseRejected:
            assert trust
