"""Our own engine for a database URL: what it asks of the connections to a server."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, event, text

from flask_passkey.credentials.sql import SQLCredentialRepository
from flask_passkey.credentials.sql.engines import engine_for


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_a_sqlite_file_is_for_its_owner_only(tmp_path: Path, umask: int) -> None:
    """A database that we create, and the folders above it, nobody else can read; one that is there stays as it is."""
    file, other = tmp_path / "new" / "folder" / "passkey.sqlite3", tmp_path / "old.sqlite3"
    other.touch()
    other.chmod(0o640)
    before = os.umask(umask)
    try:
        for path in (file, other):
            repository = SQLCredentialRepository.from_uri(f"sqlite:///{path}")
            repository.add_user("ada", b"h" * 64)
            assert {found.stat().st_mode & 0o777 for found in path.parent.glob(f"{path.name}*")} == {
                0o600 if path == file else 0o640
            }
            assert len(list(path.parent.glob(f"{path.name}*"))) == 3
            repository.close()
    finally:
        os.umask(before)
    assert [folder.stat().st_mode & 0o777 for folder in (file.parent, file.parent.parent)] == [0o700] * 2


pytestmark = [pytest.mark.services, pytest.mark.proves("threats:readable-files")]


@contextmanager
def socket_to(uri: str) -> Iterator[socket.socket]:
    """Give the socket of a connection to a database."""
    engine = engine_for(uri)
    try:
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            with socket.socket(fileno=os.dup(driver.fileno())) as duplicate:
                assert connection.execute(text("SELECT 1")).scalar() == 1
                yield duplicate
    finally:
        engine.dispose()


def test_a_server_that_is_gone_without_a_word_is_noticed(postgresql_url: str) -> None:
    """When the database's machine loses its power, a request waits for seconds, not for TCP's quarter of an hour."""
    with socket_to(postgresql_url) as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5


def test_the_url_has_the_last_word(postgresql_url: str) -> None:
    """What the URL says of these times counts."""
    with socket_to(f"{postgresql_url}?tcp_user_timeout=60000&keepalives_idle=30") as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30


@pytest.mark.parametrize("moment", ["begin", "engine_connect"])
def test_what_the_apps_engine_says_first_counts(postgresql_url: str, moment: str) -> None:
    """An app that says at the begin of each transaction whose rows it may see gets them, by single calls too."""
    engine = create_engine(postgresql_url)
    seen: list[object] = []

    def tell(connection: Connection) -> None:
        connection.execute(text("SELECT set_config('app.tenant', 'ours', true)"))

    def look(connection: Connection, *_: object) -> None:
        cursor = connection.connection.cursor()
        cursor.execute("SELECT current_setting('app.tenant', true)")
        seen.append(cursor.fetchone())
        cursor.close()

    repository = SQLCredentialRepository(engine)
    repository.create_tables()
    event.listen(engine, moment, tell)
    event.listen(engine, "after_cursor_execute", look)
    assert repository.get(b"unknown") is None
    assert seen[-1] == ("ours",)
    repository.close()
