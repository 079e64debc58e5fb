"""Flask-Login: with it nothing more is needed than to initialise both."""

from __future__ import annotations

import itertools
import sys

import pytest
from apps import SITE, App, User, allow_sign_up, make_app
from cachelib import SimpleCache
from flask import Flask, session
from flask.testing import FlaskClient
from flask_login import LoginManager, current_user, login_required, login_user
from flask_session import Session

from flask_passkey import MemoryCredentialRepository, Passkey
from flask_passkey.errors import Misconfigured
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in, sign_up, step_up


@pytest.fixture
def site() -> App:
    """Return an app with Flask-Login and a page for those who are signed in."""
    site = make_app(flask_login=True)
    site.app.add_url_rule("/page", "page", login_required(lambda: current_user.name))
    return site


def test_nothing_more_is_needed(site: App, client: FlaskClient) -> None:
    """Sign-up, sign-out, sign-in, step-up and one's own passkeys work through Flask-Login's session."""
    ada = VirtualAuthenticator(SITE)
    assert client.get("/page").status_code == 401
    sign_up(client, ada, "ada", display_name="Ada Lovelace")
    assert client.get("/page").text == "ada"
    site.sign_out(client)
    assert client.get("/page").status_code == client.get("/user/authn").status_code == 401
    assert sign_in(client, ada)["user"] == {"id": site.user("ada").id, "name": "ada", "display_name": "Ada Lovelace"}
    assert client.get("/page").text == "ada"
    step_up(client, ada)
    add_passkey(client, VirtualAuthenticator(SITE))
    assert len(client.get("/user/authn").get_json()["data"]["credentials"]) == 2


@pytest.mark.parametrize("order", list(itertools.permutations(["login", "passkey", "session"])))
def test_the_order_does_not_matter(order: tuple[str, ...]) -> None:
    """LoginManager, Passkey and Session can be initialised in any order."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="secret", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    login, passkey = LoginManager(), Passkey(credentials=MemoryCredentialRepository())
    inits = {"login": login.init_app, "passkey": passkey.init_app, "session": Session().init_app}
    for name in order:
        inits[name](app)
    site = App(app, passkey)
    allow_sign_up(site)
    login.user_loader(site.users.get)
    ada, browser = VirtualAuthenticator(SITE), app.test_client()
    sign_up(app.test_client(), ada, "ada")
    assert sign_in(browser, ada)["user"]["name"] == "ada"
    assert browser.get("/user/authn").status_code == 200


def test_an_inactive_user_is_refused(site: App, client: FlaskClient) -> None:
    """Who is not active cannot sign in, and cannot go on who already has; no session is made."""
    ada, browser = VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(client, ada, "ada")
    site.user("ada").is_active = False
    with pytest.raises(Refused) as caught:
        sign_in(browser, ada)
    assert (caught.value.status, caught.value.code) == (403, 403)
    assert browser.get_cookie("session") is None
    assert client.get("/user/authn").get_json()["code"] == 403


def test_a_user_who_is_inactive_from_the_start_is_not_signed_in(site: App, client: FlaskClient) -> None:
    """An account that is still to be confirmed exists after its sign-up, but nobody is signed in."""

    @site.passkey.create_user
    def create_user(name: str, display_name: str) -> User:
        user = User(name, display_name, is_active=False)
        site.users[user.id] = user
        return user

    credential = sign_up(client, VirtualAuthenticator(SITE), "ada")
    assert credential["current"] is False
    assert client.get("/page").status_code == 401 and len(site.passkey_records("ada")) == 1


def test_the_apps_own_hook_goes_first(site: App, client: FlaskClient) -> None:
    """An app with Flask-Login can still replace one hook, say to add to the answer."""

    @site.passkey.login_user
    def sign_in_and_tell(user: User) -> dict[str, str]:
        session["_user_id"] = user.id
        return {"next": "/page"}

    ada = VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    assert sign_in(client, ada)["next"] == "/page"
    assert client.get("/page").text == "ada"


def test_a_missing_user_loader_is_named() -> None:
    """Flask-Login without a user loader can load nobody, and the reason says what to write."""
    site = make_app(flask_login=True)
    LoginManager(site.app)
    with (
        site.app.app_context(),
        pytest.raises(Misconfigured, match=r"no load_user hook.*Flask-Login with a user_loader"),
    ):
        site.passkey.relying_party.accounts.load("17")


def test_signing_out_ends_what_a_passkey_sign_in_allows(site: App, client: FlaskClient) -> None:
    """Who signs in with a password, after a sign-out or not, cannot add a passkey on the strength of one before."""

    @site.app.post("/password")
    def sign_in_with_password() -> str:
        return str(login_user(site.user("ada")))

    ada = VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    assert client.put("/user/authn").status_code == 200
    client.post("/password")
    assert client.put("/user/authn").get_json()["code"] == 40091
    step_up(client, ada)
    site.sign_out(client)
    client.post("/password")
    assert client.put("/user/authn").get_json()["code"] == 40091


def test_without_flask_login_nothing_of_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app with hooks of its own runs where Flask-Login is not installed."""
    monkeypatch.setitem(sys.modules, "flask_login", None)
    ada, client = VirtualAuthenticator(SITE), make_app().app.test_client()
    sign_up(client, ada, "ada")
    assert sign_in(client, ada)["user"]["name"] == "ada"
