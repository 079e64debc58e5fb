"""The demo where passkeys cannot work, or not yet: no JavaScript, an old browser, plain http, a wrong address."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from browser.chromium import Authenticator, Site, Watch, sign_up
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.proves("frictions:127.0.0.1")


@pytest.fixture
def plain_page(browser: Browser, watch: Watch, serve: Callable[..., Site]) -> Iterator[Page]:
    """A page without JavaScript."""
    context = browser.new_context(java_script_enabled=False)
    context.on("page", watch.follow)
    yield context.new_page()
    context.close()


def move_cookies(source: Page, target: Page) -> None:
    """Go on in another browser, signed in as before."""
    cookies = source.context.cookies()
    target.context.add_cookies(
        [{"name": cookie["name"], "value": cookie["value"], "url": source.url} for cookie in cookies]
    )


@pytest.mark.proves("browser:5")
def test_without_javascript_the_way_in_is_explained(plain_page: Page, site: Site) -> None:
    """Without JavaScript a visitor reads what is missing, and sees no button that does nothing."""
    for path in ("/sign-in", "/sign-up"):
        plain_page.goto(site.url + path)
        expect(plain_page.locator("noscript p")).to_be_visible()
        expect(plain_page.get_by_role("button")).to_have_count(0)
        expect(plain_page.get_by_role("textbox")).to_have_count(0)


@pytest.mark.proves("browser:37")
def test_without_javascript_everything_else_works(
    page: Page, plain_page: Page, site: Site, authenticator: Authenticator
) -> None:
    """Rename, delete with its confirmation, and sign-out are plain forms."""
    sign_up(page, site)
    authenticator.replace()
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("[data-name]")).to_have_count(2)
    move_cookies(page, plain_page)
    plain_page.goto(f"{site.url}/passkeys")
    plain_page.locator("summary", has_text="Rename").first.click()
    plain_page.get_by_label("New name").first.fill("Phone")
    plain_page.get_by_role("button", name="Save").first.click()
    expect(plain_page.get_by_role("status").first).to_have_text("The passkey has its new name.")
    plain_page.get_by_role("button", name="Delete “Phone”").click()
    dialog = plain_page.get_by_role("dialog", name="Delete “Phone”?")
    dialog.get_by_role("button", name="Delete passkey").click()
    expect(plain_page.get_by_role("status").first).to_contain_text("The passkey was deleted here.")
    expect(plain_page.locator("[data-name]")).to_have_count(1)
    plain_page.get_by_role("button", name="Sign out").click()
    expect(plain_page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_without_javascript_refusals_are_said_in_words(
    page: Page, plain_page: Page, serve: Callable[..., Site], authenticator: Authenticator
) -> None:
    """A plain form that is refused leads back to the list, with the reason in words."""
    site = serve()
    sign_up(page, site)
    move_cookies(page, plain_page)
    plain_page.goto(f"{site.url}/passkeys")
    plain_page.locator("summary", has_text="Rename").click()
    plain_page.get_by_label("New name").fill(" ")
    plain_page.get_by_role("button", name="Save").first.click()
    expect(plain_page.get_by_role("alert").first).to_contain_text("This name is empty")


@pytest.mark.proves("browser:5", "browser:rule-6")
@pytest.mark.parametrize("path", ["/sign-in", "/sign-up"])
def test_without_the_browsers_help(page: Page, site: Site, path: str) -> None:
    """A browser that does not know passkeys says so on the page and shows no form that cannot work."""
    page.add_init_script("delete window.PublicKeyCredential")
    page.goto(site.url + path)
    expect(page.get_by_text("This browser cannot use passkeys here")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_plain_http_is_explained(page: Page, site: Site) -> None:
    """At an address without https the page says what is wrong and where to go instead."""
    page.goto(f"{site.url.replace('localhost', 'insecure.test')}/sign-in")
    expect(page.get_by_text("Browsers use passkeys at secure addresses only, which begin with https.")).to_be_visible()
    expect(page.get_by_role("complementary").get_by_role("link", name=site.url)).to_be_visible()
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_the_ip_address_leads_to_localhost(page: Page, site: Site) -> None:
    """Who opens 127.0.0.1 is sent to the same page at localhost, where passkeys work."""
    page.goto(f"{site.url.replace('localhost', '127.0.0.1')}/sign-up")
    expect(page).to_have_url(f"{site.url}/sign-up")


def test_an_ip_address_as_rp_id_is_explained(page: Page, serve: Callable[..., Site]) -> None:
    """Set up for an IP address, the page says that no browser takes it, and links to localhost."""
    site = serve(PASSKEY_RP_ID="127.0.0.1", PASSKEY_ORIGINS=["http://127.0.0.1:5000"])
    page.goto(f"{site.url.replace('localhost', '127.0.0.1')}/sign-in")
    expect(page.get_by_role("heading", name="Passkeys do not work at this address")).to_be_visible()
    expect(page.get_by_role("complementary").get_by_role("link")).to_have_attribute("href", f"{site.url}/")
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_complaints_are_heard(page: Page, site: Site, watch: Watch) -> None:
    """What goes wrong in a page without anybody seeing it fails its test: here it has to be cleared away."""
    page.goto(f"{site.url}/sign-up")
    with page.expect_event("pageerror"):
        page.evaluate(
            """
            console.info("said");
            document.body.append(Object.assign(document.createElement("script"), { textContent: "refused" }));
            setTimeout(() => { throw new Error("thrown"); });
            """
        )
    for text in ("said", "thrown", "Content Security Policy"):
        assert [complaint for complaint in watch.complaints if text in complaint], watch.complaints
    watch.complaints.clear()
