"""An app that uses every hook, and what an app's own views use, with types: mypy --strict and pyright accept it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_type

from flask import Flask, session
from flask_session import Session

from flask_passkey import (
    CredentialRepository,
    MemoryCredentialRepository,
    NameTaken,
    Passkey,
    PasskeyConfig,
    Registered,
    SignedIn,
    UserInfo,
    Visitor,
)
from flask_passkey.errors import MalformedRequest


@dataclass
class User:
    """A user of this app, which calls nothing as we would."""

    number: int
    login: str


app = Flask(__name__)
Session(app)
passkey = Passkey(app, credentials=MemoryCredentialRepository())
users: dict[str, User] = {}


@passkey.get_current_user
def get_current_user() -> User | None:
    return users.get(session.get("login", ""))


@passkey.load_user
def load_user(user_id: str) -> User | None:
    return next((user for user in users.values() if str(user.number) == user_id), None)


@passkey.login_user
def login_user(user: User) -> dict[str, Any] | None:
    session["login"] = user.login
    return {"page": "/home"}


@passkey.login_user
def login_user_with(user: User, outcome: SignedIn | Registered) -> dict[str, Any]:
    session["amr"] = list(outcome.amr)
    return {"verified": outcome.user_verified, "by": outcome.authenticator_attachment}


@passkey.find_user
async def find_user(name: str) -> User | None:
    return users.get(name)


@passkey.create_user
def create_user(name: str, display_name: str) -> User:
    if name in users:
        raise NameTaken
    return users.setdefault(name, User(len(users), name))


@passkey.create_user
def create_user_with(name: str, display_name: str, fields: Mapping[str, str]) -> User:
    return users.setdefault(name, User(len(users), fields["mail"]))


@passkey.check_sign_up
def check_sign_up(name: str, display_name: str, fields: Mapping[str, str]) -> None:
    if "@" not in fields.get("mail", ""):
        raise MalformedRequest("mail")


@passkey.name_available
async def name_available(name: str) -> bool:
    return name not in users


@passkey.describe_user
def describe_user(user: User) -> UserInfo:
    return UserInfo(id=str(user.number), name=user.login, display_name=user.login)


@passkey.check_account
def check_account(user: User) -> bool:
    return user.number >= 0


@passkey.extensions
def extensions(purpose: str, user: User | None) -> dict[str, Any] | None:
    return None if user is None else {"minPinLength": purpose == "registration"}


@passkey.other_sign_in_methods
def other_sign_in_methods(user: User) -> bool:
    return False


@passkey.check_password
def check_password(user: User, password: str) -> bool:
    return password == user.login


@passkey.rp_id_for
def rp_id_for() -> str:
    return "localhost"


@app.get("/careful")
@passkey.required(max_age=60)
def careful() -> str:
    return "done"


def types_of_what_an_app_gets() -> None:
    """A hook stays the function that it was, and nothing is of any type."""
    assert_type(load_user("7"), User | None)
    assert_type(login_user_with.__name__, str)
    assert_type(create_user("ada", "Ada"), User)
    assert_type(careful(), str)
    assert_type(passkey.config, PasskeyConfig)
    assert_type(passkey.credentials, CredentialRepository)
    assert_type(passkey.visitor(), Visitor)
    assert_type(passkey.passkey_offered(), bool)
