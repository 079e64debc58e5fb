"""The use case: take over a peer's passkeys, in batches that are stored whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from ..accounts import Accounts, UserInfo
from ..credentials import CredentialRecord, CredentialRepository, is_stand_in, stand_in_handle
from ..errors import CredentialExists, CredentialNotFound, Misconfigured, Refusal
from ..holders import user_handle_of
from .base import ImportedCredential, Row, Unusable
from .records import record_of
from .report import Report

_BATCH = 500

ORPHAN = "this app has no such account"
OTHER_ID = "the app's load_user hook gave an account with another id: write it in the file of --users"
TAKEN = "another account has a passkey with its ID"


class Importer:
    """Takes passkeys over into a repository.

    :param accounts: the app's hooks; ``load_user`` must find an account, or its passkeys are left out.
    :param users: the account here for each account there; all have the same ids if there is no map.
    :param rp_id: that the passkeys were made for.
    :param user_verified: the peer is known to have had every user verified.
    :param unknown_handles: take no user handle from the peer, where its importer could be wrong about them.
    :param dry_run: look everything up, store nothing.
    """

    def __init__(
        self,
        *,
        credentials: CredentialRepository,
        accounts: Accounts,
        rp_id: str,
        users: Mapping[str, str] | None = None,
        user_verified: bool = False,
        unknown_handles: bool = False,
        dry_run: bool = False,
    ) -> None:
        self._credentials = credentials
        self._accounts = accounts
        self._rp_id = rp_id
        self._users = users
        self._user_verified = user_verified
        self._unknown_handles = unknown_handles
        self._dry_run = dry_run
        self._stand_ins: dict[str, bytes] = {}  # by account
        self._would_be: dict[bytes, str] = {}  # owners of what a dry run would have stored

    def run(self, rows: Iterable[Row], read: Callable[[Row], ImportedCredential | None]) -> Report:
        """Take over what the rows have.

        Rows whose passkey is there already are skipped, so a run that was stopped may be repeated.

        :param read: the function of a peer.
        :returns: what became of the rows; where the store failed, ``stopped`` says why and in which row.
        """
        report, numbered = Report(), enumerate(rows, 1)
        while not report.stopped and (batch := list(islice(numbered, _BATCH))):
            if found := self._usable(batch, read, report):
                self._store(found, report)
        return report

    def _usable(
        self,
        batch: Sequence[tuple[int, Row]],
        read: Callable[[Row], ImportedCredential | None],
        report: Report,
    ) -> list[tuple[int, CredentialRecord]]:
        """Return number and record of rows that can be taken over: of none, where the app cannot tell whose one is."""
        found = []
        for number, row in batch:
            try:
                if (passkey := read(row)) is not None:
                    found.append((number, self._record(passkey)))
            except Unusable as exc:
                report.leave_out(number, str(exc))
            except Refusal as refusal:
                report.stop(number, refusal.reason, first=batch[0][0])
                return []
        return found

    def _record(self, passkey: ImportedCredential) -> CredentialRecord:
        info = self._account(passkey.user_id)
        record = record_of(passkey, info, rp_id=self._rp_id, now=datetime.now(UTC), user_verified=self._user_verified)
        return replace(record, user_handle=stand_in_handle()) if self._unknown_handles else record

    def _account(self, user_id: str) -> UserInfo:
        """Return the account here, which may be one that may not sign in."""
        mapped = user_id if self._users is None else self._users.get(user_id, "")
        try:
            user = self._accounts.get(mapped) if mapped else None
        except ValueError as exc:  # as of int("ada")
            raise Unusable("the app's load_user hook raised ValueError") from exc
        except Refusal:
            raise
        except Exception as exc:  # a database may not go on after it
            kind = type(exc).__name__
            raise Misconfigured(f"the app's load_user hook raised {kind}; ids may be mapped by --users") from exc
        if user is None:
            raise Unusable(ORPHAN)
        info = self._accounts.describe(user)
        if info.id != mapped:
            raise Unusable(OTHER_ID)
        return info

    def _store(self, found: Sequence[tuple[int, CredentialRecord]], report: Report) -> None:
        """Store a batch, or nothing of it."""
        batch, number = Report(), 0
        try:
            with nullcontext() if self._dry_run else self._credentials.transaction():
                for number, record in found:
                    self._keep(number, record, batch)
        except Refusal as refusal:
            report.stop(number, refusal.reason, first=found[0][0])
        else:
            report.add(batch)

    def _keep(self, number: int, record: CredentialRecord, report: Report) -> None:
        there = self._credentials.get(record.id)
        owner = self._would_be.get(record.id) if there is None else there.user_id
        if owner is None:
            stored = self._add(record)
            report.imported += 1
            report.without_handle += is_stand_in(stored.user_handle)
        elif owner == record.user_id:
            report.already_there += 1
        else:
            report.leave_out(number, TAKEN)

    def _add(self, record: CredentialRecord) -> CredentialRecord:
        """Store a passkey with its user handle or, if that is another account's by now, with a stand-in."""
        if self._dry_run:
            self._would_be[record.id] = record.user_id
            return record
        if not is_stand_in(record.user_handle):
            with suppress(CredentialExists, CredentialNotFound):
                self._credentials.add_user(record.user_id, record.user_handle)
                self._credentials.add(record)
                return record
        record = replace(record, user_handle=self._stand_in(record.user_id))
        self._credentials.add(record)
        return record

    def _stand_in(self, user_id: str) -> bytes:
        """Return the stand-in of an account, which is not its first handle: new passkeys get that."""
        if user_id not in self._stand_ins:
            user_handle_of(self._credentials, user_id)
            self._stand_ins[user_id] = stand_in_handle()
            self._credentials.add_user(user_id, self._stand_ins[user_id])
        return self._stand_ins[user_id]
