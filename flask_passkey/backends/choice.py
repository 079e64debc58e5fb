"""The choice of the adapter for the store behind a session interface."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask.sessions import SecureCookieSessionInterface, SessionInterface

from ..errors import ConfigurationError
from .base import CeremonyBackend
from .files import FileSystemCacheBackend
from .memory import SimpleCacheBackend
from .redis import RedisBackend, RedisCacheBackend
from .sql import SQLAlchemyBackend

ADAPTERS = (RedisBackend, SQLAlchemyBackend, RedisCacheBackend, FileSystemCacheBackend, SimpleCacheBackend)


def backend_for(interface: SessionInterface, *, clock: Callable[[], float] = time.time) -> CeremonyBackend:
    """Return the adapter for the store behind a session interface. Make it once and keep it: it sweeps by the minute.

    :param clock: seconds since 1970.
    :raises ConfigurationError: the app keeps sessions in the browser, or in a store that is not known here.

    .. versionadded:: 0.1
    """
    cache = getattr(interface, "cache", None)
    # By name, so that a library need not be installed to be asked about.
    classes = (*interface.__class__.__mro__, *cache.__class__.__mro__)
    names = {f"{cls.__module__.partition('.')[0]}.{cls.__name__}" for cls in classes}
    for adapter in ADAPTERS:
        if adapter.serves in names:
            return adapter(interface, clock)
    where = (interface if cache is None else cache).__class__
    what = f"where this app keeps its sessions: {where.__module__}.{where.__name__} is not known to Flask-Passkey"
    if isinstance(interface, SecureCookieSessionInterface):
        what = "Flask's own sessions: those live in a cookie, which a browser can send again after its use"
    raise ConfigurationError(
        f"Pending ceremonies cannot be kept in {what}. Run `pip install flask-session redis` and write\n\n"
        '    from flask_session import Session\n    app.config["SESSION_TYPE"] = "redis"\n    Session(app)\n\n'
        f"Any of these will do: {', '.join(adapter.setting for adapter in ADAPTERS)}."
    )
