"""The demo in Firefox, whose ways with pending requests, signals and errors are its own.

Nobody picks a passkey in the name field here: autofill stays pending, as with people who do not look at it.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from browser.chromium import SPY, Site, forget_passkeys
from browser.firefox import Firefox, firefox, wait
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask, Response, request

from flask_passkey.web import sessions

STATUS, ALERT = "[role=status]", "[role=alert]"
SIGN_IN = "Sign in with a passkey"
SIGN_UP = "Create an account with a passkey"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Firefox, for all tests here."""
    with firefox(tmp_path_factory.mktemp("firefox")) as started:
        yield started


@pytest.fixture
def fox(running: Firefox) -> Iterator[Firefox]:
    """Firefox without a past; fails the test for anything it complained about."""
    running.start_afresh()
    yield running
    assert running.complaints() == []


@pytest.fixture
def asked(fox: Firefox) -> Callable[[], list[str]]:
    """How the page asked Firefox, oldest first: for autofill or with its dialog."""
    return lambda: fox.run("return asked.map(({mediation}) => mediation ?? 'dialog')")


@pytest.fixture
def calls() -> list[str]:
    """The methods of the requests of our routes, as they come."""
    return []


@pytest.fixture
def site(fox: Firefox, serve: Callable[..., Site], calls: list[str]) -> Site:
    """The demo, with the spy in its pages; served until Firefox is done with them."""

    def prepare(app: Flask) -> None:
        app.add_url_rule("/spy.js", view_func=lambda: Response(SPY, mimetype="text/javascript"), endpoint="spy")

        @app.after_request
        def send_spy(response: Any) -> Any:
            if "/authn" in request.path:
                calls.append(request.method)
            if response.mimetype == "text/html":
                page = response.get_data(as_text=True)
                response.set_data(page.replace("<head>", '<head><script src="/spy.js"></script>'))
            return response

    return serve(prepare)


def sign_up(fox: Firefox, site: Site) -> None:
    """Create an account."""
    fox.go(f"{site.url}/sign-up")
    fox.type_into("Name", "Ada")
    fox.press(SIGN_UP)
    fox.wait_for_text(STATUS, "Welcome! Your account and its passkey are ready.")


def sign_out(fox: Firefox, asked: Callable[[], list[str]]) -> None:
    """Sign out, and wait until autofill waits."""
    fox.press("Sign out")
    fox.wait_for_text("h1", "Sign in")
    wait(lambda: asked() == ["conditional"], lambda: f"autofill is not armed: {asked()}")


def row(fox: Firefox) -> str:
    """Return the name of the first passkey."""
    return fox.texts("[data-name]")[0]


@pytest.mark.proves("browser:7")
def test_sign_up_and_sign_in_while_autofill_waits(
    fox: Firefox, site: Site, asked: Callable[[], list[str]], calls: list[str]
) -> None:
    """The button takes over the ceremony that autofill holds; Firefox ends the older request by itself."""
    sign_up(fox, site)
    assert calls == ["PUT", "POST"]
    (credential,) = fox.credentials
    assert (credential["rpId"], credential["isResidentCredential"]) == ("localhost", True)
    sign_out(fox, asked)
    assert fox.texts(STATUS) == ["You are signed out."]
    fox.press(SIGN_IN)
    fox.wait_for_text("h1", "Your passkeys")
    assert calls[2:] == ["PUT", "POST"]
    fox.wait_for_text(".facts", "Last used today")


@pytest.mark.proves("browser:9")
def test_cancel_then_autofill_again(fox: Firefox, site: Site, asked: Callable[[], list[str]]) -> None:
    """Who cancels reads one calm line, autofill waits again, and the next try works."""
    sign_up(fox, site)
    sign_out(fox, asked)
    fox.verified(False)
    fox.press(SIGN_IN)
    fox.wait_for_text(STATUS, "No passkey was used. You can try again")
    assert fox.texts(ALERT) == []
    wait(lambda: asked() == ["conditional", "dialog", "conditional"], lambda: f"Firefox was asked for {asked()}")
    fox.verified(True)
    fox.press(SIGN_IN)
    fox.wait_for_text("h1", "Your passkeys")


@pytest.mark.proves("browser:27")
def test_the_same_device_cannot_have_two(fox: Firefox, site: Site) -> None:
    """A device that has a passkey already says so in friendly words and keeps the one it has."""
    sign_up(fox, site)
    fox.press("Add a passkey")
    fox.wait_for_text(STATUS, "This device or password manager already has a passkey for your account")
    assert len(fox.credentials) == 1


