"""Attacks on the app's own pages: script in names, open redirects, forms, and what needs a fresh sign-in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import quote, urljoin, urlsplit

from .browsers import Reply
from .cases import case
from .report import NotMade
from .site import Person, Site

#: How a browser asks for a page.
_PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
_FROM_ELSEWHERE = {"Origin": "https://attack.invalid", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
_MARKUP = '"><i id=attacked'
_PARAMETERS = ("next", "url", "return_to", "redirect", "continue")
_ELSEWHERE = (
    "https://attack.invalid/",
    "//attack.invalid/",
    "/\\attack.invalid/",
    "https:attack.invalid",
    "\t//attack.invalid",
)


def _pages(site: Site) -> tuple[str, ...]:
    if not site.pages:
        raise NotMade("give pages=, paths of the app's pages")
    return tuple(site.pages)


@case("page.markup-in-names", "Leave autoescape on, and write no |safe, Markup() or f-string with a name in it.")
def markup(site: Site) -> Iterator[str]:
    """Have names that are HTML."""
    pages, shown = _pages(site), {"passkey": "name of a passkey"}
    person = site.person()
    if site.can_sign_up:
        person, shown["display"] = site.sign_up(display_name=f"{_MARKUP}-display>"), "display name"
    _, extra = person.add()
    person.ask("PATCH", f"{site.user_path}/{extra}", json={"name": f"{_MARKUP}-passkey>"})
    for path in pages:
        text = person.ask("GET", path, headers=_PAGE).text
        yield from (f"{path} shows the {what} as HTML." for name, what in shown.items() if f"{_MARKUP}-{name}>" in text)


@case(
    "page.open-redirect", "Follow a next= only where it is a path of the site: one slash first, then neither / nor \\."
)
def open_redirect(site: Site) -> Iterator[str]:
    """Lead people from a page of the site to one of another site."""
    person = site.person()
    for path in dict.fromkeys((*_pages(site), *site.redirects)):
        for visitor in (person.browser, site.browser()):
            found = next((where for where in _ways(path) if _leaves(site, visitor.ask("GET", where))), None)
            if found:
                yield f"GET {found} leads to another site."
                break


def _ways(path: str) -> Iterator[str]:
    """Yield a path with every parameter and address that may lead away."""
    if path.endswith("="):
        yield from (path + quote(target) for target in _ELSEWHERE)
    else:
        mark = "&" if "?" in path else "?"
        for target in _ELSEWHERE:
            yield path + mark + "&".join(f"{name}={quote(target)}" for name in _PARAMETERS)


def _leaves(site: Site, reply: Reply) -> bool:
    """Tell whether a redirect leads away, as browsers read it."""
    location = re.sub(r"[\t\r\n]", "", reply.headers.get("location", "")).strip().replace("\\", "/")
    location = re.sub(r"^(https?):/*(?=[^/])", r"\1://", location)
    return "attack.invalid" in (urlsplit(urljoin(site.origin, location)).hostname or "")


class _Forms(HTMLParser):
    """Finds the forms of a page that post to this site."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a form posts to."""
        given = dict(attrs)
        if tag == "form" and (given.get("method") or "").lower() == "post":
            self.actions.append(given.get("action") or "")


def _forms(site: Site, path: str, text: str) -> list[str]:
    """Return where the forms of a page post to on this site."""
    parser = _Forms()
    parser.feed(text)
    targets = (urljoin(site.origin + path, action) for action in parser.actions)
    return [target.removeprefix(site.origin) for target in targets if target.startswith(f"{site.origin}/")]


@case("page.forms", "Call passkey.refuse_cross_site() or use CSRFProtect, and write SESSION_COOKIE_SAMESITE = 'Lax'.")
def forms(site: Site) -> Iterator[str]:
    """Have a page of another site send the forms of the app's pages, without their token."""
    pages = _pages(site)
    if str(site.app.config["SESSION_COOKIE_SAMESITE"]).lower() in ("lax", "strict"):
        return  # browsers leave the cookie behind
    for path in pages:
        number = 0
        while form := _form_of(site.sign_up(), path, number):
            person, action = form
            if _accepts(person, action):
                yield f"The form on {path} that posts to {action} is accepted from a page of another site."
            number += 1


def _form_of(person: Person, path: str, number: int) -> tuple[Person, str] | None:
    """Return where a form posts to, for somebody for whom no other form has changed anything."""
    actions = _forms(person.site, path, person.ask("GET", path, headers=_PAGE).text)
    return (person, actions[number]) if number < len(actions) else None


def _accepts(person: Person, action: str) -> bool:
    """Send a form from another site; one that is shown again was not accepted."""
    reply = person.ask("POST", action, headers=_FROM_ELSEWHERE)
    return reply.status < 400 and not (reply.status == 200 and action in _forms(person.site, action, reply.text))


@case("page.fresh", "Decorate the view with @passkey.required(), below its route.")
def fresh(site: Site) -> Iterator[str]:
    """Use what needs a fresh sign-in without one: signed out, and in a session that is open for long."""
    if not site.fresh:
        raise NotMade("give fresh=, what needs a fresh sign-in: 'POST /transfer'")
    for line in site.fresh:
        method, _, path = line.rpartition(" ")
        old = site.person()
        old.grow_old()
        for browser, who in ((site.browser(), "nobody is signed in"), (old.browser, "the sign-in is old")):
            reply = browser.ask(method or "GET", path)
            if reply.status < 300 and reply.code in (None, 0):
                yield f"{line} does what it does although {who}."


@case(
    "page.policy",
    "Send a Content-Security-Policy without 'unsafe-inline' for scripts: the demo's security.py has one.",
    note=True,
)
def policy(site: Site) -> Iterator[str]:
    """Look whether script that gets into a page would run."""
    person = site.person()
    open_to_all = [path for path in _pages(site) if _runs_all(person.ask("GET", path, headers=_PAGE))]
    if open_to_all:
        yield f"A script that somebody gets into {', '.join(open_to_all)} would run."


def _runs_all(reply: Reply) -> bool:
    """Tell whether a page would run every script that is in it."""
    if "text/html" not in reply.headers.get("content-type", ""):
        return False
    allowed = _scripts(reply.headers.get("content-security-policy", ""))
    return allowed is None or ("'unsafe-inline'" in allowed and "'nonce-" not in allowed)


def _scripts(policy: str) -> str | None:
    """Return what a policy says of scripts, ``None`` where it says nothing."""
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";") if part.strip())
    return directives.get("script-src", directives.get("default-src"))
