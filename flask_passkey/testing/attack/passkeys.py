"""Attacks on passkeys: adding, deleting and reading them without being their owner, or for long enough."""

from __future__ import annotations

from collections.abc import Iterator

from .cases import case
from .ceremonies import begin, finish
from .report import NotMade
from .site import Site

_FRESH = "Call neither passkey.confirm_user() without a check, nor a hook that says who is signed in without looking."
_OWNER = "A repository finds, changes and deletes by user_id: see flask_passkey.contracts.CredentialRepositoryContract."


@case("passkey.add-without-fresh-sign-in", _FRESH)
def add_stale(site: Site) -> Iterator[str]:
    """Add a passkey in a session that is open for long, as at an unlocked computer."""
    person = site.person()
    person.grow_old()
    if person.ask("PUT", site.user_path, json={}).is_success:
        yield "A passkey could be added without a fresh sign-in."


@case("passkey.finish-without-fresh-sign-in", _FRESH)
def finish_stale(site: Site) -> Iterator[str]:
    """Finish what was begun while the sign-in was fresh."""
    person = site.person()
    begun = begin(person.browser, site.user_path)
    response = site.authenticator().create(begun["options"])
    person.grow_old()
    reply = finish(person.browser, site.user_path, begun["session_id"], response)
    if reply.is_success:
        site.added.append((person.user_id, reply.data["id"]))
        yield "A passkey was added although the sign-in was not fresh any more."


@case("passkey.delete-without-fresh-sign-in", _FRESH)
def delete_stale(site: Site) -> Iterator[str]:
    """Delete a passkey in a session that is open for long."""
    person = site.person()
    _, extra = person.add()
    person.grow_old()
    if person.ask("DELETE", f"{site.user_path}/{extra}").is_success:
        yield "A passkey could be deleted without a fresh sign-in."


@case("passkey.foreign", _OWNER)
def foreign(site: Site) -> Iterator[str]:
    """List, rename and delete what somebody else has."""
    victim, attacker = site.people()
    if victim.passkey_id in attacker.passkey_ids():
        yield "The list of passkeys has those of another account in it."
    _, extra = victim.add()
    if attacker.ask("PATCH", f"{site.user_path}/{extra}", json={"name": "attacked"}).is_success:
        yield "A passkey of another account could be renamed."
    attacker.ask("DELETE", f"{site.user_path}/{extra}")
    attacker.ask("DELETE", f"{site.user_path}?id={extra}")
    if not site.user_id_of(extra):
        yield "A passkey of another account could be deleted."


@case("passkey.same-id", _OWNER)
def same_id(site: Site) -> Iterator[str]:
    """Register the credential ID of somebody else."""
    victim, attacker = site.people()
    begun = begin(attacker.browser, site.user_path)
    credential_id = victim.authenticator.credentials[-1].id
    response = site.authenticator().create(begun["options"], credential_id=credential_id)
    finish(attacker.browser, site.user_path, begun["session_id"], response)
    if site.user_id_of(victim.passkey_id) != victim.user_id:
        yield "The passkey of another account could be registered by somebody else."


@case("passkey.last", "Let other_sign_in_methods say yes only for accounts that can sign in without a passkey.")
def last(site: Site) -> Iterator[str]:
    """Delete the only passkey of an account that has nothing else."""
    person = site.sign_up()
    if person.ask("DELETE", f"{site.user_path}/{person.passkey_id}").is_success:
        yield "The last passkey of an account could be deleted that was made with nothing else."


@case("passkey.deleted", _OWNER)
def deleted(site: Site) -> Iterator[str]:
    """Go on with a passkey that its owner has deleted."""
    person = site.person()
    device, extra = person.add()
    thief = site.browser()
    begun = begin(thief, site.session_path)
    if not finish(thief, site.session_path, begun["session_id"], device.get(begun["options"])).is_success:
        raise NotMade("a second passkey does not sign in")
    if not person.ask("DELETE", f"{site.user_path}/{extra}").is_success:
        raise NotMade("a second passkey cannot be deleted")
    if thief.ask("PUT", site.user_path, json={}).is_success:
        yield "A session could add passkeys whose own passkey had been deleted."
    begun = begin(thief, site.session_path)
    if finish(thief, site.session_path, begun["session_id"], device.get(begun["options"])).is_success:
        yield "A passkey signed in that had been deleted."
