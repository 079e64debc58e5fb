"""``PASSKEY_CEREMONY_STORE = "database"``: the promises of every store, and apps whose sessions are of any kind."""

from __future__ import annotations

import re
import secrets
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import pytest
import race
import services
from apps import SITE, App, User, allow_sign_up, begin, finish, use_flask_login, use_hooks
from cachelib import SimpleCache
from flask import Flask, current_app, session
from flask.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin
from flask.testing import FlaskClient
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from race import Place
from sqlalchemy import Engine, create_engine, func, select, text
from test_stores import Clock

from flask_passkey import ConfigurationError, MemoryCredentialRepository, Passkey, SQLCredentialRepository
from flask_passkey.cli import passkey as commands
from flask_passkey.contracts import CeremonyOutageContract, CeremonyStoreContract, new_key, new_record
from flask_passkey.credentials.sql import metadata, passkey_ceremony
from flask_passkey.errors import CeremonyStoreUnavailable, Misconfigured
from flask_passkey.pending import CeremonyStore
from flask_passkey.pending.database import DatabaseStore
from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_in, sign_up, step_up

pytestmark = pytest.mark.proves("threats:used-twice", "frictions:no-flask-session")

SERVERS = ("postgresql", "mariadb")
#: The ways to each server: an app's engine, one that is stricter or cannot return what it deletes, and our own.
ON_SERVERS = [f"postgresql{way}" for way in ("", "-serializable", "-own")]
ON_SERVERS += [f"mariadb{way}" for way in ("", "-select", "-own")]
KINDS = ["sqlite", "memory", "session", *(pytest.param(kind, marks=pytest.mark.services) for kind in ON_SERVERS)]


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """How the credentials are kept."""
    return str(request.param)


@pytest.fixture
def repository(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SQLCredentialRepository]:
    """A repository of credentials, of each kind, without a pending ceremony."""
    if kind == "session":
        with session_app(f"sqlite:///{tmp_path}/app.sqlite3").app_context() as context:
            db = context.app.extensions["sqlalchemy"]
            yield SQLCredentialRepository(session=db.session)
            db.session.remove()
            db.engine.dispose()
        return
    server, _, way = kind.partition("-")
    where = request.getfixturevalue(f"{server}_url") if server in SERVERS else f"sqlite:///{tmp_path}/passkey.sqlite3"
    if server in SERVERS:
        emptied(where)
    if server in SERVERS and way != "own":
        engine = engine_of(where, way)
        yield SQLCredentialRepository(engine)
        engine.dispose()
    else:
        repository = SQLCredentialRepository.from_uri("sqlite://" if kind == "memory" else where)
        yield repository
        repository.close()


