"""Who may change an account: how fresh a session's last sign-in is, and whether what it rests on is still there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from .accounts import Accounts, UserInfo
from .config import PasskeyConfig
from .credentials import CredentialRecord, CredentialRepository
from .errors import AccountRefused, SignInRequired, StepUpRequired
from .holders import is_holder
from .progress import CREDENTIALS, timed
from .visitor import LastSignIn, Visitor


class StepUp(NamedTuple):
    """Somebody may change their account."""

    info: UserInfo
    #: The account's credentials for this RP ID, which had to be looked up.
    records: list[CredentialRecord]
    #: Has this session a fresh sign-in? Without one it may add the account's first passkey, and do nothing else.
    is_fresh: bool
    #: Number of credentials that the account's id still has from an account that had it before.
    others: int = 0


class Freshness:
    """What the sign-ins of browser sessions are good for.

    :param clock: the time, aware.
    """

    def __init__(
        self,
        *,
        config: PasskeyConfig,
        accounts: Accounts,
        credentials: CredentialRepository,
        clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._accounts = accounts
        self._credentials = credentials
        self._clock = clock

    def require_sign_in(self, visitor: Visitor) -> UserInfo:
        """Require somebody who is signed in and may be.

        :raises SignInRequired: nobody is.
        :raises AccountRefused: the app's account check says no.
        """
        if visitor.info is None:
            raise SignInRequired("nobody is signed in")
        self._accounts.check(visitor.user)
        return visitor.info

    def require_step_up(self, visitor: Visitor) -> StepUp:
        """Require a fresh sign-in, or somebody who may add the first passkey without one.

        :raises StepUpRequired: there is no fresh sign-in.
        """
        info = self.require_sign_in(visitor)
        stored = timed(CREDENTIALS, self._credentials.of_user, info.id)
        own = [record for record in stored if is_holder(info, record)]
        records = [record for record in own if record.rp_id in self._config.rp_ids]
        others = sum(record.rp_id in self._config.rp_ids for record in stored) - len(records)
        if self._is_recent(visitor, self._config.step_up_age) and _rests_on(visitor.own_last_sign_in, own):
            return StepUp(info, records, True, others)
        if records:
            raise StepUpRequired(f"no fresh sign-in in the last {self._config.step_up_age} s; see PASSKEY_STEP_UP_AGE")
        self._require_first(visitor, own)
        return StepUp(info, records, False, others)

    def may_add_first(self, visitor: Visitor) -> bool:
        """Tell whether the visitor may add a passkey to their account, which has none for this RP ID."""
        try:
            return self.require_step_up(visitor).records == []
        except (AccountRefused, StepUpRequired):
            return False

    def _require_first(self, visitor: Visitor, own: Sequence[CredentialRecord]) -> None:
        """Require somebody who may add a first passkey without a fresh sign-in.

        :param own: the account's credentials, also those for other RP IDs, by which the session may have begun.
        """
        last = visitor.own_last_sign_in
        if self._config.fresh_first:
            raise StepUpRequired(
                "PASSKEY_FRESH_FIRST is on: call passkey.confirm_user() after a check of the app's own"
            )
        if last is not None and last.remembered:
            raise StepUpRequired("this session began with a cookie of PASSKEY_REMEMBER: it takes a new sign-in")
        if last is not None and not _rests_on(last, own):
            raise StepUpRequired("the passkey that this session signed in with is gone: it takes a new sign-in")

    def require_recent(self, visitor: Visitor, *, max_age: int, user_verified: bool = False) -> None:
        """Require a sign-in by what is still there, at most ``max_age`` seconds ago.

        :param user_verified: it must have verified the person.
        :raises SignInRequired: nobody is signed in.
        :raises StepUpRequired: there was none, or too long ago, or by a passkey that is gone, or nobody was verified.
        """
        self.require_sign_in(visitor)
        if not self._is_recent(visitor, max_age):
            raise StepUpRequired(f"no fresh sign-in in the last {max_age} s")
        if user_verified and not (visitor.own_last_sign_in and visitor.own_last_sign_in.user_verified):
            raise StepUpRequired("the fresh sign-in did not verify the person: a step-up with PIN, finger or face does")
        if not self._is_there(visitor):
            raise StepUpRequired("the passkey that this session signed in with is gone")

    def still_valid(self, visitor: Visitor) -> bool:
        """Tell whether a session may go on: not when the passkey it signed in with was deleted by another session."""
        last = visitor.own_last_sign_in
        return last is None or last.deleted_here or self._is_there(visitor)

    def _is_recent(self, visitor: Visitor, max_age: int) -> bool:
        last = visitor.own_last_sign_in
        return last is not None and 0 <= self._clock().timestamp() - last.at <= max_age

    def _is_there(self, visitor: Visitor) -> bool:
        """Tell whether the passkey of the last sign-in still belongs to the account; asked only if it was by one."""
        last = visitor.own_last_sign_in
        if last is None or last.credential_id is None:
            return True
        record = self._credentials.get(last.credential_id)
        if record is None or record.user_id != last.user_id:
            return False
        return visitor.info is None or is_holder(visitor.info, record)


def _rests_on(last: LastSignIn | None, records: Sequence[CredentialRecord]) -> bool:
    """Tell whether a sign-in was without a passkey, or by one of these."""
    return last is not None and (last.credential_id is None or any(r.id == last.credential_id for r in records))
