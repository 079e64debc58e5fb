"""What newer browsers add: a passkey made by itself after a password sign-in, and a dialog only where one is near."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser.chromium import NO_AUTOFILL, Authenticator, Site, Watch, requests_of, sign_in, sign_out, sign_up
from flask import Flask, redirect
from flask_login import current_user, login_user
from playwright.sync_api import Page, expect

#: Headless Chromium says that it can, and never answers. With this it answers at once, as a password manager does.
WILLING = """
const create = CredentialsContainer.prototype.create;
CredentialsContainer.prototype.create = function ({ mediation, ...options }) { return create.call(this, options); };
"""
#: The page after the sign-in.
LANDING = """<!doctype html><html lang="en"><title>Home</title><link rel="icon" href="/static/icon.svg">
<script type="module" src="/passkey/static/passkey.js"></script>
<main {offer}><h1>Home of {name}</h1><p role="status" data-passkey-status></p>
<button data-passkey="register">Add a passkey</button></main>"""


def add_passwords(app: Flask) -> None:
    """Let the demo have a password sign-in, as many sites do, and the page that comes after it."""
    passkey = app.extensions["passkey"]

    @app.get("/password/<name>")
    def password(name: str) -> Any:
        login_user(app.extensions["demo_accounts"].create(name, ""))
        passkey.offer_passkey()
        return redirect("/home")

    @app.get("/home")
    def home() -> str:
        offer = "data-passkey-offer" if passkey.passkey_offered() else ""
        return LANDING.format(name=current_user.name, offer=offer)


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    """The demo, with passwords."""
    return serve(prepare=add_passwords)


def creations(page: Page) -> list[str | None]:
    """Return the mediation of every creation that the page asked for."""
    found: list[str | None] = page.evaluate(
        "asked.filter(({ method }) => method === 'create').map(({ mediation }) => mediation ?? null)"
    )
    return found


@pytest.mark.proves("browser:24")
@pytest.mark.parametrize("quirk", [{"isBadUP": True}, {"isBadUV": True}])
def test_a_password_manager_makes_a_passkey(
    page: Page, site: Site, authenticator: Authenticator, quirk: dict[str, bool]
) -> None:
    """After a password sign-in the page gets a passkey without a click, though nobody was there, and says so, once."""
    page.add_init_script(WILLING)
    authenticator("setResponseOverrideBits", **quirk)
    made = requests_of(page)
    page.goto(f"{site.url}/password/ada")
    expect(page.get_by_role("status")).to_contain_text("Your password manager made a passkey")
    assert [(request.method, request.post_data_json) for request in made][0] == ("PUT", {"conditional": True})
    assert len(authenticator.credentials) == 1
    authenticator("setResponseOverrideBits", isBadUP=False, isBadUV=False)
    page.reload()
    page.wait_for_load_state("networkidle")
    assert [request.method for request in made] == ["PUT", "POST"]
    page.context.clear_cookies()
    page.goto(f"{site.url}/sign-in")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")


@pytest.mark.proves("browser:24", "browser:rule-4")
def test_a_browser_that_never_answers_holds_nothing_up(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Headless Chromium never settles: the try ends by itself, silently, and a button does not wait for that."""
    page.goto(f"{site.url}/password/ada")
    page.wait_for_function("() => asked.length === 1")
    assert creations(page) == ["conditional"]
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("status")).to_have_text("Done.")
    assert creations(page) == ["conditional", None]
    assert len(authenticator.credentials) == 1
    page.goto(f"{site.url}/password/eve")
    page.wait_for_function("() => asked.length === 1")
    ended = page.evaluate(
        """async () => {
          const m = await import("/passkey/static/passkey.js");
          const busy = await m.passkey.conditionalCreate();
          m.WebAuthnAbortService.cancelCeremony();
          const data = { session_id: "1", options: { publicKey: (await (await fetch("/user/authn", {
            method: "PUT", headers: { "Content-Type": "application/json" }, body: "{}",
          })).json()).data.options.publicKey } };
          const client = new m.PasskeyClient({ fetch: async () => new Response(JSON.stringify({ code: 0, data })) });
          const late = new Promise((resolve) => setTimeout(resolve, 10_000, "late"));
          return [busy, await Promise.race([client.conditionalCreate({ timeout: 50 }), late]), asked.length];
        }"""
    )
    assert ended == [None, None, 2]
    expect(page.get_by_role("status")).to_be_empty()


@pytest.mark.proves("browser:24", "browser:rule-6")
@pytest.mark.parametrize(
    "browser_says",
    [
        "PublicKeyCredential.getClientCapabilities = async () => ({ conditionalGet: true })",
        "PublicKeyCredential.getClientCapabilities = async () => { throw new Error('no') }",
        "delete window.PublicKeyCredential",
    ],
)
def test_only_where_the_browser_says_that_it_can(page: Page, site: Site, browser_says: str) -> None:
    """Without a clear yes nothing is asked, of the browser or of the server, and the offer stays."""
    page.add_init_script(browser_says)
    made = requests_of(page)
    page.goto(f"{site.url}/password/ada")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("asked") == [] and made == []
    page.reload()
    expect(page.locator("[data-passkey-offer]")).to_have_count(1)


