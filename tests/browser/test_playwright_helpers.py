"""The virtual authenticators of ``flask_passkey.testing.playwright``, in a real Chromium, with the demo behind it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import NO_AUTOFILL, Site
from playwright.sync_api import BrowserContext, Page, expect

from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up
from flask_passkey.testing.playwright import ChromiumAuthenticator, ContextAuthenticator

#: What a device has to be for Playwright's own authenticator.
DEVICE_BOUND: dict[str, Any] = {"default_backup_eligibility": False, "default_backup_state": False}


@pytest.fixture
def playwrights(context: BrowserContext) -> ContextAuthenticator:
    """Playwright's own authenticator, where this Playwright has one."""
    if not hasattr(context, "credentials"):
        pytest.skip("Playwright has it from 1.61 on")
    return ContextAuthenticator(context)


def device(site: Site, **how: Any) -> VirtualAuthenticator:
    """Return a device with which Ada has signed up, without a browser."""
    made = VirtualAuthenticator(site.url, algorithm=-7, **how)
    sign_up(site.app.test_client(), made, "ada", passkey_name="From Python")
    return made


def sign_in_here(page: Page, site: Site) -> None:
    """Sign in by autofill, which takes the passkey at once."""
    page.goto(f"{site.url}/sign-in")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")
    expect(page.get_by_role("heading", level=2).first).to_contain_text("From Python")


def make_account(page: Page, site: Site) -> None:
    """Sign up by the form of the demo."""
    page.goto(f"{site.url}/sign-up")
    page.get_by_label("Name", exact=True).fill("grace")
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")


def test_chromium_signs_in_with_a_passkey_from_python(page: Page, site: Site) -> None:
    """A passkey that a test has made without a browser signs in with one, and is told as it was."""
    phone = device(site)
    authenticator = ChromiumAuthenticator(page)
    authenticator.load(phone)
    [loaded] = authenticator.credentials
    [original] = phone.credentials
    assert (loaded.id, loaded.user_handle, loaded.rp_id) == (original.id, original.user_handle, "localhost")
    assert (loaded.user_name, loaded.backup_eligibility, loaded.backup_state) == ("ada", True, True)
    sign_in_here(page, site)


def test_the_example_runs(page: Page, site: Site) -> None:
    """The example of docs/howto/testing.md runs, with the demo for a server."""
    document = (Path(__file__).parents[2] / "docs" / "howto" / "testing.md").read_text("utf-8")
    [example] = [
        block for block in re.findall(r"^```python\n(.*?)^```$", document, re.M | re.S) if "live_server" in block
    ]
    names: dict[str, Any] = {"VirtualAuthenticator": VirtualAuthenticator, "sign_up": sign_up}
    exec(example, names)
    names["test_sign_in_page"](page, site.app, site)


def test_python_signs_in_with_a_passkey_from_chromium(page: Page, site: Site) -> None:
    """A passkey that a page has made signs in without a browser."""
    authenticator = ChromiumAuthenticator(page)
    make_account(page, site)
    phone = VirtualAuthenticator(site.url, credentials=authenticator.credentials)
    assert sign_in(site.app.test_client(), phone)["user"]["name"] == "grace"
    authenticator.clear()
    assert authenticator.credentials == []


def test_nobody_there(page: Page, site: Site) -> None:
    """A request fails where the user is not verified, and waits while nobody is there."""
    page.add_init_script(NO_AUTOFILL)
    authenticator = ChromiumAuthenticator(page, transport="usb")
    authenticator.load(device(site))
    authenticator.set_verified(False)
    page.goto(f"{site.url}/sign-in")
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.click()
    expect(page.get_by_role("status").first).to_have_attribute("data-passkey-code", "cancelled")
    authenticator.set_verified(True)
    authenticator.set_present(False)
    button.click()
    expect(button).to_have_attribute("aria-disabled", "true")
    authenticator.remove()


def test_playwrights_own_signs_in_with_a_passkey_from_python(
    page: Page, site: Site, playwrights: ContextAuthenticator
) -> None:
    """The same with Playwright's own authenticator, for a device whose passkeys are not synced."""
    playwrights.load(device(site, **DEVICE_BOUND))
    sign_in_here(page, site)
    [held] = playwrights.credentials
    assert held.sign_count == 1


def test_python_signs_in_with_a_passkey_from_playwrights_own(
    page: Page, site: Site, playwrights: ContextAuthenticator
) -> None:
    """And the other way round, with the counter where it was left."""
    make_account(page, site)
    phone = VirtualAuthenticator(site.url, credentials=playwrights.credentials, sign_count_step=1, **DEVICE_BOUND)
    assert sign_in(site.app.test_client(), phone)["user"]["name"] == "grace"
    playwrights.clear()
    assert playwrights.credentials == []


def test_what_they_cannot_hold_is_refused(page: Page, site: Site, playwrights: ContextAuthenticator) -> None:
    """Other keys and, for Playwright's own, synced passkeys are refused with what to write."""
    other = VirtualAuthenticator(site.url, algorithm=-8, **DEVICE_BOUND)
    sign_up(site.app.test_client(), other, "eve")
    for authenticator in (ChromiumAuthenticator(page), playwrights):
        with pytest.raises(ValueError, match="algorithm=-7"):
            authenticator.load(other)
    with pytest.raises(ValueError, match="default_backup_eligibility=False"):
        playwrights.load(device(site))
