"""Passkeys of each peer: imported with all that the peer keeps, and a sign-in with every one of them."""

from __future__ import annotations

import csv
import json
import sqlite3
from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from apps import App, User, make_app
from click.testing import Result
from peer_tables import AAGUID, HASHIDS, MAKERS, OWNERS, SALT, Made

from flask_passkey.cli import passkey
from flask_passkey.credentials import is_stand_in
from flask_passkey.importers import PEERS, Row, Unusable, open_source
from flask_passkey.importers.hashids import hashid
from flask_passkey.testing import sign_in

MADE = datetime(2024, 5, 1, 10, 0, 0, 250_000, tzinfo=UTC)
USED = datetime(2024, 6, 1, 11, 30, tzinfo=UTC)


def new_site(config: dict[str, Any] | None = None) -> App:
    """Return an app with the accounts of the peers, and nobody's passkeys."""
    site = make_app(config)
    for owner in set(OWNERS):
        site.users[owner] = User(f"user {owner}", id=owner)
    return site


def run(site: App, peer: str, place: object, *options: str) -> Result:
    """Import from a peer."""
    return site.app.test_cli_runner().invoke(passkey, ["import", "--from", peer, str(place), *options])


def check_sign_ins(site: App, made: list[Made]) -> None:
    """Sign in with every passkey."""
    for one in made:
        data = sign_in(site.app.test_client(), one.key)
        assert data["user"]["id"] == one.record.user_id


@pytest.mark.parametrize("peer", MAKERS)
def test_every_passkey_signs_in(peer: str, tmp_path: Path) -> None:
    """What a peer keeps is taken over, every passkey signs in, and a second run finds nothing to do."""
    site, made = new_site(), MAKERS[peer](tmp_path / "peer")
    assert run(site, peer, tmp_path / "peer", "--dry-run").output.splitlines()[0] == "Would import: 3."
    assert site.passkey_records("user 1") == []
    result = run(site, peer, tmp_path / "peer")
    assert result.exit_code == 0 and result.output.splitlines()[0] == "Imported: 3.", result.output
    records = {record.id: record for name in ("user 1", "user 44") for record in site.passkey_records(name)}
    for one in made:
        found, expected = records[one.record.id], one.record
        for field in (
            "public_key",
            "sign_count",
            "algorithm",
            "transports",
            "backup_eligible",
            "backup_state",
            "user_id",
        ):
            assert getattr(found, field) == getattr(expected, field), field
        assert found.user_handle == expected.user_handle or peer == "better-auth" and is_stand_in(found.user_handle)
        if peer != "simplewebauthn":  # whose table has none of these
            assert (found.label, found.aaguid, found.created_at) == (expected.label, AAGUID, MADE)
            assert found.last_used_at == (None if peer == "better-auth" else USED)
        assert found.uv_initialized == (peer in ("django-allauth", "cloudreve"))
        assert found.discoverable == (True if peer.startswith("django-") else None)
    check_sign_ins(site, made)
    assert run(site, peer, tmp_path / "peer").output.splitlines()[:2] == ["Imported: 0.", "Already there: 3."]


@pytest.mark.parametrize("peer", MAKERS)
def test_counters_are_kept(peer: str, tmp_path: Path) -> None:
    """A copy of a security key whose counter is behind the imported one is refused."""
    site, made = new_site(), MAKERS[peer](tmp_path / "peer")
    run(site, peer, tmp_path / "peer")
    made[1].key.credentials[0].sign_count = 0
    with pytest.raises(AssertionError, match="40025"):
        sign_in(site.app.test_client(), made[1].key)


def dumped(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Write a row as dumpdata does: without the primary key, which for user handles is the user."""
    key = row.pop("id", None) or row.pop("user_id")
    fields = {name: b64encode(value).decode() if isinstance(value, bytes) else value for name, value in row.items()}
    if "user_id" in fields:
        fields |= {"user": fields.pop("user_id"), "transports": json.loads(fields["transports"])}
    return {"model": table.replace("webauthn_webauthn", "webauthn.webauthn"), "pk": key, "fields": fields}


def test_dumpdata(tmp_path: Path) -> None:
    """JSON as Django's dumpdata writes it, bytes in base64, has the same passkeys as the database."""
    made = MAKERS["django-otp-webauthn"](tmp_path / "peer")
    dump = []
    with sqlite3.connect(tmp_path / "peer") as connection:
        for name in ("credential", "userhandle"):
            table = f"django_otp_webauthn_webauthn{name}"
            rows = connection.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in rows.description]
            dump += [dumped(table, dict(zip(names, row, strict=True))) for row in rows]
    connection.close()
    site = new_site()
    (tmp_path / "dump.json").write_text(json.dumps(dump))
    result = run(site, "django-otp-webauthn", tmp_path / "dump.json")
    assert result.output == "Imported: 3.\nAlready there: 0.\n"
    check_sign_ins(site, made)


