"""One reader for each setting: it turns what the app or its environment wrote into a checked value.

A value from an environment variable is text, unless it is JSON.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from ..errors import ConfigurationError
from .origins import check_rp_id, is_fingerprint, name_for, read_origins, read_own_origins

log = logging.getLogger(__name__)


def _refuse(key: str, value: object, problem: str, line: object) -> NoReturn:
    raise ConfigurationError(f"{key} is {value!r}, {problem}. Write {key} = {line!r}")


def _text(key: str, value: object) -> str:
    return value if isinstance(value, str) else _refuse(key, value, "not text", str(value))


def _session_key(key: str, value: object) -> str:
    name = _text(key, value)
    if name.startswith("_"):
        _refuse(key, value, "a name that Flask, Flask-Login or Flask-Passkey use themselves", "user_id")
    return name


def _database_uri(key: str, value: object) -> str:
    # Never shown, as it may hold a password. A URL object is refused: its str() has asterisks for the password.
    if not isinstance(value, str):
        raise ConfigurationError(f"{key} is not text. Write {key} = 'postgresql+psycopg://user:password@host/database'")
    return value


def _url_prefix(key: str, value: object) -> str:
    path = str(value).rstrip("/")
    if path and not re.fullmatch(_PATH, path):
        meant = "/" + path.strip("/")
        _refuse(key, value, "not a path", meant if re.fullmatch(_PATH, meant) else "/api/v4")
    return path


def _pages_prefix(key: str, value: object) -> str:
    return _url_prefix(key, value) or _refuse(key, value, "not a path below the site's root", "/passkeys")


def _switch(key: str, value: object) -> bool:
    word = str(value).strip().lower()
    return _SWITCH[word] if word in _SWITCH else _refuse(key, value, "neither true nor false", True)


def _integer(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(_NUMBER, value):
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
        _refuse(key, value, f"not a list of some of {', '.join(map(str, _ALGORITHMS))}", [-7, -8, -257])
    return tuple(dict.fromkeys(known))


def _endpoints(key: str, value: object) -> dict[str, str]:
    items = value.items() if isinstance(value, Mapping) else [("", value)]
    # Environment variables such as PASSKEY_ENDPOINTS__MANAGE give names in upper case.
    pages = {str(name).lower(): url for name, url in items if isinstance(url, str) and url.startswith("https://")}
    if len(pages) < len(items) or not pages.keys() <= {"enroll", "manage"}:
        _refuse(key, value, "not a dict of https URLs", {"enroll": "https://…", "manage": "https://…"})
    return pages


def _texts(value: object) -> list[str] | None:
    """Return the items of a list, or of text with commas, without what is there twice; ``None`` if it is neither."""
    items = value.split(",") if isinstance(value, str) else value
    return list(dict.fromkeys(str(item).strip() for item in items)) if isinstance(items, list | tuple) else None


def _hints(key: str, value: object) -> tuple[str, ...]:
    texts = _texts(value)
    if texts is None or not {*texts} <= {*_HINTS}:
        _refuse(key, value, f"not a list of some of {', '.join(_HINTS)}", [_HINTS[0]])
    return tuple(texts)


def _formats(key: str, value: object) -> tuple[str, ...]:
    texts = _texts(value)
    if texts is None or not all(re.fullmatch(_FORMAT, text) for text in texts):
        _refuse(key, value, "not a list of formats of attestation statements", ["packed"])
    return tuple(texts)


def _aaguids(key: str, value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    texts = tuple(str(item).strip().lower() for item in items) if isinstance(items, list | tuple) else ("",)
    if not all(re.fullmatch(_AAGUID, text) for text in texts):
        _refuse(key, value, "not a list of AAGUIDs", ["ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4"])
    return texts


def _android_apps(key: str, value: object) -> dict[str, tuple[str, ...]]:
    items = value.items() if isinstance(value, Mapping) else [("", [])]
    lists = {str(name): [texts] if isinstance(texts, str) else texts for name, texts in items}
    apps = {
        name: tuple(dict.fromkeys(text.strip().upper() for text in texts))
        for name, texts in lists.items()
        if isinstance(texts, list | tuple) and texts and all(isinstance(text, str) for text in texts)
    }
    right = all(re.fullmatch(_PACKAGE, name) and all(map(is_fingerprint, texts)) for name, texts in apps.items())
    if len(apps) < len(lists) or not right:
        problem = "not a dict of SHA-256 fingerprints of the signing certificates by package, as keytool prints them"
        _refuse(key, value, problem, {"com.example.app": [":".join(["AB"] * 32)]})
    return apps


def _apple_apps(key: str, value: object) -> tuple[str, ...]:
    texts = _texts(value)
    if texts is None or not all(re.fullmatch(_APPLE_APP, text) for text in texts):
        _refuse(key, value, "not a list of a team's ID and an app's with a dot between", ["ABCDE12345.com.example.app"])
    return tuple(texts)


def _roots(key: str, value: object) -> dict[str, tuple[str, ...]]:
    items = value.items() if isinstance(value, Mapping) else [("", value)]
    lists = {form: [paths] if isinstance(paths, str) else paths for form, paths in items}
    files = {form: tuple(map(str, paths)) for form, paths in lists.items() if isinstance(paths, list | tuple)}
    if len(files) < len(lists) or not files.keys() <= _FORMATS:
        _refuse(key, value, f"not a dict of files by one of {', '.join(sorted(_FORMATS))}", {"packed": ["roots.pem"]})
    return files


def _relying_parties(key: str, value: object) -> dict[str, dict[str, Any]]:
    example = {"example.org": {"origins": ["https://example.org"]}}
    given = [*value.items()] if isinstance(value, Mapping) else [("", {})]
    if not all(isinstance(rp_id, str) and rp_id and isinstance(entry, Mapping) for rp_id, entry in given):
        _refuse(key, value, "not a dict of dicts by RP ID", example)
    name, line = f"An RP ID in {key}", f"{key} = {{{{{{!r}}: …}}}}"
    return {check_rp_id(rp_id, name=name, line=line): _entry(rp_id, entry) for rp_id, entry in given}


def _entry(rp_id: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Read the settings of one more relying party, under the names of the app's."""
    name_of = name_for(rp_id)
    unknown = [member for member in entry if member not in _ENTRY]
    if unknown:
        raise ConfigurationError(f"There is no setting {name_of(unknown[0])}. There are {', '.join(_ENTRY)}.")
    given = {member: value for member, value in entry.items() if value not in (None, "")}
    settings = {_ENTRY[member]: READERS[_ENTRY[member]](name_of(member), value) for member, value in given.items()}
    return {"rp_name": rp_id} | settings


