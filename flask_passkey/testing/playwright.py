"""Virtual authenticators of real browsers, for tests with Playwright.

.. code-block:: python

    def test_sign_in(page, app, live_server):
        phone = VirtualAuthenticator(live_server.url)
        sign_up(app.test_client(), phone, "ada")  # no clicks needed
        ChromiumAuthenticator(page).load(phone)
        page.goto(f"{live_server.url}/sign-in")  # its autofill takes the passkey at once

Both kinds hold credentials as :class:`VirtualAuthenticator` does, so that passkeys can be given from one to another:
those with keys for ES256. Nothing here needs Playwright: it takes what behaves as the objects of its ``sync_api``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

from cryptography.hazmat.primitives import serialization

from .authenticator import VirtualAuthenticator
from .credential import VirtualCredential
from .encoding import b64url_decode, b64url_encode
from .keys import ES256, PrivateKey, spki


class DevTools(Protocol):
    """A session of the Chrome DevTools Protocol, as ``playwright.sync_api.CDPSession``."""

    def send(self, method: str, params: dict[str, Any], /) -> dict[str, Any]: ...


class VirtualCredentials(Protocol):
    """The authenticator of a context, as ``playwright.sync_api.BrowserContext.credentials`` from Playwright 1.61 on."""

    @property
    def install(self) -> Callable[[], None]: ...

    @property
    def create(self) -> Callable[..., object]: ...

    @property
    def get(self) -> Callable[..., Sequence[Any]]: ...

    @property
    def delete(self) -> Callable[..., None]: ...


class Page(Protocol):
    """A page, as ``playwright.sync_api.Page``."""

    @property
    def context(self) -> Any: ...


class Context(Protocol):
    """A browser context, as ``playwright.sync_api.BrowserContext``."""

    @property
    def credentials(self) -> VirtualCredentials: ...


class _Loadable:
    """What can take credentials."""

    def add(self, credential: VirtualCredential) -> None:
        """Hold a credential, too."""
        raise NotImplementedError

    def load(self, authenticator: VirtualAuthenticator) -> None:
        """Hold all that another authenticator holds."""
        for credential in authenticator.credentials:
            self.add(credential)


class ChromiumAuthenticator(_Loadable):
    """A virtual authenticator of one page in Chromium, driven over the DevTools Protocol.

    It is the browser's own code that runs, with its dialogs answered: autofill, timeouts and all refusals are real. By
    default it is a phone's or a computer's that keeps synced passkeys, and whose user is there and agrees.

    :param page: a Playwright page in Chromium.
    :param options: members of ``VirtualAuthenticatorOptions`` that are to be different, such as ``transport="usb"``:
        https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/
    """

    def __init__(self, page: Page, **options: Any) -> None:
        self._devtools: DevTools = page.context.new_cdp_session(page)
        self._devtools.send("WebAuthn.enable", {"enableUI": False})
        members = {
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            "defaultBackupEligibility": True,
            "defaultBackupState": True,
            **options,
        }
        made = self._devtools.send("WebAuthn.addVirtualAuthenticator", {"options": members})
        self._id: str = made["authenticatorId"]

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send another command of the domain ``WebAuthn`` for this authenticator."""
        return self._devtools.send(f"WebAuthn.{method}", {"authenticatorId": self._id, **parameters})

    def set_present(self, present: bool) -> None:
        """Say whether somebody is there who answers every request at once; else requests wait."""
        self.command("setAutomaticPresenceSimulation", enabled=present)

    def set_verified(self, verified: bool) -> None:
        """Say whether verifying the user succeeds."""
        self.command("setUserVerified", isUserVerified=verified)

    @property
    def credentials(self) -> list[VirtualCredential]:
        """Copies of what it holds."""
        return [_from_chromium(kept) for kept in self.command("getCredentials")["credentials"]]

    def add(self, credential: VirtualCredential) -> None:
        """Hold a credential, too.

        :raises ValueError: its key is not for ES256.
        """
        _require_es256(credential)
        self.command("addCredential", credential=_to_chromium(credential))

    def clear(self) -> None:
        """Forget all credentials."""
        self.command("clearCredentials")

    def remove(self) -> None:
        """Take the authenticator away, as when a security key is pulled out."""
        self.command("removeVirtualAuthenticator")


