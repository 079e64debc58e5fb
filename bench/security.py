"""Flask-Security with WebAuthn and sessions in Redis: the alternative that a Flask user would choose."""

from __future__ import annotations

import importlib
import json
from typing import Any

import stores
from flask import Flask
from flask_security import Security, SQLAlchemyUserDatastore, hash_password
from flask_sqlalchemy import SQLAlchemy
from passkeys import Passkeys
from sqlalchemy import event
from wsgi import Browser, Caller, Job, request

from flask_passkey.testing import b64url_encode


def app(store: str, passkeys: Passkeys) -> Flask:
    """Return an app with accounts and passkeys in SQLite, in WAL mode."""
    app = Flask("security")
    stores.configure(app, store)
    app.config.update(
        SECURITY_PASSWORD_SALT="146585145368132386173505678016728509634",
        SECURITY_WEBAUTHN=True,
        SECURITY_WAN_ALLOW_AS_FIRST_FACTOR=True,
        SECURITY_SEND_REGISTER_EMAIL=False,
        WTF_CSRF_ENABLED=False,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{stores.folder()}/security.sqlite3",
    )
    db: Any = SQLAlchemy(app)
    fsqla_v3: Any = importlib.import_module("flask_security.models.fsqla_v3")
    fsqla_v3.FsModels.set_db_info(db)
    models = {
        name: type(name, (db.Model, getattr(fsqla_v3, f"Fs{name}Mixin")), {}) for name in ("Role", "User", "WebAuthn")
    }
    datastore = SQLAlchemyUserDatastore(db, models["User"], models["Role"], models["WebAuthn"])
    Security(app, datastore)
    with app.app_context():
        event.listen(db.engine, "connect", stores.set_pragmas)
        db.create_all()
        _fill(datastore, passkeys)
    return app


def _fill(datastore: Any, passkeys: Passkeys) -> None:
    password = hash_password("not used")
    for record, credential in zip(passkeys.records(), passkeys.credentials, strict=True):
        # It keeps user handles as text.
        handle = b64url_encode(record.user_handle)[:64]
        credential.user_handle = handle.encode()
        user = datastore.create_user(
            email=f"{record.user_id}@example.com", password=password, fs_webauthn_user_handle=handle
        )
        datastore.create_webauthn(
            user,
            credential_id=record.id,
            public_key=record.public_key,
            name="Phone",
            sign_count=0,
            usage="first",
            device_type="multi_device",
            backup_state=True,
            transports=list(record.transports),
        )
    datastore.commit()


class Begin(Caller):
    """Starts sign-ins."""

    def __init__(self, store: str) -> None:
        super().__init__(app(store, Passkeys(2)).wsgi_app)
        self._request = request("POST", "/wan-signin", {})

    def make(self, count: int) -> list[Job]:
        return [self._request() for _ in range(count)]


class Finish(Caller):
    """Finishes sign-ins; each was started and answered before the clock starts."""

    def __init__(self, store: str) -> None:
        self._passkeys = Passkeys()
        self._wsgi = app(store, self._passkeys).wsgi_app
        super().__init__(self._wsgi)

    def make(self, count: int) -> list[Job]:
        return [self._ceremony() for _ in range(count)]

    def _ceremony(self) -> Job:
        browser = Browser(self._wsgi)
        begun = browser.ask("POST", "/wan-signin", {})["response"]
        answer = self._passkeys.answer(begun["credential_options"])
        path = f"/wan-signin/{begun['wan_state']}"
        return request("POST", path, {"credential": json.dumps(answer)}, browser.cookies)()


SUBJECTS = {"begin security redis": lambda: Begin("redis"), "finish security redis": lambda: Finish("redis")}
