"""Paths of certificates to those that an app trusts: RFC 5280, section 6."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from makers import (
    Make,
    Party,
    android_key,
    apple,
    certified,
    instead,
    new_key,
    packed,
    register,
    trusting,
    u2f,
    usage,
    without_extensions,
)

from flask_passkey.ceremonies.attestation.certificates import MOST_CERTIFICATES, has_path
from flask_passkey.errors import RegistrationRejected

pytestmark = pytest.mark.proves("threats:foreign-certificate")

#: The time of all paths.
NOW = datetime(2026, 11, 25, tzinfo=UTC)
ROOT = certified("root")
MIDDLE = certified("middle", ROOT)
LEAF = certified("leaf", MIDDLE, ca=False)
CRITICAL = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True
LIMITED = x509.NameConstraints([x509.DNSName("example.com")], None)


def leads(*sent: Party, to: Party | list[Party]) -> bool:
    """Tell whether the first leads to an anchor, with the others sent along."""
    anchors = to if isinstance(to, list) else [to]
    return has_path([party.certificate for party in sent], [anchor.certificate for anchor in anchors], now=NOW)


def test_anchor_may_be_any_of_the_path() -> None:
    """The root, the CA in the middle and the certificate itself can be trusted, sent along or not."""
    assert leads(LEAF, MIDDLE, ROOT, to=ROOT) and leads(LEAF, MIDDLE, to=ROOT)
    assert leads(LEAF, MIDDLE, ROOT, to=MIDDLE) and leads(LEAF, MIDDLE, to=MIDDLE) and leads(LEAF, to=MIDDLE)
    assert leads(LEAF, to=LEAF) and leads(LEAF, MIDDLE, to=LEAF)
    assert leads(LEAF, MIDDLE, to=[certified("another"), ROOT])


def test_nothing_leads_to_nobody() -> None:
    """Without anchors, or with those of others, there is no path, however good the certificates are."""
    assert not leads(LEAF, MIDDLE, ROOT, to=[])
    assert not leads(LEAF, MIDDLE, ROOT, to=certified("another"))
    assert not leads(LEAF, ROOT, to=ROOT), "one is missing in the middle"
    assert not leads(ROOT, to=LEAF), "the other way round"


def test_certificates_may_be_in_any_order() -> None:
    """Only the first has its place; what is of no use among the others does no harm."""
    lower = certified("lower", MIDDLE)
    leaf = certified("leaf", lower, ca=False)
    others = [lower, MIDDLE, certified("stranger"), certified("old", years=(2001, 2002))]
    assert all(leads(leaf, *order, to=ROOT) for order in permutations(others))


@pytest.mark.proves("specification:paths")
def test_anchor_is_a_name_and_a_key() -> None:
    """An anchor that was certified anew is found where the old certificate is sent, though that has expired."""
    old = certified("root", years=(2016, 2020))
    new = certified("root", key=old.key, years=(2022, 2042))
    leaf = certified("leaf", old, ca=False)
    assert leads(leaf, old, to=new) and leads(leaf, to=new) and leads(leaf, new, to=new)
    assert leads(leaf, new, to=old) and leads(leaf, old, to=old), "dates of an anchor do not count"
    assert not leads(leaf, old, to=certified("root")), "another key"
    assert not leads(leaf, old, to=certified("Root", key=old.key)), "another name"


def test_anchor_of_the_same_name_is_no_help() -> None:
    """Somebody who takes the name of an anchor, or of a CA below it, gets nowhere, sent along or not."""
    forged = certified("root")
    forged_middle = certified("middle", forged)
    leaf = certified("leaf", forged_middle, ca=False)
    for sent in ([forged_middle, forged], [forged_middle], [forged_middle, forged, MIDDLE, ROOT], [MIDDLE, ROOT]):
        assert not leads(leaf, *sent, to=ROOT)
        assert not leads(leaf, *sent, to=MIDDLE)
    assert leads(LEAF, forged_middle, forged, MIDDLE, to=[forged_middle, ROOT]), "nor is it in the way"


def test_names_are_compared_by_their_text() -> None:
    """A CA may encode its name in another way than before."""

    def name(kind: _ASN1Type) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root", _type=kind)])

    key = new_key()
    old, new = (
        certified("", key=key, subject=name(kind)) for kind in (_ASN1Type.PrintableString, _ASN1Type.UTF8String)
    )
    assert leads(certified("leaf", old, ca=False), to=new) and leads(certified("leaf", new, ca=False), to=old)


@pytest.mark.parametrize("years", [(2020, 2025), (2027, 2090)])
def test_dates_count(years: tuple[int, int]) -> None:
    """A certificate that has expired, or is not valid yet, breaks the path, at its end and in the middle."""
    assert not leads(certified("leaf", ROOT, ca=False, years=years), to=ROOT)
    middle = certified("middle", ROOT, years=years)
    assert not leads(certified("leaf", middle, ca=False), middle, to=ROOT)
    assert leads(certified("leaf", middle, ca=False), middle, to=middle), "as an anchor it has no dates"


@pytest.mark.proves("specification:paths")
@pytest.mark.parametrize("ca", [False, None])
def test_only_authorities_issue(ca: bool | None) -> None:
    """A certificate that is no CA issues nothing, in the middle or trusted; then it vouches for itself only."""
    shop = certified("shop", ROOT, ca=ca)
    leaf = certified("leaf", shop, ca=False)
    assert not leads(leaf, shop, to=ROOT) and not leads(leaf, shop, ROOT, to=ROOT)
    assert not leads(leaf, to=shop) and not leads(leaf, shop, to=[shop, ROOT])
    assert leads(shop, to=shop)


def test_key_usage_counts() -> None:
    """A CA whose key is not for signing certificates issues nothing; one that says that it is does."""
    for signs, works in ((True, True), (False, False)):
        middle = certified("middle", ROOT, extensions=[(usage(signs_certificates=signs), True)])
        leaf = certified("leaf", middle, ca=False)
        assert leads(leaf, middle, to=ROOT) is leads(leaf, to=middle) is works


def test_path_length_counts() -> None:
    """A CA has no more CAs below it than it may, whether it is an anchor or not."""
    for length in (0, 1, 2):
        for top in (certified("top", path_length=length), certified("top", ROOT, path_length=length)):
            anchor = top if top.certificate.issuer == top.certificate.subject else ROOT
            path = [top]
            for below in range(3):
                leaf = certified("leaf", path[-1], ca=False)
                assert leads(leaf, *reversed(path), to=anchor) is (below <= length)
                path.append(certified(f"middle {below}", path[-1]))


def test_shorter_path_is_found() -> None:
    """Where a CA was certified twice, the way that is allowed is taken."""
    top = certified("top", path_length=1)
    lower = certified("lower", top)
    long = certified("CA", lower)
    short = certified("CA", top, key=long.key)
    leaf = certified("leaf", long, ca=False)
    assert all(leads(leaf, *order, to=top) for order in permutations([long, lower, short]))
    assert not leads(leaf, long, lower, to=top)


def test_a_new_key_of_an_authority_does_not_count() -> None:
    """A CA that certifies its next key is one CA still, however long the path may be."""
    top = certified("top", path_length=0)
    follower = certified("top", top)
    leaf = certified("leaf", follower, ca=False)
    assert leads(leaf, follower, to=top)
    assert not leads(certified("leaf", certified("other", top), ca=False), to=top)


@pytest.mark.parametrize("extension", [CRITICAL, (LIMITED, True), (LIMITED, False)])
def test_what_is_not_understood_is_not_trusted(extension: tuple[x509.ExtensionType, bool]) -> None:
    """A critical extension that nobody here understands breaks the path, and so do limits of names."""
    assert not leads(certified("leaf", ROOT, ca=False, extensions=[extension]), to=ROOT)
    middle = certified("middle", ROOT, extensions=[extension])
    assert not leads(certified("leaf", middle, ca=False), middle, to=ROOT)


def test_extensions_that_are_not_critical_do_not_matter() -> None:
    """What is not critical can be left alone."""
    extension = CRITICAL[0], False
    middle = certified("middle", ROOT, extensions=[extension])
    assert leads(certified("leaf", middle, ca=False, extensions=[extension]), middle, to=ROOT)


@pytest.mark.proves("specification:weak-keys")
@pytest.mark.parametrize(
    "weak", [lambda: rsa.generate_private_key(65537, 1024), lambda: ec.generate_private_key(ec.SECP192R1())]
)
def test_weak_keys_vouch_for_nothing(weak: Callable[[], object]) -> None:
    """A key that can be broken breaks the path, wherever it is, also in an anchor."""
    assert not leads(certified("leaf", ROOT, ca=False, key=weak()), to=ROOT)
    middle = certified("middle", ROOT, key=weak())
    leaf = certified("leaf", middle, ca=False)
    assert not leads(leaf, middle, to=ROOT) and not leads(leaf, to=middle) and not leads(middle, to=middle)


@pytest.mark.parametrize(
    "key",
    [
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate,
    ],
)
def test_authorities_have_keys_of_any_kind(key: Callable[[], object]) -> None:
    """Certificates signed with RSA, on any curve of NIST, and with Ed25519 are verified."""
    root = certified("root", key=key())
    middle = certified("middle", root, key=key())
    assert leads(certified("leaf", middle, ca=False), middle, to=root)
    forged = certified("middle", certified("root", key=key()))
    assert not leads(certified("leaf", forged, ca=False), forged, to=root)


def test_certificates_of_version_1() -> None:
    """An old root without extensions is an anchor; in the middle of a path nobody knows what such a one may do."""
    old = without_extensions(certified("old"))
    leaf = certified("leaf", old, ca=False)
    assert leads(leaf, to=old) and leads(certified("leaf", MIDDLE, ca=False), MIDDLE, to=without_extensions(ROOT))
    assert not leads(leaf, to=without_extensions(certified("old")))
    upper = certified("old")
    follower = without_extensions(certified("old"), upper)
    assert not leads(certified("leaf", follower, ca=False), follower, to=upper)


def test_rings_end() -> None:
    """CAs that certified one another are a path to nobody, and are found out at once."""
    keys = [new_key() for _ in range(MOST_CERTIFICATES)]
    heads = [certified("CA", key=key) for key in keys]
    ring = [certified("CA", issuer, key=key) for issuer in heads[:3] for key in keys]
    assert not leads(certified("leaf", heads[0], ca=False), *ring, to=certified("CA"))


def test_long_paths_are_cut() -> None:
    """No more certificates are looked at than authenticators send."""
    path = [ROOT]
    while len(path) < MOST_CERTIFICATES + 1:
        path.append(certified(f"CA {len(path)}", path[-1]))
    assert leads(*reversed(path[:MOST_CERTIFICATES]), to=ROOT)
    assert leads(*reversed(path[1:]), to=ROOT)
    assert not leads(*reversed([*path, certified("CA", path[-1])][1:]), to=ROOT)


# In a registration


@pytest.mark.proves("specification:7.1.24")
@pytest.mark.parametrize(
    ("form", "make"),
    [
        ("packed", lambda issuer, *sent: packed(certified("x", issuer, ca=False), *sent)),
        ("fido-u2f", lambda issuer, *_: u2f(certified("x", issuer, ca=False))),
        ("android-key", android_key),
        ("apple", apple),
    ],
)
def test_every_format_leads_to_its_anchor(form: str, make: Callable[..., Make]) -> None:
    """Step 24: in every format, a CA in the middle can be trusted, roots need not be sent, and names can be forged."""
    root = certified("Root")
    middle = certified("Middle", root)
    assert register(form, make(middle, middle, root), trust=trusting(form, middle)).attestation_verified is True
    assert register(form, make(middle), trust=trusting(form, middle)).attestation_verified is True
    if form != "fido-u2f":  # whose statement has one certificate
        assert register(form, make(middle, middle, root), trust=trusting(form, root)).attestation_verified is True
        assert register(form, make(middle, middle), trust=trusting(form, root)).attestation_verified is True
        old = certified("Root", key=root.key, years=(2010, 2020))
        assert register(form, make(middle, middle, old), trust=trusting(form, root)).attestation_verified is True
    forged = certified("Root")
    other = certified("Middle", forged)
    for sent in ([], [other], [other, forged], [other, root]) if form != "fido-u2f" else [[]]:
        for anchor in (root, middle):
            with pytest.raises(RegistrationRejected, match="does not lead to one that is trusted"):
                register(form, make(other, *sent), trust=trusting(form, anchor))


def garbled(party: Party) -> bytes:
    """Return a certificate in whose issuer something is of the wrong type."""
    country = bytes.fromhex("310b300906035504061302")
    assert party.der.count(country) == 2
    return party.der.replace(country, b"\x30" + country[1:], 1)


def test_certificates_that_cannot_be_read_do_no_harm() -> None:
    """Step 24: of the certificates that are sent along, those that cannot be read are left out."""
    others = [b"junk", 5, garbled(MIDDLE), MIDDLE.der]
    make = instead(packed(LEAF), x5c=[LEAF.der, *others])
    assert register("packed", make, trust=trusting("packed", ROOT)).attestation_verified is True
    make = instead(packed(LEAF), x5c=[garbled(LEAF), *others])
    with pytest.raises(RegistrationRejected, match="did not verify"):
        register("packed", make, trust=trusting("packed", ROOT))
