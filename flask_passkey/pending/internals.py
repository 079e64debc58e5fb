"""All internals of Flask-Session and CacheLib that we use; neither library promises them.

setup.cfg caps both below their next release that may change them. ``tests/test_internals.py`` names each attribute.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import copy
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

# Flask-Session: the interfaces


def key_prefix(interface: Any) -> str:
    """Return the prefix of the names of sessions."""
    return str(getattr(interface, "key_prefix", ""))


def client_of(interface: Any) -> Any:
    """Return the client of a Redis or memcached interface, or the extension of an SQLAlchemy one."""
    return interface.client


def cache_of(interface: Any) -> Any:
    """Return the cache of a CacheLib interface, ``None`` if the interface has none."""
    return getattr(interface, "cache", None)


def collection_of(interface: Any) -> Any:
    """Return the collection of a MongoDB interface."""
    return interface.store


def dynamodb_of(interface: Any) -> tuple[Any, str]:
    """Return the client and the table's name of a DynamoDB interface."""
    return interface.store.meta.client, str(interface.store.name)


def sessions_table(interface: Any) -> Table:
    """Return the table of an SQLAlchemy interface."""
    table: Table = interface.sql_session_model.__table__
    return table


def sessions_engine(interface: Any) -> Engine:
    """Return the engine of an SQLAlchemy interface."""
    engine: Engine = interface.client.engines[sessions_table(interface).metadata.info.get("bind_key")]
    return engine


def upsert_of(interface: Any) -> Callable[..., None]:
    """Return the function that saves a session, as its class defines it: interface, lifetime, session, name."""
    upsert: Callable[..., None] = type(interface)._upsert_session
    return upsert


def delete_of(interface: Any) -> Callable[..., None]:
    """Return the function that deletes a session, as its class defines it: interface, name."""
    delete: Callable[..., None] = type(interface)._delete_session
    return delete


def is_plain_redis(interface: Any) -> bool:
    """Tell whether an interface and its client are Flask-Session's and redis-py's: a subclass of theirs may do more."""
    if type(interface).__name__ != "RedisSessionInterface":
        return False
    classes = type(interface), type(client_of(interface))
    return [cls.__module__.partition(".")[0] for cls in classes] == ["flask_session", "redis"]


def replace_saving(interface: Any, save: Callable[..., None], delete: Callable[..., None] | None) -> None:
    """Make an interface save and delete sessions by other functions, whose first argument is what it has now."""
    interface._upsert_session = partial(save, interface._upsert_session)
    if delete is not None:
        interface._delete_session = partial(delete, interface._delete_session)


def replace_reading(interface: Any, read: Callable[..., Any]) -> None:
    """Make an interface read sessions by another function, whose first argument is what it has now."""
    interface._retrieve_session_data = partial(read, interface._retrieve_session_data)


def read_by(interface: Any, get: Callable[[str], Any], name: str) -> Any:
    """Read a session from Redis as the class of its interface does, by another function than its client's ``get()``."""
    other = copy(interface)
    other.client = SimpleNamespace(get=get)
    return type(interface)._retrieve_session_data(other, name)


def class_names(interface: Any) -> set[str]:
    """Return top package and name of each class that an interface is of, or its cache.

    Stores are known by these, so that their libraries need not be installed. Of a proxy it is what that stands for.
    """
    classes = (*interface.__class__.__mro__, *cache_of(interface).__class__.__mro__)
    return {f"{cls.__module__.partition('.')[0]}.{cls.__name__}" for cls in classes}


# CacheLib: the caches


def is_in_files(cache: Any) -> bool:
    """Tell whether a cache is in files."""
    return hasattr(cache, "_fs_transaction_suffix")


def is_in_memory(cache: Any) -> bool:
    """Tell whether a cache is a dictionary."""
    return isinstance(getattr(cache, "_cache", None), dict)


def threshold_of(cache: Any) -> int:
    """Return the number of records above which a cache in files or in memory drops some."""
    return int(cache._threshold)


def path_of(cache: Any) -> str:
    """Return the folder of a cache in files."""
    return str(cache._path)


def ignored_folder(cache: Any, name: str) -> str:
    """Return a folder or file in that of a cache; CacheLib ignores it because its name ends like a temporary file's."""
    return os.path.join(path_of(cache), f"{name}{cache._fs_transaction_suffix}")


def records_beside(cache: Any, name: str) -> dict[str, Any]:
    """Return a dictionary that is kept on a cache in memory, so that all users of the cache share it."""
    records: dict[str, Any] = vars(cache).setdefault(name, {})
    return records


def redis_of(cache: Any) -> tuple[Any, str]:
    """Return the client that writes, and the prefix of names, of a cache in Redis."""
    prefix = cache.key_prefix or ""
    return cache._write_client, str(prefix() if callable(prefix) else prefix)


def memcached_of(cache: Any) -> tuple[Any, str]:
    """Return the client, and the prefix of names, of a cache in memcached."""
    return cache._client, str(cache.key_prefix or "")
