"""Hooks of the wrong signature: each is an error of a type checker in the line that ends with ``# wrong``."""

from __future__ import annotations

from flask_passkey import Passkey, UserInfo

passkey = Passkey()


@passkey.get_current_user  # wrong
def get_current_user(user_id: str) -> object:
    return user_id


@passkey.load_user  # wrong
def load_user(user_id: int) -> object:
    return user_id


@passkey.login_user  # wrong
def login_user() -> None:
    return None


@passkey.login_user  # wrong
def login_user_as_text(user: object, outcome: str) -> None:
    return None


@passkey.login_user  # wrong
def login_user_and_more(user: object, outcome: object, more: object) -> None:
    return None


@passkey.find_user  # wrong
def find_user(name: str, realm: str) -> object:
    return name, realm


@passkey.create_user  # wrong
def create_user(name: str) -> object:
    return name


@passkey.create_user  # wrong
def create_user_with(name: str, display_name: str, fields: int) -> object:
    return name, display_name, fields


@passkey.check_sign_up  # wrong
def check_sign_up(name: str, display_name: str, fields: object) -> bool:
    return bool(name and display_name and fields)


@passkey.name_available  # wrong
def name_available(name: str) -> str:
    return name


@passkey.describe_user  # wrong
def describe_user(user: object) -> str:
    return str(user)


@passkey.check_account  # wrong
def check_account(user: object) -> UserInfo:
    return UserInfo(id=str(user), name="", display_name="")


@passkey.extensions  # wrong
def extensions(purpose: str) -> dict[str, bool]:
    return {"minPinLength": purpose == "registration"}


@passkey.other_sign_in_methods  # wrong
def other_sign_in_methods(user: object, method: str) -> bool:
    return bool(user and method)


@passkey.check_password  # wrong
def check_password(password: str) -> bool:
    return password == ""


@passkey.rp_id_for  # wrong
def rp_id_for(host: str) -> str:
    return host


Passkey(credentials="passkeys.sqlite3")  # wrong
