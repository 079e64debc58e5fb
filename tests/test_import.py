"""The import itself: what is refused, what a failure leaves behind, where it reads from."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest
from apps import App, User, make_app
from click.testing import Result
from sqlalchemy import create_engine, text

from flask_passkey import CredentialRecord, SQLCredentialRepository
from flask_passkey.cli import passkey
from flask_passkey.credentials import is_stand_in
from flask_passkey.errors import ConfigurationError, CredentialStoreUnavailable
from flask_passkey.importers import Row, Unusable, base, open_source, run
from flask_passkey.testing import VirtualCredential, b64url_encode

Change = dict[str, Any]


def row_of(owner: str = "1", **changes: Any) -> dict[str, Any]:
    """Return a row as SimpleWebAuthn's documentation proposes it, with changes."""
    credential = VirtualCredential(rp_id="localhost", user_handle=owner.encode())
    return {
        "id": b64url_encode(credential.id),
        "publicKey": b64encode(credential.cose_key()).decode(),
        "userId": owner,
        "webauthnUserID": b64url_encode(owner.encode()),
        "counter": 0,
        "deviceType": "multiDevice",
        "backedUp": True,
        "transports": "internal,hybrid",
    } | changes


def make_site(*owners: str, database: Path | None = None) -> App:
    """Return an app with accounts of these ids; the name of one is its id."""
    credentials = None if database is None else SQLCredentialRepository.from_uri(f"sqlite:///{database}")
    site = make_app(credentials=credentials)
    site.users |= {owner: User(owner, id=owner) for owner in owners}
    return site


def take(site: App, path: Path, rows: list[dict[str, Any]], *options: str) -> Result:
    """Import rows from a JSON file."""
    path.write_text(json.dumps(rows))
    return site.app.test_cli_runner().invoke(passkey, ["import", "--from", "simplewebauthn", str(path), *options])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of an export."""
    return tmp_path / "export.json"


REFUSED: list[tuple[str, Change]] = [
    ("this app has no such account", {"userId": "2"}),
    ("this app has no such account", {"userId": None}),
    ("its ID has not 1 to 1023 bytes", {"id": b64url_encode(bytes(1024))}),
    ("credential_id is missing or not bytes", {"id": None}),
    ("credential_id is missing or not bytes", {"id": "not base64!"}),
    ("credential_id is too long", {"id": "A" * 200_000}),
    ("public_key is missing or not bytes", {"publicKey": {"0": 256}}),
    ("its public key has more than 4096 bytes", {"publicKey": b64url_encode(bytes(5000))}),
    ("the public key cannot be loaded", {"publicKey": b64url_encode(b"\xa0")}),
    ("its user handle has more than 64 bytes", {"webauthnUserID": b64url_encode(bytes(65))}),
    ("its signature counter has more than 32 bits", {"counter": 1 << 32}),
    ("its signature counter has more than 32 bits", {"counter": -1}),
    ("counter is not a number", {"counter": "many"}),
    ("backed_up is neither yes nor no", {"backedUp": "perhaps"}),
]


@pytest.mark.parametrize(("reason", "change"), REFUSED)
def test_what_cannot_sign_in_is_left_out(file: Path, reason: str, change: Change) -> None:
    """A row that is no good is named by its number and a reason without its values; the others are taken."""
    site = make_site("1")
    result = take(site, file, [row_of(), row_of(**change), row_of()])
    assert result.exit_code == 0, result.output
    assert result.output == f"Imported: 2.\nAlready there: 0.\nLeft out, {reason}: 1 (row 2).\n"
    assert len(site.passkey_records("1")) == 2


def test_a_key_of_an_unknown_algorithm_is_left_out(file: Path) -> None:
    """A key whose algorithm is not one of its curve is refused, as in a registration."""
    site, key = make_site("1"), VirtualCredential(rp_id="localhost", user_handle=b"1").cose_key()
    bent = key.replace(b"\x03\x26", b"\x03\x27")  # EdDSA
    result = take(site, file, [row_of(publicKey=b64url_encode(bent))])
    assert "Imported: 0." in result.output and "Left out, the public key" in result.output


def test_many_rows_are_counted(file: Path) -> None:
    """Of each reason ten rows are named, and the others counted."""
    result = take(make_site(), file, [row_of() for _ in range(12)])
    assert result.output.endswith(": 12 (row 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more).\n")


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        ("  Ada's phone\n", "Ada's phone"),
        ("a\u202eb\x00c", "abc"),
        ("x" * 200, "x" * 64),
        ("e\u0301", "é"),
        ("\u200b", ""),
        (7, "7"),
        (None, ""),
    ],
)
def test_labels_are_cleaned(file: Path, label: object, kept: str) -> None:
    """No passkey is lost for its label: what must not be in one is left out of it."""
    site = make_site("1")
    take(site, file, [row_of(name=label)])
    assert [record.label for record in site.passkey_records("1")] == [kept]


def test_odd_details_are_put_right(file: Path) -> None:
    """Unknown models, transports that are no names, times in the future and a backup without its flag do no harm."""
    site, before = make_site("1"), datetime.now(UTC)
    odd: Change = {
        "aaguid": "a phone",
        "transports": ["internal", "<b>", 7],
        "createdAt": 4e9,
        "lastUsed": "2999-01-01",
    }
    take(site, file, [row_of(**odd, deviceType="singleDevice")])
    [record] = site.passkey_records("1")
    assert record.aaguid == str(UUID(int=0)) and record.transports == ("internal",)
    assert record.backup_eligible and record.backup_state
    assert record.last_used_at is not None and before <= record.created_at == record.last_used_at <= datetime.now(UTC)


def test_users_are_verified_only_where_somebody_says_so(file: Path) -> None:
    """A peer that does not tell has verified nobody, unless the option says that it did."""
    site = make_site("1")
    take(site, file, [row_of()])
    take(site, file, [row_of()], "--user-verified")
    assert sorted(record.uv_initialized for record in site.passkey_records("1")) == [False, True]


def test_unknown_handles_are_not_taken(file: Path) -> None:
    """With the option no user handle is believed, and the account gets one for new passkeys."""
    site = make_site("1")
    assert "nobody kept: 1" in take(site, file, [row_of()], "--unknown-handles").output
    [record] = site.passkey_records("1")
    with site.app.app_context():
        first = site.passkey.credentials.get_user_handle("1")
    assert is_stand_in(record.user_handle) and first is not None and not is_stand_in(first)


@pytest.mark.parametrize("in_database", [False, True])
def test_a_handle_of_somebody_else_is_not_taken(file: Path, in_database: bool) -> None:
    """Where two systems gave two people one user handle, as allauth's of two sites, both passkeys are taken."""
    database = file.with_name("passkeys.sqlite3") if in_database else None
    site = make_site("1", "2", "3", database=database)
    same = {"webauthnUserID": "MQ"}
    result = take(site, file, [row_of("1", **same), row_of("2", **same), row_of("3"), row_of("3", **same)])
    assert result.output.startswith("Imported: 4.\nOf those, with a user handle that nobody kept: 2.")
    handles = {name: [record.user_handle for record in site.passkey_records(name)] for name in "123"}
    assert handles["1"] == [b"1"] and is_stand_in(handles["2"][0])
    assert sorted(map(is_stand_in, handles["3"])) == [False, True]


