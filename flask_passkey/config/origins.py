"""RP IDs and origins: which are valid, and the message that says what to write instead.

`W3C WebAuthn Level 3, section 5.1.2 <https://www.w3.org/TR/webauthn-3/#rp-id>`_ and
`section 13.4.9 <https://www.w3.org/TR/webauthn-3/#sctn-validating-origin>`_.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Sequence
from functools import cache
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..encoding import base64url_encode
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

log = logging.getLogger(__name__)

#: As many names browsers look at among related origins.
MOST_NAMES = 5
# Texts, not patterns: an app needs few of them, and what it does need is compiled once all the same.
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
# Browsers also open pages on hosts with these.
_HOST_LABEL = r"[a-z0-9_-]{1,63}"
_ANDROID = r"android:apk-key-hash:[A-Za-z0-9_-]{43}"
# Native apps and browser extensions have origins of other schemes, which may have dots. With only a number behind the
# colon it is a host and a port; there are no wildcards.
_OTHER_SCHEME = r"(?!(?i:https?):)[A-Za-z][A-Za-z0-9+.-]*:(?![0-9]+(?:/.*)?\Z)[!-)+-~]+"
_LOCALHOST = r"http://localhost(:[1-9][0-9]{0,4})?"
_FINGERPRINT = r"([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}"
# Python's IDNA replaces these characters and browsers keep them: the domain would be another one.
_DEVIATIONS = frozenset("\u00df\u03c2\u200c\u200d")


#: Gives the name of a setting, as it is written in the app's configuration.
NameOf = Callable[[str], str]
#: Says whether an origin, as browsers write it, is one of the app's: for tenants.
OriginTest = Callable[[str], bool]


def usual_name(setting: str) -> str:
    """Return the name of a setting of the whole app."""
    return f"PASSKEY_{setting.upper()}"


def name_for(rp_id: str) -> NameOf:
    """Return what gives the names of the settings of one more relying party."""
    return lambda setting: f"PASSKEY_RELYING_PARTIES[{rp_id!r}][{setting!r}]"


def check_rp_id(value: object, *, name: str = "PASSKEY_RP_ID", line: str = "PASSKEY_RP_ID = {!r}") -> str:
    """Check an RP ID and return it.

    :param name: what it is called in the error.
    :param line: the line to write, with a place for the RP ID.
    :raises ConfigurationError: it is missing, or is not a bare lower-case domain.
    """
    text = "" if value is None else str(value)
    if not text:
        raise ConfigurationError(
            "PASSKEY_RP_ID is not set: the domain your passkeys belong to. Write PASSKEY_RP_ID = 'example.com' "
            "(on your own machine: PASSKEY_RP_ID = 'localhost')."
        )
    if is_ip(text):
        log.warning(
            "%s is the IP address %s: no browser creates or uses a passkey for an IP address. "
            "Write %s and open http://localhost:5000 instead.",
            name,
            text,
            line.format("localhost"),
        )
    elif (problem := _problem(text)) is not None:
        raise ConfigurationError(f"{name} {problem}: {text!r}. Write {line.format(_meant(text))}")
    return text


def _problem(rp_id: str) -> str | None:
    if "/" in rp_id:
        return "is a URL, not only the domain"
    if ":" in rp_id:
        return "has a port"
    if rp_id != rp_id.lower():
        return "has upper case"
    if not _is_domain(rp_id):
        return "is not a domain name"
    if "." in rp_id and _suffixes().is_public(rp_id):
        return "is a public suffix, under which many have their sites, and no browser takes it"
    return None


def _is_domain(text: str, label: str = _LABEL) -> bool:
    labels = text.split(".")
    # Browsers take a name whose last label is a number for an IP address.
    return all(re.fullmatch(label, part) for part in labels) and not labels[-1].isdigit() and len(text) <= 253


@cache
def _suffixes() -> PublicSuffixList:
    """Return Mozilla's list of public suffixes, with those that companies registered, as browsers use it."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def _meant(text: str) -> str:
    """Guess the domain that was meant, for a message."""
    text = text.strip(" .")
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
        guess = host.encode("idna").decode()
    except ValueError:
        guess = ""
    if "." in guess and _is_domain(guess) and _suffixes().is_public(guess):
        return f"example.{guess}"
    return guess if _is_domain(guess) or is_ip(guess) else "example.com"


