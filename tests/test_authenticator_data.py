"""What strangers write into attestation objects and authenticator data: it costs no time, and is stored as it came."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal import begin_step_up, browser, configured, finish_sign_in, register, sign_in
from webauthn.helpers import parse_authenticator_data

from flask_passkey.ceremonies.authenticator_data import MAX_PUBLIC_KEY, AuthenticatorData, read_attestation_object
from flask_passkey.credentials import CredentialRecord
from flask_passkey.errors import RegistrationRejected, ResponseRejected
from flask_passkey.testing import (
    AuthenticationCeremony,
    Flags,
    RegistrationCeremony,
    VirtualAuthenticator,
    b64url_encode,
    encode_cbor,
)

pytestmark = pytest.mark.proves("threats:cbor")

Ceremony = RegistrationCeremony | AuthenticationCeremony
#: Where a registration or a sign-in has CBOR: what bends a ceremony so that these bytes are there.
Place = Callable[[bytes], dict[str, Any]]


def shared(levels: int) -> bytes:
    """Return a list whose every item holds the one before it twice, by reference."""
    refer = [b"\xd8\x1d" + encode_cbor(level) for level in range(levels)]
    return encode_cbor([0] * levels)[:1] + b"\xd8\x1c\x80" + b"".join(b"\xd8\x1c\x82" + 2 * r for r in refer[:-1])


#: Small to send; each a value that grows, recurses or is long to look at.
BOMBS = {
    "shared references": shared(12),
    "a reference to itself": b"\xd8\x1c\x81\xd8\x1d\x00",
    "tags in tags": b"\xc1" * 30_000 + b"\x00",
    "string references": b"\xd9\x01\x00\x82\x64abcd\xd8\x19\x00",
    "big number": b"\xc2\x59\x40\x00" + b"\xff" * 0x4000,
    "decimal fraction": b"\xc4\x82\x1a\x7f\xff\xff\xff\x01",
    "regular expression": b"\xd8\x23\x68(a+)+$aa",
    "set": b"\xd9\x01\x02\x81\x00",
    "deep lists": b"\x81" * 30_000 + b"\x00",
    "deep open maps": b"\xbf\x00" * 20_000 + b"\x00" + b"\xff" * 20_000,
    "many items": b"\x99\x4e\x20" + bytes(20_000),
    "map of a million": b"\xba\x00\x0f\x42\x40" + bytes(20_000),
    "open list without an end": b"\x9f" * 15 + bytes(900),
    "string of 2 to the 63": b"\x5b\x7f" + b"\xff" * 7,
    "string of nothing in parts": b"\x5f" + b"\x40" * 20_000 + b"\xff",
}
REFUSED = r"was malformed: (a tag|more than \d+ (levels|items|bytes)|it ends too early)"


def attestation_object(
    response: dict[str, Any], *, statement: bytes = b"\xa0", more: bytes = b"", after: bytes = b""
) -> None:
    """Write the attestation object anew, with this statement, perhaps one more member, and bytes after it."""
    data = encode_cbor({"fmt": "none"})[1:] + encode_cbor("attStmt") + statement
    data += encode_cbor("authData") + encode_cbor(response["data"]) + (b"\x61x" + more if more else b"")
    response["response"]["attestationObject"] = b64url_encode(bytes([0xA4 if more else 0xA3]) + data + after)


def in_the_object(**parts: bytes) -> dict[str, Any]:
    """Bend the attestation object of a registration."""
    seen: dict[str, Any] = {}
    keep = {"tamper": lambda c: seen.update(data=c.authenticator_data)}
    return keep | {"after": lambda response: attestation_object(response | seen, **parts)}


def in_the_data(make: Callable[[Any, bytes], bytes], flag: Flags) -> dict[str, Any]:
    """Bend the authenticator data, before they are signed."""

    def bend(ceremony: Ceremony) -> None:
        ceremony.set_flag(flag, True)
        ceremony.authenticator_data = make(ceremony, ceremony.build_authenticator_data())

    return {"bend": bend}


def with_key(make: Callable[[bytes], bytes]) -> dict[str, Any]:
    """Bend the public key of a registration."""

    def write(ceremony: RegistrationCeremony, data: bytes) -> bytes:
        cose = encode_cbor(ceremony.public_key)
        return data.removesuffix(cose) + make(cose)

    return in_the_data(write, Flags.AT)


def one_more(cose: bytes, value: bytes) -> bytes:
    """Write one member more into a small map."""
    return bytes([cose[0] + 1]) + cose[1:] + b"\x3a\x00\x01\x11\x6f" + value


def with_extensions(outputs: bytes) -> dict[str, Any]:
    """Bend the extension outputs."""
    return in_the_data(lambda _, data: data + outputs, Flags.ED)


def with_credential(cose: bytes, *, credential_id: bytes = b"x") -> dict[str, Any]:
    """Put attested credential data into the authenticator data of a sign-in."""
    attested = bytes(16) + len(credential_id).to_bytes(2, "big") + credential_id + cose
    return in_the_data(lambda _, data: data + attested, Flags.AT)


REGISTRATIONS: dict[str, Place] = {
    "statement": lambda bomb: in_the_object(statement=b"\xa1\x61x" + bomb),
    "statement itself": lambda bomb: in_the_object(statement=bomb),
    "member of the object": lambda bomb: in_the_object(more=bomb),
    "public key itself": lambda bomb: with_key(lambda _: b"\xa1\x00" + bomb),
    "member of the public key": lambda bomb: with_key(lambda cose: one_more(cose, bomb)),
    "extension outputs": lambda bomb: with_extensions(b"\xa1\x61x" + bomb),
}
SIGN_INS: dict[str, Place] = {
    "extension outputs": lambda bomb: with_extensions(b"\xa1\x61x" + bomb),
    "key of the extension outputs": lambda bomb: with_extensions(b"\xa1" + bomb + b"\x00"),
    "attested key": lambda bomb: with_credential(b"\xa1\x00" + bomb),
}


@pytest.fixture(scope="module")
def authenticator() -> VirtualAuthenticator:
    """An authenticator with one passkey; tests leave it as it is."""
    return browser()


@pytest.fixture(scope="module")
def record(authenticator: VirtualAuthenticator) -> CredentialRecord:
    """What the server has of that passkey."""
    return register(authenticator)


@pytest.mark.proves("specification:7.1.13")
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("place", REGISTRATIONS.values(), ids=REGISTRATIONS)
@pytest.mark.parametrize("attestation", ["none", "direct"])
def test_bombs_are_refused_in_a_registration(bomb: bytes, place: Place, attestation: str) -> None:
    """What would grow, recurse or take long is refused unread, wherever a registration has CBOR."""
    with pytest.raises(RegistrationRejected, match=REFUSED):
        register(browser(), config=configured(attestation=attestation), **place(bomb))


@pytest.mark.proves("specification:7.2.7")
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("place", SIGN_INS.values(), ids=SIGN_INS)
def test_bombs_are_refused_in_a_sign_in(
    authenticator: VirtualAuthenticator, record: CredentialRecord, bomb: bytes, place: Place
) -> None:
    """The same in a sign-in and in a step-up, before the signature is looked at, which is good here."""
    with pytest.raises(ResponseRejected, match=REFUSED):
        sign_in(authenticator, record, **place(bomb))
    options, pending = begin_step_up([record])
    with pytest.raises(ResponseRejected, match=REFUSED):
        finish_sign_in(pending, authenticator.get(options, **place(bomb)), record)


def test_the_library_reads_nothing_that_was_not_measured() -> None:
    """A key that ends earlier to the library than it does hides no extension outputs in its own bytes."""
    seen: list[bytes] = []

    def write(ceremony: RegistrationCeremony, data: bytes) -> bytes:
        cose = encode_cbor(ceremony.public_key)
        padded = b"".join(b"\x1b" + bytes(7) + bytes([70 + n]) + b"\x1b" + bytes(8) for n in range(8))
        hidden = (b"\xa1\x00" + shared(12)).ljust(8 * 15, b"\x00")  # as much as the library takes the key to be shorter
        key = bytes([cose[0] + 9]) + cose[1:] + padded + b"\x18\x64\x58" + bytes([len(hidden)]) + hidden
        seen.append(data.removesuffix(cose) + key + b"\xa0")
        return seen[0]

    with pytest.raises(RegistrationRejected, match="open lengths or long heads"):
        register(browser(algorithm=-7), **in_the_data(write, Flags.ED))
    assert len(parse_authenticator_data(seen[0]).extensions or b"") > 4000


@pytest.mark.proves("specification:7.1.13")
@pytest.mark.parametrize("statement", [b"\x61x", b"\x80", b"\x00", b"\xf6", b"\x40", b"\xf5"])
def test_a_statement_is_a_map(statement: bytes) -> None:
    """An attestation statement of another type is refused, also where nobody asks for attestation."""
    with pytest.raises(RegistrationRejected, match="attStmt is no map"):
        register(browser(), **in_the_object(statement=statement))


@pytest.mark.parametrize("statement", [{}, "x", None])
def test_a_compound_statement_is_a_list(statement: Any) -> None:
    """The statement of the format ``compound`` is a list, and of no other."""

    def bend(ceremony: RegistrationCeremony) -> None:
        ceremony.attestation_format, ceremony.attestation_statement = "compound", statement

    with pytest.raises(RegistrationRejected, match="no list where the format is compound"):
        register(browser(), bend=bend, tamper=lambda c: setattr(c, "attestation_statement", statement))


@pytest.mark.parametrize("member", ["fmt", "attStmt", "authData"])
def test_an_attestation_object_has_all_its_members(member: str) -> None:
    """An attestation object without one of its three members is refused."""

    def drop(response: dict[str, Any]) -> None:
        parts = {"fmt": "none", "attStmt": {}, "authData": bytes(37)}
        del parts[member]
        response["response"]["attestationObject"] = b64url_encode(encode_cbor(parts))

    with pytest.raises(RegistrationRejected):
        register(browser(), after=drop)


@pytest.mark.parametrize("value", ["x", None, {}, [], 5])
def test_authenticator_data_are_bytes(value: Any) -> None:
    """Authenticator data of another type are refused."""
    with pytest.raises(ResponseRejected, match="authData is no byte string"):
        read_attestation_object(encode_cbor({"fmt": "none", "attStmt": {}, "authData": value}))


@pytest.mark.parametrize("data", [b"\xa2\x01\x00\x01\x00", b"\xa2\x63fmt\x60\x63fmt\x60"])
def test_no_key_is_there_twice(data: bytes) -> None:
    """An attestation object with a member twice, which two readers could understand differently, is refused."""
    with pytest.raises(ResponseRejected, match="cannot be decoded"):
        read_attestation_object(data)


OUTPUTS = {"text": b"\x61x", "list": b"\x80", "number": b"\x05", "null": b"\xf6", "bytes": b"\x41\xa0", "nothing": b""}


@pytest.mark.proves("specification:7.1.28", "specification:7.2.23")
@pytest.mark.parametrize("outputs", OUTPUTS.values(), ids=OUTPUTS)
def test_extension_outputs_are_a_map(
    authenticator: VirtualAuthenticator, record: CredentialRecord, outputs: bytes
) -> None:
    """Extension outputs of another type are refused, in both ceremonies."""
    with pytest.raises(RegistrationRejected, match="extension outputs is no map"):
        register(browser(), **with_extensions(outputs))
    with pytest.raises(ResponseRejected, match="extension outputs is no map"):
        sign_in(authenticator, record, **with_extensions(outputs))


@pytest.mark.parametrize("outputs", [b"\xa0", b"\xbf\xff", b"\xb8\x01\x61x\x18\x05", b"\xa1\x61x\xf9\x3c\x00"])
def test_extension_outputs_have_any_form(
    authenticator: VirtualAuthenticator, record: CredentialRecord, outputs: bytes
) -> None:
    """Open lengths, long heads and short floats are fine in a sign-in."""
    assert sign_in(authenticator, record, **with_extensions(outputs)).record.id == record.id


@pytest.mark.parametrize("after", [b"\x00", b"\xa0", b"\xff", bytes(1000)])
def test_nothing_comes_after(authenticator: VirtualAuthenticator, record: CredentialRecord, after: bytes) -> None:
    """Bytes behind an attestation object, behind authenticator data and behind extension outputs are refused."""
    for bends in (in_the_object(after=after), with_extensions(b"\xa0" + after)):
        with pytest.raises(RegistrationRejected, match="it goes on after its end"):
            register(browser(), **bends)
    for bends in (with_extensions(b"\xa0" + after), in_the_data(lambda _, data: data + after, Flags.UP)):
        with pytest.raises(ResponseRejected, match="it goes on after its end"):
            sign_in(authenticator, record, **bends)


def test_attested_data_of_a_sign_in_are_borne_with(
    authenticator: VirtualAuthenticator, record: CredentialRecord
) -> None:
    """A sign-in whose authenticator data have a credential in them is accepted, and what they say of it ignored."""
    bends = with_credential(encode_cbor({1: 2}))
    assert sign_in(authenticator, record, **bends).record.public_key == record.public_key


@pytest.mark.parametrize("length", [0, 1, 15, 17, 18, 60])
def test_attested_data_are_whole(length: int) -> None:
    """Attested credential data that are cut short are refused, wherever they are cut."""
    with pytest.raises(RegistrationRejected, match="it ends too early|no map"):
        register(browser(), **in_the_data(lambda _, data: data[: 37 + length], Flags.AT))


@pytest.mark.proves("specification:7.1.27")
def test_the_key_is_stored_as_it_came() -> None:
    """A key in another order, with a member more, is stored in the bytes that came, and signs in."""
    authenticator = browser(algorithm=-7)
    sent: list[bytes] = []

    def turn(cose: bytes) -> bytes:
        y, head = cose[-35:], cose[:-35]
        sent.append(one_more(head[:1] + y + head[1:], b"\x43abc"))
        return sent[0]

    record = register(authenticator, **with_key(turn))
    assert record.public_key == sent[0]
    assert sign_in(authenticator, record).record.public_key == sent[0]


def test_no_key_grows() -> None:
    """A key whose numbers would be written longer than they came is not stored longer: it is refused."""
    floats = b"\x98\x64" + b"\xf9\x3c\x01" * 100
    with pytest.raises(RegistrationRejected, match="public key"):
        register(browser(), **with_key(lambda cose: one_more(cose, floats)))


@pytest.mark.parametrize("more", [0, 1])
def test_a_key_has_a_limit(more: int) -> None:
    """A public key of 4 KiB is stored; one byte more is refused."""
    filled = browser(algorithm=-7)

    def fill(cose: bytes) -> bytes:
        length = MAX_PUBLIC_KEY - len(one_more(cose, b"\x59\x00\x00")) + more
        return one_more(cose, b"\x59" + length.to_bytes(2, "big") + bytes(length))

    if more:
        with pytest.raises(RegistrationRejected, match="public key of more than 4096 bytes"):
            register(filled, **with_key(fill))
    else:
        assert len(register(filled, **with_key(fill)).public_key) == MAX_PUBLIC_KEY


def test_items_count_in_all_parts() -> None:
    """The 1,000 items are those of attestation object and authenticator data together."""
    bends = in_the_object(statement=b"\xa1\x61x\x99\x02\x58" + bytes(600))
    inner = with_extensions(b"\xa1\x61x\x99\x01\x90" + bytes(400))
    with pytest.raises(RegistrationRejected, match="authenticatorData was malformed: more than 1000 items"):
        register(browser(), **bends, **inner)


def test_size_has_a_limit_of_its_own() -> None:
    """64 KiB of authenticator data or attestation object are the limit, however long a body may be."""
    with pytest.raises(RegistrationRejected, match="attestationObject was malformed: more than 65536 bytes"):
        register(browser(), **in_the_object(statement=b"\xa1\x61x\x5a\x00\x01\x00\x00" + bytes(65_536)))
    with pytest.raises(ResponseRejected, match="authenticatorData was malformed: more than 65536 bytes"):
        AuthenticatorData.read(bytes(65_537))


@pytest.mark.parametrize("flags", range(256))
def test_flags_are_read_bit_by_bit(flags: int) -> None:
    """Each flag is its own bit (section 6.1), reserved bits mean nothing, and the counter is big-endian."""
    rest = (bytes(16) + b"\x00\x01x\xa0" if flags & 0x40 else b"") + (b"\xa0" if flags & 0x80 else b"")
    data = AuthenticatorData.read(bytes(32) + bytes([flags]) + b"\x01\x02\x03\x04" + rest)
    seen = (data.user_present, data.user_verified, data.backup_eligible, data.backup_state)
    assert seen == tuple(bool(flags & bit) for bit in (1, 4, 8, 16))
    assert (data.sign_count, data.credential_id) == (0x01020304, b"x" if flags & 0x40 else b"")


def test_reasons_are_short() -> None:
    """A refusal says what was wrong in one line, with nothing of the stranger's in it."""
    with pytest.raises(RegistrationRejected) as refusal:
        register(browser(), **in_the_object(more=b"\xd8\x1c" + b"\n" * 900))
    assert re.fullmatch("attestationObject was malformed: a tag", refusal.value.reason)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_bare_data_say_what_they_say(rp_id_hash: bytes, flags: int, count: int) -> None:
    """Authenticator data without key and outputs are read as by the library; flags that tell of more are refused."""
    data = rp_id_hash + bytes([flags]) + count.to_bytes(4, "big")
    if flags & 0xC0:
        with pytest.raises(ResponseRejected, match="ends too early|is no map"):
            AuthenticatorData.read(data)
        return
    found, expected = AuthenticatorData.read(data), parse_authenticator_data(data)
    assert found == AuthenticatorData(flags=flags, sign_count=expected.sign_count)
    assert (found.user_present, found.user_verified, found.backup_eligible, found.backup_state) == (
        expected.flags.up,
        expected.flags.uv,
        expected.flags.be,
        expected.flags.bs,
    )
