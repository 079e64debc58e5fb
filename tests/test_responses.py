"""Responses as strangers write them: whatever they hold, they are refused, or mean what they meant."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal import (
    ADA,
    CONFIG,
    EXAMPLES,
    assess_registration,
    begin_registration,
    browser,
    configured,
    finish_registration,
    finish_sign_in,
    register,
    step_up,
)

from flask_passkey.ceremonies import authentication
from flask_passkey.ceremonies.responses import AuthenticatorResponse, check_client_data, quoted
from flask_passkey.errors import MalformedRequest, Refusal, ResponseRejected
from flask_passkey.testing import b64url_decode, b64url_encode

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["public-key", "", "AA", "="]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)


def places(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every member, the members of members included."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*path, name)
            yield from places(item, (*path, name))


@st.composite
def mutants(draw: st.DrawFn, original: dict[str, Any]) -> Any:
    """Draw a response with one to three members dropped, replaced, edited or with one bit flipped."""
    response = copy.deepcopy(original)
    for path in draw(st.lists(st.sampled_from(sorted(places(original))), min_size=1, max_size=3)):
        act = draw(st.sampled_from([drop, replace, edit, flip]))
        act(draw, *parent(response, path))
    return response


def parent(response: dict[str, Any], path: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    """Return the object a member stands in, or should have stood in before an earlier change."""
    for name in path[:-1]:
        response = response[name] if isinstance(response.get(name), dict) else {}
    return response, path[-1]


def drop(draw: st.DrawFn, members: dict[str, Any], name: str) -> None:
    """Leave a member out."""
    members.pop(name, None)


def replace(draw: st.DrawFn, members: dict[str, Any], name: str) -> None:
    """Put any JSON in its place."""
    members[name] = draw(VALUES)


def edit(draw: st.DrawFn, members: dict[str, Any], name: str) -> None:
    """Drop, double, exchange or append a character of its text."""
    text = members.get(name)
    if not isinstance(text, str) or not text:
        return
    at, other = draw(st.integers(0, len(text) - 1)), draw(st.sampled_from("AZaz09-_=+/ \0é"))
    changes = (text[:at], text[: at + 1] + text[at], text[:at] + other, None)
    change = draw(st.sampled_from(changes))
    members[name] = text + other if change is None else change + text[at + 1 :]


def flip(draw: st.DrawFn, members: dict[str, Any], name: str) -> None:
    """Flip one bit of the bytes behind its base64url text."""
    text = members.get(name)
    if not isinstance(text, str) or name in ("type", "authenticatorAttachment"):
        return
    try:
        data = bytearray(b64url_decode(text))
    except ValueError:
        return
    if data:
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
        members[name] = b64url_encode(bytes(data))


AUTHENTICATOR = browser(algorithm=-8)
RECORD = register(AUTHENTICATOR)
SIGN_IN_OPTIONS, SIGN_IN = authentication.begin(config=CONFIG)
ASSERTION = AUTHENTICATOR.get(SIGN_IN_OPTIONS)
SIGNED_IN = finish_sign_in(SIGN_IN, ASSERTION, RECORD)
REGISTRATION_OPTIONS, REGISTRATION = begin_registration()
# With self attestation everything that counts is signed, so that any change of it must be refused.
ATTESTED = browser(algorithm=-8, attestation="packed").create(REGISTRATION_OPTIONS | {"attestation": "direct"})
ASKED = configured(attestation="direct")
REGISTERED = finish_registration(REGISTRATION, ATTESTED, config=ASKED)
# Without attestation the authenticator data may say what they like, as long as they say it consistently.
UNATTESTED = browser(algorithm=-8).create(REGISTRATION_OPTIONS)


@EXAMPLES
@given(mutants(ASSERTION))
def test_mutated_sign_in_is_refused_or_the_same(response: Any) -> None:
    """A sign-in changed anywhere is refused, or the change was beside the point and the outcome is the same."""
    try:
        outcome = finish_sign_in(SIGN_IN, response, RECORD)
    except Refusal as refusal:
        assert isinstance(refusal, ResponseRejected)
    else:
        assert signed_of(outcome) == signed_of(SIGNED_IN)


def signed_of(outcome: authentication.Authenticated) -> tuple[Any, ...]:
    """Return what a sign-in tells but for the attachment, which the client says and nobody signs."""
    person = outcome.person
    told = person.user_verified, person.backed_up, person.amr
    return outcome.record, outcome.counter_must_grow, outcome.events, outcome.extensions, told


@EXAMPLES
@given(mutants(ATTESTED))
def test_mutated_registration_is_refused_or_the_same(response: Any) -> None:
    """A signed registration changed anywhere is refused, told as one that does not verify, or gives the same record."""
    try:
        registered = assess_registration(REGISTRATION, response, config=ASKED)
    except Refusal as refusal:
        assert isinstance(refusal, ResponseRejected)
        return
    if registered.attestation_verified:
        record = registered.record
        assert (record.id, record.public_key, record.sign_count) == (
            REGISTERED.id,
            REGISTERED.public_key,
            REGISTERED.sign_count,
        )
        assert (record.backup_eligible, record.backup_state, record.uv_initialized) == (True, True, True)
        assert (record.aaguid, record.user_id, record.user_handle) == (REGISTERED.aaguid, ADA, REGISTERED.user_handle)


@EXAMPLES
@given(mutants(UNATTESTED))
def test_mutated_unsigned_registration_is_refused_or_consistent(response: Any) -> None:
    """A registration that is not signed is refused, or gives a record of a usable key under the ID it names."""
    try:
        record = finish_registration(REGISTRATION, response)
    except Refusal as refusal:
        assert isinstance(refusal, ResponseRejected)
    else:
        assert record.id == b64url_decode(response["id"]) == b64url_decode(response["rawId"])
        assert (record.algorithm, record.uv_initialized) == (-8, True)
        assert record.backup_eligible or not record.backup_state


@EXAMPLES
@given(VALUES)
def test_any_json_is_refused(value: Any) -> None:
    """Any JSON at all in place of a response is refused as such or as malformed, nothing else."""
    for finish in (
        lambda: finish_sign_in(SIGN_IN, value, RECORD),
        lambda: finish_registration(REGISTRATION, value),
        lambda: finish_sign_in(SIGN_IN, {**ASSERTION, "response": value}, RECORD),
        lambda: finish_registration(REGISTRATION, {**UNATTESTED, "response": value}),
    ):
        with pytest.raises((MalformedRequest, ResponseRejected)):
            finish()


@EXAMPLES
@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    """Any text in place of a response is refused as malformed, lone surrogates included."""
    with pytest.raises(MalformedRequest):
        AuthenticatorResponse.read(text)


@EXAMPLES
@given(st.binary(max_size=400), st.sampled_from(["authenticatorData", "signature", "clientDataJSON", "userHandle"]))
def test_any_bytes_are_refused(data: bytes, member: str) -> None:
    """Any other bytes in place of a member of a sign-in are refused."""
    members = {**ASSERTION["response"], member: b64url_encode(data)}
    if members != ASSERTION["response"]:
        with pytest.raises(ResponseRejected):
            finish_sign_in(SIGN_IN, {**ASSERTION, "response": members}, RECORD)


@EXAMPLES
@given(st.binary(max_size=400), st.integers(0, 300))
def test_any_attestation_object_is_refused(data: bytes, keep: int) -> None:
    """An attestation object that goes on with any other bytes is refused."""
    start = b64url_decode(UNATTESTED["response"]["attestationObject"])
    if data and not start[keep:].startswith(data):
        members = {**UNATTESTED["response"], "attestationObject": b64url_encode(start[:keep] + data)}
        try:
            record = finish_registration(REGISTRATION, {**UNATTESTED, "response": members})
        except ResponseRejected:
            return
        assert record.id == b64url_decode(UNATTESTED["id"])


def test_padded_text_does_not_name_a_credential_twice() -> None:
    """Texts that a lenient decoder takes for the allowed credential's ID are refused."""
    authenticator = browser()
    record = register(authenticator)
    text = b64url_encode(record.id)
    for other in (f"{text}=", f"{text}\n", f" {text}", f"{text[:-1]}{chr(ord(text[-1]) + 1)}", text.swapcase()):
        with pytest.raises(ResponseRejected):
            step_up(authenticator, [record], record, after=lambda r, other=other: r.update(id=other, rawId=other))


