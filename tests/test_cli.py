"""The commands of ``flask passkey``."""

from __future__ import annotations

import configparser
import re
from dataclasses import fields, replace
from datetime import timedelta
from importlib.metadata import EntryPoint
from inspect import signature
from pathlib import Path
from unittest.mock import Mock

import pytest
from apps import SITE, App, User, make_app
from cachelib import FileSystemCache, SimpleCache
from click.testing import CliRunner, Result
from flask import Flask

from flask_passkey import (
    MemoryCredentialRepository,
    Passkey,
    PasskeyConfig,
    SQLCredentialRepository,
    advisories,
    cli,
)
from flask_passkey.cli import passkey
from flask_passkey.doctor import accounts
from flask_passkey.errors import CredentialStoreUnavailable
from flask_passkey.testing import VirtualAuthenticator, add_passkey, b64url_encode, enrol, sign_in, sign_up

#: Every command, for an account with the id 17.
COMMANDS = [
    ["check"],
    ["list", "17"],
    ["delete", "17", "AAAA", "--yes"],
    ["invite", "17"],
    ["withdraw", "17"],
    ["forget", "17", "--yes"],
]


def run(app: Flask, *arguments: str, typed: str = "", apart: bool = False) -> Result:
    """Run a command.

    :param apart: keep what it says beside its output out of ``stdout``; click does by itself from 8.2 on.
    """
    options = {"mix_stderr": False} if apart and "mix_stderr" in signature(CliRunner).parameters else {}
    return app.test_cli_runner(**options).invoke(passkey, arguments, input=typed)


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
    assert sorted(passkey.commands) == ["check", "delete", "forget", "import", "invite", "list", "openapi", "withdraw"]


def test_an_app_has_the_commands_without_the_entry_point(site: App) -> None:
    """A test of the app runs them by their names, and gets the same help, with the same commands in it."""
    runner = site.app.test_cli_runner()
    assert "Key" in runner.invoke(args=["passkey", "list", site.user("ada").id]).output
    helps = [runner.invoke(*call) for call in ((None, ["passkey", "--help"]), (passkey, ["--help"]))]
    told = [result.output.partition("\n")[2] for result in helps]  # without the line of usage
    assert told[0] == told[1] and "withdraw" in told[0]
    summaries = [group.get_short_help_str() for group in (passkey, site.app.cli.commands["passkey"])]
    assert summaries[0] == summaries[1]


def test_check_warns_of_holes_in_libraries(site: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library with a known hole is named with the line that mends it, and does not fail the check unless strict."""
    monkeypatch.setattr(advisories, "installed_versions", lambda: {"flask": "3.1.0"})
    result = run(site.app, "check")
    assert result.exit_code == 0
    assert "WARNING versions.flask: flask 3.1.0 has known holes" in result.output
    assert "-> pip install 'flask>=3.1.3'" in result.output
    assert run(site.app, "check", "--strict").exit_code == 1


def test_check_prints_every_setting_and_where_things_are(site: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in force is printed as it would be written, then both stores; a healthy app has no finding."""
    monkeypatch.setattr(advisories, "installed_versions", dict)
    result = run(site.app, "check")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line.partition(" = ")[0] for line in lines[:-4]] == [
        f"PASSKEY_{field.name.upper()}" for field in fields(PasskeyConfig) if field.name != "database_uri"
    ]
    assert "PASSKEY_RP_ID = 'localhost'" in lines and "PASSKEY_TIMEOUT = 300000" in lines
    assert lines[-4:-2] == ["Credentials: MemoryCredentialRepository", "Pending ceremonies: SimpleCacheStore"]
    assert lines[-2:] == ["", "Nothing is wrong, as far as can be seen."]


@pytest.mark.proves("threats:inherited-passkeys")
@pytest.mark.parametrize(("arguments", "found"), [((), "4 of 4"), (("--all-accounts",), "6 of 7")])
def test_check_counts_orphans(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], found: str) -> None:
    """Accounts with passkeys that the app no longer has are counted in batches, and all of them where that is asked."""
    monkeypatch.setattr(accounts, "BATCH", 2)
    monkeypatch.setattr(cli, "_LOOKED_AT", 4)
    site = make_app()
    with site.app.app_context():
        for number in range(6):
            site.passkey.credentials.add_user(f"gone {number}", bytes([number]) * 64)
        site.users["here"] = User("here", id="here")
        site.passkey.credentials.add_user("here", b"h" * 64)
    result = run(site.app, "check", *arguments)
    assert result.exit_code == 1 and f"accounts.orphans: {found} accounts with passkeys are gone" in result.output
    assert "-> passkey.forget_user(id)" in result.output and "gone 0" not in result.output
    assert "are gone in the app: 'gone 0', 'gone 1'" in run(site.app, "check", *arguments, "--show-ids").output


