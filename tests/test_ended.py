"""A session that was signed out of, or has another id, never comes back, on every store of Flask-Session's."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import race
from apps import SITE, App, User, make_app, use_flask_login, use_hooks
from flask import Flask, session
from flask.testing import FlaskClient
from flask_login import login_user, logout_user
from race import Place
from test_stores import SQL, empty_place, marked

from flask_passkey import MemoryCredentialRepository, Passkey
from flask_passkey.pending.sessions import SessionEnded, lock_for, saver_for
from flask_passkey.testing import VirtualAuthenticator, sign_up, step_up
from flask_passkey.web.ended import guard

pytestmark = pytest.mark.proves("threats:ended-session")

#: What a sign-out leaves in the session: nothing, or something of the app's.
LEFT = ("nothing", "something")


@pytest.fixture(params=marked(race.KINDS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place of each kind."""
    return empty_place(request, tmp_path)


@pytest.fixture
def app(place: Place) -> Iterator[Flask]:
    """An app that keeps its sessions there."""
    app = race.make_app(place)
    yield app
    with app.app_context():
        if place.kind in SQL:
            app.config["SESSION_SQLALCHEMY"].session.remove()
            app.config["SESSION_SQLALCHEMY"].drop_all()
        race.close(app)


@pytest.fixture(params=["hooks", "flask-login"])
def site(app: Flask, request: pytest.FixtureRequest) -> Slow:
    """Such an app with its pages."""
    app.config.update(TESTING=True, SECRET_KEY="secret")
    return Slow(App(app, Passkey(app, credentials=MemoryCredentialRepository())), flask_login=request.param != "hooks")


class Slow:
    """An app with a password, a slow page, and a sign-out."""

    def __init__(self, site: App, *, flask_login: bool) -> None:
        self.site, self.app = site, site.app
        (use_flask_login if flask_login else use_hooks)(site)
        site.users["1"] = User("ada", id="1")
        self.inside, self.go_on = threading.Event(), threading.Event()

        def enter() -> str:
            session.clear()
            session["cart"] = 1
            login_user(site.users["1"]) if flask_login else session.update(user_id="1")
            return ""

        def leave(left: str) -> str:
            if flask_login:
                logout_user()
            else:
                session.pop("user_id", None)
            if left == "nothing":
                session.clear()
            elif not flask_login:
                site.passkey.signed_out()
            return ""

        def slow() -> str:
            session["seen"] = True
            self.inside.set()
            return str(self.go_on.wait(20))

        def new_id() -> str:
            site.passkey.confirm_user()
            return ""

        views: dict[str, Callable[..., str]] = {"/in": enter, "/out/<left>": leave, "/slow": slow, "/new-id": new_id}
        for rule, view in views.items():
            self.app.add_url_rule(rule, rule, view)
        self.app.add_url_rule("/cart", "cart", lambda: str(session.get("cart")))

    @contextmanager
    def under_way(self, client: FlaskClient) -> Iterator[list[Any]]:
        """Have a slow request of a browser read the session before the block, and end after it."""
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(copy_of(self.app, client).get("/slow")))
        thread.start()
        assert self.inside.wait(20)
        try:
            yield answers
        finally:
            self.go_on.set()
            thread.join(30)

    def status(self, client: FlaskClient) -> int:
        """Return what a browser is answered that asks for the passkeys of whoever is signed in."""
        return copy_of(self.app, client).get("/user/authn").status_code


def copy_of(app: Flask, client: FlaskClient) -> FlaskClient:
    """Return another browser with the same cookies."""
    other = app.test_client()
    for cookie in (client._cookies or {}).values():
        other.set_cookie(cookie.key, cookie.value)
    return other


@pytest.mark.proves("rules:sign-out")
@pytest.mark.parametrize("left", LEFT)
def test_a_sign_out_wins(site: Slow, left: str) -> None:
    """A request that read the session before the sign-out neither brings it back nor sets its cookie."""
    owner = site.app.test_client()
    owner.get("/in")
    thief = copy_of(site.app, owner)
    with site.under_way(thief) as answers:
        owner.get(f"/out/{left}")
        assert site.status(thief) == site.status(owner) == 401
    assert site.status(thief) == site.status(owner) == 401
    assert answers[0].status_code == 200 and "Set-Cookie" not in answers[0].headers
    assert owner.get("/cart").text == ("1" if left == "something" else "None")


