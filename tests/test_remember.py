"""Flask-Login's "remember me", request loaders and session protection beside passkeys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask import Request, session
from flask.testing import FlaskClient
from flask_login import current_user, fresh_login_required, login_required, login_user

from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in, sign_up, step_up

pytestmark = pytest.mark.proves("frictions:remember")


def make(**settings: Any) -> App:
    """Return an app with Flask-Login and a page for those who are signed in."""
    site = make_app(settings, flask_login=True)
    site.app.add_url_rule("/page", "page", login_required(lambda: current_user.name))
    return site


def close(client: FlaskClient) -> None:
    """End the browser: its session's cookie is gone."""
    client.delete_cookie("session")


def code(site: App, client: FlaskClient) -> int:
    """Return the code of beginning a registration."""
    found: int = client.put("/user/authn").get_json()["code"]
    return found


@pytest.mark.parametrize("remember", [False, True])
def test_a_passkey_sign_in_is_remembered_if_wanted(remember: bool) -> None:
    """With PASSKEY_REMEMBER a sign-up and a sign-in outlive the browser, for as long as Flask-Login says."""
    site = make(PASSKEY_REMEMBER=remember, REMEMBER_COOKIE_DURATION=timedelta(days=3))
    ada = VirtualAuthenticator(SITE)
    ceremonies: list[Callable[[FlaskClient], object]] = [lambda c: sign_up(c, ada, "ada"), lambda c: sign_in(c, ada)]
    for ceremony in ceremonies:
        client = site.app.test_client()
        ceremony(client)
        cookie = client.get_cookie("remember_token")
        assert (cookie is not None) is remember
        assert cookie is None or cookie.max_age is None or cookie.max_age == 3 * 86_400
        close(client)
        assert client.get("/page").status_code == (200 if remember else 401)
        site.sign_out(client)
        assert client.get_cookie("remember_token") is None


def test_a_remembered_browser_is_not_fresh() -> None:
    """It is signed in and lists passkeys, and it changes nothing until it steps up."""
    site = make(PASSKEY_REMEMBER=True)
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    made = sign_up(client, ada, "ada")
    close(client)
    assert client.get("/user/authn").get_json()["data"]["credentials"][0]["current"] is False
    assert code(site, client) == 40091
    assert client.patch(f"/user/authn/{made['id']}", json={"name": "mine"}).get_json()["code"] == 40091
    step_up(client, ada)
    assert add_passkey(client, VirtualAuthenticator(SITE))["name"]


def test_a_remembered_thief_adds_no_first_passkey() -> None:
    """Once its passkey was deleted, a browser that is still remembered cannot add a first one; a confirmed user can."""
    site = make(PASSKEY_REMEMBER=True)

    @site.app.get("/confirm")
    def confirm() -> str:
        site.passkey.confirm_user()
        return ""

    thief, stolen = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(thief, stolen, "ada")
    ada = site.user("ada")
    with site.app.app_context():
        site.passkey.forget_user(ada.id)
    for _ in range(2):
        close(thief)
        assert thief.get("/page").text == "ada"
        assert code(site, thief) == 40091
    thief.get("/confirm")
    assert code(site, thief) == 0


def test_a_password_sign_in_that_is_remembered_is_enough_for_a_first_passkey() -> None:
    """Without PASSKEY_REMEMBER such cookies come from the app's own sign-in, which stands for being signed in."""
    site, user = make(), User("bob", id="7")
    site.users["7"] = user
    site.app.add_url_rule("/password", "password", lambda: str(login_user(user, remember=True)))
    client = site.app.test_client()
    client.get("/password")
    close(client)
    assert code(site, client) == 0


@pytest.mark.parametrize("way", ["password", "step-up"])
def test_whoever_confirms_is_fresh_for_flask_login_too(way: str) -> None:
    """A remembered browser is led from ``fresh_login_required`` to the ready page, and from there back, for good."""
    site = make_app({"PASSKEY_REMEMBER": True}, flask_login=True, pages=True)
    manager: Any = vars(site.app)["login_manager"]
    manager.refresh_view = "passkey_pages.confirm"
    site.has_other_methods = True
    site.passkey.check_password(lambda user, password: password == "correct")
    site.app.add_url_rule("/account", "account", fresh_login_required(lambda: "account"))
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    assert client.get("/account").text == "account"
    close(client)
    led = client.get("/account").headers["Location"]
    assert led == "/passkeys/confirm?next=%2Faccount"
    if way == "password":
        assert client.post(led, data={"password": "wrong"}).headers["Location"] != "/account"
        assert client.get("/account").status_code == 302
        assert client.post(led, data={"password": "correct"}).headers["Location"] == "/account"
    else:
        step_up(client, ada)
    for _ in range(2):
        assert client.get("/account").text == "account"
        assert code(site, client) == 0, "fresh for us, too, for more than the one request"


