"""JSON as it came from a stranger: parsed strictly, so that two readers cannot understand it differently."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from .errors import MalformedRequest

#: A response with all its extension outputs has some tens.
MAX_BRACKETS = 256


def parse_json(data: bytes, *, field: str = "body") -> Any:
    """Parse JSON strictly: UTF-8, no member twice, no NaN, no text that cannot be stored.

    :param field: named in the error.
    :raises MalformedRequest: anything else.
    """
    try:
        refuse_deep(data)
        value = _decode(data.decode("utf-8"))
        if b"\\u" in data:  # the only way to write half of a surrogate pair
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except ValueError as exc:
        raise MalformedRequest(field, f"not strict JSON: {exc}") from exc
    return value


def refuse_deep(data: bytes) -> None:
    """Refuse JSON that could be nested deeper than any of ours, before a parser runs out of stack on it.

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


# Made once: json.loads() with hooks makes a decoder for every text.
_decode = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite).decode