def test_check_shows_no_password() -> None:
    """A terminal's history is no place for a password."""
    credentials = SQLCredentialRepository.from_uri("postgresql+psycopg://ada:s3cr3t@127.0.0.1:1/keys")
    site = make_app({"PASSKEY_DATABASE_URI": "postgresql://ada:s3cr3t@db"}, credentials=credentials)
    for options in ((), ("--json",)):
        result = run(site.app, "check", *options)
        assert result.exit_code == 1 and "stores.credentials-unavailable" in result.output
        assert "s3cr3t" not in result.output and "ada" not in result.output
    assert "Credentials: SQLCredentialRepository on postgresql at 127.0.0.1, keys" in run(site.app, "check").output


def test_check_tells_that_the_ceremony_store_is_down(tmp_path: Path) -> None:
    """A store that does not answer is an error with its reason, without a traceback."""
    folder = tmp_path / "sessions"
    site = make_app({"SESSION_CACHELIB": FileSystemCache(str(folder), threshold=0)})
    folder.rmdir()
    folder.touch()
    result = run(site.app, "check")
    assert result.exit_code == 1 and "stores.ceremonies-unavailable" in result.output
    assert "Not a directory" in result.output and isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_credential_store_that_is_down_is_told(tmp_path: Path, command: list[str]) -> None:
    """The same for the credentials, in every command."""
    (tmp_path / "file").touch()
    site = make_app(credentials=SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/file/below.sqlite3"))
    site.users["17"] = User("ada", id="17")
    result = run(site.app, *command)
    told = "Error: " if command != ["check"] else "stores.credentials-"
    assert result.exit_code == 1 and told in result.output
    assert isinstance(result.exception, SystemExit)


def test_check_tells_what_is_missing() -> None:
    """Without Session(app) the command prints what to write."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="secret", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Passkey(app, credentials=MemoryCredentialRepository())
    result = run(app, "check")
    assert result.exit_code == 1 and "Session(app)" in result.output and isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_app_without_the_extension_is_told(command: list[str]) -> None:
    """The commands are there in any app, and say what is missing in one without the extension."""
    result = run(Flask("plain"), *command)
    assert result.exit_code == 1 and "plain has no Passkey extension: call Passkey(app)" in result.output


def test_list(site: App) -> None:
    """Each passkey of the account is a line with its id, its name, last use and RP ID; nobody else's is there."""
    result = run(site.app, "list", site.user("ada").id)
    phone, key = site.passkey_records("ada")
    assert result.exit_code == 0 and phone.last_used_at is not None
    assert result.output.splitlines() == [
        f"{b64url_encode(phone.id)}  'Phone'  used {phone.last_used_at.isoformat(timespec='seconds')}  for localhost",
        f"{b64url_encode(key.id)}  'Key\\u202f1'  used never  for localhost",
    ]


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


def test_invite(site: App) -> None:
    """The bare token, alone in the output, lets its bearer add a passkey; for whom and how long is told beside it."""
    result = run(site.app, "invite", site.user("ada").id, apart=True)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}\n", result.stdout)
    assert result.stderr.startswith("For 'ada', good once, until ")
    enrol(site.app.test_client(), VirtualAuthenticator(SITE), result.stdout.strip())
    assert len(site.passkey_records("ada")) == 3


def test_invite_prints_a_link(site: App) -> None:
    """With an address for it the link is printed; the option comes before the setting."""
    for config, option, page in (
        ({}, ["--url", "http://localhost/in"], "http://localhost/in"),
        ({"PASSKEY_ENROL_URL": "http://localhost/enrol"}, [], "http://localhost/enrol"),
        ({"PASSKEY_ENROL_URL": "http://localhost/enrol"}, ["--url", "http://localhost/in"], "http://localhost/in"),
        ({"PASSKEY_ENROL_URL": "http://localhost/enrol"}, ["--url", ""], ""),
    ):
        other = make_app(config)
        other.users["17"] = User("ada", id="17")
        printed = run(other.app, "invite", "17", *option, apart=True).stdout.strip()
        assert re.fullmatch((page and re.escape(page) + "#") + r"[A-Za-z0-9_-]{43}", printed)


@pytest.mark.parametrize(("hours", "seconds"), [("1", 3600), ("8760", 31_536_000)])
def test_invite_for_some_hours(site: App, hours: str, seconds: int) -> None:
    """The link's lifetime is given in hours."""
    ada = site.user("ada")
    assert run(site.app, "invite", ada.id, "--lifetime", hours).exit_code == 0
    with site.app.app_context():
        [grant] = site.passkey.grants_of(ada)
    assert grant.expires_at == grant.created_at + timedelta(seconds=seconds)


