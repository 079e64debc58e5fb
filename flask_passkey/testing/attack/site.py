"""The app under attack, and the people on it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from ..authenticator import VirtualAuthenticator
from ..client import add_passkey, sign_in, sign_up
from ..encoding import b64url_decode
from .browsers import Browser, Reply
from .report import NotMade

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

#: Does something with a browser, as a person would.
Act: TypeAlias = "Callable[[FlaskClient], object]"
#: WSGI environment of requests, or what gives it for an address.
Environ: TypeAlias = "Mapping[str, Any] | Callable[[str], Mapping[str, Any]]"


@dataclass(eq=False)
class Person:
    """Somebody with an account, a passkey and a browser, in which they have just signed in."""

    site: Site
    browser: Browser
    authenticator: VirtualAuthenticator
    name: str
    #: The app's id of the account.
    user_id: str
    #: The id of the passkey, as on the wire.
    passkey_id: str

    def ask(self, method: str, path: str, **kwargs: Any) -> Reply:
        """Send a request from the person's browser."""
        return self.browser.ask(method, path, **kwargs)

    def passkey_ids(self) -> list[str]:
        """Return the ids of the account's passkeys, as its list has them; empty where it is refused."""
        return [item["id"] for item in self.ask("GET", self.site.user_path).data.get("credentials", ())]

    def in_another_browser(self) -> Person:
        """Return the same person with the same passkey, signed in elsewhere."""
        browser = self.site.browser()
        sign_in(browser.client, self.authenticator, prefix=self.site.prefix)
        found = (self.authenticator, self.name, self.user_id, self.passkey_id)
        return Person(self.site, browser, *found)

    def add(self) -> tuple[VirtualAuthenticator, str]:
        """Add a passkey on another device; return the device and the passkey's id."""
        device = self.site.authenticator()
        added = add_passkey(self.browser.client, device, prefix=self.site.prefix)
        self.site.added.append((self.user_id, added["id"]))
        return device, added["id"]

    def grow_old(self) -> None:
        """Let the last sign-in of this session be as long ago as it takes not to be fresh any more."""
        notes = 0
        with self.browser.client.session_transaction(base_url=self.site.origin) as session:
            for name, note in list(session.items()):
                if isinstance(note, dict) and isinstance(note.get("at"), int | float):
                    session[name] = note | {"at": time.time() - self.site.config.step_up_age - 1}
                    notes += 1
        if not notes:
            raise NotMade("the session has no sign-in that could be made to look old")


