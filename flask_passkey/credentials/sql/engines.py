"""Our own engine for a database URL, with the settings that each database needs to be dependable."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from ...errors import ConfigurationError
from . import kept
from .connections import DRIVER, SINGLE_STATEMENTS, WRITERS
from .drivers import driver_for
from .inspection import is_in_memory
from .turns import PATIENCE, Queue

#: Seconds to wait for a server to answer, and for a free connection.
_TIMEOUT = 5
_CONNECTING = {"connect_timeout": _TIMEOUT}
#: TCP keepalive: notice a host that died silently. By default TCP waits for a quarter of an hour.
_KEEPALIVE = {
    "tcp_user_timeout": _TIMEOUT * 1000,
    "keepalives_idle": 5,
    "keepalives_interval": 1,
    "keepalives_count": 5,
}
#: Until it is known that no pooler is in between.
_UNPREPARED = {"prepare_threshold": None}
#: After how many executions psycopg prepares a statement then: its own default.
_PREPARE_AFTER = 5
#: Connections in the pool, for as many threads; each is opened when it is first needed, and kept. By default all above
#: five are closed after each use, so that more threads open new ones all the time.
_CONNECTIONS = 15
_USED = "passkey_used_at"
#: The arguments that each driver takes.
_OPTIONS: dict[str, dict[str, Any]] = {
    "psycopg": _CONNECTING | _KEEPALIVE | _UNPREPARED,
    "psycopg2": _CONNECTING | _KEEPALIVE,
    "pymysql": _CONNECTING,
    "mysqldb": _CONNECTING,
}
_EXAMPLE = "Write PASSKEY_DATABASE_URI = 'postgresql+psycopg://user:password@host/database'"


def engine_for(uri: str) -> Engine:
    """Return an engine that connects when it is first used.

    :raises ConfigurationError: the URL or its driver is unknown; the message never holds the URL's password.
    """
    try:
        url = make_url(uri)
        engine = _sqlite_engine(url) if url.get_backend_name() == "sqlite" else _server_engine(url)
    except NoSuchModuleError:
        raise ConfigurationError(f"PASSKEY_DATABASE_URI has an unknown start, {url.drivername!r}. {_EXAMPLE}") from None
    except ArgumentError:
        raise ConfigurationError(f"PASSKEY_DATABASE_URI is not a database URL. {_EXAMPLE}") from None
    except ImportError as exc:
        raise ConfigurationError(f"PASSKEY_DATABASE_URI needs a driver: pip install {exc.name}") from exc
    engine.update_execution_options(**{DRIVER: driver_for(engine)})
    return engine


def _server_engine(url: URL) -> Engine:
    """Return an engine with time limits that tests pooled connections which were not used for a while."""
    known = _OPTIONS.get(url.get_driver_name(), {})
    arguments = {name: value for name, value in known.items() if name not in url.query}
    is_psycopg, is_told = url.get_driver_name() == "psycopg", "prepare_threshold" in url.query
    if is_psycopg and is_told:
        arguments["prepare_threshold"] = _threshold(url)
        url = url.difference_update_query(["prepare_threshold"])
    options: dict[str, Any] = {"connect_args": arguments}
    if url.get_backend_name() in ("mysql", "mariadb"):
        # MySQL's default, REPEATABLE READ, locks the gaps between keys: simultaneous registrations would deadlock.
        options["isolation_level"] = "READ COMMITTED"
    if url.get_backend_name() == "postgresql":
        options["execution_options"] = {SINGLE_STATEMENTS: True}
    engine = create_engine(
        url, pool_size=_CONNECTIONS, max_overflow=0, pool_timeout=_TIMEOUT, hide_parameters=True, **options
    )
    if is_psycopg and not is_told:
        event.listen(engine, "connect", _prepare_without_pooler)
    _test_after_silence(engine)
    return engine


def _prepare_without_pooler(connection: Any, _: object) -> None:
    """Have psycopg prepare statements where it is connected to the server itself.

    PgBouncer may give the next transaction another connection to the server, which has not prepared the statement. Such
    a pooler answers for the server, so the process that it has named is not the one that runs our statements.
    """
    connection.autocommit = True
    (process,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.autocommit = False
    if process == connection.info.backend_pid:
        connection.prepare_threshold = _PREPARE_AFTER


def _test_after_silence(engine: Engine) -> None:
    """Test a connection before its use unless it was in use a moment ago, as a test costs a way to the server and back.

    The server may have been restarted. Where that takes less than a moment, the next read finds out, and is repeated.
    """

    def note(_: object, record: ConnectionPoolEntry) -> None:
        record.info[_USED] = record.info.pop(kept.UNUSED_SINCE, None) or time.monotonic()

    def test(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
        now = time.monotonic()
        if now - record.info.get(_USED, now) < kept.SILENCE:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as exc:
            raise InvalidatePoolError("the server was restarted, or is gone") from exc

    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", test)


def _threshold(url: URL) -> int | None:
    """Return after how many executions psycopg prepares a statement; it takes numbers, and URLs hold text."""
    text = str(url.query["prepare_threshold"])
    if text.lower() in ("", "none"):
        return None
    if not text.isdecimal():
        raise ConfigurationError(
            f"prepare_threshold in PASSKEY_DATABASE_URI is {text!r}, not a number. Write prepare_threshold=5, or leave "
            "it out: then statements are prepared on the server unless a pooler is in between"
        )
    return int(text)


def _sqlite_engine(url: URL) -> Engine:
    """Return an engine on which readers and one writer work at the same time, and writers wait for each other."""
    in_memory = is_in_memory(url)
    # A database in memory exists in one connection: keep one, and let threads take turns.
    pool = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0} if in_memory else {}
    engine = create_engine(
        url,
        connect_args={"timeout": PATIENCE, "check_same_thread": False},
        pool_timeout=_TIMEOUT,
        hide_parameters=True,
        paramstyle="named",
        **({"pool_size": _CONNECTIONS, "max_overflow": 0} | pool),
    )
    engine.update_execution_options(**{WRITERS: Queue()})
    event.listen(engine, "connect", _set_pragmas)
    if not in_memory and "uri" not in url.query:
        file = Path(str(url.database))
        event.listen(engine, "do_connect", lambda *_: _create_private(file))
    return engine


def _create_private(file: Path) -> None:
    """Create a missing database file, and missing folders, for their owner only; SQLite's other files get its mode."""
    if file.exists():
        return
    for folder in reversed(file.parents):
        if not folder.exists():
            folder.mkdir(0o700, exist_ok=True)
    with suppress(FileExistsError):  # another process was faster
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))


def _set_pragmas(connection: Any, _: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON").close()
    connection.execute("PRAGMA synchronous=NORMAL").close()
    # Of processes that start together on a new file one sets the mode for all; in the others SQLite raises at once.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode=WAL").close()


def of_this_process(engine: Engine) -> Callable[[], Engine]:
    """Return what gives the engine without connections that a forked process has inherited: two cannot share one.

    Python's own hook would do for ``gunicorn --preload``; but uWSGI forks without running it.
    """
    pid = os.getpid()

    def engine_now() -> Engine:
        nonlocal pid
        if pid != (current := os.getpid()):
            if (driver := engine.get_execution_options().get(DRIVER)) is not None:
                driver.kept.forget()
            engine.dispose(close=False)
            if (writers := engine.get_execution_options().get(WRITERS)) is not None:
                writers.forget()
            pid = current
        return engine

    return engine_now