def test_csv(tmp_path: Path) -> None:
    """CSV with a line of names is one table."""
    made = MAKERS["better-auth"](tmp_path / "peer")
    connection = sqlite3.connect(tmp_path / "peer")
    rows = connection.execute("SELECT * FROM passkey")
    with (tmp_path / "passkey.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[column[0] for column in rows.description], *rows])
    connection.close()
    site = new_site()
    assert run(site, "better-auth", tmp_path / "passkey.csv").output.startswith("Imported: 3.\n")
    check_sign_ins(site, made)


def test_uuids_of_django(tmp_path: Path) -> None:
    """Where users have UUIDs, SQLite has them without dashes, apps with, and allauth's handles without."""
    made = MAKERS["django-allauth"](tmp_path / "peer")
    old, new = "6f1e8a4c0b5d4e3f9a2b7c8d9e0f1a2b", "6f1e8a4c-0b5d-4e3f-9a2b-7c8d9e0f1a2b"
    with sqlite3.connect(tmp_path / "peer") as connection:
        connection.execute("UPDATE mfa_authenticator SET user_id = ?", (old,))
    connection.close()
    site = make_app()
    site.users[new] = User("ada", id=new)
    assert run(site, "django-allauth", tmp_path / "peer").output.startswith("Imported: 3.\n")
    made[0].key.credentials[0].user_handle = old.encode()
    check_sign_ins(site, [replace(made[0], record=replace(made[0].record, user_id=new))])


def test_the_rp_id_is_one_of_the_apps(tmp_path: Path) -> None:
    """Passkeys are kept for the RP ID that is asked for, one of the app's, unless the peer knows better."""
    site = new_site({"PASSKEY_RELYING_PARTIES": {"example.org": {"origins": ["https://example.org"], "name": "x"}}})
    for peer in ("django-allauth", "simplewebauthn"):
        MAKERS[peer](tmp_path / peer)
    result = run(site, "django-allauth", tmp_path / "django-allauth", "--rp-id", "example.org")
    assert "Left out, it was made for another RP ID: see --rp-id: 3 (row 2, 3, 4)." in result.output
    run(site, "simplewebauthn", tmp_path / "simplewebauthn", "--rp-id", "example.org")
    run(site, "django-allauth", tmp_path / "django-allauth")
    found = sorted(record.rp_id for name in ("user 1", "user 44") for record in site.passkey_records(name))
    assert found == ["example.org"] * 3 + ["localhost"] * 3
    other = run(site, "simplewebauthn", tmp_path / "simplewebauthn", "--rp-id", "example.com")
    assert other.exit_code == 1 and "neither PASSKEY_RP_ID nor in PASSKEY_RELYING_PARTIES" in other.output


def test_cloudreve_without_settings(tmp_path: Path) -> None:
    """Without the salt nobody knows the user handles, and the passkeys sign in all the same."""
    made = MAKERS["cloudreve"](tmp_path / "peer")
    with sqlite3.connect(tmp_path / "peer") as connection:
        connection.execute("DROP TABLE settings")
    connection.close()
    site = new_site()
    assert "with a user handle that nobody kept: 3" in run(site, "cloudreve", tmp_path / "peer").output
    check_sign_ins(site, made)


def test_hashids() -> None:
    """Hashids are those of the reference, with a salt and without."""
    assert {owner: hashid((int(owner), 1), salt=SALT) for owner in HASHIDS} == HASHIDS
    assert [hashid((number, 1), salt="") for number in (1, 44, 123456)] == ["kRfO", "jRQhn", "yPOEKhr"]
    assert hashid((123456, 1), salt=SALT) == "Pxr4gFK"


def test_every_importer_can_be_chosen() -> None:
    """The command, which imports the importers only when it runs, knows them all."""
    choice = next(option.type for option in passkey.commands["import"].params if option.name == "peer")
    assert isinstance(choice, click.Choice) and list(choice.choices) == sorted(PEERS)


JUNK: list[Any] = [
    None,
    "",
    "x",
    "[",
    "{}",
    '{"a": ' * 2000,
    b"",
    b"\xff" * 40,
    -1,
    10**400,
    1e300,
    True,
    [],
    {},
    [[]],
    {"data": 1},
]


@pytest.mark.parametrize("peer", PEERS)
def test_junk_is_unusable_or_harmless(peer: str, tmp_path: Path) -> None:
    """Whatever a column has, the row is read or left out: nothing else is raised, and nothing takes forever."""
    table: dict[str, list[dict[str, Any]]] = {"passkeys": [{}], "settings": [{"name": "hash_id_salt", "value": SALT}]}
    names = {name for columns in PEERS[peer].columns for name in columns}
    names |= {
        "transports",
        "credential",
        "data",
        "name",
        "created_at",
        "extensions",
        "handle_hex",
        "backed_up",
        "aaguid",
    }
    nested = {
        "response": {"attestationObject": "o2M"},
        "flags": {},
        "authenticator": {},
        "id": "AAAA",
        "publicKey": "AAAA",
    }
    (tmp_path / "peer.json").write_text(json.dumps(table))
    with open_source(str(tmp_path / "peer.json")) as source:
        read = PEERS[peer].reader(source)
    for name in sorted(names):
        for junk in JUNK:
            row = dict.fromkeys(names, "AAAA") | {"type": "webauthn", "user_id": 1, "credential": nested}
            row |= {"data": {"credential": nested}, "backed_up": 1, "counter": 1, "sign_count": 1, name: junk}
            with suppress(Unusable):
                read(Row(row))
