"""When pages load ``passkey-later.min.js``, how, and what they say where they cannot."""

from __future__ import annotations

import pytest
from browser.chromium import Authenticator, Site, Watch, sign_in, sign_out, sign_up
from playwright.sync_api import Page, Response, Route, expect


def cancel(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Press the button of a sign-up, and do not say who it is."""
    authenticator("setUserVerified", isUserVerified=False)
    authenticator.present(True)
    page.goto(f"{site.url}/sign-up")
    page.get_by_label("Name", exact=True).fill("Grace")
    page.get_by_role("button", name="Create an account with a passkey").click()


@pytest.mark.proves("browser:rule-13")
def test_only_when_something_is_refused(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Whoever signs up, out and in never loads it; the first refusal does, from the address that is kept for good."""
    loaded: list[Response] = []
    page.on("response", lambda answer: loaded.append(answer) if "passkey-later" in answer.url else None)
    sign_up(page, site)
    sign_out(page, authenticator)
    sign_in(page, authenticator)
    assert loaded == []
    sign_out(page, authenticator)
    cancel(page, site, authenticator)
    expect(page.get_by_role("status")).to_contain_text("No passkey was created, and no account.")
    assert [(answer.status, answer.headers["cache-control"]) for answer in loaded] == [
        (200, "public, max-age=31536000, immutable")
    ]


def test_where_it_cannot_be_loaded(page: Page, site: Site, authenticator: Authenticator, watch: Watch) -> None:
    """The person reads the page's own sentence for the code, as the demo has one, and the next try works."""
    page.route("**/passkey-later*", lambda route: route.abort())
    cancel(page, site, authenticator)
    status = page.get_by_role("status")
    expect(status).to_contain_text("No passkey was used.")
    expect(status).to_have_attribute("data-passkey-code", "cancelled")
    assert {"ERR_FAILED" in complaint for complaint in watch.complaints} == {True}
    watch.complaints.clear()
    authenticator("setUserVerified", isUserVerified=True)
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")


@pytest.mark.proves("browser:rule-1")
@pytest.mark.parametrize("source", ["'self'", "'nonce-abc'", "'nonce-abc' 'strict-dynamic'"])
def test_strict_policies_let_it_in(page: Page, site: Site, authenticator: Authenticator, source: str) -> None:
    """A policy for scripts that lets the module in also lets in what the module loads."""

    def answer(route: Route) -> None:
        response = route.fetch()
        policy = f"script-src {source}; require-trusted-types-for 'script'"
        headers = {**response.headers, "content-security-policy": policy}
        route.fulfill(
            response=response, headers=headers, body=response.text().replace("<script ", '<script nonce="abc" ')
        )

    page.route("**/sign-up", answer)
    cancel(page, site, authenticator)
    expect(page.get_by_role("status")).to_contain_text("No passkey was created, and no account.")
