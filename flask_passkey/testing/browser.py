"""The browser's part: what it refuses before it asks any authenticator.

Error names are those of the DOM exceptions in `W3C WebAuthn Level 3, sections 5.1.3 and 5.1.4
<https://www.w3.org/TR/webauthn-3/#sctn-createCredential>`_.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from .encoding import b64url_decode


class BrowserError(Exception):
    """Base of all refusals by browser and authenticator. Never raised itself."""


class NotAllowedError(BrowserError):
    """Cancelled, no fitting credential, no user verification, no common algorithm; browsers do not tell which."""


class InvalidStateError(BrowserError):
    """The authenticator already holds a credential of ``excludeCredentials``."""


class NotSupportedError(BrowserError):
    """An extension was asked for something that it does not do in this ceremony."""


class SecurityError(BrowserError):
    """The RP ID does not belong to the page's origin."""


class EncodingError(BrowserError):
    """Text in the options is not unpadded base64url."""


def public_key_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options without the ``publicKey`` member around them, if there is one.

    :raises TypeError: a null anywhere: browsers read ``null`` as the text "null", as 0, or not at all.
    """
    inner = options.get("publicKey", options)
    if not isinstance(inner, Mapping):
        raise TypeError("publicKey must be an object")
    _refuse_null(inner, "publicKey")
    return inner


def _refuse_null(value: object, path: str) -> None:
    if value is None:
        raise TypeError(f"{path} is null; leave the member out instead")
    if isinstance(value, Mapping):
        for name, member in value.items():
            _refuse_null(member, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _refuse_null(item, f"{path}[{index}]")


def required(options: Mapping[str, Any], name: str) -> Any:
    """Return a required member.

    :raises TypeError: it is missing.
    """
    if name not in options:
        raise TypeError(f"required member {name} is missing from the options")
    return options[name]


def decode(options: Mapping[str, Any], name: str) -> bytes:
    """Return the bytes of a required base64url member.

    :raises EncodingError: it is padded or not base64url.
    :raises TypeError: it is missing or not text.
    """
    text = required(options, name)
    if not isinstance(text, str):
        raise TypeError(f"{name} must be base64url text")
    try:
        return b64url_decode(text)
    except ValueError as exc:
        raise EncodingError(f"{name} is {exc}") from exc


def user_handle(user: Mapping[str, Any]) -> bytes:
    """Return the user handle of the ``user`` member.

    :raises TypeError: it is not 1 to 64 bytes long.
    """
    handle = decode(user, "id")
    if not 1 <= len(handle) <= 64:
        raise TypeError(f"user.id has {len(handle)} bytes; it must have 1 to 64")
    return handle


def descriptor_ids(descriptors: Iterable[Mapping[str, Any]]) -> set[bytes]:
    """Return the credential IDs of ``allowCredentials`` or ``excludeCredentials``; other types are ignored."""
    return {decode(item, "id") for item in descriptors if required(item, "type") == "public-key"}


def effective_rp_id(rp_id: str | None, *, origin: str, related_origins: Iterable[str] = ()) -> str:
    """Return the RP ID of a ceremony: that of the options, or else the origin's host.

    The host must be the RP ID or lie below it, or the origin must be a related one (section 5.11).

    :param rp_id: from the options.
    :param origin: of the page, with scheme and port.
    :param related_origins: the list in the relying party's ``/.well-known/webauthn``.
    :raises SecurityError: the origin may not use this RP ID.
    """
    host = _host(origin)
    if rp_id is None or rp_id == host:
        return host
    # Without a public suffix list every name without a dot counts as a suffix, "com" and "localhost" alike.
    if ("." in rp_id and host.endswith("." + rp_id)) or origin in related_origins:
        return rp_id
    raise SecurityError(f"the RP ID {rp_id!r} is neither {host!r} nor a registrable parent of it")


def _host(origin: str) -> str:
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if parts.scheme != "https" and host != "localhost" and not host.endswith(".localhost"):
        raise SecurityError(f"{origin!r} is no secure context: passkeys need https, or localhost")
    if _is_ip_address(host):
        raise SecurityError(f"{origin!r} is an IP address, which can be no RP ID; use a name such as localhost")
    return host


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
