"""The tables: a row for each user handle of an account, credential, enrolment grant and pending ceremony.

They are created on first use. To have migrations create them instead, write ``add_tables_to(db.metadata)``. Their
column types are SQLAlchemy's own, so a migration that Alembic writes needs no import from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from .. import MAX_CREDENTIAL_ID

#: So that MySQL and MariaDB keep every character.
_CHARSET: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
#: Long enough for any attestation object within the largest request body; MySQL picks its column type by it.
_LONG = 1 << 20


def _key(length: int) -> TypeEngine[bytes]:
    """Return a type for short bytes; MySQL cannot index a BLOB."""
    return LargeBinary(length).with_variant(mysql.VARBINARY(length), "mysql", "mariadb")


def _time() -> DateTime:
    """Return a type for a moment in UTC; MySQL drops fractions of a second unless told."""
    return DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


#: Holds the tables; every constraint has a name, so that migrations can refer to it.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _user_id() -> String:
    """Return a type for the app's key of an account; MySQL must tell "A" from "a" in it."""
    return String(255).with_variant(mysql.VARCHAR(255, collation="utf8mb4_bin"), "mysql", "mariadb")


#: The user handles of accounts. The app's key is here and nowhere else. An account that was imported from another
#: system may have several handles; new passkeys get the one with ``primary_for``, which holds the account's id, too.
passkey_user = Table(
    "passkey_user",
    metadata,
    Column("user_handle", _key(64), primary_key=True),
    Column("user_id", _user_id(), nullable=False),
    Column("primary_for", _user_id()),
    # Not by the columns' own switches: a copy in another metadata would get that one's names.
    Index(None, "user_id"),
    UniqueConstraint("primary_for"),
    **_CHARSET,
)


def _owner() -> Column[bytes]:
    """Return a column for the account of a row, which goes with it."""
    account = ForeignKey(passkey_user.c.user_handle, ondelete="CASCADE")
    return Column("user_handle", _key(64), account, nullable=False)


#: The credentials; columns are named like the fields of :class:`~flask_passkey.credentials.CredentialRecord`.
passkey_credential = Table(
    "passkey_credential",
    metadata,
    Column("id", _key(MAX_CREDENTIAL_ID), primary_key=True),
    _owner(),
    Column("public_key", LargeBinary(_LONG), nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("uv_initialized", Boolean, nullable=False),
    Column("transports", Text, nullable=False, comment="JSON list"),
    Column("backup_eligible", Boolean, nullable=False),
    Column("backup_state", Boolean, nullable=False),
    Column("label", String(255), nullable=False),
    Column("aaguid", String(36), nullable=False),
    Column("created_at", _time(), nullable=False),
    Column("last_used_at", _time()),
    Column("algorithm", Integer, nullable=False),
    Column("attestation_object", LargeBinary(_LONG)),
    Column("attestation_client_data_json", LargeBinary(_LONG)),
    Column("discoverable", Boolean),
    Column("identity", String(255)),
    Column("rp_id", String(255)),
    Index(None, "user_handle"),
    **_CHARSET,
)

#: The enrolment grants that were not used yet. What their bearers hold is not here, only its hash.
passkey_grant = Table(
    "passkey_grant",
    metadata,
    Column("token_hash", _key(32), primary_key=True),
    _owner(),
    Column("rp_id", String(255), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("created_at", _time(), nullable=False),
    Column("expires_at", _time()),
    Column("identity", String(255)),
    Index(None, "user_handle"),
    **_CHARSET,
)

#: Pending ceremonies, where ``PASSKEY_CEREMONY_STORE`` is ``database``; empty otherwise.
passkey_ceremony = Table(
    "passkey_ceremony",
    metadata,
    Column("key", _key(64), primary_key=True),
    Column("value", LargeBinary(_LONG), nullable=False),
    Column("expires_at", BigInteger, nullable=False, comment="seconds since 1970"),
    Index(None, "expires_at"),
    **_CHARSET,
)


def add_tables_to(target: MetaData) -> None:
    """Copy the tables into the metadata of an app, whose migrations or ``db.create_all()`` then make them.

    Call it where the models are. With Flask-SQLAlchemy we then create none; without it pass ``create_tables=False`` to
    the repository.

    .. code-block:: python

        flask_passkey.add_tables_to(db.metadata)

    :param target: ``db.metadata`` of Flask-SQLAlchemy, or ``Base.metadata``.
    """
    for table in metadata.sorted_tables:
        if table.key not in target.tables:
            table.to_metadata(target)


def has_tables(others: Iterable[MetaData]) -> bool:
    """Tell whether our tables are among those of an app."""
    return any(metadata.tables.keys() <= other.tables.keys() for other in others)
