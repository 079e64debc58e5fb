"""Every statement the repository runs, built once, and the conversion between records and rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Executable,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from .. import FIELDS, CredentialRecord, counts, record_with
from .tables import passkey_credential as credential
from .tables import passkey_user as user

_owner: BindParameter[str] = bindparam("owner", type_=String)
_key: BindParameter[bytes] = bindparam("key", type_=LargeBinary)
_handle: BindParameter[bytes] = bindparam("handle", type_=LargeBinary)
HANDLES = select(user.c.user_handle).where(user.c.user_id == _owner)
_of_owner = credential.c.user_handle.in_(HANDLES)
#: In the order of a record's items.
_records = select(*((user if name == "user_id" else credential).c[name] for name in FIELDS)).join_from(credential, user)

GET_HANDLE = select(user.c.user_handle).where(user.c.primary_for == _owner)
GET_OWNER = select(user.c.user_id).where(user.c.user_handle == _handle)
GET = _records.where(credential.c.id == _key)
#: Records of the same moment are in the order of their IDs.
LIST = _records.where(user.c.user_id == _owner).order_by(credential.c.created_at, credential.c.id)

#: A no-op UPDATE that takes the account's row lock; on SQLite the database's write lock, even without an account.
LOCK = update(user).where(user.c.primary_for == _owner).values(user_id=user.c.user_id)
LOCK_IDS = select(credential.c.id, credential.c.rp_id).where(_of_owner).with_for_update()
_rp_id = func.coalesce(credential.c.rp_id, literal_column("''"))
COUNT_BY_RP_ID = select(_rp_id, func.count()).group_by(_rp_id)
DELETE = delete(credential).where(credential.c.id == _key)
#: With a subquery MySQL and MariaDB would look at all rows.
DELETE_ALL = delete(credential).where(credential.c.user_handle.in_(bindparam("handles", expanding=True)))
DELETE_USER = delete(user).where(user.c.user_id == _owner)
RENAME = update(credential).where(credential.c.id == _key, _of_owner).values(label=bindparam("new_label"))

_account = user.c.primary_for
USER_IDS = select(_account).where(_account > _owner).order_by(_account).limit(bindparam("limit", type_=Integer))

_count = bindparam("new_count", type_=BigInteger)
#: No counter: in the text, as it is always the same.
_NONE: ColumnElement[int] = literal_column("0")
_time = bindparam("new_time", type_=DateTime(timezone=True))
_stored = credential.c
#: The database itself compares, so that no sign-in can undo a later one.
_record_use = (
    update(credential)
    .where(_stored.id == _key)
    .values(
        sign_count=case((_stored.sign_count < _count, _count), else_=_stored.sign_count),
        backup_state=bindparam("new_state", type_=Boolean),
        backup_eligible=or_(_stored.backup_eligible, bindparam("new_eligible", type_=Boolean)),
        uv_initialized=or_(_stored.uv_initialized, bindparam("new_uv", type_=Boolean)),
        last_used_at=case(
            (or_(_stored.last_used_at.is_(None), _stored.last_used_at < _time), _time), else_=_stored.last_used_at
        ),
    )
)
_has_grown = or_(_stored.sign_count < _count, and_(_stored.sign_count == _NONE, _count == _NONE))


# Under an alias, as UPDATE … RETURNING writes its own columns without the table's name.
_listed = credential.alias("passkey_credential_listed").c
_is_of_account = _listed.user_handle.in_(HANDLES)
_IDS = select(_listed.id, _listed.rp_id).where(_is_of_account)
_NAMED: ColumnElement[str] = literal_column("':'") + func.coalesce(_listed.rp_id, literal_column("''"))
#: The same as one text, with commas between them: a hexadecimal number, a colon and the RP ID.
_IDS_AS_TEXT = {
    "sqlite": func.group_concat(func.hex(_listed.id) + _NAMED),
    "postgresql": func.string_agg(func.encode(_listed.id, literal_column("'hex'")) + _NAMED, literal_column("','")),
}


class RecordUse:
    """Stores a use and finds the account's credentials, in one statement where there is UPDATE … RETURNING.

    :param update: changes one row or none.
    """

    def __init__(self, update: Update) -> None:
        self._update = update
        self._by_dialect = {
            name: update.returning(select(text).where(_is_of_account).scalar_subquery())
            for name, text in _IDS_AS_TEXT.items()
        }

    def __call__(
        self, connection: Connection, values: dict[str, Any], rp_ids: Collection[str] = ()
    ) -> list[bytes] | None:
        """Store the use; return the IDs of the account's credentials, ``None`` if nothing was stored.

        :param rp_ids: only of those with one of these RP IDs.
        """
        if (statement := self.in_one(connection.dialect)) is not None:
            text = connection.execute(statement, values).scalar()
            return None if text is None else ids_of(text, rp_ids)
        if connection.execute(self._update, values).rowcount != 1:
            return None
        return counted(connection.execute(_IDS, {"owner": values["owner"]}), rp_ids)

    def in_one(self, dialect: Dialect) -> Update | None:
        """Return the one statement that does both, ``None`` where the database has none."""
        return self._by_dialect.get(dialect.name) if dialect.update_returning else None


def ids_of(text: str, rp_ids: Collection[str]) -> list[bytes]:
    """Return the IDs in the answer of the one statement, of those credentials that have one of these RP IDs."""
    return counted(map(_read_id, text.split(",")), rp_ids)


def _read_id(text: str) -> tuple[bytes, str]:
    credential_id, _, rp_id = text.partition(":")
    return bytes.fromhex(credential_id), rp_id


def counted(rows: Iterable[Any], rp_ids: Collection[str] = ()) -> list[bytes]:
    """Return the IDs of those credentials that have one of these RP IDs.

    :param rows: with the credential's ID and its RP ID.
    """
    return [credential_id for credential_id, rp_id in rows if counts(rp_id or "", rp_ids)]


#: By whether the counter must grow.
RECORD_USE = {False: RecordUse(_record_use), True: RecordUse(_record_use.where(_has_grown))}


class InsertIfNew:
    """Inserts a row unless there is one with its key; simultaneous inserts of one key wait for each other.

    :param column: the column with the key.
    :param find: finds the row; its only parameter is the key.
    :param any_key: do not insert either where another key of the table is taken; then there is nothing to find.
    """

    def __init__(self, table: Table, column: str, find: Select[Any], *, any_key: bool = False) -> None:
        self._column = column
        self._any_key = any_key
        taken = None if any_key else [column]
        self._plain = insert(table)
        self._find = find
        # A locking read sees what others have committed, even in an older snapshot (MySQL's default).
        self._find_now = find.with_for_update(read=True)
        # Not by rowcount on PostgreSQL, where SQLAlchemy before 2.0.28 has none for an INSERT.
        self._by_dialect: dict[str, Executable] = {
            "sqlite": sqlite.insert(table)
            .on_conflict_do_nothing(index_elements=taken)
            .execution_options(preserve_rowcount=True),
            "postgresql": postgresql.insert(table)
            .on_conflict_do_nothing(index_elements=taken)
            .returning(table.c[column]),
        }
        (self._parameter,) = find.compile().params

    def __call__(self, connection: Connection, values: dict[str, Any]) -> bool:
        """Insert the row; return whether it was new."""
        if (statement := self._by_dialect.get(connection.dialect.name)) is not None:
            result = connection.execute(statement, values)
            return result.first() is not None if result.returns_rows else result.rowcount == 1
        try:
            with connection.begin_nested():
                connection.execute(self._plain, values)
        except IntegrityError:
            if not self._any_key and self.find(connection, values) is None:
                raise
            return False
        return True

    def find(self, connection: Connection, values: dict[str, Any]) -> bytes | None:
        """Return what ``find`` finds under the key."""
        find = self._find if connection.dialect.name in self._by_dialect else self._find_now
        found: bytes | None = connection.execute(find, {self._parameter: values[self._column]}).scalar()
        return found


ADD_USER = InsertIfNew(user, "primary_for", GET_HANDLE, any_key=True)
#: One more handle of an account that has one.
ADD_HANDLE = InsertIfNew(user, "user_handle", GET_OWNER)
ADD = InsertIfNew(credential, "id", select(credential.c.id).where(credential.c.id == _key))


_TRANSPORTS, _CREATED_AT, _LAST_USED_AT, _RP_ID = map(
    FIELDS.index, ("transports", "created_at", "last_used_at", "rp_id")
)


def record_of(row: Sequence[Any]) -> CredentialRecord:
    """Turn a row of :data:`GET` or :data:`LIST` into a record."""
    items = list(row)
    items[_TRANSPORTS] = _read_transports(items[_TRANSPORTS])
    items[_CREATED_AT] = utc(items[_CREATED_AT])
    if items[_LAST_USED_AT] is not None:
        items[_LAST_USED_AT] = utc(items[_LAST_USED_AT])
    items[_RP_ID] = items[_RP_ID] or ""
    return record_with(items)


@lru_cache(maxsize=64)  # most passkeys have one of a few lists
def _read_transports(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def values_of(record: CredentialRecord) -> dict[str, Any]:
    """Turn a record into the values of its row."""
    values = {column.name: getattr(record, column.name) for column in credential.c}
    values["transports"] = json.dumps(record.transports)
    values["created_at"] = record.created_at.astimezone(UTC)
    values["last_used_at"] = record.last_used_at and record.last_used_at.astimezone(UTC)
    return values


def use_of(record: CredentialRecord) -> dict[str, Any]:
    """Return the parameters of :data:`RECORD_USE`."""
    return {
        "key": record.id,
        "owner": record.user_id,
        "new_count": record.sign_count,
        "new_state": record.backup_state,
        "new_eligible": record.backup_eligible,
        "new_uv": record.uv_initialized,
        "new_time": record.last_used_at and record.last_used_at.astimezone(UTC),
    }


def utc(moment: datetime) -> datetime:
    """Return a time in UTC: PostgreSQL answers in the session's time zone, other databases without one."""
    # Four times as quick as replace(tzinfo=UTC).
    return moment.astimezone(UTC) if moment.tzinfo else datetime.combine(moment, moment.time(), UTC)
