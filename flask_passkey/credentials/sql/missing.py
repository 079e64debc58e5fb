"""Columns that a table lacks which an earlier state of this package has made: they are added, or the line is named."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from sqlalchemy import DDL, Column, Connection, Table, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateColumn

from .tables import passkey_credential as table

#: What was added since. Each may be empty, so that the rows that are there need nothing.
ADDED: tuple[Column[Any], ...] = (table.c.discoverable, table.c.rp_id)
_ddl: Callable[[str], DDL] = DDL  # whose constructor has no types


def add_missing(connection: Connection) -> None:
    """Add the columns that are missing, but not to a table of somebody else's that has our name."""
    found = inspect(connection).get_columns(table.name, schema=connection.schema_for_object(table))
    for column in to_add(table, {column["name"] for column in found}):
        connection.execute(_ddl(f"ALTER TABLE %(fullname)s ADD COLUMN {CreateColumn(column)}").against(table))


def to_add(ours: Table, found: Container[str]) -> list[Column[Any]]:
    """Return the columns to add to a table: none, if it lacks others as well and so is not ours.

    :param found: the names of its columns.
    """
    missing = [column for column in ours.c if column.name not in found]
    return missing if set(missing) <= set(ADDED) else []


def advice(error: Exception) -> str:
    """Return the line to write, where a database's error is about such a column; empty otherwise."""
    if not isinstance(error, DBAPIError):
        return ""
    # On further lines PostgreSQL quotes the statement.
    text, statement = str(error.orig).partition("\n")[0], error.statement or ""
    named = statement if statement.startswith("ALTER") else text
    lines = [
        f"ALTER TABLE {table.name} ADD COLUMN {CreateColumn(column)}"
        for column in ADDED
        if column.name in named and table.name in text + statement
    ]
    return f" Write: {'; '.join(lines)}" if lines else ""
