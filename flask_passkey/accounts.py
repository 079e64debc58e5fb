"""The app's side of an account: the hooks through which we reach its users.

Accounts belong to the app; we know them by an id (text), a name and a display name, and never keep more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import iscoroutine
from types import MethodType
from typing import Any

from .credentials import CredentialRecord
from .errors import AccountRefused, MalformedRequest, Misconfigured
from .names import clean_label


@dataclass(frozen=True, slots=True)
class UserInfo:
    """What we need to know of one of the app's users."""

    #: The app's key for the account, as text; constant for the account's life, never used again for another.
    id: str
    #: What the user signs in with: ``ada`` or ``ada@example.com``.
    name: str
    #: What the user likes to be called; may be empty: then authenticators are told the name.
    display_name: str
    #: What tells two holders of one id apart, as text of at most 255 characters: when the account was made, say. For
    #: apps that give the id of a deleted account to another one.
    identity: str = ""


@dataclass(slots=True, eq=False, repr=False)
class Hooks:
    """The app's functions, as its decorators gave them; ``None`` where there is none."""

    get_current_user: Callable[[], Any] | None = None
    load_user: Callable[[str], Any] | None = None
    #: Called with the user and, if it takes that, with what came out of the ceremony.
    login_user: Callable[..., Mapping[str, Any] | None] | None = None
    find_user: Callable[[str], Any] | None = None
    #: Called with the two names and, if it takes that, with the other fields of the sign-up.
    create_user: Callable[..., Any] | None = None
    check_sign_up: Callable[[str, str, Mapping[str, str]], object] | None = None
    name_available: Callable[[str], bool] | None = None
    canonical_name: Callable[[str], str] | None = None
    describe_user: Callable[[Any], UserInfo] | None = None
    check_account: Callable[[Any], bool] | None = None
    other_sign_in_methods: Callable[[Any], bool] | None = None
    check_password: Callable[[Any, str], bool] | None = None
    extensions: Callable[[str, Any], Mapping[str, Any] | None] | None = None
    rp_id_for: Callable[[], str] | None = None
    name_passkey: Callable[[CredentialRecord], str | None] | None = None
    #: Called with the signed-in user, who has just proved who they are. Only login managers have it.
    confirm_login: Callable[[Any], None] | None = None
    #: Hooks that take an argument more than they must.
    take_more: set[str] = field(default_factory=set, init=False)


