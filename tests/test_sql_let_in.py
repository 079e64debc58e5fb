"""A server of PostgreSQL, or a PgBouncer, that lets the app not in: a wrong password or name is a misconfiguration."""

from __future__ import annotations

from typing import Any

import pytest
import services
from sqlalchemy import create_engine, make_url, text

from flask_passkey import SQLCredentialRepository
from flask_passkey.errors import CredentialStoreUnavailable, Misconfigured

pytestmark = [pytest.mark.services, pytest.mark.proves("frictions:I")]


@pytest.mark.parametrize(
    ("part", "cause"),
    [
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"username": "stranger", "password": "x"}, 'role "stranger" does not exist|authentication failed'),
    ],
)
def test_a_database_that_is_not_there(postgresql_url: str, part: dict[str, Any], cause: str) -> None:
    """A wrong name of a database or of a user will not come right by another try."""
    engine = create_engine(make_url(postgresql_url).set(**part))
    repository = SQLCredentialRepository(engine)
    for call in (lambda: repository.of_user("ada"), lambda: repository.get(b"id")):
        with pytest.raises(Misconfigured, match=cause):
            call()
    engine.dispose()


def test_a_role_that_may_not_connect(postgresql_url: str) -> None:
    """Neither does a user who is there and may not come in."""
    owner = create_engine(postgresql_url)
    with owner.begin() as connection:
        connection.execute(text("CREATE ROLE passkey_shut_out NOLOGIN"))
    engine = create_engine(make_url(postgresql_url).set(username="passkey_shut_out"))
    try:
        with pytest.raises(Misconfigured, match="is not permitted to log in"):
            SQLCredentialRepository(engine).get(b"id")
    finally:
        with owner.begin() as connection:
            connection.execute(text("DROP ROLE passkey_shut_out"))
        owner.dispose()
        engine.dispose()


def test_a_pgbouncer_that_does_not_know_the_database(postgresql_url: str) -> None:
    """PgBouncer has words of its own for it."""
    with services.pgbouncer_server(postgresql_url) as url:
        engine = create_engine(make_url(url).set(database="nowhere"))
        with pytest.raises(Misconfigured, match="no such database|does not exist"):
            SQLCredentialRepository(engine).get(b"id")
        engine.dispose()


def test_a_server_that_is_away_may_come_back(postgresql_url: str) -> None:
    """Nobody listens: that may pass."""
    engine = create_engine(make_url(postgresql_url).set(port=services.free_port()))
    with pytest.raises(CredentialStoreUnavailable):
        SQLCredentialRepository(engine).get(b"id")
    engine.dispose()
