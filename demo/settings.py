"""Where the demo's settings come from: defaults below ``FLASK_…`` in the environment below ``create_app(config)``."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import click
from cachelib.file import FileSystemCache
from flask import Flask

from flask_passkey import PasskeyConfig
from flask_passkey.errors import ConfigurationError

#: All but what depends on other settings. Flask-Passkey's own are explained in ``flask_passkey/config/settings.py``.
DEFAULTS: dict[str, Any] = {
    "PASSKEY_RP_ID": "localhost",
    "PASSKEY_RP_NAME": "Flask-Passkey demo",
    # redis://…: sessions, pending ceremonies and limits are kept there, so that many nodes can share them.
    "REDIS_URL": "",
    # Longest form in bytes.
    "MAX_CONTENT_LENGTH": 1_000_000,
    # False switches all limits off.
    "RATELIMIT_ENABLED": True,
    # Number of proxies in front whose X-Forwarded-For and X-Forwarded-Proto are believed.
    "TRUSTED_PROXIES": 0,
    # Browsers share cookies between the ports of localhost: a name that other apps don't have.
    "SESSION_COOKIE_NAME": "demo_session",
    "SESSION_COOKIE_SAMESITE": "Lax",
}
#: What stands in ``deploy/passkeys.env`` where a value has to be written.
PLACEHOLDERS = ("<64 hexadecimal digits>", "<password>")
_KEY_FILE = "secret_key"


def instance_path(config: dict[str, Any] | None) -> str | None:
    """Return the folder for what the app keeps on disk, ``None`` for Flask's own choice."""
    chosen = (config or {}).get("INSTANCE_PATH") or os.environ.get("FLASK_INSTANCE_PATH")
    return str(Path(chosen).absolute()) if chosen else None


def load(app: Flask, config: dict[str, Any] | None) -> None:
    """Fill ``app.config``."""
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env()
    app.config.update(config or {})
    _refuse_placeholders(app)
    if not app.config.get("PASSKEY_ORIGINS") and app.config["PASSKEY_RP_ID"] == "localhost":
        app.config["PASSKEY_ORIGINS"] = _local_origins()
    _publish_pages(app)
    app.config["RATELIMIT_ENABLED"] = str(app.config["RATELIMIT_ENABLED"]).strip().lower() in ("true", "1", "yes", "on")
    app.config["TRUSTED_PROXIES"] = _number_of_proxies(app.config["TRUSTED_PROXIES"])
    _keep_sessions(app)
    app.config["SECRET_KEY"] = str(app.config["SECRET_KEY"] or _secret_key(_folder(app)))


def _refuse_placeholders(app: Flask) -> None:
    """Refuse a value in which a placeholder of ``deploy/passkeys.env`` was left: everybody knows it."""
    for key, value in app.config.items():
        left = [text for text in PLACEHOLDERS if text in str(value)]
        if left:
            raise ConfigurationError(
                f"{key} still has the placeholder {left[0]} in it. Write {key} = a value of yours."
            )


def _local_origins() -> list[str]:
    """Return http://localhost:5000 and, under ``flask run --port N``, the port that was chosen."""
    context = click.get_current_context(silent=True)
    port = context.params.get("port") if context and context.info_name == "run" else None
    return [f"http://localhost:{number}" for number in dict.fromkeys((5000, port or 5000))]


def _number_of_proxies(value: object) -> int:
    """Read how many proxies are believed. A wrong number would believe whatever clients say of themselves."""
    text = str(value or 0).strip()
    if text not in list("0123456789"):
        raise ConfigurationError(
            f"TRUSTED_PROXIES is {value!r}, not a number of proxies. Write TRUSTED_PROXIES = 1 behind one, else 0"
        )
    return int(text)


def _publish_pages(app: Flask) -> None:
    """Say where invitations lead, and let password managers link to the list of passkeys where it is at https."""
    given = {key: app.config.get(key) for key in ("PASSKEY_RP_ID", "PASSKEY_ORIGINS")}
    site = PasskeyConfig.from_mapping(given).origins[0]
    if not app.config.get("PASSKEY_ENROL_URL"):
        app.config["PASSKEY_ENROL_URL"] = f"{site}/enrol"
    if not app.config.get("PASSKEY_ENDPOINTS") and site.startswith("https://"):
        app.config["PASSKEY_ENDPOINTS"] = dict.fromkeys(("enroll", "manage"), f"{site}/passkeys")


def _keep_sessions(app: Flask) -> None:
    """Configure Flask-Session: Redis where there is one, else files; anything set by hand stays."""
    kind = app.config.get("SESSION_TYPE")
    if kind and (kind != "redis" or app.config.get("SESSION_REDIS") or not app.config["REDIS_URL"]):
        return
    if app.config["REDIS_URL"]:
        from redis import Redis

        app.config["SESSION_TYPE"] = "redis"
        app.config["SESSION_REDIS"] = Redis.from_url(
            app.config["REDIS_URL"], socket_connect_timeout=2, socket_timeout=5
        )
    else:
        app.config["SESSION_TYPE"] = "cachelib"
        folder = _private(_folder(app) / "sessions")
        app.config["SESSION_CACHELIB"] = FileSystemCache(str(folder), threshold=10_000, mode=0o600)


def _folder(app: Flask) -> Path:
    """Return the instance folder; nobody else on the machine may look into it if we have made it."""
    return _private(Path(app.instance_path))


def _private(folder: Path) -> Path:
    """Create a missing folder, and those above it, for their owner only."""
    for part in (*reversed(folder.parents), folder):
        if not part.exists():
            part.mkdir(0o700, exist_ok=True)
    return folder


def _secret_key(folder: Path) -> str:
    """Return the key kept in the folder, made by whichever worker comes first.

    It is linked into place with its text already in it: a worker that comes second never reads half a key.
    """
    path = folder / _KEY_FILE
    if not path.exists():
        draft = folder / f"{_KEY_FILE}.{secrets.token_hex(8)}"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()
