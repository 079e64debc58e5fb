"""Attacks with responses: what a browser or an authenticator must not say, or somebody else has said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .cases import Case, case
from .ceremonies import begin, finish
from .report import NotMade
from .site import Site

_VERIFIED = "Flask-Passkey verifies it: do not replace its routes or its verification."
_EVIL = "https://attack.invalid"
#: What is wrong with a response, a sentence for it, and the bends that make it so.
_BENDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("origin", "the origin of another site", {"origin": _EVIL}),
    ("rp-id", "another RP ID", {"rp_id": "attack.invalid"}),
    ("type", "another kind of ceremony", {"type": "attack"}),
    ("challenge", "another challenge", {"challenge": "A" * 43}),
    ("presence", "nobody present", {"user_present": False}),
)
_SIGN_IN_BENDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *_BENDS,
    ("signature", "a wrong signature", {"signature": b"0" * 70}),
    ("user-handle", "another account's user handle", {"user_handle": b"A" * 32}),
)


def _sign_in(site: Site, sentence: str, bends: dict[str, Any]) -> Iterator[str]:
    """Sign in with a response that is wrong in one thing."""
    device, browser = site.person().authenticator, site.browser()
    begun = begin(browser, site.session_path)
    if finish(browser, site.session_path, begun["session_id"], device.get(begun["options"], **bends)).is_success:
        yield f"A sign-in was accepted with {sentence}."


def _registration(site: Site, sentence: str, bends: dict[str, Any]) -> Iterator[str]:
    """Add a passkey with a response that is wrong in one thing."""
    person = site.person()
    begun = begin(person.browser, site.user_path)
    response = site.authenticator().create(begun["options"], **bends)
    reply = finish(person.browser, site.user_path, begun["session_id"], response)
    if reply.is_success:
        site.added.append((person.user_id, reply.data["id"]))
        yield f"A new passkey was accepted with {sentence}."


def _cases(attempt: Callable[..., Iterator[str]], area: str, verb: str) -> Iterator[Case]:
    """Yield a case for each thing that can be wrong."""
    for name, sentence, bends in _SIGN_IN_BENDS if area == "sign-in" else _BENDS:
        attack = partial(attempt, sentence=sentence, bends=bends)
        yield Case(f"{area}.{name}", f"{verb} with {sentence}.", _VERIFIED, attack)


SIGN_IN = tuple(_cases(_sign_in, "sign-in", "Sign in"))
REGISTRATION = tuple(_cases(_registration, "registration", "Add a passkey"))


@case("sign-in.user-verification", f"{_VERIFIED} PASSKEY_USER_VERIFICATION says what is asked for.")
def user_verification(site: Site) -> Iterator[str]:
    """Sign in without PIN, finger or face where they are asked for."""
    device, browser = site.person().authenticator, site.browser()
    begun = begin(browser, site.session_path)
    if begun["options"]["publicKey"].get("userVerification") != "required":
        raise NotMade("PASSKEY_USER_VERIFICATION is not 'required'")
    response = device.get(begun["options"], user_verified=False)
    if finish(browser, site.session_path, begun["session_id"], response).is_success:
        yield "A sign-in was accepted in which nobody was verified."


@case("sign-in.frame", f"{_VERIFIED} PASSKEY_ALLOW_CROSS_ORIGIN lets frames of other sites in.")
def frame(site: Site) -> Iterator[str]:
    """Sign in from a page that stands in a frame of another site."""
    if site.config.allow_cross_origin:
        raise NotMade("PASSKEY_ALLOW_CROSS_ORIGIN is on")
    yield from _sign_in(site, "a page in another site's frame", {"cross_origin": True, "top_origin": _EVIL})


@case("sign-in.counter", "Write PASSKEY_COUNTER_POLICY = 'device-bound', and let the repository keep sign_count.")
def counter(site: Site) -> Iterator[str]:
    """Sign in with a copy of a security key, whose counter is behind."""
    how = {"sign_count_step": 1, "default_backup_eligibility": False, "default_backup_state": False}
    if site.config.counter_policy == "never":
        raise NotMade("PASSKEY_COUNTER_POLICY is 'never'")
    device = site.person(**how).authenticator
    for count, is_copy in ((7, False), (3, True)):
        browser = site.browser()
        begun = begin(browser, site.session_path)
        response = device.get(begun["options"], sign_count=count)
        if finish(browser, site.session_path, begun["session_id"], response).is_success and is_copy:
            yield "A sign-in was accepted whose signature counter had gone back."


@case("sign-in.foreign-handle", _VERIFIED)
def foreign_handle(site: Site) -> Iterator[str]:
    """Sign in with one's own passkey and the user handle of somebody else."""
    attacker, victim = site.people()
    handle, browser = victim.authenticator.credentials[-1].user_handle, site.browser()
    begun = begin(browser, site.session_path)
    response = attacker.authenticator.get(begun["options"], user_handle=handle)
    if finish(browser, site.session_path, begun["session_id"], response).is_success:
        yield "A sign-in was accepted with the user handle of another account."
