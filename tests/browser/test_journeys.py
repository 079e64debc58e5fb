"""What people do with the demo, from the first visit to the last passkey, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import closing
from types import SimpleNamespace

import pytest
from browser.chromium import (
    NO_AUTOFILL,
    Authenticator,
    Site,
    Watch,
    forget_passkeys,
    requests_of,
    sign_in,
    sign_out,
    sign_up,
    wait_for_autofill,
)
from often import seldom_but
from playwright.sync_api import Page, expect

from flask_passkey.web import sessions

#: What the authenticator of a phone or a security key is like that the first one is not.
SECURITY_KEY = {"transport": "usb", "defaultBackupEligibility": False, "defaultBackupState": False}


def rows(page: Page) -> list[str]:
    """Return the names in the list of passkeys."""
    return page.locator("[data-name]").all_text_contents()


def add_security_key(page: Page, authenticator: Authenticator) -> None:
    """Plug in a security key and add a passkey on it."""
    authenticator.replace(**SECURITY_KEY)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("Your new passkey is ready.")).to_be_visible()


@pytest.mark.proves("specification:7.1.2", "browser:21", "browser:35")
def test_sign_up_makes_account_and_passkey(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A name and one click make an account, signed in, whose passkey carries the name and stands in the list."""
    sign_up(page, site, name="ada@example.com", display_name="Ada Lovelace")
    assert len(rows(page)) == 1
    expect(page.get_by_text("Used to sign in now")).to_be_visible()
    expect(page.get_by_text("On one device only")).to_have_count(0)
    expect(page.get_by_role("banner")).to_contain_text("Ada Lovelace")
    (credential,) = authenticator.credentials
    assert credential["userName"] == "ada@example.com"
    assert credential["userDisplayName"] == "Ada Lovelace"


@pytest.mark.proves("browser:3", "browser:7", "browser:rule-13")
def test_sign_in_by_button_while_autofill_waits(page: Page, site: Site, authenticator: Authenticator) -> None:
    """The button works although autofill is waiting, and takes over its ceremony: nothing is fetched on the click."""
    sign_up(page, site)
    made = requests_of(page)
    sign_out(page, authenticator)
    sign_in(page, authenticator)
    assert [request.method for request in made] == ["PUT", "POST"]
    expect(page.get_by_text("Last used today")).to_be_visible()


@pytest.mark.proves("specification:7.2.2", "browser:2", "browser:3", "browser:34")
def test_sign_in_by_autofill(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who picks the passkey in the name field's suggestions is signed in without a click."""
    sign_up(page, site)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("Last used today")).to_be_visible()


