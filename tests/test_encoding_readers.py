"""Two readers of JSON, a fast one and a strict one: nobody can tell which of them has read a text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_passkey.encoding import parse_json, read_json
from flask_passkey.errors import MalformedRequest

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def as_browsers_write(value: object) -> bytes:
    """Return JSON without spaces or needless escapes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@settings(deadline=None)
@given(JSON, st.booleans())
def test_both_readers_find_the_same(value: object, spaces: bool) -> None:
    """A text means the same, to the type of each number, with spaces or without."""
    text = json.dumps(value).encode() if spaces else as_browsers_write(value)
    for found in (parse_json(text), read_json(text, strict=False)):
        assert repr(found) == repr(json.loads(text))


@settings(deadline=None)
@given(st.dictionaries(TEXT, JSON, min_size=1, max_size=4), JSON)
def test_a_member_twice_is_refused_without_spaces_too(members: dict[str, object], other: object) -> None:
    """A member twice is refused as browsers would write it; to a lenient reader the last one counts."""
    name = next(iter(members))
    text = as_browsers_write(members)[:-1] + b"," + as_browsers_write({name: other})[1:]
    with pytest.raises(MalformedRequest, match="twice"):
        parse_json(text)
    assert repr(read_json(text, strict=False)) == repr(members | {name: other})


@pytest.mark.parametrize("text", [b'{"a":NaN}', b'{"a":1e999}', b'"\\ud800"', b"\xff", b'{"a":1}x', b"[1,]", b""])
def test_what_the_fast_reader_leaves_is_refused_by_the_other(text: bytes) -> None:
    """What is no strict JSON is refused, whichever reader finds out."""
    with pytest.raises(MalformedRequest):
        parse_json(text)
