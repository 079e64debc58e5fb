"""The adapters for the stores behind Flask-Session, each on the real thing."""

from __future__ import annotations

import logging
import os
import pickle
import re
import secrets
import shutil
import socket
import stat
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import race
import services
import sqlalchemy as sa
from cachelib import FileSystemCache, NullCache
from flask import Flask, Request
from flask.sessions import SecureCookieSessionInterface, SessionInterface
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from race import Place
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from flask_passkey.ceremonies.pending import PendingCeremony
from flask_passkey.contracts import CeremonyOutageContract, CeremonyStoreContract, new_key
from flask_passkey.errors import CeremonyStoreUnavailable, ConfigurationError
from flask_passkey.pending import CeremonyStore, store_for
from flask_passkey.pending.base import Adapter
from flask_passkey.pending.ceremonies import PendingCeremonies
from flask_passkey.pending.redis import RedisStore
from flask_passkey.web.outage import guard

pytestmark = pytest.mark.proves("threats:used-twice")

EVERY_BYTE = bytes(range(256))
SQL = [kind for kind in race.KINDS if "sql" in kind or "mariadb" in kind]
#: Stores that drop nothing by themselves, so that we sweep.
SWEPT = ["files", "memory", *SQL]
#: Stores where our own clock decides.
WITH_OUR_CLOCK = [*SWEPT, "mongodb", "dynamodb"]
#: Stores that keep so many records in no time.
FAST = ["files", "memory", *(kind for kind in race.KINDS if kind.startswith(("redis", "memcached")))]
#: Stores that can be away, one for each library that is asked.
LOCAL_OR_ALIKE = ("files", "memory", "sqlite", "-cache", "-serializable", "-select")
ON_SERVERS = [kind for kind in race.KINDS if not kind.endswith(LOCAL_OR_ALIKE)]
NOISY = ("memcached-python", "memcached-cache")
#: The fixture that says where the server is.
SERVERS = {
    "redis": "redis_url",
    "memcached": "memcached_address",
    "postgresql": "postgresql_url",
    "mariadb": "mariadb_url",
    "mongodb": "mongodb_url",
    "dynamodb": "dynamodb_url",
}


def marked(kinds: Iterable[str]) -> list[Any]:
    """Mark the kinds of stores that need a server.

    Let python-memcached, which CacheLib takes where there is no pylibmc, leave its sockets to the garbage collector.
    """
    noise = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
    marks = {
        kind: [pytest.mark.services] * (kind.partition("-")[0] in SERVERS) + [noise] * (kind in NOISY) for kind in kinds
    }
    return [pytest.param(kind, marks=marks[kind]) for kind in kinds]


class Clock:
    """The time that a test wants it to be; the real time at first, as servers have clocks too."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


def both_calls(store: CeremonyStore, key: str) -> tuple[Callable[[], bytes | None], Callable[[], bytes | None]]:
    """Return the two things one can do with a store, a put first."""
    return partial(store.put, key, b"value", lifetime=300), partial(store.claim, key)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture(params=marked(race.KINDS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place of each kind; of some kinds only with :func:`only`."""
    return empty_place(request, tmp_path)


def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a place of the kind that is the fixture's parameter, with a prefix of its own."""
    kind = request.param
    where = f"sqlite:///{tmp_path}/sessions.db" if kind == "sqlite" else str(tmp_path / "sessions")
    if fixture := SERVERS.get(kind.partition("-")[0]):
        where = request.getfixturevalue(fixture)
    return Place(kind, where, f"t{secrets.token_hex(4)}")


@pytest.fixture
def app(place: Place) -> Iterator[Flask]:
    """An app that keeps its sessions there, inside its context."""
    app = race.make_app(place)
    with app.app_context():
        yield app
        if place.kind in SQL:
            app.config["SESSION_SQLALCHEMY"].session.remove()
            app.config["SESSION_SQLALCHEMY"].drop_all()
        race.close(app)


@pytest.fixture
def store(app: Flask, clock: Clock) -> CeremonyStore:
    """The adapter for it."""
    return store_for(app.session_interface, clock=clock)


@pytest.fixture(scope="module")
def arena() -> Iterator[race.Arena]:
    """Two processes of eight threads."""
    arena = race.Arena()
    yield arena
    arena.close()


def only(*kinds: str) -> pytest.MarkDecorator:
    """Run a test on stores of these kinds."""
    return pytest.mark.parametrize("place", marked(kinds), indirect=True)


