"""What can be measured of the pages' looks: accessibility rules, room for everything, the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser.chromium import NO_AUTOFILL, Authenticator, Site, Watch, sign_in, sign_out, sign_up
from playwright.sync_api import Page, expect

Check = Callable[[Page], None]
WIDTHS = (320, 1280)
#: What axe-core has to say against a page: the rules it breaks, and where.
VIOLATIONS = """async () => (await axe.run()).violations.map(({id, nodes}) => [id, ...nodes.map(({html}) => html)])"""
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff-" * 4 + "@example.com"


@pytest.fixture
def assert_fine(npm: Path) -> Check:
    """Check a page as it is now, in light and dark, narrow and wide: no violation, nothing to scroll sideways."""
    axe = (npm / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")

    def check(page: Page) -> None:
        page.emulate_media(reduced_motion="reduce")
        page.evaluate(f"() => {{ {axe} }}")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.emulate_media(color_scheme="dark")
            assert page.evaluate(VIOLATIONS) == [], f"{page.url}, dark, {width} pixels wide"
            page.emulate_media(color_scheme="light")
            assert page.evaluate(VIOLATIONS) == [], f"{page.url}, light, {width} pixels wide"

    return check


@pytest.mark.proves("browser:46")
@pytest.mark.parametrize("path", ["/sign-in", "/sign-up", "/lost", "/enrol", "/enrol#x", "/nowhere"])
def test_pages_for_everybody(
    page: Page, site: Site, watch: Watch, authenticator: Authenticator, assert_fine: Check, path: str
) -> None:
    """The pages without an account break no accessibility rule and fit every screen, with all texts unfolded."""
    authenticator.present(False)
    watch.expected_statuses = {404}
    page.goto(site.url + path)
    for summary in page.locator("summary").all():
        summary.click()
    assert_fine(page)


@pytest.mark.proves("browser:10")
def test_error_message(page: Page, site: Site, watch: Watch, authenticator: Authenticator, assert_fine: Check) -> None:
    """So do the pages while they say what went wrong, calmly or not."""
    sign_up(page, site)
    sign_out(page, authenticator)
    page.add_init_script(NO_AUTOFILL)
    page.reload()
    authenticator("setUserVerified", isUserVerified=False)
    authenticator.present(True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("status")).not_to_be_empty()
    assert_fine(page)
    watch.expected_statuses = {401}
    authenticator("setUserVerified", isUserVerified=True)
    authenticator("setResponseOverrideBits", isBogusSignature=True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).not_to_be_empty()
    assert_fine(page)


@pytest.mark.proves("browser:33", "browser:46")
def test_your_passkeys(page: Page, site: Site, authenticator: Authenticator, assert_fine: Check) -> None:
    """So does the list: with one passkey, with two, with endless names, with a form and a confirmation open."""
    sign_up(page, site, name=LONG_NAME, display_name=LONG_NAME)
    assert_fine(page)
    authenticator.replace(transport="usb", defaultBackupEligibility=False, defaultBackupState=False)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("[data-name]")).to_have_count(2)
    page.locator("summary", has_text="Rename").first.click()
    page.get_by_label("New name").first.fill("Donaudampfschifffahrtsgesellschaft" * 2)
    page.locator("details[open]").get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).not_to_be_empty()
    page.locator("summary", has_text="Rename").first.click()
    assert_fine(page)
    page.get_by_role("button", name="Show what happens").click()
    page.get_by_role("button", name="Delete").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert_fine(page)


@pytest.mark.proves("browser:33")
def test_offer_and_empty_list(
    page: Page, site: Site, authenticator: Authenticator, assert_fine: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does the list with the offer of a passkey on this device, and without any passkey."""
    page.add_init_script("PublicKeyCredential.getClientCapabilities = undefined")
    page.add_init_script("PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable = async () => true")
    authenticator.replace(transport="usb")
    sign_up(page, site)
    sign_out(page, authenticator, autofill=False)
    sign_in(page, authenticator)
    expect(page.get_by_role("button", name="Create a passkey on this device")).to_be_visible()
    assert_fine(page)
    # no passkey and still signed in: only an app with another way to sign in comes to that
    with site.app.app_context():
        monkeypatch.setattr(site.app.extensions["passkey"].credentials, "of_user", lambda user_id: [])
    page.reload()
    expect(page.get_by_text("You have no passkey")).to_be_visible()
    assert_fine(page)


def test_notices(page: Page, serve: Callable[..., Site], authenticator: Authenticator, assert_fine: Check) -> None:
    """So do the notices of a wrong address and of a browser without passkeys."""
    page.goto(f"{serve(PASSKEY_ORIGINS=['http://localhost:1']).url}/sign-in")
    expect(page.get_by_role("heading", name="Passkeys do not work at this address")).to_be_visible()
    assert_fine(page)
    page.add_init_script("delete window.PublicKeyCredential")
    page.goto(f"{serve().url}/sign-in")
    expect(page.get_by_text("This browser cannot use passkeys here")).to_be_visible()
    assert_fine(page)


