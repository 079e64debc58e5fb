"""Attacks with ceremonies: used twice, by somebody else, or for something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .browsers import Browser, Reply
from .cases import case
from .report import NotMade
from .site import Site

_STORE = (
    "The store of pending ceremonies must give each record out once: see flask_passkey.contracts.CeremonyStoreContract"
)
_BOUND = (
    "Ceremonies are bound to browser, purpose and id by Flask-Passkey: do not replace its routes or its store's keys"
)


def begin(browser: Browser, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Begin a ceremony; return ``session_id`` and ``options``."""
    reply = browser.ask("PUT", path, json=body or {})
    if not reply.is_success:
        raise NotMade(f"PUT {path} was answered with HTTP {reply.status}, code {reply.code}")
    return reply.data


def finish(browser: Browser, path: str, session_id: str, response: object) -> Reply:
    """Finish a ceremony."""
    return browser.ask("POST", path, json={"session_id": session_id, "response": response})


@case("ceremony.replay", f"{_STORE}.")
def replay(site: Site) -> Iterator[str]:
    """Finish a sign-in twice."""
    device, browser = site.person().authenticator, site.browser()
    begun = begin(browser, site.session_path)
    response = device.get(begun["options"])
    honest = finish(browser, site.session_path, begun["session_id"], response)
    if not honest.is_success:
        raise NotMade(f"an honest sign-in was answered with HTTP {honest.status}, code {honest.code}")
    if finish(browser, site.session_path, begun["session_id"], response).is_success:
        yield "A sign-in could be finished twice with the same response."


@case("ceremony.second-try", f"{_STORE}, and a failed finish uses it up, too.")
def second_try(site: Site) -> Iterator[str]:
    """Finish a sign-in after it has failed."""
    device, browser = site.person().authenticator, site.browser()
    begun = begin(browser, site.session_path)
    finish(browser, site.session_path, begun["session_id"], device.get(begun["options"], signature=b"wrong"))
    if finish(browser, site.session_path, begun["session_id"], device.get(begun["options"])).is_success:
        yield "A sign-in that had failed could be tried again with the same challenge."


@case("ceremony.registration-replay", f"{_STORE}.")
def registration_replay(site: Site) -> Iterator[str]:
    """Add two passkeys with one ceremony."""
    person = site.person()
    begun, added = begin(person.browser, site.user_path), 0
    for _ in range(2):
        response = site.authenticator().create(begun["options"])
        reply = finish(person.browser, site.user_path, begun["session_id"], response)
        if reply.is_success:
            site.added.append((person.user_id, reply.data["id"]))
            added += 1
    if added == 2:
        yield "Two passkeys could be added with one ceremony."


@case("ceremony.other-browser", f"{_BOUND}.")
def other_browser(site: Site) -> Iterator[str]:
    """Use, or use up, a ceremony that another browser has begun."""
    device, victim, thief = site.person().authenticator, site.browser(), site.browser()
    begin(thief, site.session_path)  # has a secret, too
    begun = begin(victim, site.session_path)
    response = device.get(begun["options"])
    if finish(thief, site.session_path, begun["session_id"], response).is_success:
        yield "A sign-in could be finished in another browser than the one that began it."
    elif not finish(victim, site.session_path, begun["session_id"], response).is_success:
        yield "A stranger could use a sign-in up that another browser had begun."


@case("ceremony.other-id", f"{_BOUND}.")
def other_id(site: Site) -> Iterator[str]:
    """Answer one ceremony with what was made for another."""
    device, browser = site.person().authenticator, site.browser()
    first, second = begin(browser, site.session_path), begin(browser, site.session_path)
    if finish(browser, site.session_path, second["session_id"], device.get(first["options"])).is_success:
        yield "A response to one ceremony was good for another session_id."


@case("ceremony.purpose", f"{_BOUND}.")
def purpose(site: Site) -> Iterator[str]:
    """Add a passkey with the ceremony of a step-up."""
    person = site.person()
    registration = begin(person.browser, site.user_path)
    step_up = begin(person.browser, site.session_path, {"step_up": True})
    challenge = step_up["options"]["publicKey"]["challenge"]
    response = site.authenticator().create(registration["options"], challenge=challenge)
    reply = finish(person.browser, site.user_path, step_up["session_id"], response)
    if reply.is_success:
        site.added.append((person.user_id, reply.data["id"]))
        yield "A step-up's ceremony was good for adding a passkey."
