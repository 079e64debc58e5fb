"""Sign-ins with a passkey go through Flask-Security, and its sign-ins with a password are followed by an offer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from apps import SITE
from flask import Flask, session
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy

from flask_passkey import Passkey, SQLCredentialRepository
from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_in

security = pytest.importorskip("flask_security", reason="pip install 'flask-security[common,fsqla]'")

ADA = {"email": "ada@example.com", "password": "correct horse"}


class Club:
    """An app on Flask-Security as its documentation has it, and one line of ours."""

    def __init__(self, *, passkey_first: bool, **config: Any) -> None:
        fsqla: Any = import_module("flask_security.models.fsqla_v3")
        self.db = db = SQLAlchemy()
        self.app = app = Flask(__name__)
        app.config.update(SECRET_KEY="x", TESTING=True, SECURITY_PASSWORD_SALT="1", WTF_CSRF_ENABLED=False)
        app.config.update(SECURITY_PASSWORD_HASH="plaintext", SECURITY_TRACKABLE=True, SECURITY_REGISTERABLE=True)
        app.config.update(SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False})
        app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", PASSKEY_CEREMONY_STORE="database", **config)
        app.config.update(SECURITY_SEND_REGISTER_EMAIL=False)
        db.init_app(app)
        fsqla.FsModels.set_db_info(db)

        class Role(db.Model, fsqla.FsRoleMixin):  # type: ignore[name-defined, misc]
            pass

        class User(db.Model, fsqla.FsUserMixin):  # type: ignore[name-defined, misc]
            webauthn = None

        self.users = security.SQLAlchemyUserDatastore(db, User, Role)
        self.passkey = Passkey(credentials=SQLCredentialRepository(session=db.session))
        set_up: list[Callable[[], object]] = [
            lambda: security.Security(app, self.users),
            lambda: self.passkey.init_app(app),
        ]
        for step in reversed(set_up) if passkey_first else set_up:
            step()
        app.add_url_rule("/", "index", lambda: str(self.passkey.passkey_offered()))
        app.add_url_rule("/paa", "paa", lambda: str("fs_paa" in session))
        with app.app_context():
            db.create_all()
            self.users.create_user(**ADA)
            db.session.commit()

    def visits(self) -> int:
        """Return how often the user has signed in."""
        with self.app.app_context():
            return int(self.users.find_user(email=ADA["email"]).login_count or 0)

    def client(self) -> FlaskClient:
        """Return a browser in which somebody has signed in with the password."""
        client = self.app.test_client()
        client.post("/login", data=ADA)
        return client

    def close(self) -> None:
        """Close the database."""
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()


@pytest.fixture(params=[False, True])
def club(request: pytest.FixtureRequest) -> Iterator[Club]:
    """An app, whichever of both extensions is set up first."""
    made = Club(passkey_first=request.param)
    yield made
    made.close()


def test_visits_are_counted_and_fresh(club: Club) -> None:
    """A sign-in with a passkey is one of Flask-Security's: it is counted, and fresh for what that asks for."""
    client, ada = club.client(), VirtualAuthenticator(SITE)
    add_passkey(client, ada)
    assert club.visits() == 1
    browser = club.app.test_client()
    assert sign_in(browser, ada)["user"]["name"] == ADA["email"]
    assert club.visits() == 2
    assert browser.get("/paa").text == "True"
    assert browser.get("/").text == "False"


def test_how_it_signed_in_is_told(club: Club) -> None:
    """Whoever listens to Flask-Security is told that it was a passkey."""
    told: list[Any] = []

    def listen(_app: object, authn_via: Any, **_more: object) -> None:
        told.append(authn_via)

    client, ada = club.client(), VirtualAuthenticator(SITE)
    add_passkey(client, ada)
    with security.user_authenticated.connected_to(listen, club.app):
        sign_in(club.app.test_client(), ada)
    assert told == [["passkey"]]


def test_a_password_is_followed_by_an_offer(club: Club) -> None:
    """After a sign-in with a password a passkey is offered."""
    assert club.client().get("/").text == "True"


def test_no_other_sign_in_is(club: Club) -> None:
    """After a registration, which no password manager has filled in, none is; nor for who has a passkey."""
    client = club.app.test_client()
    client.post("/register", data={"email": "eve@example.com", "password": "x" * 9, "password_confirm": "x" * 9})
    assert (client.get("/paa").text, client.get("/").text) == ("True", "False")
    add_passkey(club.client(), VirtualAuthenticator(SITE))
    assert club.client().get("/").text == "False"


def test_the_apps_own_hook_comes_first(club: Club) -> None:
    """An app that signs in in a way of its own is not counted twice."""
    club.passkey.login_user(lambda user: bool(import_module("flask_login").login_user(user)) and None)
    client, ada = club.client(), VirtualAuthenticator(SITE)
    add_passkey(client, ada)
    sign_in(club.app.test_client(), ada)
    assert club.visits() == 1


@pytest.mark.parametrize("remember", [False, True])
def test_who_is_remembered_is_our_setting(remember: bool) -> None:
    """Cookies that outlive a passkey are made where PASSKEY_REMEMBER says so, whatever Flask-Security does."""
    club = Club(passkey_first=False, PASSKEY_REMEMBER=remember, SECURITY_DEFAULT_REMEMBER_ME=True)
    client, ada = club.client(), VirtualAuthenticator(SITE)
    add_passkey(client, ada)
    browser = club.app.test_client()
    sign_in(browser, ada)
    assert (browser.get_cookie("remember_token") is not None) == remember
    club.close()
