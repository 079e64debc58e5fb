"""Redis with a replica and a real Sentinel: the master dies, and sign-in goes on with the replica."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import services
from apps import SITE, App, make_app
from flask.testing import FlaskClient
from redis import Redis, Sentinel

from flask_passkey.testing import VirtualAuthenticator, sign_up

pytestmark = pytest.mark.services

#: Seconds within which the Sentinel has to do its work.
PATIENCE = 30


@dataclass
class Pair:
    """A master, its replica, and what the Sentinel says of them."""

    sentinel: Any
    master: Any
    replica: Any

    def kill_master(self) -> None:
        """Let it end as with a power failure."""
        os.kill(self.master.info("server")["process_id"], signal.SIGKILL)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A replica that follows its master, and a Sentinel that knows both."""
    with ExitStack() as stack:
        master_url = stack.enter_context(services.redis_server())
        master = stack.enter_context(Redis.from_url(master_url))
        port = str(master.connection_pool.connection_kwargs["port"])
        replica_url = stack.enter_context(services.redis_server("--replicaof", "127.0.0.1", port))
        replica = stack.enter_context(Redis.from_url(replica_url))
        until(lambda: replica.info("replication")["master_link_status"] == "up")
        watching = ("127.0.0.1", stack.enter_context(services.redis_sentinel(master_url)))
        sentinel: Any = Sentinel([watching], socket_timeout=1)  # type: ignore[no-untyped-call]
        stack.callback(sentinel.sentinels[0].close)
        until(lambda: sentinel.discover_slaves("mine"))
        yield Pair(sentinel, master, replica)


@pytest.fixture
def site(pair: Pair) -> Iterator[App]:
    """An app that asks the Sentinel where its Redis is."""
    client = pair.sentinel.master_for("mine", socket_timeout=1)
    yield make_app({"SESSION_TYPE": "redis", "SESSION_REDIS": client})
    client.close()


@dataclass
class Ceremony:
    """A sign-in that was begun by a browser of its own."""

    client: FlaskClient
    body: dict[str, Any]

    def finish(self) -> int:
        """Finish it; return the status of the answer."""
        return self.client.post("/session/authn", json=self.body, headers={"Origin": SITE}).status_code


def begin(site: App, authenticator: VirtualAuthenticator) -> Ceremony:
    """Begin a sign-in."""
    client = site.app.test_client()
    begun = put(client)
    assert begun["code"] == 0
    response = authenticator.get(begun["data"]["options"])
    return Ceremony(client, {"session_id": begun["data"]["session_id"], "response": response})


def put(client: FlaskClient) -> Any:
    """Ask for a sign-in; return the envelope, with the status as the contract says."""
    answer = client.put("/session/authn", headers={"Origin": SITE})
    envelope = answer.get_json()
    assert (answer.status_code, envelope["code"]) in ((200, 0), (503, 50006)), envelope
    return envelope


def until(ready: Callable[[], object]) -> None:
    """Wait for something to be so."""
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def test_sign_in_goes_on_with_the_replica(pair: Pair, site: App) -> None:
    """The outage is a clear 503; after it no restart is needed, and what was replicated is good once, as ever."""
    authenticator = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), authenticator, "ada")
    waiting, used = begin(site, authenticator), begin(site, authenticator)
    assert used.finish() == 200
    assert pair.master.wait(1, 1000) == 1
    pair.kill_master()
    assert put(site.app.test_client())["code"] == 50006
    until(lambda: put(site.app.test_client())["code"] == 0)
    assert pair.replica.info("replication")["role"] == "master"
    assert used.finish() == 404
    assert [waiting.finish(), waiting.finish()] == [200, 404]
    assert begin(site, authenticator).finish() == 200
