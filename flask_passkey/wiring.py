"""How an extension and its app come together: stores, sessions, other extensions."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from copy import copy
from functools import cache, lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Blueprint, Flask, Response, request
from flask.sessions import SecureCookieSessionInterface

from . import progress
from .ceremonies.attestation import Trust
from .config import PasskeyConfig
from .credentials import CredentialRepository
from .errors import ConfigurationError
from .pending import (
    CeremonyStore,
    check_sessions,
    has_session_ids,
    require_rotation,
    store_for,
)
from .web import cookies, early, ended, flask_login, flask_security, http, others, outage, sessions, timing
from .web.routing import Place
from .web.ui import Ui

log = logging.getLogger(__name__)

_READ_AT = "Passkey(app) or passkey.init_app(app); a test gives it to the factory."


def settings_of(app: Flask, own: CeremonyStore | None) -> PasskeyConfig:
    """Return the app's settings.

    :param own: a store of the app's own.
    :raises ConfigurationError: with the line to write, and also with that for the sessions if they will not do either.
    """
    try:
        return PasskeyConfig.from_mapping(app.config, development=lambda: app.debug or app.testing)
    except ConfigurationError as refused:
        if app.config.get("PASSKEY_CEREMONY_STORE") in (None, "", "flask-session") and has_its_sessions(app):
            check = require_rotation if own else partial(store_for, config=app.config)
            try:
                check(app.session_interface)
            except ConfigurationError as too:
                raise ConfigurationError(f"{refused}\n\n{too}") from refused
        raise


def has_its_sessions(app: Flask) -> bool:
    """Tell whether an app has the sessions that it will have: with ``SESSION_TYPE`` Flask-Session may come later."""
    return not app.config.get("SESSION_TYPE") or not isinstance(app.session_interface, SecureCookieSessionInterface)


def repository_of(app: Flask, config: PasskeyConfig) -> CredentialRepository:
    """Return the repository that the settings say: SQLAlchemy, on a file in the instance folder by default."""
    from .credentials.sql import SQLCredentialRepository  # here, as it imports SQLAlchemy

    default = f"sqlite:///{Path(app.instance_path, 'passkey.sqlite3')}"
    return SQLCredentialRepository.from_uri(config.database_uri or default)


def check_databases(app: Flask, credentials: CredentialRepository) -> Callable[[], None]:
    """Check credentials in a database beside the app's Flask-SQLAlchemy; return what checks before the first request.

    :raises ConfigurationError: with the line to write.
    """
    if not hasattr(credentials, "check_beside"):  # not in an SQL database, so without SQLAlchemy
        return lambda: None
    from .databases import Databases

    databases = Databases(app, credentials)
    databases.check()
    return databases.check_last


def add_pages(app: Flask, config: PasskeyConfig, place: Place, *, pages: bool) -> None:
    """Give templates what the macros ask, and add the ready pages where the app wants them."""
    app.jinja_env.globals["passkey_ui"] = Ui()
    if pages:
        from .web import pages as ready_pages

        ready_pages.init_app(app, config, place)


def add_openapi(app: Flask, config: PasskeyConfig, place: Place) -> None:
    """Serve the document of our routes, where the app wants that.

    :raises ConfigurationError: what makes it is not installed.
    """
    if not config.openapi:
        return
    if find_spec("apispec") is None:
        raise ConfigurationError("PASSKEY_OPENAPI needs apispec. Write pip install 'flask-passkey[openapi]'")

    @lru_cache(maxsize=8)
    def made(root: str) -> dict[str, Any]:
        from .openapi import document

        return document(config, root=root, session_cookie=app.config["SESSION_COOKIE_NAME"])

    def openapi(**_: str) -> Response:
        return http.answer(made(request.script_root))

    where: dict[str, Any] = {"host": place.host, "subdomain": place.subdomain}
    app.add_url_rule(f"{config.url_prefix}/passkey/openapi.json", f"{place.blueprint_name}_openapi", openapi, **where)


def store_of(
    app: Flask, config: PasskeyConfig, credentials: CredentialRepository, own: CeremonyStore | None
) -> Callable[[], CeremonyStore]:
    """Return what gives the store of an app's pending ceremonies: the given one, or that which the settings say."""
    if own is None and config.ceremony_store == "database":
        return _database_store(app, credentials)
    choose = cache(partial(store_for, config=app.config))  # an app may get another interface, say in a test

    def store() -> CeremonyStore:
        if own is None:
            return choose(app.session_interface)
        require_rotation(app.session_interface)
        return own

    return store


