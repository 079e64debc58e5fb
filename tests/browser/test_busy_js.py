"""A button from its press to the next page: what it says, where the focus is, and where its errors are shown."""

from __future__ import annotations

import pytest
from browser.chromium import Authenticator, Site, sign_up
from playwright.sync_api import Page, expect


def prepare(page: Page, site: Site, markup: str) -> None:
    """Sign somebody up, and put this into the page."""
    page.goto(f"{site.url}/sign-up")
    page.evaluate(
        """async (markup) => {
          const m = await import("/passkey/static/passkey.js");
          await m.passkey.signUp({ name: "ada" });
          document.querySelector("main").innerHTML = markup;
        }""",
        markup,
    )


@pytest.mark.proves("browser:10")
def test_busy_until_the_next_page(page: Page, site: Site, authenticator: Authenticator) -> None:
    """The button stays busy and says so while the next page is on its way, and the next page says what happened."""
    markup = """<button data-passkey="step-up" data-passkey-next="/slow" data-passkey-notice="Confirmed.">Go</button>
      <p role="status" data-passkey-status></p>"""
    prepare(page, site, markup)
    page.route("**/slow", lambda route: route.fulfill(status=204))  # the browser stays where it is
    button = page.get_by_role("button", name="Go")
    with page.expect_request("**/slow"):  # else it would come in the way of the next navigation
        button.click()
    expect(page.get_by_role("status")).to_have_text("Almost done.")
    expect(button).to_be_disabled()
    assert page.evaluate("document.activeElement.textContent") == "Go"
    page.goto(f"{site.url}/passkeys")
    expect(page.locator("[data-passkey-status]").first).to_have_text("Confirmed.")
    page.reload()
    expect(page.locator("[data-passkey-status]").first).to_be_empty()


def test_a_page_that_never_comes(page: Page, site: Site, authenticator: Authenticator) -> None:
    """When nothing comes, the button can be pressed again."""
    page.clock.install()
    prepare(page, site, '<button data-passkey="step-up" data-passkey-next="/slow">Go</button>')
    page.route("**/slow", lambda route: route.fulfill(status=204))  # the browser stays where it is
    button = page.get_by_role("button", name="Go")
    button.click()
    expect(button).to_be_disabled()
    page.wait_for_function("() => asked.length === 2")
    page.clock.fast_forward(11_000)
    expect(button).to_be_enabled()


@pytest.mark.proves("browser:10")
def test_the_focus_stays(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who cancels is where they were, and can press again."""
    prepare(page, site, '<button data-passkey="step-up">Go</button><p role="status" data-passkey-status></p>')
    authenticator("setUserVerified", isUserVerified=False)
    button = page.get_by_role("button", name="Go")
    button.click()
    expect(page.get_by_role("status")).to_contain_text("Nothing was changed.")
    expect(button).to_be_enabled()
    expect(button).to_be_focused()


def test_a_step_up_in_between_says_so(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who deletes a passkey and is asked for one reads why."""
    markup = '<button data-passkey="delete" data-passkey-id="AQ">Go</button><p role="status" data-passkey-status></p>'
    prepare(page, site, markup)
    page.evaluate(
        """async () => {
          const { passkey } = await import("/passkey/static/passkey.js");
          const refusal = () => Response.json({ code: 40091, msg: "", data: null }, { status: 403 });
          const { transport } = passkey;
          passkey.transport = async (url, init) => init.method === "DELETE" ? refusal() : transport(url, init);
        }"""
    )
    authenticator.present(False)
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("status")).to_have_text(
        "First confirm that it is you: follow the steps that your browser or device shows."
    )


@pytest.mark.proves("browser:10")
@pytest.mark.parametrize("number", [1, 2])
def test_errors_are_shown_in_their_form(page: Page, site: Site, authenticator: Authenticator, number: int) -> None:
    """Each form has its own messages, and those of the other are gone by the next press."""
    form = """<form data-passkey="sign-up"><input name="name"><button>Go</button>
      <p data-passkey-status></p><p data-passkey-alert></p></form>"""
    prepare(page, site, form * 2)
    for chosen in (3 - number, number):
        page.get_by_role("button", name="Go").nth(chosen - 1).click()
        expect(page.locator("[data-passkey-alert]").nth(chosen - 1)).to_have_text("Please enter a name.")
    expect(page.locator("[data-passkey-alert]").nth(2 - number)).to_be_empty()


def test_the_demo_says_what_is_missing(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A blank name is named as such in the demo, too."""
    page.goto(f"{site.url}/sign-up")
    page.get_by_label("Name", exact=True).fill("  ")
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_text("Please enter a name.").first).to_be_visible()
    sign_up(page, site)
