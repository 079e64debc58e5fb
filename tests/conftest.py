"""Fixtures for all tests."""

from __future__ import annotations

import os
import site as python_site
import sqlite3
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import finalize

import pytest
import services
import sqlalchemy
from apps import SITE, App, make_app
from flask.testing import FlaskClient
from hypothesis import settings
from response_tools import EDDSA, ORIGIN, creation_options

from flask_passkey.testing import VirtualAuthenticator, VirtualCredential, sign_up

# The demo is in no wheel. At the end, so that the package is the one that is installed.
sys.path.append(str(Path(__file__).parent.parent))

#: Kinds of tests that a run of the quick ones leaves out, and what they are.
KINDS = {"browser": "drive a browser", "services": "need servers", "slow": "are slow"}
LEFT_OUT = pytest.StashKey[list[pytest.Item]]()


def pytest_configure(config: pytest.Config) -> None:
    """Give what the tests start another home, so that it leaves nothing in that of whoever runs them."""
    config.stash[LEFT_OUT] = []
    if settings().deadline is not None:  # a machine may be busy
        settings.register_profile("untimed", deadline=None)
        settings.load_profile("untimed")
    home = TemporaryDirectory(prefix="passkey-test-home-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    os.environ.setdefault("NPM_CONFIG_USERCONFIG", str(Path.home() / ".npmrc"))
    os.environ.setdefault("PYTHONUSERBASE", python_site.getuserbase())
    os.environ["HOME"] = home.name
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        os.environ.pop(name, None)


@sqlalchemy.event.listens_for(sqlalchemy.Pool, "connect")
def close_at_last(connection: Any, record: sqlalchemy.pool.ConnectionPoolEntry) -> None:
    """Close what engines of tests leave open when they are forgotten; from Python 3.13 on SQLite's warn of that."""
    if isinstance(connection, sqlite3.Connection):
        record.info[close_at_last] = finalize(record, connection.close)


@sqlalchemy.event.listens_for(sqlalchemy.Pool, "detach")
def leave_open(connection: Any, record: sqlalchemy.pool.ConnectionPoolEntry) -> None:
    """Leave what was taken out of its pool to whoever has it: it may be in use when the pool is gone."""
    if isinstance(connection, sqlite3.Connection):
        record.info.pop(close_at_last).detach()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark what is quick, before it is chosen."""
    for item in items:
        if not kind_of(item):
            item.add_marker(pytest.mark.quick)


def kind_of(item: pytest.Item) -> str | None:
    """Return the first kind of a test that is not quick."""
    return next((kind for kind in KINDS if item.get_closest_marker(kind)), None)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Note what is left out."""
    for item in items:
        item.config.stash[LEFT_OUT].append(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, None, None]:
    """Say at the end what a run of the quick tests has left out."""
    yield
    counts = Counter(kind_of(item) for item in config.stash[LEFT_OUT])
    left_out = [f"{counts[kind]} that {what}" for kind, what in KINDS.items() if counts[kind]]
    if left_out and config.option.markexpr == "quick":
        terminalreporter.write_line(f"Left out: {', '.join(left_out)}. CONTRIBUTING.md says how to run everything.")


@pytest.fixture
def authenticator() -> VirtualAuthenticator:
    """An authenticator without credentials; a subset of its algorithms keeps responses reproducible."""
    return VirtualAuthenticator(ORIGIN, algorithm=EDDSA)


@pytest.fixture
def credential(authenticator: VirtualAuthenticator) -> VirtualCredential:
    """Ada's credential in that authenticator."""
    authenticator.create(creation_options())
    return authenticator.credentials[0]


@pytest.fixture
def site() -> App:
    """Return an app with sign-up and nobody in it."""
    return make_app()


@pytest.fixture
def client(site: App) -> FlaskClient:
    """Return a browser."""
    return site.app.test_client()


@pytest.fixture
def ada(client: FlaskClient) -> VirtualAuthenticator:
    """Return the authenticator of Ada, whose browser has just signed up."""
    authenticator = VirtualAuthenticator(SITE)
    sign_up(client, authenticator, "ada", display_name="Ada Lovelace")
    return authenticator


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a Redis server: ``PASSKEY_TEST_REDIS_URL``, or one that is started for these tests."""
    if url := os.environ.get("PASSKEY_TEST_REDIS_URL"):
        yield url
    else:
        with services.redis_server() as url:
            yield url


@pytest.fixture(scope="session")
def memcached_address() -> Iterator[str]:
    """Address of a memcached server: ``PASSKEY_TEST_MEMCACHED``, or one that is started for these tests."""
    if address := os.environ.get("PASSKEY_TEST_MEMCACHED"):
        yield address
    else:
        with services.memcached_server() as address:
            yield address


@pytest.fixture(scope="session")
def mongodb_url() -> Iterator[str]:
    """URL of a MongoDB server: ``PASSKEY_TEST_MONGODB_URL``, or a stand-in that is started for these tests."""
    if url := os.environ.get("PASSKEY_TEST_MONGODB_URL"):
        yield url
    else:
        with services.mongodb_server() as url:
            yield url


@pytest.fixture(scope="session")
def dynamodb_url() -> Iterator[str]:
    """URL of a DynamoDB endpoint: ``PASSKEY_TEST_DYNAMODB_URL``, or a stand-in that is started for these tests."""
    if url := os.environ.get("PASSKEY_TEST_DYNAMODB_URL"):
        yield url
    else:
        with services.dynamodb_server() as url:
            yield url


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """SQLAlchemy URL of a MariaDB or MySQL database: ``PASSKEY_TEST_MARIADB_URL``, or one started for these tests."""
    if url := os.environ.get("PASSKEY_TEST_MARIADB_URL"):
        yield url
    else:
        with services.mariadb_server() as url:
            yield url


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL database: ``PASSKEY_TEST_POSTGRESQL_URL``, or one started for these tests."""
    if url := os.environ.get("PASSKEY_TEST_POSTGRESQL_URL"):
        yield url
    else:
        with services.postgresql_server() as url:
            yield url
