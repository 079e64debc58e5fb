"""What ends with a sign-out, and what begins anew with a sign-in of the app's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask import g, session
from flask.testing import FlaskClient
from flask_login import login_user, logout_user

from flask_passkey import signals
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_up, step_up

pytestmark = pytest.mark.proves("threats:borrowed-freshness", "frictions:A")


def adds(client: FlaskClient) -> int:
    """Try to add a passkey; return the code of the refusal, 0 if there is none."""
    try:
        add_passkey(client, VirtualAuthenticator(SITE))
    except Refused as refused:
        return int(refused.code or -1)
    return 0


def session_id(client: FlaskClient) -> str:
    """Return the id of a browser's session."""
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


def with_password(site: App) -> App:
    """Give an app pages: a password sign-in and a sign-out, one for each way that apps do it."""

    def enter(name: str) -> str:
        user = next((user for user in site.users.values() if user.name == name), None) or User(name)
        site.users[user.id] = user
        if hasattr(site.app, "login_manager"):
            login_user(user)
        else:
            session["user_id"] = user.id
        return ""

    def confirm() -> str:
        site.passkey.confirm_user()
        return ""

    def told() -> str:
        session.pop("user_id", None)
        site.passkey.signed_out()
        return ""

    views: dict[str, Callable[..., str]] = {"/in/<name>": enter, "/confirm": confirm, "/told": told}
    for rule, view in views.items():
        site.app.add_url_rule(rule, rule, view, methods=["POST"])
    site.app.add_url_rule("/page", "page", lambda: "page")
    return site


def offer(site: App) -> Callable[[], str]:
    """Return a page that offers a passkey."""

    def page() -> str:
        site.passkey.offer_passkey()
        return ""

    return page


@pytest.fixture(params=["hooks", "flask-login"])
def site(request: pytest.FixtureRequest) -> App:
    """Return an app with hooks, or with Flask-Login, that has passwords, too."""
    return with_password(make_app(flask_login=request.param == "flask-login"))


@pytest.fixture
def hooks() -> App:
    """Return an app with hooks that has passwords, too."""
    return with_password(make_app())


@pytest.fixture
def login() -> App:
    """Return an app with Flask-Login that has passwords, too."""
    return with_password(make_app(flask_login=True))


# The fresh sign-in of those who lost their passkey


@pytest.mark.proves("frictions:B")
def test_a_confirmed_user_changes_passkeys(site: App) -> None:
    """Who lost the passkey can add, rename and delete once the app has made sure who they are."""
    site.has_other_methods = True
    sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    client = site.app.test_client()
    client.post("/in/ada")
    lost = client.get("/user/authn").get_json()["data"]["credentials"][0]["id"]
    assert adds(client) == client.delete(f"/user/authn/{lost}").get_json()["code"] == 40091
    assert client.post("/confirm").status_code == 200
    assert adds(client) == adds(client) == 0
    assert client.patch(f"/user/authn/{lost}", json={"name": "lost"}).status_code == 200
    assert client.delete(f"/user/authn/{lost}").status_code == 200
    assert adds(client) == 0
    assert not [item for item in client.get("/user/authn").get_json()["data"]["credentials"] if item["current"]]


def test_a_confirmation_ends_as_a_sign_in_does(site: App) -> None:
    """It ends after PASSKEY_STEP_UP_AGE, with a sign-out, and with another sign-in."""
    sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    client = site.app.test_client()
    client.post("/in/ada"), client.post("/confirm")
    with client.session_transaction() as opened:
        opened["_passkey"] = opened["_passkey"] | {"at": time.time() - 601}
    assert adds(client) == 40091
    client.post("/confirm")
    assert adds(client) == 0
    site.sign_out(client)
    client.post("/in/ada")
    assert adds(client) == 40091


def test_a_confirmation_is_signalled_and_gives_a_new_id(site: App) -> None:
    """The owner can be told, and a session id that was known before is good for nothing."""
    client, told = site.app.test_client(), []

    def listener(sender: object, user: Any) -> None:
        told.append((sender, user.name))

    client.post("/in/ada")
    old = session_id(client)
    with signals.identity_confirmed.connected_to(listener, site.app):
        client.post("/confirm")
    assert told == [(site.app, "ada")]
    assert session_id(client) != old and site.session_ids() == {session_id(client)}


