"""What comes out of the use cases: plain values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .accounts import UserInfo
from .credentials import CredentialRecord
from .errors import Refusal


@dataclass(frozen=True, slots=True)
class Begun:
    """A ceremony was begun."""

    ceremony_id: str
    #: For ``navigator.credentials``, in the JSON form of the specification.
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody proved who they are; the app has not signed them in yet."""

    user: Any
    info: UserInfo
    credential: CredentialRecord
    signals: dict[str, Any]
    purpose: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A passkey was added; ``new_user`` where an account was created for it.

    Some apps approve accounts first; then the new user may not sign in yet.
    """

    credential: CredentialRecord
    info: UserInfo
    new_user: Any = None
    may_sign_in: bool = True
    #: Did the attestation statement verify? Without roots and metadata it still says nothing of the maker. ``None`` if
    #: ``PASSKEY_ATTESTATION`` is ``none``, so that it was not looked at.
    attestation_verified: bool | None = None


@dataclass(frozen=True, slots=True)
class CredentialList:
    """A user's credentials, oldest first."""

    credentials: list[CredentialRecord]
    signals: dict[str, Any]
    #: The one this session signed in with.
    current: bytes | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """What became of each credential that was to be deleted."""

    deleted: list[bytes]
    refused: dict[bytes, Refusal]
    signals: dict[str, Any]
