"""The insides of Flask-Session and CacheLib that we use are there, under the names that we use."""

from __future__ import annotations

import inspect

import cachelib
import flask_session
import pytest
from flask_session.base import ServerSideSession, ServerSideSessionInterface
from flask_session.cachelib import CacheLibSessionInterface
from flask_session.dynamodb import DynamoDBSessionInterface
from flask_session.memcached import MemcachedSessionInterface
from flask_session.mongodb import MongoDBSessionInterface
from flask_session.redis import RedisSessionInterface
from flask_session.sqlalchemy import SqlAlchemySessionInterface

#: By class: what its source sets or defines.
USED: dict[type, tuple[str, ...]] = {
    ServerSideSession: ("sid", "modified"),
    ServerSideSessionInterface: (
        "key_prefix",
        "session_class",
        "regenerate",
        "open_session",
        "save_session",
        "_upsert_session",
        "_delete_session",
        "_retrieve_session_data",
    ),
    RedisSessionInterface: ("client",),
    MemcachedSessionInterface: ("client",),
    SqlAlchemySessionInterface: ("client", "sql_session_model"),
    CacheLibSessionInterface: ("cache",),
    MongoDBSessionInterface: ("store",),
    DynamoDBSessionInterface: ("store",),
    cachelib.FileSystemCache: ("has", "_threshold", "_path", "_fs_transaction_suffix"),
    cachelib.SimpleCache: ("has", "_threshold", "_cache"),
    cachelib.RedisCache: ("_write_client", "key_prefix"),
    cachelib.MemcachedCache: ("_client", "key_prefix"),
}


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls, names in USED.items() for name in names])
def test_what_we_use_is_there(cls: type, name: str) -> None:
    """Each attribute is set or defined by the class or one it derives from."""
    sources = [inspect.getsource(base) for base in cls.__mro__ if base.__module__.startswith(("flask_ses", "cachelib"))]
    assert any(
        f"self.{name} = " in text or f"def {name}(" in text or f"{name} = " in text or f"self.{name}:" in text
        for text in sources
    )


def test_the_release_is_one_we_know() -> None:
    """setup.cfg allows no other release of Flask-Session, whose insides these are."""
    assert flask_session.__version__.startswith("0.8.")
