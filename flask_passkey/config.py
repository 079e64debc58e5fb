"""The settings of one app: read from its ``PASSKEY_*`` configuration and checked once, at start-up.

What an RP ID and an origin may look like is
`W3C WebAuthn Level 3, section 5.1.2 <https://www.w3.org/TR/webauthn-3/#rp-id>`_ and
`section 13.4.9 <https://www.w3.org/TR/webauthn-3/#sctn-validating-origin>`_.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property, partial
from typing import Any, NoReturn

from .errors import ConfigurationError
from .origins import check_below, check_related, check_rp_id, default_origins, read_origins

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)  # no slots, for what is worked out once
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

    attestation_roots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Files with the certificates that attestation must lead to, by format: ``{"packed": ["roots.pem"]}``. They need
    not be roots. Then only authenticators below them can be registered."""

    mds_file: str = ""
    """FIDO metadata blob, downloaded from https://mds3.fidoalliance.org/: its roots count as well, and models that
    it does not know or that were compromised are refused. Needs the extra ``mds``."""

    mds_root: str = ""
    """File with the certificate that the metadata blob is signed below."""

    mds_stale: str = "warn"
    """What to do about a metadata blob that should have been renewed: ``warn`` or ``refuse``. It is read at start-up
    only."""

    allowed_aaguids: tuple[str, ...] = ()
    """Models of authenticators that may be registered; empty for all."""

    denied_aaguids: tuple[str, ...] = ()
    """Models of authenticators that may not be registered."""

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

    database_uri: str = field(default="", repr=False)
    """SQLAlchemy URL of the credentials: ``"postgresql+psycopg://…"``. By default ``passkey.sqlite3`` in the
    instance folder."""

    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Pages for password managers to link to, published as ``/.well-known/passkey-endpoints``:
    ``{"enroll": "https://…", "manage": "https://…"}``."""

    @cached_property
    def all_origins(self) -> tuple[str, ...]:
        """Every origin a ceremony may run on."""
        return self.origins + self.related_origins

    @cached_property
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
        _refuse_unknown_keys(values)
        # Empty is not given: what an environment variable can say, and None.
        given = {name: value for name in _READERS if (value := values.get(_key(name))) not in (None, "")}
        given = {"rp_id": "localhost" if development else ""} | given
        read = {name: _READERS[name](_key(name), value) for name, value in given.items()}
        read.setdefault("rp_name", read["rp_id"])
        read["origins"] = read.get("origins") or default_origins(read["rp_id"])
        config = cls(**read)
        _check_together(config)
        return config


def _key(name: str) -> str:
    return f"PASSKEY_{name.upper()}"


def _refuse(key: str, value: object, problem: str, line: object) -> NoReturn:
    raise ConfigurationError(f"{key} is {value!r}, {problem}. Write {key} = {line!r}")


# One reader for each kind of value. What comes from an environment variable is text, unless it is JSON.


def _text(key: str, value: object) -> str:
    return value if isinstance(value, str) else _refuse(key, value, "not text", str(value))


def _database_uri(key: str, value: object) -> str:
    # Never shown, as it may hold a password; str() of a URL object replaces that by asterisks.
    if not isinstance(value, str):
        raise ConfigurationError(f"{key} is not text. Write {key} = 'postgresql+psycopg://user:password@host/database'")
    return value


def _url_prefix(key: str, value: object) -> str:
    path = str(value).rstrip("/")
    if path and not _PATH.fullmatch(path):
        meant = "/" + path.strip("/")
        _refuse(key, value, "not a path", meant if _PATH.fullmatch(meant) else "/api/v4")
    return path


def _switch(key: str, value: object) -> bool:
    word = str(value).strip().lower()
    return _SWITCH[word] if word in _SWITCH else _refuse(key, value, "neither true nor false", True)


def _integer(value: object) -> int | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    return value if type(value) is int else None


def _number(key: str, value: object, *, low: int, high: int, usual: int) -> int:
    number = _integer(value)
    if number is None or not low <= number <= high:
        _refuse(key, value, f"not a number from {low} to {high}", usual)
    return number


def _timeout(key: str, value: object) -> int:
    timeout = _number(key, value, low=1_000, high=600_000, usual=300_000)
    if timeout % 1000:
        _refuse(key, value, "not whole seconds, which is what stores count", timeout - timeout % 1000)
    if timeout < 60_000:
        log.warning("%s is %s ms, too short for people who need time. 300000 is usual.", key, timeout)
    return timeout


def _choice(key: str, value: object, *, choices: Sequence[str]) -> str:
    return str(value) if value in choices else _refuse(key, value, f"not one of {', '.join(choices)}", choices[0])


def _algorithms(key: str, value: object) -> tuple[int, ...]:
    items = value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else value
    numbers = [_integer(item) for item in items] if isinstance(items, list | tuple) else []
    known = [number for number in numbers if number in _ALGORITHMS]
    if not known or len(known) < len(numbers):
        _refuse(key, value, f"not a list of some of {', '.join(map(str, _ALGORITHMS))}", [-8, -7, -257])
    return tuple(dict.fromkeys(known))


def _endpoints(key: str, value: object) -> dict[str, str]:
    items = value.items() if isinstance(value, Mapping) else [("", value)]
    # In upper case where they come from PASSKEY_ENDPOINTS__MANAGE and the like.
    pages = {str(name).lower(): url for name, url in items if isinstance(url, str) and url.startswith("https://")}
    if len(pages) < len(items) or not pages.keys() <= {"enroll", "manage"}:
        _refuse(key, value, "not a dict of https URLs", {"enroll": "https://…", "manage": "https://…"})
    return pages


def _aaguids(key: str, value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    texts = tuple(str(item).strip().lower() for item in items) if isinstance(items, list | tuple) else ("",)
    if not all(_AAGUID.fullmatch(text) for text in texts):
        _refuse(key, value, "not a list of AAGUIDs", ["ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4"])
    return texts


def _roots(key: str, value: object) -> dict[str, tuple[str, ...]]:
    items = value.items() if isinstance(value, Mapping) else [("", value)]
    lists = {form: [paths] if isinstance(paths, str) else paths for form, paths in items}
    files = {form: tuple(map(str, paths)) for form, paths in lists.items() if isinstance(paths, list | tuple)}
    if len(files) < len(lists) or not files.keys() <= _FORMATS:
        _refuse(key, value, f"not a dict of files by one of {', '.join(sorted(_FORMATS))}", {"packed": ["roots.pem"]})
    return files


_AAGUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FORMATS = {"packed", "tpm", "android-key", "fido-u2f", "apple"}
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_NUMBER = re.compile(r"\s*-?[0-9]{1,9}\s*")
_SWITCH = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)
_ALGORITHMS = (-8, -7, -257, -36, -37, -38, -39, -258, -259)
_READERS: dict[str, Callable[[str, Any], Any]] = {
    "rp_id": lambda key, value: check_rp_id(value),
    "rp_name": _text,
    "origins": read_origins,
    "related_origins": read_origins,
    "url_prefix": _url_prefix,
    "timeout": _timeout,
    "user_verification": partial(_choice, choices=("required", "preferred", "discouraged")),
    "algorithms": _algorithms,
    "attestation": partial(_choice, choices=("none", "indirect", "direct", "enterprise")),
    "attestation_roots": _roots,
    "mds_file": _text,
    "mds_root": _text,
    "mds_stale": partial(_choice, choices=("warn", "refuse")),
    "allowed_aaguids": _aaguids,
    "denied_aaguids": _aaguids,
    "counter_policy": partial(_choice, choices=("device-bound", "always", "never")),
    "backup_policy": partial(_choice, choices=("upgrade", "fixed", "any")),
    "allow_cross_origin": _switch,
    "top_origins": read_origins,
    "sign_up": _switch,
    "username_first": _switch,
    "step_up_age": partial(_number, low=0, high=86_400, usual=600),
    "http_status": _switch,
    "max_body": partial(_number, low=4_096, high=1_048_576, usual=65_536),
    "database_uri": _database_uri,
    "endpoints": _endpoints,
}


def _refuse_unknown_keys(values: Mapping[str, Any]) -> None:
    known = [_key(name) for name in _READERS]
    for key in values:
        if key.startswith("PASSKEY_") and key not in known:
            meant = get_close_matches(key, known, n=1, cutoff=0)[0]
            raise ConfigurationError(f"There is no setting {key}. Write {meant} = …, or one of {', '.join(known)}.")


def _check_together(config: PasskeyConfig) -> None:
    check_below(config.origins, config.rp_id)
    check_related(config.related_origins)
    if (config.attestation_roots or config.mds_file) and config.attestation not in ("direct", "enterprise"):
        raise ConfigurationError(
            "PASSKEY_ATTESTATION_ROOTS or PASSKEY_MDS_FILE is set, but browsers are not asked for attestation. Write "
            "PASSKEY_ATTESTATION = 'direct'"
        )
    if config.mds_file and not config.mds_root:
        raise ConfigurationError(
            "PASSKEY_MDS_FILE is set without the certificate it is signed below. Write PASSKEY_MDS_ROOT = "
            "'root-r3.crt' (from https://valid.r3.roots.globalsign.com/)"
        )
    if config.top_origins and not config.allow_cross_origin:
        raise ConfigurationError(
            "PASSKEY_TOP_ORIGINS is set, but pages in an <iframe> are refused. Write PASSKEY_ALLOW_CROSS_ORIGIN = True"
        )
