"""What the use cases promise when something happens between their steps, and what they tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from apps import SITE, App, User, begin, finish
from flask.testing import FlaskClient

from flask_passkey import MemoryCredentialRepository, signals
from flask_passkey.accounts import Accounts, Hooks
from flask_passkey.ceremonies.attestation import Trust
from flask_passkey.config import PasskeyConfig
from flask_passkey.pending import store_for
from flask_passkey.pending.ceremonies import PendingCeremonies
from flask_passkey.relying_party import RelyingParty
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, b64url_decode, sign_in, sign_up, step_up
from flask_passkey.visitor import Visitor


@pytest.fixture
def told() -> list[dict[str, Any]]:
    """Return where :func:`note` writes."""
    return []


# Between begin and finish


def test_sign_up_that_was_switched_off_meanwhile_creates_nothing(site: App, client: FlaskClient) -> None:
    """The switch counts when the account would be created, also for a sign-up that had begun before."""
    begun = begin(client, "/user/authn", name="ada")
    with site.app.app_context():
        party = site.passkey.relying_party
    party.config = replace(party.config, sign_up=False)
    envelope = finish(client, begun, VirtualAuthenticator(SITE).create(begun["options"]), "/user/authn").get_json()
    assert envelope["code"] == 40019 and not site.users
    assert client.get("/user/authn").get_json()["code"] == 401


def test_a_passkey_that_is_deleted_during_its_sign_in_lets_nobody_in(
    site: App, client: FlaskClient, ada: VirtualAuthenticator
) -> None:
    """The use is stored only if the credential is still there; otherwise nobody is signed in."""
    user, browser = site.user("ada"), site.app.test_client()

    @site.passkey.check_account
    def delete_meanwhile(user: User) -> bool:
        for record in site.passkey.credentials.of_user(user.id):
            site.passkey.credentials.delete(record.id, user_id=user.id, keep_last=False)
        return True

    begun = begin(browser)
    assert finish(browser, begun, ada.get(begun["options"])).get_json()["code"] == 40025
    assert browser.get("/user/authn").get_json()["code"] == 401 and user.id in site.users


def test_an_id_that_is_given_out_again_inherits_no_passkeys(
    site: App, client: FlaskClient, ada: VirtualAuthenticator
) -> None:
    """A new account with the id of a deleted one, whose passkeys were not forgotten, is a misconfiguration."""
    former = site.user("ada")

    @site.passkey.create_user
    def create_user(name: str, display_name: str) -> User:
        return User(name, display_name, id=former.id)

    with pytest.raises(Refused) as refused:
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "eve")
    assert refused.value.code == 50005
    assert [record.id for record in site.passkey_records("ada")] == [ada.credentials[0].id]


# Accounts without passkeys


def let_in(site: App, client: FlaskClient, name: str) -> User:
    """Sign in a user who has never had a passkey, in the app's own way."""
    user = User(name)
    site.users[user.id] = user
    with client.session_transaction() as session:
        session["user_id"] = user.id
    return user


def test_nobody_can_step_up_without_a_passkey(site: App, client: FlaskClient) -> None:
    """An account without a passkey is told so."""
    let_in(site, client, "bob")
    answer = client.put("/session/authn", json={"step_up": True})
    assert (answer.status_code, answer.get_json()["code"]) == (404, 404)


@pytest.mark.proves("browser:29")
def test_the_user_handle_comes_with_the_first_passkey_and_stays(site: App, client: FlaskClient) -> None:
    """An account gets a random handle when its first passkey is begun, and keeps it for all others."""
    bob = let_in(site, client, "bob")
    handles = {begin(client, "/user/authn")["options"]["publicKey"]["user"]["id"] for _ in range(2)}
    add_passkey(client, authenticator := VirtualAuthenticator(SITE))
    sign_in(client, authenticator)
    (handle,) = handles | {begin(client, "/user/authn")["options"]["publicKey"]["user"]["id"]}
    assert len(b64url_decode(handle)) == 64 and bob.id not in handle


