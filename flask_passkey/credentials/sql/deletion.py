"""Passkeys that go with the row of their account, where both are in one database."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Connection, Engine, event, inspect, select

from . import grants, statements
from .tables import passkey_user

UserId = Callable[[Any], str]
Model = TypeVar("Model", bound=type)

_ids: WeakKeyDictionary[type, UserId] = WeakKeyDictionary()
# Tell what the current app calls the id of an account; nothing where there is none.
_tellers: list[Callable[[Any], str | None]] = []
# Where the tables have been found. They may come later, so others are asked each time.
_with_tables: WeakSet[Engine] = WeakSet()


def delete_with(model: Model, *, user_id: UserId | None = None) -> Model:
    """Delete an account's passkeys together with its row, in the same transaction, when a session deletes that.

    A ``delete(Account)`` that a session executes counts, too. The account must be in the database that has the
    passkeys. Rows that other statements delete, in text or without a session, go unnoticed: for those a foreign key or
    ``passkey.forget_user()`` is needed.

    .. code-block:: python

        @delete_with
        class Account(Base): ...


        delete_with(Member, user_id=lambda member: f"member:{member.id}")

    :param model: a mapped class, which is returned.
    :param user_id: gives the id of one of its objects, as in :class:`~flask_passkey.UserInfo`; by default what the
        current app's ``describe_user`` hook says, or ``get_id()``, and outside of an app the primary key as text.
    """
    is_new = model not in _ids
    _ids[model] = user_id or _usual_id
    if is_new:
        event.listen(model, "before_delete", lambda _, connection, row: _delete(connection, model, row), propagate=True)
        _watch_statements()
    return model


@cache
def _watch_statements() -> None:
    from sqlalchemy.orm import Session  # imported by whoever has a model

    event.listen(Session, "do_orm_execute", _before_statement)


def _before_statement(state: Any) -> None:
    """Delete the passkeys of all accounts that a statement will delete."""
    if not state.is_delete:
        return
    # A statement's table may be a copy with remarks, which is equal.
    for model in [model for model in _ids if inspect(model).local_table == state.statement.table]:
        connection = state.session.connection(bind_arguments={"mapper": inspect(model)})
        for row in _chosen(state, model) if _has_tables(connection) else ():
            delete_account(connection, _ids[model](row))


def _chosen(state: Any, model: type) -> list[Any]:
    """Return the accounts that a statement will delete, which may be those of a subclass in the same table."""
    wanted = select(model if state.bind_mapper is None else state.bind_mapper.class_)
    where = state.statement.whereclause
    chosen = wanted if where is None else wanted.where(where)
    each = state.parameters if isinstance(state.parameters, list) else [state.parameters]
    return [row for values in each for row in state.session.execute(chosen, values).scalars()]


def delete_account(connection: Connection, user_id: str) -> None:
    """Delete an account's grants, credentials and user handles."""
    owner = {"owner": user_id}
    # Grants come first: whoever is about to use one has claimed it, or comes too late to add a passkey.
    connection.execute(grants.DELETE, owner)
    connection.execute(statements.LOCK, owner)
    handles = connection.execute(statements.HANDLES, owner).scalars().all()
    # The database cascades, except SQLite on an engine that has not switched foreign keys on.
    connection.execute(statements.DELETE_ALL, {"handles": handles})
    connection.execute(statements.DELETE_USER, owner)


def mapped_base(model: type) -> type | None:
    """Return the topmost mapped class above this one, ``None`` for one that SQLAlchemy's ORM does not know."""
    mapper = getattr(model, "__mapper__", None)
    return None if mapper is None else mapper.base_mapper.class_


def ask_for_ids(tell: Callable[[Any], str | None]) -> None:
    """Have a function asked for the ids of accounts whose model says nothing of them."""
    _tellers.append(tell)


def _usual_id(row: Any) -> str:
    return next((told for tell in _tellers if (told := tell(row)) is not None), None) or _primary_key(row)


def _primary_key(row: Any) -> str:
    return ":".join(map(str, inspect(row).identity))


def _delete(connection: Connection, model: type, row: Any) -> None:
    if _has_tables(connection):
        delete_account(connection, _ids[model](row))


def _has_tables(connection: Connection) -> bool:
    if connection.engine not in _with_tables:
        if not inspect(connection).has_table(passkey_user.name):
            return False
        _with_tables.add(connection.engine)
    return True
