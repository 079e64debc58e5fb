"""``flask passkey check`` on apps that are broken for real: what it says of each, and the line that mends it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import services
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from apps import App, User, make_app
from blobs import MetadataService
from cachelib import FileSystemCache, SimpleCache
from click.testing import CliRunner, Result
from flask import Blueprint, Flask
from flask.cli import ScriptInfo
from flask_babel import Babel, lazy_gettext
from flask_login import LoginManager
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import create_engine

import flask_passkey
from demo import create_app
from flask_passkey import CredentialRepository, MemoryCredentialRepository, Passkey, SQLCredentialRepository, advisories
from flask_passkey.cli import passkey
from flask_passkey.config import PasskeyConfig
from flask_passkey.credentials.sql.inspection import table_problems
from flask_passkey.doctor import ages, findings
from flask_passkey.doctor.settings import is_public
from flask_passkey.errors import ConfigurationError

pytestmark = pytest.mark.proves("frictions:V")

Build = Callable[[Path, pytest.MonkeyPatch], Flask]

KEY = "9f2c5e1d7b3a4860f1e2d3c4b5a69788"
#: By id of the finding: how the app is built, and what the line to write has in it.
BROKEN: list[tuple[str, Build, str]] = []


def broken(id_: str, line: str) -> Callable[[Build], Build]:
    """Put an app into :data:`BROKEN`."""

    def keep(build: Build) -> Build:
        BROKEN.append((id_, build, line))
        return build

    return keep


@pytest.fixture(autouse=True)
def _no_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what is installed here, and what the environment asks for."""
    monkeypatch.setattr(advisories, "installed_versions", dict)
    for name in ("WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"):
        monkeypatch.delenv(name, raising=False)


def check(build: Callable[[], Flask], *options: str) -> Result:
    """Run ``flask passkey check`` on an app that is built by the command."""
    return CliRunner().invoke(passkey, ["check", *options], obj=ScriptInfo(create_app=build))


def public(
    folder: Path, *, credentials: CredentialRepository | None = None, without: Sequence[str] = (), **config: Any
) -> App:
    """Return a healthy app at example.com, but for some settings.

    :param without: settings that it does not have.
    """
    settings = {
        "PASSKEY_RP_ID": "example.com",
        "SECRET_KEY": KEY,
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_PERMANENT": False,
        "SESSION_CACHELIB": FileSystemCache(str(folder / "sessions"), threshold=0),
    } | config
    settings = {name: value for name, value in settings.items() if name not in without}
    return make_app(
        settings, credentials=credentials or SQLCredentialRepository.from_uri(f"sqlite:///{folder}/passkey.sqlite3")
    )


def file_with(folder: Path, *statements: str, tables: bool = True) -> str:
    """Return the URL of a SQLite file with our tables in which some statements were run."""
    file = folder / "credentials.sqlite3"
    if tables:
        repository = SQLCredentialRepository.from_uri(f"sqlite:///{file}")
        repository.create_tables()
        repository.close()
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return f"sqlite:///{file}"


def on(url: str, *, create_tables: bool = True) -> Flask:
    """Return an app with its credentials in a database."""
    return make_app(credentials=SQLCredentialRepository.from_uri(url, create_tables=create_tables)).app


# The database


