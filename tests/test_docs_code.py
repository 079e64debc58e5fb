"""The code of the site's pages runs: every block of Python, every command, and the attributes of every page."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import flask
import pytest
from apps import SITE
from cachelib import SimpleCache
from flask.testing import FlaskClient
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, login_user
from flask_security.models import fsqla_v3 as fsqla
from flask_security.signals import user_authenticated
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from redis import Redis
from services import find
from test_docs import DOCUMENTS, ROOT
from werkzeug.middleware.proxy_fix import ProxyFix

import flask_passkey
from flask_passkey import MemoryCredentialRepository, Passkey, PasskeyConfig, SQLCredentialRepository, signals
from flask_passkey.cli import passkey as commands
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in, sign_up

BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
#: Pages whose code other files run.
ELSEWHERE = {
    "README.md": "test_readme.py",
    "docs/start/quickstart.md": "test_readme.py",
    "docs/howto/recovery.md": "test_recovery_docs.py",
    "docs/howto/extensions.md": "test_extensions.py",
    "docs/howto/existing-apps.md": "test_existing_apps.py",
    "docs/howto/flask-appbuilder.md": "test_flask_appbuilder.py",
    "docs/howto/testing.md": "test_testing_plugin.py",
    "docs/howto/own-store.md": "test_own_store.py",
    "docs/howto/relying-parties.md": "test_relying_parties.py",
    "docs/operate/metrics.md": "test_telemetry.py",
}
#: Pages whose blocks are each for an app of another kind.
APART = {"docs/howto/neighbours.md", "docs/howto/migrations.md", "docs/howto/pages.md"}
TUTORIAL = "docs/tutorials/new-app.md"


def blocks(page: str, language: str = "python") -> list[str]:
    """Return a page's blocks of code in one language."""
    return [code for kind, code in BLOCK.findall((ROOT / page).read_text("utf-8")) if kind == language]


def pages_with(language: str) -> list[str]:
    """Return the pages that have blocks in a language."""
    names = [document.relative_to(ROOT).as_posix() for document in DOCUMENTS]
    return [name for name in names if blocks(name, language)]