def test_a_confirmation_of_the_apps_own_user_is_none_of_flask_logins() -> None:
    """Where a hook says who is signed in, and Flask-Login means somebody else, only the former is fresh."""
    site, staff = make(), User("staff", id="7")
    site.users["7"] = staff
    site.passkey.get_current_user(lambda: site.users.get(session.get("customer", "")))
    site.app.add_url_rule("/account", "account", fresh_login_required(lambda: "account"))

    @site.app.get("/both")
    def both() -> str:
        login_user(staff)
        session["_fresh"] = False
        session["customer"] = site.users.setdefault("8", User("ada", id="8")).id
        return ""

    @site.app.get("/confirm")
    def confirm() -> str:
        site.passkey.confirm_user()
        return ""

    client = site.app.test_client()
    client.get("/both")
    client.get("/confirm")
    assert client.get("/account").status_code == 401
    assert code(site, client) == 0


# Request loaders


@pytest.fixture
def api() -> App:
    """Return an app whose API knows people by a token, which is their id."""
    site = make()
    manager: Any = vars(site.app)["login_manager"]

    def by_token(request: Request) -> User | None:
        return site.users.get(request.headers.get("X-Token", ""))

    manager.request_loader(by_token)
    return site


def test_a_token_is_a_sign_in_that_is_never_fresh(api: App) -> None:
    """Who is known by a token sees their passkeys and changes none; a step-up makes a session, which may."""
    ada, client = VirtualAuthenticator(SITE), api.app.test_client()
    made = sign_up(client, ada, "ada")
    token = {"X-Token": api.user("ada").id}
    script = api.app.test_client()
    assert script.get("/user/authn").status_code == 401
    assert script.get("/user/authn", headers=token).get_json()["data"]["credentials"][0]["id"] == made["id"]
    for _ in range(2):
        answers = [
            script.put("/user/authn", headers=token),
            script.delete(f"/user/authn/{made['id']}", headers=token),
            script.patch(f"/user/authn/{made['id']}", headers=token, json={"name": "mine"}),
        ]
        assert [answer.get_json()["code"] for answer in answers] == [40091] * 3
    assert script.get_cookie("session") is None
    script.environ_base["HTTP_X_TOKEN"] = token["X-Token"]
    step_up(script, ada)
    assert add_passkey(script, VirtualAuthenticator(SITE))["name"]


def test_a_token_of_another_user_takes_no_freshness(api: App) -> None:
    """A session's user goes before a token: a token in ada's browser is not bob, and ada stays fresh."""
    ada, client = VirtualAuthenticator(SITE), api.app.test_client()
    sign_up(client, ada, "ada")
    api.users["7"] = User("bob", id="7")
    assert client.get("/page", headers={"X-Token": "7"}).text == "ada"
    assert client.put("/user/authn", headers={"X-Token": "7"}).get_json()["code"] == 0


# Session protection


@pytest.mark.parametrize(("mode", "page", "change"), [("basic", 200, 40091), ("strong", 401, 401), (None, 200, 0)])
def test_another_browser_with_the_cookie_is_not_fresh(mode: str | None, page: int, change: int) -> None:
    """A session in another browser keeps nothing fresh; with "strong" it ends, without a mode it goes on."""
    site = make(SESSION_PROTECTION=mode, SESSION_PERMANENT=False, PASSKEY_REMEMBER=True)
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    client.delete_cookie("remember_token")
    client.environ_base["HTTP_USER_AGENT"] = "another"
    assert client.get("/page").status_code == page
    assert code(site, client) == change
    if mode == "strong":
        with pytest.raises(Refused):
            add_passkey(client, VirtualAuthenticator(SITE))
    sign_in(client, ada)
    assert code(site, client) == 0
