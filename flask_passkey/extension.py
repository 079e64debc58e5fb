"""``Passkey``, the object an app holds.

What belongs to one app is kept under that app, never on the extension, so one extension can serve several.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial, wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, TypeVar, cast

from flask import Flask, Response, current_app
from flask.sessions import SecureCookieSessionInterface

from .accounts import Accounts, Hooks
from .config import PasskeyConfig
from .credentials import CredentialRepository
from .credentials.sql import SQLCredentialRepository
from .errors import (
    CeremonyStoreUnavailable,
    ConfigurationError,
    CredentialStoreUnavailable,
    Refusal,
)
from .pending import CeremonyStore, require_rotation, store_for
from .pending.ceremonies import PendingCeremonies
from .relying_party import RelyingParty
from .trust import load_trust
from .visitor import Visitor
from .web import flask_login as login
from .web import http as incoming
from .web import sessions, views

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

_STATE = "passkey_state"


@dataclass(frozen=True, slots=True)
class _State:
    """What belongs to one app."""

    config: PasskeyConfig
    accounts: Accounts
    relying_party: RelyingParty


class Passkey:
    """Passkey sign-in for Flask apps.

    :param app: the app, or give it to :meth:`init_app` later.
    :param credentials: where credentials are kept; by default SQLAlchemy on ``PASSKEY_DATABASE_URI``, which is
        ``passkey.sqlite3`` in the instance folder unless set.
    :param ceremony_store: where pending ceremonies are kept; by default in the store behind Flask-Session.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        credentials: CredentialRepository | None = None,
        ceremony_store: CeremonyStore | None = None,
    ) -> None:
        self._credentials = credentials
        self._ceremony_store = ceremony_store
        self._hooks = Hooks()
        if app is not None:
            self.init_app(app)

    def init_app(
        self,
        app: Flask,
        *,
        credentials: CredentialRepository | None = None,
        ceremony_store: CeremonyStore | None = None,
    ) -> None:
        """Check the app's configuration and add the routes. Flask-Session may be set up before or after.

        :param credentials: where this app's credentials are kept.
        :param ceremony_store: where this app's pending ceremonies are kept.
        :raises ConfigurationError: with the key and the line to write.
        :raises RuntimeError: the app has this extension already.
        """
        if "passkey" in app.extensions:
            raise RuntimeError("This app has a Passkey extension already; use app.extensions['passkey'].")
        config = PasskeyConfig.from_mapping(app.config, development=app.debug or app.testing)
        store = _store_of(app, ceremony_store or self._ceremony_store)
        if not app.config.get("SESSION_TYPE") or not isinstance(app.session_interface, SecureCookieSessionInterface):
            store()  # refuses what cannot work; with SESSION_TYPE it may come later
        state = self._make_state(app, config, credentials or self._credentials, store)
        app.extensions |= {"passkey": self, _STATE: state}
        app.register_blueprint(views.blueprint, url_prefix=config.url_prefix or None)
        app.register_error_handler(Refusal, views.refuse)
        _add_well_known(app, config)
        _guard_sessions(app, config, store)
        login.on_logout(app, sessions.forget_sign_in)

    def _make_state(
        self,
        app: Flask,
        config: PasskeyConfig,
        credentials: CredentialRepository | None,
        store: Callable[[], CeremonyStore],
    ) -> _State:
        accounts = Accounts(self._hooks, lambda: login.hooks_of(app))
        party = RelyingParty(
            config=config,
            accounts=accounts,
            credentials=credentials or SQLCredentialRepository.from_uri(config.database_uri or _sqlite(app)),
            challenges=PendingCeremonies(store, rp_id=config.rp_id),
            trust=load_trust(config),
            secret=_secret(app, config),
            sender=app,
        )
        return _State(config, accounts, party)

    # The parts of the current app

    @property
    def _state(self) -> _State:
        extensions = current_app.extensions
        if extensions.get("passkey") is not self:
            raise RuntimeError("This app does not have this Passkey extension: call passkey.init_app(app).")
        state: _State = extensions[_STATE]
        return state

    @property
    def config(self) -> PasskeyConfig:
        """The settings of the current app."""
        return self._state.config

    @property
    def accounts(self) -> Accounts:
        """The hooks of the current app, with defaults for those it does not have."""
        return self._state.accounts

    @property
    def relying_party(self) -> RelyingParty:
        """The use cases of the current app, for its own views and commands."""
        return self._state.relying_party

    @property
    def credentials(self) -> Any:
        """The current app's credential repository."""
        return self._state.relying_party.credentials

    def visitor(self) -> Visitor:
        """Return who is asking by the current request: user, browser, last passkey sign-in."""
        state = self._state
        return sessions.visitor(state.accounts, state.config)

    def refuse_cross_site(self) -> None:
        """Refuse the current request if a browser sent it from another site's page.

        Our routes do that by themselves; use it for the app's own forms.

        :raises CrossSiteRequest: it did.
        """
        incoming.refuse_cross_site(self.config)

    def required(self, max_age: int | None = None) -> Callable[[F], F]:
        """Decorate a view that needs a passkey sign-in not long ago: ``@passkey.required(max_age=60)``.

        Otherwise it is answered with the envelope, code 401 or 40091; handle
        :class:`~flask_passkey.errors.SignInRequired` and :class:`~flask_passkey.errors.StepUpRequired` with
        ``app.errorhandler`` to show a page instead.

        :param max_age: in seconds; ``PASSKEY_STEP_UP_AGE`` unless given.
        """

        def decorate(view: F) -> F:
            @wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                self.relying_party.require_recent_sign_in(self.visitor(), max_age=max_age)
                return current_app.ensure_sync(view)(*args, **kwargs)

            return cast(F, guarded)

        return decorate

    def offer_passkey(self) -> None:
        """Offer the user a passkey; call it where the app has just let them in with a password.

        The page they see next asks the browser to make one by itself: see :meth:`passkey_offered`. Do not call it
        after a sign-in by a link in a mail, or by another site: the browser makes one only beside a password.

        :raises RuntimeError: nobody is signed in.
        """
        user = self.accounts.current()
        if user is None:
            raise RuntimeError("Nobody is signed in yet: call passkey.offer_passkey() after the app's own sign-in.")
        sessions.offer_passkey(self.accounts.describe(user).id)

    def passkey_offered(self) -> bool:
        """Tell a page whether to have ``data-passkey-offer``: after an offer, for an account without a passkey.

        The offer is good for one try within five minutes. While the credentials cannot be read there is none.
        """
        try:
            return self.relying_party.may_create_conditionally(self.visitor())
        except CredentialStoreUnavailable:
            return False

    def forget_user(self, user_id: str) -> None:
        """Forget an account's passkeys; call it when the app deletes the account.

        :param user_id: the id as in :class:`UserInfo`.
        """
        self.credentials.delete_user(user_id)

    # The hooks, as decorators. Like views, they may be coroutines where the app has Flask's "async" extra.

    def get_current_user(self, function: F) -> F:
        """Set ``() -> user | None``: who is signed in. Not needed with Flask-Login."""
        return self._set("get_current_user", function)

    def load_user(self, function: F) -> F:
        """Set ``(user_id: str) -> user | None``. Not needed with Flask-Login."""
        return self._set("load_user", function)

    def login_user(self, function: F) -> F:
        """Set ``(user) -> dict | None``: sign this user in; a dict is added to the answer's ``data``.

        Not needed with Flask-Login.
        """
        return self._set("login_user", function)

    def find_user(self, function: F) -> F:
        """Set ``(name: str) -> user | None``, for ``PASSKEY_USERNAME_FIRST``."""
        return self._set("find_user", function)

    def create_user(self, function: F) -> F:
        """Set ``(name: str, display_name: str) -> user``: create an account; switches sign-up on.

        Raise :class:`~flask_passkey.NameTaken` when there is one of this name. Write through
        ``passkey.credentials.transaction()``, and account and passkey are stored together or not at all.
        """
        return self._set("create_user", function)

    def name_available(self, function: F) -> F:
        """Set ``(name: str) -> bool``: could an account of this name be created? Asked before the passkey is made."""
        return self._set("name_available", function)

    def describe_user(self, function: F) -> F:
        """Set ``(user) -> UserInfo``, for user objects without ``id``, ``name`` and ``display_name``."""
        return self._set("describe_user", function)

    def check_account(self, function: F) -> F:
        """Set ``(user) -> bool``: may this account sign in? By default the user's ``is_active``."""
        return self._set("check_account", function)

    def other_sign_in_methods(self, function: F) -> F:
        """Set ``(user) -> bool``: can they sign in without a passkey? If not, the last one cannot be deleted."""
        return self._set("other_sign_in_methods", function)

    def _set(self, name: str, function: F) -> F:
        in_app: Callable[..., Any] = function
        if iscoroutinefunction(function):

            def in_app(*values: Any) -> Any:
                return current_app.ensure_sync(function)(*values)

        setattr(self._hooks, name, in_app)
        return function


