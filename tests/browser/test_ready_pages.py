"""The ready pages in Chromium: whole journeys, under a strict policy, for everybody, and without JavaScript."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps import User, make_app
from browser.chromium import NO_AUTOFILL, Authenticator, Site, Watch
from browser.conftest import in_one_piece
from browser.test_looks import VIOLATIONS
from flask import Flask, Response, redirect, session, url_for
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server
from werkzeug.wrappers import Response as BaseResponse

pytestmark = pytest.mark.proves("frictions:pages")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'"
)
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff-" * 4 + "@example.com"


def serve(app: Flask) -> Iterator[str]:
    """Serve an app on a free port of localhost."""
    server = make_server("127.0.0.1", 0, in_one_piece(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://localhost:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ready() -> Iterator[Site]:
    """An app of a few lines with the ready pages, passwords, and a page of its own that needs care."""
    site = make_app(pages=True)

    @site.app.after_request
    def add_policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @site.app.get("/favicon.ico")
    def icon() -> tuple[str, int]:
        return "", 204

    @site.app.get("/money")
    @site.passkey.required(max_age=1)
    def money() -> str:
        return "<h1>Money</h1>"

    @site.app.get("/password/<name>")
    def password(name: str) -> BaseResponse:
        session["user_id"] = site.users.setdefault(name, User(name, id=name)).id
        site.passkey.offer_passkey()
        return redirect(url_for("passkey_pages.offer", next="/home"))

    @site.app.get("/home")
    def home() -> str:
        return "<h1>Home</h1>"

    @site.app.get("/sign-out")
    def leave() -> BaseResponse:
        session.pop("user_id", None)
        return redirect(url_for("passkey_pages.sign_in"))

    for url in serve(site.app):
        yield Site(site.app, url, int(url.rpartition(":")[2]))


def sign_up(page: Page, ready: Site, name: str = "ada") -> None:
    """Create an account by the page."""
    page.goto(f"{ready.url}/passkeys/sign-up")
    page.get_by_label("User name").fill(name)
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("status").first).to_have_text("Welcome! Your account and its passkey are ready.")


def add_stick(page: Page, authenticator: Authenticator) -> None:
    """Add a passkey on a security key."""
    authenticator.replace(transport="usb", defaultBackupEligibility=False, defaultBackupState=False)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("[data-name]")).to_have_count(2)


# Journeys


def test_account_from_beginning_to_end(page: Page, ready: Site, authenticator: Authenticator) -> None:
    """Somebody signs up, adds a security key, renames a passkey, deletes the other, and each page says so."""
    sign_up(page, ready)
    add_stick(page, authenticator)
    expect(page.get_by_role("status").first).to_have_text("Your new passkey is ready.")
    expect(page.locator(".passkey-row").nth(1)).to_contain_text("Security key")
    page.locator("summary", has_text="Rename").nth(1).click()
    page.get_by_label("New name").nth(1).fill("Blue key")
    page.locator("details[open]").get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text("The passkey has its new name.")
    page.locator("summary", has_text="Delete").first.click()
    expect(page.locator("details[open]").get_by_role("heading")).to_have_text(re.compile("^Delete “.+”\\?$"))
    page.locator("details[open]").get_by_role("button", name="Delete passkey").click()
    expect(page.locator("[data-name]")).to_have_text(["Blue key"])
    expect(page.get_by_role("status").first).to_contain_text("The passkey was deleted here.")


def test_the_question_leads_back(page: Page, ready: Site, authenticator: Authenticator) -> None:
    """A page that needs a fresh sign-in asks for a passkey, and is there after it."""
    sign_up(page, ready)
    page.add_init_script(NO_AUTOFILL)  # before the sign-in page is there, which would sign in by itself
    page.goto(f"{ready.url}/sign-out")
    page.goto(f"{ready.url}/money")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Money")
    page.wait_for_timeout(1100)
    page.goto(f"{ready.url}/money")
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    page.get_by_role("button", name="Confirm with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Money")


def test_back_by_a_link_and_by_a_code(page: Page, ready: Site, authenticator: Authenticator) -> None:
    """Whoever lost every passkey comes back by a link or by a printed code, and is told to sign in."""
    sign_up(page, ready)
    page.get_by_role("button", name="Make recovery codes").click()
    code = page.locator("code").first.inner_text()
    page.add_init_script(NO_AUTOFILL)  # before the sign-in page is there, which would sign in by itself
    page.goto(f"{ready.url}/sign-out")
    passkey = ready.app.extensions["passkey"]
    with ready.app.app_context():
        (record,) = passkey.credentials._records.values()
        user = passkey.relying_party.accounts.get(record.user_id)
        token = passkey.invite(user).token
    authenticator.replace()
    for way in (f"#{token}", ""):
        page.goto(f"{ready.url}/passkeys/new{way}")
        if not way:
            page.get_by_label("Recovery code").fill(code.lower())
            authenticator.replace()
        page.get_by_role("button", name="Create a passkey").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        expect(page.get_by_role("status")).to_have_text("Your new passkey is ready. You can sign in with it now.")


def test_offer_after_a_password(page: Page, ready: Site, authenticator: Authenticator) -> None:
    """After a password people are offered a passkey; "not now" leads on and holds, taking it leads on with one."""
    authenticator.present(False)
    page.goto(f"{ready.url}/password/bob")
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    page.goto(f"{ready.url}/password/bob")
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    page.goto(f"{ready.url}/password/eve")
    authenticator.present(True)
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    assert len(authenticator.credentials) == 1


# For everybody


def assert_fine(page: Page, npm: Path) -> None:
    """Check a page in light and dark, narrow and wide, and in forced colours: no violation, nothing sideways."""
    axe = (npm / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
    page.evaluate(f"() => {{ {axe} }}")
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(VIOLATIONS) == [], f"{page.url}, {scheme}, {width} pixels wide"


@pytest.mark.parametrize("path", ["sign-in", "sign-up", "new"])
def test_before_an_account(page: Page, ready: Site, authenticator: Authenticator, npm: Path, path: str) -> None:
    """The pages before an account break no accessibility rule and fit every screen."""
    authenticator.present(False)
    page.goto(f"{ready.url}/passkeys/{path}")
    expect(page.locator("form").get_by_role("button")).to_be_visible()
    for summary in page.locator("summary").all():
        summary.click()
    assert_fine(page, npm)


def test_with_an_account(page: Page, ready: Site, watch: Watch, authenticator: Authenticator, npm: Path) -> None:
    """So do the list with all questions open, with endless names, the codes, the question, and what is refused."""
    sign_up(page, ready, LONG_NAME)
    assert_fine(page, npm)
    add_stick(page, authenticator)
    page.locator("summary", has_text="Rename").first.click()
    page.get_by_label("New name").first.fill("Donaudampfschifffahrtsgesellschaft" * 2)
    page.locator("details[open]").get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).not_to_be_empty()
    for kind in ("Rename", "Delete"):
        page.locator("summary", has_text=kind).first.click()
        assert_fine(page, npm)
    page.get_by_role("button", name="Make recovery codes").click()
    assert_fine(page, npm)
    page.goto(f"{ready.url}/passkeys/confirm")
    assert_fine(page, npm)
    watch.expected_statuses = {404}
    page.goto(f"{ready.url}/passkeys?passkey=last")
    expect(page.get_by_role("alert").first).to_contain_text("This is your only passkey.")
    assert_fine(page, npm)


def test_offer_and_empty_list(page: Page, ready: Site, authenticator: Authenticator, npm: Path) -> None:
    """So do the offer, and the list of somebody who has none."""
    authenticator.present(False)
    page.goto(f"{ready.url}/password/bob")
    expect(page.get_by_role("button", name="Create a passkey")).to_be_visible()
    assert_fine(page, npm)
    page.goto(f"{ready.url}/passkeys")
    expect(page.get_by_role("button", name="Add a passkey")).to_be_visible()
    assert_fine(page, npm)


def test_the_question_for_a_password(page: Page, ready: Site, authenticator: Authenticator, npm: Path) -> None:
    """So does the question with the app's password below it, with a passkey and without, and after a wrong one."""
    passkey = ready.app.extensions["passkey"]
    passkey.other_sign_in_methods(lambda user: True)
    passkey.check_password(lambda user, password: password == "correct")
    authenticator.present(False)
    page.goto(f"{ready.url}/password/bob")
    page.goto(f"{ready.url}/passkeys/confirm?next=/home")
    page.get_by_label("Your password").fill("wrong")
    page.get_by_role("button", name="Confirm with your password").click()
    expect(page.get_by_role("alert")).to_have_text("That is not your password.")
    assert_fine(page, npm)
    authenticator.present(True)
    page.goto(f"{ready.url}/passkeys")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("link", name="No passkey at hand?")).to_be_visible()
    assert_fine(page, npm)
    page.goto(f"{ready.url}/passkeys/confirm?next=/home")
    assert_fine(page, npm)
    page.get_by_label("No passkey at hand?").fill("correct")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")


