"""One SQLite file under two engines: whoever holds its write lock keeps the other waiting, also in one request."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Engine

from ...errors import ConfigurationError

log = logging.getLogger(__name__)

_SESSION = "Passkey(app, credentials=SQLCredentialRepository(session={}))"


def check(engine: Engine, db: Any) -> None:
    """Refuse an engine on a SQLite file that the app's session writes through another one.

    On the app's own engine it is a warning: there the app can write through ``transaction()``, too.

    :param db: Flask-SQLAlchemy or Flask-SQLAlchemy-Lite.
    :raises ConfigurationError: with the line to write.
    """
    theirs = list(engines_of(db))
    line = _SESSION.format("lambda: db.session" if is_lite(db) else "db.session")
    if engine.dialect.name == "sqlite" and engine in theirs:
        log.warning(
            "Passkeys are on the engine of db.session, by other connections, and SQLite has one writer: what "
            "create_user writes through db.session waits until it fails. Let it write through "
            "passkey.credentials.transaction(), or write %s",
            line,
        )
    elif any(_same(engine, other) for other in theirs):
        raise ConfigurationError(
            f"Passkeys are in {file_of(engine)}, which db.session has open, too, and SQLite has one writer: an "
            f"account could not be created with its passkey. Write {line}, or PASSKEY_DATABASE_URI with another file"
        )


def refuse_one_session(session: Any, db: Any) -> None:
    """Refuse the session of one request where a function is needed that returns the current one's.

    :raises ConfigurationError: with the line to write.
    """
    if is_lite(db) and not callable(session):
        raise ConfigurationError(
            "Flask-SQLAlchemy-Lite has a session for each request, and the repository has got one of them. Write "
            + _SESSION.format("lambda: db.session")
        )


def is_lite(db: Any) -> bool:
    """Tell Flask-SQLAlchemy-Lite, whose ``db.session`` is a session and no registry, from Flask-SQLAlchemy."""
    return hasattr(db, "get_session")


def engines_of(db: Any) -> Iterable[Engine]:
    """Yield the engines of Flask-SQLAlchemy or Flask-SQLAlchemy-Lite, in a context of the app."""
    yield from getattr(db, "engines", {}).values()
    yield from (engine.sync_engine for engine in getattr(db, "async_engines", {}).values())


def _same(one: Engine, other: Engine) -> bool:
    files = file_of(one), file_of(other)
    if not all(files):
        return False
    with suppress(OSError):  # one may not be there yet
        return os.path.samefile(*files)
    return files[0] == files[1]


def file_of(engine: Engine) -> str:
    """Return the path of an engine's file, links followed; empty for a database in memory or on a server."""
    path = str(engine.url.database or "")
    query = engine.url.query
    if engine.dialect.name != "sqlite" or path in ("", ":memory:") or query.get("mode") == "memory":
        return ""
    if "uri" in query and path.startswith("file:"):
        path = unquote(path.removeprefix("file:").partition("?")[0])
        path = f"/{path.lstrip('/')}" if path.startswith("//") else path
    return "" if path in ("", ":memory:") else os.path.realpath(path)
