"""``Passkey``, the object an app holds.

What belongs to one app is kept under that app, never on the extension, so one extension can serve several.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from datetime import timedelta
from functools import cache, partial, wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, TypeVar, cast

from flask import Flask, current_app
from flask.sessions import SecureCookieSessionInterface

from . import grants, signals
from .accounts import Accounts, Hooks, UserInfo
from .config import PasskeyConfig
from .credentials import CredentialRepository, GrantRecord
from .credentials.sql import SQLCredentialRepository
from .errors import ConfigurationError, CredentialStoreUnavailable, Misconfigured, Refusal
from .grants import Invitation
from .outcomes import Registered, SignedIn
from .pending import (
    CeremonyStore,
    DatabaseStore,
    check_sessions,
    has_session_ids,
    require_rotation,
    store_for,
)
from .pending.ceremonies import PendingCeremonies
from .relying_party import RelyingParty
from .state import State, current, keep
from .trust import load_trust
from .visitor import Visitor
from .web import cookies, ended, flask_login, http, others, outage, rows, schemas, sessions, views
from .web.rows import PasskeyRow

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])
# The hooks: what each is called with. A coroutine is as good as what it returns.
GetCurrentUser = TypeVar("GetCurrentUser", bound=Callable[[], Any])
LoadUser = TypeVar("LoadUser", bound=Callable[[str], Any])
LoginUser = TypeVar("LoginUser", bound=Callable[[Any], Any])
FindUser = TypeVar("FindUser", bound=Callable[[str], Any])
CreateUser = TypeVar("CreateUser", bound=Callable[[str, str], Any])
NameAvailable = TypeVar("NameAvailable", bound=Callable[[str], bool | Awaitable[bool]])
CanonicalName = TypeVar("CanonicalName", bound=Callable[[str], str | Awaitable[str]])
DescribeUser = TypeVar("DescribeUser", bound=Callable[[Any], UserInfo | Awaitable[UserInfo]])
CheckAccount = TypeVar("CheckAccount", bound=Callable[[Any], bool | Awaitable[bool]])
OtherSignInMethods = TypeVar("OtherSignInMethods", bound=Callable[[Any], bool | Awaitable[bool]])


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
        config = PasskeyConfig.from_mapping(app.config, development=lambda: app.debug or app.testing)
        credentials = credentials or self._credentials
        credentials = credentials or SQLCredentialRepository.from_uri(config.database_uri or _sqlite(app))
        store = _store_of(app, config, credentials, ceremony_store or self._ceremony_store)
        if not app.config.get("SESSION_TYPE") or not isinstance(app.session_interface, SecureCookieSessionInterface):
            store()  # refuses what cannot work; with SESSION_TYPE it may come later
        state = self._make_state(app, config, credentials, store)
        app.extensions["passkey"] = self
        keep(app, state)
        app.register_blueprint(views.blueprint, url_prefix=config.url_prefix or None)
        if Refusal not in app.error_handler_spec[None][None]:  # the app's own, which may be there already
            app.register_error_handler(Refusal, http.refuse)
        _add_well_known(app, config)
        _guard_sessions(app, config, store)
        _settle_with_others(app)
        flask_login.connect(app)

    def _make_state(
        self,
        app: Flask,
        config: PasskeyConfig,
        credentials: CredentialRepository,
        store: Callable[[], CeremonyStore],
    ) -> State:
        accounts = Accounts(
            self._hooks, lambda: flask_login.hooks_of(app), seen=getattr(credentials, "delete_with", None)
        )
        party = RelyingParty(
            config=config,
            accounts=accounts,
            credentials=credentials,
            pending=PendingCeremonies(store, rp_id=config.rp_id),
            trust=load_trust(config),
            secret=_secret(app, config),
            sender=app,
        )
        return State(config, accounts, party)

    # The parts of the current app

    def _state(self) -> State:
        if current_app.extensions.get("passkey") is not self:
            raise RuntimeError("This app does not have this Passkey extension: call passkey.init_app(app).")
        return current()

    @property
    def config(self) -> PasskeyConfig:
        """The settings of the current app."""
        return self._state().config

    @property
    def relying_party(self) -> RelyingParty:
        """The use cases of the current app, for its own views and commands."""
        return self._state().relying_party

    @property
    def credentials(self) -> CredentialRepository:
        """The current app's credential repository."""
        return self._state().relying_party.credentials

    def visitor(self) -> Visitor:
        """Return who asks by the current request: browser, user, last passkey sign-in. The use cases want to know.

        A browser that holds no secret yet, to which ceremonies are bound, gets one with the answer.
        """
        self._state()
        return sessions.visitor(begins=True)

    def sign_in(self, outcome: SignedIn | Registered) -> Mapping[str, Any]:
        """Sign in, at the app, the user whom ``finish_sign_in`` or ``finish_registration`` gave.

        The session gets a new id and is emptied of another user's data, the app's ``login_user`` hook is called, the
        sign-in is noted, and the signal ``signed_in`` is sent. Where the hook fails, nobody is signed in. A passkey
        that was added to an account that is there already signs nobody in.

        :returns: what the hook adds to the answer.
        :raises AccountRefused: the hook refuses this user.
        :raises CeremonyStoreUnavailable: the session store cannot be reached.
        """
        self._state()
        return sessions.sign_in(outcome)

    def refuse_cross_site(self) -> None:
        """Refuse the current request if a browser sent it from another site's page.

        Our routes do that by themselves; use it for the app's own forms.

        :raises CrossSiteRequest: it did.
        """
        http.refuse_cross_site(self.config)

    def required(self, max_age: int | None = None) -> Callable[[F], F]:
        """Decorate a view that needs a fresh sign-in: ``@passkey.required(max_age=60)``.

        Fresh is one by a passkey that is still the account's, or :meth:`confirm_user`, in this session.

        Otherwise it is answered with the envelope, code 401 or 40091; handle
        :class:`~flask_passkey.errors.SignInRequired` and :class:`~flask_passkey.errors.StepUpRequired` with
        ``app.errorhandler`` to show a page instead. It works in the resources of Flask-RESTX, Flask-RESTful and
        flask-smorest, too.

        :param max_age: in seconds; ``PASSKEY_STEP_UP_AGE`` unless given.
        """

        def decorate(view: F) -> F:
            @wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                self.relying_party.require_recent_sign_in(sessions.visitor(), max_age=max_age)
                return current_app.ensure_sync(view)(*args, **kwargs)

            return cast(F, guarded)

        return decorate

    def still_valid(self) -> bool:
        """Tell whether the current session may go on; ask it before every request, and sign out whose may not.

        One that signed in with a passkey may not once another session has deleted that passkey: the phone was stolen,
        say. The session that deletes its own passkey goes on. Who is not signed in, or not with a passkey, is not
        looked up; for others it costs one read of the credentials.

        :raises CredentialStoreUnavailable: the credentials cannot be read.
        """
        self._state()
        return sessions.still_valid()

    def confirm_user(self) -> None:
        """Say that the signed-in user has just proved who they are, by other means than a passkey.

        Call it right after a check that you trust as much as a passkey, such as a password and a code, or a link
        mailed to them: it is as good as a fresh sign-in with a passkey, so it lets people who lost theirs add, rename
        and delete. It ends as such a sign-in does, with ``PASSKEY_STEP_UP_AGE`` or a sign-out. The session gets a new
        id, and the signal ``identity_confirmed`` is sent, so that the owner can be told.

        :raises RuntimeError: nobody is signed in.
        :raises CeremonyStoreUnavailable: the session store cannot be reached.
        """
        user = self._require_user("confirm_user")
        info = self._state().accounts.describe(user)
        sessions.confirm(info.id)
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        signals.send(signals.identity_confirmed, app, audit=self.relying_party.audit_of(info), user=user)

    def signed_out(self) -> None:
        """End what a passkey or an offer has left in the session; call it where your app signs people out.

        The session gets a new id, and no request that was under way brings the old one back. With Flask-Login it is
        not needed.

        :raises CeremonyStoreUnavailable: the session store cannot be reached.
        """
        self._state()
        sessions.signed_out()

    def offer_passkey(self) -> None:
        """Offer the user a passkey; call it where the app has just let them in with a password.

        The page they see next asks the browser to make one by itself: see :meth:`passkey_offered`. Do not call it
        after a sign-in by a link in a mail, or by another site: the browser makes one only beside a password.

        :raises RuntimeError: nobody is signed in.
        """
        user = self._require_user("offer_passkey")
        sessions.offer_passkey(self._state().accounts.describe(user).id)

    def _require_user(self, method: str) -> Any:
        user = self._state().accounts.current()
        if user is None:
            raise RuntimeError(f"Nobody is signed in yet: call passkey.{method}() after the app's own sign-in.")
        return user

    def passkey_offered(self) -> bool:
        """Tell a page whether to have ``data-passkey-offer``: after an offer, for an account without a passkey.

        The offer is good for one try within five minutes. While the credentials cannot be read there is none.
        """
        visitor = sessions.visitor()
        try:
            return self.relying_party.may_create_conditionally(visitor)
        except (CredentialStoreUnavailable, Misconfigured) as refusal:
            log.warning("No passkey is offered, as the credentials cannot be read: %s", refusal.reason)
            return False

    def list_passkeys(self) -> list[PasskeyRow]:
        """Return the signed-in user's passkeys as rows for a template, oldest first.

        :raises SignInRequired: nobody is signed in.
        """
        self._state()
        return rows.list_passkeys()

    def rename_passkey(self, passkey_id: str, name: str) -> None:
        """Give one of the signed-in user's passkeys another name, for a form of the app.

        :param passkey_id: ``id`` of a row of :meth:`list_passkeys`.
        :param name: 1 to 64 characters.
        :raises StepUpRequired: there is no fresh sign-in.
        :raises MalformedRequest: the name cannot be one.
        :raises CredentialNotFound: the user has no such passkey.
        """
        self.relying_party.rename(sessions.visitor(), schemas.known_id(passkey_id), name)

    def delete_passkey(self, passkey_id: str) -> None:
        """Delete one of the signed-in user's passkeys, for a form of the app.

        :param passkey_id: ``id`` of a row of :meth:`list_passkeys`.
        :raises StepUpRequired: there is no fresh sign-in.
        :raises CredentialNotFound: the user has no such passkey.
        :raises LastCredential: it is the only one, and the account has no other way to sign in.
        """
        self._state()
        outcome = sessions.delete([schemas.known_id(passkey_id)])
        for refusal in outcome.refused.values():
            raise refusal

    # Enrolment grants, and what administrators do

    def invite(self, user: Any, *, lifetime: timedelta | float = grants.LIFETIME, url: str | None = None) -> Invitation:
        """Make a one-time link, or a token for one, whose bearer may add one passkey to this user's account.

        Opening the link spends nothing, and using it signs nobody in. Nobody need be signed in to use it.

        :param user: the app's user object. Make sure that it is they who get the link.
        :param lifetime: how long it is good, as a ``timedelta`` or in seconds; 24 hours unless given.
        :param url: the app's page that takes it; ``PASSKEY_ENROL_URL`` unless given.
        :raises ValueError: the lifetime is not longer than nothing.
        :raises ConfigurationError: the app's own credential repository keeps no grants; names what to add.
        """
        page = self.config.enrol_url if url is None else url
        return self.relying_party.grants.invite(user, lifetime=lifetime, page=page)

    def recovery_codes(self, user: Any, *, count: int = 8) -> list[str]:
        """Make codes to be printed: each lets its bearer add one passkey, at any time. Earlier ones are good no more.

        Show them once, to the user alone, and only after ``@passkey.required()``: they are as good as a passkey.

        :param user: the app's user object.
        :param count: 1 to 50.
        :raises ConfigurationError: the app's own credential repository keeps no grants; names what to add.
        """
        return self.relying_party.grants.recovery_codes(user, count=count)

    def grants_of(self, user: Any) -> list[GrantRecord]:
        """Return the links and codes of a user that were not used yet, oldest first; what opens them is not in them.

        :param user: the app's user object.
        """
        state = self._state()
        return state.relying_party.grants.of_user(state.accounts.describe(user).id)

    def withdraw(self, user: Any, *, kind: str | None = None) -> int:
        """Take back a user's links and codes that were not used yet, and return how many.

        :param user: the app's user object.
        :param kind: only ``invitation`` (links) or ``recovery-code``.
        """
        return self.relying_party.grants.withdraw(user, kind=kind)

    def delete_passkey_of(self, user_id: str, passkey_id: str) -> None:
        """Delete one passkey of somebody else, as an administrator does: also the last one, and without a step-up.

        :param user_id: the id as in :class:`UserInfo`.
        :param passkey_id: the credential's ID as base64url text, as ``flask passkey list`` prints it.
        :raises CredentialNotFound: the account has no such passkey.
        """
        self.relying_party.delete_of(user_id, schemas.known_id(passkey_id))

    def forget_user(self, user_id: str) -> None:
        """Forget an account's passkeys and enrolment grants; call it when the app deletes the account.

        :param user_id: the id as in :class:`UserInfo`.
        """
        self.relying_party.forget_user(user_id)

    # The hooks, as decorators. Like views, they may be coroutines where the app has Flask's "async" extra.

    def get_current_user(self, function: GetCurrentUser) -> GetCurrentUser:
        """Set ``() -> user | None``: who is signed in. Not needed with Flask-Login."""
        return self._set("get_current_user", function)

    def load_user(self, function: LoadUser) -> LoadUser:
        """Set ``(user_id: str) -> user | None``. Not needed with Flask-Login."""
        return self._set("load_user", function)

    def login_user(self, function: LoginUser) -> LoginUser:
        """Set ``(user) -> dict | None``: sign this user in; a dict is added to the answer's ``data``.

        Not needed with Flask-Login.
        """
        return self._set("login_user", function)

    def find_user(self, function: FindUser) -> FindUser:
        """Set ``(name: str) -> user | None``, for ``PASSKEY_USERNAME_FIRST``."""
        return self._set("find_user", function)

    def canonical_name(self, function: CanonicalName) -> CanonicalName:
        """Set ``(name: str) -> str``: what all spellings of an account's name have in common.

        It must make the same of two names whenever ``find_user`` finds the same account by them. Set it where that does
        not compare names as they are, but without case, say: else the spellings tell whether there is an account.
        """
        return self._set("canonical_name", function)

    def create_user(self, function: CreateUser) -> CreateUser:
        """Set ``(name: str, display_name: str) -> user``: create an account; switches sign-up on.

        Raise :class:`~flask_passkey.NameTaken` when there is one of this name. Write through
        ``passkey.credentials.transaction()``, and account and passkey are stored together or not at all.
        """
        return self._set("create_user", function)

    def name_available(self, function: NameAvailable) -> NameAvailable:
        """Set ``(name: str) -> bool``: could an account of this name be created? Asked before the passkey is made.

        Anybody can ask so. Leave it out where names are e-mail addresses: who has an account is nobody's business then.
        """
        return self._set("name_available", function)

    def describe_user(self, function: DescribeUser) -> DescribeUser:
        """Set ``(user) -> UserInfo``, for user objects without ``id``, ``name`` and ``display_name``."""
        return self._set("describe_user", function)

    def check_account(self, function: CheckAccount) -> CheckAccount:
        """Set ``(user) -> bool``: may this account sign in? By default the user's ``is_active``."""
        return self._set("check_account", function)

    def other_sign_in_methods(self, function: OtherSignInMethods) -> OtherSignInMethods:
        """Set ``(user) -> bool``: can they sign in without a passkey? If not, the last one cannot be deleted."""
        return self._set("other_sign_in_methods", function)

    def _set(self, name: str, function: F) -> F:
        in_app: Callable[..., Any] = function
        if iscoroutinefunction(function):

            def in_app(*values: Any) -> Any:
                return current_app.ensure_sync(function)(*values)

        setattr(self._hooks, name, in_app)
        return function