#: What can be said of one more relying party, and the setting of the app that says the same.
_ENTRY = {"origins": "origins", "name": "rp_name", "related_origins": "related_origins", "enrol_url": "enrol_url"}
# Texts, as in origins.py.
_AAGUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# https://developer.android.com/build/configure-app-module#set-application-id
_PACKAGE = r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+"
_APPLE_APP = r"[A-Z0-9]{10}\.[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
# An identifier of section 8.1: visible ASCII but quotes and backslashes. Some of the future are as good as known ones.
_FORMAT = r"[!#-\[\]-~]{1,32}"
_HINTS = ("client-device", "security-key", "hybrid")
_FORMATS = {"packed", "tpm", "android-key", "fido-u2f", "apple"}
_PATH = r"(/[A-Za-z0-9._~-]+)+"
_NUMBER = r"\s*-?[0-9]{1,9}\s*"
_SWITCH = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)
_ALGORITHMS = (-7, -8, -257, -36, -37, -38, -39, -258, -259, -48, -49, -50)
READERS: dict[str, Callable[[str, Any], Any]] = {
    "rp_id": lambda key, value: check_rp_id(value),
    "rp_name": _text,
    "origins": read_own_origins,
    "related_origins": read_origins,
    "url_prefix": _url_prefix,
    "timeout": _timeout,
    "user_verification": partial(_choice, choices=("required", "preferred", "discouraged")),
    "algorithms": _algorithms,
    "attestation": partial(_choice, choices=("none", "indirect", "direct", "enterprise")),
    "attestation_formats": _formats,
    "attestation_roots": _roots,
    "mds_file": _text,
    "mds_root": _text,
    "mds_stale": partial(_choice, choices=("warn", "refuse")),
    "allowed_aaguids": _aaguids,
    "denied_aaguids": _aaguids,
    "hints": _hints,
    "counter_policy": partial(_choice, choices=("device-bound", "always", "never")),
    "backup_policy": partial(_choice, choices=("upgrade", "fixed", "any")),
    "allow_cross_origin": _switch,
    "top_origins": read_origins,
    "sign_up": _switch,
    "username_first": _switch,
    "user_session_key": _session_key,
    "step_up_age": partial(_number, low=0, high=86_400, usual=600),
    "remember": _switch,
    "fresh_first": _switch,
    "max_credentials": partial(_number, low=1, high=1_000, usual=20),
    "audit_names": _switch,
    "http_status": _switch,
    "max_body": partial(_number, low=4_096, high=1_048_576, usual=65_536),
    "database_uri": _database_uri,
    "ceremony_store": partial(_choice, choices=("flask-session", "database")),
    "endpoints": _endpoints,
    "android_apps": _android_apps,
    "apple_apps": _apple_apps,
    "enrol_url": _text,
    "relying_parties": _relying_parties,
    "pages_prefix": _pages_prefix,
    "base_template": _text,
    "openapi": _switch,
}