def test_nobody_can_be_confirmed_who_is_not_signed_in(site: App) -> None:
    """The call says so to the developer."""
    with pytest.raises(RuntimeError, match="Nobody is signed in"):
        site.app.test_client().post("/confirm")


def test_the_first_passkey_can_need_a_fresh_sign_in() -> None:
    """With PASSKEY_FRESH_FIRST being signed in is not enough for it, and nothing is offered; a confirmation is."""
    site = with_password(make_app({"PASSKEY_FRESH_FIRST": True}))
    site.app.add_url_rule("/offer", "offer", offer(site))
    site.app.add_url_rule("/offered", "offered", lambda: str(site.passkey.passkey_offered()))
    client = site.app.test_client()
    client.post("/in/ada"), client.get("/offer")
    assert adds(client) == 40091 and client.get("/offered").text == "False"
    client.post("/confirm")
    assert client.get("/offered").text == "True" and adds(client) == 0


# What a user leaves behind


def test_a_password_after_a_sign_out_is_no_passkey(site: App) -> None:
    """Whoever signs in with a password where somebody has signed out is not fresh, whether or not we are told."""
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    site.sign_out(client)
    client.post("/in/ada")
    assert adds(client) == 40091


def test_a_password_of_the_signed_in_user_is_a_new_sign_in(login: App) -> None:
    """Where we see the app's own sign-in, even without a sign-out before, it ends what was fresh."""
    client = login.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    client.post("/in/ada")
    assert adds(client) == 40091


def test_an_offer_ends_with_the_user(site: App) -> None:
    """An offer of a passkey is not there for whoever comes next, nor for the same one after another sign-in."""
    site.app.add_url_rule("/offer", "offer", offer(site))
    site.app.add_url_rule("/offered", "offered", lambda: str(site.passkey.passkey_offered()))
    client = site.app.test_client()
    client.post("/in/ada"), client.get("/offer")
    assert client.get("/offered").text == "True"
    site.sign_out(client)
    client.post("/in/ada")
    assert client.get("/offered").text == "False"


def test_who_stays_signed_in_stays_fresh(site: App) -> None:
    """Pages that change the session, or do not, end nothing."""
    site.app.add_url_rule("/note", "note", lambda: str(session.update(seen=time.time())))
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    for path in ("/page", "/note", "/missing", "/page"):
        client.get(path)
    assert adds(client) == 0


def test_a_user_who_is_loaded_before_each_request(hooks: App) -> None:
    """Apps that keep the user in ``g``, as Flask's tutorial does, see sign-ins and sign-outs a request later."""

    @hooks.app.before_request
    def load() -> None:
        g.user = hooks.users.get(session.get("user_id", ""))

    hooks.passkey.get_current_user(lambda: g.user)
    ada, client = VirtualAuthenticator(SITE), hooks.app.test_client()
    sign_up(client, ada, "ada")
    client.get("/page")
    assert adds(client) == 0
    hooks.sign_out(client)
    client.post("/in/ada")
    assert adds(client) == 40091
    step_up(client, ada)
    client.get("/page")
    assert adds(client) == 0


def test_a_hook_that_fails_ends_nothing(hooks: App) -> None:
    """A page that needs no user works while the app cannot tell who is signed in, and ends nothing."""
    client = hooks.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    with hook_of(hooks, lambda: 1 / 0):
        assert client.get("/page").text == "page"
    assert adds(client) == 0


@contextmanager
def hook_of(site: App, hook: Callable[[], Any]) -> Any:
    """Let an app have another hook for a while."""
    before = site.passkey._hooks.get_current_user
    site.passkey.get_current_user(hook)
    yield
    site.passkey._hooks.get_current_user = before


def test_a_page_does_not_vary_by_what_we_look_for(hooks: App) -> None:
    """The look at what is left makes no answer one that caches must keep apart by its cookies."""
    hooks.app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    client = hooks.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    with hook_of(hooks, lambda: hooks.user("ada")):
        assert "Vary" not in client.get("/page").headers
    assert adds(client) == 0


