"""An app's own views run whole ceremonies with public names only, and the app is asked no more than it must be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask import jsonify, request
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue

from flask_passkey import Passkey, Refusal, UserInfo
from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_in, sign_up, step_up


def add_views(site: App) -> None:
    """Give an app views with the shape of ours, at other addresses."""
    app, passkey = site.app, site.passkey

    def begun(outcome: Any) -> ResponseReturnValue:
        return jsonify(id=outcome.ceremony_id, options=outcome.options)

    @app.post("/login/begin")
    def begin_login() -> ResponseReturnValue:
        return begun(passkey.relying_party.begin_sign_in(passkey.visitor()))

    @app.post("/login/again")
    def begin_again() -> ResponseReturnValue:
        return begun(passkey.relying_party.begin_step_up(passkey.visitor()))

    @app.post("/login/finish")
    def finish_login() -> ResponseReturnValue:
        outcome = passkey.relying_party.finish_sign_in(passkey.visitor(), request.json["id"], request.json["response"])
        return {"name": outcome.info.name, **passkey.sign_in(outcome)}

    @app.post("/join/begin")
    def begin_join() -> ResponseReturnValue:
        return begun(passkey.relying_party.begin_sign_up(passkey.visitor(), name=request.json["name"]))

    @app.post("/add/begin")
    def begin_add() -> ResponseReturnValue:
        return begun(passkey.relying_party.begin_registration(passkey.visitor()))

    @app.post("/add/finish")
    def finish_add() -> ResponseReturnValue:
        sent = request.json
        outcome = passkey.relying_party.finish_registration(passkey.visitor(), sent["id"], sent["response"])
        return {"name": outcome.info.name, **passkey.sign_in(outcome)}

    @app.post("/secret")
    @passkey.required(max_age=60)
    def secret() -> ResponseReturnValue:
        return {"keys": [row.name for row in passkey.list_passkeys()]}

    @app.post("/rename")
    def rename() -> ResponseReturnValue:
        passkey.rename_passkey(passkey.list_passkeys()[0].id, request.json["name"])
        return {}

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> ResponseReturnValue:
        return {"refused": type(refusal).__name__}, refusal.status


@pytest.fixture
def own() -> App:
    """Return an app with views of its own; ours are out of the way."""
    site = make_app({"PASSKEY_URL_PREFIX": "/not-used"})
    add_views(site)
    return site


class Browser:
    """A browser with an authenticator, on the app's own views."""

    def __init__(self, site: App, authenticator: VirtualAuthenticator) -> None:
        self.client = site.app.test_client()
        self.authenticator = authenticator

    def post(self, path: str, **body: Any) -> Any:
        """Send JSON and return what comes back."""
        assert "not-used" not in path
        return self.client.post(path, json=body, headers={"Origin": SITE}).json

    def get(self, begin: str) -> Any:
        """Use a passkey; a view that refuses to begin is the answer."""
        begun = self.post(begin)
        if "refused" in begun:
            return begun
        response = self.authenticator.get({"publicKey": begun["options"]})
        return self.post("/login/finish", id=begun["id"], response=response)

    def create(self, begin: str, **body: Any) -> Any:
        """Make a passkey."""
        begun = self.post(begin, **body)
        response = self.authenticator.create({"publicKey": begun["options"]})
        return self.post("/add/finish", id=begun["id"], response=response)

    @property
    def session_id(self) -> str | None:
        """The id of the browser's session."""
        cookie = self.client.get_cookie("session")
        return cookie.value if cookie else None


