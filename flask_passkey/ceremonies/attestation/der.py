"""Values in DER, taken apart one level at a time: `X.690 <https://www.itu.int/rec/T-REC-X.690>`_, section 8.1."""

from __future__ import annotations

from collections.abc import Iterator

SEQUENCE, SET, INTEGER, OCTET_STRING, ENUMERATED = b"\x30", b"\x31", b"\x02", b"\x04", b"\x0a"


def elements(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the identifier and the content of each of the values that ``data`` is made of.

    The identifier is all its bytes, as a number above 30 takes more than one: ``bf853e`` is ``[702]``.

    :raises ValueError: the data are something else.
    """
    at = 0
    while at < len(data):
        content = _after_identifier(data, at)
        start, end = _content(data, content)
        if end > len(data):
            raise ValueError("a value in DER is cut off")
        yield data[at:content], data[start:end]
        at = end


def only(data: bytes, identifier: bytes) -> bytes:
    """Return the content of the one value that ``data`` is.

    :raises ValueError: it is another, several or none.
    """
    ((found, content),) = elements(data)
    if found != identifier:
        raise ValueError("a value in DER is of another type")
    return content


def _after_identifier(data: bytes, at: int) -> int:
    if data[at] & 0x1F == 0x1F:  # the number follows, seven bits a byte
        at += 1
        while at < len(data) and data[at] & 0x80:
            at += 1
    return at + 1


def _content(data: bytes, at: int) -> tuple[int, int]:
    """Return where a content begins and ends, from where its length stands."""
    length = int.from_bytes(data[at : at + 1], "big")
    start = at + 1
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[at + 1 : start], "big")
    if not at < start <= len(data) or data[at] in (0x80, 0xFF):
        raise ValueError("a value in DER has no length")
    return start, start + length
