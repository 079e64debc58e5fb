"""A page adds a passkey to the account that it was made for, or to none."""

from __future__ import annotations

import pytest
from apps import SITE, App, make_app
from flask.testing import FlaskClient

from flask_passkey.testing import VirtualAuthenticator, sign_up

pytestmark = pytest.mark.proves("threats:open-account", "frictions:open-account")


@pytest.fixture
def site() -> App:
    """Return an app in which nobody is."""
    return make_app()


@pytest.fixture
def ada(site: App) -> FlaskClient:
    """Return the browser of Ada, who has just signed up."""
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    return client


@pytest.mark.parametrize("body", [{"name": "bob"}, {"name": "bob", "display_name": "Bob", "conditional": True}])
def test_no_sign_up_while_somebody_is_signed_in(ada: FlaskClient, body: object) -> None:
    """A sign-up in a signed-in browser is refused, and adds nothing to the open account."""
    answer = ada.put("/user/authn", json=body)
    assert (answer.status_code, answer.get_json()["code"], answer.get_json()["data"]) == (409, 40092, None)
    assert answer.get_json()["msg"] == "Somebody is signed in already; please sign out first."
    assert len(ada.get("/user/authn").get_json()["data"]["credentials"]) == 1


@pytest.mark.parametrize("is_fresh", [True, False])
def test_a_sign_up_that_is_overtaken(site: App, is_fresh: bool) -> None:
    """A sign-up that was begun before somebody signed in, in another tab, adds nothing to their account.

    It changes nothing there, so it asks for no step-up, and counts none of their passkeys for the name of its own.
    """
    client = site.app.test_client()
    begun = client.put("/user/authn", json={"name": "bob"}).get_json()["data"]
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    if not is_fresh:
        with client.session_transaction() as session:
            session["_passkey"] = session["_passkey"] | {"at": 0.0}
    body = {"session_id": begun["session_id"], "response": VirtualAuthenticator(SITE).create(begun["options"])}
    answer = client.post("/user/authn", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (200, 0)
    labels = [record.label for name in ("ada", "bob") for record in site.passkey_records(name)]
    assert len(labels) == 2 and labels[0] == labels[1]


def test_a_page_made_for_somebody_else(site: App, ada: FlaskClient) -> None:
    """A page that was made for another account than the one that is open adds nothing; for the open one it does."""
    for wrong in ("somebody else", "", f"{site.user('ada').id} "):
        answer = ada.put("/user/authn", json={"user_id": wrong})
        assert (answer.status_code, answer.get_json()["code"]) == (409, 40092), wrong
    for right in ({"user_id": site.user("ada").id}, {"user_id": None}, {}):
        assert ada.put("/user/authn", json=right).status_code == 200


@pytest.mark.parametrize("value", [1, True, ["x"], {}])
def test_what_is_no_user_id_is_malformed(ada: FlaskClient, value: object) -> None:
    """An account's id is a text."""
    answer = ada.put("/user/authn", json={"user_id": value})
    assert (answer.status_code, answer.get_json()["msg"]) == (400, "The request is malformed: user_id.")


def test_a_page_whose_user_is_gone(site: App) -> None:
    """Where nobody is signed in any more, a page made for somebody asks for a sign-in, not for a new account."""
    for body in ({"user_id": "1"}, {"user_id": "1", "conditional": True}, {}):
        assert site.app.test_client().put("/user/authn", json=body).get_json()["code"] == 401
    for body in ({"display_name": "x"}, {"user_id": "1", "x": 1}):
        assert site.app.test_client().put("/user/authn", json=body).get_json()["code"] == 40001
