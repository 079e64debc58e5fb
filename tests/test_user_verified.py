"""``@passkey.required(user_verified=True)``: a fresh sign-in that verified the person, and the step-up that does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask import Flask, session
from flask.testing import FlaskClient

from flask_passkey import SQLCredentialRepository
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in, sign_up, step_up

LAST, WANTED = "_passkey", "_passkey_verify"


def make_site(config: dict[str, Any] | None = None, **settings: Any) -> App:
    """Return an app with views that need a fresh sign-in, which a touch is enough for."""
    site = make_app({"PASSKEY_USER_VERIFICATION": "preferred", **(config or {})}, **settings)
    passkey = site.passkey
    site.app.add_url_rule("/fresh", "fresh", passkey.required()(lambda: "done"))
    site.app.add_url_rule("/verified", "verified", passkey.required(user_verified=True)(lambda: "done"))
    site.app.add_url_rule("/minute", "minute", passkey.required(60, user_verified=True)(lambda: "done"))

    @site.app.post("/confirm/<int:verified>")
    def confirm(verified: int) -> str:
        if verified:
            passkey.confirm_user(user_verified=True)
        else:
            passkey.confirm_user()
        return ""

    @site.app.get("/last")
    def last() -> dict[str, bool]:
        note = passkey.visitor().last_sign_in
        return {"verified": note is not None and note.user_verified}

    return site


@pytest.fixture
def site() -> App:
    """Return such an app."""
    return make_site()


@pytest.fixture
def touched(client: FlaskClient, ada: VirtualAuthenticator) -> VirtualAuthenticator:
    """Return the authenticator of Ada, whose browser has signed in with a touch."""
    sign_in(client, ada, user_verified=False)
    return ada


def code(client: FlaskClient, path: str = "/verified") -> int:
    """Return the code that a view is refused with, 0 if it is not."""
    answer = client.get(path)
    return 0 if answer.text == "done" else int(answer.get_json()["code"])


def wanted(client: FlaskClient) -> str:
    """Return the user verification that a step-up asks for."""
    options = client.put("/session/authn", json={"step_up": True}).get_json()["data"]["options"]["publicKey"]
    return str(options["userVerification"])


def age(client: FlaskClient, name: str, seconds: float) -> None:
    """Let a note in a browser's session be older."""
    with client.session_transaction() as opened:
        opened[name] = opened[name] | {"at": opened[name]["at"] - seconds}


