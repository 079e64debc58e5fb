"""The name field of a sign-in: what is typed counts where the server takes names, and nobody is misled where not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser.chromium import NO_AUTOFILL, Authenticator, Site
from browser.test_security_keys import add_find_user
from playwright.sync_api import Page, Request, expect

FORM = """<form data-passkey="authenticate" data-passkey-next="/passkeys" {names}>
  <input aria-label="User name" autocomplete="username webauthn"><button>Go</button></form>"""


@pytest.mark.parametrize("names", ["data-passkey-names", ""])
@pytest.mark.parametrize("typed", ["  ada ", "nobody", ""])
def test_a_typed_name(
    page: Page, serve: Callable[..., Site], authenticator: Authenticator, names: str, typed: str
) -> None:
    """It is sent where the page says so; whoever is signed in under another one reads so on the next page."""
    page.add_init_script(NO_AUTOFILL)
    site = serve(add_find_user, PASSKEY_USERNAME_FIRST=True)
    page.goto(f"{site.url}/sign-up")
    page.evaluate("import('/passkey/static/passkey.js').then((m) => m.passkey.signUp({ name: 'Ada' }))")
    page.evaluate("(form) => { document.querySelector('main').innerHTML = form; }", FORM.format(names=names))
    begun: list[Request] = []
    page.on("request", lambda request: begun.append(request) if request.method == "PUT" else None)
    page.get_by_label("User name").fill(typed)
    page.evaluate("document.querySelector('main form').requestSubmit()")
    if names and typed == "nobody":  # a decoy's passkeys are nowhere
        page.wait_for_function("() => asked.length === 2")
    else:
        page.wait_for_url("**/passkeys")
        said = "You are signed in as Ada." if typed == "nobody" else ""
        expect(page.locator("[data-passkey-status]").first).to_have_text(said)
    sent = [(request.post_data_json or {}).get("user_name") for request in begun]
    assert sent[-1] == (typed.strip() or None if names else None)
