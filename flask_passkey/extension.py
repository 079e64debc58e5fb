"""``Passkey``, the object an app holds.

What belongs to one app is kept under that app, never on the extension, so one extension can serve several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Flask, current_app, request
from markupsafe import Markup

from . import commands, grants, wiring
from .accounts import Accounts, Hooks
from .config import PasskeyConfig
from .credentials import CredentialRepository, GrantRecord
from .errors import Refusal
from .grants import Invitation
from .hooks import HookDecorators
from .outcomes import Registered, SignedIn
from .pending import CeremonyStore
from .pending.ceremonies import PendingCeremonies
from .relying_party import RelyingParty
from .state import State, common, current, keep
from .visitor import Visitor
from .web import (
    files,
    flask_login,
    http,
    offers,
    routing,
    rows,
    schemas,
    sentences,
    session_users,
    sessions,
    words,
)
from .web.routing import Place
from .web.rows import PasskeyRow
from .web.ui import Ui

F = TypeVar("F", bound=Callable[..., Any])


class Passkey(HookDecorators):
    """Passkey sign-in for Flask apps.

    :param app: the app, or give it to :meth:`init_app` later.
    :param credentials: where credentials are kept; by default SQLAlchemy on ``PASSKEY_DATABASE_URI``, which is
        ``passkey.sqlite3`` in the instance folder unless set.
    :param ceremony_store: where pending ceremonies are kept; by default in the store behind Flask-Session.
    :param blueprint_name: the name of the routes' blueprint, for apps that have another one ``passkey``. Endpoints such
        as ``passkey.static`` begin with it.
    :param host: where the routes are, for apps with ``host_matching``: ``"accounts.example.com"``, with the port unless
        it is the scheme's own.
    :param subdomain: where the routes are, for apps with ``subdomain_matching``: ``"accounts"``.
    :param pages: add ready pages, at ``PASSKEY_PAGES_PREFIX``.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        credentials: CredentialRepository | None = None,
        ceremony_store: CeremonyStore | None = None,
        blueprint_name: str = "passkey",
        host: str | None = None,
        subdomain: str | None = None,
        pages: bool = False,
    ) -> None:
        self._credentials = credentials
        self._pages = pages
        self._ceremony_store = ceremony_store
        self._place = Place(blueprint_name=blueprint_name, host=host, subdomain=subdomain)
        self._hooks = Hooks()
        if app is not None:
            self.init_app(app)

    def init_app(
        self,
        app: Flask,
        *,
        credentials: CredentialRepository | None = None,
        ceremony_store: CeremonyStore | None = None,
        blueprint_name: str | None = None,
        host: str | None = None,
        subdomain: str | None = None,
        pages: bool | None = None,
    ) -> None:
        """Check the app's configuration and add the routes. Flask-Session may be set up before or after.

        :param credentials: where this app's credentials are kept.
        :param ceremony_store: where this app's pending ceremonies are kept.
        :param blueprint_name: the name of this app's blueprint.
        :param host: where this app's routes are.
        :param subdomain: where this app's routes are.
        :param pages: does this app get the ready pages?
        :raises ConfigurationError: with the key and the line to write.
        :raises RuntimeError: the app has this extension already.
        """
        if "passkey" in app.extensions:
            raise RuntimeError("This app has a Passkey extension already; use app.extensions['passkey'].")
        config = wiring.settings_of(app, ceremony_store or self._ceremony_store)
        place = self._place.but(blueprint_name=blueprint_name, host=host, subdomain=subdomain)
        pages = self._pages if pages is None else pages
        routing.check(app, config, place, pages=pages)
        credentials = credentials or self._credentials or wiring.repository_of(app, config)
        store = wiring.store_of(app, config, credentials, ceremony_store or self._ceremony_store)
        if wiring.has_its_sessions(app):
            store()  # refuses what cannot work
        check_last = wiring.check_databases(app, credentials)
        state = self._make_state(app, config, credentials, store, place.blueprint_name)
        routing.add_well_known(app, config, place)
        app.extensions["passkey"] = self
        keep(app, state)
        blueprint = routing.add_routes(app, config, place)
        http.handle(app, Refusal, http.refuse)
        wiring.add_openapi(app, config, place)
        wiring.add_pages(app, config, place, pages=pages)
        wiring.prepare_requests(app, config, store, check_last, blueprint)
        if "passkey" not in app.cli.commands:  # for the app's own tests: `flask` knows them without an app, too
            app.cli.add_command(commands.group)
        flask_login.connect(app)

    def _make_state(
        self,
        app: Flask,
        config: PasskeyConfig,
        credentials: CredentialRepository,
        store: Callable[[], CeremonyStore],
        blueprint_name: str,
    ) -> State:
        accounts = Accounts(
            self._hooks,
            lambda: flask_login.hooks_of(app),
            seen=getattr(credentials, "delete_with", None),
            in_session=session_users.hooks_of(config),
        )
        trust, secret = wiring.trust_of(config), wiring.secret(app, config)
        warned: dict[str, float] = {}

        def state_for(config: PasskeyConfig, others: Mapping[str, State]) -> State:
            pending = PendingCeremonies(store, rp_id=config.rp_id)
            party = RelyingParty(
                config=config,
                accounts=accounts,
                credentials=credentials,
                pending=pending,
                trust=trust,
                secret=secret,
                sender=app,
                gettext=words.gettext,
            )
            return State(config, accounts, party, pending, blueprint_name, warned, others)

        return state_for(config, {other.rp_id: state_for(other, {}) for other in config.others})

    # The parts of the current app

    def _state(self, rp_id: str | None = None) -> State:
        """Return the state of the current app, for an RP ID or else for the request's."""
        self._check_app()
        found = current() if rp_id is None else common().find(rp_id)
        if found is None:
            raise ValueError(f"{rp_id!r} is neither PASSKEY_RP_ID nor in PASSKEY_RELYING_PARTIES")
        return found

    def _check_app(self) -> None:
        if current_app.extensions.get("passkey") is not self:
            raise RuntimeError("This app does not have this Passkey extension: call passkey.init_app(app).")

    @property
    def config(self) -> PasskeyConfig:
        """The settings of the current app, for the relying party of the request."""
        return self._state().config

    @property
    def relying_party(self) -> RelyingParty:
        """The use cases of the current app, for its own views and commands; for the relying party of the request."""
        return self._state().relying_party

    @property
    def credentials(self) -> CredentialRepository:
        """The current app's credential repository."""
        self._check_app()
        return common().relying_party.credentials

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
        http.refuse_cross_site(self.config, request.environ)

    def required(self, max_age: int | None = None, *, user_verified: bool = False) -> Callable[[F], F]:
        """Decorate a view that needs a fresh sign-in: ``@passkey.required(max_age=60)``.

        Fresh is one by a passkey that is still the account's, or :meth:`confirm_user`, in this session.

        Otherwise it is answered with the envelope, code 401 or 40091; handle
        :class:`~flask_passkey.errors.SignInRequired` and :class:`~flask_passkey.errors.StepUpRequired` with
        ``app.errorhandler`` to show a page instead. It works in the resources of Flask-RESTX, Flask-RESTful and
        flask-smorest, too.

        :param max_age: in seconds; ``PASSKEY_STEP_UP_AGE`` unless given.
        :param user_verified: the sign-in must have verified the person, by PIN, finger or face. If it has not, that is
            noted in the session: a step-up that begins within five minutes asks for it and accepts nothing less,
            whatever ``PASSKEY_USER_VERIFICATION`` says. A security key without a PIN cannot do it; the browser says so,
            or lets whoever holds it set one, which then verifies them. ``amr`` of the outcome has ``mfa`` only where
            the passkey was registered with verification, too.
        """

        def decorate(view: F) -> F:
            @wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                self._state()
                sessions.require_recent(max_age=max_age, user_verified=user_verified)
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

    def confirm_user(self, *, user_verified: bool = False) -> None:
        """Say that the signed-in user has just proved who they are, by other means than a passkey.

        Call it right after a check that you trust as much as a passkey, such as a password and a code, or a link
        mailed to them: it is as good as a fresh sign-in with a passkey, so it lets people who lost theirs add, rename
        and delete. It ends as such a sign-in does, with ``PASSKEY_STEP_UP_AGE`` or a sign-out. The session gets a new
        id, and the signal ``identity_confirmed`` is sent, so that the owner can be told.

        :param user_verified: the check was as good as a passkey with PIN, finger or face, as a password and a code are:
            then it is enough for ``@passkey.required(user_verified=True)``, too.
        :raises RuntimeError: nobody is signed in.
        :raises CeremonyStoreUnavailable: the session store cannot be reached.
        """
        sessions.confirm(self._require_user("confirm_user"), user_verified=user_verified)

    def signed_out(self) -> None:
        """End what a passkey or an offer has left in the session; call it where your app signs people out.

        The session gets a new id, and no request that was under way brings the old one back. With Flask-Login it is
        not needed.

        :raises CeremonyStoreUnavailable: the session store cannot be reached.
        """
        self._state()
        sessions.signed_out()

    def offer_passkey(self, next: str = "") -> str:
        """Offer the user a passkey; call it where the app has just let them in with a password.

        The page they see next asks the browser to make one by itself: see :meth:`passkey_offered`. Do not call it
        after a sign-in by a link in a mail, or by another site: the browser makes one only beside a password.

        With the ready pages the offer is one of them: ``return redirect(passkey.offer_passkey(url_for("home")))``.

        :param next: where the user is to go: a path of the app.
        :returns: where to lead them: to the page with the offer, which leads on to ``next``; to ``next`` at once where
            there is nothing to offer, or no such page. Empty unless ``next`` is given.
        :raises RuntimeError: nobody is signed in.
        """
        user = self._require_user("offer_passkey")
        sessions.offer_passkey(self._state().accounts.describe(user).id)
        return Ui().offer_before(next)

    def _require_user(self, method: str) -> Any:
        user = self._state().accounts.current()
        if user is None:
            raise RuntimeError(
                f"Nobody is signed in yet: call passkey.{method}() after the app's own sign-in. If you do, let "
                "the get_current_user hook look at the session, not at what was loaded before it, as g.user is."
            )
        return user

    def passkey_offered(self) -> bool:
        """Tell a page whether to have ``data-passkey-offer``: after an offer, for an account without a passkey.

        The offer is good for one try within five minutes. While the credentials cannot be read there is none.
        """
        self._state()
        return offers.is_open()

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
        sessions.delete_one(schemas.known_id(passkey_id))

    # Pages

    def script_tag(self, nonce: str | None = None) -> Markup:
        """Return the ``<script>`` that brings ``passkey.js`` into a page; put it into the head of pages with passkeys.

        Its address has the version of the file, so browsers keep it until there is another one, and its ``integrity``
        lets them refuse any other file (Subresource Integrity). Browsers that are too old for it get a few lines that
        show what the page has for ``data-passkey-if="unavailable"``. In templates: ``passkey_ui.script_tag()``.

        :param nonce: of the page's Content-Security-Policy, where it has one; ``csp_nonce()`` with Flask-Talisman.
        """
        self._check_app()
        return files.script_tag(nonce)

    def messages(self) -> dict[str, str]:
        """Return the sentences of ``passkey.js`` in the visitor's language, by the keys of its ``MESSAGES``.

        The language is the one that Flask-Babel has chosen. Empty in English, which the module has itself. Pages with
        :meth:`script_tag` have them; for others they are the JSON of
        ``<script type="application/json" data-passkey-translation>``, or the ``messages`` of
        ``new PasskeyClient({ messages })``.
        """
        self._state()
        return sentences.translated()

    # Enrolment grants, and what administrators do

    def invite(
        self,
        user: Any,
        *,
        lifetime: timedelta | float = grants.LIFETIME,
        url: str | None = None,
        rp_id: str | None = None,
    ) -> Invitation:
        """Make a one-time link, or a token for one, whose bearer may add one passkey to this user's account.

        Opening the link spends nothing, and using it signs nobody in. Nobody need be signed in to use it.

        :param user: the app's user object. Make sure that it is they who get the link.
        :param lifetime: how long it is good, as a ``timedelta`` or in seconds; 24 hours unless given.
        :param url: the app's page that takes it; ``PASSKEY_ENROL_URL`` unless given.
        :param rp_id: the RP ID of the passkey; unless given, that of the request or else ``PASSKEY_RP_ID``.
        :raises ValueError: the lifetime is not longer than nothing, or the app has no such RP ID.
        :raises ConfigurationError: the app's own credential repository keeps no grants; names what to add.
        """
        state = self._state(rp_id)
        page = http.enrol_page(state.config) if url is None else url
        return state.relying_party.grants.invite(user, lifetime=lifetime, page=page)

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

    def forget_user(self, user_id: str) -> dict[str, Any]:
        """Forget an account's passkeys and enrolment grants; call it when the app deletes the account.

        :param user_id: the id as in :class:`UserInfo`.
        :returns: what the next page may give to ``PublicKeyCredential.signalAllAcceptedCredentials()``, so that the
            owner's password manager hides the passkeys, too: ``{"rpId", "userId", "allAcceptedCredentialIds"}``, and
            ``otherUserIds`` where the account was brought along with more user handles. Empty if it never had a
            passkey.
        """
        return schemas.forgotten(self.relying_party.forget_user(user_id))
