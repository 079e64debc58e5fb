"""The tables of the credentials, and whether the app's migrations know them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask

from ..credentials.sql import SQLCredentialRepository, passkey_ceremony
from ..credentials.sql.tables import has_tables
from ..errors import Refusal
from ..state import State
from .findings import Finding, error, warning

_JOIN = "flask_passkey.add_tables_to(db.metadata)  # below db = SQLAlchemy(…)"


def check(state: State) -> Iterator[Finding]:
    """Compare the tables with ours."""
    repository = state.relying_party.credentials
    if not isinstance(repository, SQLCredentialRepository):
        return
    try:
        problems = repository.table_problems()
    except Refusal:  # the round trip tells
        return
    unused = passkey_ceremony.name if state.config.ceremony_store != "database" else ""
    for problem in problems:
        if problem.table != unused:
            yield error(f"tables.{problem.kind}", problem.message, problem.fix)


def check_migrations(app: Flask, state: State) -> Iterator[Finding]:
    """Look whether the app's migrations leave our tables to us, although they are in the app's database."""
    migrate: Any = app.extensions.get("migrate")
    repository = state.relying_party.credentials
    if not hasattr(migrate, "db") or not isinstance(repository, SQLCredentialRepository):
        return
    shared = {_place(engine.url) for engine in migrate.db.engines.values()}
    if _place(repository.url) in shared and not _are_known(migrate):
        yield warning(
            "tables.migrations",
            "`flask db migrate` does not know our tables, which are in the app's database: the next release's columns "
            "will be in no migration.",
            _JOIN,
        )


def _place(url: Any) -> tuple[Any, ...]:
    database = str(Path(url.database).absolute()) if url.database and not url.host else url.database
    return url.host, url.port, database


def _are_known(migrate: Any) -> bool:
    """Tell whether our tables are in the app's metadata, or ``migrations/env.py`` names ours."""
    if has_tables(getattr(migrate.db, "metadatas", {None: migrate.db.metadata}).values()):
        return True
    script = Path(str(getattr(migrate, "directory", "migrations")), "env.py")
    return script.is_file() and "flask_passkey" in script.read_text("utf-8", errors="replace")
