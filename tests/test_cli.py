"""The commands of ``flask passkey``."""

from __future__ import annotations

import configparser
from dataclasses import fields
from importlib.metadata import EntryPoint
from pathlib import Path
from unittest.mock import Mock

import pytest
from apps import SITE, App, User, make_app
from cachelib import FileSystemCache, SimpleCache
from click.testing import Result
from flask import Flask

from flask_passkey import MemoryCredentialRepository, Passkey, PasskeyConfig, SQLCredentialRepository, cli
from flask_passkey.cli import passkey
from flask_passkey.errors import CredentialStoreUnavailable
from flask_passkey.testing import VirtualAuthenticator, add_passkey, b64url_encode, sign_in, sign_up


def run(app: Flask, *arguments: str, typed: str = "") -> Result:
    """Run a command."""
    return app.test_cli_runner().invoke(passkey, arguments, input=typed)


@pytest.fixture
def site() -> App:
    """Return an app in which Ada has two passkeys, of which she used one, and Eve has one."""
    site = make_app()
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada", passkey_name="Phone")
    sign_in(client, ada)
    add_passkey(client, VirtualAuthenticator(SITE), passkey_name="Key\u202f1")
    sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "eve")
    return site


def test_the_commands_come_with_the_package() -> None:
    """The package declares them as commands of Flask's, so that every app where it is installed has them."""
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parent.parent / "setup.cfg")
    name, _, value = setup["options.entry_points"]["flask.commands"].strip().partition(" = ")
    assert EntryPoint(name, value, "flask.commands").load() is passkey and name == "passkey"
    assert sorted(passkey.commands) == ["check", "forget", "list"]


def test_check_prints_every_setting_and_tries_the_stores(site: App) -> None:
    """What is in force is printed as it would be written, and both stores are asked."""
    result = run(site.app, "check")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line.partition(" = ")[0] for line in lines[:-2]] == [
        f"PASSKEY_{field.name.upper()}" for field in fields(PasskeyConfig)
    ]
    assert "PASSKEY_RP_ID = 'localhost'" in lines and "PASSKEY_TIMEOUT = 300000" in lines
    assert lines[-2] == "Both stores answer."
    assert lines[-1] == "Accounts with passkeys that the app does not have: none of 2."


@pytest.mark.parametrize(("arguments", "found"), [((), "4 of 4"), (("--all-accounts",), "6 of 7")])
def test_check_counts_orphans(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], found: str) -> None:
    """Accounts with passkeys that the app no longer has are counted in batches, and all of them where that is asked."""
    monkeypatch.setattr(cli, "_BATCH", 2)
    monkeypatch.setattr(cli, "_LOOKED_AT", 4)
    site = make_app()
    with site.app.app_context():
        for number in range(6):
            site.passkey.credentials.add_user(f"gone {number}", bytes([number]) * 64)
        site.users["here"] = User("here", id="here")
        site.passkey.credentials.add_user("here", b"h" * 64)
    result = run(site.app, "check", *arguments)
    assert result.exit_code == 0 and f"does not have: {found}, 'gone 0' among them." in result.output
    assert "forget_user" in result.output


def test_check_shows_no_password() -> None:
    """A terminal's history is no place for a password."""
    site = make_app({"PASSKEY_DATABASE_URI": "postgresql://ada:secret@db"})
    result = run(site.app, "check")
    assert result.exit_code == 0 and "secret" not in result.output


def test_check_tells_that_the_ceremony_store_is_down(tmp_path: Path) -> None:
    """A store that does not answer is an error with its reason, without a traceback."""
    folder = tmp_path / "sessions"
    site = make_app({"SESSION_CACHELIB": FileSystemCache(str(folder), threshold=0)})
    folder.rmdir()
    folder.touch()
    result = run(site.app, "check")
    assert result.exit_code == 1 and "Error: " in result.output and "Not a directory" in result.output
    assert "Both stores answer" not in result.output and isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", [["check"], ["list", "17"], ["forget", "17", "--yes"]])
def test_a_credential_store_that_is_down_is_told(tmp_path: Path, command: list[str]) -> None:
    """The same for the credentials, in every command."""
    (tmp_path / "file").touch()
    site = make_app(credentials=SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/file/below.sqlite3"))
    result = run(site.app, *command)
    assert result.exit_code == 1 and result.output.splitlines()[-1].startswith("Error: ")
    assert isinstance(result.exception, SystemExit)


def test_check_tells_what_is_missing() -> None:
    """Without Session(app) the command prints what to write."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="secret", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Passkey(app, credentials=MemoryCredentialRepository())
    result = run(app, "check")
    assert result.exit_code == 1 and "Session(app)" in result.output and isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", [["check"], ["list", "17"], ["forget", "17", "--yes"]])
def test_an_app_without_the_extension_is_told(command: list[str]) -> None:
    """The commands are there in any app, and say what is missing in one without the extension."""
    result = run(Flask("plain"), *command)
    assert result.exit_code == 1 and "plain has no Passkey extension: call Passkey(app)" in result.output


def test_list(site: App) -> None:
    """Each passkey of the account is a line with its id, its name and its last use; nobody else's is there."""
    result = run(site.app, "list", site.user("ada").id)
    phone, key = site.passkey_records("ada")
    first, second = result.output.splitlines()
    assert result.exit_code == 0 and phone.last_used_at is not None
    assert first == f"{b64url_encode(phone.id)}  'Phone'  used {phone.last_used_at.isoformat(timespec='seconds')}"
    assert second == f"{b64url_encode(key.id)}  'Key\\u202f1'  used never"


def test_list_of_nobody(site: App) -> None:
    """An account without passkeys has no lines, and is no error."""
    result = run(site.app, "list", "nobody")
    assert (result.exit_code, result.output) == (0, "")


def test_forget_asks_first(site: App) -> None:
    """Nothing is deleted unless it is confirmed."""
    result = run(site.app, "forget", site.user("ada").id, typed="n\n")
    assert result.exit_code == 1 and len(site.passkey_records("ada")) == 2


@pytest.mark.parametrize(("option", "typed"), [([], "y\n"), (["--yes"], "")])
def test_forget(site: App, option: list[str], typed: str) -> None:
    """All passkeys of the account are deleted, nobody else's, and the number is told."""
    result = run(site.app, "forget", site.user("ada").id, *option, typed=typed)
    assert result.exit_code == 0 and result.output.endswith("Deleted 2.\n")
    assert site.passkey_records("ada") == [] and len(site.passkey_records("eve")) == 1


def test_forget_deletes_all_or_tells(site: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store fails half-way, the command does not say that it deleted anything."""
    monkeypatch.setattr(site.passkey._credentials, "delete_user", Mock(side_effect=CredentialStoreUnavailable("down")))
    result = run(site.app, "forget", site.user("ada").id, "--yes")
    assert result.exit_code == 1 and result.output == "Error: down\n"