def _store_of(app: Flask, own: CeremonyStore | None) -> Callable[[], CeremonyStore]:
    """Return what gives the store of an app's pending ceremonies: its own, or the one behind Flask-Session."""
    choose = cache(partial(store_for, config=app.config))  # an app may get another interface, say in a test

    def store() -> CeremonyStore:
        interface = sessions.unguarded(app.session_interface)
        if own is None:
            return choose(interface)
        require_rotation(interface)
        return own

    return store


def _guard_sessions(app: Flask, config: PasskeyConfig, store: Callable[[], CeremonyStore]) -> None:
    """Check and guard the app's sessions when a request comes, for then Flask-Session is there for sure."""
    inner, is_ours = app.wsgi_app, partial(views.is_route, prefix=config.url_prefix)

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        if not sessions.is_guarded(app):  # an app may get another interface, say in a test
            store()
            sessions.guard(app, is_ours=is_ours, answer=_not_saved)
        return inner(environ, start_response)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]


def _secret(app: Flask, config: PasskeyConfig) -> bytes:
    """Return the app's secret key, refusing to go without where it is needed."""
    key = app.secret_key or ""
    if config.username_first and not key:
        raise ConfigurationError(
            "PASSKEY_USERNAME_FIRST needs a secret for its decoys: write SECRET_KEY = "
            "the output of `python -c 'import secrets; print(secrets.token_hex())'`."
        )
    return key.encode() if isinstance(key, str) else key


def _sqlite(app: Flask) -> str:
    """Return the URL of the embedded default, in the instance folder."""
    return f"sqlite:///{Path(app.instance_path, 'passkey.sqlite3')}"


def _add_well_known(app: Flask, config: PasskeyConfig) -> None:
    if config.related_origins:
        app.add_url_rule("/.well-known/webauthn", "passkey_related_origins", views.related_origins)
    if config.endpoints:
        app.add_url_rule("/.well-known/passkey-endpoints", "passkey_endpoints", views.passkey_endpoints)


def _not_saved(error: Exception) -> Response:
    refusal = CeremonyStoreUnavailable(f"the session could not be saved: {type(error).__name__}")
    refusal.__cause__ = error
    return views.refuse(refusal)
