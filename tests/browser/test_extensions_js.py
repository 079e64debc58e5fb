"""Hints and extensions in Chromium, from the server's options to what the app is told."""

from __future__ import annotations

from typing import Any

import pytest
from browser.chromium import Authenticator, Site
from browser.test_passkey_js import run
from playwright.sync_api import Page

#: A page creates a passkey for Ada, and returns the kind of authenticator that made it, or the error's code. With an
#: attachment it asks for that, and not for long: nobody can answer.
CREATE = """
const client = new m.PasskeyClient();
const fetched = client.fetch;
client.fetch = async (...request) => {
  const answer = await fetched(...request);
  const envelope = await answer.json();
  const { publicKey } = envelope.data?.options ?? {};
  if (publicKey && given) {
    publicKey.timeout = 1000;
    publicKey.authenticatorSelection.authenticatorAttachment = given;
  }
  return new Response(JSON.stringify(envelope), { status: answer.status });
};
try {
  return (await client.signUp({ name: "ada" })).authenticatorAttachment;
} catch (error) {
  return error.code;
}
"""


@pytest.mark.parametrize(
    ("hint", "pair", "transport", "kind"),
    [
        ("security-key", "cross-platform", "internal", "platform"),
        ("client-device", "platform", "usb", "cross-platform"),
    ],
)
def test_hints_shut_nobody_out(serve: Any, page: Page, hint: str, pair: str, transport: str, kind: str) -> None:
    """Whoever has another kind of authenticator than is hinted at registers; the attachment would refuse them."""
    site: Site = serve(PASSKEY_HINTS=[hint])
    Authenticator(page, transport=transport, defaultBackupEligibility=False, defaultBackupState=False)
    page.goto(f"{site.url}/sign-up")
    assert run(page, CREATE, pair) == "cancelled"
    assert run(page, CREATE) == kind
