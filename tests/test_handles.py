"""An account that was brought along from a system that gave each passkey a user handle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from apps import SITE, App, User, make_app

from flask_passkey import MemoryCredentialRepository, SQLCredentialRepository
from flask_passkey.credentials import stand_in_handle
from flask_passkey.testing import (
    Refused,
    VirtualAuthenticator,
    add_passkey,
    b64url_encode,
    generate_key,
    sign_in,
    sign_up,
)

pytestmark = pytest.mark.proves("frictions:T")

HANDLES = (b"1" * 64, b"2" * 16, b"3")


@pytest.fixture(params=["memory", "SQLite"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[App]:
    """Return an app with nobody in it."""
    database = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkeys.sqlite3")
    yield make_app(credentials=database if request.param == "SQLite" else MemoryCredentialRepository())
    database.close()


@pytest.fixture
def keys(site: App) -> list[VirtualAuthenticator]:
    """Return authenticators of Ada's with passkeys of another system, which her account here has been given."""
    old, keys = make_app(), []
    ada = User("ada")
    site.users[ada.id] = ada
    for number, handle in enumerate(HANDLES):
        keys.append(VirtualAuthenticator(SITE))
        sign_up(old.app.test_client(), keys[-1], f"ada {number}")
        [record] = old.passkey_records(f"ada {number}")
        keys[-1].credentials[0].user_handle = handle
        with site.app.app_context():
            site.passkey.credentials.add_user(ada.id, handle)
            site.passkey.credentials.add(replace(record, user_id=ada.id, user_handle=handle))
    return keys


def test_every_passkey_signs_in(site: App, keys: list[VirtualAuthenticator]) -> None:
    """Each passkey opens the account under its own user handle, and its browser is told of all of them."""
    for key, handle in zip(keys, HANDLES, strict=True):
        data = sign_in(site.app.test_client(), key)
        assert data["user"]["name"] == "ada"
        assert data["signals"]["userId"] == b64url_encode(handle)
        assert len(data["signals"]["allAcceptedCredentialIds"]) == len(HANDLES)


def test_password_managers_are_told_by_every_handle(site: App, keys: list[VirtualAuthenticator]) -> None:
    """Lists and deletions name all user handles, also that of the passkey that is gone."""
    client = site.app.test_client()
    sign_in(client, keys[0])
    told = [b64url_encode(handle) for handle in HANDLES]
    listed = client.get("/user/authn").get_json()["data"]["signals"]
    assert [listed["userId"], *listed["otherUserIds"]] == told
    gone = b64url_encode(keys[2].credentials[0].id)
    signals = client.delete(f"/user/authn/{gone}").get_json()["data"]["signals"]
    assert [signals["userId"], *signals["otherUserIds"]] == told
    assert gone not in signals["allAcceptedCredentialIds"] and len(signals["allAcceptedCredentialIds"]) == 2


def test_new_passkeys_get_the_first_handle(site: App, keys: list[VirtualAuthenticator]) -> None:
    """A passkey that is added gets the account's first user handle, and keeps those of all the others away."""
    client, new = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_in(client, keys[1])
    options = client.put("/user/authn").get_json()["data"]["options"]["publicKey"]
    assert options["user"]["id"] == b64url_encode(HANDLES[0]) and len(options["excludeCredentials"]) == len(HANDLES)
    add_passkey(client, new)
    assert sign_in(site.app.test_client(), new)["signals"]["userId"] == b64url_encode(HANDLES[0])


@pytest.mark.proves("specification:7.2.6")
def test_a_passkey_whose_handle_nobody_knows_signs_in(site: App) -> None:
    """Where the old system kept no user handles, its passkeys answer with theirs, and their browser is told of it."""
    old, key, ada = make_app(), VirtualAuthenticator(SITE), User("ada")
    sign_up(old.app.test_client(), key, "ada")
    [record] = old.passkey_records("ada")
    site.users[ada.id] = ada
    with site.app.app_context():
        site.passkey.credentials.add_user(ada.id, b"a" * 64)
        stand_in = stand_in_handle()
        site.passkey.credentials.add_user(ada.id, stand_in)
        site.passkey.credentials.add(replace(record, user_id=ada.id, user_handle=stand_in))
    client = site.app.test_client()
    data = sign_in(client, key)
    assert data["user"]["name"] == "ada" and data["signals"]["userId"] == b64url_encode(record.user_handle)
    signals = client.get("/user/authn").get_json()["data"]["signals"]
    assert signals["userId"] == b64url_encode(b"a" * 64) and "otherUserIds" not in signals
    forger = replace(key, credentials=[replace(key.credentials[0], private_key=generate_key())])
    with pytest.raises(Refused):
        sign_in(site.app.test_client(), forger)


def test_a_single_handle_is_told_as_ever(site: App) -> None:
    """An account with one user handle has no member for more."""
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "bob")
    assert "otherUserIds" not in client.get("/user/authn").get_json()["data"]["signals"]
