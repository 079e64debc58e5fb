"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import services


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a Redis server: ``PASSKEY_TEST_REDIS_URL``, or one that is started for these tests."""
    if url := os.environ.get("PASSKEY_TEST_REDIS_URL"):
        yield url
    else:
        with services.redis_server() as url:
            yield url


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL database: ``PASSKEY_TEST_POSTGRESQL_URL``, or one started for these tests."""
    if url := os.environ.get("PASSKEY_TEST_POSTGRESQL_URL"):
        yield url
    else:
        with services.postgresql_server() as url:
            yield url
