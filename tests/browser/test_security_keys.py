"""Security keys that keep no passkeys themselves: people register one and sign in by name, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser.chromium import NO_AUTOFILL, Authenticator, Site, sign_in, sign_out, sign_up
from flask import Flask
from often import seldom_but
from playwright.sync_api import Page, expect

from demo.accounts import Account, Accounts, demo_account, name_key
from flask_passkey import Passkey

pytestmark = pytest.mark.proves("frictions:F")

#: On USB, and no passkey on it can be copied to anywhere.
ON_USB = {"transport": "usb", "defaultBackupEligibility": False, "defaultBackupState": False}
#: A key of FIDO2 with a PIN, but without room for passkeys, and how its app has to verify people.
WITHOUT_ROOM = {**ON_USB, "hasResidentKey": False}
#: A key from before FIDO2: it has room for nothing and verifies nobody.
U2F = {**ON_USB, "protocol": "u2f", "hasResidentKey": False, "hasUserVerification": False}
#: Do something with the client; return whose passkey answered, or why none did.
WITH_CLIENT = """
  async ([action, options]) => {
    const { PasskeyClient } = await import("/passkey/static/passkey.js");
    return new PasskeyClient()[action](options).then(({ user }) => user.name, ({ code }) => code);
  }
"""


def add_find_user(app: Flask) -> None:
    """Let the demo find accounts by their name."""
    accounts: Accounts = app.extensions["demo_accounts"]
    passkey: Passkey = app.extensions["passkey"]

    @passkey.find_user
    def find_user(name: str) -> Account | None:
        with app.extensions["passkey"].credentials.reading() as connection:
            found = demo_account.select().where(demo_account.c.name_key == name_key(name))
            row = connection.execute(found).one_or_none()
        return None if row is None else accounts.get(row.id)


@pytest.fixture
def start(serve: Callable[..., Site], page: Page) -> Callable[..., Site]:
    """Start the demo with sign-in by name, and some settings."""
    page.add_init_script(NO_AUTOFILL)
    return lambda **config: serve(
        add_find_user, **{"PASSKEY_USERNAME_FIRST": True, "PASSKEY_TIMEOUT": 60_000, **config}
    )


def with_client(page: Page, action: str, **options: str) -> str:
    """Let passkey.js do something while somebody touches the key; return who answered, or why nobody did."""
    said: str = page.evaluate(WITH_CLIENT, [action, options])
    return said


def sign_in_by_name(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Sign out, and in again by name."""
    sign_out(page, authenticator, autofill=False)
    authenticator.present(True)
    assert with_client(page, "authenticate", userName="Ada") == "Ada"
    page.goto(f"{site.url}/passkeys")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")


@pytest.mark.parametrize(
    ("key", "user_verification"),
    [(WITHOUT_ROOM, "required"), (WITHOUT_ROOM, "preferred"), (U2F, "preferred"), (U2F, "discouraged")],
)
@pytest.mark.parametrize("attestation", seldom_but(["none"], ["none", "direct"]))
def test_a_key_that_keeps_no_passkeys(
    page: Page, start: Callable[..., Site], key: dict[str, Any], user_verification: str, attestation: str
) -> None:
    """Somebody makes an account with it, signs in by name again and again, and steps up with it."""
    site = start(PASSKEY_USER_VERIFICATION=user_verification, PASSKEY_ATTESTATION=attestation)
    authenticator = Authenticator(page, **key)
    sign_up(page, site)
    (kept,) = authenticator.credentials
    assert not kept["isResidentCredential"]
    for _ in range(2):
        sign_in_by_name(page, site, authenticator)
    assert with_client(page, "stepUp") == "Ada"


@pytest.mark.parametrize("key", [{}, ON_USB])
def test_a_key_with_room_needs_no_name_in_the_same_app(
    page: Page, start: Callable[..., Site], key: dict[str, Any]
) -> None:
    """What can keep a passkey does so, and signs in with and without a name."""
    site = start()
    authenticator = Authenticator(page, **key)
    sign_up(page, site)
    (kept,) = authenticator.credentials
    assert kept["isResidentCredential"]
    sign_out(page, authenticator, autofill=False)
    sign_in(page, authenticator)
    sign_in_by_name(page, site, authenticator)


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        (WITHOUT_ROOM, {"PASSKEY_USERNAME_FIRST": False}),
        (U2F, {"PASSKEY_USERNAME_FIRST": False, "PASSKEY_USER_VERIFICATION": "preferred"}),
        (U2F, {}),
    ],
)
def test_a_key_that_cannot_do_what_the_settings_ask_is_not_registered(
    page: Page, start: Callable[..., Site], key: dict[str, Any], settings: dict[str, Any]
) -> None:
    """Without sign-in by name it needs room for a passkey, and as the settings come it has to verify people."""
    site = start(**settings)
    authenticator = Authenticator(page, **key)
    page.goto(f"{site.url}/sign-up")
    said = with_client(page, "signUp", name="Ada")
    assert said in ("cancelled", "unsupported_device")
    assert authenticator.credentials == []