def test_a_passkey_of_somebody_else_is_left_out(file: Path) -> None:
    """A credential ID belongs to one account, also within one export, and a dry run says so, too."""
    site, row = make_site("1", "2"), row_of("1")
    rows = [row, row | {"userId": "2"}, row]
    left_out = "Already there: 1.\nLeft out, another account has a passkey with its ID: 1 (row 2).\n"
    assert take(site, file, rows, "--dry-run").output == f"Would import: 1.\n{left_out}"
    assert take(site, file, rows).output == f"Imported: 1.\n{left_out}"
    assert site.passkey_records("2") == []


def test_an_app_whose_ids_are_numbers(file: Path) -> None:
    """A load_user that makes a number of an id, as in Flask-Login's own example, leaves out what is none."""
    site = make_site("1")
    site.passkey.load_user(lambda user_id: site.users.get(str(int(user_id))))
    result = take(site, file, [row_of("1"), row_of("ada")])
    assert "Left out, the app's load_user hook raised ValueError: 1 (row 2)." in result.output


def test_an_account_of_another_id_is_not_guessed(file: Path) -> None:
    """A load_user that takes several spellings, as some databases do, gives nobody another's passkey."""
    site = make_site("ada")
    site.passkey.load_user(lambda user_id: site.users.get(user_id.lower()))
    result = take(site, file, [row_of("ADA"), row_of("ada")])
    assert result.output.startswith("Imported: 1.\n") and "gave an account with another id" in result.output


