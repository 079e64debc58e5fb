"""What reaches the log: lines that nobody can forge, and no values of anybody's rows."""

from __future__ import annotations

import ast
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, make_app
from sqlalchemy import Engine, Integer, String, column, create_engine, insert, table, text
from sqlalchemy.exc import IntegrityError, OperationalError

from flask_passkey import SQLCredentialRepository, signals
from flask_passkey.contracts import new_record
from flask_passkey.errors import Misconfigured
from flask_passkey.logs import ValuesWithheld, loggable, one_line, summary
from flask_passkey.testing import Refused, VirtualAuthenticator, sign_up

pytestmark = pytest.mark.proves("threats:forged-log", "frictions:P")

PACKAGE = Path(__file__).parent.parent / "flask_passkey"
FORGED = "a\nINFO:root:forged\r\x1b[2J\x85\u2028\u2029\x00\u202e"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Return an engine as apps make them, whose errors tell the values of the statement."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.sqlite3", connect_args={"timeout": 0.05})
    yield engine
    engine.dispose()


def _raise(error: Exception) -> Any:
    raise error


def is_one_line(message: str) -> bool:
    """Tell whether a message has neither line breaks nor control characters."""
    return message.isprintable()


@pytest.mark.parametrize("hook", ["name_available", "create_user", "get_current_user"])
def test_a_hook_cannot_forge_a_line(hook: str, caplog: pytest.LogCaptureFixture) -> None:
    """The text of an error of the app's, which may hold what a stranger sent, is one line of the log."""
    site = make_app()
    getattr(site.passkey, hook)(lambda *_: _raise(RuntimeError(FORGED)))
    with caplog.at_level(logging.DEBUG):
        try:
            sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
        except Exception:
            assert caplog.records
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("flask_passkey")]
    assert messages and all(map(is_one_line, messages))
    assert any("\\nINFO:root:forged" in message for message in messages)


def test_strangers_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a request has in its headers, address and body, each message is one line."""
    client = make_app({"PASSKEY_USERNAME_FIRST": True}, find_user=True).app.test_client()
    with caplog.at_level(logging.DEBUG):
        client.put("/session/authn", json={"user_name": FORGED})
        client.put("/session/authn", headers={"Origin": "https://x\x85\u2028".encode().decode("latin-1")})
        client.put("/session/authn", json={FORGED: 1}, content_type="text/\x85plain")
        client.post("/session/authn", json={"session_id": FORGED, "response": FORGED})
        client.post("/session/authn", data=f'{{"{FORGED}'.encode(), content_type="application/json")
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("flask_passkey")]
    assert len(messages) >= 5 and all(map(is_one_line, messages))


def test_no_message_of_ours_has_a_line_break() -> None:
    """No text that the package hands to a logger has a line break in it."""
    calls = [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[0] in ("log", "app.logger")
    ]
    assert len(calls) > 10
    texts = [part.value for call in calls for part in ast.walk(call) if isinstance(part, ast.Constant)]
    assert not [text for text in texts if isinstance(text, str) and not is_one_line(text)]


def test_one_line() -> None:
    """What can be printed stays as it is; all else is escaped."""
    assert one_line("Ada's naïve 👩 \\n") == "Ada's naïve 👩 \\n"
    assert one_line("a\nb\t\x7f\u202e\ud800") == "a\\nb\\t\\x7f\\u202e\\ud800"


# Values


def locked(engine: Engine) -> sqlite3.Connection:
    """Return a connection that keeps others from the database."""
    connection = sqlite3.connect(str(engine.url.database), isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def test_a_locked_database_tells_no_values(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """When the database of an app's own engine does not answer, the log has the error and no value of the statement."""
    site = make_app(credentials=SQLCredentialRepository(engine))
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    begun = client.put("/session/authn").get_json()["data"]
    lock = locked(engine)
    answer = client.post(
        "/session/authn", json={"session_id": begun["session_id"], "response": ada.get(begun["options"])}
    )
    lock.close()
    assert answer.status_code == 503
    assert "OperationalError" in caplog.text and "database is locked" in caplog.text
    assert "Traceback" in caplog.text and "[parameters" not in caplog.text


