"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import services
from apps import SITE, App, make_app
from flask.testing import FlaskClient

from flask_passkey.testing import VirtualAuthenticator, sign_up


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
