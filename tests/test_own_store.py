"""Stores of pending ceremonies that apps bring: the one in the documentation, in the contract and in an app."""

from __future__ import annotations

import re
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cachelib import SimpleCache
from flask import Flask
from flask.sessions import SessionInterface
from flask_session import Session

from flask_passkey import ConfigurationError, MemoryCredentialRepository, NameTaken, Passkey
from flask_passkey.contracts import CeremonyOutageContract, CeremonyStoreContract
from flask_passkey.pending import CeremonyStore
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

DOCS = (Path(__file__).parent.parent / "docs" / "howto" / "own-store.md").read_text("utf-8")
STORE, TESTS = re.findall(r"^```python\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)


@pytest.fixture
def documented() -> dict[str, Any]:
    """The names that the documentation's code defines."""
    names: dict[str, Any] = {}
    exec(compile(STORE, "own-store.md", "exec"), names)
    exec(compile(TESTS, "own-store.md", "exec"), names)
    return names


class TestDocumentedStore(CeremonyStoreContract):
    """The promises, kept by the documentation's example."""

    PENDING = RECORDS = 20

    @pytest.fixture
    def store(self, documented: dict[str, Any], tmp_path: Path) -> CeremonyStore:
        self.now = time.time()
        documented["time"] = SimpleNamespace(time=lambda: self.now)
        store: CeremonyStore = documented["SQLiteStore"](tmp_path / "ceremonies.sqlite3")
        return store

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


class TestDocumentedStoreInOutage(CeremonyOutageContract):
    """The example without its file."""

    @pytest.fixture
    def unreachable(self, documented: dict[str, Any], tmp_path: Path) -> CeremonyStore:
        store: CeremonyStore = documented["SQLiteStore"](tmp_path)
        return store


def test_documented_tests_are_the_contract(documented: dict[str, Any]) -> None:
    """The tests in the documentation are those that are run here."""
    assert issubclass(documented["TestSQLiteStore"], CeremonyStoreContract)
    assert issubclass(documented["TestSQLiteStoreInOutage"], CeremonyOutageContract)


class ReadThenDelete:
    """A store that is not safe."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        """Keep a value for ever."""
        self.records[key] = value

    def claim(self, key: str) -> bytes | None:
        """Return a value to everyone who asks soon enough."""
        value = self.records.get(key)
        time.sleep(0)  # as a network would, it lets others go first
        self.records.pop(key, None)
        return value


class TestContract:
    """What the contract finds."""

    @pytest.mark.parametrize(
        "name", ["test_one_of_many_threads_gets_it", "test_lives_as_long_as_asked", "test_nothing_lives_for_ever"]
    )
    def test_finds_a_bad_store(self, name: str) -> None:
        """A store that gives records to several, or keeps them for ever, fails the tests about that."""

        class Contract(CeremonyStoreContract):
            def pass_time(self, seconds: float) -> None:
                pass

        with pytest.raises(AssertionError):
            getattr(Contract(), name)(ReadThenDelete())

    def test_finds_a_store_that_forgets(self) -> None:
        """A store that drops one of 2,000 records fails the test about that."""

        class Forgetful(ReadThenDelete):
            def put(self, key: str, value: bytes, *, lifetime: int) -> None:
                if len(self.records) < 1_999:
                    super().put(key, value, lifetime=lifetime)

        with pytest.raises(AssertionError):
            CeremonyStoreContract().test_none_is_lost(Forgetful())

    def test_needs_a_store(self) -> None:
        """Without the fixture the tests say what is missing."""
        contract: Any = CeremonyStoreContract
        with pytest.raises(NotImplementedError, match="needs a fixture named store"):
            contract.store.__wrapped__(contract())

    def test_needs_no_context_unless_told(self) -> None:
        """Threads run as they are unless the store needs a context."""
        context: AbstractContextManager[object] = CeremonyStoreContract().thread_context()
        assert type(context) is nullcontext


def make_app(store: CeremonyStore, *, late: bool = False) -> Flask:
    """Return an app on a store of its own, given to the constructor or, late, to ``init_app``."""
    app = Flask("own")
    app.config.update(TESTING=True, SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Session(app)
    credentials = MemoryCredentialRepository()
    passkey = Passkey(credentials=credentials) if late else Passkey(app, credentials=credentials, ceremony_store=store)
    if late:
        passkey.init_app(app, ceremony_store=store)
    users: dict[str, Any] = {}

    @passkey.create_user
    def create_user(name: str, display_name: str) -> Any:
        if name in users:
            raise NameTaken
        users[name] = SimpleNamespace(id=name, name=name, display_name=display_name, is_active=True)
        return users[name]

    passkey.load_user(users.get)
    passkey.login_user(lambda user: None)
    passkey.get_current_user(lambda: None)
    return app


@pytest.mark.parametrize("late", [False, True])
def test_app_keeps_ceremonies_in_its_own_store(documented: dict[str, Any], tmp_path: Path, late: bool) -> None:
    """A store given to the extension keeps the app's ceremonies, and Flask-Session's store none."""
    store = ReadThenDelete()
    app = make_app(store, late=late)
    client, authenticator = app.test_client(), VirtualAuthenticator("http://localhost")
    sign_up(client, authenticator, "ada")
    assert sign_in(app.test_client(), authenticator)["user"]["name"] == "ada"
    assert client.put("/session/authn").status_code == 200
    assert len(store.records) == 1
    assert "_passkey_records" not in vars(app.config["SESSION_CACHELIB"])


def test_sessions_in_a_cookie_are_still_refused() -> None:
    """A store of its own does not help an app whose sessions are in the browser: a copy of one is as good as it."""
    app = Flask("cookie")
    app.config["TESTING"] = True
    with pytest.raises(ConfigurationError, match="cookie"):
        Passkey(app, credentials=MemoryCredentialRepository(), ceremony_store=ReadThenDelete())


def test_sessions_that_cannot_rotate_are_refused() -> None:
    """An interface that cannot give a session a new id is refused when the app starts, not at the first sign-in."""
    app = Flask("fixed")
    app.config["TESTING"] = True
    app.session_interface = SessionInterface()
    with pytest.raises(ConfigurationError, match=r"SessionInterface has no regenerate\(session\)"):
        Passkey(app, credentials=MemoryCredentialRepository(), ceremony_store=ReadThenDelete())