@pytest.mark.proves("browser:22")
@pytest.mark.parametrize("locale", ["de-AT"])
def test_in_german(page: Page, site: Site, authenticator: Authenticator, watch: Watch, assert_fine: Check) -> None:
    """So do all pages in German, whose words are longer; what the browser itself says and counts is German too."""
    watch.expected_statuses = {404}
    authenticator("setUserVerified", isUserVerified=False)
    page.goto(f"{site.url}/sign-up")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("button", name="Konto mit Passkey erstellen").click()
    expect(page.get_by_role("status")).to_have_text(
        "Es wurde kein Passkey erstellt und kein Konto. Sie können es noch einmal versuchen."
    )
    page.locator("summary").click()
    assert_fine(page)
    authenticator("setUserVerified", isUserVerified=True)
    page.get_by_role("button", name="Konto mit Passkey erstellen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ihre Passkeys")
    expect(page.get_by_text("Willkommen! Ihr Konto und der Passkey dazu sind bereit.")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "de"
    page.get_by_role("button", name="Abmelden").click()  # and in again, by autofill
    expect(page.get_by_text("Zuletzt verwendet: heute")).to_be_visible()
    authenticator.replace(transport="usb", defaultBackupEligibility=False, defaultBackupState=False)
    page.get_by_role("button", name="Passkey hinzufügen").click()
    expect(page.get_by_text("Sicherheitsschlüssel", exact=True)).to_be_visible()
    page.locator("summary", has_text="Umbenennen").first.click()
    page.get_by_role("button", name="Zeigen, was passiert").click()
    assert_fine(page)
    page.set_viewport_size({"width": 640, "height": 700})
    page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    page.evaluate("() => { document.documentElement.style.fontSize = ''; }")
    page.get_by_role("button", name="Löschen").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert_fine(page)
    page.goto(f"{site.url}/nirgends")
    assert_fine(page)
    authenticator.present(False)
    page.context.clear_cookies()
    page.goto(f"{site.url}/sign-in")
    assert_fine(page)


@pytest.mark.proves("browser:46")
def test_keyboard_alone(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Everything can be done with the keyboard, and one always sees where one is."""
    page.goto(f"{site.url}/sign-up")

    def tab_to(name: str) -> None:
        page.wait_for_load_state()
        for _ in range(20):
            page.keyboard.press("Tab")
            focus = page.evaluate(
                """() => {
                  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
                  const { labels, textContent } = document.activeElement;
                  return [labels?.[0]?.textContent ?? textContent, outlineStyle, parseFloat(outlineWidth)];
                }"""
            )
            assert focus[1] != "none" and focus[2] >= 2, f"no focus ring around {focus}"
            if name in focus[0]:
                return
        pytest.fail(f"Tab does not lead to {name!r}")

    tab_to("Skip to the content")
    tab_to("Name")
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")
    tab_to("Rename")
    page.keyboard.press("Enter")
    expect(page.get_by_label("New name")).to_be_focused()
    page.keyboard.type("Phone")
    page.keyboard.press("Enter")
    expect(page.locator("[data-name]")).to_have_text("Phone")
    page.keyboard.press("Space")
    expect(page.locator("details")).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(page.locator("details")).not_to_have_attribute("open", "")
    authenticator.replace()
    tab_to("Add a passkey")
    page.keyboard.press("Space")
    expect(page.locator("[data-name]")).to_have_count(2)
    tab_to("Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Delete").first).to_be_focused()
    page.keyboard.press("Enter")
    tab_to("Delete passkey")
    page.keyboard.press("Enter")
    expect(page.locator("[data-name]")).to_have_count(1)


def test_twice_the_text_size(page: Page, site: Site, authenticator: Authenticator) -> None:
    """With the text at 200 % nothing is cut off and nothing scrolls sideways, on a small screen too."""
    sign_up(page, site)
    page.set_viewport_size({"width": 640, "height": 700})
    page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= 640


@pytest.mark.proves("browser:4")
def test_texts_name_no_technology(page: Page, site: Site, authenticator: Authenticator) -> None:
    """No page and no sentence of the module speaks of WebAuthn, FIDO or authenticators to people."""
    sign_up(page, site)
    texts = [
        page.inner_text("body"),
        *page.evaluate("async () => Object.values(await (await import('/passkey/static/passkey.js')).loadMessages())"),
    ]
    sign_out(page, authenticator)
    texts.append(page.inner_text("body"))
    sign_in(page, authenticator)
    for word in ("webauthn", "fido", "authenticator", "credential"):
        assert not [text for text in texts if word in text.lower()]
