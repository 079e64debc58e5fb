"""Odd exports: what tools write for nothing, for bits and for bytes, and an app that cannot tell whose a passkey is."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from apps import User
from test_import import file, make_site, row_of, take

from flask_passkey.errors import AccountRefused
from flask_passkey.importers import Row, Unusable

__all__ = ["file"]


@pytest.mark.parametrize("nothing", ["NULL", "\\N", ""])
def test_nothing_in_csv(nothing: str, file: Path) -> None:
    """A counter, a flag and a time that are missing in CSV are as missing elsewhere."""
    row = row_of() | {"counter": nothing, "backedUp": nothing, "lastUsed": nothing, "name": nothing}
    table = file.with_name("passkeys.csv")
    with table.open("w", newline="") as written:
        writer = csv.DictWriter(written, row.keys())
        writer.writeheader()
        writer.writerow(row)
    site = make_site("1")
    arguments = ["passkey", "import", "--from", "simplewebauthn", str(table)]
    assert site.app.test_cli_runner().invoke(args=arguments).output.startswith("Imported: 1.\n")
    (record,) = site.passkey_records("1")
    assert (record.sign_count, record.backup_state, record.last_used_at, record.label) == (0, False, None, "")


@pytest.mark.parametrize(
    ("value", "flag"),
    [(b"\x01", True), (b"\x00", False), (b"", False), (1, True), (True, True), ("t", True), (0, False)],
)
def test_flags_in_every_form(value: object, flag: bool) -> None:
    """MySQL keeps some flags as bits, which come as bytes."""
    assert Row({"backed_up": value}).flag("backedUp") is flag


def test_what_is_no_flag() -> None:
    """Other bytes are neither yes nor no."""
    with pytest.raises(Unusable, match="backed_up is neither yes nor no"):
        Row({"backed_up": b"\x02"}).flag("backed_up")


def test_hexadecimal_of_other_tools() -> None:
    """Bytes that begin with 0x are hexadecimal, unless they can only be base64."""
    assert Row({"id": "0xfbFF"}).data("id") == b"\xfb\xff"
    assert Row({"id": "0xyz"}).data("id") == b"\xd3\x1c\xb3"


def test_the_same_passkey_twice(file: Path) -> None:
    """The second of two rows of one passkey is skipped where the account is the same, and left out where it is not."""
    row = row_of()
    result = take(make_site("1", "2"), file, [row, row, row | {"userId": "2"}])
    assert result.output.startswith("Imported: 1.\nAlready there: 1.\nLeft out, another account has a passkey")


@pytest.mark.parametrize("raises", [KeyError, AttributeError, RuntimeError])
def test_an_app_that_cannot_tell(raises: type[Exception], file: Path) -> None:
    """Where the app's hook fails, the row is named and nothing of its batch is stored; no traceback, no id."""
    site = make_site("1")

    def load(user_id: str) -> Any:
        if user_id == "ada":
            raise raises(user_id)
        return site.users.get(user_id)

    site.passkey.load_user(load)
    result = take(site, file, [row_of("1"), row_of("ada"), row_of("1")])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert f"Stopped at row 2: the app's load_user hook raised {raises.__name__}" in result.output
    assert "--users" in result.output and "ada" not in result.output
    assert site.passkey_records("1") == []


def test_a_hook_that_refuses(file: Path) -> None:
    """What the hook refuses stops the import with its reason."""
    site = make_site("1")

    @site.passkey.load_user
    def load(user_id: str) -> User:
        raise AccountRefused("closed for today")

    result = take(site, file, [row_of("1")])
    assert result.exit_code == 1 and "Stopped at row 1: closed for today." in result.output
