"""A passkey made by the browser itself after a password sign-in: only where the app offered it, once, as the first."""

from __future__ import annotations

import time
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask import session
from flask.testing import FlaskClient
from flask_login import login_user

from flask_passkey import CredentialRecord, MemoryCredentialRepository
from flask_passkey.errors import CredentialStoreUnavailable
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in, sign_up, step_up

pytestmark = pytest.mark.proves("threats:conditional-create")

OFFER = "_passkey_offer"
#: What a browser says of nobody.
NOBODY: Any = {"user_present": False, "user_verified": False}
BENDS: list[Any] = [{"user_present": False}, {"user_verified": False}]


class Store(MemoryCredentialRepository):
    """Credentials in memory, which can be out of reach."""

    away = False

    def of_user(self, user_id: str) -> list[CredentialRecord]:
        if self.away:
            raise CredentialStoreUnavailable("away")
        return super().of_user(user_id)


def with_passwords(flask_login: bool = False) -> App:
    """Return an app with a password sign-in, and a page that tells whether an upgrade is on offer."""
    site = make_app(credentials=Store(), flask_login=flask_login)

    @site.app.post("/password/<name>")
    def password(name: str) -> str:
        user = next((user for user in site.users.values() if user.name == name), None) or User(name)
        site.users[user.id] = user
        if flask_login:
            login_user(user)
        session["user_id"] = user.id
        site.passkey.offer_passkey()
        return "welcome"

    @site.app.get("/home")
    def home() -> str:
        return "data-passkey-offer" if site.passkey.passkey_offered() else ""

    return site


@pytest.fixture
def site() -> App:
    """Return an app with passwords."""
    return with_passwords()


@pytest.fixture
def client(site: App) -> FlaskClient:
    """Return the browser of Ada, who has signed in with her password."""
    browser = site.app.test_client()
    assert browser.post("/password/ada").text == "welcome"
    return browser


def offered(client: FlaskClient) -> bool:
    """Tell what the page says."""
    page = client.get("/home")
    assert page.status_code == 200
    return page.text == "data-passkey-offer"


def begin(client: FlaskClient) -> Any:
    """Ask for a conditional creation; return the envelope."""
    return client.put("/user/authn", json={"conditional": True}).get_json()


@pytest.mark.parametrize("flask_login", [False, True])
def test_a_password_sign_in_gets_a_passkey(flask_login: bool) -> None:
    """After the offer the browser may make one with nobody there, and it signs in, with the user there."""
    client = with_passwords(flask_login).app.test_client()
    client.post("/password/ada")
    assert offered(client)
    authenticator = VirtualAuthenticator(SITE)
    assert add_passkey(client, authenticator, conditional=True, **NOBODY)["name"] == "Passkey"
    assert not offered(client)
    assert sign_in(client, authenticator)["user"]["name"] == "ada"


@pytest.mark.proves("specification:conditional-create")
def test_a_passkey_made_so_signs_nobody_in_without_them(client: FlaskClient) -> None:
    """What was not asked at its making is asked at every sign-in: presence and verification."""
    authenticator = VirtualAuthenticator(SITE)
    add_passkey(client, authenticator, conditional=True, **NOBODY)
    for bend in BENDS:
        with pytest.raises(Refused) as refused:
            sign_in(client, authenticator, **bend)
        assert refused.value.code == 40025


@pytest.mark.proves("specification:7.1.15", "browser:24")
def test_every_other_registration_needs_the_user(site: App, client: FlaskClient) -> None:
    """Nobody there is refused in a plain registration, offer or not, and in a sign-up; nothing is stored."""
    for bend in BENDS:
        with pytest.raises(Refused) as refused:
            add_passkey(client, VirtualAuthenticator(SITE), **bend)
        assert refused.value.code == 40025
        with pytest.raises(Refused) as refused:
            sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "eve", **bend)
        assert refused.value.code == 40025
    assert site.passkey_records("ada") == [] and len(site.users) == 1


def test_the_relaxed_begin_is_not_the_clients_to_ask(site: App) -> None:
    """Without the app's offer ``conditional`` is refused, for those who may otherwise add a passkey too."""
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    refused = client.put("/user/authn", json={"conditional": True})
    assert (refused.status_code, refused.get_json()["code"]) == (403, 40019)
    assert client.put("/user/authn", json={"conditional": False}).status_code == 200
    signed_out = site.app.test_client().put("/user/authn", json={"conditional": True})
    assert signed_out.get_json()["code"] == 401


