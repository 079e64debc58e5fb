"""Accounts that are deleted by the app's own code, and ids that are then given to somebody else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apps import SITE, App, User, make_app
from cachelib import SimpleCache
from flask import Flask
from flask_login import LoginManager, UserMixin, login_user
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Integer, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm import Session as ORMSession

from flask_passkey import (
    GrantRecord,
    MemoryCredentialRepository,
    Passkey,
    SQLCredentialRepository,
    UserInfo,
    delete_with,
)
from flask_passkey.errors import Misconfigured
from flask_passkey.holders import is_holder
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, b64url_encode, enrol, sign_in, sign_up

pytestmark = pytest.mark.proves("threats:inherited-passkeys", "frictions:L")

# The app's own code deletes


class Shop:
    """An app with accounts in Flask-SQLAlchemy's defaults, where SQLite gives a free id to the next."""

    def __init__(self, uri: str, credentials: Callable[[SQLAlchemy], SQLCredentialRepository]) -> None:
        self.db = db = SQLAlchemy()
        self.app = Flask(__name__)
        self.app.config.update(TESTING=True, SECRET_KEY="x", SQLALCHEMY_DATABASE_URI=uri)
        self.app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
        Session(self.app)
        db.init_app(self.app)
        self.repository = credentials(db)
        self.passkey = Passkey(self.app, credentials=self.repository)

        class Account(UserMixin, db.Model):  # type: ignore[name-defined, misc]
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(80))
            kind = db.Column(db.String(10))
            __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "plain"}

        class Admin(Account):
            __mapper_args__ = {"polymorphic_identity": "admin"}

        self.Account, self.Admin = Account, Admin
        LoginManager(self.app).user_loader(lambda user_id: db.session.get(Account, int(user_id)))
        self.app.add_url_rule("/in/<int:id>", "in", lambda id: str(login_user(db.session.get(Account, id))))
        with self.app.app_context():
            db.create_all()

    def add(self, name: str, kind: str = "Account") -> int:
        """Add an account and return its id."""
        with self.app.app_context():
            account = getattr(self, kind)(name=name)
            self.db.session.add(account)
            self.db.session.commit()
            found: int = account.id
            return found

    def delete(self, account_id: int) -> None:
        """Delete an account as apps do, without a word to us."""
        with self.app.app_context():
            self.db.session.delete(self.db.session.get(self.Account, account_id))
            self.db.session.commit()

    def give_passkey(self, account_id: int) -> VirtualAuthenticator:
        """Sign an account in, in the app's own way, and add a passkey to it."""
        client, key = self.app.test_client(), VirtualAuthenticator(SITE)
        client.get(f"/in/{account_id}")
        add_passkey(client, key)
        return key


