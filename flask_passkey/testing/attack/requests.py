"""Attacks with requests: from other sites, in other forms, too large, too many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ..client import Refused, add_passkey
from .browsers import Limited
from .cases import case
from .report import NotMade
from .site import Site

_EVIL = "https://attack.invalid"
_CROSS_SITE = "Do not replace Flask-Passkey's check of Origin and Sec-Fetch-Site."
#: How a browser marks what a page of another site sends.
_FROM_ELSEWHERE = (
    {"Origin": _EVIL, "Sec-Fetch-Site": "cross-site"},
    {"Origin": _EVIL},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
)
_ODD_BODIES: tuple[bytes, ...] = (
    b"{",
    b"[]",
    b"null",
    b'"\\ud800"',
    b"\xff\xfe",
    b'{"session_id": 1, "response": {}}',
    b'{"session_id": "\\u0000", "response": "{"}',
    b'{"session_id": "00000000-0000-4000-8000-000000000000", "response": {"id": "AAAA", "rawId": "AAAA"}}',
    b'{"name": "\\ud800"}',
    b'{"name": "attack", "fields": {"a": 1}}',
    b'{"name": ' + b"[" * 5_000 + b"}",
    b'{"user_name": "\\u0000"}',
    b'{"grant": "\\ud800"}',
    b'{"step_up": 1e999}',
)


def _routes(site: Site) -> tuple[tuple[str, str], ...]:
    """Return the routes that take a body."""
    own = f"{site.user_path}/AAAA"
    whole = [(method, path) for path in (site.session_path, site.user_path) for method in ("PUT", "POST")]
    return (*whole, ("PATCH", own))


@case("request.cross-site", _CROSS_SITE)
def cross_site(site: Site) -> Iterator[str]:
    """Have a page of another site send requests from the victim's browser."""
    person = site.person()
    _, extra = person.add()
    requests: tuple[tuple[str, str, Any], ...] = (
        ("PUT", site.session_path, {}),
        ("PUT", site.user_path, {}),
        ("PATCH", f"{site.user_path}/{extra}", {"name": "attacked"}),
        ("DELETE", f"{site.user_path}/{extra}", None),
    )
    for method, path, body in requests:
        for headers in _FROM_ELSEWHERE:
            if person.ask(method, path, json=body, headers=headers).is_success:
                yield f"{method} {path.replace(extra, '<id>')} was accepted from a page of another site ({headers})."
                break


@case("request.cors", "Let Flask-CORS allow the origins of your own pages only, by name.")
def cors(site: Site) -> Iterator[str]:
    """Read answers from a page of another site."""
    person = site.person()
    for path in (site.user_path, *site.pages):
        allowed = person.ask("GET", path, headers={"Origin": _EVIL}).headers
        if allowed.get("access-control-allow-origin") in (_EVIL, "*") and "access-control-allow-credentials" in allowed:
            yield f"A page of any site may read {path} with the visitor's cookies."


@case(
    "request.form", "Do not make Flask parse other bodies as JSON: no get_json(force=True), no Request class that does."
)
def form(site: Site) -> Iterator[str]:
    """Send what a plain form can send, which needs no question to the server first."""
    browser = site.browser()
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        body = json.dumps({"x": ""})
        if browser.ask("PUT", site.session_path, data=body, content_type=content_type).is_success:
            yield f"A body of type {content_type} was accepted."


@case(
    "request.malformed",
    "Bytes that anybody may send must never end in an error of the server: the log has the traceback.",
)
def malformed(site: Site) -> Iterator[str]:
    """Send bodies that are not what the routes want."""
    browser, failed = site.person().browser, set()
    for method, path in _routes(site):
        for body in _ODD_BODIES:
            if browser.ask(method, path, data=body, content_type="application/json").status >= 500:
                failed.add(f"{method} {path}")
    yield from (f"{route} was answered with an error of the server for a malformed body." for route in sorted(failed))


@case("request.oversized", "Leave PASSKEY_MAX_BODY as it is, and let nothing read the body before.")
def oversized(site: Site) -> Iterator[str]:
    """Send a body that is too large."""
    browser = site.person().browser
    body = b'{"session_id": "' + b"A" * site.config.max_body + b'"}'
    for method, path in _routes(site):
        reply = browser.ask(method, path, data=body, content_type="application/json")
        if reply.is_success or reply.status >= 500:
            yield f"{method} {path} was answered with HTTP {reply.status} for a body that is too large."


@case(
    "limit.sign-in",
    "Limit requests by address with Flask-Limiter, or in the proxy: the demo's limits.py is a start.",
    note=True,
)
def limit(site: Site) -> Iterator[str]:
    """Begin sign-ins as fast as possible from one address."""
    browser = site.browser()
    if not site.begins:
        raise NotMade("begins is 0")
    with suppress(Limited):
        for _ in range(site.begins):
            browser.ask("PUT", site.session_path, json={})
        yield f"{site.begins} sign-ins were begun from one address, and none was refused with 429."


@case("limit.passkeys", "Write PASSKEY_MAX_CREDENTIALS = 20, and let the repository's add() heed its limit.")
def most_passkeys(site: Site) -> Iterator[str]:
    """Add more passkeys to an account than it may have."""
    person, most = site.sign_up(), site.config.max_credentials
    try:
        for _ in range(most):
            browser = person.in_another_browser()  # at another address: a limiter is something else
            add_passkey(browser.browser.client, site.authenticator(), prefix=site.prefix)
    except Refused:
        return
    yield f"An account got {most + 1} passkeys, and may have {most}."


@case("request.server-error", "The log has the traceback. Answer what anybody may send with a refusal.")
def server_error(site: Site) -> Iterator[str]:
    """Look at all answers of all attacks before."""
    yield from dict.fromkeys(site.failures)
