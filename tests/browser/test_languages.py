"""The ready pages in other languages: they fit, and the module speaks them too, under a strict policy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apps import App, User, make_app
from browser.chromium import Authenticator, Site
from browser.test_ready_pages import POLICY, serve
from flask import Response, session
from flask_babel import Babel
from often import seldom_but
from playwright.sync_api import Page, expect

from flask_passkey.web import words

#: Where pictures of the pages go, for somebody to look at: of all languages, if it is set.
PICTURES = os.environ.get("PASSKEY_TEST_PICTURES")
ALL = sorted(path.name for path in words.FOLDER.iterdir() if path.is_dir())
LANGUAGES = ALL if PICTURES else seldom_but(["de"], ["de", "fr", "ja"])
Said = Callable[[str], str]
#: Texts that are cut off where they stand.
CUT_OFF = """() => [...document.querySelectorAll("button, summary, label, h1, h2, .passkey-badge")]
  .filter((element) => element.checkVisibility() && element.scrollWidth > element.clientWidth + 1)
  .filter((element) => getComputedStyle(element).display !== "inline")
  .map(({ outerHTML }) => outerHTML.slice(0, 120))"""


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """One language after the other."""
    return str(request.param)


@pytest.fixture
def spoken(language: str) -> App:
    """An app with the ready pages that speaks the language."""
    made = make_app(pages=True, before=lambda app: Babel(app, default_locale=language))

    @made.app.after_request
    def add_policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @made.app.get("/favicon.ico")
    def icon() -> tuple[str, int]:
        return "", 204

    @made.app.get("/password/<name>")
    def password(name: str) -> str:
        session["user_id"] = made.users.setdefault(name, User(name, id=name)).id
        made.passkey.offer_passkey()
        return ""

    return made


@pytest.fixture
def site(spoken: App) -> Iterator[Site]:
    """The app, served."""
    for url in serve(spoken.app):
        yield Site(spoken.app, url, int(url.rpartition(":")[2]))


@pytest.fixture
def said(spoken: App) -> Said:
    """Return what an English text is called."""

    def translated(text: str) -> str:
        with spoken.app.test_request_context():
            return words.gettext(text)

    return translated


@pytest.fixture
def fits(page: Page, language: str) -> Callable[[str], None]:
    """Check that a narrow page needs no scrolling sideways and cuts nothing off; take a picture of it."""

    def check(name: str) -> None:
        page.set_viewport_size({"width": 320, "height": 700})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            if PICTURES:
                page.screenshot(path=Path(PICTURES) / f"{name}-{language}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, name
        assert page.evaluate(CUT_OFF) == [], name

    return check


def test_pages_fit(page: Page, site: Site, authenticator: Authenticator, said: Said, fits: Any) -> None:
    """Every page fits 320 pixels, with all questions open, and what the module says is in the page's language."""
    authenticator.present(False)
    page.goto(f"{site.url}/passkeys/sign-in")
    page.locator("form button").click()
    expect(page.get_by_role("status")).to_have_text(said("Follow the steps that your browser or device shows."))
    for path in ("sign-in", "sign-up", "new"):
        page.goto(f"{site.url}/passkeys/{path}")
        expect(page.locator("form button")).to_be_visible()
        for summary in page.locator("summary").all():
            summary.click()
        fits(path)
    authenticator("setUserVerified", isUserVerified=False)
    authenticator.present(True)
    page.goto(f"{site.url}/passkeys/sign-up")
    page.locator("[name=name]").fill("ada")
    page.locator("form button").click()
    cancelled = "No passkey was created, and no account. You can try again."
    expect(page.get_by_role("status")).to_have_text(said(cancelled))
    fits("cancelled")
    authenticator("setUserVerified", isUserVerified=True)
    page.locator("form button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(said("Your passkeys"))
    authenticator.replace(transport="usb", defaultBackupEligibility=False, defaultBackupState=False)
    page.locator("[data-passkey=register]").click()
    expect(page.locator("[data-name]")).to_have_count(2)
    for summary in page.locator("summary").all():
        summary.evaluate("(element) => { element.parentNode.name = ''; element.parentNode.open = true; }")
    fits("list")
    page.locator("form[action$='/codes'] button").click()
    fits("codes")
    page.goto(f"{site.url}/passkeys/confirm")
    fits("confirm")
    authenticator.present(False)
    page.context.clear_cookies()
    page.goto(f"{site.url}/password/bob")
    page.goto(f"{site.url}/passkeys/offer")
    expect(page.get_by_role("heading", level=1)).to_have_text(said("Sign in faster next time"))
    expect(page.locator("button[data-passkey=register]")).to_be_visible()
    fits("offer")


@pytest.mark.parametrize("language", ["ja"])
def test_sentences_of_the_site_come_first(page: Page, site: Site) -> None:
    """The site's own sentences are said, also where they stand before those of its language."""
    island = '<script type="application/json" data-passkey-messages>{"done": "site"}</script>'

    def answer(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace("<head>", "<head>" + island))

    page.route("**/sign-up", answer)
    page.goto(f"{site.url}/passkeys/sign-up")
    client = "(await import('/passkey/static/passkey.js')).passkey"
    done, waiting = page.evaluate(
        f"async () => {{ const {{ messages }} = {client}; return [messages.done, messages.waiting]; }}"
    )
    assert (done, waiting) == ("site", "ブラウザまたはデバイスに表示される手順に従ってください。")