@pytest.mark.proves("rules:old-id")
def test_a_new_id_wins(site: Slow) -> None:
    """Nor does one that read it before it got a new id; the new one is signed in."""
    owner = site.app.test_client()
    owner.get("/in")
    thief = copy_of(site.app, owner)
    with site.under_way(thief) as answers:
        owner.get("/new-id")
    assert (site.status(thief), site.status(owner)) == (401, 200)
    assert "Set-Cookie" not in answers[0].headers


def test_without_a_sign_out_it_is_saved(site: Slow) -> None:
    """What a slow request writes is kept, and its cookie renewed."""
    owner = site.app.test_client()
    owner.get("/in")
    with site.under_way(owner) as answers:
        assert owner.get("/cart").text == "1"
    with owner.session_transaction() as opened:
        assert opened["seen"] is True
    assert site.status(owner) == 200 and "Set-Cookie" in answers[0].headers


def test_a_save_and_a_deletion_at_once(app: Flask, place: Place) -> None:
    """However they fall together, a session that was deleted is not there afterwards."""
    interface: Any = app.session_interface
    guard(interface, at_end=lambda session: None)
    threads = 1 if place.kind == "memcached-pylibmc" else 4  # whose client is for one thread
    saver = saver_for(interface)
    assert saver is not None
    for _ in range(10):
        opened = interface.session_class({"user_id": "1"}, sid=secrets.token_urlsafe(16))
        name = interface._get_store_id(opened.sid)
        with app.app_context():
            interface._upsert_session(app.permanent_session_lifetime, opened, name)
            until = time.monotonic() + 10
            while interface._retrieve_session_data(name) is None:  # pymemcache does not wait for that either
                assert time.monotonic() < until

        def save(opened: Any = opened, name: str = name) -> bool:
            with app.app_context():
                try:
                    saver(app.permanent_session_lifetime, opened, name)
                except SessionEnded:
                    return False
            return True

        def delete(name: str = name) -> None:
            with app.app_context():
                interface._delete_session(name)
                if place.kind == "memcached-pymemcache":  # which does not wait for the reply
                    interface.client.delete(name, noreply=False)

        with ThreadPoolExecutor(threads) as pool:
            for job in [pool.submit(call) for call in (save, save, delete, save)]:
                job.result()
        assert save() is False
        with app.app_context():
            assert interface._retrieve_session_data(name) is None


class TestWithUs:
    """What passkeys themselves end, in memory."""

    @pytest.fixture
    def slow(self) -> Slow:
        """An app with hooks that has sign-up, too."""
        return Slow(make_app(), flask_login=False)

    @pytest.mark.parametrize("do", [step_up, lambda client, key: client.get("/out/something")])
    def test_a_step_up_and_a_sign_out(self, slow: Slow, do: Callable[[FlaskClient, VirtualAuthenticator], Any]) -> None:
        """A stolen cookie is no good after a step-up, nor after a sign-out, whatever was under way."""
        owner, ada = slow.app.test_client(), VirtualAuthenticator(SITE)
        sign_up(owner, ada, "eve")
        thief = copy_of(slow.app, owner)
        with slow.under_way(thief):
            do(owner, ada)
        assert slow.status(thief) == 401

    def test_a_sign_out_that_only_a_hook_shows(self, slow: Slow) -> None:
        """An app that tells of nothing, and leaves something in the session: who had a passkey is seen to be gone."""
        owner = slow.app.test_client()
        sign_up(owner, VirtualAuthenticator(SITE), "eve")
        with owner.session_transaction() as opened:
            opened["cart"] = 1
        thief = copy_of(slow.app, owner)
        with slow.under_way(thief):
            slow.site.sign_out(owner)
        assert slow.status(thief) == slow.status(owner) == 401 and owner.get("/cart").text == "1"

    def test_a_store_that_is_not_known(self) -> None:
        """A session interface of the app's own saves as it does; only known stores can do better."""
        assert saver_for(object()) is None and lock_for(object()) is None