def records(app: Flask) -> int:
    """Count what is kept for pending ceremonies, expired or not."""
    interface: Any = app.session_interface
    if app.config["SESSION_TYPE"] == "sqlalchemy":
        with app.config["SESSION_SQLALCHEMY"].engine.connect() as connection:
            count: int = connection.scalar(sa.select(sa.func.count()).select_from(table_of(app)))
            return count
    if kept := getattr(interface.cache, "_passkey_records", None):
        return len(kept)
    return len(list(folder_of(app).iterdir()))


def table_of(app: Flask) -> sa.Table:
    """Return Flask-Session's table."""
    interface: Any = app.session_interface
    table: sa.Table = interface.sql_session_model.__table__
    return table


def folder_of(app: Flask) -> Path:
    """Return the folder of our files in the cache's folder."""
    return Path(app.config["SESSION_CACHELIB"]._path) / "passkey.__wz_cache"


class TestEveryStore(CeremonyStoreContract):
    """What the store of pending ceremonies promises, whatever it is."""

    RECORDS = race.RECORDS

    @pytest.fixture
    def store(self, app: Flask, clock: Clock, place: Place) -> CeremonyStore:
        self.app, self.clock, self.place = app, clock, place
        if place.kind not in FAST:
            self.PENDING = race.RECORDS if place.kind in ("mongodb", "dynamodb") else 5 * race.RECORDS
        return store_for(app.session_interface, clock=clock)

    def thread_context(self) -> AbstractContextManager[object]:
        return self.app.app_context()

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        if self.place.kind.startswith("redis"):
            age_in_redis(self.place, seconds)
        elif self.place.kind.startswith("memcached"):
            age_in_memcached(self.place, seconds)

    def test_sessions_are_not_disturbed(self, app: Flask, store: CeremonyStore, clock: Clock) -> None:
        """The app's sessions work beside pending ceremonies and their sweeps; neither sees the other's records."""
        interface: Any = app.session_interface
        key = new_key()
        store.put(key, b"value", lifetime=300)
        name = interface.key_prefix + "someone"
        interface._upsert_session(timedelta(days=31), interface.session_class({"user": 1}), name)
        clock.now += 60
        store.put(new_key(), b"value", lifetime=300)
        assert store.claim("someone") is None
        assert interface._retrieve_session_data(name) == {"user": 1}
        assert store.claim(key) == b"value"

    def test_one_of_several_is_claimed(self, store: Adapter) -> None:
        """Among several names the one that is there is found, wherever it comes, and once."""
        for where in range(3):
            keys = [new_key() for _ in range(3)]
            store.put(keys[where], EVERY_BYTE, lifetime=300)
            assert list(store.claim_each(keys)) == [EVERY_BYTE if here == where else None for here in range(3)]
            assert list(store.claim_each(keys)) == [None] * 3
        assert list(store.claim_each([])) == []

    @pytest.mark.proves("rules:input")
    @pytest.mark.parametrize("odd", ["passkey:{}", "PASSKEY:{}", "p\u00e4sskey:{}"])
    def test_a_ceremony_is_nobodys_session(self, app: Flask, store: CeremonyStore, odd: str) -> None:
        """A cookie with the name of a pending ceremony gets a new session, not what a stranger wrote into that."""
        key = new_key()
        store.put(key, b'{"purpose":"sign-up","name":"root"}', lifetime=300)
        guard(app.session_interface)
        cookie = f"session={odd.format(key)}; other=1".encode().decode("latin-1")
        request = Request({"HTTP_COOKIE": cookie})
        session: Any = app.session_interface.open_session(app, request)
        assert "name" not in session and odd.format(key) != session.sid
        assert dict(request.cookies) == {"other": "1"}

    @pytest.mark.proves("rules:input")
    @only("postgresql", *(kind for kind in race.KINDS if kind.startswith("memcached-p")))
    @pytest.mark.parametrize("odd", ['"\\000"', '"a b"', '"\\177"', "\xe4", "x" * 251])
    def test_odd_session_ids_are_no_outage(self, app: Flask, odd: str) -> None:
        """What no store takes as a name counts as no cookie, instead of as a store that is down."""
        guard(app.session_interface)
        session: Any = app.session_interface.open_session(app, Request({"HTTP_COOKIE": f"session={odd}"}))
        assert not session and session.sid != odd

    @only(*WITH_OUR_CLOCK)
    @pytest.mark.parametrize(("seconds", "value"), [(299, b"value"), (300, None)])
    def test_expiry(self, store: CeremonyStore, clock: Clock, seconds: int, value: bytes | None) -> None:
        """A value can be claimed until its lifetime has passed, and not from then on."""
        key = new_key()
        store.put(key, b"value", lifetime=300)
        clock.now += seconds
        assert store.claim(key) == value

    @only("redis", "redis-cache")
    @pytest.mark.parametrize(("lifetime", "ttl"), [(300, 300), (1, 1), (0, 1)])
    def test_redis_expires_it(self, app: Flask, place: Place, store: CeremonyStore, lifetime: int, ttl: int) -> None:
        """Redis itself drops a record after exactly its lifetime, and none is kept for ever."""
        key = new_key()
        store.put(key, b"value", lifetime=lifetime)
        cache_prefix = "cache:" if place.kind == "redis-cache" else ""
        name = f"{cache_prefix}{place.prefix}:passkey:{key}"
        client = Redis.from_url(place.where)
        assert client.get(name) == b"value"
        assert ttl - 1 < client.pttl(name) / 1000 <= ttl
        client.close()

    @only(*WITH_OUR_CLOCK)
    def test_least_lifetime(self, store: CeremonyStore, clock: Clock) -> None:
        """Nothing is kept for ever: a lifetime of nothing is one second."""
        first, second = new_key(), new_key()
        store.put(first, b"value", lifetime=0)
        store.put(second, b"value", lifetime=0)
        clock.now += 0.5
        assert store.claim(first) == b"value"
        clock.now += 0.5
        assert store.claim(second) is None

    @only(*SWEPT)
    def test_expired_records_are_swept(self, app: Flask, store: CeremonyStore, clock: Clock) -> None:
        """Expired records go with a later put, two minutes after at most; others stay."""
        pending = new_key()
        store.put(pending, b"value", lifetime=300)
        for _ in range(5):
            store.put(new_key(), b"value", lifetime=10)
        assert records(app) == 6
        clock.now += 70
        store.put(new_key(), b"value", lifetime=300)
        assert records(app) == 2
        assert store.claim(pending) == b"value"

    @only(*SWEPT)
    def test_sweeps_are_a_minute_apart(self, app: Flask, store: CeremonyStore, clock: Clock) -> None:
        """A process looks for expired records once a minute, not with every put."""
        store.put(new_key(), b"value", lifetime=300)
        clock.now -= 1000
        store.put(new_key(), b"long expired", lifetime=10)
        clock.now += 1059
        store.put(new_key(), b"value", lifetime=300)
        assert records(app) == 3
        clock.now += 1
        store.put(new_key(), b"value", lifetime=300)
        assert records(app) == 3

    @pytest.mark.slow
    def test_one_of_many_gets_it(
        self, app: Flask, store: CeremonyStore, place: Place, request: pytest.FixtureRequest
    ) -> None:
        """Of 16 threads in 2 processes that claim a record at the same time, exactly one gets it, all of it."""
        # Threads of one process do not meet as easily.
        count = 3_000 if place.kind == "memory" else race.RECORDS
        values = {new_key(): secrets.token_bytes(200) for _ in range(count)}
        for key, value in values.items():
            store.put(key, value, lifetime=300)
        if place.kind == "memory":
            won = race.race_in_one_process(app, place, list(values))
        else:
            # The stand-in for MongoDB refuses to work for more than two at a time.
            one_each = replace(place, where=place.where.replace("maxPoolSize=2", "maxPoolSize=1"))
            won = request.getfixturevalue("arena").race(one_each, list(values))
        assert Counter(key for key, _ in won) == Counter(list(values))
        assert dict(won) == values


