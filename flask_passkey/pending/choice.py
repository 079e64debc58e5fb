"""Choose the adapter for the store behind a session interface."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask.sessions import SecureCookieSessionInterface, SessionInterface

from ..errors import ConfigurationError
from . import internals
from .base import Adapter, CeremonyStore
from .dynamodb import DynamoDBStore
from .files import FileSystemCacheStore
from .memcached import MemcachedCacheStore, MemcachedStore
from .memory import SimpleCacheStore
from .mongodb import MongoDBStore
from .redis import RedisCacheStore, RedisStore
from .sql import SQLAlchemyStore

log = logging.getLogger(__name__)

ADAPTERS: tuple[type[Adapter], ...] = (
    RedisStore,
    SQLAlchemyStore,
    MemcachedStore,
    MongoDBStore,
    DynamoDBStore,
    RedisCacheStore,
    MemcachedCacheStore,
    FileSystemCacheStore,
    SimpleCacheStore,
)

_REDIS = (
    "Run `pip install flask-session redis` and write\n\n"
    '    from flask_session import Session\n    app.config["SESSION_TYPE"] = "redis"\n    Session(app)\n\n'
    f"Any of these will do: {', '.join(adapter.setting for adapter in ADAPTERS)}.\n\n"
    'Or keep the sessions as they are, and write PASSKEY_CEREMONY_STORE = "database": pending ceremonies are then kept '
    "beside the credentials."
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
    for adapter in ADAPTERS:
        if adapter.store_class in names:
            _refuse_substitute(adapter, interface, config or {})
            return adapter(interface, clock)
    _refuse_cookies(interface)
    cache = internals.cache_of(interface)
    where = (interface if cache is None else cache).__class__
    raise ConfigurationError(
        "Pending ceremonies cannot be kept where this app keeps its sessions: "
        f"{where.__module__}.{where.__name__} is not known to Flask-Passkey, and to read and then to delete would let "
        f"two get one. {_REDIS}\n\nor give a store of your own: Passkey(app, ceremony_store=...)."
    )


def require_rotation(interface: SessionInterface) -> None:
    """Refuse an app whose sessions cannot get a new id at sign-in; Flask-Session's can.

    :raises ConfigurationError: with the lines to write.
    """
    _refuse_cookies(interface)
    if not has_session_ids(interface):
        name = f"{interface.__class__.__module__}.{interface.__class__.__name__}"
        raise ConfigurationError(f"A sign-in needs a new session id, and {name} has no regenerate(session). {_REDIS}")


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
            f"browser can send again after its use. {_REDIS}"
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
