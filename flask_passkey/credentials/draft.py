"""Credential records that are made by filling their slots, as every sign-in makes two.

The constructor of a frozen dataclass has to go around ``__setattr__`` for each item, and takes six times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from .record import CredentialRecord

#: The names of a record's items, in the order in which it has them.
FIELDS = tuple(field.name for field in fields(CredentialRecord))
_items = attrgetter(*FIELDS)


class _Draft:
    """What becomes a record when its items are there: it has the same slots, and they can be written."""

    __slots__ = FIELDS


def record_with(items: Iterable[Any]) -> CredentialRecord:
    """Return a record with these items, which come in the order of :data:`FIELDS`."""
    return _finished(_draft(items))


def after_use(
    record: CredentialRecord,
    *,
    sign_count: int,
    uv_initialized: bool,
    backup_eligible: bool,
    backup_state: bool,
    last_used_at: datetime | None,
) -> CredentialRecord:
    """Return a record with what a sign-in may change, as :func:`dataclasses.replace` does."""
    if type(record) is not CredentialRecord:  # a store's own class, with items that we do not know
        return replace(
            record,
            sign_count=sign_count,
            uv_initialized=uv_initialized,
            backup_eligible=backup_eligible,
            backup_state=backup_state,
            last_used_at=last_used_at,
        )
    draft = _draft(_items(record))
    draft.sign_count = sign_count
    draft.uv_initialized = uv_initialized
    draft.backup_eligible = backup_eligible
    draft.backup_state = backup_state
    draft.last_used_at = last_used_at
    return _finished(draft)


def _draft(items: Iterable[Any]) -> Any:
    draft: Any = _Draft()
    (
        draft.id,
        draft.public_key,
        draft.sign_count,
        draft.uv_initialized,
        draft.transports,
        draft.backup_eligible,
        draft.backup_state,
        draft.user_id,
        draft.user_handle,
        draft.label,
        draft.aaguid,
        draft.created_at,
        draft.last_used_at,
        draft.algorithm,
        draft.attestation_object,
        draft.attestation_client_data_json,
        draft.discoverable,
        draft.identity,
        draft.rp_id,
    ) = items
    return draft


def _finished(draft: Any) -> CredentialRecord:
    draft.__class__ = CredentialRecord
    record: CredentialRecord = draft
    return record
