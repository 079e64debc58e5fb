"""Credentials and enrolment grants in this process's memory, for tests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from ..errors import CredentialExists, CredentialNotFound, LastCredential, TooManyCredentials
from .draft import after_use
from .grant import GrantRecord
from .record import CredentialRecord, counter_grows, counts


class MemoryCredentialRepository:
    """Credentials in this process's memory, for tests: gone when it ends, and not shared between processes."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._handles: dict[str, list[bytes]] = {}  # by account, the first is for new passkeys
        self._owners: dict[bytes, str] = {}  # by handle
        self._records: dict[bytes, CredentialRecord] = {}
        self._ids: dict[str, dict[bytes, None]] = {}  # by account; a dictionary, because it keeps the order
        self._grants: dict[bytes, GrantRecord] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            handles = {user_id: list(handles_of_user) for user_id, handles_of_user in self._handles.items()}
            owners, records, grants = dict(self._owners), dict(self._records), dict(self._grants)
            ids = {user_id: dict(ids_of_user) for user_id, ids_of_user in self._ids.items()}
            try:
                yield
            except BaseException:
                self._handles, self._owners, self._records, self._ids = handles, owners, records, ids
                self._grants = grants
                raise

    def get_user_handle(self, user_id: str) -> bytes | None:
        return next(iter(self._handles.get(user_id, ())), None)

    def add_user(self, user_id: str, user_handle: bytes) -> bytes:
        with self._lock:
            is_new = user_handle not in self._owners
            if not is_new and user_id not in self._handles:
                raise CredentialExists("the user handle belongs to another account")
            if is_new:
                self._owners[user_handle] = user_id
                self._handles.setdefault(user_id, []).append(user_handle)
            return self._handles[user_id][0]

    def delete_user(self, user_id: str) -> None:
        with self._lock:
            for handle in self._handles.pop(user_id, ()):
                del self._owners[handle]
            for credential_id in self._ids.pop(user_id, ()):
                del self._records[credential_id]
            self.delete_grants(user_id)

    def user_ids(self, *, after: str = "", limit: int = 500) -> list[str]:
        with self._lock:
            return sorted(user_id for user_id in self._handles if user_id > after)[:limit]

    def add(self, record: CredentialRecord, *, limit: int | None = None, rp_ids: Collection[str] = ()) -> None:
        with self._lock:
            if self._owners.get(record.user_handle) != record.user_id:
                raise CredentialNotFound("the account does not have this user handle: it was forgotten")
            if limit is not None and len(self._counted(record.user_id, rp_ids)) >= limit:
                raise TooManyCredentials(f"the account has {limit} credentials")
            if record.id in self._records:
                raise CredentialExists("the credential ID is already registered")
            self._records[record.id] = record
            self._ids.setdefault(record.user_id, {})[record.id] = None

    def get(self, credential_id: bytes) -> CredentialRecord | None:
        return self._records.get(credential_id)

    def of_user(self, user_id: str) -> list[CredentialRecord]:
        with self._lock:
            records = [self._records[credential_id] for credential_id in self._ids.get(user_id, ())]
            return sorted(records, key=lambda record: record.created_at)

    def record_use(
        self, record: CredentialRecord, *, counter_must_grow: bool, rp_ids: Collection[str] = ()
    ) -> list[bytes] | None:
        with self._lock:
            stored = self._records.get(record.id)
            if stored is None or (counter_must_grow and not counter_grows(stored.sign_count, record.sign_count)):
                return None
            self._records[record.id] = after_use(
                stored,
                sign_count=max(stored.sign_count, record.sign_count),
                uv_initialized=stored.uv_initialized or record.uv_initialized,
                backup_eligible=stored.backup_eligible or record.backup_eligible,
                backup_state=record.backup_state,
                last_used_at=max(filter(None, (stored.last_used_at, record.last_used_at)), default=None),
            )
            return self._counted(stored.user_id, rp_ids)

    def rename(self, credential_id: bytes, *, user_id: str, label: str) -> CredentialRecord:
        with self._lock:
            self._records[credential_id] = record = replace(self._owned(credential_id, user_id), label=label)
            return record

    def delete(self, credential_id: bytes, *, user_id: str, keep_last: bool, rp_ids: Collection[str] = ()) -> None:
        with self._lock:
            self._owned(credential_id, user_id)
            if keep_last and not set(self._counted(user_id, rp_ids)) - {credential_id}:
                raise LastCredential("the account has no other way to sign in")
            del self._records[credential_id], self._ids[user_id][credential_id]

    def count_by_rp_id(self) -> dict[str, int]:
        with self._lock:
            return dict(Counter(record.rp_id for record in self._records.values()))

    def _counted(self, user_id: str, rp_ids: Collection[str]) -> list[bytes]:
        """Return the IDs of the account's credentials with one of these RP IDs."""
        return [id_ for id_ in self._ids.get(user_id, ()) if counts(self._records[id_].rp_id, rp_ids)]

    def _owned(self, credential_id: bytes, user_id: str) -> CredentialRecord:
        record = self._records.get(credential_id)
        if record is None or record.user_id != user_id:
            raise CredentialNotFound("the account has no credential with this ID")
        return record

    # Enrolment grants

    def add_grant(self, grant: GrantRecord) -> None:
        with self._lock:
            for other in self.grants_of(grant.user_id):
                if other.is_expired(grant.created_at):
                    del self._grants[other.token_hash]
            self._grants[grant.token_hash] = grant

    def get_grant(self, token_hash: bytes) -> GrantRecord | None:
        return self._grants.get(token_hash)

    def claim_grant(self, token_hash: bytes, *, now: datetime) -> bool:
        with self._lock:
            grant = self._grants.get(token_hash)
            if grant is None or grant.is_expired(now):
                return False
            del self._grants[token_hash]
            return True

    def grants_of(self, user_id: str) -> list[GrantRecord]:
        with self._lock:
            grants = [grant for grant in self._grants.values() if grant.user_id == user_id]
            return sorted(grants, key=lambda grant: grant.created_at)

    def delete_grants(self, user_id: str, *, kind: str | None = None, rp_id: str | None = None) -> int:
        with self._lock:
            unwanted = [
                grant.token_hash
                for grant in self.grants_of(user_id)
                if kind in (None, grant.kind) and rp_id in (None, grant.rp_id)
            ]
            for token_hash in unwanted:
                del self._grants[token_hash]
            return len(unwanted)