def test_the_list_names_the_account_to_the_browser(site: App, client: FlaskClient) -> None:
    """Its signals have the account's user handle: none before the first passkey, the same with it and after it."""
    site.has_other_methods = True
    let_in(site, client, "bob")

    def signals_of_list() -> tuple[str, int]:
        data = client.get("/user/authn").get_json()["data"]["signals"]
        return data["userId"], len(data["allAcceptedCredentialIds"])

    assert client.get("/user/authn").get_json()["data"]["signals"] == {}
    handle = begin(client, "/user/authn")["options"]["publicKey"]["user"]["id"]
    credential = add_passkey(client, authenticator := VirtualAuthenticator(SITE))
    assert signals_of_list() == (handle, 1)
    sign_in(client, authenticator)
    assert client.delete(f"/user/authn/{credential['id']}").get_json()["code"] == 0
    assert signals_of_list() == (handle, 0)


def test_authenticators_are_told_no_empty_name(site: App, client: FlaskClient) -> None:
    """Wherever an account without a display name meets the browser's WebAuthn API, its name stands in."""
    site.has_other_methods = True
    sign_up(client, authenticator := VirtualAuthenticator(SITE), "ada")
    (ada,) = site.users.values()
    assert (ada.display_name, authenticator.credentials[0].user_display_name) == ("", "ada")
    answers = [
        sign_in(client, authenticator),
        step_up(client, authenticator),
        client.get("/user/authn").get_json()["data"],
    ]
    assert [answer["signals"]["displayName"] for answer in answers] == ["ada"] * 3
    assert answers[0]["user"]["display_name"] == ""
    assert begin(client, "/user/authn")["options"]["publicKey"]["user"]["displayName"] == "ada"
    deleted = client.delete(f"/user/authn/{answers[0]['credential']['id']}").get_json()
    assert deleted["data"]["signals"]["displayName"] == "ada"


def test_it_can_be_composed_without_the_extension(site: App) -> None:
    """A relying party made of its parts by hand asks for no attestation roots and registers as usual."""
    store, repository = store_for(site.app.session_interface), MemoryCredentialRepository()
    party = RelyingParty(
        config=PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "localhost"}, development=False),
        accounts=Accounts(Hooks(create_user=User)),
        credentials=repository,
        pending=PendingCeremonies(lambda: store, rp_id="localhost"),
        trust=Trust(),
    )
    visitor = Visitor(("s" * 43,))
    begun = party.begin_sign_up(visitor, name="ada", display_name="")
    response = VirtualAuthenticator(SITE).create({"publicKey": begun.options})
    registered = party.finish_registration(visitor, begun.ceremony_id, response)
    assert repository.get(registered.credential.id) == registered.credential


# What is told


def test_changes_are_told_with_user_and_credential(
    site: App, client: FlaskClient, ada: VirtualAuthenticator, told: list[dict[str, Any]]
) -> None:
    """Receivers of registered, renamed and deleted get the user and what it is about, once each."""

    def note(sender: object, **about: Any) -> None:
        told.append(about)

    user = site.user("ada")
    first, second = ada.credentials[0].id, VirtualAuthenticator(SITE)
    with (
        signals.registered.connected_to(note),
        signals.renamed.connected_to(note),
        signals.deleted.connected_to(note),
    ):
        path = "/user/authn/" + add_passkey(client, second)["id"]
        assert client.patch(path, json={"name": "Key"}).status_code == 200
        assert client.delete(path).status_code == 200
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "eve")
    assert [about["user"] for about in told] == [user, user, user, site.user("eve")]
    added, renamed, deleted, signed_up = told
    assert added["credential"].id == renamed["credential"].id == second.credentials[0].id
    assert (added["purpose"], signed_up["purpose"], renamed["credential"].label) == ("registration", "sign-up", "Key")
    assert deleted["credential_ids"] == [second.credentials[0].id] and first != second.credentials[0].id


def test_what_policies_let_through_is_told(
    site: App, client: FlaskClient, ada: VirtualAuthenticator, told: list[dict[str, Any]]
) -> None:
    """A passkey that turns out to be one that is synced signs in, and the app hears of it."""

    def note(sender: object, **about: Any) -> None:
        told.append(about)

    with site.app.app_context():
        (record,) = site.passkey_records("ada")
        changed = replace(record, backup_eligible=False, backup_state=False)
        site.passkey.credentials.delete(record.id, user_id=record.user_id, keep_last=False)
        site.passkey.credentials.add(changed)
    with signals.backup_eligibility_changed.connected_to(note):
        sign_in(site.app.test_client(), ada)
    assert [(about["user"], about["credential"].backup_eligible) for about in told] == [(site.user("ada"), True)]