def test_an_error_of_our_statement_keeps_values_to_itself(engine: Engine) -> None:
    """An error whose text would quote the row has neither that text nor its cause's."""
    repository, record = SQLCredentialRepository(engine), new_record()
    repository.add_user(record.user_id, record.user_handle)
    no_label: Any = None
    with pytest.raises(Misconfigured) as caught:
        repository.add(replace(record, label=no_label))
    assert "IntegrityError" in caught.value.reason
    assert isinstance(caught.value.__cause__, ValuesWithheld)
    assert "NOT NULL" not in f"{caught.value}{caught.value.__cause__}"


account = table("account", column("id", Integer), column("email", String))


@pytest.mark.parametrize("is_there", [True, False])
def test_statements_of_a_hook_tell_no_values(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture, is_there: bool
) -> None:
    """An error of the app's own statement in a hook, a failed check or no table, is logged without its values."""
    site = make_app(credentials=SQLCredentialRepository(engine))
    accounts = create_engine(f"sqlite:///{tmp_path}/accounts.sqlite3")

    @site.passkey.create_user
    def create_user(name: str, display_name: str) -> Any:
        with accounts.begin() as connection:
            if is_there:
                connection.execute(text("CREATE TABLE account (id INTEGER, email TEXT CHECK (email = ''))"))
            connection.execute(insert(account).values(id=2, email=name))

    with pytest.raises(Refused) as refused:
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "secret@example.com")
    assert refused.value.code == 50005
    assert "Traceback" in caplog.text and "create_user" in caplog.text
    assert "secret@example.com" not in caplog.text
    accounts.dispose()


def test_a_session_store_that_fails_tells_no_values(caplog: pytest.LogCaptureFixture) -> None:
    """When the session store's database fails, the log does not have the id of the session."""
    site = make_app()
    error = OperationalError("SELECT … WHERE session_id = ?", ("session:secret",), Exception("database is gone"))
    site.app.session_interface.open_session = lambda *_: _raise(error)  # type: ignore[method-assign]
    assert site.app.test_client().put("/session/authn").status_code == 503
    assert "database is gone" in caplog.text and "session:secret" not in caplog.text


def test_a_receiver_that_fails_tells_no_values(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver of a signal whose statement fails is logged without the values of the statement."""

    def fail(sender: object, **about: Any) -> None:
        raise OperationalError("INSERT INTO log VALUES (?)", ("secret",), Exception("no such table"))

    with signals.refused.connected_to(fail):
        make_app().app.test_client().get("/user/authn")
    assert "no such table" in caplog.text and "'secret'" not in caplog.text


class Numbered(Exception):
    """An error as PyMySQL raises them, by number."""


class Stated(Exception):
    """An error as psycopg raises them, with an SQLSTATE."""

    sqlstate = "23505"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperationalError("x", {"a": "secret"}, Exception("is gone\nLINE 1: secret")), "Exception: is gone"),
        (IntegrityError("x", {}, Numbered(1062, "Duplicate entry 'secret'")), "Numbered 1062"),
        (IntegrityError("x", {}, Stated("Key (a)=(secret)")), "Stated 23505"),
        (IntegrityError("x", {}, Exception("UNIQUE constraint failed: secret")), "Exception"),
        (sqlite3.IntegrityError("secret"), "IntegrityError"),
        (OSError("a\nb"), "OSError: a\\nb"),
    ],
)
def test_summary(error: Exception, said: str) -> None:
    """Errors are told by class and text; of a database, by the first line, or the code where that quotes values."""
    assert summary(error) == said


def test_loggable_looks_at_causes() -> None:
    """An error that was raised because of a database's has the values of neither; others stay what they are."""
    plain = ValueError("x")
    assert loggable(plain) is plain
    plain.__context__ = database = OperationalError("x", {"a": "secret"}, Exception("gone"))
    assert loggable(plain) is plain and "secret" not in str(database)
    plain.__cause__ = IntegrityError("x", {"a": "secret"}, Exception("secret"))
    assert str(loggable(plain)) == "ValueError: x"
    plain.__cause__ = plain  # nobody does that
    assert loggable(plain) is plain
