"""PgBouncer in transaction mode: no statement is prepared on a server that the next transaction may not have."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import services
from apps import SITE, make_app
from sqlalchemy import create_engine, text

from flask_passkey import ConfigurationError, SQLCredentialRepository
from flask_passkey.credentials.sql import metadata
from flask_passkey.credentials.sql.engines import engine_for
from flask_passkey.testing import Refused, VirtualAuthenticator, sign_in, sign_up

pytestmark = [pytest.mark.services, pytest.mark.proves("frictions:J")]


@pytest.fixture
def bouncer_url(postgresql_url: str) -> Iterator[str]:
    """URL of a PgBouncer before a PostgreSQL server that has none of our tables."""
    engine = create_engine(postgresql_url)
    metadata.drop_all(engine)
    engine.dispose()
    with services.pgbouncer_server(postgresql_url) as url:
        yield url


def refused(url: str, *, threads: int = 6, times: int = 30) -> list[int | None]:
    """Sign in that often in each of some threads, and return the codes of those who were refused."""
    repository = SQLCredentialRepository.from_uri(url)
    app = make_app(credentials=repository).app

    def work(number: int) -> list[int | None]:
        key, client, codes = VirtualAuthenticator(SITE), app.test_client(), []
        sign_up(client, key, f"user{number}")
        for _ in range(times):
            try:
                sign_in(client, key)
            except Refused as refusal:
                codes.append(refusal.code)
        return codes

    try:
        with ThreadPoolExecutor(threads) as pool:
            return [code for codes in pool.map(work, range(threads)) for code in codes]
    finally:
        repository.close()


def test_it_works_as_it_stands(bouncer_url: str) -> None:
    """Of 180 sign-ins in six threads over four connections to the server none is refused."""
    assert refused(bouncer_url) == []


@pytest.mark.parametrize(
    ("query", "directly", "by_bouncer"),
    [("", 5, None), ("?prepare_threshold=1", 1, 1), ("?prepare_threshold=none", None, None)],
)
def test_statements_are_prepared_without_a_pooler_or_as_the_url_says(
    postgresql_url: str, bouncer_url: str, query: str, directly: int | None, by_bouncer: int | None
) -> None:
    """Nothing is prepared behind a pooler, unless the URL has psycopg's own option, which is text there."""
    for url, threshold in ((postgresql_url, directly), (bouncer_url, by_bouncer)):
        engine = engine_for(url + query)
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            assert driver.prepare_threshold == threshold
        engine.dispose()


def test_what_is_to_be_prepared_is(postgresql_url: str) -> None:
    """A statement that is run often is prepared on the server."""
    engine = engine_for(postgresql_url)
    with engine.connect() as connection:
        for _ in range(20):
            connection.execute(text("SELECT 1"))
        names = connection.execute(text("SELECT name FROM pg_prepared_statements WHERE statement = 'SELECT 1'"))
        assert len(names.all()) == 1
    engine.dispose()


def test_a_threshold_that_is_no_number_is_refused() -> None:
    """It is named at start, not at the first sign-in."""
    with pytest.raises(ConfigurationError, match="prepare_threshold in PASSKEY_DATABASE_URI is 'often'"):
        engine_for("postgresql+psycopg://localhost/x?prepare_threshold=often")
