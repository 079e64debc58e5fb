"""What ``passkey/macros.html`` asks: ``passkey_ui`` in every template of the app."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from flask import current_app, request, url_for
from markupsafe import Markup

from ..accounts import UserInfo
from ..credentials import INVITATION, RECOVERY_CODE
from ..state import common, current
from ..words import N_
from . import files, offers, sentences, sessions, words
from .rows import PasskeyRow, list_passkeys

#: The blueprint of the ready pages.
PAGES = "passkey_pages"
#: The member of a page's address that says what was done.
NOTE = "passkey"

_DONE = {
    "signed-up": N_("Welcome! Your account and its passkey are ready."),
    "added": N_("Your new passkey is ready."),
    "renamed": N_("The passkey has its new name."),
    "deleted": N_("The passkey was deleted here. Delete it from your password manager too, if it is still offered."),
    "enrolled": N_("Your new passkey is ready. You can sign in with it now."),
    "confirmed": N_("Thank you. You can make the change now."),
    "withdrawn": N_("The link is good for nothing now."),
}
_REFUSED = {
    "last": N_("This is your only passkey. Add another one before you delete it."),
    "password": N_("That is not your password."),
    "gone": N_("This passkey is no longer in your list."),
    "name": N_("This name is empty, too long, or has characters that cannot be shown."),
}


# What a path may have as it is: https://url.spec.whatwg.org/#path-percent-encode-set, and no percent sign, as the path
# of a request has been decoded.
_IN_PATHS = "!$&'()*+,/:;=@"


def current_path(*, query: bool = False) -> str:
    """Return the path of the current request, as a browser sends it.

    :param query: with what is asked behind the path.
    """
    path = quote(request.root_path + request.path, safe=_IN_PATHS)
    asked = quote(request.query_string, safe=f"{_IN_PATHS}?%") if query else ""
    return f"{path}?{asked}" if asked else path


class Note(NamedTuple):
    """What a page says about what was done before it."""

    text: str
    is_refusal: bool


class Ui:
    """The current request, as the macros want to see it."""

    gettext: Callable[..., str] = staticmethod(words.gettext)
    ngettext: Callable[..., str] = staticmethod(words.ngettext)
    language: Callable[[], str] = staticmethod(words.language)
    day: Callable[[datetime], str] = staticmethod(words.day)
    messages: Callable[[], dict[str, str]] = staticmethod(sentences.translated)
    script_tag: Callable[..., Markup] = staticmethod(files.script_tag)
    rows: Callable[[], list[PasskeyRow]] = staticmethod(list_passkeys)

    @property
    def has_pages(self) -> bool:
        """Does the app have the ready pages?"""
        return PAGES in current_app.blueprints

    @property
    def base(self) -> str:
        """The template that the pages extend."""
        return common().config.base_template

    @property
    def user(self) -> UserInfo | None:
        """Who is signed in."""
        return sessions.visitor().info

    @property
    def takes_names(self) -> bool:
        """Does a sign-in take a name?"""
        return current().config.username_first

    @property
    def can_sign_up(self) -> bool:
        """Can people create an account?"""
        return current().relying_party.can_sign_up

    @property
    def keeps_grants(self) -> bool:
        """Are there recovery codes and links here?"""
        return current().relying_party.grants.are_kept

    @property
    def has_passwords(self) -> bool:
        """Does the app check passwords for us?"""
        return current().accounts.has_hook("check_password")

    @property
    def takes_password(self) -> bool:
        """Is the user's password enough to confirm who they are? Not where PIN, finger or face were asked for."""
        visitor = sessions.visitor()
        return not visitor.wants_verification and current().accounts.may_have_password(visitor.user)

    def can_delete(self, rows: list[PasskeyRow]) -> bool:
        """Tell whether the user can delete one of their passkeys: the last one only with another way to sign in."""
        return len(rows) > 1 or current().accounts.has_other_way_in(sessions.visitor().user)

    def ways_back(self) -> tuple[int, list[datetime]]:
        """Return how many recovery codes the user has left, and until when each of their links is good."""
        grants = current().relying_party.grants.of_user(sessions.visitor().user_id)
        codes = sum(grant.kind == RECOVERY_CODE for grant in grants)
        return codes, [
            grant.expires_at for grant in grants if grant.kind == INVITATION and grant.expires_at is not None
        ]

    def offers(self) -> bool:
        """Tell whether the user is to be offered a passkey: now, and not within 30 days of "not now"."""
        return offers.is_open() and not offers.is_declined(sessions.visitor().user_id)

    def offer_before(self, path: str) -> str:
        """Return the address of the page with the offer, which leads on to a path; the path where there is no offer."""
        return self.url("offer", next=path) if path and self.has_pages and self.offers() else path

    def url(self, page: str, **values: str) -> str:
        """Return the address of one of the ready pages, empty where the app does not have them."""
        given: dict[str, Any] = {name: value for name, value in values.items() if value}
        return url_for(f"{PAGES}.{page}", **given) if self.has_pages else ""

    def static(self, filename: str) -> str:
        """Return the address of one of our files, with its version."""
        return files.url_of(filename)

    def here(self, note: str = "") -> str:
        """Return the address of the current page.

        :param note: what it then says: a key of the notes above.
        """
        path = current_path()
        return f"{path}?{NOTE}={note}" if note else path

    def note(self) -> Note | None:
        """Return what the page has to say about what was done before it."""
        key = request.args.get(NOTE, "")
        text = _DONE.get(key) or _REFUSED.get(key)
        return None if text is None else Note(words.gettext(text), key in _REFUSED)
