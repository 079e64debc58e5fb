"""The clients that apps give to Flask-Session: which are fine, which are refused, and what each is used for."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import race
import services
import valkey
from cachelib import FileSystemCache, MemcachedCache, RedisCache
from flask import Flask
from flask_session import Session
from libmc import Client as Libmc
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.client.retrying import RetryingClient
from pymongo.errors import OperationFailure
from race import Place
from redis import Redis, RedisCluster, Sentinel

from flask_passkey.contracts import new_key
from flask_passkey.errors import CeremonyStoreUnavailable, ConfigurationError
from flask_passkey.pending import CeremonyStore, store_for
from flask_passkey.pending.redis import RedisCacheStore


def backend_with(**config: Any) -> CeremonyStore:
    """Return the adapter of an app with this configuration of Flask-Session."""
    app = Flask("clients")
    app.config.update(config)
    Session(app)
    return store_for(app.session_interface, config=app.config)


def claims_once(store: CeremonyStore) -> bool:
    """Tell whether a record comes back once."""
    key = new_key()
    store.put(key, b"value", lifetime=300)
    return [store.claim(key), store.claim(key)] == [b"value", None]


def ask(address: str, command: str) -> str:
    """Send a line to memcached and return the line it answers."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection, connection.makefile("rw") as lines:
        lines.write(command + "\r\n")
        lines.flush()
        return lines.readline().strip()


@contextmanager
def cluster() -> Iterator[RedisCluster]:
    """Run a Redis cluster of one, and yield its client."""
    with services.redis_server("--cluster-enabled", "yes") as url:
        with Redis.from_url(url) as node:
            node.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
            deadline = time.monotonic() + services.PATIENCE
            while node.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                assert time.monotonic() < deadline
                time.sleep(0.05)
        client = RedisCluster.from_url(url)
        yield client
        client.close()


class TestRedisClients:
    """SESSION_REDIS."""

    @pytest.mark.services
    def test_sentinel(self, redis_url: str) -> None:
        """The client of a master that a Sentinel names is like any other."""
        with services.redis_sentinel(redis_url) as port:
            sentinel: Any = Sentinel([("127.0.0.1", port)])  # type: ignore[no-untyped-call]
            client = sentinel.master_for("mine")
            assert claims_once(backend_with(SESSION_TYPE="redis", SESSION_REDIS=client))
            client.close()
            sentinel.sentinels[0].close()

    @pytest.mark.filterwarnings("ignore:No valid Redis instance:RuntimeWarning")
    @pytest.mark.parametrize("client", [valkey.Valkey(), "redis://db.example.com"], ids=["valkey", "text"])
    def test_replaced_by_localhost(self, client: Any) -> None:
        """A client that Flask-Session replaces by one for localhost is refused, with what to write instead."""
        with pytest.raises(ConfigurationError, match="does not use SESSION_REDIS") as caught:
            backend_with(SESSION_TYPE="redis", SESSION_REDIS=client)
        assert f"{type(client).__module__}.{type(client).__name__}" in str(caught.value)
        assert "SESSION_REDIS = redis.Redis.from_url(" in str(caught.value)

    @pytest.mark.filterwarnings("ignore:No valid Redis instance:RuntimeWarning")
    @pytest.mark.services
    def test_cluster(self) -> None:
        """A cluster, which Flask-Session replaces, too, works behind CacheLib, as the refusal says."""
        with cluster() as client:
            with pytest.raises(ConfigurationError, match=r"cachelib\.RedisCache\(redis\.RedisCluster"):
                backend_with(SESSION_TYPE="redis", SESSION_REDIS=client)
            store = backend_with(SESSION_TYPE="cachelib", SESSION_CACHELIB=RedisCache(client))
            assert claims_once(store) and isinstance(store, RedisCacheStore)
            store.put("key", b"value", lifetime=300)
            # One after the other, so a node that is down spoils no claim on others.
            claims = store.claim_each(["key", "other"])
            assert next(claims) == b"value"
            store.put("other", b"later", lifetime=300)
            assert next(claims) == b"later"

    @pytest.mark.services
    def test_a_client_without_our_pipeline(self, redis_url: str) -> None:
        """A client that is no redis.Redis, as a MultiDBClient is none, is asked for one name after the other."""

        class Client:
            def __init__(self, client: Redis) -> None:
                self.execute_command = client.execute_command

        with Redis.from_url(redis_url) as client:
            store = backend_with(SESSION_TYPE="cachelib", SESSION_CACHELIB=RedisCache(Client(client)))
            assert claims_once(store) and isinstance(store, RedisCacheStore)
            store.put("key", b"value", lifetime=300)
            assert list(store.claim_each(["other", "key"])) == [None, b"value"]

    @pytest.mark.filterwarnings("ignore:No valid Redis instance:RuntimeWarning")
    def test_nothing_given(self) -> None:
        """Without SESSION_REDIS the client for localhost is what the app asked for."""
        assert type(backend_with(SESSION_TYPE="redis")).__name__ == "RedisStore"