#: The controls and messages that have no edge in a system's own colours.
FLAT = """() => [...document.querySelectorAll("button, summary.passkey-button, input, .passkey-message:not(:empty)")]
  .filter((element) => element.checkVisibility())
  .filter((element) => {
    const { borderTopStyle, borderTopWidth, borderTopColor } = getComputedStyle(element);
    const ground = getComputedStyle(document.body).backgroundColor;
    return borderTopStyle === "none" || parseFloat(borderTopWidth) < 1 || borderTopColor === ground;
  })
  .map(({ outerHTML }) => outerHTML.slice(0, 80))"""


def test_forced_colours(page: Page, ready: Site, authenticator: Authenticator) -> None:
    """In a system's own colours every control has an edge."""
    sign_up(page, ready)
    add_stick(page, authenticator)
    for scheme in ("dark", "light"):
        page.emulate_media(forced_colors="active", color_scheme=scheme)
        assert page.evaluate(FLAT) == []


def test_colours_of_the_app(page: Page, ready: Site, authenticator: Authenticator) -> None:
    """The app's own accent is that of the buttons; light or dark is that of the page, not of the system."""
    authenticator.present(False)
    page.emulate_media(color_scheme="dark")
    page.goto(f"{ready.url}/passkeys/sign-up")
    button = page.get_by_role("button")
    card = page.locator(".passkey-card")
    page.evaluate("document.documentElement.style.setProperty('--passkey-accent', 'rgb(74, 58, 255)')")
    expect(button).to_have_css("background-color", "rgb(74, 58, 255)")
    expect(card).to_have_css("background-color", "rgb(26, 32, 30)")
    page.evaluate("document.documentElement.style.colorScheme = 'light'")
    page.evaluate("document.querySelector('meta[name=color-scheme]').remove()")
    expect(card).to_have_css("background-color", "rgb(255, 255, 255)")


