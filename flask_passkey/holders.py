"""Whose a passkey is, where an account's id was another's before: SQLite gives a deleted row's id again."""

from __future__ import annotations

from .accounts import UserInfo
from .credentials import CredentialRecord, CredentialRepository


def is_holder(info: UserInfo, record: CredentialRecord) -> bool:
    """Tell whether a credential was made for this account, and not for one that had its id before."""
    return not record.identity or not info.identity or record.identity == info.identity


def records_of(credentials: CredentialRepository, info: UserInfo | None) -> list[CredentialRecord]:
    """Return an account's credentials, without those of another that had its id before.

    :param info: ``None`` for no account, which has none; the store is asked all the same.
    """
    records = credentials.of_user("" if info is None else info.id)
    return [record for record in records if info is not None and is_holder(info, record)]
