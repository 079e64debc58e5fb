"""An error that is about a field is tied to the field, for people who hear the page."""

from __future__ import annotations

import re

import pytest
from browser.chromium import Authenticator, Site, Watch, sign_out, sign_up
from playwright.sync_api import Page, Route, expect

BUTTON = "Create an account with a passkey"
#: A form without a word about its messages, which have no ids.
BARE = """([more, hint]) => {
  const form = document.querySelector("form[data-passkey='sign-up']");
  form.noValidate = true;
  form.insertAdjacentHTML("afterbegin", more);
  for (const element of document.querySelectorAll("[data-passkey-alert]")) element.removeAttribute("id");
  const { name } = form.elements;
  name.removeAttribute("aria-describedby");
  if (hint) name.setAttribute("aria-describedby", hint);
}"""


@pytest.fixture(autouse=True)
def watch(watch: Watch) -> Watch:
    """Chromium reports what the server refuses."""
    watch.expected_statuses = {400, 409}
    return watch


def refused(page: Page, site: Site, name: str, *, more: str = "", hint: str = "") -> None:
    """Try to sign up."""
    page.goto(f"{site.url}/sign-up")
    page.evaluate(BARE, [more, hint])
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("alert")).not_to_be_empty()


@pytest.mark.proves("browser:10")
@pytest.mark.parametrize(
    ("name", "said"), [(" ", "enter a name"), ("Ada", "name is taken"), ("a\u200b\u202eb", "what you entered")]
)
def test_the_name(page: Page, site: Site, authenticator: Authenticator, name: str, said: str) -> None:
    """A name that is missing, taken or impossible is marked, and the message is its description until it changes."""
    sign_up(page, site)
    sign_out(page, authenticator)
    refused(page, site, name, hint="name-hint")
    field = page.get_by_label("Name", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile(f"Your passkey.*{said}"))
    field.press_sequentially("x")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(field).to_have_attribute("aria-describedby", "name-hint")


def test_another_try_begins_without_marks(page: Page, site: Site, authenticator: Authenticator) -> None:
    """What a try has marked is forgotten at the next one, also when nobody typed anything."""
    refused(page, site, " ")
    field = page.get_by_label("Name", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    page.evaluate("document.querySelector('[name=name]').value = 'Grace'")
    held: list[Route] = []
    page.route("**/user/authn", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/user/authn"):
        page.get_by_role("button", name=BUTTON).click()
    expect(field).not_to_have_attribute("aria-invalid", "true")
    assert field.get_attribute("aria-describedby") is None
    held[0].continue_()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")


@pytest.mark.proves("browser:10")
def test_a_field_of_the_app(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Of what the server calls malformed the field of this name is marked, and no other."""
    more = f'<input name="mail" aria-label="Mail" data-passkey-field value="{"x" * 5000}">'
    refused(page, site, "Grace", more=more)
    expect(page.get_by_label("Mail")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Mail")).to_have_accessible_description("Please check what you entered.")
    expect(page.get_by_label("Name", exact=True)).not_to_have_attribute("aria-invalid", "true")


def test_an_error_of_no_field_marks_none(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A cancelled dialog is nobody's mistake."""
    authenticator("setUserVerified", isUserVerified=False)
    page.goto(f"{site.url}/sign-up")
    page.get_by_label("Name", exact=True).fill("Grace")
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("status")).to_contain_text("No passkey was created")
    expect(page.locator("[aria-invalid]")).to_have_count(0)
