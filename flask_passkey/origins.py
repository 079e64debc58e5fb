"""RP IDs and origins: what they may look like, and the sentence that says what to write instead.

`W3C WebAuthn Level 3, section 5.1.2 <https://www.w3.org/TR/webauthn-3/#rp-id>`_ and
`section 13.4.9 <https://www.w3.org/TR/webauthn-3/#sctn-validating-origin>`_.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from .errors import ConfigurationError

log = logging.getLogger(__name__)

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_ANDROID = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")


def texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Sequence):
        raise ConfigurationError(f"{value!r} is not a list of origins: PASSKEY_ORIGINS = ['https://example.com']")
    return tuple(str(item).strip() for item in value if str(item).strip())


def check_rp_id(value: object) -> str:
    """Check an RP ID and return it."""
    text = str(value or "")
    if not text:
        raise ConfigurationError(
            "PASSKEY_RP_ID is not set: the domain your passkeys belong to. Write PASSKEY_RP_ID = 'example.com' "
            "(on your own machine: PASSKEY_RP_ID = 'localhost')."
        )
    if "/" in text or "//" in text:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or "example.com"
        raise ConfigurationError(f"PASSKEY_RP_ID is a URL: {text!r}. Write only the domain: PASSKEY_RP_ID = {host!r}")
    if _is_ip(text):
        log.warning(
            "PASSKEY_RP_ID is the IP address %s: no browser creates or uses a passkey for an IP address. "
            "Write PASSKEY_RP_ID = 'localhost' and open http://localhost:5000 instead.", text,
        )
        return text
    if ":" in text:
        host = text.partition(":")[0].lower()
        raise ConfigurationError(f"PASSKEY_RP_ID has a port: {text!r}. Write PASSKEY_RP_ID = {host!r}")
    if text != text.lower():
        raise ConfigurationError(f"PASSKEY_RP_ID has upper case: {text!r}. Write PASSKEY_RP_ID = {text.lower()!r}")
    if not all(_LABEL.fullmatch(label) for label in text.split(".")) or len(text) > 253:
        raise ConfigurationError(
            f"PASSKEY_RP_ID is not a domain name: {text!r}. Write PASSKEY_RP_ID = {_to_ascii(text)!r}"
        )
    return text


def _to_ascii(text: str) -> str:
    """Guess the domain that was meant, for a message."""
    try:
        guess = text.strip(".").encode("idna").decode()
    except UnicodeError:
        return "example.com"
    return guess if all(_LABEL.fullmatch(label) for label in guess.split(".")) else "example.com"


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def default_origins(rp_id: str) -> tuple[str, ...]:
    if _is_local(rp_id):
        return (f"http://{rp_id}", f"http://{rp_id}:5000")
    return (f"https://{rp_id}",)


def _is_local(host: str) -> bool:
    """Does http to this host stay on the machine, so that browsers trust it?"""
    if _is_ip(host):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def check_origins(texts: Sequence[str], rp_id: str) -> tuple[str, ...]:
    origins = tuple(check_origin(text, "PASSKEY_ORIGINS") for text in texts)
    for origin in origins:
        host = urlsplit(origin).hostname or ""
        if not origin.startswith("android:") and host != rp_id.strip("[]") and not host.endswith(f".{rp_id}"):
            raise ConfigurationError(
                f"PASSKEY_ORIGINS has {origin!r}, which is not {rp_id!r} or below it. Write PASSKEY_ORIGINS = "
                f"['https://{rp_id}'], or move it to PASSKEY_RELATED_ORIGINS."
            )
    return origins


def check_origin(text: str, key: str) -> str:
    """Check an origin and return it as browsers write it."""
    if _ANDROID.fullmatch(text):
        return text
    parts = urlsplit(text)
    good = f"{parts.scheme or 'https'}://{parts.netloc or 'example.com'}".lower()
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{key} has {text!r}, which is not an origin. Write {key} = ['https://example.com']")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(f"{key} has {text!r}: an origin has no path. Write {key} = [{good!r}]")
    if parts.scheme.lower() == "http" and not _is_local(parts.hostname):
        raise ConfigurationError(
            f"{key} has {text!r}: browsers allow passkeys on plain http only at localhost. Write {key} = "
            f"['https://{parts.hostname}']"
        )
    return _canonical(parts.scheme.lower(), parts.hostname, _port(parts.netloc, key, text))


def _port(netloc: str, key: str, text: str) -> int | None:
    try:
        return urlsplit(f"//{netloc}").port
    except ValueError:
        raise ConfigurationError(f"{key} has {text!r}, whose port is not a number below 65536.") from None


def _canonical(scheme: str, host: str, port: int | None) -> str:
    host = f"[{host}]" if ":" in host else host.encode("idna").decode()
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host}" + (f":{port}" if port not in (None, default) else "")


def check_related(origins: Sequence[str]) -> None:
    """Count labels as browsers do, without a public suffix list: the last label but one is close enough to warn."""
    labels = {(urlsplit(origin).hostname or "").rsplit(".", 1)[0].rpartition(".")[2] for origin in origins}
    if len(labels) > 5:
        raise ConfigurationError(
            f"PASSKEY_RELATED_ORIGINS has {len(labels)} different domain names ({', '.join(sorted(labels))}); "
            "browsers look at the first five."
        )
