"""Sign-ins with a passkey go through Flask-Security, and its sign-ins with a password are followed by an offer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from typing import Any

import pytest
from apps import SITE
from flask import Flask, session
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy

from flask_passkey import Passkey, SQLCredentialRepository
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in

pytestmark = pytest.mark.proves("frictions:flask-security")

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
            webauthn = ()

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


def test_a_confirmation_is_fresh_for_it_too(club: Club) -> None:
    """Who confirms with the password gets to what Flask-Security asks a fresh sign-in for, as by its own question."""
    club.app.add_url_rule("/stale", "stale", lambda: str(session.pop("fs_paa")))

    @club.app.get("/confirm")
    def confirm() -> str:
        club.passkey.confirm_user()
        return ""

    client = club.client()
    client.get("/stale")
    assert client.get("/paa").text == "False"
    client.get("/confirm")
    assert client.get("/paa").text == "True"


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


def change(club: Club, **values: Any) -> None:
    """Change the user's columns."""
    with club.app.app_context():
        user = club.users.find_user(email=ADA["email"])
        for name, value in values.items():
            setattr(user, name, value)
        club.db.session.commit()


def refused(club: Club, ada: VirtualAuthenticator) -> tuple[int, int | None]:
    """Return status and code of a sign-in that is refused."""
    with pytest.raises(Refused) as caught:
        sign_in(club.app.test_client(), ada)
    return caught.value.status, caught.value.code


def test_whoever_is_not_active_stays_out(club: Club) -> None:
    """An account check of the app's own cannot let in whom Flask-Security has switched off; no visit is counted."""
    ada = VirtualAuthenticator(SITE)
    add_passkey(club.client(), ada)
    club.passkey.check_account(lambda user: True)
    change(club, active=False)
    assert refused(club, ada) == (403, 403)
    assert club.visits() == 1


def test_an_address_is_confirmed_first() -> None:
    """Where Flask-Security wants addresses confirmed, a passkey is no way round."""
    club = Club(passkey_first=False, SECURITY_CONFIRMABLE=True, SECURITY_SEND_CONFIRMATION_EMAIL=False)
    change(club, confirmed_at=datetime(2026, 1, 1))
    ada = VirtualAuthenticator(SITE)
    add_passkey(club.client(), ada)
    assert sign_in(club.app.test_client(), ada)["user"]["name"] == ADA["email"]
    change(club, confirmed_at=None)
    assert refused(club, ada) == (403, 403)
    club.close()


def test_a_touch_is_one_factor_only() -> None:
    """Who has set up a second factor needs a passkey that verifies them; it is two factors by itself."""
    two = {"SECURITY_TWO_FACTOR": True, "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["email"]}
    two |= {"SECURITY_TOTP_SECRETS": {"1": "k" * 43}, "SECURITY_TOTP_ISSUER": "Club"}
    two |= {"PASSKEY_USER_VERIFICATION": "preferred"}
    club = Club(passkey_first=False, **two)
    ada, touch = VirtualAuthenticator(SITE), VirtualAuthenticator(SITE, has_user_verification=False)
    client = club.client()
    add_passkey(client, ada)
    sign_in(client, ada)
    add_passkey(client, touch)
    assert sign_in(club.app.test_client(), touch)["user"]["name"] == ADA["email"]
    change(club, tf_totp_secret="x", tf_primary_method="email")
    assert sign_in(club.app.test_client(), ada)["user"]["name"] == ADA["email"]
    assert refused(club, touch) == (403, 403)
    club.close()


def test_a_password_works_where_we_do_not(club: Club) -> None:
    """A mistake in our settings costs the offer, not the sign-in with a password."""
    club.passkey.rp_id_for(lambda: "unknown.example")
    assert club.app.test_client().post("/login", data=ADA).status_code == 302
