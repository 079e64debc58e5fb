"""Sessions of the account that had an id before: they are those of nobody, where the app tells both apart."""

from __future__ import annotations

import pytest
from apps import SITE, App, User
from flask.testing import FlaskClient

from flask_passkey import UserInfo
from flask_passkey.testing import Refused, VirtualAuthenticator, enrol, sign_in, sign_up


@pytest.fixture
def made() -> dict[str, str]:
    """When the account of each name was made; empty where the app does not say."""
    return {"ada": "2026-01-01"}


@pytest.fixture
def client(site: App, made: dict[str, str]) -> FlaskClient:
    """Return a browser in which Ada has signed in with a passkey, with views that look at that."""

    @site.passkey.describe_user
    def describe(user: User) -> UserInfo:
        return UserInfo(user.id, user.name, user.display_name, identity=made[user.name])

    site.app.add_url_rule("/fresh", "fresh", site.passkey.required()(lambda: "done"))
    site.app.add_url_rule("/valid", "valid", lambda: str(site.passkey.still_valid()))
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    sign_in(client, ada)
    return client


def seen(client: FlaskClient) -> tuple[bool, str]:
    """Return whether the session's sign-in is fresh, and what the app is told of the session."""
    return client.get("/fresh").text == "done", client.get("/valid").text


def test_a_session_is_of_the_account_it_began_for(client: FlaskClient, made: dict[str, str]) -> None:
    """Once the id is another account's, an old session is not fresh and may not go on."""
    assert seen(client) == (True, "True")
    made["ada"] = "2026-02-02"
    assert seen(client) == (False, "False")


def test_a_passkey_by_a_grant_is_of_the_account_too(client: FlaskClient, site: App, made: dict[str, str]) -> None:
    """So is a passkey that was added with an enrolment grant: it opens no other account that gets the id."""
    with site.app.app_context():
        grant = site.passkey.invite(site.user("ada")).token
    key = VirtualAuthenticator(SITE)
    enrol(client, key, grant)
    sign_in(site.app.test_client(), key)
    made["ada"] = "2026-02-02"
    with pytest.raises(Refused):
        sign_in(site.app.test_client(), key)


def test_a_session_of_an_app_that_says_nothing_goes_on(client: FlaskClient, made: dict[str, str]) -> None:
    """Where the app does not say whose the id is, the passkey is enough."""
    made["ada"] = ""
    assert seen(client) == (True, "True")