@dataclass(frozen=True)
class Outage:
    """A store whose server is down, until somebody starts it, and the app on it."""

    place: Place
    app: Flask
    store: CeremonyStore
    server: Callable[[], AbstractContextManager[str]]


@pytest.fixture(scope="class", params=marked(ON_SERVERS))
def outage(request: pytest.FixtureRequest) -> Iterator[Outage]:
    """An app whose server was there when it started, for the store was tried, and is down now."""
    name = request.param.partition("-")[0]
    server = partial(getattr(services, f"{name}_server"), port=services.free_port())
    with server() as where:
        place = Place(request.param, where + {"mongodb": "&serverSelectionTimeoutMS=300"}.get(name, ""), "outage")
        app = race.make_app(place)
        without_retries(app)
        with app.app_context():
            store = store_for(app.session_interface)
            store.put("key", b"value", lifetime=300)
    with app.app_context():
        yield Outage(place, app, store, server)
    race.close(app)


class TestOutage(CeremonyOutageContract):
    """Every store that has a server, without it."""

    @pytest.fixture
    def unreachable(self, outage: Outage) -> CeremonyStore:
        return outage.store

    def test_reason(self, outage: Outage) -> None:
        """The reason, which is for the log, names the adapter and is one line."""
        with pytest.raises(CeremonyStoreUnavailable) as caught:
            outage.store.claim("key")
        assert re.fullmatch(r"\w+Store: [^\n]+", caught.value.reason)

    def test_comes_back(self, outage: Outage) -> None:
        """With the server back the same adapter works again; what was pending is gone."""
        with outage.server():
            race.close(race.make_app(outage.place))  # creates the tables anew
            assert patiently(partial(outage.store.claim, "key")) is None
            patiently(partial(outage.store.put, "key", b"value", lifetime=300))
            assert outage.store.claim("key") == b"value"


