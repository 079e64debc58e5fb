"""Connections that the driver keeps between its statements are as safe as those in the pool, and nobody lacks them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from own_engines import POSTGRESQL, USED, engine_without_tables, only_on_postgresql, only_on_sqlite, with_one_passkey
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.pool import NullPool, Pool, QueuePool, StaticPool

from flask_passkey.contracts.base import new_record
from flask_passkey.credentials.sql import SQLCredentialRepository, kept, metadata
from flask_passkey.credentials.sql.connections import DRIVER
from flask_passkey.credentials.sql.drivers import SQLiteDriver
from flask_passkey.credentials.sql.engines import of_this_process
from flask_passkey.credentials.sql.kept import Kept
from flask_passkey.errors import CredentialStoreUnavailable, Misconfigured


@pytest.fixture(params=["sqlite", POSTGRESQL])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine of ours, on which a moment is long, however slow the machine is."""
    monkeypatch.setattr(kept, "SILENCE", 60.0)
    engine = engine_without_tables(request, tmp_path / "p.sqlite3")
    yield engine
    engine.dispose()


@pytest.fixture
def repository(engine: Engine) -> SQLCredentialRepository:
    """A repository with one passkey."""
    return with_one_passkey(of_this_process(engine))


def out_of(engine: Engine) -> int:
    """Return how many connections are out of the pool."""
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedout()


def opened(engine: Engine) -> list[Any]:
    """Return the list that new connections are put into."""
    connections: list[Any] = []
    event.listen(engine, "connect", lambda connection, _: connections.append(connection))
    return connections


def test_one_connection_does_for_a_sign_in(repository: SQLCredentialRepository, engine: Engine) -> None:
    """It stays checked out between the statements, and all else gets it first: one is enough for one thread."""
    new = opened(engine)
    engine.dispose()
    for count in range(1, 4):
        assert repository.get(b"id")
        assert out_of(engine) == 1
        assert repository.record_use(replace(USED, sign_count=count), counter_must_grow=True) == [b"id"]
        assert out_of(engine) == 1
        assert repository.of_user("ada")
        assert out_of(engine) == 0
        with repository.transaction():
            assert out_of(engine) == 1
            assert repository.get(b"id")
        with repository.reading():
            assert repository.get(b"id"), "by another connection, which goes back"
            assert out_of(engine) == 1
    assert len(new) == 2


@pytest.mark.parametrize("sizes", [(1, 0), (2, 1), (3, 1), (15, 4)])
def test_at_most_half_is_kept(tmp_path: Path, sizes: tuple[int, int]) -> None:
    """Of a pool of one nothing is kept, and of a large one not more than four."""
    size, most = sizes
    engine = create_engine(f"sqlite:///{tmp_path}/p", pool_size=size, max_overflow=0, pool_timeout=1)
    keeping = Kept(engine)
    lent = [keeping.take() for _ in range(size)]
    for one in lent:
        keeping.keep(one)
    assert out_of(engine) == most
    with keeping.aside(), ExitStack() as held:
        for _ in range(size):
            held.enter_context(engine.connect())
    engine.dispose()


@pytest.mark.parametrize("pool", [NullPool, StaticPool])
def test_other_pools_get_theirs_back(tmp_path: Path, pool: type[Pool]) -> None:
    """Nothing is kept of a pool that does not count, or that gives one connection to all."""
    engine = create_engine(f"sqlite:///{tmp_path}/p", poolclass=pool)
    back: list[object] = []
    keeping = Kept(engine)
    event.listen(engine, "checkin", lambda *_: back.append(None))
    keeping.keep(keeping.take())
    assert len(back) == 1
    engine.dispose()


def test_whoever_waits_for_a_connection_gets_it(tmp_path: Path) -> None:
    """While all are in use and somebody waits, the next that is free is not kept."""
    engine = create_engine(f"sqlite:///{tmp_path}/p", pool_size=2, max_overflow=0, pool_timeout=20)
    keeping = Kept(engine)
    lent = [keeping.take(), keeping.take()]

    def other() -> float:
        start = time.monotonic()
        with keeping.aside(), engine.connect():
            return time.monotonic() - start

    def driver() -> float:
        start = time.monotonic()
        keeping.keep(keeping.take())
        return time.monotonic() - start

    for wait in (other, driver):
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(wait)
            time.sleep(0.1)
            keeping.keep(lent.pop())
            assert waiting.result() < 10
        lent.append(keeping.take())
    engine.dispose()


