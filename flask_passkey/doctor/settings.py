"""The settings that start-up lets pass, though they do not work for everybody."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from ..config import MOST_NAMES, PasskeyConfig, is_ip, is_local, names_of
from .findings import Finding, error, note, warning

_SHORTEST_KEY = 16
#: Keys in Flask's and others' documentation, and what stands there for one.
_KNOWN_KEYS = (
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    '_5#y2L"F4Q8z\n\xec]/',
    "you-will-never-guess",
    "super-secret-key",
    "a-very-secret-key",
    "your-secret-key-here",
)
_NEW_KEY = "SECRET_KEY = the output of `python -c 'import secrets; print(secrets.token_hex())'`"


def is_public(config: PasskeyConfig) -> bool:
    """Tell whether others than the developer open the site."""
    return not is_local(config.rp_id)


def check(app: Flask, config: PasskeyConfig) -> Iterator[Finding]:
    """Look at the RP ID, the related origins and the secret key."""
    for key in config.changed_since(app.config):
        yield warning(
            "settings.too-late",
            f"{key} was changed after the settings were read, and has no effect.",
            f"{key} = …, before Passkey(app) or passkey.init_app(app)",
        )
    yield from _rp_id(config)
    yield from _related_origins(config)
    if is_public(config):
        yield from _secret_key(app)


def _rp_id(config: PasskeyConfig) -> Iterator[Finding]:
    rp_id = config.rp_id
    if is_ip(rp_id):
        yield error(
            "settings.rp-id-ip",
            f"PASSKEY_RP_ID is the IP address {rp_id}, for which no browser has passkeys.",
            "PASSKEY_RP_ID = 'localhost', and open http://localhost:5000; for others PASSKEY_RP_ID = 'example.com'",
        )
    elif "." not in rp_id and rp_id != "localhost":
        yield warning(
            "settings.rp-id-single-label",
            f"PASSKEY_RP_ID is {rp_id!r}, a name without a dot: browsers have its passkeys only at that very host, "
            "never at one below it.",
            f"PASSKEY_RP_ID = '{rp_id}.example.com', the full name of the host",
        )


def _related_origins(config: PasskeyConfig) -> Iterator[Finding]:
    names = names_of(config.related_origins)
    if len(names) == MOST_NAMES:
        yield note(
            "settings.related-origins-full",
            f"PASSKEY_RELATED_ORIGINS has {MOST_NAMES} different names, and browsers look at no more.",
            "PASSKEY_RELATED_ORIGINS = [...], with all origins below few names",
        )


def _secret_key(app: Flask) -> Iterator[Finding]:
    key = app.secret_key or ""
    text = key if isinstance(key, str) else key.decode("latin-1")
    if not text:
        yield warning("settings.secret-key-missing", "SECRET_KEY is not set: the app can sign nothing.", _NEW_KEY)
    elif len(text) < _SHORTEST_KEY or len(set(text)) < _SHORTEST_KEY // 2 or text.lower() in _KNOWN_KEYS:
        yield error(
            "settings.secret-key-weak",
            "SECRET_KEY can be guessed: whoever does can sign in as anybody where sessions are in a cookie.",
            _NEW_KEY,
        )