def patiently(call: Callable[[], Any]) -> Any:
    """Call until the store is available; some libraries leave a server alone for a second after a failure."""
    deadline = time.monotonic() + 15
    while True:
        try:
            return call()
        except CeremonyStoreUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def age_in_redis(place: Place, seconds: float) -> None:
    """Let Redis drop a place's records so much earlier, as if the time had passed; one without a TTL stays."""
    with Redis.from_url(place.where) as client:
        for name in client.scan_iter(f"*{place.prefix}:*"):
            if (left := client.pttl(name)) > 0:
                client.pexpire(name, int(left - seconds * 1000))


def age_in_memcached(place: Place, seconds: float) -> None:
    """Do the same in memcached, which lists its records with the time they expire, or -1."""
    for line in ask_memcached(place.where, "lru_crawler metadump all", end=b"END\r\n").splitlines():
        record = dict(part.split("=", 1) for part in line.split() if "=" in part)
        if place.prefix in record.get("key", "") and int(record["exp"]) > 0:
            touch = f"touch {unquote(record['key'])} {int(int(record['exp']) - seconds)}"
            assert ask_memcached(place.where, touch) == "TOUCHED\r\n"


def ask_memcached(address: str, command: str, *, end: bytes = b"\r\n") -> str:
    """Send a command to memcached as it is, and return the answer."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"{command}\r\n".encode())
        answer = b""
        while not answer.endswith(end):
            answer += connection.recv(65536)
        return answer.decode()


def keep_a_sign_in(app: Flask) -> None:
    """Put a pending ceremony as of an anonymous visitor, with names of usual length."""
    rp_id = "accounts.example.com"
    pending = PendingCeremony(purpose="sign-in", rp_id=rp_id, challenge=new_key(), user_verification="required")
    store = PendingCeremonies(lambda: store_for(app.session_interface), rp_id=rp_id)
    store.put(pending, secret=new_key(), lifetime=300)


class TestSize:
    """What a pending ceremony takes, of which anybody can begin as many as they like."""

    @pytest.mark.services
    def test_in_redis(self, redis_url: str) -> None:
        """Not more than 300 bytes of Redis' memory, its own bookkeeping included."""
        keep_a_sign_in(race.make_app(Place("redis", redis_url, "measure")))  # as long as "session"
        with Redis.from_url(redis_url) as client:
            (name,) = client.scan_iter("measure:passkey:*")
            assert 200 < client.memory_usage(name) <= 300
            client.delete(name)

    @only("postgresql")
    def test_in_sql(self, app: Flask) -> None:
        """Not more than 400 bytes of a database's row."""
        keep_a_sign_in(app)
        with app.config["SESSION_SQLALCHEMY"].engine.connect() as connection:
            assert 200 < connection.scalar(sa.text(f"SELECT pg_column_size(t.*) FROM {table_of(app)} t")) <= 400


@only("redis")
def test_race_finds_a_backend_that_reads_then_deletes(app: Flask, place: Place, arena: race.Arena) -> None:
    """The race is hard enough to tell a claim that is not atomic."""
    store = race.open_read_then_delete(app)
    keys = [new_key() for _ in range(50)]
    for key in keys:
        store.put(key, b"value", lifetime=300)
    won = arena.race(place, keys, open_backend=race.open_read_then_delete)
    assert max(Counter(key for key, _ in won).values()) > 1


