"""Apps on every store there is an adapter for, and a race of threads in several processes for the same records.

Processes are spawned, so this module is imported again in each of them and everything they get is picklable.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from cachelib import BaseCache, FileSystemCache, MemcachedCache, RedisCache, SimpleCache
from flask import Flask
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from redis import Redis

from flask_passkey.pending import CeremonyStore, store_for

#: What a process races for, given the app.
Open = Callable[[Flask], CeremonyStore]

#: Seconds the others wait for a thread before they give up.
PATIENCE = 60
#: How many records are raced for.
RECORDS = int(os.environ.get("PASSKEY_TEST_RACE", "10"))


@dataclass(frozen=True)
class Place:
    """Where an app keeps its sessions."""

    #: One of :data:`KINDS`.
    kind: str
    #: URL or folder.
    where: str
    #: Sets this app's records apart from those of others in the same server.
    prefix: str


def _redis(app: Flask, place: Place) -> dict[str, Any]:
    return {"SESSION_TYPE": "redis", "SESSION_REDIS": Redis.from_url(place.where)}


def _cachelib(cache: BaseCache) -> dict[str, Any]:
    return {"SESSION_TYPE": "cachelib", "SESSION_CACHELIB": cache}


def _sql(app: Flask, place: Place, **engine_options: Any) -> dict[str, Any]:
    app.config.update(
        SQLALCHEMY_DATABASE_URI=place.where, SQLALCHEMY_ENGINE_OPTIONS={"pool_size": 10, **engine_options}
    )
    db = SQLAlchemy(app)
    return {"SESSION_TYPE": "sqlalchemy", "SESSION_SQLALCHEMY": db, "SESSION_SQLALCHEMY_TABLE": place.prefix}


def _memcached(place: Place) -> Any:
    host, _, port = place.where.partition(":")
    if place.kind == "memcached-pymemcache":
        from pymemcache.client.base import PooledClient

        return PooledClient((host, int(port)), timeout=10)
    if place.kind == "memcached-pylibmc":
        import pylibmc

        return pylibmc.Client([place.where], behaviors={"retry_timeout": 1})
    import memcache

    return memcache.Client([place.where], dead_retry=0)


def _mongodb(app: Flask, place: Place) -> dict[str, Any]:
    from pymongo import MongoClient

    client: Any = MongoClient(place.where)
    return {"SESSION_TYPE": "mongodb", "SESSION_MONGODB": client, "SESSION_MONGODB_COLLECT": place.prefix}


def _dynamodb(app: Flask, place: Place) -> dict[str, Any]:
    import boto3
    from botocore.config import Config

    keys = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "test")
    patience = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 1}, max_pool_connections=16)
    resource = boto3.resource("dynamodb", endpoint_url=place.where, region_name="eu-west-1", config=patience, **keys)
    return {"SESSION_TYPE": "dynamodb", "SESSION_DYNAMODB": resource, "SESSION_DYNAMODB_TABLE": place.prefix}


#: Flask-Session's configuration for each kind of store.
KINDS: dict[str, Callable[[Flask, Place], dict[str, Any]]] = {
    "redis": _redis,
    "redis-cache": lambda _, place: _cachelib(RedisCache(Redis.from_url(place.where), key_prefix="cache:")),
    "files": lambda _, place: _cachelib(FileSystemCache(place.where, threshold=10)),
    "memory": lambda _, place: _cachelib(SimpleCache()),
    "sqlite": _sql,
    "postgresql": _sql,
    "postgresql-serializable": lambda app, place: _sql(app, place, isolation_level="SERIALIZABLE"),
    "mariadb": _sql,
    # As on MySQL, which cannot return what it deletes.
    "mariadb-select": _sql,
    "memcached-pymemcache": lambda _, place: {"SESSION_TYPE": "memcached", "SESSION_MEMCACHED": _memcached(place)},
    "memcached-pylibmc": lambda _, place: {"SESSION_TYPE": "memcached", "SESSION_MEMCACHED": _memcached(place)},
    "memcached-python": lambda _, place: {"SESSION_TYPE": "memcached", "SESSION_MEMCACHED": _memcached(place)},
    "memcached-cache": lambda _, place: _cachelib(MemcachedCache([place.where], key_prefix="cache:")),
    "mongodb": _mongodb,
    "dynamodb": _dynamodb,
}
if not importlib.util.find_spec("pylibmc"):  # there are no wheels of it from Python 3.12 on
    del KINDS["memcached-pylibmc"]


def make_app(place: Place) -> Flask:
    """Return an app that keeps its sessions at a place."""
    app = Flask("race")
    app.config.update(SESSION_KEY_PREFIX=f"{place.prefix}:", **KINDS[place.kind](app, place))
    _when_not_busy(partial(Session, app))
    if place.kind.endswith("-select"):
        with app.app_context():
            app.config["SESSION_SQLALCHEMY"].engine.dialect.delete_returning = False
    return app


def _when_not_busy(start: Callable[[], object]) -> None:
    """Start Flask-Session, which makes an index in MongoDB; its stand-in may be too busy with others."""
    for _ in range(100):
        try:
            start()
            return
        except Exception as exc:
            if "WriteConflict" not in repr(exc):
                raise
            time.sleep(0.02)
    raise RuntimeError("the store stayed busy")


def close_databases(app: Flask) -> None:
    """Close an app's connections to its databases, which Python 3.13 asks for."""
    with app.app_context():
        for engine in app.config["SESSION_SQLALCHEMY"].engines.values():
            engine.dispose()


