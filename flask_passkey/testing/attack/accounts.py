"""Attacks on accounts: somebody else's, locked ones, and names that tell or are taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..client import Refused
from .browsers import Reply
from .cases import case
from .ceremonies import begin, finish
from .report import NotMade
from .site import Person, Site


@case("account.locked", "Let the @passkey.check_account hook look at what locks an account.")
def locked(site: Site) -> Iterator[str]:
    """Sign in to an account that may not."""
    if site.lock is None:
        raise NotMade("give lock=, a function that locks the account with this id")
    person = site.sign_up()
    site.lock(person.user_id)
    if _sign_in(person).is_success:
        yield "Somebody could sign in whose account is locked."


def _sign_in(person: Person, **bends: Any) -> Reply:
    """Sign in, in a new browser."""
    site, browser = person.site, person.site.browser()
    begun = begin(browser, site.session_path)
    response = person.authenticator.get(begun["options"], **bends)
    return finish(browser, site.session_path, begun["session_id"], response)


@case("account.step-up", "Let the get_current_user hook look at the session of the request, and at nothing else.")
def step_up(site: Site) -> Iterator[str]:
    """Step up with the passkey of somebody else."""
    victim, attacker = site.people()
    victim.grow_old()
    begun = begin(victim.browser, site.session_path, {"step_up": True})
    [own] = attacker.authenticator.credentials
    response = attacker.authenticator.get(begun["options"], credential=own)
    reply = finish(victim.browser, site.session_path, begun["session_id"], response)
    if reply.is_success or victim.ask("PUT", site.user_path, json={}).is_success:
        yield "A session became fresh with the passkey of another account."


@case("account.sign-up-signed-in", "Let the get_current_user hook return who is signed in, in every request.")
def sign_up_signed_in(site: Site) -> Iterator[str]:
    """Make an account, or add a passkey to somebody else's, in a browser in which somebody is signed in."""
    person, other = site.sign_up(), site.sign_up()
    if person.ask("PUT", site.user_path, json={"name": site.new_name(), **_fields(site)}).is_success:
        yield "A sign-up was begun in a browser in which somebody is signed in."
    if person.ask("PUT", site.user_path, json={"user_id": other.user_id}).is_success:
        yield "A page that was made for another account got a passkey into the one that is signed in."


def _fields(site: Site) -> dict[str, Any]:
    return {"fields": dict(site.fields)} if site.fields else {}


@case("account.taken-name", "Let the create_user hook raise NameTaken, and the database have a unique constraint.")
def taken_name(site: Site) -> Iterator[str]:
    """Sign up with a name that somebody has, and so get into their account, or look like them."""
    victim = site.sign_up()
    try:
        second = site.sign_up(victim.name)
    except Refused:
        return
    if second.user_id == victim.user_id:
        yield "A sign-up with a taken name got into the account that has it."
    else:
        yield "A sign-up made a second account with the same name."


@case("account.names", "Let find_user return None for names that it does not know, without an error or another answer.")
def names(site: Site) -> Iterator[str]:
    """Find out by a sign-in with a name who has an account."""
    person, unknown = site.sign_up(), site.new_name()
    known, invented, again = (_begin_with(site, name) for name in (person.name, unknown, unknown))
    if (known.status, known.code) != (invented.status, invented.code):
        yield "The start of a sign-in by name is answered differently for names with and without an account."
        return
    if not known.is_success:
        return
    if _shape(known) != _shape(invented):
        yield "The options of a sign-in by name tell whether there is such an account."
    if _ids(invented) != _ids(again):
        yield "A name without an account gets other credential IDs each time, one with an account the same."


def _begin_with(site: Site, name: str) -> Reply:
    return site.browser().ask("PUT", site.session_path, json={"user_name": name})


def _shape(reply: Reply) -> object:
    """Return what the options of all names must have in common."""
    options = reply.data["options"]["publicKey"]
    return sorted(options), sorted({tuple(sorted(item)) for item in options.get("allowCredentials", ())})


def _ids(reply: Reply) -> list[str]:
    return [item["id"] for item in reply.data["options"]["publicKey"].get("allowCredentials", ())]