class Accounts:
    """The hooks of one app, with what to do where one is missing.

    :param hooks: the app's own.
    :param login_manager: gives those of the app's login manager, if it has one by now.
    :param seen: is told the class of the app's users, and what gives the id of one.
    :param in_session: looks into the app's session for who is signed in, where the app says so.
    """

    def __init__(
        self,
        hooks: Hooks,
        login_manager: Callable[[], Hooks | None] = lambda: None,
        seen: Callable[[type, Callable[[Any], str]], None] | None = None,
        in_session: Hooks | None = None,
    ) -> None:
        self._hooks = hooks
        self._in_session = in_session
        self._seen = seen
        self._login_manager = login_manager

    @property
    def can_create(self) -> bool:
        """Has the app a hook that creates accounts?"""
        return self._hooks.create_user is not None

    @property
    def has_own_current(self) -> bool:
        """Does the app itself, and no login manager, say who is signed in?"""
        return self._hooks.get_current_user is not None or self._in_session is not None

    @property
    def has_rp_id_for(self) -> bool:
        """Does the app choose a relying party for each request?"""
        return self._hooks.rp_id_for is not None

    def rp_id_for(self) -> Any:
        """Ask the app which RP ID the current request is for."""
        return self._required("rp_id_for")()

    def current(self) -> Any:
        """Return the signed-in user or ``None``. A user whose ``is_authenticated`` is false counts as signed out."""
        user = self._required("get_current_user")()
        return user if user is not None and attribute(user, "is_authenticated", True) else None

    def get(self, user_id: str) -> Any:
        """Return the user with this id, also one that may not sign in; ``None`` where there is none."""
        return self._required("load_user")(user_id)

    def load(self, user_id: str) -> tuple[Any, UserInfo]:
        """Return the user with this id and what the app tells of them, refusing one that is gone or may not sign in.

        :raises AccountRefused: the app has no such user, or its account check says no.
        """
        user = self.get(user_id)
        if user is None:
            raise AccountRefused("the app has no user with this id")
        info = self.describe(user)
        if info.id != user_id:
            raise Misconfigured("the load_user hook, or Flask-Login's user_loader, gave another user than asked for")
        self.check(user)
        return user, info

    def exists(self, user_id: str) -> bool:
        """Ask the app whether it has a user with this id."""
        return self._required("load_user")(user_id) is not None

    def find(self, name: str) -> Any:
        """Return the user of this name, ``None`` where there is none or it may not sign in."""
        user = self._required("find_user")(name)
        return user if user is not None and self.may_sign_in(user) else None

    def canonical_name(self, name: str) -> str:
        """Return what all spellings of an account's name have in common, by default the name as it is."""
        hook = self._hooks.canonical_name
        return name if hook is None else str(_told("canonical_name", hook(name)))

    def check(self, user: Any) -> None:
        """Ask the app's account check, by default the user's ``is_active``.

        :raises AccountRefused: it says no.
        """
        if not self.may_sign_in(user):
            raise AccountRefused("the app's account check refuses this user")

    def may_sign_in(self, user: Any) -> bool:
        """Ask the app's account check, by default the user's ``is_active`` and what Flask-Security asks besides."""
        return bool(_told("check_account", (self._hook("check_account") or _is_active)(user)))

    def login(self, user: Any, outcome: object = None) -> Mapping[str, Any]:
        """Sign the user in at the app; return what the app adds to the answer.

        :param outcome: what came out of the ceremony, for a hook that wants to know.
        :raises AccountRefused: the hook returned ``False``, as Flask-Login's own function does.
        """
        takes_outcome = self._hooks.login_user is None or "login_user" in self._hooks.take_more
        added = self._required("login_user")(user, *((outcome,) if takes_outcome else ()))
        if added is False:
            raise AccountRefused("the app's login_user hook refuses this user")
        if added is None or added is True:
            return {}
        if not isinstance(added, Mapping):
            raise Misconfigured(f"the login_user hook returned {type(added).__name__}, not a dict or None")
        if not all(isinstance(key, str) for key in added):
            raise Misconfigured("the login_user hook returned a dict with a key that is not text")
        return added

    def confirm_login(self, user: Any) -> None:
        """Tell the app's login manager, if there is one, that the signed-in user has just proved who they are."""
        hook = self._hook("confirm_login")
        if hook is not None:
            hook(user)

    @property
    def takes_fields(self) -> bool:
        """Does the hook that creates accounts want the other fields of a sign-up?"""
        return "create_user" in self._hooks.take_more

    def check_sign_up(self, name: str, display_name: str, fields: Mapping[str, str]) -> None:
        """Let the app refuse a sign-up before a passkey is made for it.

        :raises Refusal: from the hook.
        """
        hook = self._hooks.check_sign_up
        answer = None if hook is None else hook(name, display_name, fields)
        if answer is not None:
            raise Misconfigured(
                f"the check_sign_up hook returned {type(answer).__name__}: it raises MalformedRequest(field) or "
                "NameTaken, or returns None"
            )

    def create(self, name: str, display_name: str, fields: Mapping[str, str] | None = None) -> Any:
        """Create an account and return its user.

        :raises NameTaken: from the hook.
        """
        more = (fields or {},) if self.takes_fields else ()
        user = self._required("create_user")(name, display_name, *more)
        if user is None:
            raise Misconfigured("the create_user hook returned None: return the new user")
        return user

    def is_available(self, name: str) -> bool:
        """Ask the app whether an account of this name can be created; it decides again when it creates one."""
        self._required("create_user")  # now, not after the user has made a passkey for nothing
        hook = self._hooks.name_available
        return hook is None or bool(_told("name_available", hook(name)))

    def extensions(self, purpose: str, user: Any) -> Any:
        """Ask the app what it wants of WebAuthn extensions; nothing, unless it says so."""
        return None if self._hooks.extensions is None else self._hooks.extensions(purpose, user)

    def has_other_way_in(self, user: Any) -> bool:
        """Ask the app whether this user can sign in without a passkey; no, unless it says so."""
        hook = self._hooks.other_sign_in_methods
        return hook is not None and bool(_told("other_sign_in_methods", hook(user)))

    def may_have_password(self, user: Any) -> bool:
        """Tell whether to ask this user for a password: the app checks them, and the user may have one."""
        hooks = self._hooks
        return hooks.check_password is not None and (hooks.other_sign_in_methods is None or self.has_other_way_in(user))

    def check_password(self, user: Any, password: str) -> bool:
        """Ask the app whether this is the user's password.

        An empty one is nobody's: some directories say yes to it. Nor is one with a NUL, at which some hashes stop, nor
        one that takes long to hash.
        """
        hook = self._hooks.check_password
        if hook is None or not 0 < len(password) <= MAX_PASSWORD or "\0" in password:
            return False
        answer = _told("check_password", hook(user, password))
        if answer is not None and not isinstance(answer, bool):  # (False, "Wrong password") would be a yes
            raise Misconfigured(f"the check_password hook returned {type(answer).__name__}, not True or False")
        return answer is True

    def name_passkey(self, record: CredentialRecord) -> str:
        """Return what the app calls a new passkey; by default, and where it has no better name, by its own label."""
        hook = self._hooks.name_passkey
        label = (None if hook is None else hook(record)) or record.label
        try:
            return clean_label(label, required=True)
        except (AttributeError, MalformedRequest, TypeError) as exc:
            raise Misconfigured(
                f"the name_passkey hook returned {label!r}: it returns text of 1 to 64 characters, or None"
            ) from exc

    def describe(self, user: Any) -> UserInfo:
        """Return id, name and display name of one of the app's users."""
        hook = self._hooks.describe_user
        info = _describe(user) if hook is None else _in_text(hook(user))
        if info.id in ("", "None"):
            raise Misconfigured("the user has no id: let create_user flush or commit, so that the database gives one")
        if len(info.identity) > 255:
            raise Misconfigured("the user's identity is longer than 255 characters")
        if self._seen is not None:
            self._seen(type(user), self._id_of)
        return info

    def _id_of(self, user: Any) -> str:
        return str((self._hooks.describe_user or _describe)(user).id)

    def has_hook(self, name: str) -> bool:
        """Tell whether the app, or its login manager, has a hook."""
        return self._hook(name) is not None

    def _hook(self, name: str) -> Callable[..., Any] | None:
        hook: Callable[..., Any] | None = getattr(self._hooks, name)
        if hook is None and self._in_session is not None:
            hook = getattr(self._in_session, name)
        if hook is None and name in _FROM_MANAGER and (manager := self._login_manager()) is not None:
            hook = getattr(manager, name)
        return hook

    def _required(self, name: str) -> Callable[..., Any]:
        hook = self._hook(name)
        if hook is None:
            or_else = ", or use Flask-Login with a user_loader" if name in _FLASK_LOGIN else ""
            if name in _IN_SESSION:
                or_else += ", or write PASSKEY_USER_SESSION_KEY = 'user_id' if flask.session has the user's id there"
            raise Misconfigured(f"the app has no {name} hook: decorate one with @passkey.{name}{or_else}")
        return hook


