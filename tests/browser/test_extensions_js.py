"""Hints and extensions in Chromium, from the server's options to what the app is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from browser.chromium import Authenticator, Site
from browser.test_passkey_js import run
from flask import Flask
from playwright.sync_api import Page

from flask_passkey import signals
from flask_passkey.testing import b64url_decode

#: A page creates a passkey for Ada, and returns the kind of authenticator that made it, or the error's code. With an
#: attachment it asks for that, and not for long: nobody can answer.
CREATE = """
const client = new m.PasskeyClient();
const fetched = client.transport;
client.transport = async (...request) => {
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


@pytest.mark.proves("specification:hints", "browser:28")
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


class Told:
    """An app's hook that asks for what a test wants, and what the app was told of the answers."""

    def __init__(self) -> None:
        self.wanted: dict[str, Any] = {}
        self.extensions: list[tuple[str, dict[str, Any]]] = []

    def set_up(self, app: Flask) -> None:
        """Give an app the hook, and listen."""
        app.extensions["passkey"].extensions(lambda purpose, user: self.wanted)
        for signal in (signals.registered, signals.signed_in):
            signal.connect(self.note, app)

    def note(self, app: Flask, *, purpose: str, extensions: Mapping[str, Any], **_: object) -> None:
        """Note what a signal tells."""
        self.extensions.append((purpose, dict(extensions)))


@pytest.fixture
def told() -> Told:
    """Return the hook of an app."""
    return Told()


@pytest.fixture
def asking(serve: Callable[..., Site], told: Told, page: Page) -> Page:
    """A page of the demo with that hook, and an authenticator that has ``prf`` and ``largeBlob``."""
    site = serve(told.set_up)
    Authenticator(page, hasPrf=True, hasLargeBlob=True)
    page.goto(f"{site.url}/sign-up")
    return page


SIGN_UP = 'return (await new m.PasskeyClient().signUp({ name: "ada" })).clientExtensionResults;'
SIGN_IN = "return (await new m.PasskeyClient().authenticate()).clientExtensionResults;"


def test_prf_reaches_the_page(asking: Page, told: Told) -> None:
    """Salts reach the authenticator as bytes; the page gets secrets as text, and the app learns that there are some."""
    told.wanted = {"prf": {"eval": {"first": "bm90ZXM", "second": "-_8"}}}
    created = run(asking, SIGN_UP)
    assert created["prf"]["enabled"] is True and created["credProps"] == {"rk": True}
    first, again = (run(asking, SIGN_IN)["prf"]["results"] for _ in range(2))
    told.wanted = {"prf": {"eval": {"first": "-_8"}}}
    other = run(asking, SIGN_IN)["prf"]["results"]
    assert first == again and {name: len(b64url_decode(text)) for name, text in first.items()} == {
        "first": 32,
        "second": 32,
    }
    assert other == {"first": first["second"]}
    kept = {"credProps": {"rk": True}, "prf": {"enabled": True}}
    assert told.extensions == [("sign-up", kept), *[("sign-in", {"prf": {}})] * 3]


def test_large_blob_reaches_the_app(asking: Page, told: Told) -> None:
    """Bytes that the app has written to a passkey come back to page and app as the same text."""
    told.wanted = {"largeBlob": {"support": "required"}}
    assert run(asking, SIGN_UP)["largeBlob"] == {"supported": True}
    passkey = run(asking, "return (await new m.PasskeyClient().list())[0].id;")
    allowed = """
    const fetched = globalThis.fetch;
    globalThis.fetch = async (...request) => {
      const answer = await fetched(...request);
      const envelope = await answer.json();
      const { publicKey } = envelope.data.options ?? {};
      if (publicKey) publicKey.allowCredentials = [{ type: "public-key", id: given }];
      return new Response(JSON.stringify(envelope), { status: answer.status });
    };
    """
    for wanted in ({"write": "_-8AAQ"}, {"read": True}):
        told.wanted = {"largeBlob": wanted}
        told.extensions.append(("page", run(asking, allowed + SIGN_IN, passkey)))
    written, read = {"largeBlob": {"written": True}}, {"largeBlob": {"blob": "_-8AAQ"}}
    assert told.extensions[1:] == [("sign-in", written), ("page", written), ("sign-in", read), ("page", read)]