@broken("tables.column-missing", "ALTER TABLE passkey_credential ADD COLUMN identity VARCHAR(255);")
def without_a_column(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its tables were made by an older release."""
    return on(file_with(folder, "ALTER TABLE passkey_credential DROP COLUMN identity"))


@broken("tables.not-ours", 'schema_translate_map={None: "passkeys"}')
def with_tables_of_another_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Another package has a table of the same name."""
    return on(file_with(folder, "CREATE TABLE passkey_user (id integer primary key, name text)", tables=False))


@broken("tables.column-type", "ALTER TABLE passkey_user RENAME TO passkey_user_before")
def with_a_column_of_numbers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Somebody wrote the table by hand, with the account's id as a number."""
    columns = "user_handle BLOB PRIMARY KEY, user_id INTEGER NOT NULL, primary_for VARCHAR(255) UNIQUE"
    return on(file_with(folder, "DROP TABLE passkey_user", f"CREATE TABLE passkey_user ({columns})"))


@broken("tables.missing", "CREATE TABLE passkey_credential (")
def without_migrations(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Migrations are to make the tables, and have not."""
    return on(file_with(folder, tables=False), create_tables=False)


@broken("stores.credentials-refused", "chmod u+w")
def with_a_file_that_can_only_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The file of its credentials was mounted to be read only."""
    return on(file_with(folder).replace("///", "///file:") + "?mode=ro&uri=true")


@broken("tables.migrations", "flask_passkey.add_tables_to(db.metadata)")
def with_migrations_that_do_not_know_our_tables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Flask-Migrate compares a database that has our tables with models that do not."""
    return migrating(folder)[0]


def migrating(folder: Path) -> tuple[Flask, SQLAlchemy]:
    """Return an app with our tables in Flask-SQLAlchemy's database, and what Flask-Migrate leaves in an app."""
    db = SQLAlchemy()
    site = make_app(
        {"SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/app.sqlite3"},
        credentials=SQLCredentialRepository(session=db.session),
        before=db.init_app,
    )
    site.app.extensions["migrate"] = SimpleNamespace(db=db, directory=str(folder / "migrations"))
    return site.app, db


# Stores and sessions


@broken("stores.ceremonies-unavailable", "SESSION_REDIS = Redis.from_url(")
def with_a_redis_that_is_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Nothing listens at the address of its Redis."""
    client = Redis(port=services.free_port(), retry=Retry(NoBackoff(), 0))
    return make_app({"SESSION_TYPE": "redis", "SESSION_REDIS": client}).app


@broken("stores.ceremonies-memory", 'SESSION_TYPE = "redis"')
def with_memory_in_four_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Four workers are started, and each keeps sessions in its memory."""
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    return make_app(credentials=SQLCredentialRepository.from_uri(f"sqlite:///{folder}/passkey.sqlite3")).app


@broken("stores.credentials-memory", "PASSKEY_DATABASE_URI = ")
def with_passkeys_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its passkeys, for people elsewhere, end with the process."""
    return public(folder, credentials=MemoryCredentialRepository()).app


@broken("stores.ceremonies-refused", "Session(app)")
def without_flask_session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Flask-Session is configured, and nobody has set it up."""
    app = Flask("site")
    app.config.update(TESTING=True, SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    with_hooks(App(app, Passkey(app, credentials=MemoryCredentialRepository())))
    return app


@broken("settings.refused", "Session(app)")
def that_does_not_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """It has sessions in a cookie, and nothing else, so it does not even start."""
    app = Flask("site")
    app.config.update(TESTING=True, SECRET_KEY=KEY)
    Passkey(app)
    return app


@broken("sessions.flashed-text", "login_manager.localize_callback = str")
def with_a_text_that_no_session_keeps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """It moved to Flask-Session, and Flask-Login flashes a text that is translated late."""
    db = SQLAlchemy()
    config = {"SESSION_TYPE": "sqlalchemy", "SESSION_SQLALCHEMY": db, "SQLALCHEMY_DATABASE_URI": "sqlite://"}

    app = Flask("site")
    app.config.update(TESTING=True, SECRET_KEY=KEY, **config)
    db.init_app(app)
    Babel(app)
    Session(app)
    manager = LoginManager(app)
    manager.user_loader({}.get)
    manager.login_message = lazy_gettext("Please sign in.")
    Passkey(app, credentials=MemoryCredentialRepository())
    return app


@broken("sessions.permanent", "SESSION_PERMANENT = False")
def with_cookies_for_a_month(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """It moved to Flask-Session, which makes every session last for 31 days."""
    return public(folder, without=("SESSION_PERMANENT",)).app


# Settings


@broken("settings.rp-id-ip", "PASSKEY_RP_ID = 'localhost'")
def at_an_address(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its RP ID is an IP address."""
    return make_app({"PASSKEY_RP_ID": "127.0.0.1"}).app


@broken("settings.rp-id-single-label", "PASSKEY_RP_ID = 'intranet.example.com'")
def at_a_name_without_a_dot(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its RP ID is a name that only its own network knows."""
    return public(folder, PASSKEY_RP_ID="intranet").app


@broken("settings.secret-key-weak", "secrets.token_hex()")
def with_a_key_that_everybody_knows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its key is the one of a tutorial."""
    return public(folder, SECRET_KEY="you-will-never-guess").app


@broken("settings.secret-key-missing", "SECRET_KEY = ")
def without_a_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """It has no key."""
    return public(folder, SECRET_KEY=None).app


@broken("settings.too-late", "PASSKEY_STEP_UP_AGE = …, before Passkey(app)")
def with_a_setting_that_comes_too_late(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """It sets something after the extension has read the settings."""
    app = public(folder).app
    app.config["PASSKEY_STEP_UP_AGE"] = 60
    return app


@broken("settings.related-origins-full", "PASSKEY_RELATED_ORIGINS = ")
def with_as_many_names_as_there_can_be(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its related origins have five names."""
    return public(folder, PASSKEY_RELATED_ORIGINS=[f"https://example{n}.org" for n in range(5)]).app


@broken("cookies.secure-missing", "SESSION_COOKIE_SECURE = True")
def with_a_cookie_for_http(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its session's cookie goes over http, too."""
    return public(folder, SESSION_COOKIE_SECURE=False).app


@broken("cookies.samesite-missing", "SESSION_COOKIE_SAMESITE = 'Lax'")
def with_a_cookie_for_other_sites(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its session's cookie says nothing of other sites."""
    return public(folder, SESSION_COOKIE_SAMESITE=None).app


@broken("cookies.none-insecure", "SESSION_COOKIE_SECURE = True")
def with_a_cookie_that_chromium_drops(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its session's cookie is for frames, and not Secure."""
    return make_app({"SESSION_COOKIE_SAMESITE": "None"}).app


@broken("cookies.host-domain", "SESSION_COOKIE_DOMAIN = None")
def with_a_cookie_that_browsers_drop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its session's cookie is for one host by its name, and for several by its domain."""
    return public(folder, SESSION_COOKIE_NAME="__Host-session", SESSION_COOKIE_DOMAIN="example.com").app


@broken("cookies.prefix-insecure", "SESSION_COOKIE_SECURE = True")
def with_a_name_that_wants_https(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its session's cookie has the name of a safe one, on a machine without https."""
    return make_app({"SESSION_COOKIE_NAME": "__Host-session"}).app


@broken("cookies.domain", "SESSION_COOKIE_DOMAIN = None")
def with_a_cookie_of_another_domain(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its session's cookie is for the domain that it had before."""
    return public(folder, SESSION_COOKIE_DOMAIN="example.org").app


@broken("cookies.path", "SESSION_COOKIE_PATH = '/'")
def with_a_cookie_for_some_pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its session's cookie is for its pages, and our routes are beside them."""
    return public(folder, SESSION_COOKIE_PATH="/account").app


# Routes, hooks and ages


@broken("routes.collision", "PASSKEY_URL_PREFIX = '/auth'")
def with_profiles_where_our_routes_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """A user of it may be called "authn", as a file of a single-page app may."""
    app = make_app().app
    app.add_url_rule("/user/<name>", "profile", lambda name: name)
    app.add_url_rule("/<path:file>", "pages", lambda file: file)
    app.add_url_rule("/user/<int:number>", "number", lambda number: str(number))
    return app


@broken("settings.refused", "Passkey(app, blueprint_name='webauthn')")
def with_a_blueprint_of_our_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its own pages for passkeys are a blueprint of our name, so it does not start."""
    return make_app(before=lambda app: app.register_blueprint(Blueprint("passkey", __name__))).app


@broken("routes.blueprint-name", "Passkey(app, blueprint_name='webauthn')")
def with_a_later_blueprint_of_our_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """It registers that blueprint after Flask-Passkey, and Flask refuses it."""
    site = make_app()
    site.app.register_blueprint(Blueprint("passkey", __name__))
    return site.app


@broken("stores.failed", "flask_passkey.contracts")
def with_a_store_that_raises(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its own repository raises what nobody expects."""

    class Broken(MemoryCredentialRepository):
        def add_user(self, user_id: str, user_handle: bytes) -> bytes:
            raise ZeroDivisionError(user_id)

    return make_app(credentials=Broken()).app


@broken("routes.document-below", "location = /.well-known/webauthn { proxy_pass http://127.0.0.1:8000/shop/.well-known")
def below_a_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """It is below a path, and its document is looked for at the root."""
    return public(
        folder, APPLICATION_ROOT="/shop", PASSKEY_RELATED_ORIGINS=["https://example.org"], SESSION_COOKIE_PATH="/"
    ).app


@broken("accounts.no-load-user", "@passkey.load_user")
def without_hooks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Nobody has told how users are found."""
    site = make_app(sign_up=False)
    site.passkey._hooks.load_user = None
    return site.app


@broken("accounts.no-create-user", "@passkey.create_user")
def without_a_hook_for_sign_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Sign-up is on, and nothing makes an account."""
    return make_app({"PASSKEY_SIGN_UP": True}, sign_up=False).app


@broken("accounts.orphans", "flask passkey forget ID")
def with_accounts_that_are_gone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An account was deleted, and its passkeys stayed."""
    site = make_app()
    with site.app.app_context():
        site.passkey.credentials.add_user("gone", b"h" * 64)
    return site.app


@broken("accounts.unreadable", "returns None")
def whose_loader_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Its loader takes every id for a number."""
    site = make_app()
    site.passkey.load_user(int)
    with site.app.app_context():
        site.passkey.credentials.add_user("gone", b"h" * 64)
    return site.app


@broken("metadata.stale", "https://mds3.fidoalliance.org/")
def with_old_metadata(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Nobody has downloaded the metadata for long."""
    return make_app(MetadataService(folder).config(next_update="2020-01-01")).app


def with_hooks(site: App) -> None:
    """Give an app hooks for users that are in no session."""
    site.passkey.get_current_user(lambda: None)
    site.passkey.load_user(site.users.get)
    site.passkey.login_user(lambda user: None)


# What the doctor says


@pytest.mark.parametrize(("id_", "build", "line"), BROKEN, ids=[f"{build.__name__}: {id_}" for id_, build, _ in BROKEN])
def test_what_is_broken_is_found(
    id_: str, build: Build, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each broken app has its finding and no other, with the line to write; an error fails the command."""
    result = check(lambda: build(tmp_path, monkeypatch), "--json")
    found = json.loads(result.stdout)
    assert {finding["id"] for finding in found} == {id_}, result.output
    assert any(line in finding["fix"] for finding in found), found
    assert result.exit_code == any(finding["severity"] == "error" for finding in found)


def test_ten_and_more_are_broken() -> None:
    """Each area that can be seen from inside has a broken app."""
    assert len(BROKEN) > 10
    assert {id_.partition(".")[0] for id_, _, _ in BROKEN} == {
        "accounts", "cookies", "metadata", "routes", "sessions", "settings", "stores", "tables"
    }  # fmt: skip


def test_a_healthy_app_has_no_finding(tmp_path: Path) -> None:
    """One for people elsewhere, on files; with several processes, too."""
    result = check(lambda: public(tmp_path).app, "--strict")
    assert result.exit_code == 0 and result.output.endswith("\nNothing is wrong, as far as can be seen.\n")
    assert json.loads(check(lambda: public(tmp_path).app, "--json").stdout) == []


def test_the_demo_has_no_finding(tmp_path: Path) -> None:
    """The demo, as README's command starts it."""
    result = check(lambda: create_app({"INSTANCE_PATH": str(tmp_path)}), "--strict", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_the_first_app_of_the_readme_has_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app that everybody copies, which has its sessions in files and its passkeys in memory, at localhost."""
    monkeypatch.chdir(tmp_path)
    readme = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    names: dict[str, Any] = {"__name__": "app"}
    exec(compile(readme.split("```python\n")[1].split("```")[0], "README.md", "exec"), names)
    result = check(lambda: names["app"], "--strict", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_the_check_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither a session nor a ceremony nor an account stays in a store."""
    site = make_app(credentials=SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkey.sqlite3"))
    assert check(lambda: site.app).exit_code == 0
    assert not site.session_ids() and not site.pending
    with site.app.app_context():
        assert site.passkey.credentials.user_ids() == []


def test_findings_are_grouped_and_counted(tmp_path: Path) -> None:
    """A person reads areas with what is wrong and what to write, and the count last."""
    changes: dict[str, Any] = {
        "SESSION_COOKIE_DOMAIN": "example.org",
        "SESSION_COOKIE_SECURE": False,
        "SECRET_KEY": "dev",
    }
    result = check(lambda: public(tmp_path, **changes).app)
    lines = result.output.splitlines()
    assert [line for line in lines if line in ("Settings", "Cookies")] == ["Settings", "Cookies"]
    assert lines[-2:] == ["", "2 errors, 1 warning, 0 notes."]
    assert "    -> SESSION_COOKIE_DOMAIN = None" in lines and KEY not in result.output


def test_warnings_fail_a_strict_check_only(tmp_path: Path) -> None:
    """A warning alone ends with 0, and with 1 where that is asked; a note fails neither."""

    def warned() -> Flask:
        return public(tmp_path, SESSION_COOKIE_SAMESITE=None).app

    def noted() -> Flask:
        return public(tmp_path, PASSKEY_RELATED_ORIGINS=[f"https://a{n}.org" for n in range(5)]).app

    assert (check(warned).exit_code, check(warned, "--strict").exit_code) == (0, 1)
    assert check(noted, "--strict").exit_code == 0


def test_findings_are_json(tmp_path: Path) -> None:
    """Machines get a list of objects, and nothing else."""
    (found,) = json.loads(check(lambda: public(tmp_path, SESSION_COOKIE_DOMAIN="example.org").app, "--json").stdout)
    assert found == {
        "id": "cookies.domain",
        "severity": "error",
        "message": "SESSION_COOKIE_DOMAIN is 'example.org', and example.com is not below it: browsers drop the "
        "session's cookie, and nobody stays signed in.",
        "fix": "SESSION_COOKIE_DOMAIN = None",
    }


def test_no_secret_is_printed(tmp_path: Path) -> None:
    """Neither the key nor a database's user or password nor an account is in the output."""
    site = public(tmp_path, SECRET_KEY="hunter2hunter2")
    site.users["17"] = User("ada.lovelace", id="17")
    with site.app.app_context():
        site.passkey.credentials.add_user("grace.hopper", b"h" * 64)
    for options in ((), ("--json",)):
        output = check(lambda: site.app, *options).output
        assert "settings.secret-key-weak" in output and "accounts.orphans" in output
        assert not any(secret in output for secret in ("hunter2", "ada.lovelace", "grace.hopper"))


def test_ids_of_findings_are_different_and_of_known_severities() -> None:
    """An id says the area first."""
    finding = findings.error("stores.down", "It is down.", "Start it.")
    assert (finding.area, finding.severity) == ("stores", findings.SEVERITIES[0])


def test_a_database_that_only_a_request_decides() -> None:
    """Where each tenant has a database, and there is no request, the check says what it cannot see, and ends."""

    def session() -> Any:
        raise RuntimeError("no tenant")

    result = check(lambda: make_app(credentials=SQLCredentialRepository(session=session)).app)
    assert isinstance(result.exception, SystemExit)
    assert "Credentials: SQLCredentialRepository on what a request decides" in result.output
    assert "stores.failed" in result.output


@pytest.mark.proves("frictions:cli-runner")
def test_the_command_is_the_apps_too() -> None:
    """Tests of an app find the command by its name; one of the app's own of that name stays."""
    result = make_app().app.test_cli_runner().invoke(args=["passkey", "list", "nobody"])
    assert result.exit_code == 0, result.output

    def before(app: Flask) -> None:
        app.cli.command("passkey")(lambda: print("mine"))

    assert make_app(before=before).app.test_cli_runner().invoke(args=["passkey"]).output == "mine\n"


# Migrations


def test_migrations_that_know_our_tables_are_fine(tmp_path: Path) -> None:
    """With ours named in env.py there is no finding, and neither where our tables are in another database."""
    app, db = migrating(tmp_path)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "env.py").write_text("target_metadata = [db.metadata, flask_passkey.metadata]\n")
    assert json.loads(check(lambda: app, "--json").stdout) == []
    (tmp_path / "migrations" / "env.py").unlink()
    config = {"SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/app.sqlite3"}
    credentials = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkey.sqlite3")
    elsewhere = make_app(config, credentials=credentials, before=db.init_app).app
    elsewhere.extensions["migrate"] = app.extensions["migrate"]
    assert json.loads(check(lambda: elsewhere, "--json").stdout) == []


def test_the_line_for_migrations_works(tmp_path: Path) -> None:
    """With or without it Alembic changes nothing of our tables; with it there is no finding."""
    app, db = migrating(tmp_path)
    with app.app_context():
        app.extensions["passkey"].credentials.create_tables()
        with db.engine.connect() as connection:
            before = compare_metadata(MigrationContext.configure(connection), db.metadata)
            flask_passkey.add_tables_to(db.metadata)
            after = compare_metadata(MigrationContext.configure(connection), db.metadata)
        db.session.remove()
    assert before == after == [] and json.loads(check(lambda: app, "--json").stdout) == []


# Parts


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("-w 4", True), ("--workers=3", True), ("--workers 2 --bind :80", True), ("-w 1", False), ("--bind :8000", False)],
)
def test_workers_of_gunicorn_are_counted(
    arguments: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several processes with memory of their own are an error, however they are asked for; one is fine."""
    monkeypatch.setenv("GUNICORN_CMD_ARGS", arguments)
    credentials = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkey.sqlite3")
    found = json.loads(check(lambda: make_app(credentials=credentials).app, "--json").stdout)
    assert [finding["id"] for finding in found] == ["stores.ceremonies-memory"] * expected


@pytest.mark.parametrize(("days", "ids"), [(-1, ["metadata.stale"]), (0, ["metadata.due"]), (7, [])])
def test_metadata_age(days: int, ids: list[str], tmp_path: Path) -> None:
    """Metadata that have to be renewed within a week are noted, and those that should have been are warned of."""
    due = (datetime.now(UTC).date() + timedelta(days=days)).isoformat()
    site = make_app(MetadataService(tmp_path).config(next_update=due))
    with site.app.app_context():
        assert [finding.id for finding in ages.check_metadata(site.app.extensions["passkey_state"])] == ids


def test_our_own_tables_have_no_problem(tmp_path: Path) -> None:
    """What we create ourselves is as it should be."""
    engine = create_engine(file_with(tmp_path))
    with engine.connect() as connection:
        assert list(table_problems(connection)) == []
    engine.dispose()


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("A is 1, not 2. Write A = 2", "A is 1, not 2.", "Write A = 2"),
        ("There is none: write X = 1", "There is none", "write X = 1"),
        ("It is\nbroken", "It is\\nbroken", "See above."),
    ],
)
def test_an_error_of_start_up_is_a_finding(text: str, message: str, fix: str) -> None:
    """Its sentence and the line to write are told apart."""
    found = findings.from_error("settings.refused", ConfigurationError(text))
    assert (found.message, found.fix) == (message, fix)


@pytest.mark.parametrize(
    ("rp_id", "expected"), [("localhost", False), ("127.0.0.1", False), ("app.localhost", False), ("a.org", True)]
)
def test_who_is_public(rp_id: str, expected: bool) -> None:
    """What only others' visits make dangerous is not told of a developer's machine."""
    assert is_public(PasskeyConfig.from_mapping({"PASSKEY_RP_ID": rp_id})) is expected
