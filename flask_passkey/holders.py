"""Whose a passkey is: the user handle of an account, its RP ID, and who holds an id that was another's before.

SQLite gives the id of a deleted row again.
"""

from __future__ import annotations

from collections.abc import Collection

from .accounts import UserInfo
from .ceremonies.registration import new_user_handle
from .credentials import CredentialRecord, CredentialRepository, GrantRecord


def is_holder(info: UserInfo, record: CredentialRecord | GrantRecord) -> bool:
    """Tell whether a credential or grant was made for this account, and not for one that had its id before."""
    return not record.identity or not info.identity or record.identity == info.identity


def records_of(
    credentials: CredentialRepository, info: UserInfo | None, rp_ids: Collection[str]
) -> list[CredentialRecord]:
    """Return an account's credentials that can be used here, without those of another that had its id before.

    :param info: ``None`` for no account, which has none; the store is asked all the same.
    :param rp_ids: :attr:`~flask_passkey.config.PasskeyConfig.rp_ids`: browsers use no others here.
    """
    records = credentials.of_user("" if info is None else info.id)
    return [record for record in records if info is not None and is_holder(info, record) and record.rp_id in rp_ids]


def user_handle_of(credentials: CredentialRepository, user_id: str) -> bytes:
    """Return the user handle that an account's new passkeys get; it is made when it is first asked for."""
    return credentials.get_user_handle(user_id) or credentials.add_user(user_id, new_user_handle())
