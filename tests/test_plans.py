"""How the databases find what the repository asks for: by an index, whatever the tables' size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event

from flask_passkey.contracts import new_grant, new_record
from flask_passkey.credentials.sql import SQLCredentialRepository, metadata

pytestmark = pytest.mark.proves("benchmarks:plans")

NOON = new_grant().created_at
USED = new_record(b"7", user_id="user 7")

#: Every call that a ceremony or a page makes, but those that store something new.
CALLS: dict[str, Callable[[SQLCredentialRepository], object]] = {
    "get": lambda repository: repository.get(b"7"),
    "record_use": lambda repository: repository.record_use(USED, counter_must_grow=False),
    "record_use, counter_must_grow": lambda repository: repository.record_use(USED, counter_must_grow=True),
    "list": lambda repository: repository.of_user("user 7"),
    "get_user_handle": lambda repository: repository.get_user_handle("user 7"),
    "rename": lambda repository: repository.rename(b"7", user_id="user 7", label="Key"),
    "delete": lambda repository: repository.delete(b"7", user_id="user 7", keep_last=False),
    "get_grant": lambda repository: repository.get_grant(new_grant("7").token_hash),
    "claim_grant": lambda repository: repository.claim_grant(new_grant("7").token_hash, now=NOON),
    "grants_of": lambda repository: repository.grants_of("user 7"),
    "delete_grants": lambda repository: repository.delete_grants("user 7", kind="invitation", rp_id="localhost"),
    "delete_user": lambda repository: repository.delete_user("user 7"),
}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database with some hundred accounts, so that a planner has a choice."""
    sqlite = request.param == "sqlite"
    engine = create_engine(f"sqlite:///{tmp_path}/p.db" if sqlite else request.getfixturevalue("postgresql_url"))
    metadata.drop_all(engine)
    repository = SQLCredentialRepository(engine)
    with repository.transaction() as connection:
        for number in range(500):
            record = new_record(b"%d" % number, user_id=f"user {number}")
            repository.add_user(record.user_id, record.user_handle)
            repository.add(record)
            repository.add_grant(new_grant(str(number), user_id=record.user_id))
        connection.exec_driver_sql("ANALYZE")
    yield engine
    engine.dispose()


def plans(engine: Engine, call: Callable[[SQLCredentialRepository], object]) -> list[str]:
    """Make a call and return the database's plan for each of its statements."""
    found: list[str] = []
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN (COSTS OFF) "

    def look(connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        cursor.execute(explain + statement, parameters)
        found.append("\n".join(str(row[-1]) for row in cursor.fetchall()))

    event.listen(engine, "before_cursor_execute", look)
    try:
        call(SQLCredentialRepository(engine, create_tables=False))
    finally:
        event.remove(engine, "before_cursor_execute", look)
    return found


@pytest.mark.parametrize("name", CALLS)
def test_every_statement_uses_an_index(engine: Engine, name: str) -> None:
    """No statement of the repository reads a whole table: each is found by the tables' keys and their one index."""
    found = plans(engine, CALLS[name])
    assert found
    for plan in found:
        assert re.search(r"USING (COVERING )?INDEX|Index (Only )?Scan", plan), plan
        assert not re.search(r"\bSCAN\b|Seq Scan", plan), plan
