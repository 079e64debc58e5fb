"""Reading DER, one level at a time."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import tlv
from rehearsal import EXAMPLES

from flask_passkey.ceremonies.attestation.der import elements, only


def test_values_come_one_after_the_other() -> None:
    """Each value is told by its identifier and its content, numbers above 30 included."""
    data = bytes.fromhex("020105bf853e0302010004003081020500")
    assert list(elements(data)) == [
        (b"\x02", b"\x05"), (b"\xbf\x85\x3e", b"\x02\x01\x00"), (b"\x04", b""), (b"\x30", b"\x05\x00"),
    ]  # fmt: skip
    assert list(elements(b"")) == []


@pytest.mark.parametrize(
    "data",
    ["02", "0201", "020205", "0280", "028000", "02ff", "0281", "0282ff", "bf", "bf85", "bf853e", "0284ffffffff00"],
)
def test_what_is_cut_off_is_refused(data: str) -> None:
    """A value without its end, without a length or with an open one is no value."""
    with pytest.raises(ValueError):
        list(elements(bytes.fromhex(data)))


def test_only_is_one_value_of_one_kind() -> None:
    """A value is asked for by its kind, and nothing may stand beside it."""
    assert only(b"\x02\x01\x05", b"\x02") == b"\x05"
    for data in (b"", b"\x04\x01\x05", b"\x02\x01\x05\x02\x01\x05", b"\x02\x01\x05\x00"):
        with pytest.raises(ValueError):
            only(data, b"\x02")


@EXAMPLES
@given(st.lists(st.tuples(st.sampled_from(["02", "30", "a1", "bf853e", "bf8458"]), st.binary(max_size=300))))
def test_what_is_written_is_read(values: list[tuple[str, bytes]]) -> None:
    """Values that were written are read again, whatever is in them."""
    written = b"".join(tlv(identifier, content) for identifier, content in values)
    assert list(elements(written)) == [(bytes.fromhex(identifier), content) for identifier, content in values]


@EXAMPLES
@given(st.binary(max_size=60))
def test_any_bytes_end_well(data: bytes) -> None:
    """Any bytes are values, or a ``ValueError``."""
    with suppress(ValueError):
        list(elements(data))
