"""docs/howto/existing-apps.md is true: what it says of sessions, rows and tests is so."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from apps import User
from cachelib import SimpleCache
from flask import Flask, flash, redirect, request, session, url_for
from flask.testing import FlaskClient
from flask_login import LoginManager, current_user, login_user
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from markupsafe import Markup
from sqlalchemy import text

from flask_passkey import MemoryCredentialRepository, Passkey, UserInfo
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

pytestmark = pytest.mark.proves("frictions:session-table", "frictions:pushed-context", "frictions:session-values")

PAGE = (Path(__file__).parent.parent / "docs" / "howto" / "existing-apps.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
USERS = "CREATE TABLE user (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE)"


def create_app(**config: Any) -> Flask:
    """Return an app whose users are rows of sqlite3, with the hooks of the page."""
    app = Flask(__name__)
    app.config.update(config)
    Session(app)
    file = str(config["PASSKEY_DATABASE_URI"]).removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(USERS)
    passkey = Passkey(app)

    def user_of(user_id: object) -> sqlite3.Row | None:
        connection = sqlite3.connect(file)
        connection.row_factory = sqlite3.Row
        found: sqlite3.Row | None = connection.execute("SELECT * FROM user WHERE id = ?", [user_id]).fetchone()
        connection.close()
        return found

    passkey.get_current_user(lambda: user_of(session.get("user_id")))
    passkey.load_user(user_of)
    passkey.login_user(lambda user: session.update(user_id=user["id"]))
    for block in BLOCKS[:2]:
        exec(compile(block, "existing-apps.md", "exec"), {"passkey": passkey, "UserInfo": UserInfo, "text": text})
    return app


def test_the_code_of_the_page_runs(tmp_path: Path) -> None:
    """The fixture makes an app on rows of sqlite3, and its test passes."""
    names: dict[str, Any] = {"create_app": create_app, "SimpleCache": SimpleCache}
    names |= {"VirtualAuthenticator": VirtualAuthenticator, "sign_in": sign_in, "sign_up": sign_up}
    exec(compile(BLOCKS[2].replace("@pytest.fixture\n", ""), "existing-apps.md", "exec"), names)
    names["test_sign_in"](names["app"](tmp_path))
    with closing(sqlite3.connect(tmp_path / "passkey.sqlite3")) as connection:
        rows = connection.execute("SELECT username FROM user").fetchall()
    assert len(BLOCKS) == 4 and rows == [("ada",)]


def test_an_app_that_is_closed_to_strangers_lets_them_sign_in() -> None:
    """With the function of the page strangers see nothing but the way in, and our routes, pages and files."""
    app, users = Flask(__name__), dict[str, User]()
    app.config.update(SECRET_KEY="k" * 32, TESTING=True, SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Session(app)
    passkey = Passkey(app, credentials=MemoryCredentialRepository(), pages=True)
    LoginManager(app).user_loader(users.get)
    passkey.create_user(lambda name, display_name: users.setdefault(name, User(name, id=name)))
    app.add_url_rule("/sign-in", "auth.sign_in", lambda: "the way in")
    app.add_url_rule("/page", "page", lambda: "for members")
    names = {"app": app, "request": request, "current_user": current_user, "redirect": redirect, "url_for": url_for}
    exec(compile(BLOCKS[3], "existing-apps.md", "exec"), names)
    client = app.test_client()
    assert client.get("/page").headers["Location"] == "/sign-in"
    assert client.get("/passkeys/sign-in").status_code == 200
    with client.get("/passkey/static/passkey.js") as script:
        assert script.status_code == 200
    sign_up(client, VirtualAuthenticator("http://localhost"), "ada")
    assert client.get("/page").text == "for members"


def client_of(on_server: bool, **config: Any) -> FlaskClient:
    """Return a browser of an app that keeps values in its sessions: in a cookie, or by Flask-Session in a table."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY="k" * 32, SQLALCHEMY_DATABASE_URI="sqlite://", **config)
    if on_server:
        db = SQLAlchemy(app)
        app.config.update(SESSION_TYPE="sqlalchemy", SESSION_SQLALCHEMY=db)
        Session(app)
    app.add_url_rule("/get", view_func=lambda: repr(session.get("value")), endpoint="get")
    app.add_url_rule("/put/<name>", view_func=lambda name: str(session.update(value=VALUES[name][0])), endpoint="put")

    @app.get("/flash")
    def flash_markup() -> str:
        flash(Markup("<b>"))
        return ""

    return app.test_client()


#: A value, and what comes out of a cookie and out of Flask-Session; ``None`` where the request fails.
VALUES: dict[str, tuple[object, str | None, str | None]] = {
    "tuple": ((1, 2), "(1, 2)", "[1, 2]"),
    "UUID": (UUID(int=1), repr(UUID(int=1)), repr(str(UUID(int=1)))),
    "datetime": (datetime.fromisoformat("2026-01-01"), "tzinfo=datetime.timezone.utc", "'2026-01-01T00:00:00'"),
    "set": ({1}, None, "[1]"),
    "number": ({1: "a"}, "{'1': 'a'}", "{1: 'a'}"),
    "Markup": (Markup("<b>"), "Markup('<b>')", None),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("on_server", [False, True])
def test_values_come_back_different(name: str, on_server: bool) -> None:
    """The page's table of values is what happens."""
    client, expected = client_of(on_server), VALUES[name][1:][on_server]
    status = client.get(f"/put/{name}").status_code
    assert status == (500 if expected is None else 200)
    assert (expected or "None") in client.get("/get").text


def test_flashed_markup_fails() -> None:
    """Flashed Markup, which cookies take, is a failed request with Flask-Session."""
    assert [client_of(on_server).get("/flash").status_code for on_server in (False, True)] == [200, 500]


def test_cookies_last_for_a_month() -> None:
    """Cookies that ended with the browser have a date with Flask-Session, unless told otherwise."""
    clients = client_of(False), client_of(True), client_of(True, SESSION_PERMANENT=False)
    cookies = [client.get("/put/number").headers["Set-Cookie"] for client in clients]
    assert ["Expires=" in cookie for cookie in cookies] == [False, True, False]


def test_old_cookies_are_nobody() -> None:
    """The cookie of a Flask session opens none with Flask-Session, and breaks nothing."""
    old, new = client_of(False), client_of(True)
    old.get("/put/number")
    cookie = old.get_cookie("session")
    assert cookie
    new.set_cookie("session", cookie.value)
    assert new.get("/get").text == "None"


def test_two_apps_with_one_session_table() -> None:
    """Flask-Session defines its table by itself, and refuses to do so twice for one db."""
    db = SQLAlchemy()
    first, second = Flask(__name__), Flask(__name__)
    for app in (first, second):
        app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SESSION_TYPE="sqlalchemy", SESSION_SQLALCHEMY=db)
        db.init_app(app)
    Session(first)
    with pytest.raises(Exception, match="already"):
        Session(second)


def test_a_pushed_context_shares_the_user() -> None:
    """Requests in one app context have one g, in which Flask-Login keeps the user of the first."""
    app, ada = Flask(__name__), User("ada", id="1")
    app.secret_key = "k" * 32
    LoginManager(app).user_loader(lambda user_id: ada)
    app.add_url_rule("/in", view_func=lambda: str(login_user(ada)), endpoint="in")
    app.add_url_rule("/who", view_func=lambda: current_user.get_id() or "nobody", endpoint="who")
    with app.app_context():
        app.test_client().get("/in")
        assert app.test_client().get("/who").text == "1"
    app.test_client().get("/in")
    assert app.test_client().get("/who").text == "nobody"