def test_many_short_threads_leave_nothing(repository: SQLCredentialRepository, engine: Engine) -> None:
    """Threads that come and go have no connections of their own."""
    new = opened(engine)
    engine.dispose()
    for _ in range(200):
        thread = Thread(target=repository.get, args=(b"id",))
        thread.start()
        thread.join()
    assert len(new) == out_of(engine) == 1


def test_threads_side_by_side(repository: SQLCredentialRepository, engine: Engine) -> None:
    """Uses, lists and transactions of more threads than there are connections all end, and give all back."""

    def work(number: int) -> None:
        for count in range(15):
            assert repository.get(b"id")
            assert repository.record_use(replace(USED, sign_count=count), counter_must_grow=False)
            if number % 3 == 0:
                assert repository.of_user("ada")
            if number % 5 == 0:
                with repository.transaction():
                    assert repository.get(b"id")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))
    repository.of_user("ada")
    assert out_of(engine) == 0


def test_a_closed_repository_has_no_connection(repository: SQLCredentialRepository, engine: Engine) -> None:
    """What is kept is closed with the rest, also where it was in use meanwhile, and opened anew when needed."""
    closed: list[Any] = []
    for name in ("close", "close_detached"):
        event.listen(engine, name, lambda connection, *_: closed.append(connection))
    new = opened(engine)
    engine.dispose()
    closed.clear()
    assert repository.get(b"id")
    repository.close()
    assert closed == new and out_of(engine) == 0
    driver = engine.get_execution_options()[DRIVER]
    lent = driver.kept.take()
    repository.close()
    driver.kept.keep(lent)
    assert out_of(engine) == 0
    assert repository.get(b"id") and out_of(engine) == 1


def fork(work: Callable[[], bool]) -> bool:
    """Return whether the work comes out right in a process that is forked off."""
    child = os.fork()
    if not child:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_process_leaves_its_parents_alone(repository: SQLCredentialRepository, engine: Engine) -> None:
    """It opens connections by itself, and neither uses nor ends the one that its parent keeps."""
    assert repository.get(b"id") and out_of(engine) == 1
    new = opened(engine)

    def in_child() -> bool:
        first = repository.get(b"id") == new_record() and len(new) == 1
        return first and repository.record_use(USED, counter_must_grow=True) == [b"id"] and len(new) == 1

    assert fork(in_child)
    assert repository.get(b"id") == USED
    assert (new, out_of(engine)) == ([], 1)


@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_process_does_not_reset_either(repository: SQLCredentialRepository, engine: Engine) -> None:
    """What is kept of the parent's is not given back to a pool there, which would undo what the parent does on it."""
    of_parent = opened(engine)
    engine.dispose()
    assert repository.get(b"id")

    def in_child() -> bool:
        seen: list[Any] = []
        event.listen(engine, "reset", lambda connection, *_: seen.append(connection))
        return bool(repository.get(b"id")) and len(seen) == 1 and seen[0] is not of_parent[0]

    assert fork(in_child)
    assert repository.get(b"id")


@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_fork_inside_a_transaction_of_another_thread(repository: SQLCredentialRepository, engine: Engine) -> None:
    """The thread that needs the pool is not in the new process, which keeps connections again."""
    inside, over = Event(), Event()

    def read() -> None:
        with repository.reading():
            inside.set()
            over.wait(20)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(read)
        assert inside.wait(5)
        came_out = fork(lambda: bool(repository.get(b"id")) and out_of(engine) == 1)
        over.set()
    assert came_out


#: Who sees that a connection is taken and given back.
POOL_EVENTS = ["checkout", "checkin", "reset"]


@pytest.mark.parametrize("name", POOL_EVENTS)
@pytest.mark.parametrize("kind", ["engine", "all pools"])
def test_who_listens_to_the_pool_sees_every_statement(
    repository: SQLCredentialRepository, engine: Engine, name: str, kind: str
) -> None:
    """A tool that counts connections sees each one taken and given back, from the moment when it comes."""
    assert repository.get(b"id") and out_of(engine) == 1
    seen: list[str] = []

    def note(*_: object) -> None:
        seen.append(name)

    listened = engine if kind == "engine" else Pool
    event.listen(listened, name, note)
    try:
        for _ in range(3):
            assert repository.get(b"id") and out_of(engine) == 0
    finally:
        event.remove(listened, name, note)
    # What was kept is given back, too.
    assert len(seen) == (3 if name == "checkout" else 4)
    assert repository.get(b"id") and out_of(engine) == 1


