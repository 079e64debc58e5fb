"""How the tables in a database differ from ours, and the statement that mends each difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, BigInteger, Column, Connection, DateTime, Dialect, Integer, Table, inspect
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeEngine

from .missing import to_add
from .tables import metadata

#: How a table differs.
MISSING, NOT_OURS, COLUMN_MISSING, COLUMN_TYPE = "missing", "not-ours", "column-missing", "column-type"
_SCHEMA = (
    'credentials=SQLCredentialRepository(engine.execution_options(schema_translate_map={None: "passkeys"})), after '
    "CREATE SCHEMA passkeys; on SQLite PASSKEY_DATABASE_URI = 'sqlite:///…', another file"
)


@dataclass(frozen=True, slots=True)
class TableProblem:
    """One difference between a table and ours."""

    kind: str
    table: str
    #: In one sentence.
    message: str
    #: What to run, or to write.
    fix: str
    #: Does the first use mend it, where tables are ours to create?
    is_mended: bool = False


def place_of(url: URL) -> str:
    """Return a database's kind, host and name: neither its user nor a password."""
    host = f" at {url.host}" if url.host else ""
    return f"{url.get_backend_name()}{host}, {url.database or 'in memory'}"


def is_in_memory(url: URL) -> bool:
    """Tell whether a database ends with the process."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def table_problems(connection: Connection) -> Iterator[TableProblem]:
    """Yield how the tables in a database differ from ours."""
    inspector, dialect = inspect(connection), connection.dialect
    schema = connection.get_execution_options().get("schema_translate_map", {}).get(None)
    for table in metadata.sorted_tables:
        if inspector.has_table(table.name, schema=schema):
            columns = {column["name"]: column["type"] for column in inspector.get_columns(table.name, schema=schema)}
            yield from _differences(table, columns, dialect)
        else:
            ddl = " ".join(str(CreateTable(table).compile(dialect=dialect)).split())
            yield TableProblem(MISSING, table.name, f"The table {table.name} is missing.", f"{ddl};", True)


def _differences(table: Table, found: dict[str, TypeEngine[Any]], dialect: Dialect) -> Iterator[TableProblem]:
    missing = [column for column in table.c if column.name not in found]
    if any(column.primary_key for column in missing):
        yield TableProblem(
            NOT_OURS,
            table.name,
            f"The table {table.name} is another package's: it has no column {table.primary_key.columns.keys()[0]}.",
            _SCHEMA,
        )
        return
    for column in missing:
        yield TableProblem(
            COLUMN_MISSING,
            table.name,
            f"The table {table.name} has no column {column.name}.",
            f"ALTER TABLE {table.name} ADD COLUMN {column.name} {_type(column, dialect)};",
            column in set(to_add(table, found)),
        )
    for column in table.c:
        if column.name in found and (what := _difference(column, found[column.name], dialect)):
            is_type = found[column.name].compile(dialect=dialect)
            yield TableProblem(
                COLUMN_TYPE,
                table.name,
                f"The column {column.name} of {table.name} is {is_type}, which {what}.",
                _change(column, dialect),
            )


def _difference(column: Column[Any], found: TypeEngine[Any], dialect: Dialect) -> str:
    """Return what a column cannot do that ours can; empty if nothing."""
    wanted = column.type.dialect_impl(dialect)
    if _family(found) != _family(wanted):
        return "cannot hold what is written there"
    # SQLite keeps values of any length.
    longest, longest_found = getattr(wanted, "length", None), getattr(found, "length", None)
    if dialect.name != "sqlite" and longest and longest_found and longest_found < longest:
        return f"is shorter than {longest}"
    if isinstance(column.type, BigInteger) and isinstance(found, Integer) and _is_short(found, dialect):
        return "is too small for the numbers"
    if dialect.name == "postgresql" and isinstance(found, DateTime) and not found.timezone:
        return "loses the time zone"
    return ""


def _is_short(found: TypeEngine[Any], dialect: Dialect) -> bool:
    return dialect.name != "sqlite" and not isinstance(found, BigInteger)


def _family(type_: TypeEngine[Any]) -> Any:
    """Return the class of a type's values in Python; databases without truth values have numbers."""
    try:
        family = type_.python_type
    except NotImplementedError:
        return None
    return int if family is bool else family


def _type(column: Column[Any], dialect: Dialect) -> str:
    return str(column.type.compile(dialect=dialect))


def _change(column: Column[Any], dialect: Dialect) -> str:
    table, type_ = column.table.name, _type(column, dialect)
    if dialect.name == "postgresql":
        return f"ALTER TABLE {table} ALTER COLUMN {column.name} TYPE {type_} USING {column.name}::{type_};"
    if dialect.name in ("mysql", "mariadb"):
        null = "NULL" if column.nullable else "NOT NULL"
        return f"ALTER TABLE {table} MODIFY {column.name} {type_} {null};"
    return f"ALTER TABLE {table} RENAME TO {table}_before; the next start makes it anew: then copy the rows"
