"""PASSKEY_USER_SESSION_KEY: apps that keep the id of who is signed in in the session themselves."""

from __future__ import annotations

from typing import Any

import pytest
from apps import SITE
from cachelib import SimpleCache
from flask import Flask, session
from flask.testing import FlaskClient
from flask_login import LoginManager
from flask_session import Session

from flask_passkey import ConfigurationError, MemoryCredentialRepository, Passkey, PasskeyConfig, UserInfo
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in

pytestmark = pytest.mark.proves("frictions:sqlite3")

#: Rows of two accounts, whose ids are numbers.
USERS = {number: {"id": number, "name": name} for number, name in ((1, "ada"), (2, "eve"))}


def make_app(key: str = "user_id") -> tuple[Flask, Passkey]:
    """Return an app whose one hook loads a row, and which tells and sets what is in its session."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="x", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    app.config.update(PASSKEY_USER_SESSION_KEY=key)
    Session(app)
    passkey = Passkey(app, credentials=MemoryCredentialRepository(), pages=True)
    passkey.load_user(lambda user_id: USERS.get(int(user_id)))
    app.add_url_rule("/", "index", lambda: repr(session.get("user_id")))
    app.add_url_rule("/careful", "careful", passkey.required()(lambda: "careful"))
    app.add_url_rule("/offered", "offered", lambda: str(passkey.passkey_offered()))

    @app.post("/password/<int:user_id>")
    def sign_in_with_password(user_id: int) -> str:
        session["user_id"] = user_id
        passkey.offer_passkey()
        return ""

    @app.post("/sign-out")
    def sign_out() -> str:
        del session["user_id"]
        return ""

    return app, passkey


@pytest.fixture
def client() -> FlaskClient:
    """A browser of such an app, in which somebody has signed in with a password."""
    client = make_app()[0].test_client()
    client.post("/password/1")
    return client


def test_one_hook_is_enough(client: FlaskClient) -> None:
    """A passkey is added and signs in; the session has the id as the app itself puts it there, as a number."""
    ada = VirtualAuthenticator(SITE)
    add_passkey(client, ada)
    browser = client.application.test_client()
    assert sign_in(browser, ada)["user"] == {"id": "1", "name": "ada", "display_name": ""}
    assert browser.get("/").text == "1"
    assert browser.get("/careful").text == "careful"
    assert "Each of them signs you in as ada." in browser.get("/passkeys").text


def test_freshness_ends_with_the_apps_own_sign_out(client: FlaskClient) -> None:
    """What a passkey has left ends when the app takes the id out of the session, and nobody else inherits it."""
    ada = VirtualAuthenticator(SITE)
    add_passkey(client, ada)
    sign_in(client, ada)
    client.post("/sign-out")
    client.post("/password/1")
    assert client.get("/careful").status_code == 403
    assert client.get("/offered").text == "False"
    client.post("/password/2")
    assert client.get("/offered").text == "True"


def test_nobody_is_signed_in(client: FlaskClient) -> None:
    """Without the id, or with that of an account that is gone, nobody is signed in."""
    stranger = client.application.test_client()
    assert stranger.get("/user/authn").status_code == 401
    with stranger.session_transaction() as kept:
        kept["user_id"] = 3
    assert stranger.get("/user/authn").status_code == 401


def test_the_apps_own_hooks_come_first() -> None:
    """An app that signs in in a way of its own has its way."""
    app, passkey = make_app()
    passkey.login_user(lambda user: session.update(user_id=user["id"], how="passkey"))
    client, ada = app.test_client(), VirtualAuthenticator(SITE)
    client.post("/password/1")
    add_passkey(client, ada)
    sign_in(client, ada)
    with client.session_transaction() as kept:
        assert (kept["user_id"], kept["how"]) == (1, "passkey")


def test_it_comes_before_flask_login() -> None:
    """Who says where the id is means it, also beside Flask-Login."""
    app, _passkey = make_app()
    LoginManager(app).user_loader(lambda user_id: None)
    client = app.test_client()
    client.post("/password/1")
    assert client.get("/user/authn").status_code == 200


def test_an_id_that_is_told_otherwise_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Where describe_user tells another id than the user has, nobody is signed in as somebody else."""
    app, passkey = make_app()
    passkey.describe_user(lambda user: UserInfo(f"user:{user['id']}", user["name"], ""))
    passkey.load_user(lambda user_id: USERS.get(int(user_id.removeprefix("user:"))))
    client, ada = app.test_client(), VirtualAuthenticator(SITE)
    client.post("/password/1")
    add_passkey(client, ada)
    browser = app.test_client()
    with pytest.raises(Refused) as refused:
        sign_in(browser, ada)
    assert refused.value.code == 50005
    assert "write hooks @passkey.get_current_user and @passkey.login_user" in caplog.text
    assert browser.get("/").text == "None"


def test_the_missing_hook_names_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    """An app that says nothing of who is signed in is told the setting, too."""
    app, _passkey = make_app(key="")
    assert app.test_client().get("/user/authn").status_code == 500
    assert "or write PASSKEY_USER_SESSION_KEY = 'user_id'" in caplog.text


@pytest.mark.parametrize("key", ["_user_id", "_passkey", 7])
def test_names_of_others_are_refused(key: Any) -> None:
    """The id is not kept where Flask-Login keeps its own, nor where we keep ours."""
    with pytest.raises(ConfigurationError, match="Write PASSKEY_USER_SESSION_KEY = "):
        PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "example.com", "PASSKEY_USER_SESSION_KEY": key})