def _store_of(
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


def _guard_sessions(app: Flask, config: PasskeyConfig, store: Callable[[], CeremonyStore]) -> None:
    """Check and guard the app's sessions when a request comes, for then Flask-Session is there for sure."""
    inner = app.wsgi_app

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        environ[ended.SERVED] = True
        if not ended.is_guarded(app.session_interface):  # an app may get another interface, say in a test
            store()
            if "session_interface" not in vars(app):
                app.session_interface = copy(app.session_interface)  # Flask's, which all apps share
            ended.guard(app.session_interface, at_end=sessions.check_at_end)
            if has_session_ids(app.session_interface):
                outage.guard(app.session_interface)
            _before_first_request(app, config)
        return inner(environ, start_response)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]


def _settle_with_others(app: Flask) -> None:
    """Come to terms with other extensions when a request comes, for then all of them are there."""
    inner = app.wsgi_app

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        others.exempt_from_csrf(app, views.blueprint)
        others.answer_refusals(app)
        return inner(environ, start_response)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]


def _before_first_request(app: Flask, config: PasskeyConfig) -> None:
    checks = app.before_request_funcs.setdefault(None, [])
    if sessions.check_at_start not in checks:
        checks.append(sessions.check_at_start)  # behind the app's own, which may look who is signed in
        cookies.warn(app.config, config)


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
