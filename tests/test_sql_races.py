"""The SQL repository used by several processes at once, on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest
from sql_workers import (
    Racers,
    connections_after_create_tables,
    fork_without_python,
    look_then_add,
    use_before_and_after_fork,
)
from sqlalchemy import create_engine, inspect

from flask_passkey.contracts import new_record
from flask_passkey.credentials import CredentialRecord
from flask_passkey.credentials.sql import SQLCredentialRepository, metadata
from flask_passkey.errors import CredentialExists, LastCredential

pytestmark = [pytest.mark.slow, pytest.mark.proves("threats:taken-credential-id", "threats:lock-out")]

NOON = new_record().created_at


@pytest.fixture(scope="module")
def racers() -> Iterator[Racers]:
    """Processes that wait for work."""
    racers = Racers()
    yield racers
    racers.close()


SERVERS = [pytest.param(name, marks=pytest.mark.services) for name in ("postgresql", "mariadb")]


@pytest.fixture(params=["sqlite", *SERVERS])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without our tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/passkey.sqlite3"
    url = str(request.getfixturevalue(f"{request.param}_url"))
    engine = create_engine(url)
    metadata.drop_all(engine)
    engine.dispose()
    return url


@pytest.fixture
def repository(uri: str) -> Iterator[SQLCredentialRepository]:
    """The repository in which the outcome of a race is looked up."""
    repository = SQLCredentialRepository.from_uri(uri)
    repository.add_user("ada", new_record().user_handle)
    yield repository
    repository.close()


def test_one_of_two_registrations_succeeds(racers: Racers, uri: str, repository: SQLCredentialRepository) -> None:
    """Of two processes that register one ID for two accounts, one succeeds and the other is told that it exists."""
    repository.add_user("bob", new_record(user_id="bob").user_handle)
    ids = [b"credential %d" % turn for turn in range(50)]
    scripts = [[methodcaller("add", new_record(id_, user_id=user)) for id_ in ids] for user in ("ada", "bob")]
    for id_, answer in zip(ids, racers.race(uri, scripts), strict=True):
        assert {type(one) for one in answer} == {type(None), CredentialExists}
        stored = repository.get(id_)
        assert stored is not None
        assert stored.user_id == ("ada", "bob")[answer.index(None)]


def test_one_of_the_last_two_remains(racers: Racers, uri: str, repository: SQLCredentialRepository) -> None:
    """When an account's last two credentials are deleted in two processes, one is refused and stays."""
    pairs = [(b"first %d" % turn, b"second %d" % turn) for turn in range(25)]
    users = [f"user {turn}" for turn in range(25)]
    with repository.transaction():
        for user, pair in zip(users, pairs, strict=True):
            repository.add_user(user, new_record(user_id=user).user_handle)
            for id_ in pair:
                repository.add(new_record(id_, user_id=user))
    scripts = [
        [methodcaller("delete", pair[side], user_id=u, keep_last=True) for u, pair in zip(users, pairs, strict=True)]
        for side in (0, 1)
    ]
    for user, pair, answer in zip(users, pairs, racers.race(uri, scripts), strict=True):
        assert {type(one) for one in answer} == {type(None), LastCredential}
        assert [record.id for record in repository.of_user(user)] == [pair[answer.index(None) - 1]]


def test_one_of_sixteen_equal_counters_is_stored(racers: Racers, uri: str, repository: SQLCredentialRepository) -> None:
    """Of sixteen simultaneous sign-ins with the same counter, exactly one is stored."""
    repository.add(new_record())
    script = [methodcaller("record_use", new_record(sign_count=n), counter_must_grow=True) for n in range(1, 11)]
    for answer in racers.race(uri, [script] * 16):
        assert sorted(answer, key=bool) == [None] * 15 + [[b"id"]]
    stored = repository.get(b"id")
    assert stored is not None
    assert stored.sign_count == 10


@pytest.mark.parametrize("must_grow", [True, False])
def test_counter_never_goes_backwards(
    racers: Racers, uri: str, repository: SQLCredentialRepository, must_grow: bool
) -> None:
    """Whatever the order in which sixteen counters arrive at once, the highest and the latest time stay."""
    repository.add(new_record())
    scripts = [
        [methodcaller("record_use", used(turn * 16 + n), counter_must_grow=must_grow) for turn in range(10)]
        for n in range(1, 17)
    ]
    answers = racers.race(uri, scripts)
    assert all(any(answer) for answer in answers)
    assert must_grow or all(all(answer) for answer in answers)
    assert repository.get(b"id") == used(160)


def used(count: int) -> CredentialRecord:
    """Return the record after so many sign-ins, one a second."""
    return new_record(sign_count=count, last_used_at=NOON + timedelta(seconds=count))


@pytest.mark.parametrize("database", ["sqlite", *SERVERS])
def test_processes_create_the_tables_together(
    racers: Racers, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Four processes that start on an empty database at once all find the tables, without an error."""
    server = request.getfixturevalue(f"{database}_url") if database != "sqlite" else None
    for number in range({"sqlite": 25, "postgresql": 5, "mariadb": 2}[database]):
        uri = server or f"sqlite:///{tmp_path}/{number}.sqlite3"
        engine = create_engine(uri)
        metadata.drop_all(engine)
        assert racers.race(uri, [[methodcaller("of_user", "ada")]] * 4, processes=4) == [([], [], [], [])]
        assert set(inspect(engine).get_table_names()) >= set(metadata.tables)
        assert [index["column_names"] for index in inspect(engine).get_indexes("passkey_credential")] == [
            ["user_handle"]
        ]
        engine.dispose()


def test_reading_before_writing_is_no_obstacle(racers: Racers, uri: str, repository: SQLCredentialRepository) -> None:
    """Transactions of four processes that each read and then write all succeed; nobody finds the database locked."""
    scripts = [[partial(look_then_add, number=number * 100 + turn) for turn in range(20)] for number in range(4)]
    assert racers.race(uri, scripts, processes=4) == [(None,) * 4] * 20
    assert len(repository.of_user("ada")) == 80


def test_forked_workers_have_their_own_connections(
    racers: Racers, uri: str, repository: SQLCredentialRepository
) -> None:
    """A repository that was used before a fork works in parent and child: gunicorn --preload, and uWSGI's own fork."""
    repository.add(new_record())
    for fork in (os.fork, fork_without_python):
        child, parent = racers.run(partial(use_before_and_after_fork, fork=fork), uri)
        assert child == "1 credentials on a new connection"
        assert parent == "1 credentials on my old connection"


def test_creating_tables_leaves_no_connection_open(racers: Racers, uri: str) -> None:
    """A factory that creates the tables leaves nothing that forked workers share, on the app's own engine too."""
    assert racers.run(connections_after_create_tables, uri) == 0