def test_nothing_usable_needs_no_store(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no row can be taken over, no transaction is opened."""
    site = make_site()
    with site.app.app_context():
        monkeypatch.setattr(site.passkey.credentials, "transaction", Mock(side_effect=AssertionError))
    assert take(site, file, [row_of()]).exit_code == 0


def test_inactive_accounts_come_along(file: Path) -> None:
    """An account that may not sign in keeps its passkeys for the day when it may."""
    site = make_site("1")
    site.users["1"].is_active = False
    assert take(site, file, [row_of()]).output.startswith("Imported: 1.\n")


@pytest.mark.parametrize("in_database", [False, True])
def test_a_failed_batch_changes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch, in_database: bool) -> None:
    """Where the store fails, its row is named, nothing of its batch is kept, and the next run goes on from there."""
    monkeypatch.setattr(run, "_BATCH", 2)
    site = make_site("1", database=file.with_name("passkeys.sqlite3") if in_database else None)
    rows = [row_of() for _ in range(5)]
    with site.app.app_context():
        repository = site.passkey.credentials
    add: Callable[[CredentialRecord], None] = repository.add
    failing = Mock(side_effect=[add, add, add, CredentialStoreUnavailable("the disk is full")])

    def add_or_fail(record: CredentialRecord) -> None:
        failing()(record)

    monkeypatch.setattr(repository, "add", add_or_fail)
    result = take(site, file, rows)
    assert result.exit_code == 1
    assert "Imported: 2.\n" in result.output
    assert (
        "Stopped at row 4: the disk is full. Nothing was stored of its batch, which began with row 3" in result.output
    )
    assert len(site.passkey_records("1")) == 2
    monkeypatch.setattr(repository, "add", add)
    assert take(site, file, rows).output == "Imported: 3.\nAlready there: 2.\n"


def test_nothing_private_is_told(file: Path) -> None:
    """The report has neither keys nor labels, accounts or file contents."""
    row = row_of("somebody", name="secret label")
    output = take(make_site(), file, [row]).output
    assert not [value for value in ("somebody", "secret label", row["id"], row["publicKey"]) if value in output]
    file.write_text('{"secret": ')
    broken = make_site().app.test_cli_runner().invoke(passkey, ["import", "--from", "cloudreve", str(file)])
    assert (
        broken.exit_code == 1 and "neither SQLite nor JSON nor CSV" in broken.output and "secret" not in broken.output
    )


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("/nowhere/at-all.json", "cannot be read"),
        ("sqlite:////nowhere/at-all.sqlite3", "unable to open"),
        ("nonsense://host/database", "unknown start"),
        ("://", "not a database URL"),
        ("postgresql+psycopg://ada:hunter2@127.0.0.1:1/x", "cannot be read"),
    ],
)
def test_places_that_cannot_be_read(place: str, told: str) -> None:
    """What cannot be opened is told in a sentence without a password, and nothing is created."""
    result = make_site().app.test_cli_runner().invoke(passkey, ["import", "--from", "better-auth", place])
    assert result.exit_code == 1 and result.output.startswith("Error: ") and told in result.output, result.output
    assert "hunter2" not in result.output and not Path("/nowhere").exists()


def test_the_table_may_have_to_be_named(file: Path) -> None:
    """Without the table, or with two that could be it, the message says what to write."""
    row, site = row_of(), make_site("1")
    file.write_text(json.dumps({"one": [row], "two": [row_of()], "users": [{"id": 1}]}))
    command = ["import", "--from", "simplewebauthn", str(file)]
    runner = site.app.test_cli_runner()
    assert "one, two. Write --table NAME" in runner.invoke(passkey, command).output
    assert (
        "no table users with the columns credential_id|id"
        in runner.invoke(passkey, [*command, "--table", "users"]).output
    )
    assert runner.invoke(passkey, [*command, "--table", "One"]).output.startswith("Imported: 1.\n")
    assert [record.id for record in site.passkey_records("1")] == [base.Row(row).data("id")]


def test_a_terminal_gets_a_bar(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the run shows how far it is; into a file or pipe only the report goes."""
    site, bars = make_site("1"), []
    monkeypatch.setattr("flask_passkey.cli.sys", Mock(stderr=Mock(isatty=lambda: True)))

    def bar(rows: Any, **options: Any) -> Any:
        bars.append(options["length"])
        return nullcontext(rows)

    monkeypatch.setattr("flask_passkey.cli.click.progressbar", bar)
    assert take(site, file, [row_of(), row_of()]).output == "Imported: 2.\nAlready there: 0.\n"
    assert bars == [2]


@pytest.mark.services
def test_a_database_server_is_only_read(postgresql_url: str, file: Path) -> None:
    """Rows come from PostgreSQL with its types, and the connection could not write."""
    engine, row = create_engine(postgresql_url), row_of()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS authenticators"))
        connection.execute(
            text(
                'CREATE TABLE authenticators ("credentialID" text primary key, "publicKey" bytea, "userId" integer,'
                ' "webauthnUserID" text, counter bigint, "deviceType" text, "backedUp" boolean, transports text[],'
                ' "createdAt" timestamptz)'
            )
        )
        insert = text(
            "INSERT INTO authenticators VALUES (:id, :key, 1, 'MQ', 5, 'multiDevice', true, :transports, :at)"
        )
        at = datetime(2024, 5, 1, 12, tzinfo=UTC) + timedelta(microseconds=7)
        values = {"id": row["id"], "key": base.Row(row).data("publicKey"), "transports": ["usb", "nfc"], "at": at}
        connection.execute(insert, values)
    site = make_site("1")
    result = site.app.test_cli_runner().invoke(passkey, ["import", "--from", "simplewebauthn", postgresql_url])
    assert result.output == "Imported: 1.\nAlready there: 0.\n"
    [record] = site.passkey_records("1")
    assert (record.sign_count, record.transports, record.created_at) == (5, ("usb", "nfc"), at)
    with pytest.raises(ConfigurationError, match="read-only"), open_source(postgresql_url) as source:
        vars(source)["_connection"].execute(text("DROP TABLE authenticators"))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE authenticators"))
    engine.dispose()


@pytest.mark.services
def test_mariadb_is_only_read(mariadb_url: str) -> None:
    """Rows come from MariaDB, and the connection could not write."""
    engine, row = create_engine(mariadb_url), row_of()
    values = {"id": row["id"], "key": base.Row(row).data("publicKey"), "at": datetime(2024, 5, 1, 12)}
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE imported (credential_id varchar(255) primary key, public_key blob, user_id integer,"
                " counter bigint, device_type text, backed_up boolean, transports json, created_at datetime)"
            )
        )
        insert = "INSERT INTO imported VALUES (:id, :key, 1, 5, 'multiDevice', true, '[\"usb\"]', :at)"
        connection.execute(text(insert), values)
    site = make_site("1")
    result = site.app.test_cli_runner().invoke(passkey, ["import", "--from", "simplewebauthn", mariadb_url])
    assert result.output.startswith("Imported: 1.\n"), result.output
    [record] = site.passkey_records("1")
    assert record.transports == ("usb",) and record.created_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="READ ONLY"), open_source(mariadb_url) as source:
        vars(source)["_connection"].execute(text("DELETE FROM imported"))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE imported"))
    engine.dispose()


