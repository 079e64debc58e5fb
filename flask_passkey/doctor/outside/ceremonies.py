"""Begin a sign-in and finish it with nothing: what of it gets through to the app, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from ...config import PasskeyConfig
from ..findings import Finding, error, warning
from .client import Answer, Site

_ROUTE = "/session/authn"
#: Enough that one of several processes is asked that has not begun the ceremony.
_TRIES = 6


def check(config: PasskeyConfig, site: Site, begun: Answer) -> Iterator[Finding]:
    """Look at a sign-in that was begun, finish it, and do that some more times."""
    if "no-store" not in begun.headers.get("Cache-Control", ""):
        yield error(
            "outside.cached",
            "The start of a sign-in comes without Cache-Control: no-store: something in between may keep challenges.",
            "no expires, add_header Cache-Control or proxy_hide_header Cache-Control for our routes in the proxy",
        )
    yield from _cookie(config, begun)
    yield from _finish(config, site, begun)
    yield from _cross_site(config, site)


def begin(config: PasskeyConfig, site: Site, **headers: str) -> Answer:
    """Begin a sign-in, as a page of the site does unless the headers say otherwise."""
    sent = {"Origin": site.origin, "Sec-Fetch-Site": "same-origin"} | headers
    return site.ask("PUT", config.url_prefix + _ROUTE, headers=sent)


def problem_of(config: PasskeyConfig, site: Site, begun: Answer) -> Finding | None:
    """Return why the answer is no start of a sign-in."""
    what = f"PUT {site.path}{config.url_prefix}{_ROUTE}"
    envelope = begun.json if isinstance(begun.json, dict) else {}
    if 401 in (begun.status, envelope.get("code")) or _stays_here(site, begun.location):
        return error(
            "outside.sign-in-first",
            f"{what} is for nobody who is not signed in already: a function of the app before every request, or a "
            "proxy, sends strangers away.",
            'if request.blueprint in ("passkey", "passkey_pages"): return, at the start of that function',
        )
    if begun.location:
        return error("outside.redirect", f"{what} is redirected to {begun.location}.", f"--url {begun.location}")
    if 403 in (begun.status, envelope.get("code")):
        return error(
            "outside.refused",
            f"{what} is refused as another site's: the server has other settings than this command, or a proxy changes "
            "Origin or Sec-Fetch-Site.",
            f"PASSKEY_ORIGINS = ['{site.origin}'] where the server is started, and no proxy_set_header Origin",
        )
    if begun.status != 200 or begun.content_type != "application/json" or envelope.get("code") != 0:
        return error(
            "outside.no-sign-in",
            f"{what} is answered with {begun.status} {begun.content_type}".rstrip() + ", and not by our routes.",
            "--url with the path that the app is below; PUT, POST, PATCH and DELETE in the proxy's limit_except",
        )
    found = _options(begun).get("rpId")
    if found != config.rp_id:
        return error(
            "outside.other-settings",
            f"The server says that its RP ID is {found!r}, and the settings here say {config.rp_id!r}.",
            f"PASSKEY_RP_ID = {config.rp_id!r} where the server is started",
        )
    return None


def _stays_here(site: Site, location: str) -> bool:
    """Tell whether a redirect leads to another page of the site, and not to where the site or its routes really are."""
    there = urlsplit(urljoin(f"{site.origin}/", location))
    same = location != "" and (there.scheme, there.netloc) == (site.parts.scheme, site.parts.netloc)
    return same and _ROUTE not in there.path


def _options(begun: Answer) -> dict[str, object]:
    try:
        options: dict[str, object] = begun.json["data"]["options"]["publicKey"]
    except (KeyError, TypeError):
        return {}
    return options if isinstance(options, dict) else {}


@dataclass(frozen=True, slots=True)
class _Cookie:
    name: str
    value: str
    #: In small letters.
    flags: dict[str, str]


def _cookies(begun: Answer) -> list[_Cookie]:
    """Return the cookies of ours that an answer sets."""
    found = []
    for line in begun.headers.get_all("Set-Cookie", []):
        (name, _, value), *flags = (part.strip().partition("=") for part in line.split(";"))
        if name.removeprefix("__Host-").startswith("passkey_"):
            found.append(_Cookie(name, value, {flag.lower(): what for flag, _, what in flags}))
    return found


def _cookie(config: PasskeyConfig, begun: Answer) -> Iterator[Finding]:
    cookies = _cookies(begun)
    if not cookies:
        yield error(
            "outside.no-cookie",
            "The start of a sign-in sets no cookie, to which it would be bound: no ceremony can be finished.",
            "no proxy_hide_header Set-Cookie in the proxy",
        )
    for cookie in cookies:
        wanted = ["httponly", "samesite"] + ["secure"] * config.https_only
        wrong = [flag for flag in wanted if flag not in cookie.flags]
        wrong += ["path"] * (cookie.flags.get("path") != "/") + ["domain"] * ("domain" in cookie.flags)
        if wrong:
            yield error(
                "outside.cookie-flags",
                f"Something in between has changed the flags of our cookie: {', '.join(wrong)}.",
                "no proxy_cookie_path, proxy_cookie_domain or proxy_cookie_flags for our routes in the proxy",
            )
    kept = [origin for origin in config.origins if not origin.startswith("http:")]
    if kept and not config.https_only:
        yield warning(
            "outside.cookie-insecure",
            "PASSKEY_ORIGINS has an origin on http, so our cookie is not kept to https.",
            f"PASSKEY_ORIGINS = {kept}",
        )


def _finish(config: PasskeyConfig, site: Site, begun: Answer) -> Iterator[Finding]:
    """Finish with nothing, which a process that knows the ceremony refuses in another way than one that does not."""
    asked = lost = 0
    while asked < _TRIES and problem_of(config, site, begun) is None:
        asked += 1
        cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in _cookies(begun))
        body = json.dumps({"session_id": begun.json["data"]["session_id"], "response": {}}).encode()
        sent = {"Origin": site.origin, "Content-Type": "application/json", "Cookie": cookie}
        finished = site.ask("POST", config.url_prefix + _ROUTE, headers=sent, body=body)
        lost += isinstance(finished.json, dict) and finished.json.get("code") == 404
        begun = begin(config, site)
    if lost:
        yield error(
            "outside.ceremony-lost",
            f"{lost} of {asked} ceremonies were not known any more when they were finished: processes do not share a "
            "store, or cookies are lost on the way.",
            'SESSION_TYPE = "redis" with one SESSION_REDIS for all processes, or PASSKEY_CEREMONY_STORE = "database"; '
            "proxy_pass_request_headers on",
        )


def _cross_site(config: PasskeyConfig, site: Site) -> Iterator[Finding]:
    answer = begin(config, site, **{"Origin": "https://passkey-check.invalid", "Sec-Fetch-Site": "cross-site"})
    if answer.status == 200 and isinstance(answer.json, dict) and answer.json.get("code") == 0:
        yield error(
            "outside.cross-site",
            "A request from another site's page is not refused: a proxy takes away or replaces its Origin.",
            "no proxy_set_header Origin and Sec-Fetch-Site in the proxy",
        )
