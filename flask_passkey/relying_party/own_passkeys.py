"""A user's own passkeys, and what administrators and the app do to those of others."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from .. import audit, signals
from ..accounts import UserInfo
from ..credentials import CredentialRecord
from ..errors import CredentialNotFound, LastCredential, Refusal
from ..names import clean_label
from ..outcomes import AccountState, CredentialList, Deleted
from ..visitor import Visitor
from .parts import Parts


class OwnPasskeys(Parts):
    """List, rename and delete passkeys."""

    def list_credentials(self, visitor: Visitor) -> CredentialList:
        """Return the signed-in user's credentials for this RP ID.

        :raises SignInRequired: nobody is signed in.
        """
        info = self._freshness.require_sign_in(visitor)
        records = self._records_of(info)
        return CredentialList(records, self._account_state(info, records), visitor.current)

    def rename(self, visitor: Visitor, credential_id: bytes, label: str) -> CredentialRecord:
        """Give one of the signed-in user's credentials another label.

        :param credential_id: raw bytes.
        :param label: 1 to 64 characters.
        :raises MalformedRequest: the label cannot be one.
        :raises StepUpRequired: there is no fresh sign-in.
        :raises CredentialNotFound: the user has no such credential.
        """
        allowed = self._freshness.require_step_up(visitor)
        label = clean_label(label, required=True)
        if all(record.id != credential_id for record in allowed.records):
            raise CredentialNotFound("the account has no credential with this ID")
        record = self.credentials.rename(credential_id, user_id=allowed.info.id, label=label)
        self.tell(signals.renamed, allowed.info, user=visitor.user, credential=record)
        return record

    def delete(self, visitor: Visitor, credential_ids: Iterable[bytes]) -> Deleted:
        """Delete some of the signed-in user's credentials, each one or not at all.

        :param credential_ids: raw bytes.
        :raises StepUpRequired: there is no fresh sign-in.
        """
        info = self._freshness.require_step_up(visitor).info
        keep_last = not self.accounts.has_other_way_in(visitor.user)
        deleted: list[bytes] = []
        refused: dict[bytes, Refusal] = {}
        with self.credentials.transaction():
            before = {record.id: record for record in self._records_of(info)}
            for credential_id in dict.fromkeys(credential_ids):
                try:
                    self._delete_one(credential_id, before, info=info, keep_last=keep_last)
                    deleted.append(credential_id)
                except (CredentialNotFound, LastCredential) as refusal:
                    refused[credential_id] = refusal
            records = self._records_of(info)
            result = Deleted(deleted, refused, self._account_state(info, records, handles_of=[*before.values()]))
        if deleted:
            self._tell_deleted(visitor.user, deleted, before, audit=self._audit_of(info))
        return result

    def _delete_one(self, credential_id: bytes, known: Container[bytes], *, info: UserInfo, keep_last: bool) -> None:
        """Delete a credential that is among those which can be used here; only those guard the last one."""
        if credential_id not in known:
            raise CredentialNotFound("the account has no credential with this ID")
        rp_ids = self.config.rp_ids
        self.credentials.delete(credential_id, user_id=info.id, keep_last=keep_last, rp_ids=rp_ids)

    def delete_of(self, user_id: str, credential_id: bytes) -> None:
        """Delete one credential of somebody else, for an administrator; it may be the last one.

        :param user_id: the id as in :class:`~flask_passkey.UserInfo`.
        :param credential_id: raw bytes.
        :raises CredentialNotFound: the account has no such credential.
        """
        with self.credentials.transaction():
            known = {record.id: record for record in self.credentials.of_user(user_id)}
            self.credentials.delete(credential_id, user_id=user_id, keep_last=False)
        self._tell_deleted(self.accounts.get(user_id), [credential_id], known, audit={"user_id": user_id})

    def _tell_deleted(
        self, user: Any, ids: list[bytes], known: Mapping[bytes, CredentialRecord], *, audit: Mapping[str, str]
    ) -> None:
        credentials = [known[id_] for id_ in ids if id_ in known]
        signals.send(signals.deleted, self._sender, audit=audit, user=user, credential_ids=ids, credentials=credentials)

    def forget_user(self, user_id: str) -> AccountState:
        """Forget an account's passkeys and enrolment grants, as the app deletes the account.

        :param user_id: the id as in :class:`~flask_passkey.UserInfo`.
        :returns: the account without passkeys and names, for its password manager.
        """
        info = UserInfo(user_id, "", "")
        account = self._account_state(info, [], handles_of=self._records_of(info))
        self.credentials.delete_user(user_id)
        audit.write("forgotten", {}, user_id=user_id)
        return account