# Without JavaScript


def test_without_javascript(page: Page, ready: Site, authenticator: Authenticator, browser: Browser) -> None:
    """Renaming and deleting need no script: the questions open by themselves, and the forms are plain forms."""
    sign_up(page, ready)
    add_stick(page, authenticator)
    plain = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    other = plain.new_page()
    other.goto(f"{ready.url}/passkeys")
    other.locator("summary", has_text="Rename").first.click()
    other.get_by_label("New name").first.fill("Phone")
    other.locator("details[open]").get_by_role("button", name="Save").click()
    expect(other.get_by_role("status").first).to_have_text("The passkey has its new name.")
    other.locator("summary", has_text="Delete").nth(1).click()
    expect(other.locator("details[open]").get_by_role("heading")).to_contain_text("Delete “")
    other.locator("details[open]").get_by_role("button", name="Delete passkey").click()
    expect(other.locator("[data-name]")).to_have_text(["Phone"])
    expect(other.locator("noscript p")).to_be_visible()
    plain.close()


def test_the_script_does_not_come(page: Page, ready: Site, watch: Watch) -> None:
    """Where the script never comes the page says after some seconds that it is not complete."""
    page.route("**/passkey.min.js*", lambda route: route.abort())
    page.on("console", lambda message: watch.complaints.clear())
    page.goto(f"{ready.url}/passkeys/sign-in")
    notice = page.get_by_text("This page is not complete.")
    expect(notice).to_be_hidden()
    expect(notice).to_be_visible()
    watch.complaints.clear()