@pytest.mark.services
class TestMemcachedClients:
    """SESSION_MEMCACHED."""

    def test_one_connection_for_all_threads(self, memcached_address: str) -> None:
        """A client of pymemcache that threads cannot share is refused, with the line to write."""
        for client in (Client(memcached_address), HashClient([memcached_address]), RetryingClient(Client("localhost"))):
            with pytest.raises(ConfigurationError, match="one connection for all threads") as caught:
                backend_with(SESSION_TYPE="memcached", SESSION_MEMCACHED=client)
            assert "PooledClient(" in str(caught.value)

    def test_pools(self, memcached_address: str) -> None:
        """Its clients that have connections for many threads are all good."""
        pooled = PooledClient(memcached_address)
        for client in (pooled, HashClient([memcached_address], use_pooling=True), RetryingClient(pooled)):
            assert claims_once(backend_with(SESSION_TYPE="memcached", SESSION_MEMCACHED=client))
            client.close()

    def test_unknown_library(self, memcached_address: str) -> None:
        """libmc, whose delete is true for everyone, is refused, and so is what is no client at all, in a cache too."""
        libmc = Libmc([memcached_address])
        assert libmc.delete("nothing"), "libmc has become better"
        for cache in (MemcachedCache(libmc), MemcachedCache(object())):
            with pytest.raises(ConfigurationError, match="is not known to Flask-Passkey(.|\n)*pymemcache"):
                backend_with(SESSION_TYPE="cachelib", SESSION_CACHELIB=cache)
        with pytest.raises(ConfigurationError, match=r"libmc\..*Client is not known"):
            backend_with(SESSION_TYPE="memcached", SESSION_MEMCACHED=libmc)

    def test_lifetime(self, memcached_address: str) -> None:
        """Memcached itself drops a record within a second after its lifetime, and none is kept for ever."""
        with pooled_backend(memcached_address) as store:
            for lifetime, ttl in ((300, "t301"), (1, "t2"), (0, "t2")):
                key = new_key()
                store.put(key, b"value", lifetime=lifetime)
                assert ask(memcached_address, f"mg session:passkey:{key} t") == f"HD {ttl}"

    @pytest.mark.parametrize("prefix", ["x" * 300, "two words ", "schlüssel:", "line\r\nflush_all\r\n"])
    def test_names_that_memcached_does_not_take(self, memcached_address: str, prefix: str) -> None:
        """A key prefix that is too long or has blanks in it does not matter."""
        with pooled_backend(memcached_address, SESSION_KEY_PREFIX=prefix) as store:
            assert claims_once(store)

    @pytest.mark.parametrize("kind", [kind for kind in race.KINDS if kind.startswith("memcached")])
    def test_not_kept(self, kind: str, memcached_address: str) -> None:
        """What memcached does not keep, here because it is too long, is refused, not lost in silence."""
        app = race.make_app(Place(kind, memcached_address, "full"))
        store = store_for(app.session_interface)
        with pytest.raises(CeremonyStoreUnavailable):
            store.put("key", bytes(3_000_000), lifetime=300)
        assert claims_once(store)
        race.close(app)

    if "memcached-pylibmc" in race.KINDS:

        def test_pylibmc_warns(self, memcached_address: str, caplog: pytest.LogCaptureFixture) -> None:
            """A pylibmc.Client, of which Flask-Session makes one for all threads, is warned of, a cache's pool not."""
            import pylibmc

            with caplog.at_level(logging.WARNING, "flask_passkey.pending"):
                pool = pylibmc.ClientPool(pylibmc.Client([memcached_address]), 2)  # as CacheLib has from 0.15 on
                assert claims_once(backend_with(SESSION_TYPE="cachelib", SESSION_CACHELIB=MemcachedCache(pool)))
                assert not caplog.messages
                store_for(race.make_app(Place("memcached-pylibmc", memcached_address, "one")).session_interface)
            assert "must not be used by two threads" in caplog.text

        def test_pylibmc_that_does_not_wait(self) -> None:
            """A client that takes every delete for the one would let two use one ceremony: refused, its pool too."""
            import pylibmc

            client = pylibmc.Client(["127.0.0.1:11211"], behaviors={"_noreply": True})
            with pytest.raises(ConfigurationError, match='Leave "_noreply" out'):
                backend_with(SESSION_TYPE="memcached", SESSION_MEMCACHED=client)
            with pytest.raises(ConfigurationError, match='Leave "_noreply" out'):
                cache = MemcachedCache(pylibmc.ClientPool(client, 2))
                backend_with(SESSION_TYPE="cachelib", SESSION_CACHELIB=cache)