def session_app(where: str) -> Flask:
    """Return an app with Flask-SQLAlchemy."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = where
    SQLAlchemy(app)
    return app


def engine_of(where: str, way: str) -> Engine:
    """Return an engine of an app."""
    engine = create_engine(where, pool_size=10)
    if way == "serializable":
        return engine.execution_options(isolation_level="SERIALIZABLE")
    if way == "select":  # as on MySQL, which cannot return what it deletes
        engine.dialect.delete_returning = False
    return engine


def emptied(where: str) -> None:
    """Delete all ceremonies of a database on a server."""
    engine = create_engine(where)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(passkey_ceremony.delete())
    engine.dispose()


def rows(repository: SQLCredentialRepository) -> int:
    """Count the pending ceremonies, expired or not."""
    with repository.reading() as connection:
        return connection.execute(select(func.count()).select_from(passkey_ceremony)).scalar_one()


class TestDatabaseStore(CeremonyStoreContract):
    """What every store promises, in the database of the credentials."""

    RECORDS = race.RECORDS
    PENDING = 100

    @pytest.fixture
    def store(self, repository: SQLCredentialRepository, clock: Clock, kind: str) -> CeremonyStore:
        self.clock, self.repository = clock, repository
        self.context = current_app.app_context if kind == "session" else nullcontext
        return DatabaseStore(repository, clock=clock)

    def thread_context(self) -> AbstractContextManager[object]:
        return self.context()

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    @pytest.mark.parametrize(("seconds", "value"), [(299, b"value"), (300, None)])
    def test_expiry(self, store: CeremonyStore, clock: Clock, seconds: int, value: bytes | None) -> None:
        """A value can be claimed until its lifetime has passed, and not from then on."""
        key = new_key()
        store.put(key, b"value", lifetime=300)
        clock.now += seconds
        assert store.claim(key) == value

    def test_expired_rows_are_swept(
        self, store: CeremonyStore, clock: Clock, repository: SQLCredentialRepository
    ) -> None:
        """Expired rows go with a later put, two minutes after at most; others stay."""
        pending = new_key()
        store.put(pending, b"value", lifetime=300)
        for _ in range(5):
            store.put(new_key(), b"value", lifetime=10)
        assert rows(repository) == 6
        clock.now += 70
        store.put(new_key(), b"value", lifetime=300)
        assert rows(repository) == 2
        assert store.claim(pending) == b"value"

    def test_keys_are_told_apart_by_every_letter(self, store: CeremonyStore) -> None:
        """No collation takes one key for another."""
        store.put("Key", b"value", lifetime=300)
        assert [store.claim(key) for key in ("key", "KEY", "Key ", "Kéy", "K%", "Key\0", "Key")] == [None] * 6 + [
            b"value"
        ]

    def test_what_was_claimed_stays_claimed(self, store: CeremonyStore, repository: SQLCredentialRepository) -> None:
        """A finish that fails after its claim gives nothing back."""
        key = new_key()
        store.put(key, b"value", lifetime=300)
        assert store.claim(key) == b"value"
        with pytest.raises(KeyError), repository.transaction():
            raise KeyError
        assert store.claim(key) is None

    def test_inside_a_transaction(self, store: CeremonyStore, repository: SQLCredentialRepository, kind: str) -> None:
        """A claim is never part of the caller's transaction: it is beside it or, where that cannot be, refused."""
        key = new_key()
        store.put(key, b"value", lifetime=300)
        apart = kind.startswith(SERVERS)
        with pytest.raises(KeyError), repository.transaction():
            repository.add_user("ada", new_record().user_handle)
            if apart:
                assert store.claim(key) == b"value"
            else:
                with pytest.raises(Misconfigured, match=re.escape("inside passkey.credentials.transaction()")):
                    store.claim(key)
            raise KeyError
        assert store.claim(key) == (None if apart else b"value")
        assert repository.get_user_handle("ada") is None


class TestOutage(CeremonyOutageContract):
    """A database that is not there."""

    @pytest.fixture
    def unreachable(self) -> Iterator[CeremonyStore]:
        url = f"postgresql+psycopg://passkey@127.0.0.1:{services.free_port()}/postgres"
        with closing(SQLCredentialRepository.from_uri(url)) as repository:
            yield DatabaseStore(repository)


def open_database_store(app: Flask) -> CeremonyStore:
    """Return the store that processes race for, in the database of an app's sessions."""
    with app.app_context():
        return DatabaseStore(SQLCredentialRepository(app.config["SESSION_SQLALCHEMY"].engine))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.services),
        pytest.param("mariadb", marks=[pytest.mark.services, pytest.mark.seldom]),
    ],
)
def test_one_of_many_gets_it(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Of 16 threads in 2 processes that claim a ceremony at the same time, exactly one gets it, all of it."""
    server = kind in SERVERS
    where = request.getfixturevalue(f"{kind}_url") if server else f"sqlite:///{tmp_path}/sessions.sqlite3"
    engine = create_engine(where)
    store = DatabaseStore(SQLCredentialRepository(engine))
    values = {new_key(): secrets.token_bytes(200) for _ in range(race.RECORDS)}
    for key, value in values.items():
        store.put(key, value, lifetime=300)
    arena, place = race.Arena(), Place(kind, where, f"t{secrets.token_hex(4)}")
    race.close_databases(race.make_app(place))  # Flask-Session's table: two processes that make it disturb each other
    try:
        won = arena.race(place, list(values), open_backend=open_database_store)
        with engine.begin() as connection:
            connection.execute(text(f"DROP TABLE {place.prefix}"))
    finally:
        arena.close()
        engine.dispose()
    assert Counter(key for key, _ in won) == Counter(list(values))
    assert dict(won) == values


def test_a_table_that_is_missing_is_a_mistake(tmp_path: Path) -> None:
    """Where migrations make the tables and did not, no other try helps; a database that is locked may be free soon."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.sqlite3", connect_args={"timeout": 0.01})
    store = DatabaseStore(SQLCredentialRepository(engine, create_tables=False))
    with pytest.raises(Misconfigured, match="no such table: passkey_ceremony"):
        store.claim("key")
    with pytest.raises(Misconfigured, match="no such table: passkey_ceremony"):
        store.put("key", b"value", lifetime=300)
    metadata.create_all(engine)
    with engine.connect() as connection:
        connection.execute(text("BEGIN EXCLUSIVE"))
        with pytest.raises(CeremonyStoreUnavailable, match="locked"):
            store.claim("key")
    engine.dispose()


