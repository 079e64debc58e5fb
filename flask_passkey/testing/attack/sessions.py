"""Attacks on sessions: planted, copied, left behind, or sent where they should not go."""

from __future__ import annotations

from collections.abc import Iterator

from ..client import sign_in
from .browsers import Browser
from .cases import case
from .report import NotMade
from .site import Person, Site

_ROTATE = "Give the session a new id at each sign-in: app.session_interface.regenerate(session) of Flask-Session."
_SIGN_OUT = "Let the sign-out take the user out of the session and, without Flask-Login, call passkey.signed_out()."


def _planted(site: Site) -> tuple[Browser, Browser]:
    """Return an attacker's browser, and a victim's in which the attacker's session was planted."""
    attacker, victim = site.browser(), site.browser()
    with attacker.client.session_transaction(base_url=site.origin) as session:
        session["planted"] = "by an attacker"
    if not attacker.session_cookie:
        raise NotMade("a session's cookie cannot be seen")
    victim.take_session(attacker.session_cookie)
    return attacker, victim


def _is_signed_in(site: Site, browser: Browser) -> bool:
    return browser.ask("GET", site.user_path).is_success


@case("session.stranger", "Let the get_current_user hook look at the session of the request, and at nothing else.")
def stranger(site: Site) -> Iterator[str]:
    """Come with a browser in which nobody ever signed in, after others have."""
    if _is_signed_in(site, site.browser()):
        yield "Somebody is signed in in a browser in which nobody ever signed in."


@case("session.fixation", _ROTATE)
def fixation(site: Site) -> Iterator[str]:
    """Have a victim sign in with a passkey in a session that the attacker knows."""
    person = site.person()
    attacker, victim = _planted(site)
    sign_in(victim.client, person.authenticator, prefix=site.prefix)
    if _is_signed_in(site, attacker):
        yield "A session that was there before a sign-in with a passkey is signed in after it, for whoever knows it."


@case("session.fixation-by-app", _ROTATE)
def fixation_by_app(site: Site) -> Iterator[str]:
    """Have a victim sign in, by the app's own means, in a session that the attacker knows."""
    attacker, victim = _planted(site)
    site.enter(victim)
    if _is_signed_in(site, attacker):
        yield "A session that was there before the app's own sign-in is signed in after it, for whoever knows it."


@case("session.sign-out", _SIGN_OUT)
def sign_out(site: Site) -> Iterator[str]:
    """Come after somebody has signed out."""
    person = site.person()
    copied = person.browser.session_cookie
    site.leave(person.browser)
    if _is_signed_in(site, person.browser):
        yield "After the sign-out somebody is still signed in."
    if type(site.app.session_interface).__name__ == "SecureCookieSessionInterface":
        return  # nobody can end those on the server
    thief = site.browser()
    thief.take_session(copied)
    if copied and _is_signed_in(site, thief):
        yield "A copy of the session's cookie is signed in after the sign-out."


@case("session.fresh-after-sign-out", _SIGN_OUT)
def fresh_after_sign_out(site: Site) -> Iterator[str]:
    """Change passkeys with a password alone, where somebody has signed in with a passkey before."""
    owner = _with_password(site)
    site.leave(owner.browser)
    site.enter(owner.browser)
    if owner.ask("PUT", site.user_path, json={}).is_success:
        yield "A sign-in with a passkey still counts after a sign-out and another sign-in without one."


def _with_password(site: Site) -> Person:
    """Return somebody whom the app can sign in by itself, who has now signed in with a passkey."""
    browser = site.signed_in_by_app()
    if browser.ask("GET", site.user_path).data.get("credentials"):
        if site.can_sign_up:
            raise NotMade("the account of sign_in= has passkeys already")
        return site.person()
    return site.equip(browser).in_another_browser()


@case(
    "session.cookie",
    "Write SESSION_COOKIE_SECURE = True, SESSION_COOKIE_HTTPONLY = True and SESSION_COOKIE_SAMESITE = 'Lax'.",
)
def cookie(site: Site) -> Iterator[str]:
    """Look at the flags of the session's cookie."""
    site.person()
    name = site.app.config["SESSION_COOKIE_NAME"]
    made = [text.lower() for text in site.cookies if text.startswith(f"{name}=") and not text.startswith(f"{name}=;")]
    if not made:
        raise NotMade("the app has set no cookie for its session")
    wanted = {
        "secure": site.origin.startswith("https:"),
        "httponly": True,
        "samesite=": site.origin.startswith("https:"),
    }
    missing = [flag for flag, is_wanted in wanted.items() if is_wanted and f"; {flag}" not in made[-1]]
    if missing:
        yield f"The session's cookie is set without {', '.join(flag.rstrip('=') for flag in missing)}."
