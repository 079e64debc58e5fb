"""Apps on Flask-Security, whose sessions know people by a token that changes with the password."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from apps import SITE
from cachelib import SimpleCache
from flask import Flask
from flask_login import login_user
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy

from flask_passkey import MemoryCredentialRepository, Passkey, SQLCredentialRepository, UserInfo
from flask_passkey.accounts import Accounts, Hooks
from flask_passkey.errors import Misconfigured
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in

pytestmark = pytest.mark.proves("frictions:L")

security = pytest.importorskip("flask_security", reason="pip install 'flask-security[common,fsqla]'")


class Site:
    """An app as Flask-Security's quickstart has it."""

    def __init__(self, key: type, *, in_database: bool = False) -> None:
        fsqla: Any = import_module("flask_security.models.fsqla_v3")
        self.db = db = SQLAlchemy()
        self.app = app = Flask(__name__)
        app.config.update(SECRET_KEY="x", TESTING=True, SECURITY_PASSWORD_SALT="1", WTF_CSRF_ENABLED=False)
        app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
        app.config.update(
            SECURITY_PASSWORD_HASH="plaintext", SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False}
        )
        Session(app)
        db.init_app(app)
        fsqla.FsModels.set_db_info(db)

        class Role(db.Model, fsqla.FsRoleMixin):  # type: ignore[name-defined, misc]
            pass

        class User(db.Model, fsqla.FsUserMixin):  # type: ignore[name-defined, misc]
            def get_id(self) -> str:
                return f"user:{self.id}" if key is str else str(self.fs_uniquifier)

        class WebAuthn(db.Model, fsqla.FsWebAuthnMixin):  # type: ignore[name-defined, misc]
            pass

        self.users = security.SQLAlchemyUserDatastore(db, User, Role)
        security.Security(app, self.users)
        if key is str:
            app.login_manager.user_loader(lambda text: db.session.get(User, int(text.removeprefix("user:"))))  # type: ignore[attr-defined]
        credentials = SQLCredentialRepository(session=db.session) if in_database else MemoryCredentialRepository()
        self.passkey = Passkey(app, credentials=credentials)
        app.add_url_rule("/password", view_func=lambda: str(login_user(self.ada())), endpoint="password")
        with app.app_context():
            db.create_all()
            self.users.create_user(email="ada@example.com", password="x")
            db.session.commit()

    def ada(self) -> Any:
        """Return the one user."""
        return self.users.find_user(email="ada@example.com")

    def change_password(self) -> None:
        """Do what a change of the password does to those who are signed in."""
        with self.app.app_context():
            self.users.set_uniquifier(self.ada())
            self.db.session.commit()

    def close(self) -> None:
        """Close the database."""
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()


@pytest.mark.parametrize("in_database", [False, True])
@pytest.mark.parametrize(("key", "user_id"), [(int, "1"), (str, "user:1")])
def test_a_changed_password_leaves_the_passkeys(key: type, user_id: str, in_database: bool) -> None:
    """A passkey signs in before and after the password was changed: its account is known by the primary key."""
    site = Site(key, in_database=in_database)
    client, authenticator = site.app.test_client(), VirtualAuthenticator(SITE)
    client.get("/password")
    add_passkey(client, authenticator)
    assert sign_in(site.app.test_client(), authenticator)["user"]["id"] == user_id
    site.change_password()
    again = site.app.test_client()
    assert sign_in(again, authenticator)["user"]["name"] == "ada@example.com"
    assert len(again.get("/user/authn").get_json()["data"]["credentials"]) == 1
    site.close()


def test_a_user_who_is_gone_or_inactive_is_not_let_in() -> None:
    """An account that Flask-Security has switched off or lost is refused."""
    site = Site(int)
    client, authenticator = site.app.test_client(), VirtualAuthenticator(SITE)
    client.get("/password")
    add_passkey(client, authenticator)
    with site.app.app_context():
        site.users.deactivate_user(site.ada())
        site.db.session.commit()
    with pytest.raises(Refused) as refused:
        sign_in(site.app.test_client(), authenticator)
    assert refused.value.status == 403
    with site.app.app_context():
        accounts = Accounts(Hooks(load_user=site.app.extensions["passkey_state"].accounts._required("load_user")))
        assert not accounts.exists("2") and not accounts.exists("ada") and accounts.exists("1")
    site.close()


class Token:
    """A user of Flask-Security's kind without a primary key called id."""

    fs_uniquifier = "token"

    def get_id(self) -> str:
        """Return the token."""
        return self.fs_uniquifier


def test_a_token_is_no_id() -> None:
    """Without a primary key called id the app has to say what its ids are; with its hook all is well."""
    with pytest.raises(Misconfigured, match="describe_user and @passkey.load_user"):
        Accounts(Hooks()).describe(Token())
    hooks = Hooks(describe_user=lambda user: UserInfo("7", "ada", ""))
    assert Accounts(hooks).describe(Token()).id == "7"
