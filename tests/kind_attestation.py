"""Cases of kinds 1 to 4 and 8: attestation statements, trust anchors and metadata. See ``kinds.py``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from blobs import HOST, MetadataService, entry, host, text
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from kind_trees import ACCEPTED, REFUSED, Case, Tree
from makers import (
    AIK,
    ENFORCED,
    MODEL,
    Make,
    Party,
    aik,
    android_key,
    apple,
    certified,
    ec_area,
    instead,
    model_extension,
    new_key,
    packed,
    rsa_area,
    sign,
    signed,
    stated,
    tlv,
    tpm,
    u2f,
)

from flask_passkey.testing import RegistrationCeremony, VirtualAuthenticator, add_passkey, cose_map, sign_up

SITE, OTHER_MODEL = "http://localhost", "ee882879-721c-4913-9775-3dfcce97072a"
ROOT = certified("Root")
MIDDLE = certified("Middle", ROOT)
ATTESTER = certified("Key", ROOT, ca=False)
BELOW_MIDDLE = certified("Key", MIDDLE, ca=False)
ASKED = {"PASSKEY_ATTESTATION": "direct"}
#: Formats that roots can be listed for.
FORMATS = ("packed", "tpm", "android-key", "fido-u2f", "apple")


def registered(
    tree: Tree, form: Any, make: Make, *anchors: Party, add: bool = False, algorithm: int = -7, **settings: Any
) -> None:
    """Register with a statement, below anchors if there are any."""
    if anchors:
        path = tree.folder / "roots.pem"
        path.write_bytes(b"".join(anchor.certificate.public_bytes(Encoding.PEM) for anchor in anchors))
        listed = form if form in FORMATS else "packed"
        settings |= ASKED | {"PASSKEY_ATTESTATION_ROOTS": {listed: [str(path)]}}
    client = tree.site(**settings)
    authenticator = VirtualAuthenticator(SITE, aaguid=MODEL, algorithm=algorithm, shared_rsa_key=True)
    if add and not anchors:
        sign_up(client, VirtualAuthenticator(SITE), "ada")
        add_passkey(client, authenticator, bend=stated(form, make))
    else:
        sign_up(client, authenticator, "ada", bend=stated(form, make))


def case(kind: int, name: str, form: Any, make: Make, *anchors: Party, right: str = ACCEPTED, **options: Any) -> Case:
    """Return the case of a registration."""
    return Case(kind, f"{form}, {name}", lambda tree: registered(tree, form, make, *anchors, **options), right)


def own(ceremony: RegistrationCeremony) -> Any:
    """Make self attestation."""
    return {"alg": -7, "sig": sign(ceremony.credential.private_key, signed(ceremony))}


def wrong_key(ceremony: RegistrationCeremony) -> Any:
    """Make self attestation with another key."""
    return {"alg": -7, "sig": sign(new_key(), signed(ceremony))}


WEAK = rsa.generate_private_key(65537, 1024)
P384, P521 = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP521R1())
ANOTHER = model_extension(b"\4\x10" + bytes(16))
UNASKED: list[tuple[str, str, Make]] = [
    ("of the future", "vendor.of-the-future", lambda _: {"v": 1}),
    ("of the past", "android-safetynet", lambda _: {"ver": "1", "response": b"x"}),
    ("of several", "compound", lambda c: [{"fmt": "packed", "attStmt": own(c)}] * 2),
    ("of none of several", "compound", lambda _: []),
    ("with a statement", "none", lambda _: {"v": 1}),
    ("no signature", "packed", lambda _: {}),
    ("signature of another", "packed", wrong_key),
    ("algorithm of the future", "packed", lambda c: own(c) | {"alg": -65000}),
    ("weak key", "packed", packed(certified("Key", ROOT, ca=False, key=WEAK), algorithm=-257)),
    ("ES384", "packed", packed(certified("Key", ROOT, ca=False, key=P384), algorithm=-35)),
    ("no certificates", "packed", lambda c: own(c) | {"x5c": []}),
    ("junk for certificates", "packed", lambda c: own(c) | {"x5c": [b"junk", 5]}),
    ("text for certificates", "packed", lambda c: own(c) | {"x5c": "junk"}),
    ("another model", "packed", packed(certified("Key", ROOT, ca=False, extensions=[ANOTHER]))),
    ("with a model", "fido-u2f", u2f(ATTESTER)),
    ("two certificates", "fido-u2f", u2f(ATTESTER, ROOT)),
    ("unknown root", "android-key", android_key(MIDDLE, MIDDLE, ROOT)),
    ("another challenge", "android-key", android_key(ROOT, challenge=bytes(32))),
    ("unknown root", "apple", apple(MIDDLE, MIDDLE, ROOT)),
    ("another nonce", "apple", apple(ROOT, nonce=bytes(32))),
    ("unknown maker", "tpm", tpm(aik(ROOT, names={1: "id:FFFFFFFF", 2: "x", 3: "id:1"}))),
    ("version of the past", "tpm", tpm(aik(ROOT), ver="1.2")),
    ("junk", "tpm", lambda _: {"ver": "2.0", "certInfo": b"", "pubArea": 5, "x5c": {}}),
]  # fmt: skip


def kind_1() -> Iterator[Case]:
    """A statement that nobody asked for, or that is to lead to nothing, does not decide; all else does."""
    for name, form, make in UNASKED:
        yield case(1, f"{name}, not asked for", form, make)
        yield case(1, f"{name}, not asked for, another passkey", form, make, add=True)
        for asked in ("indirect", "direct", "enterprise"):
            yield case(1, f"{name}, {asked}", form, make, PASSKEY_ATTESTATION=asked)
        yield case(1, f"{name}, below a root", form, make, certified("Top"), right=REFUSED)
    for name, form, statement in (("a list", "packed", []), ("a map", "compound", {}), ("text", "none", "")):
        yield case(1, f"statement is {name}", form, partial(_given, statement), right=REFUSED)
    yield case(1, "fmt is a number", 5, own, right=REFUSED)
    for name, bend in BENDS.items():
        yield case(1, name, "vendor.of-the-future", bend, right=REFUSED)


def _given(statement: Any, _: RegistrationCeremony) -> Any:
    return statement


def _bend(name: str, change: Any) -> Make:
    def make(ceremony: RegistrationCeremony) -> dict[str, int]:
        setattr(ceremony, name, change(getattr(ceremony, name)))
        if name == "public_key":
            ceremony.authenticator_data = ceremony.build_authenticator_data()
        return {"v": 1}

    return make


BENDS = {
    "something behind the authenticator data": _bend("authenticator_data", lambda data: data + b"\0"),
    "another RP ID": _bend("authenticator_data", lambda data: bytes(32) + data[32:]),
    "nobody was present": _bend("authenticator_data", lambda data: data[:32] + b"\x44" + data[33:]),
    "a key off its curve": _bend("authenticator_data", lambda data: data[:-1] + bytes([data[-1] ^ 1])),
    "an algorithm not offered": _bend("public_key", lambda _: cose_map(P521)),
    "another credential ID": _bend("credential_id", lambda value: value[::-1]),
}


def kind_2() -> Iterator[Case]:
    """Any listed certificate vouches for what is below it, and one that is no CA for itself only."""
    top = certified("Top")
    expired = certified("Expired", ROOT, years=(2020, 2021))
    makes: dict[str, tuple[Make, Make]] = {
        "packed": (packed(BELOW_MIDDLE), packed(BELOW_MIDDLE, MIDDLE, ROOT)),
        "fido-u2f": (u2f(BELOW_MIDDLE), u2f(BELOW_MIDDLE)),
        "tpm": (tpm(aik(MIDDLE)), tpm(aik(MIDDLE), MIDDLE)),
        "android-key": (android_key(MIDDLE), android_key(MIDDLE, MIDDLE, ROOT)),
        "apple": (apple(MIDDLE), apple(MIDDLE, MIDDLE)),
    }
    for form, (alone, with_path) in makes.items():
        yield case(2, "anchor is left out", form, alone, MIDDLE)
        yield case(2, "anchor is sent along", form, with_path, MIDDLE)
        yield case(2, "anchor is of another", form, alone, top, right=REFUSED)
        yield case(2, "one of two anchors", form, alone, top, MIDDLE)
    yield case(2, "anchor is the certificate itself", "packed", packed(ATTESTER), ATTESTER)
    yield case(2, "anchor is the certificate itself", "fido-u2f", u2f(ATTESTER), ATTESTER)
    shop = certified("Shop", ROOT, ca=False)
    for anchor in (ROOT, shop):
        yield case(
            2, "no CA in the middle", "packed", packed(certified("Key", shop, ca=False), shop), anchor, right=REFUSED
        )
    yield case(
        2, "expired in the middle", "packed", packed(certified("Key", expired, ca=False), expired), ROOT, right=REFUSED
    )
    for name, anchor, right in (
        ("above it", MIDDLE, ACCEPTED),
        ("itself", BELOW_MIDDLE, ACCEPTED),
        ("of another", top, REFUSED),
    ):
        yield Case(2, f"metadata, anchor {name}", _by_metadata(anchor, MODEL), right)
        yield Case(2, f"metadata of another model, anchor {name}", _by_metadata(anchor, OTHER_MODEL), REFUSED)


def _by_metadata(anchor: Party, model: str) -> Any:
    def act(tree: Tree) -> None:
        known = entry(VirtualAuthenticator(SITE, attestation="packed-x5c", aaguid=model))
        known["metadataStatement"]["attestationRootCertificates"] = [text(anchor.der)]
        registered(tree, "packed", packed(BELOW_MIDDLE), **MetadataService(tree.folder).config(known))

    return act


def kind_3() -> Iterator[Case]:
    """The last certificate of a phone may be its root, an old one of the same key, or one below."""
    old = certified("Hardware root", years=(2016, 2026))
    new = certified("Hardware root", key=old.key, years=(2022, 2042))
    forged = certified("Root")
    factory, other = certified("TEE", old), certified("Middle", forged)
    yield case(3, "root is sent", "android-key", android_key(MIDDLE, MIDDLE, ROOT), ROOT)
    yield case(3, "root is left out", "android-key", android_key(MIDDLE, MIDDLE), ROOT)
    yield case(3, "right below the root", "android-key", android_key(ROOT), ROOT)
    yield case(3, "old root is sent, new one listed", "android-key", android_key(factory, factory, old), new)
    yield case(3, "old root is sent, both listed", "android-key", android_key(factory, factory, old), old, new)
    yield case(3, "new root is sent, old one listed", "android-key", android_key(factory, factory, new), old)
    yield case(3, "old root is listed", "android-key", android_key(factory, factory), old)
    for sent in ((other, forged), (other,), (other, ROOT)):
        yield case(
            3, f"another of the same name, {len(sent)}", "android-key", android_key(other, *sent), ROOT, right=REFUSED
        )
    number = tlv("02", b"\0")
    lists: dict[str, tuple[dict[str, bytes], dict[str, bytes], str]] = {
        "enforced by hardware": ({}, ENFORCED, ACCEPTED),
        "more in software": ({"bf853d": number}, ENFORCED, ACCEPTED),
        "enforced by software only": (ENFORCED, {}, REFUSED),
        "origin in software": ({"bf853e": number}, {"a1": ENFORCED["a1"]}, REFUSED),
        "purpose in software": ({"a1": ENFORCED["a1"]}, {"bf853e": number}, REFUSED),
        "imported": ({}, ENFORCED | {"bf853e": tlv("02", b"\2")}, REFUSED),
        "no purpose": ({}, ENFORCED | {"a1": tlv("31")}, REFUSED),
        "another purpose": ({}, ENFORCED | {"a1": tlv("31", tlv("02", b"\3"))}, REFUSED),
        "two purposes": ({}, ENFORCED | {"a1": tlv("31", tlv("02", b"\2"), tlv("02", b"\3"))}, REFUSED),
        "all applications": ({}, ENFORCED | {"bf8458": tlv("05")}, REFUSED),
        "all applications in software": ({"bf8458": tlv("05")}, ENFORCED, REFUSED),
    }
    for name, (software, hardware, right) in lists.items():
        make = android_key(MIDDLE, MIDDLE, software=software, hardware=hardware)
        yield case(3, name, "android-key", make, ROOT, right=right)
    yield case(3, "another challenge", "android-key", android_key(ROOT, challenge=bytes(32)), ROOT, right=REFUSED)
    yield case(3, "another key", "android-key", android_key(ROOT, own=False), ROOT, right=REFUSED)


def kind_4() -> Iterator[Case]:
    """Where an anchor is listed, section 8 decides."""
    strong = rsa.generate_private_key(65537, 2048)
    keys: dict[int, Any] = {
        **dict.fromkeys((-257, -258, -259, -37, -38, -39), strong),
        **{-35: P384, -36: P521, -7: new_key()},
        **{-8: ed25519.Ed25519PrivateKey.generate(), -53: ed448.Ed448PrivateKey.generate()},
    }
    for algorithm, key in keys.items():
        holder = certified("Key", ROOT, ca=False, key=key)
        yield case(4, f"key of {algorithm}", "packed", packed(holder, algorithm=algorithm), ROOT)
        mistaken = instead(packed(holder, algorithm=algorithm), alg=-7 if algorithm != -7 else -257)
        yield case(4, f"{algorithm} as another", "packed", mistaken, ROOT, right=REFUSED)
    fresh = {-7: new_key, -8: ed25519.Ed25519PrivateKey.generate, -53: ed448.Ed448PrivateKey.generate}
    for algorithm, make_key in fresh.items():
        stranger = replace(certified("Key", ROOT, ca=False, key=make_key()), key=make_key())
        make = packed(stranger, algorithm=algorithm)
        yield case(4, f"signed by another, {algorithm}", "packed", make, ROOT, right=REFUSED)
    other_usage = "1.3.6.1.4.1.311.21.36"
    for usages in ([AIK], [AIK, other_usage], [other_usage, AIK], [other_usage, other_usage[:-1], AIK]):
        yield case(4, f"AIK is {usages.index(AIK) + 1} of {len(usages)}", "tpm", tpm(aik(ROOT, usages=usages)), ROOT)
    for without in ([other_usage], None):
        yield case(4, f"usages {without}", "tpm", tpm(aik(ROOT, usages=without)), ROOT, right=REFUSED)
    for maker in ("id:00000000", "id:FFFFF1D0", "id:494E5443", "id:54534D43"):
        yield case(4, f"maker {maker}", "tpm", tpm(aik(ROOT, names={1: maker, 2: "x", 3: "id:1"})), ROOT)
    yield case(4, "names one by one", "tpm", tpm(aik(ROOT, one_by_one=True)), ROOT)
    for algorithm in (-257, -258, -259, -65535):
        yield case(4, f"AIK of {algorithm}", "tpm", tpm(aik(ROOT, key=strong), algorithm=algorithm), ROOT)
    yield case(4, "ES384", "tpm", tpm(aik(ROOT, key=keys[-35]), algorithm=-35), ROOT)
    yield case(4, "RSA passkey", "tpm", tpm(aik(ROOT), area=rsa_area), ROOT, algorithm=-257)
    for number in ("0004", "000c", "000d"):
        yield case(4, f"name by hash {number}", "tpm", tpm(aik(ROOT), area=partial(_area, number)), ROOT)
    bad = {
        "another ceremony": tpm(aik(ROOT), extra=bytes(32)), "another key": tpm(aik(ROOT), name=b"\0\x0b" + bytes(32)),
        "not made by a TPM": tpm(aik(ROOT), magic="ff544348"), "another structure": tpm(aik(ROOT), kind="8018"),
        "something behind": tpm(aik(ROOT), behind=b"\0"), "signed by another": tpm(replace(aik(ROOT), key=new_key())),
    }  # fmt: skip
    for name, make in bad.items():
        yield case(4, name, "tpm", make, ROOT, right=REFUSED)


def _area(number: str, ceremony: RegistrationCeremony) -> bytes:
    """Write a public area whose name is by another hash."""
    area = ec_area(ceremony)
    return area[:2] + bytes.fromhex(number) + area[4:]


def kind_8() -> Iterator[Case]:
    """The metadata's signer leads to the root by RFC 5280, and signs by RFC 7515."""
    for name, (change, right) in SIGNERS.items():
        yield Case(8, name, _metadata(change), right)


