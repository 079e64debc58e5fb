"""Small apps for tests, complete but for pages: users in a dictionary, sessions and credentials in memory."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cachelib import SimpleCache
from flask import Flask, session
from flask.testing import FlaskClient
from flask_login import LoginManager, logout_user
from flask_session import Session
from werkzeug.test import TestResponse

from flask_passkey import (
    CredentialRecord,
    CredentialRepository,
    MemoryCredentialRepository,
    NameTaken,
    Passkey,
)

#: The origin of the apps here, as a browser on the same machine sees them.
SITE = "http://localhost"
#: The apps' own folder: without code, or each ``flask passkey check`` would read all tests.
NOTHING = Path(__file__).with_name("data")
#: The routes of the contract, which every check of a request has to cover.
ROUTES = (
    ("PUT", "/session/authn"),
    ("POST", "/session/authn"),
    ("POST", "/session/authn/password"),
    ("PUT", "/user/authn"),
    ("POST", "/user/authn"),
    ("GET", "/user/authn"),
    ("PATCH", "/user/authn/AAAA"),
    ("DELETE", "/user/authn/AAAA"),
    ("DELETE", "/user/authn"),
)


@dataclass(eq=False)
class User:
    """An app's user, as Flask-Login and Flask-Passkey want to see one."""

    name: str
    display_name: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    is_active: bool = True
    is_authenticated: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        """Return the id, under the name that Flask-Login knows."""
        return self.id


@dataclass(eq=False)
class App:
    """A Flask app with Flask-Passkey, and what a test wants to look into or to switch."""

    app: Flask
    passkey: Passkey
    #: All accounts by their id.
    users: dict[str, User] = field(default_factory=dict)
    #: What ``other_sign_in_methods`` says.
    has_other_methods: bool = False

    @property
    def cache(self) -> SimpleCache:
        """Where Flask-Session keeps its records."""
        cache: SimpleCache = self.app.config["SESSION_CACHELIB"]
        return cache

    @property
    def pending(self) -> dict[str, Any]:
        """The pending ceremonies, beside it."""
        return pending_in(self.cache)

    def session_ids(self) -> set[str]:
        """Return the ids of all stored sessions."""
        return {name.removeprefix("session:") for name in self.cache._cache}

    def user(self, name: str) -> User:
        """Return the user of this name."""
        return next(user for user in self.users.values() if user.name == name)

    def passkey_records(self, name: str) -> list[CredentialRecord]:
        """Return the credentials of the user of this name."""
        with self.app.app_context():
            records: list[CredentialRecord] = self.passkey.credentials.of_user(self.user(name).id)
        return records

    def sign_out(self, client: FlaskClient) -> None:
        """Sign a browser's user out, without us."""
        assert client.post("/sign-out").status_code == 204


def pending_in(cache: SimpleCache) -> dict[str, Any]:
    """Return the pending ceremonies of the apps that keep their sessions in a cache."""
    records: dict[str, Any] = vars(cache).setdefault("_passkey_records", {})
    return records


def make_app(
    config: Mapping[str, Any] | None = None,
    *,
    credentials: CredentialRepository | None = None,
    sign_up: bool = True,
    find_user: bool = False,
    flask_login: bool = False,
    before: Callable[[Flask], object] | None = None,
    pages: bool = False,
) -> App:
    """Return an app at :data:`SITE`.

    :param config: more settings.
    :param credentials: in memory by default.
    :param sign_up: has it a ``create_user`` hook?
    :param find_user: has it a ``find_user`` hook, for sign-in by name?
    :param flask_login: does Flask-Login keep people signed in, or hooks?
    :param before: sets another extension up, before Flask-Passkey.
    :param pages: has it the ready pages?
    """
    app = Flask(__name__, root_path=str(NOTHING))
    app.config.update(TESTING=True, SECRET_KEY="secret", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache(10_000))
    app.config.update(config or {})
    Session(app)
    if before is not None:
        before(app)
    site = App(app, Passkey(app, credentials=credentials or MemoryCredentialRepository(), pages=pages))
    app.add_url_rule("/sign-out", "sign_out", sign_out, methods=["POST"])
    if flask_login:
        use_flask_login(site)
    else:
        use_hooks(site)
    if sign_up:
        allow_sign_up(site)
    if find_user:
        site.passkey.find_user(lambda name: next((user for user in site.users.values() if user.name == name), None))
    site.passkey.other_sign_in_methods(lambda user: site.has_other_methods)
    return site


def sign_out() -> tuple[str, int]:
    """Sign the current user out, as apps do."""
    session.pop("user_id", None)
    if "_user_id" in session:
        logout_user()
    return "", 204


def use_flask_login(site: App) -> None:
    """Initialise Flask-Login, and nothing else."""
    manager = LoginManager(site.app)
    manager.user_loader(site.users.get)


def use_hooks(site: App) -> None:
    """Give the extension the three hooks of an app without Flask-Login."""

    @site.passkey.get_current_user
    def get_current_user() -> User | None:
        return site.users.get(session.get("user_id", ""))

    @site.passkey.load_user
    def load_user(user_id: str) -> User | None:
        return site.users.get(user_id)

    @site.passkey.login_user
    def login_user(user: User) -> None:
        session["user_id"] = user.id


def allow_sign_up(site: App) -> None:
    """Give the extension hooks that create accounts, of different names."""

    def is_free(name: str) -> bool:
        return name not in {user.name for user in site.users.values()}

    @site.passkey.create_user
    def create_user(name: str, display_name: str) -> User:
        if not is_free(name):
            raise NameTaken("there is an account of this name")
        user = User(name, display_name)
        site.users[user.id] = user
        return user

    site.passkey.name_available(is_free)


def begin(client: FlaskClient, route: str = "/session/authn", **json: Any) -> Any:
    """Begin a ceremony and return its data."""
    response = client.put(route, json=json or None)
    assert response.status_code == 200, response.json
    return response.get_json()["data"]


def finish(client: FlaskClient, begun: Any, response: object, route: str = "/session/authn") -> TestResponse:
    """Finish a ceremony and return the answer."""
    return client.post(route, json={"session_id": begun["session_id"], "response": response})


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings about refusals that were logged."""
    records = [record for record in caplog.records if record.levelno == logging.WARNING]
    return [record.getMessage() for record in records if "Refused" in record.getMessage()]