class ContextAuthenticator(_Loadable):
    """Playwright's own virtual authenticator, for all pages of a context in every browser; from Playwright 1.61 on.

    It stands in for ``navigator.credentials``: the page's script and the server are tested, the browser's own part is
    not. It is installed at once, so make it before the first page is opened. Its passkeys count signatures, and are not
    backed up, so those that it is given must not be synced: see :meth:`add`.

    :param context: a Playwright browser context.
    """

    def __init__(self, context: Context) -> None:
        self._held = context.credentials
        self._held.install()

    @property
    def credentials(self) -> list[VirtualCredential]:
        """Copies of what it holds."""
        return [_from_playwright(kept) for kept in self._held.get()]

    def add(self, credential: VirtualCredential) -> None:
        """Hold a credential, too.

        :raises ValueError: its key is not for ES256, or it can be synced.
        """
        _require_es256(credential)
        members = _members(credential, b64url_encode)
        if credential.backup_eligibility:
            raise ValueError(
                "Playwright's passkeys are not synced: VirtualAuthenticator(origin, default_backup_eligibility=False, "
                "default_backup_state=False)"
            )
        self._held.create(
            credential.rp_id,
            id=b64url_encode(credential.id),
            user_handle=members["userHandle"],
            private_key=members["privateKey"],
            public_key=b64url_encode(spki(credential.private_key)),
            sign_count=credential.sign_count,
        )

    def clear(self) -> None:
        """Forget all credentials."""
        for credential in self._held.get():
            self._held.delete(credential["id"])


def _require_es256(credential: VirtualCredential) -> None:
    """Refuse what browsers' virtual authenticators have no keys for."""
    if credential.algorithm != ES256:
        raise ValueError("the key is not for ES256: VirtualAuthenticator(origin, algorithm=-7)")


def _members(credential: VirtualCredential, encode: Callable[[bytes], str]) -> dict[str, str]:
    """Return user handle and private key as text."""
    private_key = credential.private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {"userHandle": encode(credential.user_handle or b""), "privateKey": encode(private_key)}


def _to_chromium(credential: VirtualCredential) -> dict[str, Any]:
    """Return a credential as the DevTools Protocol has it: in base64 with padding."""
    return {
        "credentialId": _base64(credential.id),
        "isResidentCredential": credential.is_resident_credential,
        "rpId": credential.rp_id,
        "signCount": credential.sign_count,
        "backupEligibility": credential.backup_eligibility,
        "backupState": credential.backup_state,
        "userName": credential.user_name,
        "userDisplayName": credential.user_display_name,
        **_members(credential, _base64),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _from_chromium(kept: Mapping[str, Any]) -> VirtualCredential:
    return VirtualCredential(
        id=base64.b64decode(kept["credentialId"]),
        rp_id=kept.get("rpId", ""),
        user_handle=base64.b64decode(kept.get("userHandle", "")) or None,
        private_key=_private_key(base64.b64decode(kept["privateKey"])),
        sign_count=kept["signCount"],
        is_resident_credential=kept["isResidentCredential"],
        backup_eligibility=kept.get("backupEligibility", False),
        backup_state=kept.get("backupState", False),
        user_name=kept.get("userName", ""),
        user_display_name=kept.get("userDisplayName", ""),
    )


def _from_playwright(kept: Any) -> VirtualCredential:
    return VirtualCredential(
        id=b64url_decode(kept["id"]),
        rp_id=kept["rpId"],
        user_handle=b64url_decode(kept["userHandle"]),
        private_key=_private_key(b64url_decode(kept["privateKey"])),
        sign_count=kept["signCount"],
        backup_eligibility=False,
        backup_state=False,
    )


def _private_key(pkcs8: bytes) -> PrivateKey:
    return cast(PrivateKey, serialization.load_der_private_key(pkcs8, None))