@pytest.fixture(params=["session", "engine"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """Return an app whose passkeys are in the database of its accounts, by one of the ways there are."""
    uri = f"sqlite:///{tmp_path}/shop.sqlite3"
    ways: dict[str, Callable[[SQLAlchemy], SQLCredentialRepository]] = {
        "session": lambda db: SQLCredentialRepository(session=db.session),
        "engine": lambda db: SQLCredentialRepository(lambda: db.engine),
    }
    shop = Shop(uri, ways[request.param])
    yield shop
    with shop.app.app_context():
        if request.param != "session":
            shop.repository.close()
        shop.db.session.remove()
        shop.db.engine.dispose()


@pytest.mark.parametrize("kind", ["Account", "Admin"])
def test_a_deleted_accounts_passkey_opens_no_other_account(shop: Shop, kind: str) -> None:
    """The passkeys of an account that a session deletes are gone with it, and the next with its id inherits none."""
    shop.give_passkey(shop.add("bob"))
    ada = shop.add("ada", kind)
    key = shop.give_passkey(ada)
    assert sign_in(shop.app.test_client(), key)["user"]["name"] == "ada"
    shop.delete(ada)
    assert shop.add("carol") == ada
    with pytest.raises(Refused) as refused:
        sign_in(shop.app.test_client(), key)
    assert (refused.value.status, refused.value.code) == (401, 40090)
    carol = shop.app.test_client()
    carol.get(f"/in/{ada}")
    assert carol.get("/user/authn").get_json()["data"]["credentials"] == []
    add_passkey(carol, VirtualAuthenticator(SITE))


def test_a_deletion_that_is_undone_leaves_the_passkeys(shop: Shop) -> None:
    """Passkeys and account are deleted in one transaction: where that is rolled back, both are there."""
    ada = shop.add("ada")
    key = shop.give_passkey(ada)
    with shop.app.app_context():
        shop.db.session.delete(shop.db.session.get(shop.Account, ada))
        shop.db.session.flush()
        shop.db.session.rollback()
    assert sign_in(shop.app.test_client(), key)["user"]["name"] == "ada"


def test_a_deleted_accounts_invitation_is_for_nobody(shop: Shop) -> None:
    """The links of an account that a session deletes are gone with it, and add nothing to the next with its id."""
    ada = shop.add("ada")
    shop.give_passkey(ada)
    with shop.app.app_context():
        token = shop.passkey.invite(shop.db.session.get(shop.Account, ada)).token
    shop.delete(ada)
    assert shop.add("carol") == ada
    answer = shop.app.test_client().put("/user/authn", json={"grant": token})
    assert (answer.status_code, answer.get_json()["code"]) == (404, 40094)


class Base(DeclarativeBase):
    """The app's own tables."""


class Person(Base):
    """An account whose id says what kind it is."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(80))


class Thing(Base):
    """No account."""

    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)


def test_the_listener_can_be_set_up_by_hand(tmp_path: Path) -> None:
    """``delete_with`` needs no request to have come before, can say what an id is, and minds no missing table."""
    assert delete_with(Person) is Person  # so it can be a decorator
    delete_with(Person, user_id=lambda person: f"person:{person.id}")
    engine = create_engine(f"sqlite:///{tmp_path}/app.sqlite3")
    Base.metadata.create_all(engine)
    repository = SQLCredentialRepository(engine)
    with ORMSession(engine) as session:
        session.add_all([Person(id=1, name="ada"), Person(id=2, name="bob"), Thing(id=1)])
        session.commit()
        session.delete(session.get(Person, 2))
        session.commit()
        for user_id in ("person:1", "person:2", "1"):
            repository.add_user(user_id, user_id.encode())
        session.delete(session.get(Thing, 1))
        session.commit()
        assert repository.get_user_handle("person:1") == b"person:1"
        session.delete(session.get(Person, 1))
        session.commit()
    assert [repository.get_user_handle(user_id) for user_id in ("person:1", "person:2", "1")] == [
        None,
        b"person:2",
        b"1",
    ]
    engine.dispose()


@pytest.mark.parametrize("says", ["get_id", "describe_user"])
def test_a_decorated_model_is_known_by_the_apps_own_ids(says: str, tmp_path: Path) -> None:
    """A deletion in a process in which nobody signed in takes the passkeys of that kind of account, and no other's."""
    db, app = SQLAlchemy(), Flask(__name__)
    app.config.update(SECRET_KEY="secret", TESTING=True, PASSKEY_CEREMONY_STORE="database")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/app.sqlite3"
    db.init_app(app)
    passkey = Passkey(app, credentials=SQLCredentialRepository(session=db.session))

    @delete_with
    class Customer(UserMixin, db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(Integer, primary_key=True)

    @delete_with
    class Staff(UserMixin, db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(Integer, primary_key=True)

        def get_id(self) -> str:
            return f"staff:{self.id}" if says == "get_id" else "a token"

    if says == "describe_user":
        prefixes = {Customer: "", Staff: "staff:"}
        passkey.describe_user(lambda user: UserInfo(f"{prefixes[type(user)]}{user.id}", "name", ""))
    with app.app_context():
        db.create_all()
        db.session.add_all([Customer(), Staff()])
        db.session.commit()
        for user_id in ("1", "staff:1"):
            passkey.credentials.add_user(user_id, user_id.encode())
        db.session.delete(db.session.get(Staff, 1))
        db.session.commit()
        assert passkey.credentials.get_user_handle("staff:1") is None
        assert passkey.credentials.get_user_handle("1") == b"1"
        db.session.remove()
        db.engine.dispose()


# The id is given to somebody else


class Holder(User):
    """A user that says when its account was made."""

    made = "2026-01-01"


@pytest.fixture(params=["memory", "SQLite"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[App]:
    """Return an app that tells two holders of one id apart."""
    database = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkeys.sqlite3")
    site = make_app(credentials=database if request.param == "SQLite" else MemoryCredentialRepository())

    @site.passkey.describe_user
    def describe(user: User) -> UserInfo:
        return UserInfo(user.id, user.name, user.display_name, identity=getattr(user, "made", ""))

    @site.passkey.create_user
    def create(name: str, display_name: str) -> Holder:
        user = Holder(name)
        site.users[user.id] = user
        return user

    yield site
    database.close()


def succeed(site: App, former: User) -> Holder:
    """Give somebody's id to Carol."""
    carol = Holder("carol", id=former.id)
    carol.made = "2026-02-02"
    site.users[former.id] = carol
    return carol


def test_a_passkey_opens_the_account_it_was_made_for(site: App, caplog: pytest.LogCaptureFixture) -> None:
    """After a sign-up or an addition a passkey signs in, but not where its id belongs to somebody else by then."""
    first, second, client = VirtualAuthenticator(SITE), VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(client, first, "ada")
    add_passkey(client, second)
    for key in (first, second):
        assert sign_in(site.app.test_client(), key)["user"]["name"] == "ada"
    succeed(site, site.user("ada"))
    for key in (first, second):
        caplog.clear()
        with caplog.at_level(logging.INFO), pytest.raises(Refused) as refused:
            sign_in(site.app.test_client(), key)
        assert (refused.value.status, refused.value.code) == (403, 403)
        assert "belonged to another account" in caplog.text and "forget_user" in caplog.text


def test_who_gets_an_id_sees_nothing_of_the_one_before(site: App) -> None:
    """The next holder of an id lists and excludes no passkey of the former, and adds a first one and uses it."""
    sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    carol = succeed(site, site.user("ada"))
    client, key = site.app.test_client(), VirtualAuthenticator(SITE)
    with client.session_transaction() as session:
        session["user_id"] = carol.id
    assert client.get("/user/authn").get_json()["data"]["credentials"] == []
    assert client.put("/session/authn", json={"step_up": True}).status_code == 404
    assert client.put("/user/authn").get_json()["data"]["options"]["publicKey"]["excludeCredentials"] == []
    add_passkey(client, key)
    assert sign_in(site.app.test_client(), key)["user"]["name"] == "carol"
    [row] = client.get("/user/authn").get_json()["data"]["credentials"]
    assert row["id"] == b64url_encode(key.credentials[0].id)


def test_apps_that_say_nothing_and_old_passkeys_are_as_ever(site: App) -> None:
    """Where either the record or the app does not say who holds an id, the id decides alone."""
    key = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), key, "ada")
    carol = succeed(site, site.user("ada"))
    carol.made = ""
    assert sign_in(site.app.test_client(), key)["user"]["name"] == "carol"


def test_an_identity_must_fit(site: App) -> None:
    """An identity that no column holds is the app's mistake, and is told."""
    Holder.made, usual = "x" * 256, Holder.made
    try:
        with pytest.raises(Refused) as refused:
            sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
        assert refused.value.code == Misconfigured.code
    finally:
        Holder.made = usual


def test_grants_of_the_one_before_open_nothing(site: App) -> None:
    """A link and a code for the former holder of an id do not even tell the name of the next, and add no passkey."""
    sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    with site.app.app_context():
        link, code = site.passkey.invite(site.user("ada")).token, site.passkey.recovery_codes(site.user("ada"))[0]
    begun = site.app.test_client()
    options = begun.put("/user/authn", json={"grant": link}).get_json()["data"]
    carol = succeed(site, site.user("ada"))
    for token in (link, code):
        with pytest.raises(Refused) as refused:
            enrol(site.app.test_client(), VirtualAuthenticator(SITE), token)
        assert refused.value.code == 40094
        assert site.app.test_client().put("/user/authn", json={"grant": token}).get_json()["code"] == 40094
    body = {"session_id": options["session_id"], "response": VirtualAuthenticator(SITE).create(options["options"])}
    assert begun.post("/user/authn", json=body).get_json()["code"] == 40094
    with site.app.app_context():
        assert [grant.kind for grant in site.passkey.grants_of(carol)].count("invitation") == 1
        enrol(site.app.test_client(), VirtualAuthenticator(SITE), site.passkey.invite(carol).token)


@pytest.mark.parametrize(
    ("kept", "told", "same"),
    [(None, "", True), (None, "2026", True), ("2026", "", True), ("2026", "2026", True), ("2025", "2026", False)],
)
def test_whose_a_passkey_is(kept: str | None, told: str, same: bool) -> None:
    """Only two identities that differ tell two holders of one id apart: an app may begin to tell them, or stop."""
    record = GrantRecord(
        token_hash=bytes(32),
        user_id="1",
        rp_id="localhost",
        kind="invitation",
        created_at=datetime.now(UTC),
        identity=kept,
    )
    assert is_holder(UserInfo("1", "ada", "Ada", told), record) is same
