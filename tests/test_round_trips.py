"""How often a request goes to a server and back, counted between them: on a network, people wait for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from apps import SITE, App, begin, finish, make_app
from flask.testing import FlaskClient
from link import Link, link_to
from redis import Redis
from sqlalchemy import create_engine, text
from test_sessions import session_id

from flask_passkey.credentials.sql import SQLCredentialRepository, kept, metadata
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

pytestmark = [pytest.mark.services, pytest.mark.proves("benchmarks:round-trips")]


@dataclass
class Site:
    """An app, and the ways to its servers."""

    app: App
    redis: Link
    postgresql: Link
    authenticator: VirtualAuthenticator

    def browser(self) -> FlaskClient:
        """Return a new browser."""
        return self.app.app.test_client()

    def counted(self) -> tuple[int, int]:
        """Return the ways to Redis and to PostgreSQL and back since the last call."""
        counts = self.redis.round_trips, self.postgresql.round_trips
        self.redis.round_trips = self.postgresql.round_trips = 0
        return counts


def through(url: str, link: Link) -> str:
    """Return a server's URL by another way."""
    return url.replace(f":{urlsplit(url).port}/", f":{link.port}/")


def port_of(url: str) -> int:
    """Return the port in a URL."""
    port = urlsplit(url).port
    assert port
    return port


@pytest.fixture
def site(redis_url: str, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An app on Redis and PostgreSQL that has been in use for a while, however slow the machine is."""
    monkeypatch.setattr(kept, "SILENCE", 60.0)
    with link_to(port_of(redis_url)) as to_redis, link_to(port_of(postgresql_url)) as to_postgresql:
        repository = SQLCredentialRepository.from_uri(through(postgresql_url, to_postgresql))
        with repository.transaction() as connection:
            metadata.drop_all(connection)
        repository.create_tables()
        client = Redis.from_url(through(redis_url, to_redis))
        config: dict[str, Any] = {"SESSION_TYPE": "redis", "SESSION_REDIS": client}
        config["SESSION_REFRESH_EACH_REQUEST"] = False  # by default Flask-Session writes a session that nobody changed
        site = Site(make_app(config, credentials=repository), to_redis, to_postgresql, VirtualAuthenticator(SITE))
        sign_up(site.browser(), site.authenticator, "ada")
        for _ in range(8):  # psycopg prepares what it has run five times
            sign_in(site.browser(), site.authenticator)
        site.counted()
        try:
            yield site
        finally:
            repository.close()
            client.close()


def test_a_begin_asks_redis_once(site: Site) -> None:
    """A begin stores its ceremony, and asks for nothing."""
    begin(site.browser())
    assert site.counted() == (1, 0)


def test_a_finish_asks_four_times(site: Site) -> None:
    """A finish claims, reads the credential, stores its use and stores the new session."""
    browser = site.browser()
    begun = begin(browser)
    site.counted()
    assert finish(browser, begun, site.authenticator.get(begun["options"])).status_code == 200
    assert site.counted() == (2, 2)


def test_a_finish_in_a_session_asks_four_times(site: Site) -> None:
    """A finish in a browser that has a session reads that as it claims; its old record goes as the new is stored."""
    browser = site.browser()
    sign_in(browser, site.authenticator)
    begun = begin(browser)
    site.counted()
    assert finish(browser, begun, site.authenticator.get(begun["options"])).status_code == 200
    assert site.counted() == (2, 2)


def test_a_finish_asks_four_times_where_the_session_is_gone(site: Site) -> None:
    """A finish in a browser whose session has ended claims on the way on which it is looked for."""
    browser = site.browser()
    sign_in(browser, site.authenticator)
    begun = begin(browser)
    site.app.app.config["SESSION_REDIS"].delete(f"session:{session_id(browser)}")
    site.counted()
    assert finish(browser, begun, site.authenticator.get(begun["options"])).status_code == 200
    assert site.counted() == (2, 2)


def test_a_step_up_asks_five_times(site: Site) -> None:
    """A step-up is claimed when it is known who is signed in, after what would be a sign-in was not there."""
    browser = site.browser()
    sign_in(browser, site.authenticator)
    begun = begin(browser, step_up=True)
    site.counted()
    assert finish(browser, begun, site.authenticator.get(begun["options"])).status_code == 200
    assert site.counted() == (3, 2)


def test_a_list_asks_twice(site: Site) -> None:
    """A list reads the session and the account's passkeys."""
    browser = site.browser()
    sign_in(browser, site.authenticator)
    site.counted()
    assert browser.get("/user/authn").status_code == 200
    assert site.counted() == (1, 1)


def test_a_read_is_repeated_where_the_server_was_restarted_a_moment_ago(site: Site, postgresql_url: str) -> None:
    """A sign-in on connections that the server has just closed goes on with new ones."""
    browser = site.browser()
    begun = begin(browser)
    engine = create_engine(postgresql_url)
    with engine.connect() as connection:
        others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        assert connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}")).all()
    engine.dispose()
    assert finish(browser, begun, site.authenticator.get(begun["options"])).status_code == 200


def test_a_connection_is_tested_after_a_silence_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was not in use for a while is tested before its use."""
    monkeypatch.setattr(kept, "SILENCE", 0.0)
    browser = site.browser()
    begun = begin(browser)
    site.counted()
    finish(browser, begun, site.authenticator.get(begun["options"]))
    assert site.counted() == (2, 4)
