"""Flask-Passkey as an app would set it up."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import stores
from flask import Flask, session
from passkeys import RP_ID, Passkeys
from wsgi import SITE

from flask_passkey import CredentialRepository, MemoryCredentialRepository, Passkey, UserInfo
from flask_passkey.credentials.sql import SQLCredentialRepository, metadata


@dataclass(frozen=True)
class User:
    """A user whose loading costs nothing."""

    id: str
    name: str
    display_name: str


def app(store: str, *, credentials: str = "memory", login: bool = False, passkeys: Passkeys | None = None) -> Flask:
    """Return an app with Flask-Passkey.

    :param store: Flask-Session's store: ``memory``, ``redis``, ``sql`` or ``file``.
    :param credentials: ``memory``, ``sqlite`` or ``postgresql``.
    :param login: keep the signed-in user's id in the session.
    """
    app = Flask("ours")
    stores.configure(app, store)
    app.config.update(PASSKEY_RP_ID=RP_ID, PASSKEY_ORIGINS=[SITE])
    repository = repository_of(credentials)
    for record in passkeys.records() if passkeys else ():
        repository.add_user(record.user_id, record.user_handle)
        repository.add(record)
    passkey = Passkey(app, credentials=repository)
    _add_hooks(passkey, login)
    return app


def repository_of(kind: str) -> CredentialRepository:
    """Return an empty repository."""
    if kind == "memory":
        return MemoryCredentialRepository()
    if kind == "sqlite":
        return SQLCredentialRepository.from_uri(f"sqlite:///{stores.folder()}/passkey.sqlite3")
    repository = SQLCredentialRepository.from_uri(os.environ["BENCH_POSTGRESQL_URL"])
    with repository.transaction() as connection:
        metadata.drop_all(connection)  # of the subject before
    repository.create_tables()
    return repository


def _add_hooks(passkey: Passkey, login: bool) -> None:
    @passkey.get_current_user
    def get_current_user() -> User | None:
        return load_user(session["user_id"]) if login and "user_id" in session else None

    @passkey.load_user
    def load_user(user_id: str) -> User:
        return User(user_id, user_id, "")

    @passkey.login_user
    def login_user(user: User) -> dict[str, Any] | None:
        if login:
            session["user_id"] = user.id
        return None


__all__ = ["User", "UserInfo", "app", "repository_of"]