def test_step_up_in_the_middle_of_a_rename(
    fox: Firefox, site: Site, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last sign-in is too long ago, a rename asks for the passkey, then goes on by itself."""
    with monkeypatch.context() as yesterday:
        yesterday.setattr(sessions, "time", SimpleNamespace(time=lambda: time.time() - 86_400))
        sign_up(fox, site)
    del calls[:]
    fox.press(f"Rename “{row(fox)}”")
    fox.type_into("New name", "My phone")
    fox.press("Save")
    fox.wait_for_text(STATUS, "The passkey has its new name.")
    assert calls == ["PATCH", "PUT", "POST", "PATCH"]
    assert row(fox) == "My phone"


def test_add_and_delete_a_second_passkey(fox: Firefox, site: Site) -> None:
    """A second passkey is added and deleted; the password manager is told where Firefox can tell it."""
    sign_up(fox, site)
    fox.replace_authenticator()
    fox.press("Add a passkey")
    fox.wait_for_text(STATUS, "Your new passkey is ready.")
    _, second = fox.texts("[data-name]")
    fox.press(f"Delete “{second}”")
    fox.press("Delete passkey")
    fox.wait_for_text(STATUS, "The passkey was deleted here.")
    assert len(fox.texts("[data-name]")) == 1
    can_tell = fox.run("return 'signalAllAcceptedCredentials' in PublicKeyCredential")
    assert len(fox.credentials) == (0 if can_tell else 1)


def test_deleted_passkey_is_refused_in_words(fox: Firefox, site: Site, asked: Callable[[], list[str]]) -> None:
    """A passkey the server no longer has is refused in words."""
    sign_up(fox, site)
    sign_out(fox, asked)
    forget_passkeys(site)
    fox.press(SIGN_IN)
    fox.wait_for_text(ALERT, "This passkey is no longer registered here. Please use another one")


def test_a_false_signature_is_refused_in_words(fox: Firefox, site: Site, asked: Callable[[], list[str]]) -> None:
    """What another key has signed is refused with one sentence, and the page can be used as before."""
    sign_up(fox, site)
    sign_out(fox, asked)
    (credential,) = fox.credentials
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    fox.change_credential(privateKey=base64.urlsafe_b64encode(key).decode().rstrip("="))
    fox.press(SIGN_IN)
    fox.wait_for_text(ALERT, "The passkey could not be verified. Please try again.")
    fox.change_credential(privateKey=credential["privateKey"])
    fox.press(SIGN_IN)
    fox.wait_for_text("h1", "Your passkeys")


@pytest.mark.proves("browser:24")
def test_what_firefox_does_not_have_is_not_asked_for(
    fox: Firefox, site: Site, asked: Callable[[], list[str]], calls: list[str]
) -> None:
    """It makes no passkey by itself, and is not asked to; told to look on this device only, it gets a plain dialog."""
    sign_up(fox, site)
    made = len(calls)
    module = "import('/passkey/static/passkey.js')"
    assert fox.run(f"return {module}.then(({{ passkey }}) => passkey.conditionalCreate())") is None
    assert asked() == [] and len(calls) == made
    sign_out(fox, asked)
    fox.run("document.querySelector('form[data-passkey]').dataset.passkeyImmediate = ''")
    fox.press(SIGN_IN)
    fox.wait_for_text("h1", "Your passkeys")


def test_without_the_browsers_help(fox: Firefox, site: Site) -> None:
    """With passkeys switched off in Firefox the page says so and shows no form that cannot work."""
    switch = "Services.prefs.setBoolPref('security.webauth.webauthn', arguments[0])"
    fox.privileged(switch, False)
    try:
        fox.go(f"{site.url}/sign-in")
        fox.wait_for_text("main", "This browser cannot use passkeys here")
        assert SIGN_IN not in fox.texts("main")[0]
    finally:
        fox.privileged(switch, True)


def test_complaints_are_heard(fox: Firefox, site: Site) -> None:
    """What goes wrong in a page without anybody seeing it fails its test: here it has to be cleared away."""
    fox.go(f"{site.url}/sign-up")
    fox.run(
        """
        console.warn("said");
        setTimeout(() => { throw new Error("thrown"); });
        document.body.append(Object.assign(document.createElement("script"), { textContent: "refused" }));
        """
    )

    def all_heard() -> bool:
        heard = " ".join(fox.complaints())
        return all(text in heard for text in ("said", "thrown", "Content-Security-Policy"))

    wait(all_heard, lambda: f"only these were heard: {fox.complaints()}")
    fox.start_afresh()
