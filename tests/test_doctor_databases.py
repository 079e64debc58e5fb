"""What ``flask passkey check`` says of tables and rights, on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apps import make_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, create_engine, event, text

from flask_passkey import SQLCredentialRepository
from flask_passkey.contracts import new_record
from flask_passkey.credentials.sql import metadata
from flask_passkey.credentials.sql.inspection import table_problems
from flask_passkey.doctor import Finding, examine
from flask_passkey.state import current

pytestmark = pytest.mark.proves("frictions:I")

SERVERS = ("postgresql", "mariadb")
KINDS = ["sqlite", *(pytest.param(kind, marks=pytest.mark.services) for kind in SERVERS)]
#: How each database makes what is written there too short, and what mends it.
SHORTER = {
    "postgresql": (
        "ALTER TABLE passkey_credential ALTER COLUMN label TYPE VARCHAR(20)",
        "ALTER TABLE passkey_credential ALTER COLUMN label TYPE VARCHAR(255) USING label::VARCHAR(255);",
    ),
    "mariadb": (
        "ALTER TABLE passkey_credential MODIFY label VARCHAR(20) NOT NULL",
        "ALTER TABLE passkey_credential MODIFY label VARCHAR(255) NOT NULL;",
    ),
}
READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a kind of database."""
    return str(request.param)


@pytest.fixture
def engine(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine for a database of this kind, in which only our tables are."""
    url = request.getfixturevalue(f"{kind}_url") if kind in SERVERS else f"sqlite:///{tmp_path}/app.sqlite3"
    engine = create_engine(url)
    metadata.drop_all(engine)
    metadata.create_all(engine)
    yield engine
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(text(f"DROP TABLE IF EXISTS {table.name}"))
    engine.dispose()


def found_with(repository: SQLCredentialRepository) -> list[Finding]:
    """Return what the doctor says of the database of an app."""
    app = make_app(credentials=repository).app
    with app.app_context():
        found = list(examine(app, current(), most_accounts=None))
    return [finding for finding in found if finding.area in ("tables", "stores")]


def run(engine: Engine, *statements: str) -> None:
    """Run some statements."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_our_own_tables_have_no_problem(engine: Engine) -> None:
    """What we create ourselves is as it should be, in whichever dialect."""
    with engine.connect() as connection:
        assert list(table_problems(connection)) == []
    assert found_with(SQLCredentialRepository(engine)) == []


@pytest.mark.parametrize("kind", KINDS[1:], indirect=True)
def test_a_column_that_is_too_short(kind: str, engine: Engine) -> None:
    """It is told with the statement that mends it, which does."""
    spoil, mend = SHORTER[kind]
    run(engine, spoil)
    (found,) = found_with(SQLCredentialRepository(engine))
    assert (found.id, found.fix) == ("tables.column-type", mend)
    assert "label of passkey_credential is VARCHAR(20), which is shorter than 255" in found.message
    run(engine, found.fix)
    assert found_with(SQLCredentialRepository(engine)) == []


def test_a_missing_column_is_mended_by_the_line(engine: Engine) -> None:
    """The statement that is told works, and then a passkey can be stored."""
    run(engine, "ALTER TABLE passkey_credential DROP COLUMN identity")
    (found,) = found_with(SQLCredentialRepository(engine))
    assert found.id == "tables.column-missing"
    run(engine, found.fix)
    repository = SQLCredentialRepository(engine)
    assert found_with(repository) == []
    record = new_record()
    repository.add_user(record.user_id, record.user_handle)
    repository.add(record)


def test_missing_tables_are_mended_by_the_lines(engine: Engine) -> None:
    """Where migrations make the tables, the statements for those that are missing are told; else we make them."""
    metadata.drop_all(engine)
    found = found_with(SQLCredentialRepository(engine, create_tables=False))
    assert [finding.id for finding in found] == ["tables.missing"] * 3  # that of ceremonies is not used
    for finding in found:
        run(engine, finding.fix)
    assert found_with(SQLCredentialRepository(engine, create_tables=False)) == []
    metadata.drop_all(engine)
    assert found_with(SQLCredentialRepository(engine)) == []


def test_a_role_that_may_only_read(kind: str, engine: Engine) -> None:
    """It is found although every read works, and with nothing written."""
    reader = create_engine(engine.url)

    def read_only(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute(READ_ONLY[kind])
        cursor.close()
        connection.commit()

    event.listen(reader, "connect", read_only)
    (found,) = found_with(SQLCredentialRepository(reader, create_tables=False))
    reader.dispose()
    assert found.id == "stores.credentials-refused"
    assert ("chmod u+w" if kind == "sqlite" else "GRANT SELECT, INSERT, UPDATE, DELETE ON passkey_user") in found.fix


def test_the_apps_session_is_left_alone(tmp_path: Path) -> None:
    """With Flask-SQLAlchemy's session the check writes nothing and leaves no transaction open."""
    db = SQLAlchemy()
    config = {"SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/app.sqlite3"}
    repository = SQLCredentialRepository(session=db.session)
    app = make_app(config, credentials=repository, before=db.init_app).app
    with app.app_context():
        assert not [finding for finding in examine(app, current(), most_accounts=None) if finding.area == "stores"]
        assert repository.user_ids() == [] and "app.sqlite3" in str(repository.url)
        db.session.remove()
        db.engine.dispose()