def close(app: Flask) -> None:
    """Close an app's connections to the store of its sessions."""
    if app.config["SESSION_TYPE"] == "sqlalchemy":
        close_databases(app)
    interface: Any = app.session_interface
    client = getattr(interface, "client", None) or getattr(interface.cache, "_client", None)
    for name in ("close", "disconnect_all"):
        getattr(type(client), name, lambda client: None)(client)


@dataclass(frozen=True)
class Task:
    """What to race for; every process makes an app and an adapter of its own for it."""

    place: Place
    keys: list[str]
    open_backend: Open


def open_backend(app: Flask) -> CeremonyStore:
    """Return the adapter that is to be tested."""
    return store_for(app.session_interface)


def contend(app: Flask, store: CeremonyStore, keys: list[str], barrier: threading.Barrier) -> list[tuple[str, bytes]]:
    """Meet the others before each record, try to claim it, and return what was won."""
    won = []
    with app.app_context():
        for key in keys:
            barrier.wait(PATIENCE)
            value = store.claim(key)
            if value is not None:
                won.append((key, value))
    return won


def contend_in_threads(task: Task, barrier: threading.Barrier, app: Flask | None = None) -> list[tuple[str, bytes]]:
    """Let as many threads contend as the barrier is for, and return what they won together."""
    app = app or make_app(task.place)
    store = task.open_backend(app)
    with ThreadPoolExecutor(barrier.parties) as pool:
        contenders = [pool.submit(contend, app, store, task.keys, barrier) for _ in range(barrier.parties)]
        for contender in as_completed(contenders):
            if contender.exception():
                barrier.abort()
        return [record for contender in contenders for record in contender.result()]


def contend_in_process(threads: int, others: Any, tasks: Any, results: Any) -> None:
    """Do task after task; ``others`` is the barrier at which the processes meet."""
    for task in iter(tasks.get, None):
        try:
            barrier = threading.Barrier(threads, action=lambda: others.wait(PATIENCE))
            results.put(contend_in_threads(task, barrier))
        except Exception as exc:
            others.abort()
            results.put(RuntimeError(repr(exc)))


class Arena:
    """Processes that wait for races. They are started once, as most of their time goes into imports.

    :param processes: how many.
    :param threads: how many contend in each of them.
    """

    def __init__(self, *, processes: int = 2, threads: int = 8) -> None:
        context = multiprocessing.get_context("spawn")
        self._others, self._results = context.Barrier(processes), context.Queue()
        self._tasks = [context.Queue() for _ in range(processes)]
        common = (threads, self._others)
        self._processes = [
            context.Process(target=contend_in_process, args=(*common, tasks, self._results)) for tasks in self._tasks
        ]
        for process in self._processes:
            process.start()

    def race(self, place: Place, keys: list[str], *, open_backend: Open = open_backend) -> list[tuple[str, bytes]]:
        """Return all that was won in all processes.

        :raises RuntimeError: something went wrong in one of them.
        """
        for tasks in self._tasks:
            tasks.put(Task(place, keys, open_backend))
        answers = [self._results.get(timeout=2 * PATIENCE) for _ in self._processes]
        self._others.reset()
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [record for answer in answers for record in answer]

    def close(self) -> None:
        """Send the processes home."""
        for tasks, process in zip(self._tasks, self._processes, strict=True):
            tasks.put(None)
            process.join(PATIENCE)
            process.terminate()
            process.join()


def race_in_one_process(app: Flask, place: Place, keys: list[str], *, threads: int = 8) -> list[tuple[str, bytes]]:
    """Do the same with threads only, which take turns as often as they can."""
    with switching_threads_every(1e-6):
        return contend_in_threads(Task(place, keys, open_backend), threading.Barrier(threads), app)


@contextmanager
def switching_threads_every(seconds: float) -> Iterator[None]:
    """Set the interpreter's switch interval for a while."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class ReadThenDelete:
    """How not to do it: with the two calls that session interfaces have."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        """Keep a value."""
        self._client.set(key, value, ex=lifetime)

    def claim(self, key: str) -> bytes | None:
        """Return a value to everyone who asks soon enough."""
        value: bytes | None = self._client.get(key)
        self._client.delete(key)
        return value


def open_read_then_delete(app: Flask) -> CeremonyStore:
    """Return the adapter that a race must find out."""
    return ReadThenDelete(app.config["SESSION_REDIS"])