def _database_store(app: Flask, credentials: CredentialRepository) -> Callable[[], CeremonyStore]:
    from .credentials.sql import SQLCredentialRepository
    from .pending.database import DatabaseStore

    if not isinstance(credentials, SQLCredentialRepository):
        kind = type(credentials)
        raise ConfigurationError(
            "PASSKEY_CEREMONY_STORE = 'database' keeps pending ceremonies beside the credentials, which are in "
            f"{kind.__module__}.{kind.__qualname__}, not in an SQL database. Write Passkey(app, credentials="
            "SQLCredentialRepository(session=db.session)) or PASSKEY_CEREMONY_STORE = 'flask-session'"
        )
    database = DatabaseStore(credentials)
    check = cache(check_sessions)  # once for each interface and key

    def store() -> CeremonyStore:
        check(app.session_interface, secret_key=app.secret_key)
        return database

    return store


def prepare_requests(
    app: Flask,
    config: PasskeyConfig,
    store: Callable[[], CeremonyStore],
    check_last: Callable[[], None],
    blueprint: Blueprint,
) -> None:
    """Come to terms with all other extensions when a request comes, for then they are there for sure."""
    inner, lock = app.wsgi_app, Lock()
    prepared: object = None
    is_watched = False

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        nonlocal prepared, is_watched
        if app.session_interface is not prepared:  # an app may get another interface, say in a test
            with lock:
                store()
                check_last()
                others.exempt_from_csrf(app, blueprint)
                others.answer_refusals(app)
                flask_login.connect(app)
                flask_security.connect(app)
                _guard_sessions(app)
                if prepared is None:
                    _warn_of_late_settings(app, config)
                    _check_each_request(app, config)
                    is_watched = any((timing.connect(app), _connect_metrics(app)))
                prepared = app.session_interface
        environ[ended.SERVED] = True
        if not is_watched:
            return inner(environ, start_response)
        with progress.watched():
            return inner(environ, start_response)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]


def _warn_of_late_settings(app: Flask, config: PasskeyConfig) -> None:
    for key in config.changed_since(app.config):
        log.warning("%s was changed after the settings were read, and has no effect. Write it before %s", key, _READ_AT)


def _connect_metrics(app: Flask) -> bool:
    """Count ceremonies, if the app has set OpenTelemetry up; tell whether it has."""
    if sys.modules.get("opentelemetry.metrics") is None:
        return False
    from .telemetry import connect

    return connect(app)


def _guard_sessions(app: Flask) -> None:
    if "session_interface" not in vars(app):
        app.session_interface = copy(app.session_interface)  # Flask's, which all apps share
    if ended.is_guarded(app.session_interface):  # by a thread that came first, or for another app
        return
    cookies.guard(app.session_interface)
    early.guard(app.session_interface)
    ended.guard(app.session_interface, at_end=sessions.check_at_end)
    if has_session_ids(app.session_interface):
        outage.guard(app.session_interface)


def _check_each_request(app: Flask, config: PasskeyConfig) -> None:
    """Check behind the app's own functions, which may look who is signed in, or set flags of the cookie (Talisman)."""
    warn_once = cache(lambda: cookies.warn(app.config, config))

    def check() -> None:
        sessions.check_at_start()
        warn_once()

    app.before_request_funcs.setdefault(None, []).append(check)


def trust_of(config: PasskeyConfig) -> Trust:
    """Return what attestation must lead to; most apps say nothing of it."""
    if not config.attestation_roots and not config.mds_file:
        return Trust()
    from .trust import load_trust  # here, as it takes certificates and metadata apart

    return load_trust(config)


def secret(app: Flask, config: PasskeyConfig) -> bytes:
    """Return the app's secret key, refusing to go without where it is needed."""
    key = app.secret_key or ""
    if config.username_first and not key:
        raise ConfigurationError(
            "PASSKEY_USERNAME_FIRST needs a secret for its decoys: write SECRET_KEY = "
            "the output of `python -c 'import secrets; print(secrets.token_hex())'`."
        )
    return key.encode() if isinstance(key, str) else key
