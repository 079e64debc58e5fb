"""The app's other extensions that have to do with databases: Flask-SQLAlchemy, Flask-Migrate, and Alembic itself."""

from __future__ import annotations

import logging
import sys
from typing import Any

from flask import Flask, appcontext_pushed, current_app

from .credentials import CredentialRepository
from .credentials.sql import SQLCredentialRepository, metadata
from .credentials.sql.deletion import ask_for_ids
from .state import common, of

log = logging.getLogger(__name__)

_names = frozenset(metadata.tables)
_alembic: list[Any] = []


class Databases:
    """Looks, until an app serves requests, how its databases and those of the credentials go together.

    The other extensions may be set up before Flask-Passkey or after it.
    """

    def __init__(self, app: Flask, credentials: CredentialRepository) -> None:
        self._app = app
        self._repository = credentials if isinstance(credentials, SQLCredentialRepository) else None
        self._checked: Any = None
        self._warned = False
        if self._repository is not None:
            appcontext_pushed.connect(self._look, app)

    def check(self) -> None:
        """Refuse credentials that cannot work beside the app's Flask-SQLAlchemy, if that is there by now.

        :raises ConfigurationError: with the line to write.
        """
        db = self._app.extensions.get("sqlalchemy")
        if self._repository is not None and db is not self._checked and not _in_event_loop():
            with self._app.app_context():
                self._repository.check_beside(db)
            self._checked = db

    def check_last(self) -> None:
        """Do that before the first request, after which nothing new comes.

        :raises ConfigurationError: with the line to write.
        """
        self.check()
        appcontext_pushed.disconnect(self._look, self._app)

    def _look(self, app: Flask, **_: Any) -> None:
        """See who makes the tables; in a context of the app, which a command has, too."""
        keep_tables()
        db = app.extensions.get("sqlalchemy")
        if db is None or self._repository is None:
            return
        if len(users := _users(db)) == 1:  # of several one could be another's
            self._repository.delete_with(users[0], lambda user: of(app).accounts.describe(user).id)
        if not self._repository.leaves_tables_to(db) and "migrate" in app.extensions and not self._warned:
            self._warned = True
            log.warning(
                "The passkeys' tables are in the app's database and not in its migrations. Write "
                "flask_passkey.add_tables_to(db.metadata) where the models are, or pass create_tables=False if "
                "migrations make them in another way"
            )


def _id_in_app(user: Any) -> str | None:
    """Return what the current app calls the id of one of its users, ``None`` outside of an app with this extension."""
    has_extension = bool(current_app) and "passkey" in current_app.extensions
    return common().accounts.describe(user).id if has_extension else None


ask_for_ids(_id_in_app)


def _users(db: Any) -> list[type]:
    """Return the classes of Flask-SQLAlchemy's models that Flask-Login could take for users, without subclasses."""
    registry = getattr(getattr(db, "Model", None), "registry", None)
    found = {mapper.base_mapper.class_ for mapper in getattr(registry, "mappers", ())}
    return [model for model in found if hasattr(model, "get_id") and hasattr(model, "is_authenticated")]


def keep_tables() -> None:
    """Have Alembic, where it is in use, never write a migration that drops our tables, whatever its ``env.py`` says."""
    if _alembic or "alembic" not in sys.modules:
        return
    from alembic import util
    from alembic.autogenerate import comparators

    # Since Alembic 1.18 the order is by priority; before, those that are registered later come later.
    last = getattr(util, "DispatchPriority", None)
    register = comparators.dispatch_for("schema", **({"priority": last.LAST} if last else {}))
    _alembic.append(register(_without_drops))


def _without_drops(context: Any, upgrade: Any, schemas: Any) -> None:
    dropped = {_table_of(op) for op in upgrade.ops if type(op).__name__ == "DropTableOp" and op.table_name in _names}
    if dropped:
        # An index is dropped apart from its table.
        upgrade.ops[:] = [op for op in upgrade.ops if _table_of(op) not in dropped]
        log.info("Alembic does not know the passkeys' tables; they are not dropped")


def _table_of(op: Any) -> tuple[Any, Any]:
    return getattr(op, "schema", None), getattr(op, "table_name", None)


def _in_event_loop() -> bool:
    """Tell whether an event loop runs here: in it no context can end whose teardown is a coroutine."""
    import asyncio

    try:
        return asyncio.get_running_loop() is not None
    except RuntimeError:
        return False
