"""Passkeys that the real Flask-Security registers, in the same app and in another, imported and signed in with."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from cachelib import SimpleCache
from click.testing import Result
from flask import Flask
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy

from flask_passkey import Passkey, SQLCredentialRepository
from flask_passkey.cli import passkey as command
from flask_passkey.testing import VirtualAuthenticator, add_passkey, b64url_encode, sign_in

security = pytest.importorskip("flask_security", reason="pip install 'flask-security[common,fsqla]'")
# Flask-Security 5.9.2 with WTForms 3.3.
pytestmark = pytest.mark.filterwarnings("ignore:Passing SelectField choices:DeprecationWarning")


class Site:
    """An app on Flask-Security whose people have registered passkeys there; ours are beside them from now on."""

    def __init__(self, file: Path) -> None:
        fsqla: Any = import_module("flask_security.models.fsqla_v3")
        self.db = db = SQLAlchemy()
        self.app = app = Flask(__name__)
        app.config.update(SECRET_KEY="x", TESTING=True, SECURITY_PASSWORD_SALT="1", WTF_CSRF_ENABLED=False)
        app.config.update(SQLALCHEMY_DATABASE_URI=f"sqlite:///{file}", SECURITY_WEBAUTHN=True, SECURITY_WAN_RP_NAME="x")
        app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
        app.config.update(
            SECURITY_PASSWORD_HASH="plaintext",
            SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
            SECURITY_WAN_ALLOW_AS_VERIFY=["first"],
        )
        Session(app)
        db.init_app(app)
        fsqla.FsModels.set_db_info(db)

        class Role(db.Model, fsqla.FsRoleMixin):  # type: ignore[name-defined, misc]
            pass

        class User(db.Model, fsqla.FsUserMixin):  # type: ignore[name-defined, misc]
            pass

        class WebAuthn(db.Model, fsqla.FsWebAuthnMixin):  # type: ignore[name-defined, misc]
            pass

        users = security.SQLAlchemyUserDatastore(db, User, Role, WebAuthn)
        security.Security(app, users)
        self.passkey = Passkey(app, credentials=SQLCredentialRepository(session=db.session))
        with app.app_context():
            db.create_all()
            for name in ("ada", "bob"):
                users.create_user(email=f"{name}@example.com", password="password")
            db.session.commit()

    def register(self, name: str, key: VirtualAuthenticator, *, usage: str = "first") -> None:
        """Register a passkey at Flask-Security, by its own views."""
        client = self.app.test_client()
        signed_in = client.post("/login", json={"email": f"{name}@example.com", "password": "password"})
        assert signed_in.status_code == 200, signed_in.text
        begun = client.post("/wan-register", json={"name": f"{usage} of {name}", "usage": usage}).json
        assert begun is not None
        response = key.create(begun["response"]["credential_options"])
        response["extensions"] = json.dumps(response["clientExtensionResults"])  # as its own script sends them
        path = f"/wan-register/{begun['response']['wan_state']}"
        finished = client.post(path, json={"credential": json.dumps(response)})
        assert finished.status_code == 200, finished.text

    def close(self) -> None:
        """Close the database."""
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()


def security_key() -> VirtualAuthenticator:
    """Return what Flask-Security asks for: an authenticator that is not built in."""
    key = VirtualAuthenticator(SITE, transports=("usb",), sign_count_step=1)
    key.default_backup_eligibility = key.default_backup_state = False
    return key


def run(app: Flask, place: object, *options: str) -> Result:
    """Import from Flask-Security."""
    return app.test_cli_runner().invoke(command, ["import", "--from", "flask-security", str(place), *options])


def test_the_app_goes_on_with_its_own_passkeys(tmp_path: Path) -> None:
    """In the same app and database, every first-factor passkey signs in at ours; new ones get the old user handle."""
    file = tmp_path / "app.sqlite3"
    site, key, other, second = Site(file), *(security_key() for _ in range(3))
    site.register("ada", key)
    site.register("bob", other)
    site.register("bob", second, usage="secondary")
    result = run(site.app, file)
    assert result.output == (
        "Imported: 2.\nAlready there: 0.\nLeft out, it is a second factor only, by its usage: 1 (row 3).\n"
    )
    client = site.app.test_client()
    data = sign_in(client, key)
    assert data["user"] == {"id": "1", "name": "ada@example.com", "display_name": ""}
    assert sign_in(site.app.test_client(), other)["user"]["id"] == "2"
    new = VirtualAuthenticator(SITE)
    add_passkey(client, new)
    assert new.credentials[0].user_handle == key.credentials[0].user_handle
    labels = {one["name"] for one in client.get("/user/authn").get_json()["data"]["credentials"]}
    assert labels == {"first of ada", "Passkey"}
    assert run(site.app, file).output.startswith("Imported: 0.\nAlready there: 2.\n")
    site.close()


def test_another_app_takes_them_over(tmp_path: Path) -> None:
    """An app whose accounts have other ids takes them by a map; who is not on it is left out."""
    file = tmp_path / "app.sqlite3"
    site, key, other = Site(file), security_key(), security_key()
    site.register("ada", key)
    site.register("bob", other)
    site.close()
    new: App = make_app()
    new.users["a-7"] = User("ada", id="a-7")
    (tmp_path / "users.csv").write_text("1,a-7\n")
    result = run(new.app, f"sqlite:///{file}", "--users", str(tmp_path / "users.csv"))
    assert result.output == ("Imported: 1.\nAlready there: 0.\nLeft out, this app has no such account: 1 (row 2).\n")
    [record] = new.passkey_records("ada")
    assert (record.label, record.backup_eligible, record.discoverable) == ("first of ada", False, True)
    assert record.transports == ("usb",) and record.sign_count == key.credentials[0].sign_count
    data = sign_in(new.app.test_client(), key)
    handle = key.credentials[0].user_handle
    assert handle is not None and data["signals"]["userId"] == b64url_encode(handle)
