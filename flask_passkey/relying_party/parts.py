"""What the use cases are composed of, and share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from blinker import NamedSignal

from .. import progress, signals
from ..accounts import Accounts, UserInfo
from ..ceremonies import extensions
from ..ceremonies.attestation import Metadata, Trust
from ..ceremonies.pending import PendingCeremony
from ..config import PasskeyConfig
from ..credentials import CredentialRecord, CredentialRepository, is_stand_in
from ..freshness import Freshness
from ..grants import Grants
from ..holders import records_of
from ..outcomes import AccountState, Begun
from ..pending import CeremonyStore
from ..pending.ceremonies import PendingCeremonies
from ..progress import CREDENTIALS, FINISH, STORE, timed
from ..visitor import Visitor
from ..words import english


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Parts:
    """The parts of the use cases of one app.

    :param pending: keeps ceremonies between begin and finish.
    :param trust: what attestation must chain to, if anything.
    :param secret: makes decoys; the app's, the same on all its machines.
    :param sender: the sender of signals.
    :param clock: the time, aware.
    :param gettext: returns a text in the user's language, with values in place of ``%(name)s``.
    """

    def __init__(
        self,
        *,
        config: PasskeyConfig,
        accounts: Accounts,
        credentials: CredentialRepository,
        pending: PendingCeremonies,
        trust: Trust,
        secret: bytes = b"",
        sender: object = None,
        clock: Callable[[], datetime] = _utc_now,
        gettext: Callable[..., str] = english,
    ) -> None:
        self.config = config
        self.accounts = accounts
        self.credentials = credentials
        self._pending = pending
        self._trust = trust
        self._secret = secret
        self._sender = sender
        self._clock = clock
        self._gettext = gettext
        #: Enrolment grants: ways to a passkey for people who cannot sign in.
        self.grants = Grants(
            accounts=accounts,
            credentials=credentials,
            rp_id=config.rp_id,
            sender=sender,
            clock=lambda: self._clock(),
        )
        self._freshness = Freshness(config=config, accounts=accounts, credentials=credentials, clock=clock)

    @property
    def ceremony_store(self) -> CeremonyStore:
        """Where pending ceremonies are kept.

        :raises ConfigurationError: the app has no place that will do.
        """
        return self._pending.store

    @property
    def metadata(self) -> Metadata | None:
        """FIDO metadata, where the app has them."""
        return self._trust.metadata

    def require_sign_in(self, visitor: Visitor) -> UserInfo:
        """Require that somebody is signed in who may be, and return what the app tells of them.

        :raises SignInRequired: nobody is signed in.
        :raises AccountRefused: the app's account check says no.
        """
        return self._freshness.require_sign_in(visitor)

    def require_recent_sign_in(
        self, visitor: Visitor, *, max_age: int | None = None, user_verified: bool = False
    ) -> None:
        """Require a fresh sign-in by the signed-in user, for anything that needs care.

        :param max_age: in seconds; ``PASSKEY_STEP_UP_AGE`` unless given.
        :param user_verified: it must have verified the person, by PIN, finger or face.
        :raises SignInRequired: nobody is signed in.
        :raises StepUpRequired: there was none, or too long ago, or by a passkey that is gone, or nobody was verified.
        """
        max_age = self.config.step_up_age if max_age is None else max_age
        self._freshness.require_recent(visitor, max_age=max_age, user_verified=user_verified)

    def still_valid(self, visitor: Visitor) -> bool:
        """Tell whether a session may go on: not when the passkey it signed in with was deleted by another session."""
        return self._freshness.still_valid(visitor)

    def tell(self, signal: NamedSignal, info: UserInfo, **about: Any) -> None:
        """Send a signal about an account, after a line in the audit log.

        :param about: what the signal's documentation lists.
        """
        signals.send(signal, self._sender, audit=self._audit_of(info), **about)

    def _audit_of(self, info: UserInfo) -> dict[str, str]:
        """Return what the audit log says of an account."""
        return {"user_id": info.id, "name": info.name if self.config.audit_names else ""}

    def _begin(self, visitor: Visitor, options: dict[str, Any], pending: PendingCeremony, *, user: Any = None) -> Begun:
        """Ask for the extensions that the app wants, and keep the ceremony.

        :param user: whose ceremony it is, where that is known for sure.
        """
        wanted = extensions.inputs(self.accounts.extensions(pending.purpose, user))
        options, pending = extensions.ask(options, pending, wanted)
        ceremony_id = timed(STORE, self._pending.put, pending, secret=visitor.secrets[0], lifetime=self.config.lifetime)
        progress.done()
        return Begun(ceremony_id, options)

    def _take(self, visitor: Visitor, ceremony_id: str, purposes: Sequence[str]) -> PendingCeremony:
        """Claim a ceremony of one of these purposes that was begun by this visitor."""
        progress.at(FINISH)
        pending = timed(
            STORE,
            self._pending.take,
            ceremony_id,
            secrets=visitor.secrets,
            purposes=purposes,
            user_id=visitor.user_id,
        )
        progress.at(FINISH, pending.purpose)
        return pending

    def _records_of(self, info: UserInfo | None) -> list[CredentialRecord]:
        """Return an account's credentials that can be used here."""
        return timed(CREDENTIALS, records_of, self.credentials, info, self.config.rp_ids)

    def _account_state(
        self, info: UserInfo, records: Sequence[CredentialRecord], *, handles_of: Sequence[CredentialRecord] = ()
    ) -> AccountState:
        """Describe an account to password managers.

        :param handles_of: records whose user handles count, those that were deleted among them.
        """
        handles = (record.user_handle for record in handles_of or records)
        found = dict.fromkeys(handle for handle in handles if not is_stand_in(handle))
        handle, *others = found or [self.credentials.get_user_handle(info.id) or b""]
        return AccountState(info, handle, [record.id for record in records], self.config.rp_id, others)
