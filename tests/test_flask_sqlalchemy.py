"""Flask-SQLAlchemy and Flask-SQLAlchemy-Lite: one file for both, several engines behind one session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask_sqlalchemy
import flask_sqlalchemy_lite
import pytest
from apps import SITE
from cachelib import SimpleCache
from flask import Flask
from flask_login import LoginManager, UserMixin
from flask_session import Session as FlaskSession
from sqlalchemy import Column, Engine, Integer, MetaData, String, create_engine, event, inspect
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.sql.dml import UpdateBase

import flask_passkey
from flask_passkey import ConfigurationError, Passkey, SQLCredentialRepository
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

pytestmark = pytest.mark.proves("frictions:H")

LITE, FULL = "Flask-SQLAlchemy-Lite", "Flask-SQLAlchemy"
#: Ways to write the URL of one file.
FORMS: dict[str, Callable[[Path], str]] = {
    "absolute": lambda file: f"sqlite:///{file}",
    "driver": lambda file: f"sqlite+pysqlite:///{file}",
    "uri": lambda file: f"sqlite:///file:{file}?uri=true",
    "escaped uri": lambda file: f"sqlite:///file://{str(file).replace('app', '%61pp')}?mode=rwc&uri=true",
    "roundabout": lambda file: f"sqlite:///{file.parent}/../{file.parent.name}/{file.name}",
    "link": lambda file: f"sqlite:///{linked(file)}",
    "relative": lambda file: f"sqlite:///{os.path.relpath(file)}",
}


def linked(file: Path) -> Path:
    """Return a symbolic link to a file, which need not be there yet."""
    link = file.with_name("link.sqlite3")
    link.symlink_to(file)
    return link


class Site:
    """An app whose accounts are in one of the two extensions.

    :param order: which of the extensions is set up first.
    """

    def __init__(self, kind: str, folder: Path, *, order: str = "db first", **settings: Any) -> None:
        self.app = Flask(__name__, instance_path=str(folder))
        self.app.config.update(TESTING=True, SECRET_KEY="x", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
        url = settings.pop("url", "sqlite:///app.sqlite3")  # both take it relative to the instance folder
        self.app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINES={"default": url}, **settings)
        FlaskSession(self.app)
        self.kind, self.passkey = kind, Passkey()
        self._make_db()
        self.order = [self._init_db, self._init_passkey]
        if order != "db first":
            self.order.reverse()

    def start(
        self, credentials: Callable[[Any], SQLCredentialRepository] | None = None, *, apart: bool = False
    ) -> None:
        """Set both extensions up.

        :param apart: accounts are in another database than passkeys.
        """
        self.credentials = credentials(self.db) if credentials else None
        for step in self.order:
            step()
        manager = LoginManager(self.app)
        manager.user_loader(lambda user_id: self.db.session.get(self.Account, int(user_id)))
        with self.app.app_context():
            self.Account.metadata.create_all(self.db.engine)

        @self.passkey.create_user
        def create_user(name: str, display_name: str) -> Any:
            account = self.Account(name=name)
            self.db.session.add(account)
            (self.db.session.commit if apart else self.db.session.flush)()
            return account

    def _make_db(self) -> None:
        base: Any
        if self.kind == LITE:
            self.db: Any = flask_sqlalchemy_lite.SQLAlchemy()
            base = type("Base", (DeclarativeBase,), {"metadata": MetaData()})
        else:
            self.db = flask_sqlalchemy.SQLAlchemy()
            base = self.db.Model
        columns = {"id": Column(Integer, primary_key=True), "name": Column(String(80))}
        self.Account: Any = type("Account", (UserMixin, base), {"__tablename__": "account", **columns})

    def _init_db(self) -> None:
        self.db.init_app(self.app)

    def _init_passkey(self) -> None:
        self.passkey.init_app(self.app, credentials=self.credentials)

    def close(self) -> None:
        """Close the connections."""
        with self.app.app_context():
            for engine in self.db.engines.values():
                engine.dispose()
        if "passkey" in self.app.extensions:
            with self.app.app_context():
                repository: Any = self.passkey.credentials
                repository.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Return what makes sites, which are closed after the test."""
    sites: list[Site] = []

    def make(kind: str, **settings: Any) -> Site:
        sites.append(Site(kind, tmp_path, **settings))
        return sites[-1]

    yield make
    for site in sites:
        if "sqlalchemy" in site.app.extensions:
            site.close()


BOTH = pytest.mark.parametrize("kind", [FULL, LITE])
SESSIONS: dict[str, Callable[[Any], SQLCredentialRepository]] = {
    FULL: lambda db: SQLCredentialRepository(session=db.session),
    LITE: lambda db: SQLCredentialRepository(session=lambda: db.session),
}


@BOTH
@pytest.mark.parametrize("order", ["db first", "passkey first"])
def test_accounts_and_passkeys_are_in_one_file(kind: str, order: str, make: Any, tmp_path: Path) -> None:
    """Through the app's session both are in one file, stored together, whichever extension is set up first."""
    site, ada = make(kind, order=order), VirtualAuthenticator(SITE)
    site.start(SESSIONS[kind])
    sign_up(site.app.test_client(), ada, "ada")
    assert sign_in(site.app.test_client(), ada)["user"]["name"] == "ada"
    with site.app.app_context():
        assert {"account", "passkey_credential"} <= set(inspect(site.db.engine).get_table_names())
    assert [file.name for file in tmp_path.glob("*.sqlite3")] == ["app.sqlite3"]


