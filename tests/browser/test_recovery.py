"""Every passkey is lost: what people do then with the demo, in a real browser."""

from __future__ import annotations

import re

import pytest
from browser.chromium import (
    NO_AUTOFILL,
    Authenticator,
    Site,
    Watch,
    account_id,
    sign_in,
    sign_out,
    sign_up,
)
from playwright.sync_api import Page, Route, expect

from flask_passkey.cli import passkey as commands

pytestmark = pytest.mark.proves("rules:13.4.6")

LOST = "Lost your passkey?"
#: Keeps what a click on a button would print.
NO_PRINTER = "globalThis.print = () => (globalThis.printed = (globalThis.printed ?? 0) + 1)"


def command(site: Site, *arguments: str) -> str:
    """Run a command of ``flask passkey``; return what it prints."""
    result = site.app.test_cli_runner().invoke(commands, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def make_codes(page: Page) -> list[str]:
    """Make recovery codes, as after a sign-up, and write them down."""
    page.get_by_role("button", name="Make recovery codes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    return page.locator(".codes code").all_text_contents()


def lose(page: Page, authenticator: Authenticator) -> None:
    """Sign out and lose the phone; there is a new one."""
    sign_out(page, authenticator)
    authenticator.replace(automaticPresenceSimulation=False)
    page.add_init_script(NO_AUTOFILL)  # it would pick the new passkey as soon as it is offered


def enrol(page: Page, authenticator: Authenticator) -> None:
    """Press the button, and be led to the sign-in."""
    authenticator.present(True)
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_role("status")).to_have_text("Your new passkey is ready. You can sign in with it now.")


def test_every_passkey_lost(page: Page, site: Site, authenticator: Authenticator) -> None:
    """The whole way: codes after the sign-up, the phone lost, a code on the new phone, and the old passkey deleted."""
    page.add_init_script(NO_AUTOFILL)
    sign_up(page, site)
    codes = make_codes(page)
    assert len(codes) == 8
    page.get_by_role("link", name="I have them").click()
    expect(page.get_by_text("You have 8 recovery codes that were not used yet.")).to_be_visible()
    sign_out(page, authenticator, autofill=False)
    authenticator.replace()
    page.get_by_role("link", name=LOST).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(LOST)
    page.get_by_role("link", name="Use a recovery code").click()
    page.get_by_label("Recovery code").fill(codes[2].lower().replace("-", " "))
    enrol(page, authenticator)
    assert len(authenticator.credentials) == 1
    sign_in(page, authenticator)
    expect(page.get_by_text("You have 7 recovery codes that were not used yet.")).to_be_visible()
    expect(page.locator("[data-name]")).to_have_count(2)
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete passkey").click()
    expect(page.locator("[data-name]")).to_have_count(1)
    expect(page.get_by_text("Used to sign in now")).to_be_visible()
    assert len(authenticator.credentials) == 1, "the new one was not touched"


def test_a_link_from_the_help_desk(page: Page, site: Site, authenticator: Authenticator, watch: Watch) -> None:
    """A link needs no typing, leaves the address bar when it is spent, and says so when it is opened again."""
    page.add_init_script(NO_AUTOFILL)
    sign_up(page, site)
    sign_out(page, authenticator, autofill=False)
    authenticator.replace(automaticPresenceSimulation=False)
    link = command(site, "invite", account_id(site))
    assert link.startswith(f"{site.url}/enrol#")
    page.goto(link)
    expect(page.get_by_text("Your link is good for one passkey.")).to_be_visible()
    expect(page.get_by_label("Recovery code")).to_be_hidden()
    enrol(page, authenticator)
    page.go_back()
    assert "#" not in page.url
    watch.expected_statuses = {404}
    page.goto(link)
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This link or code does not work")
    assert len(authenticator.credentials) == 1
    page.goto(f"{site.url}/sign-in")
    sign_in(page, authenticator)


@pytest.mark.proves("threats:leaked-link")
def test_nothing_of_a_link_leaves_the_browser(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Opening a link, and going on from it, sends its token in no address, referrer or other header."""
    sign_up(page, site)
    lose(page, authenticator)
    link = command(site, "invite", account_id(site))
    token = link.partition("#")[2]
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.all_headers()}"))
    page.goto(link)
    expect(page.get_by_role("button", name="Create a passkey")).to_be_visible()
    page.get_by_role("link", name="What you can do").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(LOST)
    assert sent and not any(token in line.replace(f"{link} ", "") for line in sent)
    assert not any("/enrol" in line.partition("referer")[2] for line in sent)
    assert command(site, "list", account_id(site)).count("not used yet") == 1, "opening it spent nothing"


def test_a_whole_link_in_the_field(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who pastes the link where a code is asked for gets on as well."""
    sign_up(page, site)
    lose(page, authenticator)
    link = command(site, "invite", account_id(site))
    page.goto(f"{site.url}/enrol")
    page.get_by_label("Recovery code").fill(f" {link} ")
    enrol(page, authenticator)


def test_a_wrong_code(page: Page, site: Site, authenticator: Authenticator, watch: Watch) -> None:
    """A code that was typed wrong is told beside the field, which can be corrected at once; to cancel costs nothing."""
    sign_up(page, site)
    [code, *_] = make_codes(page)
    page.get_by_role("link", name="I have them").click()
    lose(page, authenticator)
    page.goto(f"{site.url}/enrol")
    field, button = page.get_by_label("Recovery code"), page.get_by_role("button", name="Create a passkey")
    watch.expected_statuses = {404}
    field.fill("0000 0000 0000 0000")
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("This link or code does not work")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill(code)
    expect(field).not_to_have_attribute("aria-invalid", "true")
    authenticator("setUserVerified", isUserVerified=False)
    authenticator.present(True)
    button.click()
    expect(page.get_by_role("status")).to_have_text(re.compile(r"Your link or code is still good"))
    authenticator("setUserVerified", isUserVerified=True)
    enrol(page, authenticator)


@pytest.mark.proves("browser:30")
def test_a_refused_passkey_of_a_grant_is_taken_back(
    page: Page, site: Site, authenticator: Authenticator, watch: Watch
) -> None:
    """When the grant is used up while the passkey is being made, the new passkey does not stay behind unusable."""
    sign_up(page, site)
    lose(page, authenticator)
    link = command(site, "invite", account_id(site))
    page.goto(link)

    def withdraw_first(route: Route) -> None:
        if route.request.method == "POST":
            assert len(authenticator.credentials) == 1
            assert command(site, "withdraw", account_id(site)) == "Withdrew 1."
        route.continue_()

    page.route("**/user/authn", withdraw_first)
    watch.expected_statuses = {404}
    authenticator.present(True)
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This link or code does not work")
    assert authenticator.credentials == []


def test_for_somebody_else(page: Page, site: Site, authenticator: Authenticator, watch: Watch) -> None:
    """Who is signed in is told so on the page, and a link of another account adds nothing to theirs."""
    sign_up(page, site, name="Bob")
    link = command(site, "invite", account_id(site))
    sign_out(page, authenticator)
    authenticator.replace()
    page.add_init_script(NO_AUTOFILL)
    sign_up(page, site, name="Eve")
    watch.expected_statuses = {404}
    page.goto(link)
    expect(page.get_by_text("You are signed in as Eve.")).to_be_visible()
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("for another account")
    assert len(authenticator.credentials) == 1


def test_codes_are_printed(page: Page, site: Site, authenticator: Authenticator) -> None:
    """The page of codes prints them with name and place, and without buttons."""
    page.add_init_script(NO_PRINTER)
    sign_up(page, site, name="Ada")
    codes = make_codes(page)
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("printed") == 1
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.get_by_text(codes[7])).to_be_visible()
    expect(page.locator("main")).to_contain_text(f"for Ada at localhost:{site.port}")


@pytest.mark.parametrize("locale", ["de-DE"])
def test_in_german(page: Page, site: Site, authenticator: Authenticator) -> None:
    """The way back in German, with no English left on it."""
    page.goto(f"{site.url}/sign-in")
    page.get_by_role("link", name="Passkey verloren?").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(["Ein anderes Gerät", "Ein Notfallcode", "Unsere Hilfe"])
    page.get_by_role("link", name="Notfallcode verwenden").click()
    expect(page.get_by_label("Notfallcode")).to_be_visible()
    assert not re.search(r"\b(the|your|code is|link is)\b", page.locator("main").inner_text())


def test_autofill_of_the_sign_in_goes_on(page: Page, site: Site, authenticator: Authenticator) -> None:
    """After an enrolment the sign-in page suggests the new passkey."""
    sign_up(page, site)
    sign_out(page, authenticator)
    authenticator.replace()
    page.goto(command(site, "invite", account_id(site)))
    page.get_by_role("button", name="Create a passkey").click()
    # Somebody who is there picks what is suggested at once.
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")
