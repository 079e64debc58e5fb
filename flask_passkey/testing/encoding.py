"""The two encodings of WebAuthn: unpadded base64url and canonical CBOR.

Written from `RFC 4648, section 5 <https://www.rfc-editor.org/rfc/rfc4648#section-5>`_,
`RFC 8949 <https://www.rfc-editor.org/rfc/rfc8949>`_ and the `CTAP2 canonical CBOR encoding form
<https://fidoalliance.org/specs/fido-v2.2-ps-20250714/fido-client-to-authenticator-protocol-v2.2-ps-20250714.html#ctap2-canonical-cbor-encoding-form>`_,
and not shared with the server's side.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_SIMPLE = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}


def b64url_encode(data: bytes) -> str:
    """Return ``data`` as unpadded base64url text, as in WebAuthn's JSON."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """Return the bytes of unpadded base64url text.

    It is as strict as Chromium: padding, ``+``, ``/`` and white space are refused.

    :raises ValueError: any other text.
    """
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise ValueError(f"not unpadded base64url: {text!r}")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode_cbor(value: object) -> bytes:
    """Return ``value`` in the canonical CBOR form of CTAP2.

    :param value: ``int``, ``bytes``, ``str``, ``bool``, ``None``, and lists, tuples and mappings of them.
    :raises TypeError: there is anything else in it.
    """
    if value is None or isinstance(value, bool):
        return _SIMPLE[value]
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list | tuple):
        return _head(4, len(value)) + b"".join(map(encode_cbor, value))
    if isinstance(value, Mapping):
        return _head(5, len(value)) + b"".join(_canonical_pairs(value))
    raise TypeError(f"CBOR: {type(value).__name__} is not supported")


def _head(major_type: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major_type << 5 | argument])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * width:
            return bytes([major_type << 5 | info]) + argument.to_bytes(width, "big")
    raise OverflowError(f"CBOR: {argument} does not fit in 64 bits")


def _canonical_pairs(mapping: Mapping[object, object]) -> list[bytes]:
    """Return the encoded pairs in CTAP2's order of keys: by major type, then shorter ones first, then bytewise."""
    pairs = [(encode_cbor(key), encode_cbor(value)) for key, value in mapping.items()]
    pairs.sort(key=lambda pair: (pair[0][0] >> 5, len(pair[0]), pair[0]))
    return [key + value for key, value in pairs]
