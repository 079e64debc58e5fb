"""Our own attack cases, run against an app with its hooks, its limiter, its sessions and its pages.

.. code-block:: python

    def test_attacks(app):
        attack(app, sign_out=lambda client: client.post("/sign-out"), pages=["/passkeys"]).assert_none_found()

.. code-block:: text

    cases.py        what an attack is
    site.py         the app under attack, and the people on it
    browsers.py     their browsers
    ceremonies.py responses.py accounts.py passkeys.py sessions.py requests.py pages.py grants.py
    report.py       what came out
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..browser import BrowserError
from ..client import Refused
from . import accounts, ceremonies, grants, pages, passkeys, requests, responses, sessions
from .cases import Case, cases_in
from .report import AttackFinding, AttackReport, NotMade
from .site import Act, Environ, Site

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["AttackFinding", "AttackReport", "attack", "attack_cases"]

#: In this order; the last looks at the answers of all before.
_AREAS = (ceremonies, responses, accounts, passkeys, sessions, grants, pages, requests)


def attack_cases() -> dict[str, str]:
    """Return what is tried: the sentence of each attack by its id."""
    return {found.id: found.sentence for found in _cases()}


def attack(
    app: Flask,
    *,
    base_url: str = "",
    sign_in: Act | Sequence[Act] = (),
    sign_out: Act | None = None,
    lock: Callable[[str], object] | None = None,
    pages: Sequence[str] = (),
    fresh: Sequence[str] = (),
    redirects: Sequence[str] = (),
    environ: Environ | None = None,
    name: Callable[[str], str] = str,
    fields: Mapping[str, str] | None = None,
    begins: int = 100,
    leave_out: Collection[str] = (),
) -> AttackReport:
    """Attack an app by its test client, without a network, and say what could be done.

    Every attack has people with accounts and passkeys of its own, who sign up for it where the app has sign-up. In the
    end their passkeys and links are forgotten and their sessions ended; the accounts stay, and the report names them.
    Run it on a test's database, never on a real one.

    :param app: the app; no app context may be pushed around the call.
    :param base_url: where the site is, with scheme and port; the first of ``PASSKEY_ORIGINS`` unless given.
    :param sign_in: ``sign_in(client)`` uses the app's own sign-in, by a password say, always for the same account,
        which should have no passkey. For apps without sign-up by passkey a list of two, for two accounts.
    :param sign_out: ``sign_out(client)`` signs out.
    :param lock: ``lock(user_id)`` locks an account as the app does, so that it may not sign in.
    :param pages: paths of pages that show names, have forms, or lead on by ``next=``.
    :param fresh: what needs a fresh sign-in, with method and path: ``"POST /transfer"``; ``GET`` may be left out.
    :param redirects: more paths that lead on; what ends with ``=`` is completed: ``"/go?to="``.
    :param environ: WSGI environment of all requests, or a function that gives it for an address: behind a proxy,
        ``lambda address: {"HTTP_X_FORWARDED_FOR": address, "HTTP_X_FORWARDED_PROTO": "https"}``.
    :param name: makes an account's name that the app accepts of one that is new: ``"{}@example.com".format``.
    :param fields: what else a sign-up sends.
    :param begins: how many sign-ins are begun from one address until a limiter should refuse; 0 for none.
    :param leave_out: ids of attacks that are not to be made, of :func:`attack_cases`.
    :returns: findings, notes, what the app withstood, and what was not tried and why.
    :raises BrowserError, Refused: an honest sign-up or sign-in fails, so that refusals of attacks would tell nothing.
    :raises ValueError: nobody can get an account, or ``leave_out`` has what is none.
    """
    if unknown := set(leave_out) - set(attack_cases()):
        raise ValueError(f"no such attack: {', '.join(sorted(unknown))}")
    acts = [sign_in] if callable(sign_in) else list(sign_in)
    origin = base_url.rstrip("/") or _origin(app)
    site = Site(app, origin, acts, sign_out, lock, pages, fresh, redirects, environ or {}, name, fields, begins)
    if not site.can_sign_up and not acts:
        raise ValueError("The app has no sign-up with a passkey: give sign_in=[sign_in_ada, sign_in_bob].")
    try:
        _be_honest(site)
        return _run(site, [found for found in _cases() if found.id not in leave_out])
    finally:
        site.restore()


def _origin(app: Flask) -> str:
    """Return where the site is, by its settings."""
    with app.test_request_context():
        return str(app.extensions["passkey"].config.site)


def _be_honest(site: Site) -> None:
    """Let somebody get an account and sign in, as everybody may."""
    try:
        site.person().in_another_browser()
    except NotMade as exc:
        raise ValueError(f"Nobody can get an account: {exc}.") from exc


def _cases() -> Iterator[Case]:
    for area in _AREAS:
        yield from cases_in(area)


def _run(site: Site, cases: Sequence[Case]) -> AttackReport:
    report = AttackReport()
    for each in cases:
        _try(site, each, report)
    report.accounts = [person.name for person in site.made]
    return report


def _try(site: Site, case: Case, report: AttackReport) -> None:
    found = report.notes if case.is_note else report.findings
    before = len(found)
    try:
        for sentence in case.attempt(site):
            found.append(AttackFinding(case.id, sentence, case.fix))
    except (BrowserError, NotMade, Refused) as exc:
        if len(found) == before:
            report.not_made[case.id] = str(exc)
    else:
        if len(found) == before:
            report.withstood.append(case.id)
