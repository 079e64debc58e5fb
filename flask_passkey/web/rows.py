"""An account's passkeys as rows for a page: text and times, ready for a template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import url_for

from ..credentials import CredentialRecord
from ..encoding import base64url_encode
from ..providers import provider_of
from ..state import current
from . import sessions


@dataclass(frozen=True, slots=True)
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
    #: Where it is: ``synced`` (a password manager's, on many devices), ``device`` (this or another computer or phone),
    #: ``security-key``, ``phone``, or ``unknown``.
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
    """Tell where a passkey is, by what the authenticator says of itself (section 5.8.4)."""
    transports = set(record.transports)
    if record.backup_eligible:
        return "synced"
    if "internal" in transports:
        return "device"
    if transports & {"usb", "nfc", "ble", "smart-card"}:
        return "security-key"
    return "phone" if "hybrid" in transports else "unknown"
