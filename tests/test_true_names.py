"""Names that are true: what a passkey is called, and where it is said to be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from apps import App, make_app

from flask_passkey import CredentialRecord
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_up

ORIGIN = "http://localhost"
WINDOWS_HELLO = "08987058-cadc-4b81-b6e1-30de50dcbe96"
YUBIKEY = "cb69481e-8ff7-4039-93ec-0a2729a154a8"
KEEPASSXC = "fdb141b2-5d84-443e-8a35-4698c205a502"
UNKNOWN = "01020304-0506-0708-0102-030405060708"


@pytest.fixture
def site() -> App:
    """An app."""
    return make_app()


@pytest.mark.parametrize(
    ("transports", "backed_up", "aaguid", "kind"),
    [
        (["hybrid", "internal"], True, UNKNOWN, "password-manager"),
        (["internal"], True, KEEPASSXC, "password-manager"),
        ([], True, UNKNOWN, "password-manager"),
        (["usb"], False, UNKNOWN, "security-key"),
        (["nfc", "usb"], True, YUBIKEY, "security-key"),
        (["smart-card"], False, UNKNOWN, "security-key"),
        (["hybrid"], False, UNKNOWN, "phone"),
        (["hybrid", "internal"], False, UNKNOWN, "phone"),
        (["internal"], False, "00000000-0000-0000-0000-000000000000", "device"),
        (["internal"], False, UNKNOWN, "unknown"),
        (["internal"], False, WINDOWS_HELLO, "device"),
        ([], False, WINDOWS_HELLO, "device"),
        (["internal"], False, KEEPASSXC, "unknown"),
        ([], False, YUBIKEY, "unknown"),
        ([], False, UNKNOWN, "unknown"),
    ],
)
def test_where_a_passkey_is(site: App, transports: list[str], backed_up: bool, aaguid: str, kind: str) -> None:
    """A passkey is said to be on one device only where that is so: not where it may be in a file."""
    authenticator = VirtualAuthenticator(
        ORIGIN,
        transports=transports,
        default_backup_eligibility=backed_up,
        default_backup_state=backed_up,
        aaguid=aaguid,
    )
    client = site.app.test_client()
    with client:
        sign_up(client, authenticator, "ada")
        client.get("/")
        (row,) = site.passkey.list_passkeys()
    assert row.kind == kind


def test_the_app_names_passkeys(site: App) -> None:
    """The hook gets the record, with the label that the passkey would have, and says what it is called."""
    seen: list[CredentialRecord] = []

    @site.passkey.name_passkey
    def name_passkey(record: CredentialRecord) -> str:
        seen.append(record)
        return f"  {record.label} at work "

    client = site.app.test_client()
    made = sign_up(client, VirtualAuthenticator(ORIGIN, aaguid=YUBIKEY), "ada")
    assert made["name"] == "YubiKey 5 Series at work"
    assert seen[0].label == "YubiKey 5 Series"
    named = add_passkey(client, VirtualAuthenticator(ORIGIN), passkey_name="Mine")
    assert named["name"] == "Mine", "who gives a name is not asked about"
    assert len(seen) == 1


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_better_name(site: App, nothing: str | None) -> None:
    """Where the hook has no name the passkey keeps the one it would have."""
    site.passkey.name_passkey(lambda record: nothing)
    assert sign_up(site.app.test_client(), VirtualAuthenticator(ORIGIN), "ada")["name"] == "Passkey"


@pytest.mark.parametrize(
    "hook", [lambda record: "x" * 65, lambda record: "a\u202eb", lambda record: 5, lambda record: " "]
)
def test_a_hook_that_is_wrong(site: App, hook: Callable[[CredentialRecord], str]) -> None:
    """A name that cannot be one is the app's mistake, and nothing is kept: no account, no passkey."""
    site.passkey.name_passkey(hook)
    with pytest.raises(Refused) as refused:
        sign_up(site.app.test_client(), VirtualAuthenticator(ORIGIN), "ada")
    assert refused.value.code == 50005
    assert site.users == {}
