"""The settings of one app: read from its ``PASSKEY_*`` configuration and checked once, at start-up.

What an RP ID and an origin may look like is
`W3C WebAuthn Level 3, section 5.1.2 <https://www.w3.org/TR/webauthn-3/#rp-id>`_ and
`section 13.4.9 <https://www.w3.org/TR/webauthn-3/#sctn-validating-origin>`_.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from .errors import ConfigurationError

log = logging.getLogger(__name__)

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_ANDROID = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyConfig:
    """All settings of one app. Each field is the configuration key ``PASSKEY_<FIELD>`` in upper case.

    .. versionadded:: 0.1
    """

    rp_id: str = ""
    """The domain the passkeys belong to: ``"example.com"``. Every passkey is bound to it for its life. No scheme,
    no port, lower case. ``localhost`` by default in debug and testing, otherwise required."""

    rp_name: str = ""
    """Name of the site as password managers show it. The RP ID by default."""

    origins: tuple[str, ...] = ()
    """Where the pages are, as a list or text separated by commas: ``["https://example.com"]``. Each is the RP ID
    or below it. ``https://<rp_id>`` by default; on localhost ``http://localhost:5000``."""

    related_origins: tuple[str, ...] = ()
    """Origins on other domains that may use this RP ID; published as ``/.well-known/webauthn``. At most five
    different names left of the public suffix, which is as many as browsers look at."""

    url_prefix: str = ""
    """Path in front of all routes but the well-known ones: ``"/api/v4"``."""

    timeout: int = 300_000
    """Life of a ceremony in milliseconds, 60000 to 600000; shorter shuts out people who need time."""

    user_verification: str = "required"
    """``required``: fingerprint, face or PIN every time. ``preferred`` or ``discouraged`` also accept a mere touch."""

    algorithms: tuple[int, ...] = (-8, -7, -257)
    """Key types offered to and accepted from authenticators, by COSE number, best first."""

    attestation: str = "none"
    """Whether to ask authenticators to prove their model: ``none``, ``indirect``, ``direct`` or ``enterprise``."""

    counter_policy: str = "device-bound"
    """When a signature counter that did not grow is refused: ``device-bound`` (passkeys that cannot be synced),
    ``always``, or ``never``. It is reported in the log and by a signal in any case."""

    backup_policy: str = "upgrade"
    """What a passkey may do with its "can be synced" flag: ``upgrade`` lets it turn on once, ``fixed`` never,
    ``any`` lets it change as it likes."""

    allow_cross_origin: bool = False
    """Accept ceremonies from an ``<iframe>`` inside a page of another origin."""

    top_origins: tuple[str, ...] = ()
    """With ``allow_cross_origin``: the outer pages' origins that are accepted where the browser tells them."""

    sign_up: bool | None = None
    """Let people create an account with a passkey. By default on when the app has a ``create_user`` hook."""

    step_up_age: int = 600
    """Seconds after a passkey sign-in in which passkeys can be added, renamed and deleted."""

    http_status: bool = True
    """``False`` answers HTTP 200 to everything, for clients that read only the envelope."""

    max_body: int = 65_536
    """Longest accepted request body in bytes."""

    database_uri: str = ""
    """SQLAlchemy URL of the credentials: ``"postgresql+psycopg://…"``. By default ``passkey.sqlite3`` in the
    instance folder."""

    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Pages for password managers to link to, published as ``/.well-known/passkey-endpoints``:
    ``{"enroll": "https://…", "manage": "https://…"}``."""

    @property
    def all_origins(self) -> tuple[str, ...]:
        """Every origin a ceremony may run on."""
        return self.origins + self.related_origins

    @property
    def https_only(self) -> bool:
        """Do all pages use https? Then cookies are ``Secure``."""
        return not any(origin.startswith("http:") for origin in self.all_origins)

    @property
    def lifetime(self) -> int:
        """Life of a ceremony in whole seconds."""
        return self.timeout // 1000

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, development: bool = False) -> PasskeyConfig:
        """Read and check the ``PASSKEY_*`` keys of ``values``.

        :param development: debug or testing: the RP ID is ``localhost`` unless given.
        :raises ConfigurationError: with the key and the line to write.
        """
        given = {f.name: values[key] for f in fields(cls) if (key := f"PASSKEY_{f.name.upper()}") in values}
        _refuse_unknown_keys(cls, values)
        rp_id = _rp_id(given.get("rp_id") or ("localhost" if development else ""))
        given["rp_id"] = rp_id
        given["rp_name"] = str(given.get("rp_name") or rp_id)
        for key in ("related_origins", "top_origins"):
            given[key] = tuple(_origin(text, f"PASSKEY_{key.upper()}") for text in _texts(given.get(key, ())))
        given["origins"] = _origins(_texts(given.get("origins") or _default_origins(rp_id)), rp_id)
        if "algorithms" in given:
            given["algorithms"] = _algorithms(given["algorithms"])
        config = cls(**given)
        _check_choices(config)
        _check_numbers(config)
        _check_related(config.related_origins)
        return config


_CHOICES = {
    "user_verification": ("required", "preferred", "discouraged"),
    "attestation": ("none", "indirect", "direct", "enterprise"),
    "counter_policy": ("device-bound", "always", "never"),
    "backup_policy": ("upgrade", "fixed", "any"),
}
_RANGES = {"timeout": (60_000, 600_000), "step_up_age": (30, 86_400), "max_body": (4_096, 1_048_576)}


def _refuse_unknown_keys(cls: type[PasskeyConfig], values: Mapping[str, Any]) -> None:
    known = {f"PASSKEY_{f.name.upper()}" for f in fields(cls)}
    for key in values:
        if key.startswith("PASSKEY_") and key not in known:
            raise ConfigurationError(f"There is no setting {key}. The settings are {', '.join(sorted(known))}.")


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Sequence):
        raise ConfigurationError(f"Expected a list of origins, not {value!r}: PASSKEY_ORIGINS = ['https://example.com']")
    return tuple(str(item).strip() for item in value if str(item).strip())


def _rp_id(value: object) -> str:
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
        raise ConfigurationError(f"PASSKEY_RP_ID has upper case letters: {text!r}. Write PASSKEY_RP_ID = {text.lower()!r}")
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


def _default_origins(rp_id: str) -> tuple[str, ...]:
    if _is_local(rp_id):
        return (f"http://{rp_id}", f"http://{rp_id}:5000")
    return (f"https://{rp_id}",)


def _is_local(host: str) -> bool:
    """Does http to this host stay on the machine, so that browsers trust it?"""
    if _is_ip(host):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _origins(texts: Sequence[str], rp_id: str) -> tuple[str, ...]:
    origins = tuple(_origin(text, "PASSKEY_ORIGINS") for text in texts)
    for origin in origins:
        host = urlsplit(origin).hostname or ""
        if not origin.startswith("android:") and host != rp_id.strip("[]") and not host.endswith(f".{rp_id}"):
            raise ConfigurationError(
                f"PASSKEY_ORIGINS has {origin!r}, which is not {rp_id!r} or below it. Write PASSKEY_ORIGINS = "
                f"['https://{rp_id}'], or move it to PASSKEY_RELATED_ORIGINS."
            )
    return origins


def _origin(text: str, key: str) -> str:
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


def _algorithms(value: object) -> tuple[int, ...]:
    known = (-8, -7, -257, -36, -37, -38, -39, -258, -259)
    if not isinstance(value, Sequence) or not value or not all(item in known for item in value):
        raise ConfigurationError(f"PASSKEY_ALGORITHMS is {value!r}. Write PASSKEY_ALGORITHMS = [-8, -7, -257]")
    return tuple(value)


def _check_choices(config: PasskeyConfig) -> None:
    for name, choices in _CHOICES.items():
        if getattr(config, name) not in choices:
            key = f"PASSKEY_{name.upper()}"
            raise ConfigurationError(
                f"{key} is {getattr(config, name)!r}, not one of {', '.join(choices)}. Write {key} = {choices[0]!r}"
            )


def _check_numbers(config: PasskeyConfig) -> None:
    for name, (low, high) in _RANGES.items():
        value = getattr(config, name)
        if type(value) is not int or not low <= value <= high:
            key, default = f"PASSKEY_{name.upper()}", PasskeyConfig.__dataclass_fields__[name].default
            raise ConfigurationError(f"{key} is {value!r}, not a whole number from {low} to {high}. Write {key} = {default}")
    if config.timeout % 1000:
        raise ConfigurationError("PASSKEY_TIMEOUT is not whole seconds. Write PASSKEY_TIMEOUT = 300000")


def _check_related(origins: Sequence[str]) -> None:
    """Count labels as browsers do, without a public suffix list: the last label but one is close enough to warn."""
    labels = {(urlsplit(origin).hostname or "").rsplit(".", 1)[0].rpartition(".")[2] for origin in origins}
    if len(labels) > 5:
        raise ConfigurationError(
            f"PASSKEY_RELATED_ORIGINS has {len(labels)} different domain names ({', '.join(sorted(labels))}); "
            "browsers look at the first five."
        )