def _metadata(change: Any) -> Any:
    def act(tree: Tree) -> None:
        service = MetadataService(tree.folder)
        change(service)
        tree.site(**service.config())

    return act


def _signed_by(service: MetadataService, issuer: Party, *others: Party, **options: Any) -> None:
    service.signer = certified("", issuer, ca=False, subject=host(HOST), **options)
    service.others = others


def _below(**options: Any) -> Any:
    def change(service: MetadataService) -> None:
        middle = certified("Middle", service.root, **options)
        _signed_by(service, middle, middle)

    return change


def _algorithm(name: str, key: Any) -> Any:
    def change(service: MetadataService) -> None:
        service.algorithm = name
        _signed_by(service, service.root, key=key)

    return change


def _header(**members: Any) -> Any:
    return lambda service: setattr(service, "header", members)


def _named(*names: str) -> Any:
    hosts = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    return lambda service: _signed_by(service, service.root, extensions=[(hosts, False)])


SIGNERS: dict[str, tuple[Any, str]] = {
    "right below the root": (lambda _: None, ACCEPTED),
    "below another CA": (_below(), ACCEPTED),
    "RS256": (_algorithm("RS256", rsa.generate_private_key(65537, 2048)), ACCEPTED),
    "PS256": (_algorithm("PS256", rsa.generate_private_key(65537, 2048)), ACCEPTED),
    "ES384": (_algorithm("ES384", ec.generate_private_key(ec.SECP384R1())), ACCEPTED),
    "named beside another": (_named("other.example", HOST), ACCEPTED),
    "below no CA": (_below(ca=False), REFUSED),
    "below one that does not say": (_below(ca=None), REFUSED),
    "below an expired CA": (_below(years=(2020, 2021)), REFUSED),
    "below a CA of the future": (_below(years=(2089, 2090)), REFUSED),
    "of another host": (_named("shop.example"), REFUSED),
    "of a host below": (_named(f"x.{HOST}"), REFUSED),
    "expired": (lambda service: _signed_by(service, service.root, years=(2020, 2021)), REFUSED),
    "weak": (_algorithm("RS256", WEAK), REFUSED),
    "below another root": (lambda service: _signed_by(service, certified("root")), REFUSED),
    "not signed": (_header(alg="none"), REFUSED),
    "by a secret": (_header(alg="HS256"), REFUSED),
    "by another algorithm": (_header(alg="ES384"), REFUSED),
    "critical": (_header(crit=["exp"], exp=1), REFUSED),
    "no certificate": (_header(x5c=[]), REFUSED),
}

ATTESTATION = [*kind_1(), *kind_2(), *kind_3(), *kind_4(), *kind_8()]
