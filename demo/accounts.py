"""The demo's accounts: a name and nothing to remember. They live in the database of their passkeys.

Everything goes through the transaction of the credential repository, so no account is ever stored without its
passkey.
"""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import Column, Connection, DateTime, MetaData, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from flask_passkey import NameTaken, Passkey, SQLCredentialRepository
from flask_passkey.errors import CredentialStoreUnavailable, Misconfigured

metadata = MetaData()
demo_account = Table(
    "demo_account",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("name_key", String(64), nullable=False, unique=True),
    Column("display_name", String(255), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    mysql_charset="utf8mb4",
    mariadb_charset="utf8mb4",
)


@dataclass(frozen=True)
class Account:
    """Somebody with an account, as Flask-Login and Flask-Passkey want to see them."""

    id: str
    name: str
    display_name: str

    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    def get_id(self) -> str:
        return self.id


def name_key(name: str) -> str:
    """Return what all spellings of a name have in common: ``Ada``, ``ada`` and ``Ａｄａ`` are one person.

    It is a hash, as databases disagree on which texts are equal, and on how long a unique one may be.
    """
    folded = name
    for _ in range(3):  # each can make work for the other; Unicode's definition D146 has three steps
        folded = unicodedata.normalize("NFKC", folded).casefold()
    return hashlib.sha256(unicodedata.normalize("NFKC", folded).encode()).hexdigest()


class Accounts:
    """The accounts of an app.

    :param passkey: has the database.
    """

    def __init__(self, passkey: Passkey) -> None:
        self._passkey = passkey
        self._created_table = False

    @property
    def _database(self) -> SQLCredentialRepository:
        repository = self._passkey.credentials
        if not isinstance(repository, SQLCredentialRepository):
            raise TypeError("the demo's accounts are kept beside passkeys in an SQL database")
        return repository

    def get(self, account_id: str) -> Account | None:
        """Return the account with this id."""
        with self._reading() as connection:
            columns = demo_account.c.id, demo_account.c.name, demo_account.c.display_name
            row = connection.execute(select(*columns).where(demo_account.c.id == account_id)).one_or_none()
        return None if row is None else Account(*row)

    def is_available(self, name: str) -> bool:
        """Tell whether nobody has this name yet."""
        with self._reading() as connection:
            same = select(demo_account.c.id).where(demo_account.c.name_key == name_key(name))
            return connection.execute(same).first() is None

    def create(self, name: str, display_name: str) -> Account:
        """Create an account, as part of the transaction that stores its passkey.

        :raises NameTaken: somebody else was faster.
        """
        account = Account(str(uuid.uuid4()), name, display_name)
        values: dict[str, object] = {"id": account.id, "name": name, "display_name": display_name}
        values |= {"name_key": name_key(name), "created_at": datetime.now(UTC)}
        try:
            with self._connection() as connection:
                connection.execute(insert(demo_account).values(values))
        except IntegrityError as exc:
            raise NameTaken("another account has this name") from exc
        return account

    def call(self, account_id: str, display_name: str) -> None:
        """Change what an account likes to be called."""
        with self._connection() as connection:
            same = demo_account.c.id == account_id
            connection.execute(update(demo_account).where(same).values(display_name=display_name))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if not self._created_table:
            self._create_table()
        with self._database.reading() as connection:
            yield connection

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        if not self._created_table:
            self._create_table()
        with self._database.transaction() as connection:
            yield connection

    def _create_table(self) -> None:
        """Create the table if it is missing. Of workers that start at once one may fail, and then finds it there."""
        for last in (False, True):
            try:
                with self._database.transaction() as connection:
                    metadata.create_all(connection)
                break
            except (IntegrityError, CredentialStoreUnavailable, Misconfigured):
                if last:
                    raise
        self._created_table = True
