"""Credentials in an SQL database: SQLite, PostgreSQL, MySQL or MariaDB, through SQLAlchemy Core.

.. code-block:: text

    repository.py    SQLCredentialRepository, what an app holds
    statements.py    every statement it runs, and the conversion between records and rows
    grants.py        the same for enrolment grants
    connections.py   its sources of connections: an engine, or the app's session
    drivers.py       the two statements of a sign-in by the database's driver, without SQLAlchemy's execution
    kept.py          a few connections that it keeps in between
    watching.py      whether somebody listens to an engine, and so must see these two, too
    turns.py         the writers of one process write one after the other
    failures.py      which errors are worth another try
    engines.py       our own engine for a database URL
    files.py         SQLite files that the app's session has open, too
    tables.py        the tables
    inspection.py    how the tables in a database differ from ours
    missing.py       columns that a table from before lacks
    deletion.py      passkeys that go with the row of their account
"""

from __future__ import annotations

from .deletion import delete_with
from .repository import SQLCredentialRepository
from .tables import add_tables_to, metadata, passkey_ceremony, passkey_credential, passkey_grant, passkey_user

__all__ = [
    "SQLCredentialRepository",
    "add_tables_to",
    "delete_with",
    "metadata",
    "passkey_ceremony",
    "passkey_credential",
    "passkey_grant",
    "passkey_user",
]
