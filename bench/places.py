"""The folder and the servers in which subjects keep what they keep."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import services


@contextmanager
def ready() -> Iterator[None]:
    """Have a folder, Redis and PostgreSQL, named in the environment for the workers, until the block ends."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        services.redis_server() as redis,
        services.postgresql_server() as postgresql,
    ):
        os.environ |= {"BENCH_FOLDER": folder, "BENCH_REDIS_URL": redis, "BENCH_POSTGRESQL_URL": postgresql}
        yield