@pytest.mark.proves("browser:36")
def test_rename_in_place(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A rename changes the row without loading the page, returns to its button, and is still there later."""
    sign_up(page, site)
    page.locator("summary", has_text="Rename").click()
    field = page.get_by_label("New name")
    expect(field).to_be_focused()
    field.fill("Ada’s <b>phone</b>")
    field.press("Enter")
    expect(page.get_by_role("status").first).to_have_text("The passkey has its new name.")
    assert rows(page) == ["Ada’s <b>phone</b>"]
    expect(page.locator("summary", has_text="Rename")).to_be_focused()
    page.reload()
    assert rows(page) == ["Ada’s <b>phone</b>"]


@pytest.mark.proves("specification:7.1.2", "browser:27")
def test_the_same_device_cannot_have_two(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A device that has a passkey already says so in friendly words, beside the button, and keeps the one it has."""
    sign_up(page, site)
    page.get_by_role("button", name="Add a passkey").click()
    said = page.get_by_role("region", name="Add another passkey").get_by_role("status")
    expect(said).to_contain_text("This device or password manager already has a passkey for your account")
    expect(said).to_be_in_viewport()
    assert len(authenticator.credentials) == 1


@pytest.mark.proves("browser:34", "browser:37", "browser:38", "browser:41")
def test_add_and_delete_a_second_passkey(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A second passkey is added; the confirmation names the one to go; only one is left, which has no button."""
    sign_up(page, site)
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    expect(page.get_by_text("This is your only passkey, so it cannot be deleted.")).to_be_visible()
    first = rows(page)
    add_security_key(page, authenticator)
    expect(page.get_by_text("Security key", exact=True)).to_have_count(1)
    page.locator("summary", has_text="Rename").nth(1).click()
    page.get_by_label("New name").nth(1).fill("Blue key")
    page.locator("details[open]").get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Delete “Blue key”").click()
    dialog = page.get_by_role("dialog", name="Delete “Blue key”?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Delete “Blue key”").click()
    dialog.get_by_role("button", name="Delete passkey").click()
    expect(page.get_by_role("status").first).to_contain_text("The passkey was deleted here.")
    assert rows(page) == first
    assert authenticator.credentials == [], "the security key was told that its passkey is gone"


@pytest.mark.proves("rules:lost-device")
def test_a_stolen_phone(page: Page, site: Site, authenticator: Authenticator, watch: Watch) -> None:
    """The owner deletes the passkey of a stolen phone; whoever signed in with it changes nothing, and is signed out."""
    sign_up(page, site)
    (at_home,) = rows(page)
    authenticator.replace()
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("Your new passkey is ready.")).to_be_visible()
    stolen = next(name for name in rows(page) if name != at_home)
    browser = page.context.browser
    assert browser is not None
    with closing(browser.new_context(locale="en-GB")) as context:
        thief = context.new_page()
        thief.add_init_script(NO_AUTOFILL)
        phone = Authenticator(thief)
        phone("addCredential", credential=authenticator.credentials[0])
        thief.goto(f"{site.url}/sign-in")
        sign_in(thief, phone)
        thief.get_by_role("button", name=f"Delete “{at_home}”").click()

        page.get_by_role("button", name=f"Delete “{stolen}”").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete passkey").click()
        expect(page.get_by_role("status").first).to_contain_text("The passkey was deleted here.")
        assert rows(page) == [at_home]

        thief.get_by_role("dialog").get_by_role("button", name="Delete passkey").click()
        expect(thief.get_by_role("heading", level=1)).to_have_text("Sign in")
        expect(thief.get_by_role("status").first).to_have_text("Please sign in first.")
    page.reload()
    assert rows(page) == [at_home]


def test_a_page_of_somebody_else(page: Page, site: Site, authenticator: Authenticator, watch: Watch) -> None:
    """A page that was left open adds nothing to the account that is signed in by now; nor does a sign-up there."""
    sign_up(page, site, name="alice")
    first, tab = page, page.context.new_page()
    authenticator.replace()
    tab.goto(f"{site.url}/passkeys")
    user = tab.locator("[data-passkey-user]").first.get_attribute("data-passkey-user")
    sign_out(first, authenticator)
    sign_up_elsewhere = Authenticator(tab)
    tab.goto(f"{site.url}/sign-up")
    form = tab.locator("form[data-passkey=sign-up]")
    form.get_by_label("Name", exact=True).fill("carol")
    first.bring_to_front()
    authenticator.replace()
    sign_up(first, site, name="bob")
    tab.bring_to_front()
    watch.expected_statuses = {409}
    form.get_by_role("button").click()
    expect(tab.get_by_role("alert")).to_have_text("You are signed in already. Sign out to create another account.")
    assert sign_up_elsewhere.credentials == []
    first.bring_to_front()
    button = first.locator("[data-passkey=register][data-passkey-user]").last
    button.evaluate("(element, user) => (element.dataset.passkeyUser = user)", user)
    authenticator.replace()
    button.click()
    said = first.get_by_role("region", name="Add another passkey").get_by_role("alert")
    expect(said).to_have_text("Somebody else is signed in here by now. Please reload the page.")
    assert authenticator.credentials == [] and len(rows(first)) == 1


@pytest.mark.proves("browser:13")
def test_deleted_passkey_is_refused_and_gone(
    page: Page, site: Site, authenticator: Authenticator, watch: Watch
) -> None:
    """A passkey the server no longer has is refused in words, and the password manager stops offering it."""
    sign_up(page, site)
    sign_out(page, authenticator)
    forget_passkeys(site)
    watch.expected_statuses = {401}
    authenticator.present(True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This passkey is no longer registered here.")
    assert authenticator.credentials == []
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


@pytest.mark.proves("browser:13")
@pytest.mark.parametrize("quirk", seldom_but(["isBadUV"], ["isBogusSignature", "isBadUV", "isBadUP"]))
def test_bad_response_is_refused_in_words(
    page: Page, site: Site, authenticator: Authenticator, watch: Watch, quirk: str
) -> None:
    """A response that does not verify is refused with one sentence, keeps its passkey, and a good one works next."""
    page.add_init_script(NO_AUTOFILL)
    sign_up(page, site)
    sign_out(page, authenticator, autofill=False)
    watch.expected_statuses = {401}
    authenticator("setResponseOverrideBits", **{quirk: True})
    authenticator.present(True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_have_text("The passkey could not be verified. Please try again.")
    authenticator("setResponseOverrideBits", isBogusSignature=False, isBadUV=False, isBadUP=False)
    assert len(authenticator.credentials) == 1
    sign_in(page, authenticator)


def test_a_copied_security_key_is_refused_in_words(
    page: Page, site: Site, authenticator: Authenticator, watch: Watch
) -> None:
    """A security key whose counter went backwards may be a copy: it is refused with the same sentence."""
    authenticator.replace(**SECURITY_KEY)
    sign_up(page, site)
    (credential,) = authenticator.credentials
    authenticator("setCredentialProperties", credentialId=credential["credentialId"], signCount=100)
    sign_out(page, authenticator, autofill=False)
    sign_in(page, authenticator)
    authenticator("setCredentialProperties", credentialId=credential["credentialId"], signCount=3)
    sign_out(page, authenticator, autofill=False)
    watch.expected_statuses = {401}
    authenticator.present(True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_have_text("The passkey could not be verified. Please try again.")


@pytest.mark.proves("browser:39")
def test_new_name_reaches_the_password_manager(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A changed display name is changed in the authenticator too, so that its dialogs show the one in use."""
    sign_up(page, site, name="ada", display_name="Ada King")
    field = page.get_by_label("What should we call you?")
    field.fill("Ada Lovelace")
    with page.expect_response("**/user/authn"):
        field.press("Enter")
    expect(page.get_by_role("status").first).to_have_text("Your name was changed.")
    expect(page.get_by_role("banner")).to_contain_text("Ada Lovelace")
    page.wait_for_load_state("networkidle")
    (credential,) = authenticator.credentials
    assert (credential["userName"], credential["userDisplayName"]) == ("ada", "Ada Lovelace")


def test_what_just_happened_is_shown_when_asked_for(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Developers who ask for it see the requests and answers of the last ceremony, decoded; nobody else does."""
    sign_up(page, site)
    expect(page.get_by_text("What just happened")).to_be_hidden()
    page.get_by_role("button", name="Show what happens").click()
    sign_out(page, authenticator)
    sign_in(page, authenticator)
    items = page.locator("[data-panel-list] li")
    expect(items).to_have_count(2)
    items.first.get_by_text("Request").click()
    for text in ('"type": "webauthn.get"', '"signCount": ', '"UV"'):
        expect(items.first).to_contain_text(text)
    page.get_by_role("button", name="Show what happens").click()
    expect(page.get_by_text("What just happened")).to_be_hidden()


@pytest.mark.proves("specification:7.2.2", "browser:8")
def test_cancel_then_sign_in(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who cancels reads one calm line, nothing is posted, and the next try works."""
    sign_up(page, site)
    sign_out(page, authenticator)
    authenticator("setUserVerified", isUserVerified=False)
    authenticator.present(True)
    made = requests_of(page)
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.click()
    expect(page.get_by_role("status")).to_contain_text("No passkey was used. You can try again")
    expect(page.get_by_role("alert")).to_be_empty()
    expect(button).to_be_enabled()
    assert "POST" not in [request.method for request in made]
    authenticator("setUserVerified", isUserVerified=True)
    sign_in(page, authenticator)


def test_cancelled_sign_up_leaves_no_account(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who cancels while the passkey is made has no account, and can take the same name at once."""
    authenticator("setUserVerified", isUserVerified=False)
    page.goto(f"{site.url}/sign-up")
    page.get_by_label("Name", exact=True).fill("Ada")
    button = page.get_by_role("button", name="Create an account with a passkey")
    button.click()
    expect(page.get_by_role("status")).to_have_text("No passkey was created, and no account. You can try again.")
    authenticator("setUserVerified", isUserVerified=True)
    button.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")


@pytest.mark.proves("browser:10")
def test_name_taken(page: Page, site: Site, authenticator: Authenticator, watch: Watch) -> None:
    """A name that somebody has, in whatever spelling, is refused before a passkey is made, and can be corrected."""
    sign_up(page, site, name="Ada")
    sign_out(page, authenticator)
    authenticator.present(True)
    watch.expected_statuses = {409}
    page.goto(f"{site.url}/sign-up")
    field = page.get_by_label("Name", exact=True)
    field.fill("ADA")
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This name is taken. Please choose another one")
    assert len(authenticator.credentials) == 1
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("This name is taken"))
    field.press_sequentially("Grace")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("Grace")


@pytest.mark.proves("browser:40")
def test_step_up_in_the_middle_of_a_rename(
    page: Page, site: Site, authenticator: Authenticator, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last sign-in is too long ago, a rename asks for the passkey, then goes on by itself."""
    with monkeypatch.context() as yesterday:
        yesterday.setattr(sessions, "time", SimpleNamespace(time=lambda: time.time() - 86_400))
        sign_up(page, site)
    made = requests_of(page)
    watch.expected_statuses = {403}
    page.locator("summary", has_text="Rename").click()
    page.get_by_label("New name").fill("My phone")
    page.locator("details[open]").get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text("The passkey has its new name.")
    assert [request.method for request in made] == ["PATCH", "PUT", "POST", "PATCH"]
    assert made[1].post_data_json == {"step_up": True}
    assert rows(page) == ["My phone"]


@pytest.mark.proves("browser:10", "browser:22")
def test_duplicate_click_and_busy_button(page: Page, site: Site, authenticator: Authenticator) -> None:
    """While a ceremony runs its button is off and says so, and Enter does not start a second one."""
    sign_up(page, site)
    sign_out(page, authenticator)
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.click()
    expect(button).to_be_disabled()
    expect(page.locator("form[aria-busy=true]")).to_have_count(1)
    expect(page.get_by_role("status")).to_have_text("Follow the steps that your browser or device shows.")
    page.get_by_label("Name").press("Enter")
    expect(button).to_be_disabled()


@pytest.mark.proves("browser:12")
def test_two_tabs_do_not_disturb_each_other(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A sign-in that was begun in one tab finishes after another tab began one too."""
    sign_up(page, site)
    sign_out(page, authenticator)
    other = page.context.new_page()
    with other.expect_response("**/session/authn"):
        other.goto(f"{site.url}/sign-in")
    page.bring_to_front()
    sign_in(page, authenticator)


@pytest.mark.proves("browser:12")
def test_both_tabs_sign_in(page: Page, site: Site, authenticator: Authenticator) -> None:
    """What a tab began before another one signed in, and got a new session by that, can still be finished."""
    sign_up(page, site)
    sign_out(page, authenticator)
    other = page.context.new_page()
    same = Authenticator(other)
    same.present(False)
    same("addCredential", credential=authenticator.credentials[0])
    other.goto(f"{site.url}/sign-in")
    wait_for_autofill(other)
    made = requests_of(other)
    page.bring_to_front()
    sign_in(page, authenticator)
    other.bring_to_front()
    sign_in(other, same)
    assert [request.method for request in made] == ["POST"]
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")


@pytest.mark.proves("browser:14", "browser:23")
def test_offer_after_a_passkey_from_another_device(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who signed in with another device's passkey is offered one on this device, until they have made it."""
    page.add_init_script("PublicKeyCredential.getClientCapabilities = undefined")
    page.add_init_script("PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable = async () => true")
    authenticator.replace(transport="usb")
    sign_up(page, site)
    offer = page.get_by_role("button", name="Create a passkey on this device")
    expect(offer).to_be_hidden()
    sign_out(page, authenticator, autofill=False)
    sign_in(page, authenticator)
    expect(offer).to_be_visible()
    authenticator.replace()
    offer.click()
    expect(page.get_by_text("Your new passkey is ready.")).to_be_visible()
    expect(offer).to_be_hidden()
    assert len(rows(page)) == 2


def test_signed_out_meanwhile(page: Page, site: Site, authenticator: Authenticator, watch: Watch) -> None:
    """Who was signed out in another tab, and then wants to change something, is led to the sign-in and told why."""
    sign_up(page, site)
    page.context.clear_cookies()
    authenticator.present(False)
    watch.expected_statuses = {401}
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_role("status")).to_have_text("Please sign in first.")


@pytest.mark.proves("browser:14")
def test_offer_can_be_declined(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who does not want a passkey on this device says so once, and is not asked again at the next sign-in."""
    page.add_init_script("PublicKeyCredential.getClientCapabilities = undefined")
    page.add_init_script("PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable = async () => true")
    authenticator.replace(transport="usb")
    sign_up(page, site)
    sign_out(page, authenticator, autofill=False)
    sign_in(page, authenticator)
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("button", name="Create a passkey on this device")).to_be_hidden()
    sign_out(page, authenticator, autofill=False)
    sign_in(page, authenticator)
    expect(page.get_by_text("Last used today")).to_be_visible()  # so the page's scripts have run
    expect(page.locator("[data-offer]")).to_be_hidden()


def test_sign_in_when_every_answer_is_200(page: Page, serve: Callable[..., Site], authenticator: Authenticator) -> None:
    """With ``PASSKEY_HTTP_STATUS = False`` the module reads the envelope: refusals and successes look the same."""
    site = serve(PASSKEY_HTTP_STATUS=False)
    sign_up(page, site)
    sign_out(page, authenticator)
    forget_passkeys(site)
    authenticator.present(True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This passkey is no longer registered here.")
    assert authenticator.credentials == []


def test_too_many_tries(page: Page, serve: Callable[..., Site], authenticator: Authenticator, watch: Watch) -> None:
    """Who asks too often is told to wait, by the API in its envelope and by the page in words."""
    site = serve(RATELIMIT_ENABLED=True)
    authenticator("setUserVerified", isUserVerified=False)
    page.goto(f"{site.url}/sign-up")
    watch.expected_statuses = {429}
    answers = page.evaluate(
        """async () => {
          const headers = { "Content-Type": "application/json" };
          const ask = () => fetch("/user/authn", { method: "PUT", body: '{"name": "x"}', headers });
          let answer;
          for (let count = 0; count <= 20; count++) answer = await ask();
          return [answer.status, (await answer.json()).code, answer.headers.get("Retry-After") !== null];
        }"""
    )
    assert answers == [429, 429, True]
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("alert")).to_have_text("Too many tries. Please wait a minute.")


def test_url_prefix(page: Page, serve: Callable[..., Site], authenticator: Authenticator) -> None:
    """The module finds the routes under a prefix by its own address."""
    site = serve(PASSKEY_URL_PREFIX="/api/v4")
    made = requests_of(page)
    sign_up(page, site)
    assert {re.sub(r"^http://[^/]+", "", request.url) for request in made} == {"/api/v4/user/authn"}
