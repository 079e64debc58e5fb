"""What is kept of an enrolment grant, and what a place that keeps credentials must be able to do to keep grants too.

A grant lets its bearer add one passkey to one account, once. The bearer holds a secret; here is only its hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from .record import CredentialRepository

#: A link, for somebody who is invited or has lost their passkeys.
INVITATION: Final = "invitation"
#: A code on paper, for the day on which all passkeys are lost.
RECOVERY_CODE: Final = "recovery-code"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRecord:
    """One enrolment grant that was not used yet. Times are aware and in UTC."""

    #: SHA-256 of the secret, 32 bytes, unique over all accounts.
    token_hash: bytes = field(repr=False)
    #: The app's key for the account, as text.
    user_id: str
    #: The RP ID of the passkey that it is good for.
    rp_id: str
    #: ``invitation`` or ``recovery-code``.
    kind: str
    created_at: datetime
    #: From then on it is good for nothing; ``None`` where it has no time limit.
    expires_at: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """Tell whether its time is up."""
        return self.expires_at is not None and self.expires_at <= now


class GrantRepository(CredentialRepository, Protocol):
    """A credential repository that keeps enrolment grants too, in the same transactions.

    ``delete_user`` deletes the account's grants as well. What :class:`~flask_passkey.CredentialRepository` promises
    of errors and transactions holds for these methods; :class:`flask_passkey.contracts.GrantRepositoryContract` has
    the promises as tests.
    """

    def add_grant(self, grant: GrantRecord) -> None:
        """Store a new grant, whose account must have a user handle, and drop those of the account that expired."""

    def get_grant(self, token_hash: bytes) -> GrantRecord | None:
        """Return the grant with this hash, expired or not."""

    def claim_grant(self, token_hash: bytes, *, now: datetime) -> bool:
        """Delete the grant with this hash unless it is expired; tell whether that was done.

        Of simultaneous callers exactly one is told so, and the others only after its transaction has ended: when
        that is undone, the grant is there again.
        """

    def grants_of(self, user_id: str) -> list[GrantRecord]:
        """Return the account's grants, oldest first."""

    def delete_grants(self, user_id: str, *, kind: str | None = None, rp_id: str | None = None) -> int:
        """Delete the account's grants and return how many.

        :param kind: only those of this kind.
        :param rp_id: only those for this RP ID.
        """


#: What a repository needs beside the methods of :class:`~flask_passkey.CredentialRepository`.
GRANT_METHODS: Final = ("add_grant", "get_grant", "claim_grant", "grants_of", "delete_grants")