#: Longest password that the app is asked about, in characters.
MAX_PASSWORD = 1024
_FLASK_LOGIN = ("get_current_user", "load_user", "login_user")
_FROM_MANAGER = (*_FLASK_LOGIN, "check_account", "confirm_login")
_IN_SESSION = ("get_current_user", "login_user")
_MISSING: Any = object()


def _told(name: str, answer: Any) -> Any:
    """Refuse a coroutine, which would be a yes whatever it returns: ``async`` is seen of plain functions only."""
    if iscoroutine(answer):
        answer.close()
        raise Misconfigured(f"the {name} hook returned a coroutine: decorate the `async def` itself, or do not wait")
    return answer


def _is_active(user: Any) -> Any:
    active = attribute(user, "is_active", True)
    return active() if callable(active) else active  # a function would be true whatever it returns


def _primary_key(user: Any) -> Any:
    if not hasattr(user, "id"):
        raise Misconfigured(
            "the user's get_id() is Flask-Security's fs_uniquifier, which changes with the password, and there is no "
            "id: write hooks @passkey.describe_user and @passkey.load_user"
        )
    return user.id


def attribute(user: Any, name: str, default: Any = None) -> Any:
    """Return an attribute of a user object, or what a user that is a row or a dict has under this name.

    Of a method it is what that returns: as it is, it would be true, and its text would be shown to people.
    """
    if (found := getattr(user, name, _MISSING)) is not _MISSING:
        return found() if isinstance(found, MethodType) else found
    columns = user.keys() if callable(getattr(type(user), "keys", None)) else ()
    return user[name] if name in columns else default


def _describe(user: Any) -> UserInfo:
    """Read the usual attributes of a user object, or the columns of a row."""
    user_id = user.get_id() if hasattr(user, "get_id") else attribute(user, "id", _MISSING)
    if user_id is _MISSING:
        raise Misconfigured("the user object has neither get_id() nor id: write a @passkey.describe_user hook")
    if user_id == getattr(user, "fs_uniquifier", _MISSING):  # Flask-Security's, which changes with the password
        user_id = _primary_key(user)
    name = attribute(user, "name") or attribute(user, "username") or attribute(user, "email") or user_id
    return UserInfo(str(user_id), str(name), str(attribute(user, "display_name") or ""))


def _in_text(info: UserInfo) -> UserInfo:
    """Return a description with nothing but text in it, as a hook may give numbers, or ``None``."""
    return UserInfo(str(info.id), str(info.name), str(info.display_name or ""), str(info.identity or ""))
