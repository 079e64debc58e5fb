"""The statements about enrolment grants, built once, and how grants become rows and rows grants."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from sqlalchemy import (
    BindParameter,
    DateTime,
    Delete,
    LargeBinary,
    Row,
    String,
    bindparam,
    delete,
    insert,
    or_,
    select,
)

from .. import GrantRecord
from .statements import utc
from .tables import passkey_grant as grant
from .tables import passkey_user as user

_owner: BindParameter[str] = bindparam("owner", type_=String)
_now = bindparam("now", type_=DateTime(timezone=True))
_handle = select(user.c.user_handle).where(user.c.primary_for == _owner)
_COLUMNS = ("token_hash", "rp_id", "kind", "created_at", "expires_at")
_NAMES = ("user_id", *_COLUMNS)
_records = select(user.c.user_id, *(grant.c[name] for name in _COLUMNS)).join_from(grant, user)
_with_key = grant.c.token_hash == bindparam("key", type_=LargeBinary)

GET = _records.where(_with_key)
#: The hash settles the order of those of the same moment.
LIST = _records.where(user.c.primary_for == _owner).order_by(grant.c.created_at, grant.c.token_hash)
#: Adds nothing where the account has no user handle.
ADD = insert(grant).from_select(
    ("user_handle", *_COLUMNS),
    _handle.add_columns(*(bindparam(f"new_{name}", type_=grant.c[name].type).label(name) for name in _COLUMNS)),
)
CLAIM = delete(grant).where(_with_key, or_(grant.c.expires_at.is_(None), grant.c.expires_at > _now))
DELETE = delete(grant).where(grant.c.user_handle == _handle.scalar_subquery())
DELETE_EXPIRED = DELETE.where(grant.c.expires_at <= _now)


def delete_some(*, kind: str | None, rp_id: str | None) -> Delete:
    """Return the statement that deletes an account's grants, or only those of a kind or for an RP ID."""
    statement = DELETE if kind is None else DELETE.where(grant.c.kind == kind)
    return statement if rp_id is None else statement.where(grant.c.rp_id == rp_id)


def record_of(row: Row[Any]) -> GrantRecord:
    """Turn a row of :data:`GET` or :data:`LIST` into a grant."""
    values = dict(zip(_NAMES, row, strict=True))
    values["created_at"] = utc(values["created_at"])
    values["expires_at"] = values["expires_at"] and utc(values["expires_at"])
    return GrantRecord(**values)


def values_of(record: GrantRecord) -> dict[str, Any]:
    """Turn a grant into the parameters of :data:`ADD`."""
    return {
        "owner": record.user_id,
        "new_token_hash": record.token_hash,
        "new_rp_id": record.rp_id,
        "new_kind": record.kind,
        "new_created_at": record.created_at.astimezone(UTC),
        "new_expires_at": record.expires_at and record.expires_at.astimezone(UTC),
    }
