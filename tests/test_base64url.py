"""Base64url: one text for one value."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal import EXAMPLES

from flask_passkey.ceremonies import base64url

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@EXAMPLES
@given(st.binary())
def test_what_was_encoded_can_be_decoded(data: bytes) -> None:
    """Any bytes come back, and their text needs no escaping in a URL or in JSON."""
    text = base64url.encode(data)
    assert set(text) <= set(ALPHABET)
    assert base64url.decode(text) == data


@EXAMPLES
@given(st.text(st.sampled_from(ALPHABET + "+/= \n\x00é"), max_size=12) | st.text())
def test_only_one_text_means_a_value(text: str) -> None:
    """Any text is refused, or is the very text that its bytes are encoded as."""
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "QQ==", "QQ=", "QR", "QUJ", "Q Q", "QQ\n", "Q+", "/w", "é", "\x00", "=", "\ud800"]
)
def test_other_text_is_refused(text: str) -> None:
    """Padding, stray bits, other alphabets, white space and impossible lengths are refused."""
    with pytest.raises(ValueError, match="base64url"):
        base64url.decode(text)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff\xfe", b"\xfb\xff\xbf", bytes(range(256))])
def test_encoding_is_the_standard_one(data: bytes) -> None:
    """The text is that of Python's own encoder without the padding."""
    assert base64url.encode(data) == base64.urlsafe_b64encode(data).decode().rstrip("=")