def nested(depth: int) -> list[Any]:
    """Return a list in a list in a list."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("member", ["id", "rawId", "type"])
def test_deep_members_are_refused(member: str) -> None:
    """Deeply nested members are refused without being compared, which would end in a RecursionError."""
    deep = {**ASSERTION, "id": nested(100_000), "rawId": nested(100_000)} if member == "id" else ASSERTION
    with pytest.raises(ResponseRejected):
        AuthenticatorResponse.read({**deep, member: nested(100_000)})


@pytest.mark.parametrize("member", ["type", "challenge", "origin", "crossOrigin", "topOrigin"])
def test_deep_client_data_are_refused(member: str) -> None:
    """Client data nested just as deep as can be parsed are refused like any other: they are not written out."""
    good = json.loads(b64url_decode(ASSERTION["response"]["clientDataJSON"]))
    for depth in (*range(900, 1_100), *range(1_100, 48_000, 700)):
        data = json.dumps({**good, member: "@"}).replace('"@"', "[" * depth + "]" * depth).encode()
        with pytest.raises(ResponseRejected):
            check_client_data(data, kind="webauthn.get", pending=SIGN_IN, config=CONFIG)


def test_client_data_are_compared_with_what_is_pending() -> None:
    """The same client data fit one ceremony and no other."""
    data = b64url_decode(ASSERTION["response"]["clientDataJSON"])
    check_client_data(data, kind="webauthn.get", pending=SIGN_IN, config=CONFIG)
    _, other = authentication.begin(config=CONFIG)
    with pytest.raises(ResponseRejected):
        check_client_data(data, kind="webauthn.get", pending=other, config=CONFIG)


@EXAMPLES
@given(st.text() | st.builds(ValueError, st.text()))
def test_quotes_are_one_short_line(value: object) -> None:
    """What a stranger wrote is quoted as one short line that a log can hold."""
    text = quoted(value)
    assert text.isprintable() and len(text) < 2_100
    text.encode("utf-8")
