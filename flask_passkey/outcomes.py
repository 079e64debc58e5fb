"""What comes out of the use cases: plain values, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from .accounts import UserInfo
from .ceremonies.results import Result
from .credentials import CredentialRecord
from .errors import Refusal
from .visitor import Visitor


class AccountState(Struct, frozen=True):
    """An account as its password manager should know it: what the browser's Signal API is told (section 5.1.10)."""

    info: UserInfo
    #: The bytes that stand for the account inside authenticators; empty where it has none yet.
    user_handle: bytes
    #: All of the account's credentials: browsers hide those that are missing.
    credential_ids: Sequence[bytes]
    rp_id: str
    #: More user handles of the account, where it was brought along from another system.
    other_handles: Sequence[bytes] = ()


class Begun(Struct, frozen=True):
    """A ceremony was begun."""

    #: Names the ceremony; ``session_id`` on the wire.
    ceremony_id: str
    #: For ``navigator.credentials``, in the JSON form of the specification.
    options: dict[str, Any]


class SignedIn(Result, frozen=True):
    """Somebody proved who they are; ``passkey.sign_in()`` then signs them in at the app."""

    user: Any
    info: UserInfo
    credential: CredentialRecord
    account: AccountState
    #: ``sign-in`` or ``step-up``.
    purpose: str
    #: Who asked.
    visitor: Visitor
    #: Was a PIN, finger or face asked for? Which of them is not told.
    user_verified: bool = False
    #: Has the passkey a copy elsewhere?
    backed_up: bool = False
    #: Authentication methods for an OpenID token, in the words of RFC 8176; what each needs is said at
    #: :func:`flask_passkey.ceremonies.person.amr`. ``("swk", "user", "mfa")``, for example.
    amr: tuple[str, ...] = ()
    #: ``platform`` (this device), ``cross-platform`` (a phone beside it, a security key), or ``None`` where the browser
    #: does not tell. Nobody signs it.
    authenticator_attachment: str | None = None
    #: What was answered to the app's ``extensions`` hook, by name of the extension: plain JSON with bytes as base64url
    #: text, checked for size and depth only. What was not asked for is not in it. It may be secret; it is kept nowhere.
    extensions: Mapping[str, Any] = {}


class Registered(Result, frozen=True):
    """A passkey was added; ``new_user`` where an account was created for it.

    Some apps approve accounts first; then the new user may not sign in yet.
    """

    credential: CredentialRecord
    info: UserInfo
    #: Who asked.
    visitor: Visitor
    new_user: Any = None
    may_sign_in: bool = True
    #: Did the attestation statement verify? Without roots and metadata it still says nothing of the maker. ``None`` if
    #: ``PASSKEY_ATTESTATION`` is ``none``, so that it was not looked at.
    attestation_verified: bool | None = None
    #: Whose passkey it is: the app's user object.
    user: Any = None
    #: Was a PIN, finger or face asked for? Which of them is not told.
    user_verified: bool = False
    #: Has the passkey a copy elsewhere?
    backed_up: bool = False
    #: As in :class:`SignedIn`, for a sign-up that signs in.
    amr: tuple[str, ...] = ()
    #: As in :class:`SignedIn`.
    authenticator_attachment: str | None = None
    #: As in :class:`SignedIn`, with ``credProps``, which is always asked for.
    extensions: Mapping[str, Any] = {}


class CredentialList(Struct, frozen=True):
    """A user's credentials, oldest first."""

    credentials: list[CredentialRecord]
    account: AccountState
    #: ID of the one this session signed in with.
    current: bytes | None


class Deleted(Struct, frozen=True):
    """What became of each credential that was to be deleted."""

    deleted: list[bytes]
    refused: dict[bytes, Refusal]
    account: AccountState