def run(page: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run a page's blocks in their order, and return what they define."""
    for block in blocks(page):
        exec(compile(block, page, "exec"), names)
    return names


def first_app() -> dict[str, Any]:
    """Return the README's app, as the names that it defines."""
    names: dict[str, Any] = {"__name__": "app"}
    exec(compile(blocks("README.md")[0], "README.md", "exec"), names)
    return names


def bare_app() -> dict[str, Any]:
    """Return what pages for other apps speak of: an app without passkeys, and extensions beside it."""

    def ready(name: str, **options: Any) -> flask.Flask:
        app = flask.Flask(name, **options)
        app.config.update(TESTING=True, SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
        app.config.update(SECRET_KEY="text", SQLALCHEMY_DATABASE_URI="sqlite://")
        Session(app)
        return app

    app = ready("app")
    return {
        "Flask": ready,
        "app": app,
        "db": SQLAlchemy(app),
        "login_manager": LoginManager(app),
        "limiter": Limiter(get_remote_address, app=app, storage_uri="memory://"),
        "user": SimpleNamespace(id="ada"),
    }


PARTS = {
    "__name__": "app",
    "CORS": CORS,
    "Passkey": Passkey,
    "ProxyFix": ProxyFix,
    "Redis": Redis,
    "SQLAlchemy": SQLAlchemy,
    "SQLCredentialRepository": SQLCredentialRepository,
    "flask_passkey": flask_passkey,
    "login_user": login_user,
    "redirect": flask.redirect,
    "url_for": flask.url_for,
    "user_authenticated": user_authenticated,
    "users": SimpleNamespace(commit=lambda: None),
    "wants_to_be_remembered": lambda: True,
}


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in an empty folder, and leave neither receivers nor tables' places nor a log behind."""
    monkeypatch.chdir(tmp_path)
    audit = logging.getLogger("flask_passkey.audit")
    level, handlers, propagate = audit.level, list(audit.handlers), audit.propagate
    events = [value for value in vars(signals).values() if hasattr(value, "receivers")]
    receivers = [dict(event.receivers) for event in events]
    yield
    for handler in set(audit.handlers) - set(handlers):
        audit.removeHandler(handler)
        handler.close()
    audit.level, audit.propagate = level, propagate
    flask_passkey.metadata.info.pop("bind_key", None)
    for event, before in zip(events, receivers, strict=True):
        event.receivers = before


def signed_up(names: dict[str, Any]) -> tuple[FlaskClient, VirtualAuthenticator]:
    """Return the browser of somebody who has an account in an app, and their authenticator."""
    client, authenticator = names["app"].test_client(), VirtualAuthenticator(SITE)
    sign_up(client, authenticator, "ada")
    return client, authenticator


# What each page's code does


def users(names: dict[str, Any]) -> None:
    """An id has the kind of user in front, and a blocked account does not get in."""
    client, authenticator = signed_up(names)
    assert sign_in(client, authenticator)["user"]["id"] == "user:ada"
    names["blocked"].add("ada")
    with pytest.raises(Refused):
        sign_in(client, authenticator)


def sign_ups(names: dict[str, Any]) -> None:
    """A field reaches the account, and a wrong one is refused before a passkey is made."""
    client = names["app"].test_client()
    sent = {"name": "ada", "fields": {"mail": "ada"}}
    assert client.put("/user/authn", json=sent).get_json()["msg"] == "The request is malformed: mail."
    begun = client.put("/user/authn", json={**sent, "fields": {"mail": "ada@example.com"}}).get_json()["data"]
    response = VirtualAuthenticator(SITE).create(begun["options"])
    client.post("/user/authn", json={"session_id": begun["session_id"], "response": response})
    assert names["users"]["ada"].mail == "ada@example.com"


def passwords(names: dict[str, Any]) -> None:
    """The page after a password offers a passkey, and what only a passkey opens stays shut."""
    names["users"]["ada"] = names["User"]("ada")
    client = names["app"].test_client()
    assert client.post("/password").location == "/home"
    assert "data-passkey-offer" in client.get("/home").text
    assert client.get("/accounts", headers={"Accept": "application/json"}).get_json()["code"] == 40091
    authenticator = VirtualAuthenticator(SITE)
    add_passkey(client, authenticator)
    sign_in(client, authenticator)
    assert client.get("/accounts").text == "What only a passkey opens."


def own_pages(names: dict[str, Any]) -> None:
    """The list has the passkeys' names."""
    client, authenticator = names["app"].test_client(), VirtualAuthenticator(SITE)
    sign_up(client, authenticator, "ada", passkey_name="Blue key")
    assert client.get("/labels").get_json() == ["Blue key"]


def own_views(names: dict[str, Any]) -> None:
    """A view of the app's own signs in, and the session knows how."""
    client, authenticator = signed_up(names)
    begun = client.put("/session/authn").get_json()["data"]
    response = authenticator.get(begun["options"])
    assert client.post("/my/sign-in", json={"id": begun["session_id"], "response": response}).json == {"name": "ada"}
    with client.session_transaction() as session:
        assert "mfa" in session["amr"]


def step_ups(names: dict[str, Any]) -> None:
    """A fresh sign-in opens the view, and no one else's request does."""
    client, _ = signed_up(names)
    assert client.post("/transfer").json == {"sent": True}
    stranger = names["app"].test_client()
    assert stranger.post("/transfer", headers={"Accept": "application/json"}).status_code == 401


def sessions(names: dict[str, Any]) -> None:
    """A confirmed user reaches the list, and a sign-out ends what was fresh."""
    client, _ = signed_up(names)
    assert client.post("/confirm").location == "/passkeys"
    assert client.post("/sign-out").location == "/"
    assert client.patch("/user/authn/AAAA", json={"name": "a"}).get_json()["code"] == 40091


def csrf(names: dict[str, Any]) -> None:
    """A form of another site is refused, one of this site is not."""
    client = names["app"].test_client()
    assert client.post("/newsletter", headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post("/newsletter", headers={"Origin": SITE}).json == {"subscribed": True}


def deletions(names: dict[str, Any]) -> None:
    """A deleted account takes its passkeys along, and its page can tell the password manager."""
    client, _ = signed_up(names)
    told = client.post("/delete-account/ada").get_json()
    assert (told["rpId"], told["allAcceptedCredentialIds"]) == ("localhost", [])
    with names["app"].app_context():
        assert names["passkey"].credentials.of_user("ada") == []


def notifications(names: dict[str, Any]) -> None:
    """The owner is told of a new passkey, and of one that is deleted."""
    client, authenticator = signed_up(names)
    spare = add_passkey(client, VirtualAuthenticator(SITE))
    client.delete(f"/user/authn/{spare['id']}")
    assert [text.partition(":")[0] for _, text in names["mails"]] == ["A passkey was added"] * 2 + [
        "Passkeys were deleted"
    ]


def errors(names: dict[str, Any]) -> None:
    """A stranger is sent to the sign-in, and somebody whose sign-in is old sees the page to confirm."""
    required = names["passkey"].required
    names["app"].add_url_rule("/new", "new", required()(lambda: "new"))
    names["app"].add_url_rule("/old", "old", required(max_age=0)(lambda: "old"))
    stranger = names["app"].test_client()
    assert stranger.get("/new").location == "/"
    client, _ = signed_up(names)
    assert client.get("/new").text == "new"
    assert 'data-passkey="step-up"' in client.get("/old").text


def audit(names: dict[str, Any]) -> None:
    """The file has a line for the new passkey."""
    signed_up(names)
    assert "event=registered" in Path("audit.log").read_text("utf-8")


def settings(names: dict[str, Any]) -> None:
    """An app can start with the settings."""
    PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "example.com"} | names["app"].config)


def translations(names: dict[str, Any]) -> None:
    """A German browser gets German sentences for the script, and a German answer."""
    client = names["app"].test_client()
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "de-AT,de;q=0.9,en;q=0.8"
    assert client.get("/messages").get_json()["done"] == "Fertig."
    assert client.get("/user/authn").get_json()["msg"] == "Bitte melden Sie sich zuerst an."


def runs(names: dict[str, Any]) -> None:
    """The app still signs up."""
    signed_up(names)


def remembers(names: dict[str, Any]) -> None:
    """A browser comes back by Flask-Login's cookie alone."""
    names["app"].secret_key = "text"
    client, _ = signed_up(names)
    client.delete_cookie("session")
    assert "You are signed in." in client.get("/").text


#: What the code of a page does, beside that it runs.
DOES: dict[str, Callable[[dict[str, Any]], None]] = {
    "docs/howto/users.md": users,
    "docs/howto/sign-up.md": sign_ups,
    "docs/howto/passwords.md": passwords,
    "docs/howto/own-pages.md": own_pages,
    "docs/howto/own-views.md": own_views,
    "docs/howto/step-up.md": step_ups,
    "docs/howto/sessions.md": sessions,
    "docs/howto/csrf.md": csrf,
    "docs/howto/delete-accounts.md": deletions,
    "docs/howto/notifications.md": notifications,
    "docs/howto/databases.md": settings,
    "docs/howto/native-apps.md": settings,
    "docs/howto/frames.md": settings,
    "docs/howto/https.md": settings,
    "docs/howto/remember-me.md": remembers,
    "docs/howto/translations.md": translations,
    "docs/reference/signals.md": runs,
    "docs/reference/errors.md": errors,
    "docs/operate/audit-log.md": audit,
    "docs/operate/deployment.md": settings,
}


@pytest.mark.parametrize("page", DOES)
def test_code_of_a_page(page: str) -> None:
    """The code of a page does in the README's app what the page says."""
    DOES[page](run(page, PARTS | first_app()))


@pytest.mark.parametrize("page", sorted(APART))
def test_code_for_other_apps(page: str) -> None:
    """Each block runs in an app of the kind that it is for; with passkeys, unless it adds them."""
    for block in blocks(page):
        names = PARTS | bare_app()
        if "Passkey(app" not in block:
            names["passkey"] = Passkey(names["app"], credentials=MemoryCredentialRepository())
        exec(compile(block, page, "exec"), names)


def test_code_beside_flask_security() -> None:
    """The model and the hooks run beside Flask-Security's models and signals."""
    names = PARTS | bare_app()
    names |= {"fsqla": fsqla, "passkey": Passkey(names["app"], credentials=MemoryCredentialRepository())}
    models: Any = fsqla
    models.FsModels.set_db_info(names["db"])
    told: dict[str, Any] = {}
    hooks = SimpleNamespace(
        other_sign_in_methods=lambda hook: told.update(other=hook), check_password=lambda hook: told.update(check=hook)
    )
    run("docs/howto/flask-security.md", names | {"passkey": hooks})
    ada = SimpleNamespace(password=None, verify_and_update_password=lambda password: password == "right")
    assert told["other"](ada) is False
    assert told["check"](ada, "right") and not told["check"](ada, "wrong")


@pytest.mark.slow
def test_the_tutorial_is_an_app(tmp_path: Path) -> None:
    """The blocks of the tutorial are an app and its tests, which pass in an empty folder."""
    *app, tests = blocks(TUTORIAL)
    (tmp_path / "app.py").write_text("\n\n".join(app), "utf-8")
    (tmp_path / "test_app.py").write_text(f"from app import app\n{tests}", "utf-8")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, capture_output=True, text=True)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_every_block_of_python_is_run() -> None:
    """No page has code that nobody runs; where others run it, they are there."""
    ours = {*DOES, *APART, TUTORIAL, "docs/howto/flask-security.md"}
    assert set(pages_with("python")) == ours | set(ELSEWHERE), "add a new page to DOES, or to ELSEWHERE with its test"
    assert not [file for file in ELSEWHERE.values() if not (ROOT / "tests" / file).exists()]


