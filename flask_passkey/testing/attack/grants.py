"""Attacks with enrolment grants: one-time links and recovery codes."""

from __future__ import annotations

from collections.abc import Iterator

from ..client import Refused, enrol
from .browsers import Browser, Reply
from .cases import case
from .ceremonies import begin, finish
from .report import NotMade
from .site import Person, Site

_ONCE = (
    "A repository's grants are given out once, for one account: see flask_passkey.contracts.GrantRepositoryContract."
)
_MINUTE = 60


def _grant(person: Person) -> str:
    """Return a grant for somebody's account, for a minute."""
    site = person.site
    with site.context() as passkey:
        user = passkey.relying_party.accounts.get(person.user_id)
        try:
            if person.user_id not in site.invited and passkey.grants_of(user):
                raise NotMade("the account has links or codes already")
            token = str(passkey.invite(user, lifetime=_MINUTE, url="").token)
        except RuntimeError as exc:  # ConfigurationError: the repository keeps none
            raise NotMade(str(exc)) from exc
        site.invited.add(person.user_id)
        return token


def _enrol(person: Person, grant: str, browser: Browser | None = None) -> None:
    """Use a grant in a new browser."""
    site, browser = person.site, browser or person.site.browser()
    answer = enrol(browser.client, site.authenticator(), grant, prefix=site.prefix)
    site.added.append((person.user_id, answer["id"]))


@case("grant.replay", _ONCE)
def replay(site: Site) -> Iterator[str]:
    """Use a link twice."""
    person = site.person()
    grant = _grant(person)
    _enrol(person, grant)
    try:
        _enrol(person, grant)
    except Refused:
        return
    yield "A link could be used twice."


@case("grant.race", _ONCE)
def race(site: Site) -> Iterator[str]:
    """Begin with a link in two browsers, and finish in both."""
    person, finished = site.person(), 0
    grant = _grant(person)
    browsers = (site.browser(), site.browser())
    begun = [(browser, begin(browser, site.user_path, {"grant": grant})) for browser in browsers]
    for browser, data in begun:
        response = site.authenticator().create(data["options"])
        reply = finish(browser, site.user_path, data["session_id"], response)
        if reply.is_success:
            site.added.append((person.user_id, reply.data["id"]))
            finished += 1
    if finished > 1:
        yield "A link that was begun with in two browsers could be used in both."


@case("grant.other-account", _ONCE)
def other_account(site: Site) -> Iterator[str]:
    """Use a link for one account where another is signed in."""
    attacker, victim = site.people()
    before = victim.passkey_ids()
    if victim.ask("PUT", site.user_path, json={"grant": _grant(attacker)}).is_success:
        yield "A link for another account than the one that is signed in was accepted."
    if victim.passkey_ids() != before:
        yield "A link for another account added a passkey to the one that is signed in."


@case("grant.signs-in", "Do not sign people in when the signal enrolled comes: a link is good for one passkey only.")
def signs_in(site: Site) -> Iterator[str]:
    """Be signed in by a link alone."""
    person, browser = site.person(), site.browser()
    _enrol(person, _grant(person), browser)
    if browser.ask("GET", site.user_path).is_success:
        yield "Whoever uses a link is signed in by it."


@case("grant.guess", _ONCE)
def guess(site: Site) -> Iterator[str]:
    """Tell used links from ones that never were."""
    person = site.person()
    used = _grant(person)
    _enrol(person, used)
    replies = [_begin_with(site, grant) for grant in (used, "A" * 43, "0000-0000-0000-0000")]
    if any(reply.is_success for reply in replies):
        yield "A link was accepted that is used or never was."
    if len({(reply.status, reply.code, reply.envelope.get("msg")) for reply in replies}) > 1:
        yield "The answers tell a used link from one that never was."


def _begin_with(site: Site, grant: str) -> Reply:
    return site.browser().ask("PUT", site.user_path, json={"grant": grant})
