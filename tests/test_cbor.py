"""CBOR of strangers: measured in one pass, refused where it could be more than it is, and read as cbor2 reads it."""

from __future__ import annotations

import io
import sys
from types import FrameType
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rehearsal import EXAMPLES

from flask_passkey.ceremonies.cbor import MAX_BYTES, MAX_ITEMS, MAX_LEVELS, Reader
from flask_passkey.errors import ResponseRejected
from flask_passkey.testing import encode_cbor

pytestmark = pytest.mark.proves("threats:cbor")

#: A value as whoever writes it likes: the first bytes of all that follow choose open lengths and long heads.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.integers(-9, 9) | st.text(max_size=3), inner),
    max_leaves=20,
)
WIDTHS = (0, 1, 2, 4, 8)
FEWER = settings(EXAMPLES, max_examples=150)


def loose(value: Any, draw: Any) -> bytes:
    """Write a value in any of the forms that CBOR has for it."""
    if isinstance(value, bytes | str):
        kind, data = (2, value) if isinstance(value, bytes) else (3, value.encode())
        if draw(st.booleans()):
            return head(kind, len(data), draw) + data
        parts = [value[:1], value[1:]]
        return b"".join([bytes([kind << 5 | 31]), *map(encode_cbor, parts), b"\xff"])
    if isinstance(value, list | dict):
        kind, parts = (4, value) if isinstance(value, list) else (5, [part for pair in value.items() for part in pair])
        inner = b"".join(loose(part, draw) for part in parts)
        if draw(st.booleans()):
            return head(kind, len(value), draw) + inner
        return bytes([kind << 5 | 31]) + inner + b"\xff"
    if isinstance(value, int) and not isinstance(value, bool):
        return head(0, value, draw) if value >= 0 else head(1, -1 - value, draw)
    return encode_cbor(value)


def head(kind: int, argument: int, draw: Any) -> bytes:
    """Write a head that is as long as it must be, or longer."""
    least = 0 if argument < 24 else (argument.bit_length() + 7) // 8
    width = draw(st.sampled_from([width for width in WIDTHS if width >= least]))
    info = argument if width == 0 else 23 + WIDTHS.index(width)
    return bytes([kind << 5 | info]) + (argument.to_bytes(width, "big") if width else b"")


def measure(item: bytes, *, after: bytes = b"") -> bytes:
    """Measure an item by itself, as the only value of a map."""
    return Reader("it", b"\xa1\x00" + item + after).map("it")[2:]


def refusal(item: bytes) -> str:
    """Return why an item is refused."""
    with pytest.raises(ResponseRejected) as refused:
        measure(item)
    return refused.value.reason


def end_to_cbor2(data: bytes) -> int:
    """Return how many bytes the first item takes."""
    stream = io.BytesIO(data)
    cbor2.CBORDecoder(stream, read_size=1).decode()
    return stream.tell()


@FEWER
@given(VALUES, st.data(), st.binary(max_size=5))
def test_whatever_its_form_an_item_ends_where_it_ends(value: Any, data: st.DataObject, after: bytes) -> None:
    """Open lengths, strings in parts, long heads and any order of keys are measured as cbor2 reads them."""
    written = loose(value, data.draw)
    assert cbor2.loads(written) == value
    assert measure(written, after=after) == written


@FEWER
@given(VALUES, st.data())
def test_any_bytes_are_measured_or_refused(value: Any, data: st.DataObject) -> None:
    """Whatever the bytes, the pass raises its own refusal only, and what it lets pass is to cbor2 one item."""
    bent = bytearray(loose(value, data.draw))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(bent)))
        bent[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=4))
    try:
        measured = measure(bytes(bent))
    except ResponseRejected as refused:
        if "tag" not in refused.reason and "more than" not in refused.reason:
            with pytest.raises(cbor2.CBORDecodeError):
                cbor2.loads(bytes(bent))
    else:
        assert end_to_cbor2(bytes(bent)) == len(measured)


@pytest.mark.parametrize("tag", range(64))
def test_every_tag_is_refused(tag: int) -> None:
    """No tag passes, whatever it means, wherever it stands and however it is written."""
    written = (b"\xd8" + bytes([tag])) if tag > 23 else bytes([0xC0 | tag])
    for item in (written + b"\x80", b"\x81" + written + b"\x00", b"\xbf\x00" + written + b"\x00\xff"):
        assert refusal(item).endswith("a tag")
    for width, info in ((2, 0xD9), (4, 0xDA), (8, 0xDB)):
        assert refusal(bytes([info]) + tag.to_bytes(width, "big") + b"\x00").endswith("a tag")


@pytest.mark.parametrize("opening", [b"\x81", b"\x9f", b"\x98\x01", b"\xa1\x00", b"\xbf\x00", b"\xa1"])
def test_levels_have_a_limit(opening: bytes) -> None:
    """16 levels pass, of lists and maps, of known and open length, in keys and values; a level more is refused."""
    closing = b"\xff" if opening[0] & 31 == 31 else b"\x00" if opening == b"\xa1" else b""
    inside = MAX_LEVELS - 1  # the map around it is one
    good = opening * inside + b"\x00" + closing * inside
    assert measure(good) == good
    assert "more than 16 levels" in refusal(opening * (inside + 1) + b"\x00" + closing * (inside + 1))
    assert "more than 16 levels" in refusal(opening * 20_000)


