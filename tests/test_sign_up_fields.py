"""The app's own fields of a sign-up: they reach create_user, and are refused before a passkey is made."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, App, User
from flask import Flask
from flask.testing import FlaskClient
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, MetaData, String, Table, insert

from flask_passkey import ConfigurationError, NameTaken, Passkey, SQLCredentialRepository
from flask_passkey.errors import MalformedRequest
from flask_passkey.testing import Refused, VirtualAuthenticator, sign_in, sign_up

pytestmark = pytest.mark.proves("frictions:X")

Fields = Mapping[str, str]


@pytest.fixture
def created(site: App) -> list[tuple[str, str, Fields]]:
    """Let the app's create_user take fields, and return what it is called with."""
    created: list[tuple[str, str, Fields]] = []

    @site.passkey.create_user
    def create_user(name: str, display_name: str, fields: Fields) -> User:
        created.append((name, display_name, fields))
        user = User(name, display_name)
        site.users[user.id] = user
        return user

    return created


def refusal(client: FlaskClient, **body: Any) -> tuple[int, str]:
    """Begin a sign-up and return code and sentence of the answer."""
    answer = client.put("/user/authn", json={"name": "ada", **body}).get_json()
    return answer["code"], answer["msg"]


def malformed(field: str) -> tuple[int, str]:
    """Return code and sentence of a malformed request."""
    return 40001, f"The request is malformed: {field}."


def test_fields_reach_create_user(client: FlaskClient, created: list[Any]) -> None:
    """They come with the finish as they were sent at the begin: trimmed, composed, lines kept."""
    fields = {"mail": " ada@example.com ", "terms": "on", "about": "one\r\n\ttwo", "city": "Mu\u0308nchen", "x[]": ""}
    sign_up(client, VirtualAuthenticator(SITE), "ada", display_name="Ada", fields=fields)
    kept = {"mail": "ada@example.com", "terms": "on", "about": "one\r\n\ttwo", "city": "M\u00fcnchen", "x[]": ""}
    assert created == [("ada", "Ada", kept)]


def test_without_fields_there_are_none(client: FlaskClient, created: list[Any]) -> None:
    """A sign-up without fields, or with no field, is one."""
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    client.post("/sign-out")
    sign_up(client, VirtualAuthenticator(SITE), "eve", fields={})
    assert [fields for _, _, fields in created] == [{}, {}]


def test_fields_nobody_asked_for_are_refused(site: App, client: FlaskClient) -> None:
    """Without a create_user that takes them they are refused, rather than lost."""
    assert refusal(client, fields={"mail": "ada@example.com"}) == malformed("fields")
    assert refusal(client, fields={})[0] == 0