# Apps


class PlainSessions(SessionInterface):
    """Sessions on the server, of the app's own making, whose ids never change."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def open_session(self, app: Flask, request: Any) -> Any:
        sid = request.cookies.get("sid", "")
        opened = SecureCookieSessionInterface.session_class(self.kept.get(sid, {}))
        opened.sid = sid or secrets.token_hex()  # type: ignore[attr-defined]
        return opened

    def save_session(self, app: Flask, session: SessionMixin, response: Any) -> None:
        sid = session.sid  # type: ignore[attr-defined]
        self.kept[sid] = dict(session)
        response.set_cookie("sid", sid)


class Mapping(MutableMapping[str, Any]):
    """A session as other libraries have them: no dict, does not say what changed, and its id is no text."""

    def __init__(self, sid: uuid.UUID, kept: dict[str, Any]) -> None:
        self.sid, self.kept = sid, kept

    def __getitem__(self, name: str) -> Any:
        return self.kept[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.kept[name] = value

    def __delitem__(self, name: str) -> None:
        del self.kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)


class MappingSessions(SessionInterface):
    """What keeps such sessions."""

    def __init__(self) -> None:
        self.kept: dict[uuid.UUID, dict[str, Any]] = {}

    def open_session(self, app: Flask, request: Any) -> Any:
        sid = uuid.UUID(request.cookies.get("session") or uuid.uuid4().hex)
        return Mapping(sid, dict(self.kept.get(sid, {})))

    def save_session(self, app: Flask, session: Any, response: Any) -> None:
        self.kept[session.sid] = session.kept
        response.set_cookie("session", session.sid.hex)

    def regenerate(self, session: Any) -> None:
        """Give a session a new id."""
        self.kept.pop(session.sid, None)
        session.sid = uuid.uuid4()


def with_cookies(app: Flask) -> None:
    """Leave Flask's own sessions."""


def with_plain_sessions(app: Flask) -> None:
    """Give an app its own sessions."""
    app.session_interface = PlainSessions()


def with_mapping_sessions(app: Flask) -> None:
    """Give an app sessions of a library that knows nothing of Flask."""
    app.session_interface = MappingSessions()


def with_flask_session(app: Flask) -> None:
    """Set Flask-Session up."""
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Session(app)


Use = Callable[[Flask], None]


@pytest.fixture(
    params=[with_cookies, with_plain_sessions, with_mapping_sessions, with_flask_session], ids=lambda use: use.__name__
)
def use(request: pytest.FixtureRequest) -> Use:
    """What sets an app's sessions up."""
    setup: Use = request.param
    return setup


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Return what makes an app that keeps ceremonies in its database."""
    made: list[App] = []

    def make(use: Use = with_cookies, *, hooks: Callable[[App], None] = use_hooks, **config: Any) -> App:
        app = Flask(__name__, instance_path=str(tmp_path))
        app.config.update(TESTING=True, SECRET_KEY="secret", PASSKEY_CEREMONY_STORE="database")
        app.config.update(config)
        use(app)
        site = App(app, Passkey(app))
        hooks(site)
        allow_sign_up(site)
        made.append(site)
        return site

    yield make
    for site in made:
        with site.app.app_context():
            site.passkey.credentials.close()  # type: ignore[attr-defined]


def repository_of(site: App) -> SQLCredentialRepository:
    """Return an app's repository."""
    with site.app.app_context():
        assert isinstance(site.passkey.credentials, SQLCredentialRepository)
        return site.passkey.credentials


@pytest.mark.parametrize("hooks", [use_hooks, use_flask_login])
def test_whole_ceremonies_on_sessions_of_any_kind(make: Callable[..., App], use: Use, hooks: Any) -> None:
    """Sign-up, sign-in in another browser, step-up and a second passkey work, and leave no ceremony behind."""
    site = make(use, hooks=hooks)
    kind = type(site.app.session_interface)
    ada, client = VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(client, ada, "ada")
    other = site.app.test_client()
    assert sign_in(other, ada)["user"]["name"] == "ada"
    step_up(other, ada)
    add_passkey(other, VirtualAuthenticator(SITE))
    assert len(other.get("/user/authn").get_json()["data"]["credentials"]) == 2
    assert rows(repository_of(site)) == 0
    assert type(site.app.session_interface) is kind
    assert not vars(Flask.session_interface), "other apps share it"