@pytest.mark.parametrize("hours", ["0", "-1", "8761", "0.5", "nan", "x"])
def test_invite_for_no_time(site: App, hours: str) -> None:
    """A lifetime that cannot be one is refused before anything is made."""
    result = run(site.app, "invite", site.user("ada").id, "--lifetime", hours)
    assert result.exit_code == 2 and "--lifetime" in result.output
    with site.app.app_context():
        assert site.passkey.grants_of(site.user("ada")) == []


def test_invite_nobody(site: App) -> None:
    """An account that is not there, or may not sign in, is told."""
    assert run(site.app, "invite", "nobody").output == "Error: the app has no user with this id\n"
    site.user("ada").is_active = False
    assert run(site.app, "invite", site.user("ada").id).output.startswith("Error: the app's account check refuses")


def test_invite_where_grants_cannot_be_kept(site: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """An own repository without grants is told what it lacks, without a traceback."""
    monkeypatch.delattr(MemoryCredentialRepository, "add_grant")
    result = run(site.app, "invite", site.user("ada").id)
    assert result.exit_code == 1 and "Add add_grant() to it" in result.output


def test_list_has_what_is_open(site: App) -> None:
    """Links and codes that were not used yet are listed after the passkeys, without what opens them."""
    ada = site.user("ada")
    with site.app.app_context():
        token, codes = site.passkey.invite(ada).token, site.passkey.recovery_codes(ada, count=2)
        link, code, _ = site.passkey.grants_of(ada)
    result = run(site.app, "list", ada.id)
    assert link.expires_at is not None
    made, until = (moment.isoformat(timespec="seconds") for moment in (link.created_at, link.expires_at))
    assert result.output.splitlines()[2:4] == [
        f"invitation  made {made}  not used yet, good until {until}  for localhost",
        f"recovery-code  made {code.created_at.isoformat(timespec='seconds')}  not used yet  for localhost",
    ]
    assert len(result.output.splitlines()) == 5 and not any(secret in result.output for secret in (token, *codes))


def test_withdraw(site: App) -> None:
    """What was not used yet is taken back, all or of a kind, and counted; an account that is gone is told."""
    ada = site.user("ada")
    with site.app.app_context():
        site.passkey.invite(ada)
        site.passkey.recovery_codes(ada)
    assert run(site.app, "withdraw", ada.id, "--kind", "invitation").output == "Withdrew 1.\n"
    assert run(site.app, "withdraw", ada.id).output == "Withdrew 8.\n"
    assert run(site.app, "withdraw", ada.id).output == "Withdrew 0.\n"
    result = run(site.app, "withdraw", "nobody")
    assert (result.exit_code, result.output) == (1, "Error: The app has no user with this id.\n")


def test_delete(site: App) -> None:
    """One passkey is deleted, also the last one, after a question."""
    ada = site.user("ada")
    phone, key = site.passkey_records("ada")
    assert run(site.app, "delete", ada.id, b64url_encode(phone.id), typed="n\n").exit_code == 1
    assert site.passkey_records("ada") == [phone, key]
    assert run(site.app, "delete", ada.id, b64url_encode(phone.id), typed="y\n").output.endswith("Deleted.\n")
    assert site.passkey_records("ada") == [key]
    assert run(site.app, "delete", ada.id, b64url_encode(key.id), "--yes").output == "Deleted.\n"
    assert site.passkey_records("ada") == [] and len(site.passkey_records("eve")) == 1


def test_delete_an_id_that_looks_like_an_option(site: App) -> None:
    """Ids are random, so that one may begin with a dash."""
    [record] = site.passkey_records("eve")
    with site.app.app_context():
        for id_ in (b"\xf8\x00\x01", b"\xfb\xef\xbe"):  # -AAB and ----
            site.passkey.credentials.add(replace(record, id=id_))
            assert b64url_encode(id_).startswith("-")
            result = run(site.app, "delete", site.user("eve").id, b64url_encode(id_), "--yes")
            assert result.output == "Deleted.\n", result.output
    assert site.passkey_records("eve") == [record]


@pytest.mark.parametrize("passkey_id", ["AAAA", "!", "", "é"])
def test_delete_what_is_not_there(site: App, passkey_id: str) -> None:
    """What the account does not have is told, and another's is not touched."""
    [eves] = site.passkey_records("eve")
    for id_ in (passkey_id, b64url_encode(eves.id)):
        result = run(site.app, "delete", site.user("ada").id, id_, "--yes")
        assert result.exit_code == 1 and result.output.startswith("Error: ")
    assert len(site.passkey_records("ada")) == 2 and site.passkey_records("eve") == [eves]
