"""Choose the adapter for the store behind a session interface."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from flask.sessions import SecureCookieSessionInterface, SessionInterface

from ..errors import ConfigurationError
from . import internals
from .base import Adapter, CeremonyStore

log = logging.getLogger(__name__)

#: The adapter for each store, by top package and name of the class of the session interface or of its cache. Its module
#: is imported when the store is used, as it may bring a library along.
ADAPTERS = {
    "flask_session.RedisSessionInterface": "redis.RedisStore",
    "flask_session.SqlAlchemySessionInterface": "sql.SQLAlchemyStore",
    "flask_session.MemcachedSessionInterface": "memcached.MemcachedStore",
    "flask_session.MongoDBSessionInterface": "mongodb.MongoDBStore",
    "flask_session.DynamoDBSessionInterface": "dynamodb.DynamoDBStore",
    "cachelib.RedisCache": "redis.RedisCacheStore",
    "cachelib.MemcachedCache": "memcached.MemcachedCacheStore",
    "cachelib.FileSystemCache": "files.FileSystemCacheStore",
    "cachelib.SimpleCache": "memory.SimpleCacheStore",
}


def _adapter(path: str) -> type[Adapter]:
    module, _, name = path.partition(".")
    adapter: type[Adapter] = getattr(import_module(f".{module}", __package__), name)
    return adapter


def _advice() -> str:
    return (
        "Run `pip install flask-session redis` and write\n\n"
        '    from flask_session import Session\n    app.config["SESSION_TYPE"] = "redis"\n    Session(app)\n\n'
        f"Any of these will do: {', '.join(_adapter(path).setting for path in ADAPTERS.values())}.\n\n"
        'Or keep the sessions as they are, and write PASSKEY_CEREMONY_STORE = "database": pending ceremonies are then '
        "kept beside the credentials."
    )


def store_for(
    interface: SessionInterface, *, clock: Callable[[], float] = time.time, config: Mapping[str, Any] | None = None
) -> CeremonyStore:
    """Return the adapter for the store behind a session interface. Make it once: it sweeps every minute.

    :param clock: seconds since 1970.
    :param config: the app's, to check that Flask-Session uses the client it was given.
    :raises ConfigurationError: the app's sessions are in a cookie, in an unknown store, or in another store than
        the configured one.
    """
    names = internals.class_names(interface)
    for store_class, path in ADAPTERS.items():
        if store_class in names:
            adapter = _adapter(path)
            _refuse_substitute(adapter, interface, config or {})
            return adapter(interface, clock)
    _refuse_cookies(interface)
    cache = internals.cache_of(interface)
    where = (interface if cache is None else cache).__class__
    raise ConfigurationError(
        "Pending ceremonies cannot be kept where this app keeps its sessions: "
        f"{where.__module__}.{where.__name__} is not known to Flask-Passkey, and to read and then to delete would let "
        f"two get one. {_advice()}\n\nor give a store of your own: Passkey(app, ceremony_store=...)."
    )


def require_rotation(interface: SessionInterface) -> None:
    """Refuse an app whose sessions cannot get a new id at sign-in; Flask-Session's can.

    :raises ConfigurationError: with the lines to write.
    """
    _refuse_cookies(interface)
    if not has_session_ids(interface):
        name = f"{interface.__class__.__module__}.{interface.__class__.__name__}"
        raise ConfigurationError(
            f"A sign-in needs a new session id, and {name} has no regenerate(session). {_advice()}"
        )


def has_session_ids(interface: SessionInterface) -> bool:
    """Tell whether sessions have ids on the server that can be changed."""
    return hasattr(interface, "regenerate")


def check_sessions(interface: SessionInterface, *, secret_key: object) -> None:
    """Look at an app's sessions where pending ceremonies are elsewhere: any will do that can keep who is signed in.

    :raises ConfigurationError: Flask's own, without a key.
    """
    if isinstance(interface, SecureCookieSessionInterface):
        if not secret_key:
            raise ConfigurationError(
                "Flask signs sessions in a cookie with a key, and there is none: write SECRET_KEY = "
                "the output of `python -c 'import secrets; print(secrets.token_hex())'`."
            )
    elif not has_session_ids(interface):
        log.warning(
            "%s.%s has no regenerate(session). If it keeps sessions on the server, a session id that somebody planted "
            "in a browser is still good after the sign-in: give it one, which gives a session a new id.",
            interface.__class__.__module__,
            interface.__class__.__qualname__,
        )


def _refuse_cookies(interface: SessionInterface) -> None:
    if isinstance(interface, SecureCookieSessionInterface):
        raise ConfigurationError(
            "Pending ceremonies and sign-ins cannot be kept in Flask's own sessions: those live in a cookie, which a "
            f"browser can send again after its use. {_advice()}"
        )


def _refuse_substitute(adapter: type[Adapter], interface: Any, config: Mapping[str, Any]) -> None:
    """Refuse an app whose client Flask-Session has replaced by one for localhost."""
    given = config.get(adapter.client_setting)
    used = None if given is None else internals.client_of(interface)
    if given is used:
        return
    what, instead = (f"{type(client).__module__}.{type(client).__qualname__}" for client in (given, used))
    raise ConfigurationError(
        f"Flask-Session does not use {adapter.client_setting}, a {what}: it has put a {instead} for localhost in its "
        f"place, and only warned. Write {adapter.advice}"
    )
