"""Base64url text and strict JSON: the only forms of bytes and values on the wire.

Base64url is that of `RFC 4648, section 5 <https://www.rfc-editor.org/rfc/rfc4648#section-5>`_, without padding. JSON
is parsed strictly, so that two readers cannot understand it differently.
"""

from __future__ import annotations

import json
import math
from binascii import a2b_base64, b2a_base64
from typing import Any, NoReturn

import msgspec

from .errors import MalformedRequest

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def base64url_encode(data: bytes) -> str:
    """Return the unpadded base64url text of ``data``."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def base64url_decode(text: str) -> bytes:
    """Return the bytes of canonical, unpadded base64url text.

    The standard decoder skips unknown characters, so two different texts could name one credential.

    :raises ValueError: any other text.
    """
    try:
        encoded = text.encode("ascii")
        data = a2b_base64(encoded.translate(_FROM_URL) + b"=" * (-len(encoded) % 4))
    except ValueError as exc:
        raise ValueError("not base64url") from exc
    if b2a_base64(data, newline=False).translate(_TO_URL, b"=") != encoded:
        raise ValueError("not unpadded base64url")
    return data


#: A response with all its extension outputs has a few dozen.
MAX_BRACKETS = 256


def parse_json(data: bytes, *, field: str = "body") -> Any:
    """Parse JSON strictly: UTF-8, no member twice, no NaN, no text that cannot be stored.

    :param field: the name of what is parsed, for the error.
    :raises MalformedRequest: anything else.
    """
    try:
        refuse_deep(data)
        value = read_json(data, strict=True)
        if b"\\u" in data:  # the only way to write half of a surrogate pair
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except ValueError as exc:
        raise MalformedRequest(field, f"not strict JSON: {exc}") from exc
    return value


def read_json(data: bytes, *, strict: bool) -> Any:
    """Parse JSON, most of it by msgspec, which is several times as fast.

    What msgspec writes again as the same bytes, as it does with what browsers send, holds no member twice.

    :param strict: no member twice and no NaN; otherwise a later member wins, as in a browser.
    :raises ValueError: it is something else.
    """
    try:
        value = _read(data)
        if not strict or _write(value) == data:
            return value
    except (msgspec.MsgspecError, ValueError):
        pass  # the slow reader decides
    return _decode(data.decode()) if strict else json.loads(data.decode().removeprefix("\ufeff"))


def refuse_deep(data: bytes) -> None:
    """Refuse JSON that could be nested too deeply, before a parser runs out of stack.

    :raises ValueError: it has too many brackets.
    """
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        raise ValueError("too many brackets")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


# Made once: json.loads() with hooks would make a decoder for every text.
_read, _write = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
_decode = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite).decode
