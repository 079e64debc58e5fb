"""Where ``passkey.offer_passkey(next=…)`` leads who signed in with a password."""

from __future__ import annotations

import pytest
from apps import SITE, App, User, make_app
from flask import request, session
from flask.testing import FlaskClient

from flask_passkey.testing import VirtualAuthenticator, add_passkey


def client_of(site: App) -> FlaskClient:
    """Return a browser of an app where a sign-in with a password tells where it leads to."""

    @site.app.post("/password/<name>")
    def sign_in_with_password(name: str) -> str:
        session["user_id"] = site.users.setdefault(name, User(name, id=name)).id
        return site.passkey.offer_passkey(**request.args)

    return site.app.test_client()


@pytest.fixture
def client() -> FlaskClient:
    """A browser of such an app with the ready pages."""
    return client_of(make_app(pages=True))


def test_to_the_offer_and_on(client: FlaskClient) -> None:
    """Who has no passkey is led to the page with the offer, which leads on."""
    where = client.post("/password/ada?next=/home").text
    assert where == "/passkeys/offer?next=/home"
    assert 'data-passkey-next="/home"' in client.get(where).text


def test_who_has_a_passkey_goes_on(client: FlaskClient) -> None:
    """There is nothing to offer to who has one."""
    client.post("/password/ada")
    add_passkey(client, VirtualAuthenticator(SITE))
    assert client.post("/password/ada?next=/home").text == "/home"


def test_who_said_not_now_goes_on(client: FlaskClient) -> None:
    """Who does not want to be asked is not asked."""
    client.post("/password/ada")
    client.post("/passkeys/offer")
    assert client.post("/password/ada?next=/home").text == "/home"


def test_without_the_pages_the_next_one_offers() -> None:
    """An app without the ready pages has the offer on its own page."""
    site = make_app()
    site.app.add_url_rule("/home", "home", lambda: str(site.passkey.passkey_offered()))
    client = client_of(site)
    assert client.post("/password/ada?next=/home").text == "/home"
    assert client.get("/home").text == "True"


def test_without_a_next_page_nothing_is_said(client: FlaskClient) -> None:
    """An app that leads people itself gets no address, and the offer is open."""
    assert client.post("/password/ada").text == ""
    assert client.get("/passkeys/offer").status_code == 200
