"""A peer's database, or the file that its tools export. Nothing is ever written to it."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnClause,
    Connection,
    Engine,
    Select,
    column,
    create_engine,
    func,
    inspect,
    make_url,
    select,
    table,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ..errors import ConfigurationError
from ..logs import summary
from .base import Columns, Row, Source, fits, plain

#: How a SQLite file begins.
_SQLITE = b"SQLite format 3\0"
_BATCH = 500
_LOOKED_AT = 20  # rows of an export, for its columns


@contextmanager
def open_source(place: str) -> Iterator[Source]:
    """Open a database or an export.

    :param place: an SQLAlchemy URL, or the path of a SQLite file, of JSON or of CSV with a line of names.
    :raises ConfigurationError: it cannot be read; the message has neither a password nor a value.
    """
    if "://" not in place and not _is_sqlite(Path(place)):
        yield _Export(_read(Path(place)))
        return
    engine = _engine(place)
    try:
        with engine.connect() as connection:
            yield _Database(_read_only(connection))
    except SQLAlchemyError as exc:
        raise ConfigurationError(f"The database to import from cannot be read: {summary(exc)}") from None
    finally:
        engine.dispose()


class _Tables:
    """What databases and exports have in common."""

    def _columns(self) -> Mapping[str, set[str]]:
        """Return the columns of every table, in plain spelling."""
        raise NotImplementedError

    def _fitting(self, columns: Columns) -> list[str]:
        return [name for name, present in self._columns().items() if fits(columns, present)]

    def has(self, columns: Columns) -> bool:
        return len(self._fitting(columns)) == 1

    def find(self, columns: Columns, name: str = "") -> str:
        fitting = self._fitting(columns)
        if name:
            fitting = [table for table in fitting if table.lower() == name.lower()]
        if len(fitting) == 1:
            return fitting[0]
        wanted = ", ".join("|".join(names) for names in columns)
        if fitting:
            raise ConfigurationError(f"Several tables may have the passkeys: {', '.join(fitting)}. Write --table NAME")
        raise ConfigurationError(f"There is no table{f' {name}' * bool(name)} with the columns {wanted}")


class _Export(_Tables):
    """Tables from a file."""

    def __init__(self, tables: Mapping[str, list[dict[str, Any]]]) -> None:
        self._tables = tables

    def _columns(self) -> Mapping[str, set[str]]:
        return {
            name: {plain(str(key)) for row in rows[:_LOOKED_AT] for key in row} for name, rows in self._tables.items()
        }

    def rows(self, table: str) -> tuple[int, Iterator[Row]]:
        rows = self._tables[table]
        return len(rows), map(Row, rows)


class _Database(_Tables):
    """Tables of a database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        inspector = inspect(connection)
        self._names = {
            name: [found["name"] for found in inspector.get_columns(name)] for name in inspector.get_table_names()
        }
        self._keys = {name: inspector.get_pk_constraint(name)["constrained_columns"] for name in self._names}

    def _columns(self) -> Mapping[str, set[str]]:
        return {name: set(map(plain, names)) for name, names in self._names.items()}

    def rows(self, name: str) -> tuple[int, Iterator[Row]]:
        names = self._names[name]
        columns: list[ColumnClause[Any]] = [column(one) for one in names]
        keys: list[ColumnClause[Any]] = [column(one) for one in self._keys[name]]
        count = self._connection.execute(select(func.count()).select_from(table(name))).scalar_one()
        query = select(*columns).select_from(table(name)).order_by(*keys)
        return count, self._read(query, names)

    def _read(self, query: Select[Any], names: list[str]) -> Iterator[Row]:
        # Without types: values come as the driver gives them. A SQLite file may be the app's own, and an open cursor
        # would keep it from writing there, so its rows are read at once.
        if self._connection.dialect.name == "sqlite":
            rows: Iterable[Any] = self._connection.execute(query).all()
            self._connection.rollback()
        else:
            rows = self._connection.execution_options(yield_per=_BATCH).execute(query)
        return (Row(dict(zip(names, row, strict=True))) for row in rows)


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be read: {summary(exc)}") from None


def _engine(place: str) -> Engine:
    try:
        url = make_url(place if "://" in place else f"sqlite:///{place}")
        if url.get_backend_name() == "sqlite" and url.database:
            path = Path(url.database).resolve()
            return create_engine("sqlite://", creator=lambda: _open_read_only(path), poolclass=NullPool)
        return create_engine(url, poolclass=NullPool, hide_parameters=True)
    except NoSuchModuleError:
        raise ConfigurationError("The URL to import from has an unknown start") from None
    except ArgumentError:
        raise ConfigurationError("What to import from is not a database URL") from None
    except ImportError as exc:
        raise ConfigurationError(f"The URL to import from needs a driver: pip install {exc.name}") from None


def _open_read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)


def _read_only(connection: Connection) -> Connection:
    """Have the server itself refuse to write."""
    if connection.dialect.name == "postgresql":
        return connection.execution_options(postgresql_readonly=True)
    if connection.dialect.name in ("mysql", "mariadb"):
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        connection.commit()
    return connection


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Read an export: CSV is one table, JSON a list of rows, an object of lists, or Django's dumpdata."""
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                return {path.stem: [_without_nulls(row) for row in csv.DictReader(file)]}
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError, csv.Error) as exc:
        # Not the error's text, which quotes what it does not understand.
        raise ConfigurationError(f"{path} is neither SQLite nor JSON nor CSV ({type(exc).__name__})") from None
    tables = content if isinstance(content, dict) else _by_model(content, path.stem)
    lists: dict[Any, list[Any]] = {name: rows for name, rows in tables.items() if isinstance(rows, list)}
    return {str(name): [row for row in rows if isinstance(row, dict)] for name, rows in lists.items()}


def _without_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row without the text that MySQL and other tools write for nothing."""
    return {name: None if value in ("NULL", "\\N") else value for name, value in row.items()}


def _by_model(content: Any, name: str) -> dict[str, list[dict[str, Any]]]:
    """Sort the objects of dumpdata by their model; a list of anything else is one table."""
    objects = [row for row in content if isinstance(row, dict)] if isinstance(content, list) else []
    if not all({"model", "fields"} <= row.keys() and isinstance(row["fields"], dict) for row in objects):
        return {name: objects}
    tables: dict[str, list[dict[str, Any]]] = {}
    for row in objects:
        tables.setdefault(str(row["model"]).replace(".", "_"), []).append({"id": row.get("pk"), **row["fields"]})
    return tables