def test_an_offer_is_good_for_one_try(client: FlaskClient) -> None:
    """The page says so until the browser has begun; then there is neither an attribute nor a second begin."""
    assert offered(client) and offered(client)
    assert begin(client)["data"]["options"]["publicKey"]["excludeCredentials"] == []
    assert not offered(client)
    assert begin(client)["code"] == 40019


def test_a_plain_registration_leaves_the_offer(client: FlaskClient) -> None:
    """To begin to add a passkey by hand, and to stop, does not cost the offer."""
    assert client.put("/user/authn").status_code == 200
    assert offered(client)


def test_an_offer_ends_after_five_minutes(client: FlaskClient) -> None:
    """A page that comes later has no attribute, and its begin is refused."""
    with client.session_transaction() as kept:
        kept[OFFER] = kept[OFFER] | {"at": time.time() - 290}
    assert offered(client)
    with client.session_transaction() as kept:
        kept[OFFER] = kept[OFFER] | {"at": time.time() - 301}
    assert not offered(client)
    assert begin(client)["code"] == 40019


def test_an_offer_is_its_users(site: App, client: FlaskClient) -> None:
    """When somebody else signs in within the session, or nobody is, there is none."""
    eve = User("eve")
    site.users[eve.id] = eve
    with client.session_transaction() as kept:
        kept["user_id"] = eve.id
    assert not offered(client)
    assert begin(client)["code"] == 40019
    site.sign_out(client)
    assert not offered(client)


def test_an_offer_ends_with_a_sign_out() -> None:
    """Who signs out, and comes back by a link in a mail, gets no passkey unasked."""
    site = with_passwords(flask_login=True)
    client = site.app.test_client()
    client.post("/password/ada")
    site.sign_out(client)
    with client.session_transaction() as kept:
        kept["_user_id"] = site.user("ada").id
    assert not offered(client)
    assert begin(client)["code"] == 40019


def test_who_has_a_passkey_signs_in_with_it_first(site: App) -> None:
    """A password alone adds nothing to an account that has a passkey: no attribute, and 40091 at the begin."""
    authenticator, client = VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(site.app.test_client(), authenticator, "ada")
    client.post("/password/ada")
    assert not offered(client)
    assert begin(client)["code"] == 40091
    step_up(client, authenticator)
    excluded = begin(client)["data"]["options"]["publicKey"]["excludeCredentials"]
    assert len(excluded) == 1, "so that no second one is made over the first"


def test_a_passkey_that_came_in_between_ends_it(client: FlaskClient) -> None:
    """Of two pages that began at once only the first adds one without a step-up."""
    begun = begin(client)["data"]
    add_passkey(client, VirtualAuthenticator(SITE))
    response = VirtualAuthenticator(SITE).create(begun["options"], **NOBODY)
    late = client.post("/user/authn", json={"session_id": begun["session_id"], "response": response})
    assert late.get_json()["code"] == 40091


def test_an_offer_never_breaks_a_page(site: App, client: FlaskClient) -> None:
    """While the credentials cannot be read there is no offer on the page, and later there is."""
    store = site.passkey._credentials
    assert isinstance(store, Store)
    store.away = True
    assert not offered(client)
    store.away = False
    assert offered(client)


def test_a_missing_hook_is_not_hidden() -> None:
    """An app without the hooks hears of it, instead of never seeing an offer."""
    site = with_passwords()
    site.passkey._hooks.get_current_user = None
    answer = site.app.test_client().get("/home")
    assert (answer.status_code, answer.get_json()["code"]) == (500, 50005)


@pytest.mark.parametrize("kept", [None, 5, "x", {}, {"user_id": "1"}, {"user_id": "1", "at": "now"}, []])
def test_an_odd_note_counts_as_none(client: FlaskClient, kept: object) -> None:
    """What another release or the app left in the session is no offer."""
    with client.session_transaction() as session_:
        session_[OFFER] = kept
    assert not offered(client)


def test_an_offer_to_nobody_is_a_mistake(site: App) -> None:
    """Called before the app has signed anybody in, it says what to do."""
    with site.app.test_request_context(), pytest.raises(RuntimeError, match="after the app's own sign-in"):
        site.passkey.offer_passkey()