@pytest.mark.parametrize("opening", [b"\x9f", b"\x99\x03\xe5"])
def test_items_have_a_limit(opening: bytes) -> None:
    """1,000 items pass, those around the values included; one more is refused."""
    count, closing = MAX_ITEMS - 3, b"\xff" if opening == b"\x9f" else b""
    good = opening + b"\x00" * count + closing
    assert measure(good) == good
    assert "more than 1000 items" in refusal(b"\x9f" + b"\x00" * (count + 1) + b"\xff")
    assert "more than 1000 items" in refusal(b"\xba\x00\x0f\x42\x40" + b"\x00" * 60_000)


@pytest.mark.parametrize("part", [b"\x40", b"\x41x"])
def test_strings_in_many_parts_are_refused(part: bytes) -> None:
    """The parts of a string count as items, so that nobody has us put together a string of nothing."""
    assert "more than 1000 items" in refusal(b"\x5f" + part * 20_000 + b"\xff")


def test_bytes_have_a_limit() -> None:
    """64 KiB pass, whatever the app lets a body have; one byte more is refused before it is looked at."""
    good = b"\xa1\x00\x59\xff\xfb" + bytes(MAX_BYTES - 5)
    assert len(good) == MAX_BYTES and Reader("it", good).map("it") == good
    with pytest.raises(ResponseRejected, match="it was malformed: more than 65536 bytes"):
        Reader("it", bytes(MAX_BYTES + 1))


BROKEN = {
    "nothing": b"", "a break": b"\xff", "head without its length": b"\x19\x00", "reserved head": b"\x1c" + bytes(16),
    "open number": b"\x1f" + bytes(128), "open negative": b"\x3f" + bytes(128), "reserved string": b"\x5c" + bytes(99),
    "reserved list": b"\x9e" + bytes(99),
    "reserved simple": b"\xfc" + bytes(99), "simple value that is written too long": b"\xf8\x18",
    "float cut short": b"\xfb\x00",
    "bytes cut short": b"\x43\x00\x00", "bytes of 2 to the 63": b"\x5b\x7f" + b"\xff" * 7 + b"x",
    "list of 2 to the 63": b"\x9b\x7f" + b"\xff" * 7 + b"\x00", "map of 2 to the 64": b"\xbb" + b"\xff" * 8 + b"\x00",
    "list cut short": b"\x82\x00", "map without a value": b"\xa1\x00", "open list without an end": b"\x9f\x00",
    "open map without a value": b"\xbf\x00\xff", "open map without an end": b"\xbf\x00\x00",
    "break in a list": b"\x81\xff", "break in a map": b"\xa1\x00\xff",
    "string in a string": b"\x5f\x5f\x41\x00\xff\xff",
    "text in bytes": b"\x5f\x61x\xff", "bytes in a text": b"\x7f\x41x\xff", "number in bytes": b"\x5f\x00\xff",
    "open bytes without an end": b"\x5f\x41x", "text that is no UTF-8": b"\x62\xc3\x28",
    "half a surrogate": b"\x63\xed\xa0\x80",
    "a character in two parts": b"\x7f\x61\xc3\x61\xa9\xff",
    "parts of too many bytes": b"\x5f\x5a\xff\xff\xff\xffx\xff",
}  # fmt: skip


@pytest.mark.parametrize("item", BROKEN.values(), ids=BROKEN)
def test_what_is_no_cbor_is_refused(item: bytes) -> None:
    """What is not well-formed is refused, as it is by cbor2."""
    assert refusal(item).startswith("it was malformed: ")
    with pytest.raises(cbor2.CBORDecodeError):
        cbor2.loads(item)


@pytest.mark.parametrize(
    "item", [b"\xf9\x00\x00", b"\xfa" + bytes(4), b"\xfb" + bytes(8), b"\xf8\x20", b"\xe0", b"\xf7"]
)
def test_floats_and_simple_values_pass(item: bytes) -> None:
    """Floats of all sizes and simple values are items as others are."""
    assert measure(item, after=b"\x00") == item


@pytest.mark.parametrize(
    "item", [b"", b"\x80", b"\x9f\xff", b"\x40", b"\x60", b"\x00", b"\xf6", b"\xd8\x1c\xa0", b"\xff"]
)
def test_only_a_map_is_a_map(item: bytes) -> None:
    """Where a map is wanted, nothing else will do."""
    with pytest.raises(ResponseRejected, match="it was malformed: this is no map"):
        Reader("it", item).map("this")


def test_a_pass_is_linear() -> None:
    """The longest and most entangled input takes some calls for each item, however many bytes it has."""
    worst = [
        b"\x9f" * 15 + b"\x40" * 60_000,
        (b"\x81" * 14 + b"\x00") * 4_000,
        b"\x5f" + b"\x40" * 60_000,
        b"\xbf" + b"\x80" * 60_000,
        b"\x9f" + b"\x59\x00\x40" + bytes(64) * 1_000,
        b"\x7a\x00\x00\xff\x00" + b"x" * 0xFF00,
    ]
    for item in worst:
        assert calls(item) < 16 * MAX_ITEMS


def calls(item: bytes) -> int:
    """Count the calls that measuring an item takes."""
    count = 0

    def see(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        measure(item)
    except ResponseRejected:
        pass
    finally:
        sys.setprofile(None)
    return count