def test_who_has_the_log_of_the_pool_on_reads_it(
    repository: SQLCredentialRepository, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Connections are in the pool while somebody reads what happens to it."""
    with caplog.at_level(logging.DEBUG, "sqlalchemy.pool.impl.QueuePool"):
        assert repository.get(b"id") and out_of(engine) == 0


def test_an_error_gives_all_back(repository: SQLCredentialRepository, engine: Engine) -> None:
    """A connection with an error is closed, and the pool looks at the others."""
    assert repository.get(b"id")
    metadata.drop_all(engine)
    with pytest.raises(Misconfigured):
        SQLCredentialRepository(engine, create_tables=False).get(b"id")
    assert out_of(engine) == 0


def test_what_was_not_used_for_a_moment_goes_through_the_pool(
    repository: SQLCredentialRepository, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a moment it is the pool's to test, which learns how long the connection was not used."""
    assert repository.get(b"id")
    pinged: list[object] = []
    ping = engine.dialect.do_ping

    def counted(connection: Any) -> bool:
        pinged.append(connection)
        return ping(connection)

    monkeypatch.setattr(engine.dialect, "do_ping", counted)
    monkeypatch.setattr(kept, "SILENCE", 0.2)
    time.sleep(0.3)
    tested = 1 if engine.dialect.name == "postgresql" else 0
    assert repository.get(b"id") and len(pinged) == tested
    time.sleep(0.3)
    assert repository.of_user("ada") and len(pinged) == 2 * tested


@only_on_postgresql
def test_a_server_that_was_restarted(repository: SQLCredentialRepository, engine: Engine) -> None:
    """A read on a connection that has died while it was kept is repeated on a new one; a write is an outage."""
    for work, comes_out in ((lambda: repository.get(b"id"), True), (use(repository), False)):
        driver = engine.get_execution_options()[DRIVER]
        lent = [driver.kept.take() for _ in range(3)]
        pids = [one.connection.driver_connection.info.backend_pid for one in lent]
        for one in lent:
            driver.kept.keep(one)
        end(engine, pids)
        if comes_out:
            assert work()
        else:
            with pytest.raises(CredentialStoreUnavailable):
                work()
        assert repository.get(b"id") and out_of(engine) == 1


def use(repository: SQLCredentialRepository) -> Callable[[], object]:
    """Return what stores a use."""
    return lambda: repository.record_use(USED, counter_must_grow=True)


def end(engine: Engine, pids: list[int]) -> None:
    """Have the server end connections."""
    other = create_engine(engine.url)
    with other.connect() as connection:
        for pid in pids:
            assert connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar()
    other.dispose()


@only_on_postgresql
def test_when_the_pool_learns_of_a_restart_nothing_old_is_used(
    repository: SQLCredentialRepository, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a test of the pool's has failed, what is kept is as old as the rest, and a write finds a new connection."""
    driver = engine.get_execution_options()[DRIVER]
    lent = [driver.kept.take() for _ in range(2)]
    end(engine, [one.connection.driver_connection.info.backend_pid for one in lent])
    kept_one, other = lent
    other.connection.close()
    driver.kept.keep(kept_one)
    monkeypatch.setattr(kept, "SILENCE", 0.0)
    with closing(engine.raw_connection()):
        assert out_of(engine) == 1
    monkeypatch.setattr(kept, "SILENCE", 60.0)
    assert use(repository)() == [b"id"]


@only_on_sqlite
def test_no_connection_is_kept_in_a_transaction(repository: SQLCredentialRepository, engine: Engine) -> None:
    """What begins a transaction by itself, as with ``autocommit = False``, is over when the connection is kept."""

    class Beginning(SQLiteDriver):
        def _rows(self, connection: Any, text: str, values: dict[str, Any], *, write: bool) -> list[Any]:
            connection.execute("BEGIN")
            return super()._rows(connection, text, values, write=write)

    driver = Beginning(engine)
    assert driver.get(b"id")
    assert driver.record_use(USED, counter_must_grow=True, rp_ids=()) == [b"id"]
    lent = driver.kept.take()
    connection: Any = lent.connection.driver_connection
    assert not connection.in_transaction
    lent.connection.close()
    assert repository.get(b"id") == USED


@only_on_sqlite
def test_a_file_that_is_replaced_is_found_after_close(
    repository: SQLCredentialRepository, engine: Engine, tmp_path: Path
) -> None:
    """As with the pool's own connections, the old file is open until the repository is closed."""
    assert repository.get(b"id")
    for file in tmp_path.glob("p.sqlite3*"):
        file.unlink()
    assert repository.get(b"id")
    repository.close()
    with pytest.raises(Misconfigured):
        repository.get(b"id")
    assert repository.get(b"id") is None
