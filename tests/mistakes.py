"""Mistakes that apps make, each seeded into a healthy demo, for the tests of ``flask_passkey.testing.attack``."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, redirect, request
from jinja2 import ChoiceLoader, DictLoader
from werkzeug.exceptions import NotFound

from demo.accounts import Account, Accounts, demo_account, name_key
from flask_passkey import CredentialRecord, Passkey, SQLCredentialRepository
from flask_passkey.web import http


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with an app."""

    #: Makes the mistake.
    make: Callable[[Flask, pytest.MonkeyPatch], object]
    #: The ids of all attacks that succeed for it.
    found: tuple[str, ...]
    config: dict[str, Any] = field(default_factory=dict)


def passkey_of(app: Flask) -> Passkey:
    """Return the app's extension."""
    extension: Passkey = app.extensions["passkey"]
    return extension


def everybody_may_sign_in(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check_account hook that looks at nothing."""
    passkey_of(app).check_account(lambda user: True)


def keeps_the_session_id(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session interface that gives no new id at a sign-in."""
    vars(app.session_interface)["regenerate"] = lambda session: None


def takes_taken_names(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A create_user hook, and a table, that do not mind two accounts with one name."""
    monkeypatch.setattr("demo.accounts.name_key", lambda name: name_key(str(uuid.uuid4())))


def view_without_required(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view that asks for no fresh sign-in."""
    app.add_url_rule("/transfer", "transfer", lambda: "done", methods=["POST"])


def view_with_required_on_top(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view with the decorator above its route, where it guards nothing."""
    passkey_of(app).required()(app.post("/transfer")(lambda: "done"))


def sign_out_that_leaves_the_session(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign-out that only shows another page."""
    app.view_functions["pages.sign_out"] = lambda: redirect("/sign-in")


def no_look_at_other_sites(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests of all sites are let in."""
    monkeypatch.setattr(http, "refuse_cross_site", lambda *_: None)


class Keeping:
    """A store of pending ceremonies that gives each of them out again and again."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        """Keep a value."""
        self._values[key] = value

    def claim(self, key: str) -> bytes | None:
        """Give a value out, and keep it."""
        return self._values.get(key)


def store_that_never_claims(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose claim only reads."""
    kept = Keeping()
    with app.test_request_context():
        monkeypatch.setattr(passkey_of(app).relying_party._pending, "_store", lambda: kept)


def repository_without_owners(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository that finds and deletes whatever the account."""
    of_user, delete = SQLCredentialRepository.of_user, SQLCredentialRepository.delete

    def of_all(repository: SQLCredentialRepository, user_id: str) -> list[CredentialRecord]:
        with repository.reading() as connection:
            ids = list(connection.scalars(demo_account.select().with_only_columns(demo_account.c.id)))
        return [record for each in ids for record in of_user(repository, each)]

    def delete_any(repository: SQLCredentialRepository, credential_id: bytes, *, user_id: str, **how: Any) -> None:
        record = repository.get(credential_id)
        delete(repository, credential_id, user_id=record.user_id if record else user_id, **how)

    monkeypatch.setattr(SQLCredentialRepository, "of_user", of_all)
    monkeypatch.setattr(SQLCredentialRepository, "delete", delete_any)


def names_that_are_html(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that says of a name that it is safe."""
    page = "{% for row in rows %}<li>{{ row.name|safe }}</li>{% endfor %}"
    vars(app)["jinja_loader"] = ChoiceLoader([DictLoader({"passkeys.html": page}), app.jinja_loader or DictLoader({})])


def redirect_to_anywhere(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that leads on to wherever its address says."""
    app.add_url_rule("/welcome", "welcome", lambda: redirect(request.args.get("next", "/")))


def redirect_with_a_weak_check(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that takes whatever begins with a slash for a path."""

    def welcome() -> Any:
        target = request.args.get("next", "/")
        return redirect(target if target.startswith("/") else "/")

    app.add_url_rule("/welcome", "welcome", welcome)


def last_passkey_may_go(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that says of everybody that they have a password."""
    passkey_of(app).other_sign_in_methods(lambda user: True)


def unknown_names_are_not_found(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A find_user hook that ends like a page without an account."""
    accounts: Accounts = app.extensions["demo_accounts"]

    def find_user(name: str) -> Account:
        with accounts._reading() as connection:
            row = connection.execute(demo_account.select().where(demo_account.c.name == name)).one_or_none()
        if row is None:
            raise NotFound
        return Account(row.id, row.name, row.display_name)

    passkey_of(app).find_user(find_user)


def cookie_without_flags(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session's cookie that also goes along over http, and from other sites."""
    app.config.update(SESSION_COOKIE_SECURE=False, SESSION_COOKIE_SAMESITE=None)


def grants_are_used_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository that does not delete a link that was used."""
    monkeypatch.setattr(SQLCredentialRepository, "claim_grant", lambda repository, token_hash, *, now: True)


def form_for_everybody(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form without a token, in an app whose session's cookie goes along from everywhere."""
    app.config["SESSION_COOKIE_SAMESITE"] = None
    app.add_url_rule("/welcome", "welcome", lambda: '<form method="post" action="/like"><button>Like</button></form>')
    app.add_url_rule("/like", "like", lambda: redirect("/welcome"), methods=["POST"])


def any_site_may_read(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers with headers that let every site in."""

    def add_headers(response: Any) -> Any:
        response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
        response.headers["Access-Control-Allow-Credentials"] = "true"
        return response

    app.after_request(add_headers)


def somebody_who_never_changes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that says who is signed in by what it has once seen."""
    accounts: Accounts = app.extensions["demo_accounts"]
    seen: dict[str, Account] = {}
    create = accounts.create

    def remember(name: str, display_name: str) -> Account:
        account = create(name, display_name)
        seen.setdefault("last", account)
        return account

    passkey_of(app).create_user(remember)
    passkey_of(app).get_current_user(lambda: seen.get("last"))


def page_that_fails(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that raises for a parameter that it does not expect."""
    app.add_url_rule("/welcome", "welcome", lambda: str(int(request.args.get("next", "0"))))


MISTAKES = {
    "everybody may sign in": Mistake(everybody_may_sign_in, ("account.locked",)),
    "the session keeps its id": Mistake(keeps_the_session_id, ("session.fixation",)),
    "taken names": Mistake(takes_taken_names, ("account.taken-name",)),
    "no @passkey.required": Mistake(view_without_required, ("page.fresh",)),
    "@passkey.required above the route": Mistake(view_with_required_on_top, ("page.fresh",)),
    "a sign-out that leaves the session": Mistake(sign_out_that_leaves_the_session, ("session.sign-out",)),
    "no look at other sites": Mistake(no_look_at_other_sites, ("request.cross-site",)),
    "a store that never claims": Mistake(
        store_that_never_claims, ("ceremony.replay", "ceremony.second-try", "ceremony.registration-replay")
    ),
    "a repository without owners": Mistake(repository_without_owners, ("passkey.foreign",)),
    "names that are HTML": Mistake(names_that_are_html, ("page.markup-in-names",)),
    "a redirect to anywhere": Mistake(redirect_to_anywhere, ("page.open-redirect",)),
    "a redirect with a weak check": Mistake(redirect_with_a_weak_check, ("page.open-redirect",)),
    "the last passkey may go": Mistake(last_passkey_may_go, ("passkey.last",)),
    "unknown names are not found": Mistake(
        unknown_names_are_not_found, ("account.names",), {"PASSKEY_USERNAME_FIRST": True}
    ),
    "a cookie without flags": Mistake(cookie_without_flags, ("session.cookie",), {"PASSKEY_RP_ID": "example.com"}),
    "links that are used again": Mistake(grants_are_used_again, ("grant.replay", "grant.race", "grant.guess")),
    "a form for everybody": Mistake(form_for_everybody, ("page.forms",)),
    "any site may read": Mistake(any_site_may_read, ("request.cors",)),
    "somebody who never changes": Mistake(somebody_who_never_changes, ("session.stranger",)),
    "a page that fails": Mistake(page_that_fails, ("request.server-error",)),
}
