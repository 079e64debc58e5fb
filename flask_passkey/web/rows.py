"""An account's passkeys as rows for a page: text and times, ready for a template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import url_for

from ..credentials import NO_AAGUID, CredentialRecord
from ..encoding import base64url_encode
from ..providers import PLATFORM_AAGUIDS, provider_of
from ..state import current
from . import sessions


@dataclass(frozen=True, slots=True, eq=False)
class PasskeyRow:
    """One passkey as its owner sees it."""

    #: What ``passkey.rename_passkey()``, ``passkey.delete_passkey()`` and ``data-passkey-id`` take.
    id: str
    #: The owner's name for it.
    name: str
    #: Who made it; empty where that is not known.
    provider: str
    #: Addresses of the provider's icon, for light pages and dark ones; empty where there is none.
    icon_light: str
    icon_dark: str
    #: Where it is: ``password-manager``, ``security-key``, ``phone`` (on one phone or tablet only), ``device`` (on one
    #: device only), or ``unknown``.
    kind: str
    #: Aware, in UTC.
    created_at: datetime
    #: Last sign-in; ``None`` until there is one.
    used_at: datetime | None
    #: The one that this session signed in with.
    current: bool


def list_passkeys() -> list[PasskeyRow]:
    """Return the signed-in user's passkeys, oldest first.

    :raises SignInRequired: nobody is signed in.
    """
    outcome = current().relying_party.list_credentials(sessions.visitor())
    return [_row(record, outcome.current) for record in outcome.credentials]


def icon_url(aaguid: str, theme: str) -> str:
    """Return the address of a provider's icon."""
    return url_for(f"{current().blueprint_name}.provider_icon", aaguid=aaguid, theme=theme)


def _row(record: CredentialRecord, current_id: bytes | None) -> PasskeyRow:
    provider = provider_of(record.aaguid)
    has_icon = provider is not None and provider.has_icon
    return PasskeyRow(
        id=base64url_encode(record.id),
        name=record.label,
        provider=provider.name if provider else "",
        icon_light=icon_url(record.aaguid, "light") if has_icon else "",
        icon_dark=icon_url(record.aaguid, "dark") if has_icon else "",
        kind=_kind(record),
        created_at=record.created_at,
        used_at=record.last_used_at,
        current=record.id == current_id,
    )


def _kind(record: CredentialRecord) -> str:
    """Tell where a passkey is, by what the authenticator says of itself (section 5.8.4) and by its model.

    A passkey that cannot be backed up (section 6.1.3) is on one device. Some password managers say so and keep it
    in a file that people carry about, so only systems and browsers are believed, and models that are not told.
    """
    transports = set(record.transports)
    if transports and transports <= _OF_SECURITY_KEYS:
        return "security-key"
    if record.backup_eligible:
        return "password-manager"
    if "hybrid" in transports:
        return "phone"
    of_system = record.aaguid in PLATFORM_AAGUIDS or (record.aaguid == NO_AAGUID and "internal" in transports)
    return "device" if of_system else "unknown"


_OF_SECURITY_KEYS = {"usb", "nfc", "ble", "smart-card"}