@BOTH
@pytest.mark.parametrize("form", FORMS)
def test_a_file_under_two_engines_is_refused(kind: str, form: str, make: Any, tmp_path: Path) -> None:
    """PASSKEY_DATABASE_URI for the file of db.session is refused at start, however the two are written."""
    site = make(kind, PASSKEY_DATABASE_URI=FORMS[form](tmp_path / "app.sqlite3"))
    session = "lambda: db.session" if kind == LITE else "db.session"
    with pytest.raises(ConfigurationError, match=rf"SQLCredentialRepository\(session={session}\)") as caught:
        site.start()
    assert str(tmp_path / "app.sqlite3") in str(caught.value)
    assert "passkey" not in site.app.extensions


@BOTH
def test_a_file_under_two_engines_is_refused_at_the_first_request(kind: str, make: Any, tmp_path: Path) -> None:
    """Where the app's extension comes later, the first request is refused, and so is each after it."""
    site = make(kind, order="passkey first", PASSKEY_DATABASE_URI=f"sqlite:///{tmp_path}/app.sqlite3")
    site.start()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"SQLCredentialRepository\(session="):
            site.app.test_client().put("/session/authn")


@BOTH
@pytest.mark.parametrize("url", ["sqlite:///{}/other.sqlite3", "sqlite://", "sqlite:///:memory:"])
def test_other_files_are_left_alone(kind: str, url: str, make: Any, tmp_path: Path) -> None:
    """Another file, or databases in memory on both sides, are two databases: sign-up and sign-in work."""
    url = url.format(tmp_path)
    site = make(kind, PASSKEY_DATABASE_URI=url, url="sqlite:///app.sqlite3" if "other" in url else url)
    site.start(apart=True)
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    assert sign_in(site.app.test_client(), ada)["user"]["name"] == "ada"


@BOTH
def test_the_engine_of_the_session_is_warned_of(kind: str, make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever gives db's engine, on SQLite, is told what create_user must not do; once."""
    site = make(kind)
    site.start(lambda db: SQLCredentialRepository(lambda: db.engine))
    for _ in range(2):
        site.app.test_client().put("/session/authn")
    lines = [message for message in caplog.messages if "SQLCredentialRepository(session=" in message]
    assert len(lines) == 1 and "passkey.credentials.transaction()" in lines[0]


def test_lites_session_of_one_request_is_refused(make: Any) -> None:
    """Flask-SQLAlchemy-Lite's db.session is of one request: a repository must not keep it for all."""
    site = make(LITE)
    site.db.init_app(site.app)
    with site.app.app_context():
        repository = SQLCredentialRepository(session=site.db.session)
    with pytest.raises(ConfigurationError, match=r"SQLCredentialRepository\(session=lambda: db\.session\)"):
        site.passkey.init_app(site.app, credentials=repository)


# Several engines behind one session


@pytest.fixture
def bind_key() -> Iterator[str]:
    """Put our tables into a bind of Flask-SQLAlchemy's for one test."""
    flask_passkey.metadata.info["bind_key"] = "auth"
    yield "auth"
    del flask_passkey.metadata.info["bind_key"]


def test_tables_can_be_in_a_bind_of_flask_sqlalchemy(bind_key: str, make: Any, tmp_path: Path) -> None:
    """With a bind key in our metadata passkeys are in that bind, accounts stay in the default engine."""
    binds = {bind_key: "sqlite:///auth.sqlite3"}
    site, ada = make(FULL, SQLALCHEMY_BINDS=binds), VirtualAuthenticator(SITE)
    site.start(SESSIONS[FULL])
    sign_up(site.app.test_client(), ada, "ada")
    assert sign_in(site.app.test_client(), ada)["user"]["name"] == "ada"
    with site.app.app_context():
        tables = {key: set(inspect(engine).get_table_names()) for key, engine in site.db.engines.items()}
    assert tables[None] == {"account"} and set(flask_passkey.metadata.tables) == tables[bind_key]


def test_tables_can_be_in_an_engine_of_lites(tmp_path: Path, make: Any) -> None:
    """With binds in the session's options our tables are in the engine that they name."""
    site, ada = make(LITE), VirtualAuthenticator(SITE)
    tables = dict.fromkeys(flask_passkey.metadata.tables.values(), "auth")
    site.db = flask_sqlalchemy_lite.SQLAlchemy(session_options={"binds": tables})
    site.app.config["SQLALCHEMY_ENGINES"]["auth"] = "sqlite:///auth.sqlite3"
    site.start(SESSIONS[LITE])
    sign_up(site.app.test_client(), ada, "ada")
    assert sign_in(site.app.test_client(), ada)["user"]["name"] == "ada"
    with site.app.app_context():
        assert inspect(site.db.get_engine("auth")).has_table("passkey_credential")
        assert inspect(site.db.engine).get_table_names() == ["account"]


def test_with_replicas_everything_is_done_where_the_session_writes(tmp_path: Path) -> None:
    """A session that reads elsewhere than it writes has our statements at the writer, reads too: no stale passkey."""
    leader, follower = (create_engine(f"sqlite:///{tmp_path}/{name}") for name in ("leader", "follower"))
    asked: list[str] = []
    event.listen(follower, "before_cursor_execute", lambda *values: asked.append(values[2]))

    class Routing(Session):
        def get_bind(self, mapper: Any = None, *, clause: Any = None, **_: Any) -> Engine:
            return leader if self._flushing or isinstance(clause, UpdateBase) else follower

    repository = SQLCredentialRepository(session=sessionmaker(class_=Routing)())
    repository.add_user("17", b"h" * 64)
    with repository.transaction():
        assert repository.get_user_handle("17") == b"h" * 64
        with repository.transaction():
            repository.add_user("18", b"i" * 64)
    assert not repository.of_user("17") and not asked
    for engine in (leader, follower):
        engine.dispose()
