"""The credential record, and the interface of a repository that keeps records.

A credential record holds the items of
`W3C WebAuthn Level 3, section 4 <https://www.w3.org/TR/webauthn-3/#credential-record>`_ under their names in
Python spelling, plus what people need to tell their passkeys apart.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

#: Longest credential ID that may be registered, in bytes (section 7.1, step 25).
MAX_CREDENTIAL_ID = 1023
#: What authenticators say that do not tell their model.
NO_AAGUID = "00000000-0000-0000-0000-000000000000"
#: Longest user handle, in bytes (section 5.4.3).
MAX_USER_HANDLE = 64
#: How the stand-in for a user handle begins that the system did not keep from which the passkey was brought along.
_STAND_IN = b"\0flask-passkey: unknown\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRecord:
    """One registered credential. Binary items are raw ``bytes``, times are aware and in UTC."""

    #: Credential ID, 1 to 1023 bytes, unique over all accounts.
    id: bytes
    #: Public key in COSE_Key format (CBOR).
    public_key: bytes
    #: Signature counter after the last ceremony.
    sign_count: int
    #: Has any ceremony of this credential verified the user?
    uv_initialized: bool
    #: As the client reported them, in its order and with unknown names.
    transports: tuple[str, ...]
    #: The BE flag: may it be synced to other devices?
    backup_eligible: bool
    #: The BS flag at the last ceremony: is it synced now?
    backup_state: bool
    #: The app's key for the account, as text.
    user_id: str
    #: 64 random bytes that stand for the account inside authenticators; never the app's key. Imported passkeys keep the
    #: one they were made with or, if nobody knows it, have a :func:`stand_in_handle`.
    user_handle: bytes
    #: The name that the user knows it by.
    label: str
    #: Model of the authenticator, lower case with dashes; all zeros if it is unknown.
    aaguid: str
    created_at: datetime
    #: Last sign-in; ``None`` until there is one.
    last_used_at: datetime | None = None
    #: COSE algorithm identifier of the key: -7, -8, -257, ….
    algorithm: int
    #: Attestation object of the registration, where the app asked for attestation.
    attestation_object: bytes | None = None
    #: Client data of the registration, where the app asked for attestation.
    attestation_client_data_json: bytes | None = None
    #: Is it found without being named, so that its user need not say who they are? ``None`` if the client did not tell.
    discoverable: bool | None = None
    #: What told the holder of ``user_id`` apart from others that may have it later, where the app says that.
    identity: str | None = None
    #: The RP ID that it was made for, the only one that browsers use it for; empty in a record from before this was
    #: kept, which counts as ``PASSKEY_RP_ID``'s.
    rp_id: str = ""


class CredentialRepository(Protocol):
    """A store of credentials. Implement this to use another one: ``Passkey(app, credentials=…)``.

    A user handle belongs to one account. An account that was imported from another system may have several: each record
    keeps its own, and new passkeys get the first.

    Every method may raise :class:`~flask_passkey.errors.CredentialStoreUnavailable`; it has then changed nothing.
    A call inside :meth:`transaction` is part of it; a call outside is atomic by itself. A ``user_id`` is the app's
    key for an account, as text. :class:`flask_passkey.contracts.CredentialRepositoryContract` holds the promises as
    tests.
    """

    def transaction(self) -> AbstractContextManager[Any]:
        """Make all calls inside the block take effect together or, when it raises, not at all.

        A block inside a block joins the outer one.
        """

    def get_user_handle(self, user_id: str) -> bytes | None:
        """Return the user handle that new passkeys of an account get, ``None`` if it has none yet."""

    def add_user(self, user_id: str, user_handle: bytes) -> bytes:
        """Give the account this user handle, and return the one that its new passkeys get, which is its first.

        Simultaneous callers all get the same answer.

        :raises CredentialExists: the account has none yet, and this one belongs to another account.
        """

    def delete_user(self, user_id: str) -> None:
        """Delete the account's user handles and all its credentials; do nothing if it has none."""

    def user_ids(self, *, after: str = "", limit: int = 500) -> list[str]:
        """Return ids of accounts that have a user handle, in the store's order.

        :param after: only those that come after this one.
        :param limit: as many as this at most.
        """

    def add(self, record: CredentialRecord, *, limit: int | None = None, rp_ids: Collection[str] = ()) -> None:
        """Store a new credential; its account must have the record's user handle.

        :param limit: refuse if the account has so many already; this holds under simultaneous calls.
        :param rp_ids: count only those with one of these as their ``rp_id``; all if empty.
        :raises CredentialNotFound: the account does not have the record's user handle, because it was forgotten.
        :raises CredentialExists: the ID is registered, to any account. Of simultaneous callers exactly one succeeds.
        :raises TooManyCredentials: the account has ``limit`` credentials or more.
        """

    def get(self, credential_id: bytes) -> CredentialRecord | None:
        """Return the record with this credential ID, ``None`` if there is none."""

    def of_user(self, user_id: str) -> list[CredentialRecord]:
        """Return the account's records, oldest first."""

    def record_use(
        self, record: CredentialRecord, *, counter_must_grow: bool, rp_ids: Collection[str] = ()
    ) -> list[bytes] | None:
        """Store what a sign-in changed, in one atomic step (section 7.2, step 24).

        It takes ``sign_count``, ``backup_state``, ``last_used_at``, ``uv_initialized`` and ``backup_eligible``
        of ``record``. The stored counter and last use only grow. The flags ``uv_initialized`` and
        ``backup_eligible`` are only ever set.

        :param record: the record after the sign-in.
        :param counter_must_grow: change nothing unless the counter is greater than the stored one or both are 0.
        :param rp_ids: return only IDs of those with one of these as their ``rp_id``; all if empty.
        :returns: the IDs of the account's credentials at the moment of storing, in any order. An older list could
            lack a new passkey, and browsers hide what the list lacks. ``None`` if nothing was stored: the credential
            is gone or the counter did not grow.
        """

    def rename(self, credential_id: bytes, *, user_id: str, label: str) -> CredentialRecord:
        """Give one of the account's credentials a new label and return its record.

        :param user_id: the owner; a credential of another account counts as missing.
        :raises CredentialNotFound: the account has no such credential.
        """

    def delete(self, credential_id: bytes, *, user_id: str, keep_last: bool, rp_ids: Collection[str] = ()) -> None:
        """Delete one of the account's credentials.

        :param user_id: the owner; a credential of another account counts as missing.
        :param keep_last: refuse to delete the account's only credential, also under simultaneous deletes.
        :param rp_ids: with ``keep_last``, count only those with one of these as their ``rp_id``; all if empty.
        :raises CredentialNotFound: the account has no such credential.
        :raises LastCredential: no other one counts, and ``keep_last``.
        """

    def count_by_rp_id(self) -> dict[str, int]:
        """Return how many credentials there are with each ``rp_id``."""


def counts(rp_id: str, rp_ids: Collection[str]) -> bool:
    """Tell whether a credential is among those of some RP IDs; of none means of any."""
    return not rp_ids or rp_id in rp_ids


def stand_in_handle() -> bytes:
    """Return a new user handle for an imported passkey whose own one was never stored.

    The passkey may answer with any user handle: that is not signed, and its ID says whose it is.
    """
    return _STAND_IN + secrets.token_bytes(MAX_USER_HANDLE - len(_STAND_IN))


def is_stand_in(user_handle: bytes) -> bool:
    """Tell whether a user handle is such a stand-in, which no authenticator has."""
    return user_handle.startswith(_STAND_IN)


def counter_grows(stored: int, received: int) -> bool:
    """Did a signature counter grow as section 7.2, step 22 expects? 0 after 0 means that there is no counter."""
    return received > stored or received == stored == 0