@contextmanager
def pooled_backend(address: str, **config: Any) -> Iterator[CeremonyStore]:
    """Give the adapter for a pool of pymemcache."""
    client = PooledClient(address)
    yield backend_with(SESSION_TYPE="memcached", SESSION_MEMCACHED=client, **config)
    client.close()


class TestFilesClient:
    """SESSION_CACHELIB on files."""

    def test_threshold_warns(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A cache that throws sessions away above its threshold, as is the default, is warned of; others are not."""
        with caplog.at_level(logging.WARNING, "flask_passkey.pending"):
            backend_with(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path), threshold=0))
            backend_with(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path), threshold=10_000))
            assert not caplog.messages
            backend_with(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path)))
        (message,) = caplog.messages
        assert "more than 500" in message
        assert f"FileSystemCache({str(tmp_path)!r}, threshold=0)" in message


class Busy:
    """A collection that refuses the first calls, as one does where others write at the same moment.

    :param code: MongoDB's number for the refusal.
    """

    def __init__(self, collection: Any, *, calls: int, code: int) -> None:
        self._collection, self._left, self._code = collection, calls, code

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            if self._left:
                self._left -= 1
                raise OperationFailure("busy", self._code)
            return getattr(self._collection, name)(*arguments)

        return call


@pytest.mark.services
class TestMongoDB:
    """SESSION_MONGODB."""

    @pytest.fixture
    def app(self, mongodb_url: str) -> Iterator[Flask]:
        app = race.make_app(Place("mongodb", mongodb_url, "mine"))
        interface: Any = app.session_interface
        yield app
        interface.store.drop()
        race.close(app)

    def test_removed_by_the_server(self, app: Flask) -> None:
        """A record is found by the index that every collection has, and MongoDB removes it by that on its date."""
        interface: Any = app.session_interface
        store_for(interface, clock=lambda: 1_800_000_000).put("key", b"value", lifetime=300)
        (document,) = interface.store.find()
        expiration = document["expiration"].replace(tzinfo=UTC).timestamp()
        assert (document["_id"], document["val"], expiration) == ("mine:passkey:key", b"value", 1_800_000_300)
        assert "expiration_1" in interface.store.index_information()  # the stand-in does not say that it expires

    def test_busy(self, app: Flask) -> None:
        """A put and a claim that the server undid because of others are tried again; one that it refuses is not."""
        interface: Any = app.session_interface
        collection = interface.store
        for calls, code, refused in ((5, 112, False), (10, 112, True), (1, 13, True)):
            store: Any = store_for(interface)
            for call in (partial(store.put, "key", b"value", lifetime=300), partial(store.claim, "key")):
                store._collection = Busy(collection, calls=calls, code=code)
                with pytest.raises(CeremonyStoreUnavailable) if refused else nullcontext():
                    call()
        assert collection.count_documents({}) == 0

    def test_replaced_by_localhost(self, app: Flask) -> None:
        """An app that means another server than the one Flask-Session uses is refused."""
        with pytest.raises(ConfigurationError, match=r"SESSION_MONGODB, a builtins\.str(.|\n)*pymongo\.MongoClient"):
            store_for(app.session_interface, config={"SESSION_MONGODB": "mongodb://db.example.com"})


@pytest.mark.services
class TestDynamoDB:
    """SESSION_DYNAMODB."""

    def test_time_to_live(self, dynamodb_url: str, caplog: pytest.LogCaptureFixture) -> None:
        """A table whose time to live is off, as Flask-Session leaves it, is warned of, with the command to run."""
        app = race.make_app(Place("dynamodb", dynamodb_url, "sessions-of-ttl"))
        interface: Any = app.session_interface
        with caplog.at_level(logging.WARNING, "flask_passkey.pending"):
            store_for(interface)
            (message,) = caplog.messages
            assert "update-time-to-live --table-name sessions-of-ttl" in message
            on = {"Enabled": True, "AttributeName": "expiration"}
            interface.client.meta.client.update_time_to_live(TableName="sessions-of-ttl", TimeToLiveSpecification=on)
            caplog.clear()
            store_for(interface)
            assert not caplog.messages

    def test_item(self, dynamodb_url: str) -> None:
        """A record has the second by which DynamoDB removes it, as a number."""
        app = race.make_app(Place("dynamodb", dynamodb_url, "items"))
        interface: Any = app.session_interface
        store_for(interface, clock=lambda: 1_800_000_000.5).put("key", b"value", lifetime=300)
        (item,) = interface.store.scan()["Items"]
        assert (item["id"], item["val"].value, item["expiration"]) == ("items:passkey:key", b"value", 1_800_000_301)