def test_cookie_sessions_beside_csrf_protect(make: Callable[..., App]) -> None:
    """An app as it is, with Flask's cookies and CSRFProtect, needs the one setting."""
    site = make()
    CSRFProtect(site.app)
    sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")


def test_a_ceremony_is_used_once_and_by_its_browser_alone(make: Callable[..., App], use: Use) -> None:
    """The promises of a ceremony do not depend on the kind of sessions; a cookie sent again brings nothing back."""
    site = make(use)
    ada, client = VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(site.app.test_client(), ada, "ada")
    begun = begin(client)
    response = ada.get(begun["options"])
    assert finish(site.app.test_client(), begun, response).status_code == 404
    again = site.app.test_client()
    again._cookies = dict(client._cookies or {})
    assert finish(client, begun, response).status_code == 200
    assert finish(again, begun, response).status_code == finish(client, begun, response).status_code == 404


def test_an_anonymous_begin_touches_no_session(make: Callable[..., App]) -> None:
    """Who only begins leaves one row, and no session in a cookie."""
    site, client = make(), None
    client = site.app.test_client()
    begin(client)
    assert client.get_cookie("session") is None and rows(repository_of(site)) == 1


def test_a_long_cookie_is_a_session_as_before(make: Callable[..., App]) -> None:
    """What we drop of Flask-Session's cookies, ids that cannot be, is a whole session in Flask's."""
    site = make()
    client = site.app.test_client()
    with client.session_transaction() as opened:
        opened["basket"] = ["tea", "passkey:", secrets.token_hex(200)]
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    with client.session_transaction() as opened:
        assert opened["basket"][0] == "tea" and opened["user_id"]


def test_another_users_sign_in_empties_a_cookie_session(make: Callable[..., App], use: Use) -> None:
    """Nothing of one user is left to the next; the same user keeps what they had."""
    site = make(use)
    ada, eve, client = VirtualAuthenticator(SITE), VirtualAuthenticator(SITE), site.app.test_client()
    site.app.add_url_rule("/put", "put", lambda: str(session.update(basket=["poison"])))
    site.app.add_url_rule("/basket", "basket", lambda: str(session.get("basket")))
    sign_up(site.app.test_client(), ada, "ada")
    sign_up(client, eve, "eve")
    client.get("/put")
    sign_in(client, eve)
    assert client.get("/basket").text == "['poison']"
    sign_in(client, ada)
    assert client.get("/basket").text == "None"


@pytest.mark.proves("threats:cookie-fixation")
def test_a_cookie_from_before_the_sign_in_is_nobodys(make: Callable[..., App]) -> None:
    """The sign-in replaces the cookie: a copy of the old one, planted or stolen, signs nobody in."""
    site = make()
    ada, client = VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(site.app.test_client(), ada, "ada")
    with client.session_transaction() as opened:
        opened["csrf_token"] = "planted"
    before = client.get_cookie("session")
    sign_in(client, ada)
    after = client.get_cookie("session")
    assert before is not None and after is not None and before.value != after.value
    attacker = site.app.test_client()
    attacker.set_cookie("session", before.value)
    assert attacker.get("/user/authn").status_code == 401


def test_freshness_ends_with_a_sign_out_that_we_cannot_see(make: Callable[..., App], use: Use) -> None:
    """In sessions of any kind what somebody left behind is gone when the app has signed them out by itself."""
    site = make(use)
    client = site.app.test_client()
    site.app.add_url_rule("/out", "out", lambda: str(session.pop("user_id")))
    site.app.add_url_rule("/left", "left", lambda: sorted({*session} - {"_permanent"}))
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    assert client.get("/left").get_json() == ["_passkey", "user_id"]
    client.get("/out")
    assert client.get("/left").get_json() == []


def test_pages_that_look_at_no_session_do_not_vary(make: Callable[..., App]) -> None:
    """Our look into a session in a cookie is none of the page's."""
    site = make()
    site.app.add_url_rule("/plain", "plain", lambda: "Hello")
    client = site.app.test_client()
    with client.session_transaction() as opened:
        opened["basket"] = ["tea"]
    assert client.get("/plain").headers.get("Vary") is None