WRONG: dict[str, tuple[object, str]] = {
    "null": (None, "fields"),
    "list": (["mail"], "fields"),
    "text": ("mail", "fields"),
    "number": ({"age": 7}, "age"),
    "true": ({"terms": True}, "terms"),
    "null value": ({"mail": None}, "mail"),
    "nested": ({"mail": {"a": "b"}}, "mail"),
    "too many": ({f"f{number}": "" for number in range(21)}, "fields"),
    "too long": ({"mail": 1001 * "x"}, "mail"),
    "too long untrimmed": ({"mail": 1001 * " "}, "mail"),
    "too long decomposed": ({"mail": 600 * "\ufb2c"}, "mail"),
    "too much": ({f"f{number}": 999 * "x" for number in range(5)}, "fields"),
    "nul": ({"mail": "a\0b"}, "mail"),
    "escape": ({"mail": "a\x1bb"}, "mail"),
    "c1": ({"mail": "a\x85b"}, "mail"),
    "half a pair": ({"mail": "\ud800"}, "body"),
    "name empty": ({"": "x"}, "fields"),
    "name long": ({65 * "x": "x"}, "fields"),
    "name odd": ({"<b>": "x"}, "fields"),
    "name of two lines": ({"a\nb": "x"}, "fields"),
    "name ends a line": ({"a\n": "x"}, "fields"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_fields_is_refused(client: FlaskClient, created: list[Any], name: str) -> None:
    """The answer names the field and never its value, and nothing is created."""
    fields, field = WRONG[name]
    answer = client.put(
        "/user/authn", data=json.dumps({"name": "ada", "fields": fields}), content_type="application/json"
    )
    envelope = answer.get_json()
    assert (answer.status_code, envelope["code"], envelope["msg"]) == (400, *malformed(field))
    assert created == []


def test_as_much_as_may_be(client: FlaskClient, created: list[Any]) -> None:
    """Twenty fields, one of a thousand characters, four thousand together."""
    fields = {f"f{number}": (1_000 if number < 4 else 0) * "\U0001f511" for number in range(20)}
    sign_up(client, VirtualAuthenticator(SITE), "ada", fields=fields)
    assert created[0][2] == fields


def test_the_limit_of_the_body_holds(client: FlaskClient, created: list[Any]) -> None:
    """What is longer than a body may be is told as that."""
    assert refusal(client, fields={"mail": 70_000 * "x"})[0] == 413


def test_views_of_the_app_have_the_same_rules(site: App, created: list[Any]) -> None:
    """A sign-up without HTTP is held to them, too."""
    with site.app.test_request_context():
        visitor = site.passkey.visitor()
        for odd in ("\0", "\ud800"):
            with pytest.raises(MalformedRequest) as refused:
                site.passkey.relying_party.begin_sign_up(visitor, name="ada", fields={"mail": odd})
            assert refused.value.field == "mail"


# Refused at the start


def test_the_app_refuses_at_the_start(site: App, client: FlaskClient, created: list[Any]) -> None:
    """check_sign_up gets what create_user will, and its refusal names the field before there is a passkey."""
    asked: list[tuple[str, str, Fields]] = []

    @site.passkey.check_sign_up
    def check_sign_up(name: str, display_name: str, fields: Fields) -> None:
        asked.append((name, display_name, fields))
        if "@" not in fields.get("mail", ""):
            raise MalformedRequest("mail", "no address")

    assert refusal(client) == refusal(client, fields={"mail": "x"}) == malformed("mail")
    key = VirtualAuthenticator(SITE)
    with pytest.raises(Refused):
        sign_up(client, key, "ada", fields={"mail": "x"})
    assert key.credentials == [] and site.pending == {}
    sign_up(client, key, "ada", display_name="Ada", fields={"mail": " ada@example.com"})
    assert asked[-1] == created[-1] == ("ada", "Ada", {"mail": "ada@example.com"})


def test_a_name_that_is_taken_with_these_fields(site: App, client: FlaskClient, created: list[Any]) -> None:
    """The hook may say 409, too."""

    def check_sign_up(name: str, display_name: str, fields: Fields) -> None:
        raise NameTaken("in this realm")

    site.passkey.check_sign_up(check_sign_up)
    assert refusal(client, fields={"realm": "x"})[0] == 409


def test_it_is_asked_for_two_names_as_well(site: App, client: FlaskClient) -> None:
    """The hook also checks the sign-ups of a create_user without fields."""
    asked: list[Fields] = []
    site.passkey.check_sign_up(lambda name, display_name, fields: asked.append(fields))
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    assert asked == [{}]


@pytest.mark.parametrize("answer", [False, True, "mail", {}])
def test_an_answer_is_a_mistake(site: App, client: FlaskClient, answer: object) -> None:
    """A hook that returns something lets nobody through: it was to raise."""

    def check_sign_up(*values: object) -> Any:
        return answer

    site.passkey.check_sign_up(check_sign_up)
    assert refusal(client)[0] == 50005


def test_coroutines_are_hooks(site: App, client: FlaskClient) -> None:
    """Both hooks may be coroutines, whose fields are counted all the same."""
    pytest.importorskip("asgiref")

    @site.passkey.check_sign_up
    async def check_sign_up(name: str, display_name: str, fields: Fields) -> None:
        if not fields:
            raise MalformedRequest("mail")

    @site.passkey.create_user
    async def create_user(name: str, display_name: str, fields: Fields) -> User:
        return site.users.setdefault("1", User(name, fields["mail"], id="1"))

    assert refusal(client) == malformed("mail")
    sign_up(client, VirtualAuthenticator(SITE), "ada", fields={"mail": "a@b"})
    assert site.users["1"].display_name == "a@b"


@pytest.mark.parametrize(
    ("name", "hook", "line"),
    [
        ("create_user", lambda name: None, "def create_user(name, display_name, fields):"),
        ("create_user", lambda name, display_name, fields, more: None, "def create_user(name, display_name, fields):"),
        ("check_sign_up", lambda name, display_name: None, "def check_sign_up(name, display_name, fields):"),
        ("name_available", lambda: None, "def name_available(name):"),
    ],
)
def test_hooks_of_the_wrong_shape(name: str, hook: Any, line: str) -> None:
    """They are refused where they are written, with the line to write."""
    with pytest.raises(ConfigurationError) as refused:
        getattr(Passkey(), name)(hook)
    assert str(refused.value).endswith(line)


def test_a_default_is_the_apps_own(site: App, client: FlaskClient) -> None:
    """A third argument with a default stays as it is, and fields are refused."""
    roles: list[str] = []

    @site.passkey.create_user
    def create_user(name: str, display_name: str, role: str = "reader") -> User:
        roles.append(role)
        return site.users.setdefault("1", User(name, id="1"))

    assert refusal(client, fields={"mail": "x"}) == malformed("fields")
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    assert roles == ["reader"]


# A create_user that commits

metadata = MetaData()
account = Table("account", metadata, Column("id", String(36), primary_key=True), Column("name", String(255)))


class Shop:
    """An app that keeps its accounts beside its passkeys, in a session of Flask-SQLAlchemy's or over a connection.

    :param way: ``session`` or ``connection``.
    :param ends: what create_user does at its end: ``flush``, ``commit`` or ``rollback``.
    """

    def __init__(self, way: str, ends: str, path: Path) -> None:
        app = Flask(__name__)
        app.config.update(
            SECRET_KEY="s",
            TESTING=True,
            PASSKEY_CEREMONY_STORE="database",
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{path / 'shop.sqlite3'}",
        )
        db = SQLAlchemy(app)
        with app.app_context():
            metadata.create_all(db.engine)
            repository = (
                SQLCredentialRepository(session=db.session) if way == "session" else SQLCredentialRepository(db.engine)
            )
        LoginManager(app).user_loader(lambda user_id: User(user_id, id=user_id))
        self.app, self.passkey = app, Passkey(app, credentials=repository)

        @self.passkey.create_user
        def create_user(name: str, display_name: str) -> User:
            row = insert(account).values(id=name, name=name)
            if way == "session":
                db.session.execute(row)
                getattr(db.session, ends)()
            else:
                with self.passkey.credentials.transaction() as connection:
                    connection.execute(row)
                    if ends != "flush":
                        getattr(connection, ends)()
            return User(name, id=name)


def committed(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings about it."""
    records = [record for record in caplog.records if record.name.startswith("flask_passkey.credentials")]
    warnings = [record.getMessage() for record in records if record.levelno == logging.WARNING]
    return [text for text in warnings if "committed or rolled back" in text]  # not those of two engines on one file


@pytest.mark.proves("frictions:commit-in-hook")
@pytest.mark.parametrize("way", ["session", "connection"])
@pytest.mark.parametrize(("ends", "warnings"), [("flush", 0), ("commit", 1), ("rollback", 1)])
def test_who_ends_our_transaction_is_warned_once(
    way: str, ends: str, warnings: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A create_user that commits leaves accounts without passkeys one day: the log says what to write, once."""
    shop = Shop(way, ends, tmp_path)
    for name in ("ada", "eve"):
        client, key = shop.app.test_client(), VirtualAuthenticator(SITE)
        sign_up(client, key, name)
        sign_in(client, key)
    found = committed(caplog)
    assert len(found) == warnings
    assert all("db.session.flush() instead of db.session.commit()" in text for text in found)


def test_a_hook_that_refuses_is_not_warned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who rolls back and says that the name is taken does right."""
    shop = Shop("session", "flush", tmp_path)
    db = shop.app.extensions["sqlalchemy"]

    @shop.passkey.create_user
    def create_user(name: str, display_name: str) -> User:
        db.session.rollback()
        raise NameTaken

    with pytest.raises(Refused) as refused:
        sign_up(shop.app.test_client(), VirtualAuthenticator(SITE), "ada")
    assert refused.value.code == 409 and committed(caplog) == []
