"""Changing passkeys takes a passkey sign-in not long ago, at begin and at finish."""

from __future__ import annotations

from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask.testing import FlaskClient

from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in, sign_up, step_up

pytestmark = pytest.mark.proves("threats:stolen-session", "rules:step-up", "rules:ends")

STALE = "_passkey"


@pytest.fixture
def site() -> App:
    """Return an app with a view that needs a sign-in within a minute."""
    site = make_app()

    @site.app.get("/careful")
    @site.passkey.required(max_age=60)
    def careful() -> str:
        return "done"

    return site


def age(client: FlaskClient, seconds: float) -> None:
    """Let the last passkey sign-in of a browser be longer ago."""
    with client.session_transaction() as session:
        session[STALE] = session[STALE] | {"at": session[STALE]["at"] - seconds}


def requests(client: FlaskClient) -> list[tuple[str, str, Any]]:
    """Return every request that changes passkeys."""
    credential_id = client.get("/user/authn").get_json()["data"]["credentials"][0]["id"]
    path = f"/user/authn/{credential_id}"
    return [
        ("PUT", "/user/authn", None),
        ("PATCH", path, {"name": "x"}),
        ("DELETE", path, None),
        ("DELETE", f"/user/authn?id={credential_id}", None),
    ]


@pytest.mark.proves("browser:32")
def test_a_stale_sign_in_changes_nothing(client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """After PASSKEY_STEP_UP_AGE adding, renaming and deleting are answered 40091, and listing still works."""
    age(client, 601)
    for method, path, body in requests(client):
        answer = client.open(path, method=method, json=body)
        assert (answer.status_code, answer.get_json()["code"]) == (403, 40091), path
    (credential,) = client.get("/user/authn").get_json()["data"]["credentials"]
    assert credential["name"] == "Passkey"


def test_a_fresh_sign_up_counts(client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """Somebody who has just signed up can add a passkey at once, and until just before the age."""
    add_passkey(client, VirtualAuthenticator(SITE))
    age(client, 595)
    add_passkey(client, VirtualAuthenticator(SITE))


@pytest.mark.proves("browser:32")
def test_finish_asks_again_and_leaves_the_ceremony(client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """A registration whose sign-in became stale is answered 40091, and can be finished after a step-up."""
    begun = client.put("/user/authn").get_json()["data"]
    body = {"session_id": begun["session_id"], "response": VirtualAuthenticator(SITE).create(begun["options"])}
    age(client, 601)
    assert client.post("/user/authn", json=body).get_json()["code"] == 40091
    step_up(client, ada)
    assert client.post("/user/authn", json=body).status_code == 200


def test_a_plain_sign_in_steps_up_too(client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """Signing in again is all a client needs to know."""
    age(client, 601)
    sign_in(client, ada)
    add_passkey(client, VirtualAuthenticator(SITE))


@pytest.mark.proves("browser:40")
def test_a_step_up_is_bound_to_the_signed_in_user(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """A step-up names the user's own passkeys and takes no other's; without a user there is none."""
    begun = client.put("/session/authn", json={"step_up": True}).get_json()["data"]
    allowed = [item["id"] for item in begun["options"]["publicKey"]["allowCredentials"]]
    assert allowed == [item["id"] for item in client.get("/user/authn").get_json()["data"]["credentials"]]
    eve = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), eve, "eve")
    with pytest.raises(Refused) as refused:
        step_up(client, eve, credential=eve.credentials[0])
    assert refused.value.code == 40025
    signed_out = site.app.test_client().put("/session/authn", json={"step_up": True})
    assert (signed_out.status_code, signed_out.get_json()["code"]) == (401, 401)


def test_a_step_up_ends_with_the_session(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """A step-up that was begun cannot be finished after signing out."""
    begun = client.put("/session/authn", json={"step_up": True}).get_json()["data"]
    body = {"session_id": begun["session_id"], "response": ada.get(begun["options"])}
    site.sign_out(client)
    assert client.post("/session/authn", json=body).status_code == 404


def test_somebody_elses_sign_in_is_none(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """The sign-in of another account in this session does not count."""
    with client.session_transaction() as session:
        session[STALE] = session[STALE] | {"user_id": "somebody else"}
    assert client.put("/user/authn").get_json()["code"] == 40091


def test_an_account_without_passkeys_can_add_its_first(site: App, client: FlaskClient) -> None:
    """Who came in another way and has no passkey cannot step up, and may add one."""
    site.users["1"] = User("ada", id="1")
    with client.session_transaction() as session:
        session["user_id"] = "1"
    add_passkey(client, VirtualAuthenticator(SITE))
    assert client.put("/user/authn").get_json()["code"] == 40091


def test_views_of_the_app_can_ask_for_it(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """``@passkey.required(max_age=60)`` lets a fresh sign-in through, and answers 401 and 40091 otherwise."""
    assert client.get("/careful").text == "done"
    age(client, 61)
    answer = client.get("/careful")
    assert (answer.status_code, answer.get_json()["code"]) == (403, 40091)
    step_up(client, ada)
    assert client.get("/careful").text == "done"
    answer = site.app.test_client().get("/careful")
    assert (answer.status_code, answer.get_json()["code"]) == (401, 401)
