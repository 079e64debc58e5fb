"""Engines of ours, whose statements of a sign-in go to the driver, and a repository on one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from flask_passkey.contracts.base import NOON, new_record
from flask_passkey.credentials.sql import SQLCredentialRepository, metadata
from flask_passkey.credentials.sql.engines import engine_for

#: The record of the passkey after a use.
USED = replace(new_record(), sign_count=3, last_used_at=NOON)
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.services)
only_on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
only_on_postgresql = pytest.mark.parametrize("engine", [POSTGRESQL], indirect=True)


def engine_without_tables(request: pytest.FixtureRequest, path: Path) -> Engine:
    """Return an engine on a database without our tables.

    :param request: its parameter is ``sqlite`` or ``postgresql``.
    :param path: of the file, on SQLite.
    """
    sqlite = request.param == "sqlite"
    engine = engine_for(f"sqlite:///{path}" if sqlite else request.getfixturevalue("postgresql_url"))
    metadata.drop_all(engine)
    return engine


def with_one_passkey(engine: Engine | Callable[[], Engine]) -> SQLCredentialRepository:
    """Return a repository with one passkey, which is Ada's."""
    repository = SQLCredentialRepository(engine)
    repository.add_user("ada", new_record().user_handle)
    repository.add(new_record())
    return repository