def words(line: str) -> list[str]:
    """Return what follows ``passkey`` in a line of shell."""
    return line.partition(" passkey ")[2].split("#")[0].split()


@pytest.mark.parametrize("page", pages_with("sh"))
def test_commands_exist(page: str) -> None:
    """Every ``flask passkey`` of a block exists, with the options that it is shown with."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if " passkey " in line]
    for name, *arguments in map(words, lines):
        command: click.Command = commands.commands[name]
        known = {option for part in command.params for option in part.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= known


@pytest.mark.parametrize("page", [*pages_with("html"), *pages_with("python")])
def test_attributes_exist(page: str) -> None:
    """Every attribute that a page shows is in the reference."""
    reference = (ROOT / "docs" / "reference" / "attributes.md").read_text("utf-8")
    shown = re.findall(r"data-passkey[a-z-]*", "".join([*blocks(page, "html"), *blocks(page)]))
    assert {*shown} <= {*re.findall(r"data-passkey[a-z-]*", reference)}


@pytest.mark.services
@pytest.mark.parametrize("page", pages_with("js"))
def test_scripts_can_be_read(page: str, tmp_path: Path) -> None:
    """Every block of JavaScript is a module that node can read."""
    node = find("node")
    for number, block in enumerate(blocks(page, "js")):
        file = tmp_path / f"{number}.mjs"
        file.write_text(block, "utf-8")
        subprocess.run([node, "--check", str(file)], check=True)