def test_a_verified_sign_in_is_let_through(client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """Sign-up, sign-in and step-up count, where the person was verified."""
    assert code(client) == 0
    for ceremony in (sign_in, step_up):
        ceremony(client, ada)
        assert code(client) == 0 and client.get("/last").get_json()["verified"] is True


def test_a_touch_is_not_enough(client: FlaskClient, touched: VirtualAuthenticator) -> None:
    """A fresh sign-in by a touch passes other views, and is answered with 40091 here."""
    assert (code(client, "/fresh"), code(client), code(client, "/minute")) == (0, 40091, 40091)
    assert client.get("/last").get_json()["verified"] is False
    assert client.get("/verified").status_code == 403


def test_the_step_up_then_verifies(client: FlaskClient, touched: VirtualAuthenticator) -> None:
    """After the refusal a step-up asks for verification whatever the setting says, and then the view lets through."""
    assert wanted(client) == "preferred"
    assert code(client) == 40091
    assert wanted(client) == "required"
    step_up(client, touched)
    assert code(client) == 0


@pytest.mark.proves("threats:found-device", "specification:7.2.17")
def test_the_step_up_accepts_nothing_less(client: FlaskClient, touched: VirtualAuthenticator) -> None:
    """A response to that step-up that verified nobody is refused, and leaves who was signed in."""
    assert code(client) == 40091
    with pytest.raises(Refused) as refused:
        step_up(client, touched, user_verified=False)
    assert refused.value.code == 40025
    assert (code(client), code(client, "/fresh")) == (40091, 0)


def test_a_step_up_begun_before_is_as_it_was_begun(client: FlaskClient, touched: VirtualAuthenticator) -> None:
    """One that was begun before the refusal may be a touch; the view then asks again."""
    begun = client.put("/session/authn", json={"step_up": True}).get_json()["data"]
    assert code(client) == 40091
    body = {"session_id": begun["session_id"], "response": touched.get(begun["options"], user_verified=False)}
    assert client.post("/session/authn", json=body).status_code == 200
    assert code(client) == 40091


def test_a_sign_in_settles_it(client: FlaskClient, touched: VirtualAuthenticator) -> None:
    """After any sign-in the next step-up is as the setting says, also after one that was no step-up."""
    assert code(client) == 40091
    sign_in(client, touched, user_verified=False)
    assert wanted(client) == "preferred"
    assert code(client) == 40091


def test_it_is_wanted_for_five_minutes(client: FlaskClient, touched: VirtualAuthenticator) -> None:
    """Who gives up can step up by a touch for something else a while later."""
    assert code(client) == 40091
    age(client, WANTED, 299)
    assert wanted(client) == "required"
    age(client, WANTED, 2)
    assert wanted(client) == "preferred"
    step_up(client, touched, user_verified=False)
    add_passkey(client, VirtualAuthenticator(SITE))


@pytest.mark.parametrize("path", ["/verified", "/minute"])
def test_an_old_sign_in_leads_there_too(client: FlaskClient, ada: VirtualAuthenticator, path: str) -> None:
    """Where the sign-in is too old as well, one step-up is enough for both."""
    age(client, LAST, 601)
    assert code(client, path) == 40091
    assert wanted(client) == "required"


def test_other_views_want_no_more(client: FlaskClient, touched: VirtualAuthenticator) -> None:
    """A view that asks for a fresh sign-in only does not change the step-up."""
    age(client, LAST, 601)
    assert code(client, "/fresh") == 40091
    assert wanted(client) == "preferred"


def test_nobody_else_inherits_it(site: App, client: FlaskClient, touched: VirtualAuthenticator) -> None:
    """What one user was refused is not asked of the next in the same browser, nor after a sign-out."""
    assert code(client) == 40091
    site.users["2"] = User("eve", id="2")
    with client.session_transaction() as opened:
        opened["user_id"] = "2"
    add_passkey(client, VirtualAuthenticator(SITE))
    with client.session_transaction() as opened:
        assert WANTED not in opened
    assert wanted(client) == "preferred"


def test_a_sign_out_ends_it(site: App, client: FlaskClient, touched: VirtualAuthenticator) -> None:
    """A sign-out leaves no note of it."""
    assert code(client) == 40091
    site.sign_out(client)
    client.get("/last")
    with client.session_transaction() as opened:
        assert WANTED not in opened


@pytest.mark.parametrize("note", [None, 5, {}, {"at": 1}, {"user_id": "ada"}, {"user_id": "ada", "at": "now"}])
def test_an_odd_note_counts_as_none(site: App, client: FlaskClient, touched: VirtualAuthenticator, note: Any) -> None:
    """What another release left in the session changes no step-up, and is no error."""
    if isinstance(note, dict) and "user_id" in note:
        note = note | {"user_id": site.user("ada").id}
    with client.session_transaction() as opened:
        opened[WANTED] = note
    assert wanted(client) == "preferred"


@pytest.mark.parametrize("value", [..., None, "yes", 1, [True]])
def test_sessions_of_before_are_not_verified(client: FlaskClient, ada: VirtualAuthenticator, value: object) -> None:
    """A session that does not say whether the person was verified, or oddly, counts as not verified; it stays fresh."""
    with client.session_transaction() as opened:
        note = {name: kept for name, kept in opened[LAST].items() if name != "user_verified"}
        opened[LAST] = note if value is ... else note | {"user_verified": value}
    assert (code(client), code(client, "/fresh")) == (40091, 0)


def test_nobody_signed_in(site: App) -> None:
    """Who is not signed in gets 401, and nothing is noted."""
    client = site.app.test_client()
    assert code(client) == 401
    with client.session_transaction() as opened:
        assert WANTED not in opened


def test_a_key_without_a_pin(site: App) -> None:
    """A security key that cannot verify gets no further, keeps what it can do, and a second passkey opens the view."""
    client = site.app.test_client()
    key, phone = VirtualAuthenticator(SITE, has_user_verification=False), VirtualAuthenticator(SITE)
    sign_up(client, key, "ada")
    assert code(client) == 40091
    with pytest.raises(Refused) as refused:
        _touch(client, key)
    assert refused.value.code == 40025
    assert code(client, "/fresh") == 0
    add_passkey(client, phone)
    step_up(client, phone)
    assert code(client) == 0


def _touch(client: FlaskClient, key: VirtualAuthenticator) -> None:
    """Answer a step-up by a touch, as a browser that ignores what is asked for."""
    key.has_user_verification = True
    try:
        step_up(client, key, user_verified=False)
    finally:
        key.has_user_verification = False


@pytest.mark.parametrize(("verified", "expected"), [(0, 40091), (1, 0)])
def test_confirm_user_says_how_good_it_was(site: App, verified: int, expected: int) -> None:
    """A check of the app's own counts as verified only if the app says so; it is a fresh sign-in in any case."""
    client = site.app.test_client()
    site.users["1"] = User("ada", id="1")
    with client.session_transaction() as opened:
        opened["user_id"] = "1"
    assert code(client) == 40091
    client.post(f"/confirm/{verified}")
    assert (code(client, "/fresh"), code(client)) == (0, expected)


def test_where_all_sign_ins_verify() -> None:
    """With PASSKEY_USER_VERIFICATION at its default a passkey always passes, and confirm_user() has to say."""
    site = make_site({"PASSKEY_USER_VERIFICATION": "required"})
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    assert code(client) == 0
    client.post("/confirm/0")
    assert code(client) == 40091 and wanted(client) == "required"


def test_in_cookie_sessions(tmp_path: Path) -> None:
    """Where the app's sessions are cookies an old cookie brings back neither verification nor a way around it."""
    credentials = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path / 'passkeys.sqlite3'}")
    site = make_site({"PASSKEY_CEREMONY_STORE": "database"}, credentials=credentials, before=_cookies)
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada", user_verified=False)
    before = client.get_cookie("session")
    assert code(client) == 40091 and wanted(client) == "required" and before is not None
    client.set_cookie("session", before.value)
    step_up(client, ada, user_verified=False)
    assert code(client) == 40091


def _cookies(app: Flask) -> None:
    app.session_interface = Flask(__name__).session_interface


def test_own_views_can_ask_for_it(site: App, client: FlaskClient, touched: VirtualAuthenticator) -> None:
    """A step-up without HTTP can ask for verification, too, whatever was refused before."""
    with client.session_transaction() as opened:
        kept = dict(opened)
    with site.app.test_request_context():
        session.update(kept)
        visitor = site.passkey.visitor()
        assert visitor.last_sign_in is not None and time.time() - visitor.last_sign_in.at < 60
        for asked, expected in ((False, "preferred"), (True, "required")):
            begun = site.passkey.relying_party.begin_step_up(visitor, user_verified=asked)
            assert begun.options["userVerification"] == expected
