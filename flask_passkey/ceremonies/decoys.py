"""Credentials that do not exist, for names that have none: so that an answer does not tell who has an account.

`W3C WebAuthn Level 3, section 14.6.2 <https://www.w3.org/TR/webauthn-3/#sctn-username-enumeration>`_. They are
made from the name with the app's secret, so that a name gets the same ones every time and nobody else can tell. Their
IDs end in a code that only we can make, by which we know them again.
"""

from __future__ import annotations

import hashlib
import hmac
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, TypeVar

from ..encoding import base64url_encode

T = TypeVar("T")

# How many passkeys people have, and what common ones look like: length of the ID in bytes, transports in the
# order browsers report them. The first number of each row is its weight.
_COUNTS = ((75, 1), (18, 2), (7, 3))
_SHAPES = (
    (40, (20, ("hybrid", "internal"))),
    (30, (16, ("hybrid", "internal"))),
    (15, (32, ("internal",))),
    (10, (48, ("nfc", "usb"))),
    (3, (64, ("usb",))),
    (2, (64, ())),
)
# Bytes of the code at the end of an ID.
_CODE = 8


def decoys(user_name: str, *, secret: bytes) -> list[dict[str, Any]]:
    """Return the ``PublicKeyCredentialDescriptorJSON`` list of an account that does not exist.

    :param user_name: what all spellings of the name have in common.
    :param secret: known to the server only.
    """
    key = hmac.digest(secret, f"flask-passkey decoys\0{user_name}".encode(), "sha256")
    stream = hashlib.shake_256(key).digest(512)
    count = _pick(_COUNTS, stream[0])
    return [_decoy(stream[1 + 80 * number :], secret) for number in range(count)]


def is_decoy(credential_id: bytes, *, secret: bytes) -> bool:
    """Tell whether :func:`decoys` made this credential ID, with this secret."""
    head, code = credential_id[:-_CODE], credential_id[-_CODE:]
    return hmac.compare_digest(code, _code(head, secret))


def _decoy(stream: bytes, secret: bytes) -> dict[str, Any]:
    length, transports = _pick(_SHAPES, stream[0])
    head = stream[1 : 1 + length - _CODE]
    return {"type": "public-key", "id": base64url_encode(head + _code(head, secret)), "transports": list(transports)}


def _code(head: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, b"flask-passkey decoy\0" + head, "sha256")[:_CODE]


def _pick(rows: Sequence[tuple[int, T]], byte: int) -> T:
    """Choose a row by its weight; the weights add up to 100."""
    ends = list(accumulate(weight for weight, _ in rows))
    return rows[bisect_right(ends, byte * 100 // 256)][1]