class TestRedis:
    """Redis, directly or through CacheLib."""

    @only("redis")
    def test_decoding_client(self, app: Flask, store: CeremonyStore, place: Place) -> None:
        """A client that decodes all answers as text makes no difference."""
        with Redis.from_url(place.where, decode_responses=True) as client:
            interface: Any = app.session_interface
            interface.client = client
            key = new_key()
            decoding = RedisStore(interface, time.time)
            decoding.put(key, EVERY_BYTE, lifetime=300)
            assert decoding.claim(key) == EVERY_BYTE
            assert decoding.claim(key) is None
            decoding.put(key, EVERY_BYTE, lifetime=300)
            assert list(decoding.claim_each([new_key(), key])) == [None, EVERY_BYTE]

    @only("redis")
    @pytest.mark.parametrize("value_at", [0, 1])
    def test_an_error_beside_the_value_does_no_harm(self, place: Place, store: Adapter, value_at: int) -> None:
        """A claimed value is not lost where another name has an error, as behind a proxy that has lost one server."""
        keys = [new_key(), new_key()]
        with Redis.from_url(place.where) as client:
            client.rpush(f"{place.prefix}:passkey:{keys[1 - value_at]}", "of another type")
        store.put(keys[value_at], EVERY_BYTE, lifetime=300)
        assert [value for value in store.claim_each(keys) if value is not None] == [EVERY_BYTE]
        with pytest.raises(CeremonyStoreUnavailable, match="WRONGTYPE"):
            list(store.claim_each(keys))

    @only("redis", "redis-cache")
    def test_planted_pickle(self, place: Place, store: CeremonyStore) -> None:
        """A value is never unpickled: who can write to the store cannot run code here."""
        key, bomb = new_key(), b"!" + pickle.dumps(Bomb())
        cache_prefix = "cache:" if place.kind == "redis-cache" else ""
        with Redis.from_url(place.where) as client:
            client.set(f"{cache_prefix}{place.prefix}:passkey:{key}", bomb)
        assert store.claim(key) == bomb

    @pytest.mark.services
    def test_before_6_2(self) -> None:
        """A server that has no GETDEL is refused with a reason that names it, and the record stays."""
        with services.redis_server("--rename-command", "GETDEL", "") as url:
            app = race.make_app(Place("redis", url, "old"))
            store = store_for(app.session_interface)
            store.put("key", b"value", lifetime=300)
            with pytest.raises(CeremonyStoreUnavailable, match="GETDEL"):
                store.claim("key")
            with pytest.raises(CeremonyStoreUnavailable, match="GETDEL"):
                list(RedisStore(app.session_interface, time.time).claim_each(["key", "other"]))
            assert app.config["SESSION_REDIS"].get("old:passkey:key") == b"value"


class Bomb:
    """Fails the test when it is unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("unpickled",)


def without_retries(app: Flask) -> None:
    """Let an app's Redis client give up at once."""
    interface: Any = app.session_interface
    client = getattr(interface, "client", None) or getattr(interface.cache, "_write_client", None)
    if isinstance(client, Redis):
        client.connection_pool.connection_kwargs["retry"] = Retry(NoBackoff(), 0)


