"""Autofill: armed when it is really there, renewed in time, armed again after a failure, and never in a loop."""

from __future__ import annotations

import time
import uuid

import pytest
from browser.chromium import (
    NO_AUTOFILL,
    Authenticator,
    Site,
    Watch,
    requests_of,
    sign_in,
    sign_out,
    sign_up,
    wait_for_autofill,
)
from playwright.sync_api import Page, Request, Route, expect

LIFE = 300_000


def asked(page: Page) -> list[str]:
    """Return how the page asked the browser, oldest first: for autofill or with its dialog."""
    found: list[str] = page.evaluate("asked.map(({mediation}) => mediation ?? 'dialog')")
    return found


def open_sign_in(page: Page, site: Site) -> None:
    """Open the sign-in page under a clock of ours, and wait until autofill waits."""
    page.clock.install()
    page.goto(f"{site.url}/sign-in")
    wait_for_autofill(page)


def let_time_pass(site: Site, milliseconds: int) -> None:
    """Let the server's clock, by which ceremonies end, run ahead of everybody's."""
    with site.app.app_context():
        pending = site.app.extensions["passkey"].relying_party._pending
    pending._clock = lambda: time.time() + milliseconds / 1000


@pytest.mark.proves("browser:1")
def test_the_field_invites_passkeys(page: Page, site: Site, authenticator: Authenticator) -> None:
    """The name field's last autocomplete token is ``webauthn``, after a token for user names."""
    page.goto(f"{site.url}/sign-in")
    expect(page.get_by_label("Name")).to_have_attribute("autocomplete", "username webauthn")


@pytest.mark.proves("browser:11")
def test_renewed_before_the_server_forgets(page: Page, site: Site, authenticator: Authenticator) -> None:
    """On a page left open autofill gets new options at three quarters of their life, again and again."""
    authenticator.present(False)
    made = requests_of(page)
    open_sign_in(page, site)
    assert len(made) == 1
    page.clock.fast_forward(LIFE * 7 // 10)
    assert asked(page) == ["conditional"]
    for times in (2, 3):
        page.clock.fast_forward(LIFE * 3 // 4)
        wait_for_autofill(page, times)
        assert [request.method for request in made] == ["PUT"] * times


@pytest.mark.proves("browser:11")
def test_button_on_a_page_left_open(page: Page, site: Site, authenticator: Authenticator) -> None:
    """When the server has forgotten its first options, the page still signs people in at the first click."""
    sign_up(page, site)
    page.clock.install()
    sign_out(page, authenticator)
    let_time_pass(site, LIFE * 3)
    page.clock.fast_forward(LIFE * 3)
    wait_for_autofill(page, 2)
    sign_in(page, authenticator)


@pytest.mark.proves("browser:11")
def test_button_after_a_long_sleep(page: Page, site: Site, authenticator: Authenticator) -> None:
    """So does a page on a machine that slept, where no timer has noticed how late it is."""
    sign_up(page, site)
    page.clock.install()
    sign_out(page, authenticator)
    let_time_pass(site, LIFE * 3)
    page.clock.set_system_time(time.time() + LIFE * 3 / 1000)
    assert asked(page) == ["conditional"]
    sign_in(page, authenticator)


@pytest.mark.proves("browser:6", "browser:9")
def test_armed_again_after_a_cancelled_button(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who cancels the dialog can still pick a passkey in the field."""
    sign_up(page, site)
    sign_out(page, authenticator)
    page.evaluate(
        """() => {
          const original = CredentialsContainer.prototype.get;
          CredentialsContainer.prototype.get = async function (options) {
            if (options.mediation) return original.call(this, options);
            asked.push({});
            throw new DOMException("", "NotAllowedError");
          };
        }"""
    )
    page.get_by_role("button", name="Sign in with a passkey").click()
    wait_for_autofill(page, 2)
    assert asked(page) == ["conditional", "dialog", "conditional"]
    expect(page.get_by_role("status")).to_contain_text("No passkey was used. You can try again")


@pytest.mark.proves("browser:9")
def test_autofill_after_a_cancel(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who cancels the dialog and then picks a passkey in the field is signed in."""
    sign_up(page, site)
    sign_out(page, authenticator)
    authenticator("setUserVerified", isUserVerified=False)
    authenticator.present(True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("status")).to_contain_text("No passkey was used. You can try again")
    authenticator("setUserVerified", isUserVerified=True)
    page.get_by_label("Name").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")
    expect(page.get_by_text("Last used today")).to_be_visible()


@pytest.mark.proves("browser:rule-9")
def test_an_authenticator_that_always_answers_does_not_loop(
    page: Page, site: Site, authenticator: Authenticator, watch: Watch
) -> None:
    """One retry of its own accord, then autofill waits for the person, who reads what happened."""
    sign_up(page, site)
    authenticator("setResponseOverrideBits", isBogusSignature=True)
    watch.expected_statuses = {401}
    made = requests_of(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("alert")).to_have_text("The passkey could not be verified. Please try again.")
    wait_for_autofill(page, 2)
    page.wait_for_load_state("networkidle")
    assert [request.method for request in made] == ["PUT", "POST"] * 2
    authenticator("setResponseOverrideBits", isBogusSignature=False)
    page.get_by_label("Name").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")


@pytest.mark.proves("browser:11")
def test_an_expired_ceremony_is_retried_once(
    page: Page, site: Site, authenticator: Authenticator, watch: Watch
) -> None:
    """When the server has forgotten the ceremony that a pick belongs to, a new one is begun by itself."""
    sign_up(page, site)
    watch.expected_statuses = {404}
    posts: list[Request] = []

    def spoil_the_first(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        posts.append(route.request)
        body = dict(route.request.post_data_json or {})
        if len(posts) == 1:
            body["session_id"] = str(uuid.uuid4())
        return route.continue_(post_data=body)

    page.route("**/session/authn", spoil_the_first)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")
    assert len(posts) == 2


@pytest.mark.proves("browser:2", "browser:6")
def test_not_armed_where_the_browser_has_none(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A browser that says no to conditional mediation is not asked for it; the button works."""
    sign_up(page, site)
    page.add_init_script(NO_AUTOFILL)
    sign_out(page, authenticator, autofill=False)
    sign_in_button = page.get_by_role("button", name="Sign in with a passkey")
    expect(sign_in_button).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert asked(page) == []
    sign_in(page, authenticator)


@pytest.mark.proves("browser:rule-3")
def test_armed_again_on_a_page_that_was_kept(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A page that the browser puts aside ends its ceremony, and begins another when it is brought back."""
    authenticator.present(False)
    page.goto(f"{site.url}/sign-in")
    wait_for_autofill(page)
    page.evaluate("async () => { dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })); }")
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert asked(page) == ["conditional"]
    page.evaluate("() => { dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })); }")
    wait_for_autofill(page, 2)


def test_back_from_another_page(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who comes back to the sign-in page finds autofill waiting again."""
    authenticator.present(False)
    page.goto(f"{site.url}/sign-in")
    wait_for_autofill(page)
    page.get_by_role("link", name="Create one").click()
    page.go_back()
    wait_for_autofill(page)
