"""What tests do with the demo in Chromium: people, their authenticators, and everything the browser complains about."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from playwright.sync_api import ConsoleMessage, Page, Request, expect

import flask_passkey
from demo.accounts import demo_account
from flask_passkey.testing.playwright import ChromiumAuthenticator

#: The script under test, and the parts of it without side effects: the client, and the ceremonies alone.
MODULE = Path(flask_passkey.__file__).parent / "static" / "passkey.js"
CLIENT, CORE = MODULE.with_name("passkey-client.js"), MODULE.with_name("passkey-core.js")
#: Each imports those before it.
LAYERS = (CORE, CLIENT, MODULE)
#: Lets tests see what the page asked of the browser: ``asked`` has the method and mediation of every ceremony.
SPY = """
globalThis.asked = [];
for (const method of ["get", "create"]) {
  const original = globalThis.CredentialsContainer?.prototype[method];
  if (original) CredentialsContainer.prototype[method] = function (options) {
    asked.push({ method, mediation: options.mediation, signal: options.signal });
    return original.call(this, options);
  };
}
"""
#: Autofill answers at once while somebody is there; a test of the button may not want that.
NO_AUTOFILL = "PublicKeyCredential.isConditionalMediationAvailable = async () => false"


@dataclass(slots=True)
class Site:
    """The demo, served."""

    app: Flask
    url: str
    port: int


@dataclass
class Watch:
    """Everything that comes to the console of a test's pages: from scripts, and what the browser complains about."""

    complaints: list[str] = field(default_factory=list)
    #: Statuses that the test provokes; Chromium reports each such answer as an error.
    expected_statuses: set[int] = field(default_factory=set)

    def follow(self, page: Page) -> None:
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.complaints.append(f"pageerror: {error}"))

    def _note_console(self, message: ConsoleMessage) -> None:
        refused = "Failed to load resource: the server responded with a status of "
        status = message.text.removeprefix(refused)[:3] if message.text.startswith(refused) else ""
        # Chromium asks for the icon after the page is there, when the test may have stopped the server.
        is_cut_off = "net::ERR_CONNECTION" in message.text and message.location["url"].endswith("/favicon.ico")
        if not (is_cut_off or (status and int(status) in self.expected_statuses)):
            self.complaints.append(f"{message.type}: {message.text}")


class Authenticator:
    """A virtual authenticator of one page, and what Chromium says of its credentials.

    :param options: members of ``VirtualAuthenticatorOptions`` that differ from a synced passkey's.
    """

    def __init__(self, page: Page, **options: Any) -> None:
        self._page, self._made = page, ChromiumAuthenticator(page, **options)

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._made.command(method, **parameters)

    @property
    def credentials(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] = self("getCredentials")["credentials"]
        return kept

    def present(self, on: bool) -> None:
        """Say whether somebody is there who answers every request at once; else requests wait."""
        self._made.set_present(on)

    def replace(self, **options: Any) -> None:
        """Put another authenticator in the place of this one, as with another phone."""
        self._made.remove()
        self._made = ChromiumAuthenticator(self._page, **options)


def sign_up(page: Page, site: Site, *, name: str = "Ada", display_name: str = "") -> None:
    """Create an account as a person would, and wait until the page has said so: that moves what is below it."""
    page.goto(f"{site.url}/sign-up")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("What should we call you?").fill(display_name)
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")
    expect(page.get_by_role("status").first).to_have_text("Welcome! Your account and its passkey are ready.")


def sign_out(page: Page, authenticator: Authenticator, *, autofill: bool = True) -> None:
    """Sign out, and keep the hands off the sign-in page: nobody picks a passkey there yet.

    :param autofill: wait until autofill waits; Chromium has it only with an authenticator inside the machine.
    """
    authenticator.present(False)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    if autofill:
        wait_for_autofill(page)


def wait_for_autofill(page: Page, times: int = 1) -> None:
    """Wait until the page has asked for autofill, and the browser has got that far.

    A request that meets somebody who is ``present`` is answered at once, and one that came before waits for a click:
    so let the browser answer what was asked behind it, twice, as it hands each request on to the authenticator.
    """
    page.wait_for_function("times => asked.filter(({mediation}) => mediation).length >= times", arg=times)
    for _ in range(2):
        page.evaluate("globalThis.PublicKeyCredential?.isConditionalMediationAvailable()")


def sign_in(page: Page, authenticator: Authenticator) -> None:
    """Sign in with the button."""
    authenticator.present(True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")


def requests_of(page: Page) -> list[Request]:
    """Collect the requests of our routes that the page makes from now on."""
    made: list[Request] = []
    page.on("request", lambda request: made.append(request) if "/authn" in request.url else None)
    return made


def account_id(site: Site) -> str:
    """Return the id of the only account."""
    with site.app.app_context(), site.app.extensions["passkey"].credentials.transaction() as connection:
        found: str = connection.execute(demo_account.select()).one().id
        return found


def forget_passkeys(site: Site) -> None:
    """Delete all passkeys on the server, behind the browser's back."""
    user_id = account_id(site)
    with site.app.app_context():
        credentials = site.app.extensions["passkey"].credentials
        for record in credentials.of_user(user_id):
            credentials.delete(record.id, user_id=user_id, keep_last=False)
