"""Accounts that the app deletes by a statement of a session, which loads none of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask_login import UserMixin
from sqlalchemy import bindparam, delete
from test_deleted_accounts import Shop, shop

from flask_passkey import SQLCredentialRepository
from flask_passkey.testing import Refused, sign_in

pytestmark = pytest.mark.proves("threats:inherited-passkeys", "frictions:L")

__all__ = ["shop"]

Delete = Callable[[Shop, str], Any]
WAYS: dict[str, Delete] = {
    "delete": lambda shop, name: shop.db.session.execute(delete(shop.Account).where(shop.Account.name == name)),
    "query": lambda shop, name: shop.db.session.query(shop.Account).filter_by(name=name).delete(),
    "table": lambda shop, name: shop.db.session.execute(
        delete(shop.Account.__table__).where(shop.Account.__table__.c.name == name)
    ),
    "parameters": lambda shop, name: shop.db.session.execute(
        delete(shop.Account).where(shop.Account.name == bindparam("who")), {"who": name}
    ),
    "several": lambda shop, name: shop.db.session.execute(
        delete(shop.Account.__table__).where(shop.Account.__table__.c.name == bindparam("who")),
        [{"who": name}, {"who": "nobody"}],
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_passkeys_go_with_accounts_that_a_statement_deletes(shop: Shop, way: str) -> None:
    """The next account with the id inherits none, and other accounts keep theirs."""
    bob = shop.give_passkey(shop.add("bob"))
    ada = shop.add("ada")
    key = shop.give_passkey(ada)
    with shop.app.app_context():
        WAYS[way](shop, "ada")
        shop.db.session.commit()
    assert shop.add("carol") == ada
    with pytest.raises(Refused) as refused:
        sign_in(shop.app.test_client(), key)
    assert refused.value.code == 40090
    assert sign_in(shop.app.test_client(), bob)["user"]["name"] == "bob"


def test_all_at_once(shop: Shop) -> None:
    """A statement without a condition deletes all accounts, and so all passkeys."""
    keys = [shop.give_passkey(shop.add(name)) for name in ("ada", "bob")]
    with shop.app.app_context():
        shop.db.session.execute(delete(shop.Account))
        shop.db.session.commit()
    for name in ("carol", "dora"):
        shop.add(name)
    for key in keys:
        with pytest.raises(Refused):
            sign_in(shop.app.test_client(), key)


def test_a_subclass_is_deleted_alone(shop: Shop) -> None:
    """A statement on a class that shares the table with others takes only its own accounts' passkeys along."""
    ada, boss = shop.give_passkey(shop.add("ada")), shop.give_passkey(shop.add("boss", "Admin"))
    with shop.app.app_context():
        shop.db.session.execute(delete(shop.Admin))
        shop.db.session.commit()
    assert sign_in(shop.app.test_client(), ada)["user"]["name"] == "ada"
    with pytest.raises(Refused):
        sign_in(shop.app.test_client(), boss)


def test_what_is_undone_leaves_the_passkeys(shop: Shop) -> None:
    """Both are deleted in one transaction: where that is rolled back, both are there."""
    key = shop.give_passkey(shop.add("ada"))
    with shop.app.app_context():
        shop.db.session.execute(delete(shop.Account))
        shop.db.session.rollback()
    assert sign_in(shop.app.test_client(), key)["user"]["name"] == "ada"


# Nobody was seen in this process


def in_another_process(uri: str) -> Shop:
    """Return the same app as another process has it, which knows nobody yet."""
    return Shop(uri, lambda db: SQLCredentialRepository(session=db.session))


def uri_of(shop: Shop) -> str:
    """Return where an app's database is."""
    return str(shop.app.config["SQLALCHEMY_DATABASE_URI"])


@pytest.mark.parametrize("by_statement", [False, True])
def test_a_process_that_has_seen_nobody(shop: Shop, by_statement: bool) -> None:
    """A command that deletes an account takes its passkeys along, although nobody has signed in there."""
    ada = shop.add("ada")
    key = shop.give_passkey(ada)
    other = in_another_process(uri_of(shop))
    if by_statement:
        with other.app.app_context():
            WAYS["delete"](other, "ada")
            other.db.session.commit()
    else:
        other.delete(ada)
    assert shop.add("carol") == ada
    with pytest.raises(Refused) as refused:
        sign_in(shop.app.test_client(), key)
    assert refused.value.code == 40090
    with other.app.app_context():
        other.db.engine.dispose()


def test_of_several_kinds_of_users_none_is_guessed(tmp_path: Path) -> None:
    """Where two models could be the users, the deletion of one leaves alone the passkeys of the other's same id."""
    uri = f"sqlite:///{tmp_path}/shop.sqlite3"
    shop = Shop(uri, lambda db: SQLCredentialRepository(session=db.session))
    key = shop.give_passkey(shop.add("ada"))
    other = in_another_process(uri)

    class Robot(UserMixin, other.db.Model):  # type: ignore[name-defined, misc]
        id = other.db.Column(other.db.Integer, primary_key=True)

    with other.app.app_context():
        other.db.create_all()
        robot = Robot()
        other.db.session.add(robot)
        other.db.session.commit()
        other.db.session.delete(robot)
        other.db.session.commit()
    assert sign_in(shop.app.test_client(), key)["user"]["name"] == "ada"
    for each in (shop, other):
        with each.app.app_context():
            each.db.engine.dispose()