@pytest.mark.proves("browser:24")
@pytest.mark.parametrize("name", ["InvalidStateError", "NotAllowedError", "NotSupportedError"])
def test_what_the_browser_says_no_with_is_swallowed(page: Page, site: Site, name: str) -> None:
    """A passkey that is there already, a manager that does not want to, a browser that cannot after all: silence."""
    page.add_init_script(
        f"""
        globalThis.events = [];
        for (const name of ["passkey:error", "passkey:success"]) addEventListener(name, () => events.push(name));
        CredentialsContainer.prototype.create = async ({{ mediation }}) => {{
          events.push(mediation);
          throw new DOMException("no", "{name}");
        }};
        """
    )
    page.goto(f"{site.url}/password/ada")
    page.wait_for_function("() => events.length > 0")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("status")).to_be_empty()
    assert page.evaluate("events") == ["conditional"]


def test_without_an_offer_the_server_says_no(
    page: Page, site: Site, authenticator: Authenticator, watch: Watch
) -> None:
    """A page that asks without an offer gets no options, and its visitor hears nothing of it."""
    page.add_init_script(WILLING)
    sign_up(page, site)
    watch.expected_statuses = {403}
    assert page.evaluate("import('/passkey/static/passkey.js').then((m) => m.passkey.conditionalCreate())") is None
    assert len(authenticator.credentials) == 1


IMMEDIATE = """() => {
  const form = document.querySelector("form[data-passkey]");
  form.dataset.passkeyImmediate = "";
  form.querySelector("input").blur();
  globalThis.modes = [];
  const get = CredentialsContainer.prototype.get;
  CredentialsContainer.prototype.get = function (options) {
    modes.push([options.uiMode ?? null, "signal" in options, options.publicKey.allowCredentials?.length ?? 0]);
    return get.call(this, options);
  };
}"""


@pytest.mark.proves("browser:20")
def test_immediate_sign_in(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A press of the button signs in with the passkey that is on this device."""
    page.add_init_script(NO_AUTOFILL)
    sign_up(page, site)
    sign_out(page, authenticator, autofill=False)
    page.evaluate(IMMEDIATE)
    page.evaluate("addEventListener('passkey:success', () => sessionStorage.setItem('modes', JSON.stringify(modes)))")
    sign_in(page, authenticator)
    assert page.evaluate("JSON.parse(sessionStorage.getItem('modes'))") == [["immediate", False, 0]]


@pytest.mark.proves("browser:20")
def test_immediate_without_a_passkey_leads_to_the_form(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Where there is none, one calm line and the name field; the next press opens the dialog for other devices."""
    page.add_init_script(NO_AUTOFILL)
    page.goto(f"{site.url}/sign-in")
    page.evaluate(IMMEDIATE)
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.click()
    expect(page.get_by_role("status")).to_contain_text("No passkey was used.")
    expect(page.get_by_label("Name")).to_be_focused()
    button.click()
    page.wait_for_function("() => modes.length === 2")
    assert page.evaluate("modes") == [["immediate", False, 0], [None, True, 0]]


def test_immediate_is_for_people_who_gave_no_name(page: Page, site: Site, authenticator: Authenticator) -> None:
    """With a name there is a list of passkeys, which browsers do not take in this mode: it is a dialog then."""
    page.add_init_script(NO_AUTOFILL)
    page.goto(f"{site.url}/sign-in")
    page.evaluate(IMMEDIATE)
    page.evaluate(
        """async () => {
          const { PasskeyClient } = await import("/passkey/static/passkey.js");
          const publicKey = { challenge: "AQ", allowCredentials: [{ type: "public-key", id: "AQ" }] };
          const data = { session_id: "1", options: { publicKey } };
          const client = new PasskeyClient({ fetch: async () => new Response(JSON.stringify({ code: 0, data })) });
          await client.authenticate({ userName: "ada", uiMode: "immediate" }).catch(() => {});
        }"""
    )
    assert page.evaluate("modes") == [[None, True, 1]]


def test_immediate_is_the_pages_to_handle(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A page that prevents the default of the event goes on in its own way: no words, no focus."""
    page.add_init_script(NO_AUTOFILL)
    page.goto(f"{site.url}/sign-in")
    page.evaluate(IMMEDIATE)
    page.evaluate(
        """addEventListener("passkey:error", (event) => {
          event.preventDefault();
          globalThis.heard = event.detail.code;
        })"""
    )
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_function("() => globalThis.heard === 'cancelled'")
    expect(page.get_by_role("status")).to_be_empty()
    expect(page.get_by_label("Name")).not_to_be_focused()
