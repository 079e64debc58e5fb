"""Accounts with many passkeys: how many there can be, and that long lists disturb nobody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, App, make_app

from flask_passkey import MemoryCredentialRepository, SQLCredentialRepository
from flask_passkey.testing import (
    Refused,
    VirtualAuthenticator,
    VirtualCredential,
    add_passkey,
    b64url_decode,
    sign_in,
    sign_up,
    step_up,
)

pytestmark = pytest.mark.proves("threats:full-store", "frictions:G")


def code(call: Any, *arguments: Any) -> int:
    """Return the code that a call is refused with, 0 where it is not."""
    try:
        call(*arguments)
    except Refused as refused:
        return refused.code or -1
    return 0


@pytest.mark.parametrize(("config", "most"), [({}, 20), ({"PASSKEY_MAX_CREDENTIALS": 3}, 3)])
def test_an_account_has_at_most_so_many_passkeys(config: dict[str, Any], most: int) -> None:
    """One more than the setting allows is refused with 40093 at the begin, until one is deleted."""
    site = make_app(config)
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    codes = [code(add_passkey, client, VirtualAuthenticator(SITE)) for _ in range(most + 1)]
    assert codes == [0] * (most - 1) + [40093] * 2
    assert client.put("/user/authn").status_code == 409
    rows = client.get("/user/authn").get_json()["data"]["credentials"]
    client.delete(f"/user/authn/{rows[-1]['id']}")
    assert code(add_passkey, client, VirtualAuthenticator(SITE)) == 0


@pytest.mark.parametrize("kept", ["memory", "SQLite"])
def test_the_limit_holds_for_registrations_that_finish_at_once(kept: str, tmp_path: Path) -> None:
    """Registrations begun while there was room, and finished at once, add no more than there is room for."""
    database = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkeys.sqlite3")
    site = make_app(
        {"PASSKEY_MAX_CREDENTIALS": 3}, credentials=database if kept == "SQLite" else MemoryCredentialRepository()
    )
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    begun = [client.put("/user/authn").get_json()["data"] for _ in range(8)]
    bodies = [
        {"session_id": data["session_id"], "response": VirtualAuthenticator(SITE).create(data["options"])}
        for data in begun
    ]

    def finish(body: dict[str, Any]) -> int:
        browser = site.app.test_client()
        browser._cookies = client._cookies
        answer: int = browser.post("/user/authn", json=body).get_json()["code"]
        return answer

    with ThreadPoolExecutor(len(bodies)) as pool:
        codes = sorted(pool.map(finish, bodies))
    assert codes == [0] * 2 + [40093] * 6
    assert len(site.passkey_records("ada")) == 3
    database.close()


def populated(count: int) -> tuple[App, VirtualAuthenticator]:
    """Return an app with Ada, who has so many passkeys that were brought along from another system."""
    site = make_app({"PASSKEY_USERNAME_FIRST": True}, find_user=True)
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    [first] = site.passkey_records("ada")
    for number in range(1, count):
        key = VirtualCredential(rp_id="localhost", user_handle=first.user_handle)
        ada.credentials.append(key)
        with site.app.app_context():
            site.passkey.credentials.add(
                replace(first, id=key.id, public_key=key.cose_key(), algorithm=-7, label=f"number {number}")
            )
    return site, ada


@pytest.mark.parametrize("count", [64, 65, 150])
@pytest.mark.parametrize("place", [0, 40, -1])
def test_every_passkey_of_many_works(count: int, place: int) -> None:
    """No list is longer than browsers take, and each passkey of many signs in, by name too, and steps up."""
    site, ada = populated(count)
    client, key = site.app.test_client(), ada.credentials[place]
    for begun in (
        client.put("/session/authn", json={"user_name": "ada"}),
        client.put("/session/authn", json={"step_up": True}) if sign_in(client, ada) else None,
    ):
        assert begun is not None
        assert len(begun.get_json()["data"]["options"]["publicKey"]["allowCredentials"]) <= 64
    assert sign_in(client, ada, user_name="ada", credential=key)["user"]["name"] == "ada"
    step_up(client, ada, credential=key)


def test_what_is_kept_of_a_ceremony_does_not_grow_with_the_list() -> None:
    """Anybody can begin a sign-in by the name of an account with the longest IDs, and it costs the store little."""
    site = make_app({"PASSKEY_USERNAME_FIRST": True}, find_user=True)
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "eve", credential_id=b"\0" * 1023)
    for number in range(1, 20):
        add_passkey(client, VirtualAuthenticator(SITE), credential_id=bytes([number]) * 1023)
    site.pending.clear()
    listed = client.put("/session/authn", json={"user_name": "eve"}).get_json()["data"]["options"]["publicKey"]
    assert {len(b64url_decode(item["id"])) for item in listed["allowCredentials"]} == {1023}
    [(_, record)] = site.pending.values()
    assert len(record) < 600
