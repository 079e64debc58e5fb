"""The settings of one app: read from its ``PASSKEY_*`` configuration and checked once, at start-up.

What an RP ID and an origin may look like is
`W3C WebAuthn Level 3, section 5.1.2 <https://www.w3.org/TR/webauthn-3/#rp-id>`_ and
`section 13.4.9 <https://www.w3.org/TR/webauthn-3/#sctn-validating-origin>`_.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from .errors import ConfigurationError
from .origins import check_origin, check_origins, check_related, check_rp_id, default_origins, texts

log = logging.getLogger(__name__)


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
    """Life of a ceremony in milliseconds, at most 600000; less than 60000 shuts out people who need time."""

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

    username_first: bool = False
    """Also accept a user name at the begin of a sign-in, for authenticators that keep no passkeys themselves. Needs
    a ``find_user`` hook and ``SECRET_KEY``: names without an account get decoys that cannot be told apart."""

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
        rp_id = check_rp_id(given.get("rp_id") or ("localhost" if development else ""))
        given["rp_id"] = rp_id
        given["rp_name"] = str(given.get("rp_name") or rp_id)
        for key in ("related_origins", "top_origins"):
            given[key] = tuple(check_origin(text, f"PASSKEY_{key.upper()}") for text in texts(given.get(key, ())))
        given["origins"] = check_origins(texts(given.get("origins") or default_origins(rp_id)), rp_id)
        if "algorithms" in given:
            given["algorithms"] = _algorithms(given["algorithms"])
        config = cls(**given)
        _check_choices(config)
        _check_numbers(config)
        check_related(config.related_origins)
        return config


_CHOICES = {
    "user_verification": ("required", "preferred", "discouraged"),
    "attestation": ("none", "indirect", "direct", "enterprise"),
    "counter_policy": ("device-bound", "always", "never"),
    "backup_policy": ("upgrade", "fixed", "any"),
}
_RANGES = {"timeout": (1_000, 600_000), "step_up_age": (0, 86_400), "max_body": (4_096, 1_048_576)}


def _refuse_unknown_keys(cls: type[PasskeyConfig], values: Mapping[str, Any]) -> None:
    known = {f"PASSKEY_{f.name.upper()}" for f in fields(cls)}
    for key in values:
        if key.startswith("PASSKEY_") and key not in known:
            raise ConfigurationError(f"There is no setting {key}. The settings are {', '.join(sorted(known))}.")


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
            raise ConfigurationError(f"{key} is {value!r}, not a number from {low} to {high}. Write {key} = {default}")
    if config.timeout % 1000:
        raise ConfigurationError("PASSKEY_TIMEOUT is not whole seconds. Write PASSKEY_TIMEOUT = 300000")
    if config.timeout < 60_000:
        log.warning("PASSKEY_TIMEOUT is %s ms, too short for people who need time. 300000 is usual.", config.timeout)