@dataclass(eq=False)
class Site:
    """The app under attack."""

    app: Flask
    origin: str
    sign_in: Sequence[Act] = ()
    sign_out: Act | None = None
    lock: Callable[[str], object] | None = None
    pages: Sequence[str] = ()
    fresh: Sequence[str] = ()
    redirects: Sequence[str] = ()
    environ: Environ = field(default_factory=dict)
    name: Callable[[str], str] = str
    fields: Mapping[str, str] | None = None
    begins: int = 0
    #: A line for each answer from 500 on.
    failures: list[str] = field(default_factory=list)
    #: Every ``Set-Cookie`` of the app.
    cookies: list[str] = field(default_factory=list)
    #: Those who signed up.
    made: list[Person] = field(default_factory=list)
    #: User id and passkey id of what was added to accounts.
    added: list[tuple[str, str]] = field(default_factory=list)
    #: User ids of accounts that links were made for.
    invited: set[str] = field(default_factory=set)
    _browsers: list[Browser] = field(default_factory=list)
    _known: dict[int, Person] = field(default_factory=dict)
    _addresses: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        with self.context() as passkey:
            self.config = passkey.config
            self.can_sign_up: bool = passkey.relying_party.can_sign_up
        self.prefix: str = self.config.url_prefix
        self.session_path = f"{self.prefix}/session/authn"
        self.user_path = f"{self.prefix}/user/authn"

    @contextmanager
    def context(self) -> Iterator[Any]:
        """Give the app's extension, inside of a request at the site."""
        with self.app.test_request_context(base_url=self.origin):
            yield self.app.extensions["passkey"]

    def browser(self, address: str = "") -> Browser:
        """Return a browser without a past, at another address than all others."""
        address = address or self.address()
        more = self.environ(address) if callable(self.environ) else self.environ
        made = Browser(self.app, self.origin, {"REMOTE_ADDR": address, **more}, self.failures, self.cookies)
        self._browsers.append(made)
        return made

    def address(self) -> str:
        """Return an address of the network for tests (RFC 2544), so that a limiter takes nobody for another."""
        high, low = divmod(next(self._addresses), 250)
        return f"198.18.{high % 250}.{low + 1}"

    def authenticator(self, **how: Any) -> VirtualAuthenticator:
        """Return a new device."""
        return VirtualAuthenticator(self.origin, **how)

    def person(self, **how: Any) -> Person:
        """Return somebody who is signed in with a passkey.

        :param how: for the authenticator.
        """
        return self.sign_up(**how) if self.can_sign_up else self._somebody(0, **how)

    def people(self) -> tuple[Person, Person]:
        """Return two of different accounts."""
        if self.can_sign_up:
            return self.sign_up(), self.sign_up()
        return self._somebody(0), self._somebody(1)

    def sign_up(self, name: str = "", *, display_name: str = "", **how: Any) -> Person:
        """Make an account, in a new browser."""
        if not self.can_sign_up:
            raise NotMade("the app has no sign-up with a passkey")
        name, browser, device = name or self.new_name(), self.browser(), self.authenticator(**how)
        shown, fields = display_name or None, self.fields or None
        answer = sign_up(browser.client, device, name, display_name=shown, fields=fields, prefix=self.prefix)
        person = Person(self, browser, device, name, self.user_id_of(answer["id"]), answer["id"])
        self.made.append(person)
        return person

    def new_name(self) -> str:
        """Return a name that nobody has."""
        return self.name(f"attack-{secrets.token_hex(6)}")

    def user_id_of(self, passkey_id: str) -> str:
        """Return the app's id of the account that a passkey is of."""
        with self.context() as passkey:
            record = passkey.credentials.get(b64url_decode(passkey_id))
        return str(record.user_id) if record else ""

    def _somebody(self, number: int, **how: Any) -> Person:
        """Return one of those whom the app signs in by itself, with a passkey that is added once."""
        if number >= len(self.sign_in):
            raise NotMade("it takes two accounts: give sign_in=[sign_in_ada, sign_in_bob]")
        if how:
            raise NotMade("it takes a new account with a device of its kind, and the app has no sign-up")
        if number not in self._known:
            self._known[number] = self.equip(self.signed_in_by_app(number))
        return self._known[number].in_another_browser()

    def equip(self, browser: Browser) -> Person:
        """Give whoever is signed in in a browser a first passkey."""
        device = self.authenticator()
        answer = add_passkey(browser.client, device, prefix=self.prefix)
        user_id = self.user_id_of(answer["id"])
        self.added.append((user_id, answer["id"]))
        return Person(self, browser, device, "", user_id, answer["id"])

    def signed_in_by_app(self, number: int = 0) -> Browser:
        """Return a browser in which the app's own sign-in was used."""
        browser = self.browser()
        self.enter(browser, number)
        return browser

    def enter(self, browser: Browser, number: int = 0) -> None:
        """Use the app's own sign-in in a browser."""
        if not self.sign_in:
            raise NotMade("give sign_in=, the app's own sign-in without a passkey")
        self.sign_in[number](browser.client)
        if not browser.ask("GET", self.user_path).is_success:
            raise NotMade("sign_in= has not signed anybody in")

    def leave(self, browser: Browser) -> None:
        """Sign out."""
        if self.sign_out is None:
            raise NotMade("give sign_out=, the app's sign-out")
        self.sign_out(browser.client)

    def restore(self) -> None:
        """Take back what the attacks have left: passkeys, links and sessions."""
        with self.context() as passkey:
            made = {person.user_id for person in self.made}
            for user_id in made:
                passkey.forget_user(user_id)
            for user_id in self.invited - made:
                passkey.withdraw(passkey.relying_party.accounts.get(user_id), kind="invitation")
            for user_id, passkey_id in self.added:
                self._delete(passkey.credentials, user_id, b64url_decode(passkey_id))
        for browser in self._browsers:
            with suppress(RuntimeError), browser.client.session_transaction(base_url=self.origin) as session:
                session.clear()

    @staticmethod
    def _delete(credentials: Any, user_id: str, credential_id: bytes) -> None:
        """Delete a passkey if it is there."""
        if any(record.id == credential_id for record in credentials.of_user(user_id)):
            credentials.delete(credential_id, user_id=user_id, keep_last=False)
