"""The app's hooks: what they get, what they may return, and what happens where one is missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from apps import User

from flask_passkey import NameTaken, UserInfo
from flask_passkey.accounts import Accounts, Hooks
from flask_passkey.errors import AccountRefused, Misconfigured, Refusal

ADA = User("ada", "Ada Lovelace", id="17")


def accounts(**hooks: Callable[..., Any]) -> Accounts:
    """Return the accounts of an app with these hooks, and none of Flask-Login's."""
    return Accounts(Hooks(**hooks))


def reason(call: Callable[[], object], error: type[Refusal] = Misconfigured) -> str:
    """Return the internal reason of a refusal."""
    with pytest.raises(error) as caught:
        call()
    return caught.value.reason


@pytest.mark.parametrize(
    ("hook", "call"),
    [
        ("get_current_user", lambda app: app.current()),
        ("load_user", lambda app: app.load("17")),
        ("login_user", lambda app: app.login(ADA)),
        ("create_user", lambda app: app.create("ada", "")),
        ("create_user", lambda app: app.is_available("ada")),
        ("find_user", lambda app: app.find("ada")),
    ],
)
def test_a_missing_hook_is_named(hook: str, call: Callable[[Accounts], object]) -> None:
    """The reason names the missing hook and its decorator, and Flask-Login only where that would help."""
    message = reason(lambda: call(accounts()))
    assert message.startswith(f"the app has no {hook} hook: decorate one with @passkey.{hook}")
    assert ("Flask-Login" in message) == (hook in ("get_current_user", "load_user", "login_user"))


def test_the_apps_hooks_go_before_the_login_manager() -> None:
    """Flask-Login answers for the hooks the app does not have, and only for those."""
    manager = Hooks(get_current_user=lambda: "theirs", load_user=lambda user_id: User("their", id=user_id))
    both = Accounts(Hooks(get_current_user=lambda: "ours"), lambda: manager)
    assert both.current() == "ours"
    assert both.load("17")[0].name == "their"
    assert "no login_user hook" in reason(lambda: both.login(ADA))


@pytest.mark.parametrize("nobody", [None, SimpleNamespace(is_authenticated=False)])
def test_nobody_is_signed_in(nobody: object) -> None:
    """``None`` is nobody, and so is the anonymous user that login extensions have."""
    assert accounts(get_current_user=lambda: nobody).current() is None


def test_somebody_is_signed_in() -> None:
    """The app's user object is given on as it is."""
    plain = SimpleNamespace(id=5)
    assert accounts(get_current_user=lambda: ADA).current() is ADA
    assert accounts(get_current_user=lambda: plain).current() is plain


def test_load_gives_the_user_of_the_id() -> None:
    """The hook is asked by the id that was described, as text."""
    assert accounts(load_user={"17": ADA}.get).load("17") == (ADA, UserInfo("17", "ada", "Ada Lovelace"))


def test_a_user_who_is_gone_is_refused() -> None:
    """A passkey may outlive its account; it signs nobody in."""
    assert "no user" in reason(lambda: accounts(load_user=lambda user_id: None).load("17"), AccountRefused)


def test_a_hook_that_loads_somebody_else_signs_nobody_in() -> None:
    """A wrong user from the hook is a mistake of the app, not a sign-in as somebody else."""
    assert "gave another user" in reason(lambda: accounts(load_user=lambda user_id: User("eve")).load("17"))


@dataclass
class OldUser:
    """A user with a method where today there is a property."""

    active: bool
    id: str = "17"

    def is_active(self) -> bool:
        """Tell whether the account is active."""
        return self.active


class MethodicalUser:
    """A user that tells everything by methods."""

    def id(self) -> int:
        """Return the primary key."""
        return 17

    def name(self) -> str:
        """Return what they sign in with."""
        return "ada"

    def display_name(self) -> str:
        """Return first and last name."""
        return "Ada Lovelace"

    def is_authenticated(self) -> bool:
        """Tell that nobody is signed in."""
        return False


def test_methods_of_a_user_are_asked() -> None:
    """What is a method is called, and is neither true nor text as it is; a class of users may have no properties."""
    assert accounts().describe(MethodicalUser()) == UserInfo("17", "ada", "Ada Lovelace")
    assert accounts(get_current_user=MethodicalUser).current() is None


@pytest.mark.parametrize("user", [User("ada", id="17", is_active=False), OldUser(False)])
def test_inactive_users_are_refused(user: object) -> None:
    """``is_active`` decides where the app has no check of its own, as an attribute or as a method."""
    app = accounts(load_user=lambda user_id: user, find_user=lambda name: user)
    assert "account check" in reason(lambda: app.load("17"), AccountRefused)
    assert "account check" in reason(lambda: app.check(user), AccountRefused)
    assert app.find("ada") is None


@pytest.mark.parametrize("user", [ADA, OldUser(True), SimpleNamespace(id="17")])
def test_active_users_are_let_in(user: object) -> None:
    """A user who is active, or is not said not to be, may sign in."""
    app = accounts(load_user=lambda user_id: user, find_user=lambda name: user)
    app.check(user)
    assert app.load("17")[0] is app.find("ada") is user


@pytest.mark.parametrize("verdict", [False, None, 0, ""])
def test_the_apps_check_decides_alone(verdict: object) -> None:
    """With a check of its own the app decides, in both directions, whatever ``is_active`` is."""
    assert "account check" in reason(lambda: accounts(check_account=lambda user: verdict).check(ADA), AccountRefused)
    accounts(check_account=lambda user: True).check(User("ada", is_active=False))


