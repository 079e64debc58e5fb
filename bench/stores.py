"""The stores of pending ceremonies and sessions: Flask-Session's, each set up as its manual says."""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from typing import Any

from cachelib import FileSystemCache, SimpleCache
from flask import Flask
from flask_session import Session
from sqlalchemy import event

#: More than any run keeps; by default these caches drop ceremonies above 500.
PLENTY = 1_000_000


def configure(app: Flask, kind: str) -> None:
    """Make an app keep its sessions in ``memory``, ``redis``, ``sql`` (SQLite) or ``file``."""
    app.config.update(SECRET_KEY="bench", SESSION_COOKIE_NAME="session")
    KINDS[kind](app)
    Session(app)


def _memory(app: Flask) -> None:
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache(threshold=PLENTY))


def _file(app: Flask) -> None:
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(folder(), threshold=0))


def _redis(app: Flask) -> None:
    from redis import Redis

    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(os.environ["BENCH_REDIS_URL"]))


def _sql(app: Flask) -> None:
    """Use SQLite in WAL mode, its fastest."""
    from flask_sqlalchemy import SQLAlchemy

    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder()}/sessions.sqlite3"
    db = SQLAlchemy(app)
    with app.app_context():
        event.listen(db.engine, "connect", set_pragmas)
    app.config.update(SESSION_TYPE="sqlalchemy", SESSION_SQLALCHEMY=db)


def set_pragmas(connection: Any, _: object) -> None:
    """Make SQLite as fast as it safely can be."""
    connection.execute("PRAGMA journal_mode=WAL").close()
    connection.execute("PRAGMA synchronous=NORMAL").close()


KINDS = {"memory": _memory, "redis": _redis, "sql": _sql, "file": _file}


def put(app: Flask, kind: str, key: str, value: str, seconds: int) -> None:
    """Keep a text as a careful developer would in this store."""
    interface: Any = app.session_interface
    if kind == "redis":
        interface.client.set(key, value, ex=seconds)
    elif kind == "sql":
        interface._upsert_session(timedelta(seconds=seconds), {"challenge": value}, key)
    else:
        interface.cache.set(key, value, timeout=seconds)


def take(app: Flask, kind: str, key: str) -> str | None:
    """Return a text once: by GETDEL, or to the caller whose delete removed it."""
    interface: Any = app.session_interface
    if kind == "redis":
        raw = interface.client.getdel(key)
        return None if raw is None else str(raw.decode())
    value = interface.cache.get(key)
    return value if value is not None and interface.cache.delete(key) else None


def folder() -> str:
    """Return a new folder for one subject."""
    return tempfile.mkdtemp(dir=os.environ["BENCH_FOLDER"])