def is_ip(text: str) -> bool:
    """Tell whether a host is an IP address."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def is_local(host: str) -> bool:
    """Tell whether http to this host stays on the machine, so that browsers trust it."""
    if is_ip(host):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def is_localhost(origin: str) -> bool:
    """Tell whether an origin, as browsers write it, is http at localhost, at whatever port."""
    return re.fullmatch(_LOCALHOST, origin) is not None


def is_native(origin: str) -> bool:
    """Tell whether an origin is a native app's or a browser extension's."""
    return (re.fullmatch(_ANDROID, origin) or re.fullmatch(_OTHER_SCHEME, origin)) is not None


def default_origins(rp_id: str) -> tuple[str, ...]:
    """Return the origins that pages of an RP ID usually have."""
    host = f"[{rp_id.strip('[]')}]" if ":" in rp_id else rp_id
    return (f"http://{host}", f"http://{host}:5000") if is_local(rp_id) else (f"https://{host}",)


def read_origins(key: str, value: object) -> tuple[str, ...]:
    """Read origins and return them as browsers write them, each once.

    :param key: the setting's name, for the error.
    :param value: a list, or text with commas between the origins.
    :raises ConfigurationError: one of them is not an origin that can have passkeys.
    """
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple | set | frozenset) or not all(isinstance(item, str) for item in items):
        raise ConfigurationError(f"{key} is {value!r}, not a list of texts. Write {key} = ['https://example.com']")
    return tuple(dict.fromkeys(_origin(key, item.strip()) for item in items if item.strip()))


def read_own_origins(key: str, value: object) -> tuple[str | OriginTest, ...]:
    """Read origins of pages, among which there may be functions that say which others there are.

    :param key: the setting's name, for the error.
    :raises ConfigurationError: one of them is not an origin that can have passkeys.
    """
    items = [value] if callable(value) else value
    tests = [item for item in items if callable(item)] if isinstance(items, list | tuple) else []
    if any(map(iscoroutinefunction, tests)):
        raise ConfigurationError(f"{key} has a coroutine. Write a plain function: {key} = lambda origin: True or False")
    texts = [item for item in items if not callable(item)] if isinstance(items, list | tuple) else items
    return (*read_origins(key, texts), *tests)


def _origin(key: str, text: str) -> str:
    """Check an origin and return it as browsers write it."""
    if not text.startswith(("http:", "https:")) and _is_of_app(text):
        return text
    origin = _canonical(text)
    if origin is None:
        raise ConfigurationError(
            f"{key} has {text!r}, which is not an origin: scheme, host, and port if it is not the usual one. "
            f"Write {key} = ['https://example.com']"
        )
    parts = urlsplit(text)
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(f"{key} has {text!r}: an origin is without path. Write {key} = [{origin!r}]")
    if parts.scheme == "http" and not is_local(host_of(origin)):
        raise ConfigurationError(
            f"{key} has {text!r}: browsers allow passkeys on plain http only at localhost. "
            f"Write {key} = ['https://{host_of(origin)}']"
        )
    return origin


def _is_of_app(text: str) -> bool:
    """Tell whether an origin is a native app's or a browser extension's; an Android app's has a hash of full length."""
    if text.startswith("android:apk-key-hash:"):
        return re.fullmatch(_ANDROID, text) is not None
    return re.fullmatch(_OTHER_SCHEME, text) is not None


def _canonical(text: str) -> str | None:
    """Return an origin in lower case, with its host in ASCII and without the usual port."""
    try:
        parts = urlsplit(text)
        host, port = _ascii(parts.hostname or ""), parts.port
    except ValueError:
        return None
    usual = {"http": 80, "https": 443}
    if parts.scheme not in usual:
        return None
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual[parts.scheme]) else "")


def is_of_browsers(origin: str) -> bool:
    """Tell whether an origin of http or https is written as browsers write it."""
    return _canonical(origin) == origin


def _ascii(host: str) -> str:
    if is_ip(host):
        return f"[{host}]" if ":" in host else host
    ascii_host = host.encode("idna").decode()
    if not _is_domain(ascii_host, _HOST_LABEL) or _DEVIATIONS.intersection(host):
        raise ValueError("not a host, or not the one that browsers understand")
    return ascii_host


def is_fingerprint(text: str) -> bool:
    """Tell whether a text is the SHA-256 fingerprint of a certificate, as ``keytool`` writes it."""
    return re.fullmatch(_FINGERPRINT, text) is not None


