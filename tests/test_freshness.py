"""A fresh sign-in counts while what it rests on is there, and for the sign-in that is going on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask.testing import FlaskClient

from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in, sign_up, step_up

pytestmark = pytest.mark.proves("threats:stolen-session", "rules:step-up", "frictions:A")

NOTE = "_passkey"


def code_of(call: Callable[[], object]) -> int:
    """Return the code that a call of the test kit is refused with, 0 if it is not."""
    try:
        call()
    except Refused as refused:
        return int(refused.code or -1)
    return 0


@pytest.fixture
def site() -> App:
    """Return an app with a view that needs a fresh sign-in."""
    site = make_app()
    site.app.add_url_rule("/careful", "careful", site.passkey.required()(lambda: "done"))
    site.app.add_url_rule("/valid", "valid", lambda: str(site.passkey.still_valid()))
    return site


class Theft:
    """The owner has a passkey at home and one on a phone, whose thief has signed in with it."""

    def __init__(self, site: App) -> None:
        self.site = site
        self.home, self.phone = VirtualAuthenticator(SITE), VirtualAuthenticator(SITE)
        self.owner, self.thief = site.app.test_client(), site.app.test_client()
        self.home_id = sign_up(self.owner, self.home, "ada")["id"]
        self.phone_id = add_passkey(self.owner, self.phone)["id"]
        sign_in(self.thief, self.phone)

    def revoke(self) -> None:
        """The owner deletes the phone's passkey."""
        assert self.owner.delete(f"/user/authn/{self.phone_id}").status_code == 200

    def changes(self) -> dict[str, int]:
        """Return the codes of everything that the thief tries."""
        path = f"/user/authn/{self.home_id}"
        return {
            "add": code_of(lambda: add_passkey(self.thief, VirtualAuthenticator(SITE))),
            "rename": self.thief.patch(path, json={"name": "x"}).get_json()["code"],
            "delete": self.thief.delete(path).get_json()["code"],
            "batch": self.thief.delete(f"/user/authn?id={self.home_id}").get_json()["code"],
            "view": (self.thief.get("/careful").get_json(silent=True) or {"code": 0})["code"],
        }


@pytest.fixture
def theft(site: App) -> Theft:
    """Return a theft."""
    return Theft(site)


@pytest.mark.proves("threats:stolen-device")
def test_a_deleted_passkeys_session_changes_nothing(theft: Theft) -> None:
    """Whoever signed in with a passkey that the owner deleted then can neither add, rename nor delete."""
    theft.revoke()
    assert theft.changes() == dict.fromkeys(("add", "rename", "delete", "batch", "view"), 40091)
    assert len(theft.site.passkey_records("ada")) == 1


def test_deleted_between_begin_and_finish(theft: Theft) -> None:
    """A registration that a thief began before the passkey was deleted cannot be finished."""
    begun = theft.thief.put("/user/authn").get_json()["data"]
    body = {"session_id": begun["session_id"], "response": VirtualAuthenticator(SITE).create(begun["options"])}
    theft.revoke()
    assert theft.thief.post("/user/authn", json=body).get_json()["code"] == 40091


@pytest.mark.parametrize("way", ["delete", "repository", "forget"])
def test_such_a_session_adds_no_first_passkey(theft: Theft, way: str) -> None:
    """When the account's last passkey went, however it did, a session from before adds no first; a new sign-in may."""
    theft.site.has_other_methods = True
    user_id = theft.site.user("ada").id
    if way == "delete":
        assert theft.owner.delete(f"/user/authn?id={theft.home_id}&id={theft.phone_id}").status_code == 200
    with theft.site.app.app_context():
        credentials = theft.site.passkey.credentials
        if way == "repository":
            for record in credentials.of_user(user_id):
                credentials.delete(record.id, user_id=user_id, keep_last=False)
        elif way == "forget":
            theft.site.passkey.forget_user(user_id)
    for client in (theft.thief, theft.owner):
        assert code_of(lambda client=client: add_passkey(client, VirtualAuthenticator(SITE))) == 40091  # type: ignore[misc]
    anew = theft.site.app.test_client()
    with anew.session_transaction() as session:
        session["user_id"] = user_id
    add_passkey(anew, VirtualAuthenticator(SITE))


def test_another_passkey_of_the_account_makes_it_fresh_again(theft: Theft) -> None:
    """The owner whose session rested on the deleted passkey goes on after a sign-in with one that is there."""
    theft.revoke()
    assert code_of(lambda: step_up(theft.thief, theft.home, credential=theft.home.credentials[0])) == 0
    add_passkey(theft.thief, VirtualAuthenticator(SITE))


@pytest.mark.proves("rules:ends")
def test_a_sign_in_of_the_future_is_not_fresh(theft: Theft) -> None:
    """A clock that was wrong makes no sign-in good for longer."""
    with theft.thief.session_transaction() as session:
        session[NOTE] = session[NOTE] | {"at": time.time() + 60}
    assert set(theft.changes().values()) == {40091}


@pytest.mark.proves("rules:lost-device")
def test_whose_session_may_go_on(theft: Theft) -> None:
    """A session is valid until another one deletes its passkey; nobody signed in, or in another way, is valid."""

    def valid(client: FlaskClient) -> str:
        return client.get("/valid").text

    stranger = theft.site.app.test_client()
    assert valid(theft.thief) == valid(theft.owner) == valid(stranger) == "True"
    theft.revoke()
    assert (valid(theft.thief), valid(theft.owner)) == ("False", "True")


def test_a_session_that_is_another_accounts_by_now_may_go_on() -> None:
    """Where the app has put somebody else into a session itself, the sign-in of before says nothing of them."""
    site, ada = make_app(flask_login=True), VirtualAuthenticator(SITE)
    site.app.add_url_rule("/valid", "valid", lambda: str(site.passkey.still_valid()))
    browser = site.app.test_client()
    sign_up(browser, ada, "ada")
    site.users["eve"] = User("eve", id="eve")
    with browser.session_transaction() as kept:
        kept["_user_id"] = "eve"
    assert browser.get("/valid").text == "True"


def test_a_session_that_deletes_its_own_passkey_goes_on(theft: Theft) -> None:
    """It stays signed in and valid, and is fresh no longer; others of that passkey are not valid."""
    second = theft.site.app.test_client()
    sign_in(second, theft.phone)
    assert second.delete(f"/user/authn/{theft.phone_id}").status_code == 200
    assert second.get("/valid").text == "True" and second.get("/user/authn").status_code == 200
    assert code_of(lambda: add_passkey(second, VirtualAuthenticator(SITE))) == 40091
    assert theft.thief.get("/valid").text == "False"


def test_a_passkey_that_went_to_another_account_does_not_count(theft: Theft) -> None:
    """A credential ID that somebody else registers after its deletion makes no session of before valid."""
    theft.revoke()
    eve = theft.site.app.test_client()
    sign_up(eve, VirtualAuthenticator(SITE), "eve")
    old: Any = theft.phone.credentials[0]
    add_passkey(eve, VirtualAuthenticator(SITE), credential_id=old.id)
    assert theft.thief.get("/valid").text == "False"
    assert set(theft.changes().values()) == {40091}