@only("files")
class TestFiles:
    """The files beside those of a FileSystemCache."""

    def test_cache_threshold(self, app: Flask, store: CeremonyStore) -> None:
        """A cache that keeps 10 records and prunes all the time costs no pending ceremony."""
        keys = [new_key() for _ in range(200)]
        for key in keys:
            store.put(key, key.encode(), lifetime=300)
            app.config["SESSION_CACHELIB"].set(key, "a session", timeout=10**6)
        assert [store.claim(key) for key in keys] == [key.encode() for key in keys]

    def test_name_like_a_path(self, app: Flask, store: CeremonyStore) -> None:
        """Whatever a name looks like, its file is in the folder."""
        store.put("../../escaped", b"value", lifetime=300)
        assert len(list(folder_of(app).iterdir())) == 1
        assert store.claim("../../escaped") == b"value"

    def test_cleared_cache(self, app: Flask, store: CeremonyStore) -> None:
        """The cache takes our folder neither for a record of its own nor for rubbish."""
        key = new_key()
        store.put(key, b"value", lifetime=300)
        assert app.config["SESSION_CACHELIB"].clear()
        assert store.claim(key) == b"value"

    def test_private(self, app: Flask, store: CeremonyStore) -> None:
        """No other user of the machine can read or list pending ceremonies, whatever the umask."""
        before = os.umask(0)
        try:
            store.put(new_key(), b"value", lifetime=300)
        finally:
            os.umask(before)
        (file,) = folder_of(app).iterdir()
        assert stat.S_IMODE(folder_of(app).stat().st_mode) == 0o700
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_bytes() == b"value"

    def test_nothing_left(self, app: Flask, store: CeremonyStore, clock: Clock) -> None:
        """A claim leaves no file behind, neither in time nor too late."""
        early, late = new_key(), new_key()
        store.put(early, b"value", lifetime=300)
        store.put(late, b"value", lifetime=300)
        store.claim(early)
        clock.now += 300
        store.claim(late)
        assert list(folder_of(app).iterdir()) == []

    def test_deleted_folder(self, store: CeremonyStore, place: Place) -> None:
        """When somebody deletes the folder, what was pending is gone, and all goes on."""
        key = new_key()
        store.put(key, b"value", lifetime=300)
        shutil.rmtree(place.where)
        assert store.claim(key) is None
        store.put(key, b"value", lifetime=300)
        assert store.claim(key) == b"value"

    def test_unfinished_file(self, app: Flask, store: CeremonyStore, clock: Clock) -> None:
        """A file that a crash left half-written is left alone for a minute, as it may yet be finished, then swept."""
        store.put(new_key(), b"value", lifetime=300)
        unfinished = folder_of(app) / "unfinished"
        clock.now += 60
        unfinished.touch()
        os.utime(unfinished, (clock.now, clock.now))
        store.put(new_key(), b"value", lifetime=300)
        assert unfinished.exists()
        clock.now += 60
        store.put(new_key(), b"value", lifetime=300)
        assert not unfinished.exists()

    def test_full_disk(self, store: CeremonyStore, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
        """A put that fails half-way is refused as such, and nothing of it can be claimed."""

        def no_space(*args: Any) -> None:
            raise OSError(28, "No space left on device")

        key = new_key()
        with monkeypatch.context() as patch:
            patch.setattr("flask_passkey.pending.files.os.utime", no_space)
            with pytest.raises(CeremonyStoreUnavailable, match="No space left"):
                store.put(key, b"value", lifetime=300)
        clock.now = time.time() + 1
        assert store.claim(key) is None

    def test_outage(self, store: CeremonyStore, place: Place) -> None:
        """Without its folder, or a way to make one, the store is unavailable; with it back all goes on."""
        key = new_key()
        shutil.rmtree(place.where)
        Path(place.where).write_text("not a folder")
        for call in both_calls(store, key):
            with pytest.raises(CeremonyStoreUnavailable, match="Not a directory|File exists"):
                call()
        Path(place.where).unlink()
        store.put(key, b"value", lifetime=300)
        assert store.claim(key) == b"value"

    def test_sweep_that_fails(
        self, app: Flask, store: CeremonyStore, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A put does not fail because the sweep after it does; the log says so."""
        obstacle = folder_of(app) / "a folder, which cannot be removed as a file"
        obstacle.mkdir(parents=True)
        os.utime(obstacle, (0, 0))
        key = new_key()
        store.put(key, b"value", lifetime=300)
        assert "could not be removed" in caplog.text
        assert store.claim(key) == b"value"


class TestSQL:
    """Flask-Session's table."""

    @only("sqlite", "postgresql", "mariadb")
    def test_pending_work_of_the_app(self, app: Flask, store: CeremonyStore) -> None:
        """What the app has added to its own session is neither written, nor committed, nor rolled back by us."""
        db, interface = app.config["SESSION_SQLALCHEMY"], app.session_interface
        row = add_session_row(db, interface)
        key = new_key()
        store.put(key, b"value", lifetime=300)
        assert store.claim(key) == b"value"
        assert list(db.session.new) == [row]
        db.session.commit()
        assert records(app) == 1

    @only("postgresql", "mariadb")
    def test_open_transaction_of_the_app(self, app: Flask, store: CeremonyStore) -> None:
        """What the app has written but not committed stays so: it can still be rolled back, and others don't see it."""
        db = app.config["SESSION_SQLALCHEMY"]
        add_session_row(db, app.session_interface)
        db.session.flush()
        key = new_key()
        store.put(key, b"value", lifetime=300)
        assert store.claim(key) == b"value"
        assert records(app) == 0
        db.session.rollback()
        assert records(app) == 0

    @only("sqlite")
    def test_locked_by_the_app(self, app: Flask, store: CeremonyStore) -> None:
        """On SQLite, where an open write of the app locks us out, the store is unavailable and the work survives."""
        db = app.config["SESSION_SQLALCHEMY"]
        sa.event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 50"))
        db.engine.dispose()
        add_session_row(db, app.session_interface)
        db.session.flush()
        for call in both_calls(store, "key"):
            with pytest.raises(CeremonyStoreUnavailable, match="database is locked"):
                call()
        db.session.commit()
        assert records(app) == 1
        store.put("key", b"value", lifetime=300)
        assert store.claim("key") == b"value"

    @only("postgresql")
    def test_dead_connections(self, app: Flask, store: CeremonyStore, postgresql_url: str) -> None:
        """Connections in the pool that the server has closed meanwhile are replaced unnoticed."""
        db, key = app.config["SESSION_SQLALCHEMY"], new_key()
        for call in both_calls(store, key):
            db.session.remove()
            hang_up(db.engine, postgresql_url)
            value = call()
        assert value == b"value"

    @only("sqlite")
    def test_whole_seconds(self, app: Flask, store: CeremonyStore, clock: Clock) -> None:
        """The expiry is rounded up, as MySQL drops the fraction, and the last second with it."""
        clock.now += 0.25
        store.put("key", b"value", lifetime=300)
        with app.config["SESSION_SQLALCHEMY"].engine.connect() as connection:
            expiry = connection.scalar(sa.select(table_of(app).c.expiry))
        assert expiry.replace(tzinfo=UTC).timestamp() == clock.now - 0.25 + 301

    @only(*SQL)
    def test_others_expired_sessions(self, app: Flask, store: CeremonyStore, clock: Clock) -> None:
        """A sweep removes records of pending ceremonies, never an expired session, which is Flask-Session's."""
        others = add_expired_sessions(app, clock)
        store.put(new_key(), b"value", lifetime=1)
        clock.now += 3600
        store.put(new_key(), b"value", lifetime=300)
        assert records(app) == others + 1

    @only("postgresql", "mariadb")
    def test_sweep_where_text_is_sorted_as_people_do(
        self, app: Flask, store: CeremonyStore, clock: Clock, place: Place
    ) -> None:
        """All expired records of ours, and only they, are swept also where ``a < B < c``, as always in MariaDB."""
        if place.kind == "postgresql":
            change = f'ALTER TABLE {table_of(app)} ALTER session_id TYPE varchar(255) COLLATE "en-x-icu"'
            with app.config["SESSION_SQLALCHEMY"].engine.begin() as connection:
                connection.execute(sa.text(change))
        others = add_expired_sessions(app, clock)
        for first in "-_019AZaz":
            store.put(first + new_key()[1:], b"value", lifetime=10)
        clock.now += 60
        store.put(new_key(), b"value", lifetime=300)
        assert records(app) == others + 1

    @only("sqlite", "postgresql", "mariadb")
    def test_sweep_with_wildcards_in_the_prefix(self, app: Flask, clock: Clock) -> None:
        """A key prefix with characters that mean something to LIKE is taken literally."""
        interface: Any = app.session_interface
        interface.key_prefix = "\\%_:"
        store = store_for(interface, clock=clock)
        store.put(new_key(), b"value", lifetime=10)
        clock.now += 60
        store.put(new_key(), b"value", lifetime=300)
        assert records(app) == 1

    @only("sqlite", "postgresql", "mariadb")
    def test_no_secret_in_errors(self, store: CeremonyStore) -> None:
        """An error of the database, which the app may log with its traceback, doesn't show the challenge."""
        challenge = secrets.token_urlsafe()
        store.put("key", challenge.encode(), lifetime=300)
        with pytest.raises(CeremonyStoreUnavailable) as caught:
            store.put("key", challenge.encode(), lifetime=300)
        text = "".join(traceback.format_exception(caught.value))
        assert re.search("IntegrityError|UniqueViolation 23505", text)
        assert challenge not in text
        assert "ValuesWithheld" in text
        assert "\n" not in caught.value.reason

    @pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")
    def test_bind_key(self, tmp_path: Path) -> None:
        """Records go to the database that Flask-Session's bind key names, not to the app's."""
        app = Flask("bound")
        binds = {"sessions": f"sqlite:///{tmp_path}/sessions.db"}
        app.config.update(SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/app.db", SQLALCHEMY_BINDS=binds)
        db = SQLAlchemy(app)
        app.config.update(SESSION_TYPE="sqlalchemy", SESSION_SQLALCHEMY=db, SESSION_SQLALCHEMY_BIND_KEY="sessions")
        Session(app)
        with app.app_context():
            store_for(app.session_interface).put("key", b"value", lifetime=300)
            with db.engines["sessions"].connect() as connection:
                rows = connection.execute(sa.select(table_of(app).c.session_id, table_of(app).c.data)).all()
        race.close_databases(app)
        assert rows == [("session:passkey:key", b"value")]


def add_session_row(db: Any, interface: Any) -> Any:
    """Add a row to the app's own session, as an app does with its models."""
    row = interface.sql_session_model("a row of the app", b"", datetime.now(UTC).replace(tzinfo=None))
    db.session.add(row)
    return row


def add_expired_sessions(app: Flask, clock: Clock) -> int:
    """Add rows that expired a day ago, under names that are almost like ours, and return how many."""
    interface: Any = app.session_interface
    prefix = interface.key_prefix
    expiry = datetime.fromtimestamp(clock.now, UTC).replace(tzinfo=None) - timedelta(days=1)
    names = [f"{prefix}someone", f"{prefix}passkey", f"{prefix}passkez:x", f"{prefix.upper()}PASSKEY:x"]
    with app.config["SESSION_SQLALCHEMY"].engine.begin() as connection:
        rows = [{"session_id": name, "data": b"", "expiry": expiry} for name in names]
        connection.execute(table_of(app).insert(), rows)
    return len(names)


def hang_up(engine: sa.Engine, url: str) -> None:
    """Let PostgreSQL close all connections of an engine's pool."""
    with engine.connect() as connection:
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
    other = sa.create_engine(url)
    with other.connect() as connection:
        assert connection.scalar(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    other.dispose()


class Proxy(SessionInterface):
    """Stands in front of another interface, and passes for it."""

    def __init__(self, inner: SessionInterface) -> None:
        self._inner = inner

    def __getattribute__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_inner"), name)


class TestBackendFor:
    """The choice of the adapter."""

    def test_cookie_sessions(self) -> None:
        """Flask's sessions in the browser are refused, with the lines to write."""
        with pytest.raises(ConfigurationError) as caught:
            store_for(SecureCookieSessionInterface())
        for line in ("pip install flask-session", 'SESSION_TYPE"] = "redis"', "Session(app)", "cookie"):
            assert line in str(caught.value)

    def test_unknown_interface(self) -> None:
        """An interface of the app's own is refused by name, with what is known instead."""
        with pytest.raises(ConfigurationError, match=r"flask\.sessions\.SessionInterface is not known"):
            store_for(SessionInterface())

    def test_unknown_cache(self) -> None:
        """A CacheLib cache that has no adapter is refused by name: no safe claim is known for it."""
        app = Flask("unknown")
        app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=NullCache())
        Session(app)
        with pytest.raises(
            ConfigurationError, match=r"NullCache is not known[\s\S]*FileSystemCache[\s\S]*ceremony_store="
        ):
            store_for(app.session_interface)

    def test_proxy(self, tmp_path: Path) -> None:
        """An interface that stands in front of another gets the adapter of the other."""
        app = race.make_app(Place("sqlite", f"sqlite:///{tmp_path}/db", "proxy"))
        with app.app_context():
            store_for(Proxy(app.session_interface)).put("key", b"value", lifetime=300)
            assert store_for(app.session_interface).claim("key") == b"value"
        race.close_databases(app)
        with pytest.raises(ConfigurationError, match="cookie"):
            store_for(Proxy(SecureCookieSessionInterface()))

    @pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
    def test_filesystem_type(self, tmp_path: Path) -> None:
        """SESSION_TYPE "filesystem", which Flask-Session is about to drop, works too."""
        app = Flask("filesystem")
        app.config.update(SESSION_TYPE="filesystem", SESSION_FILE_DIR=str(tmp_path / "sessions"))
        Session(app)
        store = store_for(app.session_interface)
        store.put("key", b"value", lifetime=300)
        assert (tmp_path / "sessions" / "passkey.__wz_cache").is_dir()
        assert store.claim("key") == b"value"

    def test_two_apps_in_one_store(self, tmp_path: Path) -> None:
        """Apps with different key prefixes do not find each other's records."""
        cache = FileSystemCache(str(tmp_path))
        stores = []
        for prefix in ("one:", "two:"):
            app = Flask(prefix)
            app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=cache, SESSION_KEY_PREFIX=prefix)
            Session(app)
            stores.append(store_for(app.session_interface))
        stores[0].put("key", b"value", lifetime=300)
        assert stores[1].claim("key") is None
        assert stores[0].claim("key") == b"value"

    @only("memory")
    def test_memory_warns(self, app: Flask, caplog: pytest.LogCaptureFixture) -> None:
        """SimpleCache is accepted with a warning that it is for one process and drops records."""
        with caplog.at_level(logging.WARNING, "flask_passkey.pending"):
            store_for(app.session_interface)
        assert "one process" in caplog.text
        assert "above 500 records" in caplog.text