def test_users_must_be_csv(file: Path) -> None:
    """A map of accounts that is no text is told, and nothing is imported."""
    users = file.with_name("users.csv")
    users.write_bytes(b"\xff,1\n")
    result = take(make_site("1"), file, [row_of()], "--users", str(users))
    assert result.exit_code == 1 and "a line has an old id, a comma and a new id" in result.output


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (b"\xfb\xff", b"\xfb\xff"),
        (memoryview(b"\xfb\xff"), b"\xfb\xff"),
        ("-_8", b"\xfb\xff"),
        ("+/8=", b"\xfb\xff"),
        ("\\xfbff", b"\xfb\xff"),
        ([251, 255], b"\xfb\xff"),
        ({"type": "Buffer", "data": [251, 255]}, b"\xfb\xff"),
        ({"0": 251, "1": 255}, b"\xfb\xff"),
    ],
)
def test_bytes_in_every_form(value: object, data: bytes) -> None:
    """Bytes are read from what databases, Django, PostgreSQL and Node make of them in their exports."""
    assert Row({"Credential_ID": value}).data("credentialId") == data


@pytest.mark.parametrize("value", ["yesterday", 1e300, "0000-00-00 00:00:00", [], "", "\x00", float("nan")])
def test_a_time_that_cannot_be_read_is_none(value: object) -> None:
    """No passkey is lost for a date."""
    assert Row({"at": value}).moment("at") is None


@pytest.mark.parametrize("value", [5, "", [], {}, [256], ["a"], {"data": 3}, "\\xq", "a", None])
def test_what_is_no_bytes(value: object) -> None:
    """Anything else is refused."""
    with pytest.raises(Unusable, match="id is missing or not bytes"):
        Row({"id": value}).data("id")


@pytest.mark.parametrize(
    "value",
    [
        "2024-05-01T10:00:00Z",
        "2024-05-01 12:00:00+02:00",
        "2024-05-01 10:00:00",
        1714557600,
        "1714557600000",
        1714557600e3,
    ],
)
def test_times_in_every_form(value: object) -> None:
    """Times are read from ISO 8601 and from seconds or milliseconds since 1970; without a zone they are in UTC."""
    assert Row({"at": value}).moment("at") == datetime(2024, 5, 1, 10, tzinfo=UTC)
