"""Base64url: one text for one value. JSON from strangers: one meaning, or refused."""

from __future__ import annotations

import base64
import json
import sys
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rehearsal import EXAMPLES

from flask_passkey.encoding import base64url_decode, base64url_encode, parse_json
from flask_passkey.errors import MalformedRequest

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (b' {"a": [1, -2.5e3, true, false, null, "x"]}\n', {"a": [1, -2500.0, True, False, None, "x"]}),
        (b'"text"', "text"),
        (b"5", 5),
        (b"null", None),
        ('{"ü": "😀"}'.encode(), {"ü": "😀"}),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\u0000\\u00fc"', "\0ü"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'{"a": {"a": 1}, "b": {"a": 1}}', {"a": {"a": 1}, "b": {"a": 1}}),
        (b"1e308", 1e308),
    ],
)
def test_good_json(data: bytes, value: object) -> None:
    """What is JSON in UTF-8 means what it says."""
    assert parse_json(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"{} x",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"[1,]",
        b"{a: 1}",
        b"01",
        b"0x10",
        b"// comment\n{}",
        b'"a\nb"',
        b"\xff",
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        "{}".encode("utf-32"),
    ],
)
def test_what_is_no_json(data: bytes) -> None:
    """Other syntaxes and other encodings are refused, and nothing is guessed."""
    with pytest.raises(MalformedRequest):
        parse_json(data)


@pytest.mark.parametrize("data", [b'{"a": 1, "a": 1}', b'[{"x": {"a": 1, "b": 2, "a": 3}}]', b'{"a": 1, "\\u0061": 2}'])
def test_a_member_must_not_be_there_twice(data: bytes) -> None:
    """Two readers could take different ones, however the name is written and however deep."""
    with pytest.raises(MalformedRequest, match="twice"):
        parse_json(data)


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b'{"a": -Infinity}', b"1e309", b"[-1e999]", b"9" * 5000])
def test_numbers_that_are_none(data: bytes) -> None:
    """Numbers that JSON does not have, or that do not fit, are refused."""
    with pytest.raises(MalformedRequest):
        parse_json(data)


@pytest.mark.parametrize("data", [b'"\\ud800"', b'["\\udc00\\ud800"]', b'{"\\ud83d": 1}', b'{"a": {"b": ["\\ude00"]}}'])
def test_half_a_character_is_refused(data: bytes) -> None:
    """Half of a surrogate pair cannot be stored or logged, whether in a value or in a name."""
    with pytest.raises(MalformedRequest):
        parse_json(data)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_deep_json_is_refused(data: bytes) -> None:
    """However deep, it is a refusal and not a crash."""
    with pytest.raises(MalformedRequest):
        parse_json(data)


def test_depth_that_only_writing_back_would_reach() -> None:
    """JSON as deep as the parser just manages, with an escape in it, is read or refused, and is no crash."""
    for depth in range(sys.getrecursionlimit() // 2, sys.getrecursionlimit() * 2, 97):
        with suppress(MalformedRequest):
            parse_json(b"[" * depth + b'"\\u0061"' + b"]" * depth)


def test_the_error_names_the_field_and_not_the_value() -> None:
    """A client reads which field is malformed; what it sent is not repeated to it."""
    with pytest.raises(MalformedRequest) as caught:
        parse_json(b'{"password": "hunter2"', field="response")
    assert caught.value.message == "The request is malformed: response." and caught.value.field == "response"
    assert "hunter2" not in caught.value.reason
    with pytest.raises(MalformedRequest, match="not strict JSON") as caught:
        parse_json(b"")
    assert caught.value.field == "body"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)  # fmt: skip


@settings(deadline=None)
@given(JSON, st.booleans())
def test_whatever_is_json_is_read(value: object, ascii_only: bool) -> None:
    """Everything that can be written as JSON is read as it was, escaped or not."""
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    """No bytes raise anything but the refusal, and what is read can be written again."""
    try:
        value = parse_json(data)
    except MalformedRequest:
        return
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@EXAMPLES
@given(st.binary())
def test_what_was_encoded_can_be_decoded(data: bytes) -> None:
    """Any bytes come back, and their text needs no escaping in a URL or in JSON."""
    text = base64url_encode(data)
    assert set(text) <= set(ALPHABET)
    assert base64url_decode(text) == data


@EXAMPLES
@given(st.text(st.sampled_from(ALPHABET + "+/= \n\x00é"), max_size=12) | st.text())
def test_only_one_text_means_a_value(text: str) -> None:
    """Any text is refused, or is the very text that its bytes are encoded as."""
    try:
        data = base64url_decode(text)
    except ValueError:
        return
    assert base64url_encode(data) == text


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "QQ==", "QQ=", "QR", "QUJ", "Q Q", "QQ\n", "Q+", "/w", "é", "\x00", "=", "\ud800"]
)
def test_other_text_is_refused(text: str) -> None:
    """Padding, stray bits, other alphabets, white space and impossible lengths are refused."""
    with pytest.raises(ValueError, match="base64url"):
        base64url_decode(text)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff\xfe", b"\xfb\xff\xbf", bytes(range(256))])
def test_encoding_is_the_standard_one(data: bytes) -> None:
    """The text is that of Python's own encoder without the padding."""
    assert base64url_encode(data) == base64.urlsafe_b64encode(data).decode().rstrip("=")
