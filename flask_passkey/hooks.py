"""The hooks of an app, as decorators: ``@passkey.load_user`` and so on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from inspect import Parameter, Signature, iscoroutinefunction, signature
from typing import Any, TypeVar

from flask import current_app

from .accounts import Hooks, UserInfo
from .credentials import CredentialRecord
from .errors import ConfigurationError
from .outcomes import Registered, SignedIn

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])
# The hooks: what each is called with. A coroutine is as good as what it returns.
GetCurrentUser = TypeVar("GetCurrentUser", bound=Callable[[], Any])
LoadUser = TypeVar("LoadUser", bound=Callable[[str], Any])
LoginUser = TypeVar("LoginUser", bound=Callable[[Any], Any] | Callable[[Any, SignedIn | Registered], Any])
FindUser = TypeVar("FindUser", bound=Callable[[str], Any])
CreateUser = TypeVar("CreateUser", bound=Callable[[str, str], Any] | Callable[[str, str, Mapping[str, str]], Any])
CheckSignUp = TypeVar("CheckSignUp", bound=Callable[[str, str, Mapping[str, str]], None | Awaitable[None]])
NameAvailable = TypeVar("NameAvailable", bound=Callable[[str], bool | Awaitable[bool]])
CanonicalName = TypeVar("CanonicalName", bound=Callable[[str], str | Awaitable[str]])
DescribeUser = TypeVar("DescribeUser", bound=Callable[[Any], UserInfo | Awaitable[UserInfo]])
CheckAccount = TypeVar("CheckAccount", bound=Callable[[Any], bool | Awaitable[bool]])
Extensions = TypeVar(
    "Extensions", bound=Callable[[str, Any], Mapping[str, Any] | None | Awaitable[Mapping[str, Any] | None]]
)
RpIdFor = TypeVar("RpIdFor", bound=Callable[[], str | Awaitable[str]])
NamePasskey = TypeVar("NamePasskey", bound=Callable[[CredentialRecord], str | None | Awaitable[str | None]])
OtherSignInMethods = TypeVar("OtherSignInMethods", bound=Callable[[Any], bool | Awaitable[bool]])
CheckPassword = TypeVar("CheckPassword", bound=Callable[[Any, str], bool | Awaitable[bool]])


class HookDecorators:
    """Decorators that set the hooks of an app."""

    _hooks: Hooks

    # The hooks, as decorators. Like views, they may be coroutines where the app has Flask's "async" extra.

    def get_current_user(self, function: GetCurrentUser) -> GetCurrentUser:
        """Set ``() -> user | None``: who is signed in. Not needed with Flask-Login."""
        return self._set("get_current_user", function)

    def load_user(self, function: LoadUser) -> LoadUser:
        """Set ``(user_id: str) -> user | None``. Not needed with Flask-Login."""
        return self._set("load_user", function, "user_id")

    def login_user(self, function: LoginUser) -> LoginUser:
        """Set ``(user) -> dict | None``: sign this user in; a dict is added to the answer's ``data``.

        With a second argument that has no default, ``(user, outcome)``, it also gets what came out of the ceremony: a
        :class:`~flask_passkey.SignedIn`, or the :class:`~flask_passkey.Registered` of a sign-up. Both tell
        ``user_verified``, ``backed_up``, ``amr``, ``authenticator_attachment`` and ``credential``. Not needed with
        Flask-Login.
        """
        return self._set("login_user", function, "user", more="outcome")

    def find_user(self, function: FindUser) -> FindUser:
        """Set ``(name: str) -> user | None``, for ``PASSKEY_USERNAME_FIRST``."""
        return self._set("find_user", function, "name")

    def canonical_name(self, function: CanonicalName) -> CanonicalName:
        """Set ``(name: str) -> str``: what all spellings of an account's name have in common.

        It must make the same of two names whenever ``find_user`` finds the same account by them. Set it where that does
        not compare names as they are, but without case, say: else the spellings tell whether there is an account.
        """
        return self._set("canonical_name", function, "name")

    def create_user(self, function: CreateUser) -> CreateUser:
        """Set ``(name: str, display_name: str) -> user``: create an account; switches sign-up on.

        Raise :class:`~flask_passkey.NameTaken` when there is one of this name. Write through
        ``passkey.credentials.transaction()``, and account and passkey are stored together or not at all. Flush, and do
        not commit. What the database finds to be there already, in a unique column, counts as a name that is taken.

        With a third argument that has no default, ``(name, display_name, fields)``, it also gets what else the sign-up
        form has: text by name, at most 20 values of at most 1,000 characters, trimmed and not checked further. Without
        it a sign-up with other fields is refused.
        """
        return self._set("create_user", function, "name", "display_name", more="fields")

    def check_sign_up(self, function: CheckSignUp) -> CheckSignUp:
        """Set ``(name: str, display_name: str, fields: Mapping[str, str]) -> None``: asked before the passkey is made.

        Raise :class:`~flask_passkey.errors.MalformedRequest` with the field's name where something is wrong or missing,
        so that nobody makes a passkey for an account that ``create_user`` then refuses. Raise
        :class:`~flask_passkey.NameTaken` only where everybody may know who has an account.
        """
        return self._set("check_sign_up", function, "name", "display_name", "fields")

    def name_available(self, function: NameAvailable) -> NameAvailable:
        """Set ``(name: str) -> bool``: could an account of this name be created? Asked before the passkey is made.

        Anybody can ask so. Leave it out where names are e-mail addresses: who has an account is nobody's business then.
        """
        return self._set("name_available", function, "name")

    def describe_user(self, function: DescribeUser) -> DescribeUser:
        """Set ``(user) -> UserInfo``, for users without ``id``, ``name`` and ``display_name``."""
        return self._set("describe_user", function, "user")

    def check_account(self, function: CheckAccount) -> CheckAccount:
        """Set ``(user) -> bool``: may this account sign in? By default the user's ``is_active``."""
        return self._set("check_account", function, "user")

    def other_sign_in_methods(self, function: OtherSignInMethods) -> OtherSignInMethods:
        """Set ``(user) -> bool``: can they sign in without a passkey? If not, the last one cannot be deleted."""
        return self._set("other_sign_in_methods", function, "user")

    def check_password(self, function: CheckPassword) -> CheckPassword:
        """Set ``(user, password: str) -> bool``: is this the user's password? For the ready pages, and for scripts.

        Whoever lost their passkey, or has none, then confirms with the password of the app that it is they, as by
        :meth:`~flask_passkey.Passkey.confirm_user`; scripts send it to ``/session/authn/password``. Leave it out where
        a stolen password must not be enough to change passkeys. Whom ``other_sign_in_methods`` says to have no other
        way in is not asked for a password. A wrong one is told by the signal ``refused``; limit tries as in your own
        sign-in: the endpoints are ``passkey.confirm_by_password`` and, of the pages,
        ``passkey_pages.confirm_by_password``.
        """
        return self._set("check_password", function, "user", "password")

    def extensions(self, function: Extensions) -> Extensions:
        """Set ``(purpose: str, user | None) -> dict | None``: what to ask of WebAuthn extensions, such as ``prf``.

        It is called at the start of each ceremony, and returns the member ``extensions`` of its options in the JSON
        form of section 9, with bytes as unpadded base64url text. ``purpose`` is ``sign-in``, ``step-up``,
        ``registration``, ``sign-up`` or ``enrolment``. ``user`` is who gets a passkey or steps up; ``None`` in a
        sign-in or sign-up, where nobody is known yet. What is answered is in ``extensions`` of
        :class:`~flask_passkey.SignedIn` and :class:`~flask_passkey.Registered`.
        """
        return self._set("extensions", function, "purpose", "user")

    def rp_id_for(self, function: RpIdFor) -> RpIdFor:
        """Set ``() -> str``: the RP ID of the current request, for ``PASSKEY_RELYING_PARTIES``.

        It is that of an entry, or ``PASSKEY_RP_ID``. Asked once for each request that has to do with passkeys.
        """
        return self._set("rp_id_for", function)

    def name_passkey(self, function: NamePasskey) -> NamePasskey:
        """Set ``(record: CredentialRecord) -> str | None``: what a new passkey is called whose user gave it no name.

        ``record.label`` is what it would be called without the hook: the provider's name, or browser and system. With
        ``None`` it stays. It is called after the browser has made the passkey, so it should not fail.
        """
        return self._set("name_passkey", function, "record")

    def _set(self, name: str, function: F, *arguments: str, more: str = "") -> F:
        """Keep a hook.

        :param arguments: what it is called with.
        :param more: what it is also called with if it takes an argument more.
        :raises ConfigurationError: it cannot be called so; shows the line to write.
        """
        self._hooks.take_more.discard(name)
        if _takes_more(name, function, arguments, more):
            self._hooks.take_more.add(name)
        in_app: Callable[..., Any] = function
        if iscoroutinefunction(function):

            def in_app(*values: Any) -> Any:
                return current_app.ensure_sync(function)(*values)

        setattr(self._hooks, name, in_app)
        return function


def _takes_more(name: str, function: Callable[..., Any], arguments: tuple[str, ...], more: str) -> bool:
    """Tell whether a hook has to be given ``more``; an argument with a default is its own affair."""
    try:
        shape = signature(function)
    except (TypeError, ValueError):  # some functions written in C do not say
        return False
    if _fits(shape, len(arguments)):
        return False
    if more and _fits(shape, len(arguments) + 1):
        return True
    lines = [f"def {name}({', '.join(names)}):" for names in (arguments, (*arguments, more)) if names[-1:] != ("",)]
    raise ConfigurationError(f"The hook @passkey.{name} takes {shape}. Write {' or '.join(lines)}")


def _fits(shape: Signature, count: int) -> bool:
    """Can it be called with so many values?"""
    try:
        shape.bind(*[Parameter.empty] * count)
    except TypeError:
        return False
    return True
