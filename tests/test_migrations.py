"""Flask-Migrate and Alembic: no migration drops our tables, and with one line it makes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, inspect

import flask_passkey
from flask_passkey import SQLCredentialRepository, add_tables_to
from flask_passkey.databases import keep_tables

pytestmark = pytest.mark.proves("frictions:U")

OURS = set(flask_passkey.metadata.tables)


def run(scenario: str, folder: Path) -> Any:
    """Run an app's migrations in another process, and return what came of them."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, str(Path(__file__).parent / "migrating_app.py"), scenario, str(folder)]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False, timeout=120
    )
    [result] = [line for line in done.stdout.splitlines() if line.startswith("RESULT")] or pytest.fail(done.stderr)
    return json.loads(result.removeprefix("RESULT"))


@pytest.mark.parametrize("scenario", ["passkey first", "migrate first"])
def test_no_migration_drops_the_tables(scenario: str, tmp_path: Path) -> None:
    """With the env.py of Flask-Migrate and our tables unknown to it, there is nothing to migrate; a line is named."""
    result = run(scenario, tmp_path)
    assert result["first"] == result["second"] == []
    assert set(result["tables"]) >= OURS and result["user"] == "ada"
    [warning] = result["warnings"]
    assert "flask_passkey.add_tables_to(db.metadata)" in warning


def test_one_line_has_migrations_make_the_tables(tmp_path: Path) -> None:
    """Once in the app's metadata the tables are made by its migration, once, and by nobody else before."""
    result = run("joined", tmp_path)
    assert result["before"] == 50005, "there is no table yet"
    [first] = result["first"]
    created = [line.split("'")[1] for line in first if line.startswith("op.create_table")]
    assert sorted(created) == sorted([*OURS, "account"]) and len(created) == len(set(created))
    assert {"account", *OURS} <= set(result["tables"]) and result["user"] == "ada"
    assert result["second"] == [first] and not result["warnings"]


def test_another_database_is_not_warned_of(tmp_path: Path) -> None:
    """Where passkeys are in another database than the accounts, the app's migrations have nothing to do with them."""
    result = run("apart", tmp_path)
    assert result["first"] == [] and result["user"] == "ada" and not result["warnings"]


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    """An engine on an empty SQLite file."""
    engine = create_engine(f"sqlite:///{tmp_path}/passkeys.sqlite3")
    yield engine
    engine.dispose()


def test_alembic_drops_the_tables_of_others_only(engine: Engine) -> None:
    """Without Flask-Migrate, too: another table that is gone from the metadata is dropped, ours with indexes stay."""
    keep_tables()
    SQLCredentialRepository(engine).create_tables()
    Table("old", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer, index=True)).create(engine)
    with engine.connect() as connection:
        upgrade = produce_migrations(MigrationContext.configure(connection), MetaData()).upgrade_ops
    assert upgrade is not None
    assert {getattr(op, "table_name", None) for op in upgrade.ops} == {"old"}


def test_copied_tables_keep_their_names(engine: Engine) -> None:
    """With other naming rules constraints and indexes are called as in ours; calling it again is harmless."""
    rules = {"ix": "index_%(column_0_name)s", "uq": "unique_%(column_0_name)s", "pk": "key_%(table_name)s"}
    target = MetaData(naming_convention=rules)
    for _ in range(2):
        add_tables_to(target)
    SQLCredentialRepository(engine).create_tables()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), target) == []
    for name, table in flask_passkey.metadata.tables.items():
        copy = target.tables[name]
        assert {str(index.name) for index in copy.indexes} == {str(index.name) for index in table.indexes}
        assert {str(item.name) for item in copy.constraints} == {str(item.name) for item in table.constraints}
        assert inspect(engine).has_table(name)