def test_whole_ceremonies_in_views_of_the_apps_own(own: App) -> None:
    """Sign-up, sign-in in another browser, step-up and a second passkey work without a route of ours."""
    authenticator = VirtualAuthenticator(SITE)
    first = Browser(own, authenticator)
    assert first.create("/join/begin", name="ada") == {"name": "ada"}
    assert len(first.post("/secret")["keys"]) == 1
    other = Browser(own, authenticator)
    assert other.post("/secret") == {"refused": "SignInRequired"}
    assert other.get("/login/begin") == {"name": "ada"}
    assert other.get("/login/again") == {"name": "ada"}
    second = Browser(own, VirtualAuthenticator(SITE))
    second.client = other.client
    assert second.create("/add/begin") == {"name": "ada"}
    assert len(own.passkey_records("ada")) == 2


def test_a_sign_in_of_an_own_view_gives_the_session_a_new_id(own: App) -> None:
    """A session id from before the sign-in opens nothing after it."""
    browser = Browser(own, VirtualAuthenticator(SITE))
    browser.create("/join/begin", name="ada")
    before = browser.session_id
    browser.get("/login/begin")
    assert before and browser.session_id and before != browser.session_id
    assert before not in own.session_ids()


def test_the_app_is_undone_where_its_login_hook_fails(own: App) -> None:
    """Where the app's hook raises, nobody is signed in and no sign-in is noted."""
    browser = Browser(own, VirtualAuthenticator(SITE))
    browser.create("/join/begin", name="ada")
    own.sign_out(browser.client)

    @own.passkey.login_user
    def broken(user: User) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        browser.get("/login/begin")
    assert browser.post("/secret") == {"refused": "SignInRequired"}


@pytest.mark.parametrize("name", ["a\0", "\u202e", " ", "x" * 256, "x" * 5_000])
def test_names_are_checked_for_every_caller(own: App, name: str) -> None:
    """What a name or label may be holds below HTTP, too."""
    browser = Browser(own, VirtualAuthenticator(SITE))
    assert browser.post("/join/begin", name=name) == {"refused": "MalformedRequest"}
    browser.create("/join/begin", name="ada")
    (record,) = own.passkey_records("ada")

    assert browser.post("/rename", name=name) == {"refused": "MalformedRequest"}
    assert own.passkey_records("ada") == [record]


@pytest.fixture
def described() -> tuple[App, Counter[str]]:
    """Return an app, and how often it was asked to describe whom."""
    site, asked = make_app(), Counter[str]()

    @site.passkey.describe_user
    def describe(user: User) -> UserInfo:
        asked[user.name] += 1
        return UserInfo(user.id, user.name, user.display_name)

    return site, asked


def ask(asked: Counter[str], *requests: Any) -> list[int]:
    """Do some requests; return how often the app described somebody in each step."""
    counts = []
    for call in requests:
        asked.clear()
        call()
        counts.append(sum(asked.values()))
    return counts


def test_who_asks_is_described_once_and_who_is_loaded_once(described: tuple[App, Counter[str]]) -> None:
    """The hook is called once a request for who asks, and once for who was loaded or created."""
    site, asked = described
    client: FlaskClient = site.app.test_client()
    authenticator = VirtualAuthenticator(SITE)
    counts = ask(
        asked,
        lambda: sign_up(client, authenticator, "ada"),  # nobody asks; created
        lambda: step_up(client, authenticator),  # begin: asks; finish: asks, and loaded
        lambda: add_passkey(client, VirtualAuthenticator(SITE)),  # begin and finish: asks
        lambda: client.get("/user/authn"),
        lambda: sign_in(site.app.test_client(), authenticator),  # loaded
    )
    assert counts == [1, 3, 2, 1, 1]


def test_visitor_names_a_secret_that_the_browser_gets(own: App) -> None:
    """A fresh browser has a secret at once; asked twice it is the same, and the answer sets it."""
    passkey: Passkey = own.passkey

    @own.app.get("/secrets")
    def secrets() -> ResponseReturnValue:
        return jsonify([*passkey.visitor().secrets, *passkey.visitor().secrets])

    client = own.app.test_client()
    first: Any = client.get("/secrets").json
    assert first[0] == first[1]
    assert client.get("/secrets").json == first
