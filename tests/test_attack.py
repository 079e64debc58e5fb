"""``flask_passkey.testing.attack``: it finds mistakes that are seeded into healthy apps, and none in those."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import example_apps
import pytest
from apps import App, make_app
from flask import Flask, session
from flask.testing import FlaskClient
from mistakes import MISTAKES, passkey_of
from often import seldom_but
from test_readme import blocks
from test_signing_out import with_password

from demo import create_app
from demo.accounts import demo_account
from flask_passkey import MemoryCredentialRepository
from flask_passkey.testing import (
    AttackFinding,
    AttackReport,
    Refused,
    VirtualAuthenticator,
    attack,
    attack_cases,
)
from flask_passkey.testing import sign_up as sign_up_with

#: What an app without passwords cannot be asked for.
OWN_SIGN_IN = {"session.fixation-by-app", "session.fresh-after-sign-out"}
PAGES = ["/passkeys", "/sign-in", "/sign-up", "/lost"]


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the machine do not count here."""
    for name in [name for name in os.environ if name.startswith("FLASK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def make_demo(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Make demos whose accounts can be locked."""
    made: list[Flask] = []

    def make(**config: Any) -> Flask:
        app = create_app({"INSTANCE_PATH": str(tmp_path / "instance"), "TESTING": True, **config})
        locked: set[str] = set()
        app.extensions["locked"] = locked
        passkey_of(app).check_account(lambda user: user.id not in locked)
        made.append(app)
        return app

    yield make
    for app in made:
        with app.app_context():
            app.extensions["passkey"].credentials.close()


def sign_out(client: FlaskClient) -> None:
    """Sign out, of the demo and of tests' apps."""
    client.post("/sign-out")


def attacked(app: Flask, **how: Any) -> AttackReport:
    """Attack a demo with all that it has."""
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    pages = PAGES + sorted(rules & {"/welcome"})
    fresh = [f"POST {rule}" for rule in sorted(rules & {"/recovery-codes", "/transfer"})]
    return attack(app, sign_out=sign_out, lock=app.extensions["locked"].add, pages=pages, fresh=fresh, **how)


def ids(findings: Sequence[AttackFinding]) -> set[str]:
    """Return the ids of findings."""
    return {finding.id for finding in findings}


# What is found


@pytest.mark.slow
@pytest.mark.parametrize("name", seldom_but(list(MISTAKES)[::8], MISTAKES))
def test_finds(name: str, make_demo: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake is found that is seeded into the demo, and nothing else."""
    mistake = MISTAKES[name]
    app = make_demo(**mistake.config)
    mistake.make(app, monkeypatch)
    report = attacked(app, begins=0, leave_out=["limit.passkeys"])
    assert ids(report.findings) == set(mistake.found), str(report)


def rotating(site: App) -> None:
    """Give the session of an app with hooks a new id after its own sign-in, as apps have to."""
    enter = site.app.view_functions["/in/<name>"]

    def view(name: str) -> Any:
        answer = enter(name)
        interface: Any = site.app.session_interface
        interface.regenerate(session)
        return answer

    site.app.view_functions["/in/<name>"] = view


def enter(name: str, *more: str) -> Callable[[FlaskClient], object]:
    """Sign in without a passkey, and post to some pages."""
    return lambda client: [client.post(path) for path in (f"/in/{name}", *more)]


def test_finds_a_planted_session() -> None:
    """An app that signs people in without a new session id is told what to write, and then nothing more."""
    found = attack(with_password(make_app()).app, sign_in=enter("ada"), sign_out=sign_out, begins=0)
    assert ids(found.findings) == {"session.fixation-by-app"}
    assert "regenerate(session)" in str(found)
    site = with_password(make_app())
    rotating(site)
    attack(site.app, sign_in=enter("ada"), sign_out=sign_out, begins=0).assert_none_found()


def test_finds_a_password_that_counts_as_a_passkey() -> None:
    """An app that confirms everybody who has a password lets a thief of it add passkeys."""
    site = with_password(make_app(flask_login=True))
    report = attack(site.app, sign_in=enter("ada", "/confirm"), sign_out=sign_out, begins=0)
    assert ids(report.findings) == {"session.fresh-after-sign-out"}


def test_forms_that_are_shown_again() -> None:
    """A form that is shown again was not accepted; each is sent for somebody for whom it works."""
    site = make_app()
    page = "".join(f'<form method="post" action="{action}"></form>' for action in ("", "/sign-out", "/me/{}"))

    def me(user_id: str) -> Any:
        return "" if user_id == session["user_id"] else ("", 404)

    def view() -> str:
        return page.format(session.get("user_id", ""))

    site.app.add_url_rule("/form", "form", view, methods=["GET", "POST"])
    site.app.add_url_rule("/me/<user_id>", "me", me, methods=["POST"])
    found = [finding.message for finding in attack(site.app, pages=["/form"], begins=0).findings]
    assert [re.sub("/me/[0-9a-f-]+", "/me/<id>", text) for text in found] == [
        f"The form on /form that posts to {action} is accepted from a page of another site."
        for action in ("/sign-out", "/me/<id>")
    ]


# Healthy apps


def test_nothing_is_found_in_the_demo(make_demo: Callable[..., Flask]) -> None:
    """The demo withstands all that can be tried, its limiter among it."""
    report = attacked(make_demo())
    report.assert_none_found()
    assert report.notes == [] and set(report.not_made) == OWN_SIGN_IN
    assert {*report.withstood, *report.not_made} == set(attack_cases())


def test_nothing_is_found_behind_a_proxy(make_demo: Callable[..., Flask]) -> None:
    """On https, behind a proxy that tells addresses, the demo withstands the same; so it does with sign-in by name."""
    app = make_demo(
        PASSKEY_RP_ID="example.com", TRUSTED_PROXIES=1, PASSKEY_USERNAME_FIRST=True, PASSKEY_URL_PREFIX="/a"
    )
    accounts = app.extensions["demo_accounts"]

    def find_user(name: str) -> Any:
        with accounts._reading() as connection:
            row = connection.execute(demo_account.select().where(demo_account.c.name == name)).one_or_none()
        return None if row is None else accounts.get(row.id)

    passkey_of(app).find_user(find_user)
    proxied = {"HTTP_X_FORWARDED_PROTO": "https", "REMOTE_ADDR": "127.0.0.1"}
    report = attacked(app, environ=lambda address: {"HTTP_X_FORWARDED_FOR": address, **proxied})
    report.assert_none_found()
    assert report.notes == [] and set(report.not_made) == OWN_SIGN_IN


def test_nothing_is_found_in_the_readmes_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's app withstands all; that it has neither a limiter nor a policy is noted."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "app"}
    exec(compile(blocks("python")[0], "README.md", "exec"), names)
    pages = ["/", *(f"/passkeys{page}" for page in ("", "/sign-in", "/sign-up", "/confirm", "/new", "/offer"))]
    report = attack(names["app"], pages=pages, fresh=["POST /passkeys/codes"])
    report.assert_none_found()
    assert ids(report.notes) == {"limit.sign-in", "page.policy"}
    assert set(report.not_made) == OWN_SIGN_IN | {"account.locked", "session.sign-out"}


@pytest.mark.slow
@pytest.mark.parametrize("name", seldom_but(["security"], example_apps.NAMES))
def test_nothing_is_found_in_the_examples(name: str, tmp_path: Path) -> None:
    """The five apps with passwords withstand all, with two accounts that exist."""
    config = {"WTF_CSRF_ENABLED": False} if name in ("login", "security") else {}
    pages = [] if name == "spa" else ["/", "/passkeys", "/sign-in"]

    def by_password(who: str) -> Callable[[FlaskClient], object]:
        data = {"name": who, "email": f"{who}@example.com", "password": "correct horse"}
        data["password_confirm"] = data["password"]

        def act(client: FlaskClient) -> None:
            for path in ("/sign-up", "/sign-out", "/sign-in"):
                client.post(path, **({"json": data} if name == "spa" else {"data": data}))

        return act

    with example_apps.app_of(name, tmp_path, **config) as app:
        both = [by_password("ada"), by_password("eve")]
        report = attack(app, sign_in=both, sign_out=sign_out, pages=pages, begins=0)
    report.assert_none_found()
    assert len(report.withstood) > 40 and report.accounts == []


# What is left


def test_nothing_is_left_but_accounts(make_demo: Callable[..., Flask], tmp_path: Path) -> None:
    """Passkeys, links and sessions of the attacks are gone in the end; the accounts are those that the report names."""
    app = make_demo(RATELIMIT_ENABLED=False)
    sign_up_with(app.test_client(), VirtualAuthenticator("http://localhost:5000"), "ada")
    before = set(os.listdir(tmp_path / "instance" / "sessions"))
    report = attacked(app, begins=0, leave_out=["limit.passkeys"])
    with app.app_context(), passkey_of(app).credentials.transaction() as connection:
        names = {row.name for row in connection.execute(demo_account.select())}
        left = {
            name: connection.exec_driver_sql(f"SELECT * FROM {name}").all()
            for name in ("passkey_credential", "passkey_grant")
        }
    assert names == {"ada", *report.accounts} and len(report.accounts) > 20
    assert len(left["passkey_credential"]) == 1 and left["passkey_grant"] == []
    records = set(os.listdir(tmp_path / "instance" / "sessions")) - before
    assert not [name for name in records if re.fullmatch("[0-9a-f]{32}", name)]


def test_nothing_is_left_in_accounts_that_exist() -> None:
    """Accounts that the app signs in by itself have what they had before."""
    repository = MemoryCredentialRepository()
    site = with_password(make_app(sign_up=False, flask_login=True, credentials=repository))
    report = attack(site.app, sign_in=[enter("ada"), enter("eve")], sign_out=sign_out, begins=0)
    report.assert_none_found()
    assert report.accounts == [] and "grant.replay" in report.withstood
    assert site.passkey_records("ada") == site.passkey_records("eve") == []
    assert site.session_ids() == set()
    with site.app.app_context():
        assert site.passkey.grants_of(site.user("ada")) == []


# How it is asked for, and what it tells


def test_needs_accounts() -> None:
    """Where nobody can get an account, or has one for themselves, nothing can be told."""
    site = with_password(make_app(sign_up=False))
    with pytest.raises(ValueError, match="give sign_in="):
        attack(site.app)
    with pytest.raises(ValueError, match="has not signed anybody in"):
        attack(site.app, sign_in=lambda client: client.get("/page"))
    alone = attack(site.app, sign_in=enter("ada"), begins=0)
    assert "two accounts" in alone.not_made["passkey.foreign"]


def test_an_honest_sign_up_must_work() -> None:
    """An app that refuses everybody withstands everything, which tells nothing: the refusal is raised."""
    site = make_app()
    site.app.before_request(lambda: ("", 403))
    with pytest.raises(Refused, match="HTTP 403"):
        attack(site.app)
    with pytest.raises(Refused, match="HTTP 403"):
        attack(make_app().app, base_url="https://example.com")


def test_attacks_can_be_left_out() -> None:
    """What an app means to do can be left out; a name that is none is an error."""
    site = make_app()
    site.has_other_methods = True
    assert ids(attack(site.app, begins=0).findings) == {"passkey.last"}
    attack(site.app, begins=0, leave_out=["passkey.last"]).assert_none_found()
    with pytest.raises(ValueError, match=r"no such attack: passkey\.first"):
        attack(site.app, leave_out=["passkey.first"])


def test_names_and_fields_are_the_apps() -> None:
    """Names can be made to the app's taste, and fields be sent along."""
    site, seen = make_app(), []

    @site.passkey.check_sign_up
    def check_sign_up(name: str, display_name: str, fields: Any) -> None:
        seen.append((name.endswith("@example.com"), dict(fields)))

    create: Any = site.passkey._hooks.create_user
    site.passkey.create_user(lambda name, display_name, fields: create(name, display_name))
    report = attack(site.app, name="{}@example.com".format, fields={"plan": "free"}, begins=0)
    report.assert_none_found()
    assert (True, {"plan": "free"}) in seen and all(right for right, _ in seen)


def test_a_repository_without_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no links can be kept, it is said that they were not tried."""
    monkeypatch.delattr(MemoryCredentialRepository, "add_grant")
    report = attack(make_app().app, begins=0)
    report.assert_none_found()
    assert {id_ for id_ in report.not_made if id_.startswith("grant.")} == {
        id_ for id_ in attack_cases() if id_.startswith("grant.")
    }
    assert "add_grant()" in report.not_made["grant.replay"]


def test_a_limiter_that_counts_all_together() -> None:
    """Where a limiter refuses, nothing is said to be withstood."""
    site, requests = make_app(), iter(range(1_000_000))

    @site.app.before_request
    def limit() -> Any:
        return ("", 429) if next(requests) > 100 else None

    report = attack(site.app)
    assert "give environ=" in report.not_made["request.cross-site"] and "limit.sign-in" in report.withstood


def test_a_report_tells_what_to_do() -> None:
    """A report names what was found, what to do, and what was not tried; with findings it fails a test."""
    report = AttackReport(
        [AttackFinding("a.b", "Anybody can.", "Forbid it.")], [], ["c.d"], {"e.f": "give x="}, ["ada"]
    )
    with pytest.raises(
        AssertionError, match="1 found, 1 withstood, 1 not made\nFound:\n  a.b: Anybody can. Forbid it."
    ):
        report.assert_none_found()
    assert str(report).endswith("Not made:\n  e.f: give x=\nAccounts that were made:\n  ada")


def test_every_attack_says_what_it_is() -> None:
    """Each attack has an id of its own and a sentence, and docs/howto/testing.md names it."""
    document = (Path(__file__).parent.parent / "docs" / "howto" / "testing.md").read_text("utf-8")
    assert all(
        re.fullmatch(r"[a-z-]+\.[a-z-]+", id_) and sentence.endswith(".") for id_, sentence in attack_cases().items()
    )
    assert not [id_ for id_ in attack_cases() if f"`{id_}`" not in document]