def test_flask_sessions_session_still_gets_a_new_id(make: Callable[..., App]) -> None:
    """Where there is an id it is changed, wherever the ceremonies are; the sessions' store holds no ceremony."""
    site = make(with_flask_session)
    ada, client = VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(site.app.test_client(), ada, "ada")
    with client.session_transaction() as opened:
        opened["basket"] = ["tea"]
    before = client.get_cookie("session")
    sign_in(client, ada)
    after = client.get_cookie("session")
    assert before is not None and after is not None and before.value != after.value
    assert before.value not in site.session_ids() and not site.pending


def test_sessions_whose_ids_never_change_are_warned_of(
    make: Callable[..., App], caplog: pytest.LogCaptureFixture
) -> None:
    """They are left alone, and the log says once what a sign-in cannot do."""
    client = make(with_plain_sessions).app.test_client()
    for _ in range(3):
        begin(client)
    assert caplog.text.count("PlainSessions has no regenerate(session)") == 1


# What is refused at start


def test_cookie_sessions_need_a_key(make: Callable[..., App]) -> None:
    """Without SECRET_KEY Flask's sessions keep nothing, so nobody could stay signed in."""
    with pytest.raises(ConfigurationError, match="write SECRET_KEY = "):
        make(SECRET_KEY=None)
    make(with_flask_session, SECRET_KEY=None)


@pytest.mark.parametrize("wrong", ["Database", "redis", True])
def test_other_places_are_refused(make: Callable[..., App], wrong: object) -> None:
    """The setting has two values; the stores of Flask-Session are settings of Flask-Session."""
    with pytest.raises(ConfigurationError, match="not one of flask-session, database"):
        make(PASSKEY_CEREMONY_STORE=wrong)


def test_other_repositories_are_refused() -> None:
    """Ceremonies can be beside credentials only where those are in an SQL database; the message has both lines."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="secret", PASSKEY_CEREMONY_STORE="database")
    with pytest.raises(ConfigurationError) as caught:
        Passkey(app, credentials=MemoryCredentialRepository())
    for part in ("MemoryCredentialRepository", "SQLCredentialRepository(session=db.session)", "'flask-session'"):
        assert part in str(caught.value)


def test_a_store_in_the_code_goes_first() -> None:
    """As with credentials, what the code gives counts, and the setting does not."""

    class Own:
        def put(self, key: str, value: bytes, *, lifetime: int) -> None:
            self.kept = value

        def claim(self, key: str) -> bytes | None:
            return None

    own = Own()
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="secret", PASSKEY_CEREMONY_STORE="database")
    with_flask_session(app)
    Passkey(app, credentials=MemoryCredentialRepository(), ceremony_store=own)
    begin(app.test_client())
    assert own.kept


@pytest.mark.parametrize("interface", [SecureCookieSessionInterface(), SessionInterface()])
@pytest.mark.parametrize("own", [True, False])
def test_both_ways_out_are_named(interface: SessionInterface, own: bool) -> None:
    """Sessions that cannot keep ceremonies are refused with Flask-Session's lines and with the setting."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="secret")
    app.session_interface = interface
    store: Any = object() if own else None
    with pytest.raises(ConfigurationError) as caught:
        Passkey(app, credentials=MemoryCredentialRepository(), ceremony_store=store)
    for part in ("pip install flask-session", "Session(app)", 'PASSKEY_CEREMONY_STORE = "database"'):
        assert part in str(caught.value)


def test_in_the_apps_own_session(tmp_path: Path) -> None:
    """With Flask-SQLAlchemy's session and Flask's cookies an app keeps all it has in one database."""
    app = session_app(f"sqlite:///{tmp_path}/app.sqlite3")
    app.config.update(TESTING=True, SECRET_KEY="secret", PASSKEY_CEREMONY_STORE="database")
    db = app.extensions["sqlalchemy"]
    site = App(app, Passkey(app, credentials=SQLCredentialRepository(session=db.session)))
    use_hooks(site)
    allow_sign_up(site)
    ada = VirtualAuthenticator(SITE)
    sign_up(app.test_client(), ada, "ada")
    client: FlaskClient = app.test_client()
    sign_in(client, ada)
    assert isinstance(site.user("ada"), User)
    with app.app_context():
        assert db.session.execute(select(func.count()).select_from(passkey_ceremony)).scalar_one() == 0
        db.session.remove()
        db.engine.dispose()


def test_check_tries_it(make: Callable[..., App]) -> None:
    """``flask passkey check`` tries the table, and prints the setting."""
    site = make()
    result = site.app.test_cli_runner().invoke(commands, ["check"])
    assert result.exit_code == 0 and "PASSKEY_CEREMONY_STORE = 'database'" in result.output