@pytest.mark.parametrize(("returned", "added"), [(None, {}), (True, {}), ({}, {}), ({"next": "/"}, {"next": "/"})])
def test_login_may_add_to_the_answer(returned: object, added: dict[str, str]) -> None:
    """A dict is added to the answer; nothing, or Flask-Login's ``True``, is fine as well."""
    assert accounts(login_user=lambda user: returned).login(ADA) == added


def test_login_may_refuse() -> None:
    """A hook that is Flask-Login's own function says ``False``, and then nobody is signed in."""
    assert "refuses" in reason(lambda: accounts(login_user=lambda user: False).login(ADA), AccountRefused)


@pytest.mark.parametrize("returned", ["/", 5, [("next", "/")]])
def test_login_must_not_return_anything_else(returned: object) -> None:
    """A redirect, for one, would never be seen, so the app is told."""
    assert type(returned).__name__ in reason(lambda: accounts(login_user=lambda user: returned).login(ADA))


def test_create_returns_the_new_user() -> None:
    """The hook gets both names; forgetting to return the user is told."""
    assert accounts(create_user=lambda name, display_name: (name, display_name)).create("a", "A") == ("a", "A")
    assert "return the new user" in reason(lambda: accounts(create_user=lambda *names: None).create("a", "A"))


def test_create_may_find_the_name_taken() -> None:
    """What the hook raises comes through."""

    def create_user(name: str, display_name: str) -> object:
        raise NameTaken

    reason(lambda: accounts(create_user=create_user).create("a", "A"), NameTaken)
    assert accounts(create_user=create_user).can_create and not accounts().can_create


def test_a_name_is_available_unless_the_app_says_no() -> None:
    """Without a hook every name is; the account is created later, and may be refused then."""
    create = {"create_user": lambda *names: ADA}
    assert accounts(**create).is_available("ada") is True
    assert accounts(**create, name_available=lambda name: name != "ada").is_available("ada") is False
    assert accounts(**create, name_available=lambda name: name != "ada").is_available("bob") is True


def test_there_is_no_other_way_in_unless_the_app_says_so() -> None:
    """The last passkey is guarded by default."""
    assert accounts().has_other_way_in(ADA) is False
    assert accounts(other_sign_in_methods=lambda user: user is ADA).has_other_way_in(ADA) is True
    assert accounts(other_sign_in_methods=lambda user: None).has_other_way_in(ADA) is False


@pytest.mark.parametrize(
    ("user", "info"),
    [
        (ADA, UserInfo("17", "ada", "Ada Lovelace")),
        (SimpleNamespace(id=17, username="ada"), UserInfo("17", "ada", "")),
        (SimpleNamespace(id=17, name=None, email="ada@example.com"), UserInfo("17", "ada@example.com", "")),
        (SimpleNamespace(id=17, display_name=None), UserInfo("17", "17", "")),
        (SimpleNamespace(get_id=lambda: "u:17", id=17, name="ada"), UserInfo("u:17", "ada", "")),
        (SimpleNamespace(id=0), UserInfo("0", "0", "")),
    ],
)
def test_usual_user_objects_need_no_hook(user: object, info: UserInfo) -> None:
    """Id and names are read from where apps usually have them, always as text."""
    assert accounts().describe(user) == info


def row(**columns: object) -> sqlite3.Row:
    """Return a row of sqlite3."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        names = ", ".join(f"? AS {name}" for name in columns)
        made: sqlite3.Row = connection.execute(f"SELECT {names}", [*columns.values()]).fetchone()
    return made


@pytest.mark.proves("frictions:sqlite3")
@pytest.mark.parametrize("kind", [row, dict])
def test_rows_are_users(kind: Callable[..., Any]) -> None:
    """A row or a dict is read by its columns as an object by its attributes; one that is switched off is refused."""
    assert accounts().describe(kind(id=17, username="ada", display_name=None)) == UserInfo("17", "ada", "")
    assert accounts().may_sign_in(kind(id=17)) and accounts().may_sign_in(kind(id=17, is_active=1))
    assert not accounts().may_sign_in(kind(id=17, is_active=0))
    assert accounts(get_current_user=lambda: kind(id=17, is_authenticated=0)).current() is None
    assert "flush or commit" in reason(lambda: accounts().describe(kind(id=None)))


class Keyring:
    """An account with something of its own that is called keys, as a relationship may be."""

    id, keys = 17, ("blue", "red")


def test_keys_of_an_account_are_no_columns() -> None:
    """What only looks like a row is an object."""
    assert accounts().describe(Keyring()) == UserInfo("17", "17", "")


def test_other_user_objects_are_described_by_the_app() -> None:
    """With a hook any object will do, and its id becomes text."""
    user: dict[str, Any] = {"pk": 17, "shown": None}
    described = accounts(describe_user=lambda user: UserInfo(user["pk"], "ada", user["shown"]))
    assert described.describe(user) == UserInfo("17", "ada", "")
    assert "@passkey.describe_user" in reason(lambda: accounts().describe(user))


@pytest.mark.parametrize(
    "user", [SimpleNamespace(id=None), SimpleNamespace(id=""), SimpleNamespace(get_id=lambda: "None", id=None)]
)
def test_a_user_without_an_id_gets_no_passkey(user: object) -> None:
    """An object that the database has not numbered yet would share its passkeys with all others like it."""
    assert "flush or commit" in reason(lambda: accounts().describe(user))
