"""Credentials that do not exist, for names that have none: so that an answer does not tell who has an account.

`W3C WebAuthn Level 3, section 14.6.2 <https://www.w3.org/TR/webauthn-3/#sctn-username-enumeration>`_. They are
made from the name with the app's secret, so that a name gets the same ones every time and nobody else can tell.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Sequence
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
    (5, (64, ("usb",))),
)


def decoys(user_name: str, *, secret: bytes) -> list[dict[str, Any]]:
    """Return the ``PublicKeyCredentialDescriptorJSON`` list of an account that does not exist.

    :param user_name: as typed; case and compatible characters make no difference.
    :param secret: known to the server only.
    """
    name = unicodedata.normalize("NFKC", user_name).casefold()
    stream = hashlib.shake_256(hmac.digest(secret, f"flask-passkey decoys\0{name}".encode(), "sha256")).digest(512)
    count = _pick(_COUNTS, stream[0])
    return [_decoy(stream[1 + 80 * number :]) for number in range(count)]


def _decoy(stream: bytes) -> dict[str, Any]:
    length, transports = _pick(_SHAPES, stream[0])
    return {"type": "public-key", "id": base64url_encode(stream[1 : 1 + length]), "transports": list(transports)}


def _pick(rows: Sequence[tuple[int, T]], byte: int) -> T:
    """Choose a row by its weight; the weights add up to 100."""
    left = byte * 100 // 256
    for weight, value in rows:
        left -= weight
        if left < 0:
            return value
    raise AssertionError("the weights add up to 100")
