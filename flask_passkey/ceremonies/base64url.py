"""Base64url text without padding, the only form of bytes in JSON: `RFC 4648, section 5
<https://www.rfc-editor.org/rfc/rfc4648#section-5>`_."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64


def encode(data: bytes) -> str:
    """Return the unpadded base64url text of ``data``."""
    return b2a_base64(data, newline=False).translate(_TO_URL_SAFE, b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes behind unpadded base64url text, which must be the only text that means them.

    The standard decoder skips characters it does not know, so two different texts could name one credential.

    :raises ValueError: any other text.
    """
    try:
        data = a2b_base64(text.encode("ascii").translate(_TO_STANDARD) + b"=" * (-len(text) % 4))
    except ValueError as exc:
        raise ValueError("not base64url") from exc
    if encode(data) != text:
        raise ValueError("not unpadded base64url")
    return data


_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