@pytest.mark.proves("rules:sign-out")
def test_signed_out_ends_what_is_left(hooks: App) -> None:
    """An app that tells of its sign-out leaves neither freshness nor the session's id."""
    client = hooks.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    with client.session_transaction() as opened:
        opened["cart"] = 1
    old = session_id(client)
    client.post("/told")
    assert session_id(client) != old and site_session(hooks, client)["cart"] == 1
    assert not [name for name in site_session(hooks, client) if name.startswith("_passkey")]


def site_session(site: App, client: FlaskClient) -> dict[str, Any]:
    """Return what is in a browser's session."""
    with client.session_transaction() as opened:
        return dict(opened)


# Flask-Login


@pytest.mark.parametrize(("mode", "status"), [("basic", 200), ("strong", 401)])
def test_a_session_that_flask_login_suspects_is_not_fresh(login: App, mode: str, status: int) -> None:
    """When another browser comes with the session its freshness ends; its passkey is still what it rests on."""
    login.app.config.update(SESSION_PROTECTION=mode, SESSION_PERMANENT=False)
    login.app.session_interface.permanent = False  # type: ignore[attr-defined]
    login.has_other_methods = True
    login.app.add_url_rule("/valid", "valid", lambda: str(login.passkey.still_valid()))
    client, other = login.app.test_client(), login.app.test_client()
    own = sign_up(client, VirtualAuthenticator(SITE), "ada")["id"]
    other.set_cookie("session", session_id(client))
    agent = {"User-Agent": "another"}
    assert other.get("/user/authn", headers=agent).status_code == status
    assert other.delete(f"/user/authn/{own}", headers=agent).get_json()["code"] == (40091 if status == 200 else 401)
    if status == 200:
        with login.app.app_context():
            login.passkey.credentials.delete(
                login.passkey_records("ada")[0].id, user_id=login.user("ada").id, keep_last=False
            )
        assert adds(client) == 40091 and client.get("/valid").text == "False"


@pytest.mark.proves("threats:fixation", "rules:new-id", "frictions:password-fixation")
def test_a_password_sign_in_gives_a_new_id(login: App) -> None:
    """A session id that somebody planted is not the one of whoever signs in with a password (fixation)."""
    client = login.app.test_client()
    with client.session_transaction() as opened:
        opened["csrf"] = "x"
    planted = session_id(client)
    client.post("/in/ada")
    assert session_id(client) != planted and login.session_ids() == {session_id(client)}
    assert site_session(login, client)["csrf"] == "x"


def test_a_remembered_sign_in_gives_a_new_id(login: App) -> None:
    """Nor of whoever is signed in by a "remember me" cookie."""
    login.app.add_url_rule("/remember", "remember", lambda: str(login_user(login.user("ada"), remember=True)))
    client, thief = login.app.test_client(), login.app.test_client()
    client.post("/in/ada"), client.get("/remember")
    with thief.session_transaction() as opened:
        opened["csrf"] = "x"
    planted = session_id(thief)
    client.set_cookie("session", planted)
    assert client.get("/user/authn").status_code == 200 and session_id(client) != planted
    assert thief.get("/user/authn").status_code == 401


def test_ours_gives_one_new_id(login: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A passkey sign-in through Flask-Login changes the id once, and leaves the sign-in fresh."""
    interface: Any = login.app.session_interface
    changed: list[str] = []
    regenerate = interface.regenerate

    def count(opened: Any) -> None:
        changed.append(opened.sid)
        regenerate(opened)

    monkeypatch.setattr(interface, "regenerate", count)
    client, ada = login.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    assert changed == [], "nobody knew the id of the first session"
    step_up(client, ada)
    assert len(changed) == 1 and adds(client) == 0


def test_out_and_in_again_in_one_request(login: App) -> None:
    """A sign-out and a sign-in in one request leave one session, with a new id."""

    @login.app.post("/switch")
    def switch() -> str:
        logout_user()
        return str(login_user(login.user("eve")))

    client = login.app.test_client()
    client.post("/in/eve"), client.post("/in/ada")
    old = session_id(client)
    client.post("/switch")
    assert session_id(client) != old and login.session_ids() == {session_id(client)}