def android_origin(fingerprint: str) -> str:
    """Return the origin of an Android app, for ``PASSKEY_ORIGINS``.

    :param fingerprint: SHA-256 of the app's signing certificate, as ``keytool`` and ``assetlinks.json`` have it: 32
        hexadecimal numbers with colons between them.
    :raises ValueError: it is not one.
    """
    if not is_fingerprint(fingerprint):
        raise ValueError(f"not the SHA-256 fingerprint of a certificate: {fingerprint!r}")
    return f"android:apk-key-hash:{base64url_encode(bytes.fromhex(fingerprint.replace(':', '')))}"


def host_of(origin: str) -> str:
    """Return the host of an origin, empty for one that is not of http or https, or has none that can be read."""
    try:
        return (urlsplit(origin).hostname or "") if origin.startswith(("http:", "https:")) else ""
    except ValueError:
        return ""


def is_page_below(origin: str, rp_id: str) -> bool:
    """Tell whether an origin, as browsers write it, can be of a page that uses the RP ID."""
    host = host_of(origin) if is_of_browsers(origin) else ""
    is_below = host == rp_id or host.endswith(f".{rp_id}")
    return bool(host) and is_below and (origin.startswith("https:") or is_local(host))


def check_below(origins: Sequence[str], rp_id: str, name_of: NameOf = usual_name) -> None:
    """Check that browsers let pages of these origins use the RP ID.

    :param name_of: gives the names of settings, in the error.
    :raises ConfigurationError: one is neither at the RP ID nor below it, or the RP ID is a top-level domain.
    """
    for origin in origins:
        host = host_of(origin)
        if not host or host == rp_id.strip("[]"):
            continue
        if not host.endswith(f".{rp_id}"):
            raise ConfigurationError(
                f"{name_of('origins')} has {origin!r}, which is not {rp_id!r} or below it. Write "
                f"{name_of('origins')} = {list(default_origins(rp_id))}, or move it to {name_of('related_origins')}."
            )
        if "." not in rp_id and rp_id != "localhost":
            raise ConfigurationError(
                f"PASSKEY_RP_ID is {rp_id!r}, a top-level domain, which browsers refuse to {origin!r}. "
                f"Write PASSKEY_RP_ID = {host!r}"
            )


def _name(host: str) -> str:
    registrable = _suffixes().privatesuffix(host) if "." in host and not is_ip(host) else None
    return (registrable or "").partition(".")[0]


def names_of(origins: Sequence[str]) -> list[str]:
    """Return the different names of some origins: the labels left of the public suffix.

    It is ``example`` of ``https://www.example.co.uk``.
    """
    return list(dict.fromkeys(name for origin in origins if (name := _name(host_of(origin)))))


def check_related(origins: Sequence[str], name_of: NameOf = usual_name) -> None:
    """Check that there are at most five different names, as many as browsers look at (section 5.11.1).

    :param name_of: gives the names of settings, in the error.
    :raises ConfigurationError: there are more.
    """
    names = names_of(origins)
    kept = [origin for origin in origins if _name(host_of(origin)) in ("", *names[:MOST_NAMES])]
    if len(kept) < len(origins):
        raise ConfigurationError(
            f"{name_of('related_origins')} has {len(names)} different names, of which browsers look at five. "
            f"Write {name_of('related_origins')} = {kept}"
        )


def check_page(
    key: str, url: str, *, origin: str, allows: Callable[[str], bool], key_of_origins: str = "PASSKEY_ORIGINS"
) -> None:
    """Check that a page of the app is where a passkey can be made; no page is fine.

    :param key: named in the error.
    :param origin: one to write, in the error.
    :param allows: can passkeys be made at an origin?
    :param key_of_origins: the setting that lists them, in the error.
    :raises ConfigurationError: it is at none of the origins.
    """
    if url and not allows(_canonical(url) or ""):
        page = re.sub(r"^\w+://[^/]*", "", url)
        raise ConfigurationError(
            f"{key} is {url!r}, which is not a page at one of {key_of_origins}. "
            f"Write {key} = {origin + '/' + page.lstrip('/')!r}"
        )


def check_schemes(origins: Sequence[str], related: Sequence[str], name_of: NameOf = usual_name) -> None:
    """Check that no related origin on http takes the protection of https from the cookies of all others.

    :param name_of: gives the names of settings, in the error.
    :raises ConfigurationError: one is on http, and others are on https.
    """
    kept = [origin for origin in related if not origin.startswith("http:")]
    if len(kept) < len(related) and any(origin.startswith("https:") for origin in (*origins, *related)):
        raise ConfigurationError(
            f"{name_of('related_origins')} has an origin on http, for which no cookie could be kept to https. "
            f"Write {name_of('related_origins')} = {kept}, and give a developer's machine settings for itself."
        )
