"""Writers of one process take turns on SQLite."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from own_engines import USED, with_one_passkey
from sqlalchemy import Engine

from flask_passkey.credentials.sql import SQLCredentialRepository, turns
from flask_passkey.credentials.sql.connections import WRITERS
from flask_passkey.credentials.sql.engines import engine_for, of_this_process


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine of ours."""
    engine = engine_for(f"sqlite:///{tmp_path}/passkeys.sqlite3")
    yield engine
    engine.dispose()


@pytest.fixture
def queue(engine: Engine) -> turns.Queue:
    """The engine's queue of writers."""
    found: turns.Queue = engine.get_execution_options()[WRITERS]
    return found


@pytest.fixture
def repository(engine: Engine) -> SQLCredentialRepository:
    """A repository with one passkey."""
    return with_one_passkey(of_this_process(engine))


def write(repository: SQLCredentialRepository) -> float:
    """Store a use, and return how many seconds that took."""
    start = time.monotonic()
    assert repository.record_use(USED, counter_must_grow=False) is not None
    return time.monotonic() - start


def test_a_writer_waits_for_the_one_before(repository: SQLCredentialRepository, queue: turns.Queue) -> None:
    """While one thread writes, a second one waits, and readers do not."""
    with ThreadPoolExecutor(1) as pool:
        with queue.turn():
            second = pool.submit(write, repository)
            assert repository.get(USED.id)
            time.sleep(0.1)
            assert not second.done()
        assert second.result(timeout=5) >= 0.1


def test_whoever_has_waited_long_enough_goes_on(
    repository: SQLCredentialRepository, queue: turns.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that waits longer than SQLite would lets SQLite decide, and gives no turn back that it did not have."""
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    with queue.turn():
        assert write(repository) >= 0.05
        assert write(repository) >= 0.05
    assert write(repository) < 5


@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_process_has_a_queue_of_its_own(repository: SQLCredentialRepository, queue: turns.Queue) -> None:
    """A process that was forked off while a thread had its turn does not wait for that thread."""
    held, over = Event(), Event()

    def hold() -> None:
        with queue.turn():
            held.set()
            over.wait(20)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        assert held.wait(5)
        child = os.fork()
        if not child:
            os._exit(int(write(repository) > turns.PATIENCE / 2))
        _, status = os.waitpid(child, 0)
        over.set()
    assert status == 0
