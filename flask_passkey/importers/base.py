"""What an importer gives for each passkey of a peer, and how it reads the values of a row."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

#: Longest value that is read, in characters or bytes; attestation with its certificates has a few thousand.
_LONGEST = 1 << 17
#: A number of seconds since 1970 that is larger than this is one of milliseconds: this one is in the year 5138.
_MOST_SECONDS = 1e11
#: As some tools write bytes. That base64 has only such letters after this start does not happen.
_HEX = re.compile(r"0x([0-9A-Fa-f]{2})+")
_YES, _NO = ("1", "t", "true", "yes"), ("", "0", "f", "false", "no")


class Unusable(Exception):
    """A row cannot be taken over. The text says why, and nothing that is in the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedCredential:
    """A passkey as a peer keeps it, in plain values. Nothing of it is checked."""

    #: Credential ID, raw bytes.
    id: bytes
    #: COSE_Key, CBOR.
    public_key: bytes
    #: The peer's key for the account, as text.
    user_id: str
    #: What the passkey was made with as ``user.id``; ``None`` if the peer did not keep it.
    user_handle: bytes | None
    sign_count: int = 0
    transports: tuple[str, ...] = ()
    backup_eligible: bool = False
    backup_state: bool = False
    #: ``False`` also where the peer does not say.
    uv_initialized: bool = False
    label: str = ""
    #: ``None`` if the peer does not say.
    discoverable: bool | None = None
    #: Empty if the peer does not keep it.
    aaguid: str = ""
    #: Aware; ``None`` if the peer does not keep it.
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    #: SHA-256 of the RP ID that it was made for; empty if the peer does not keep it.
    rp_id_hash: bytes = b""


class Row:
    """One row of a peer's table or export.

    Names are the same in any spelling: ``credentialId``, ``credential_id``, ``CREDENTIALID``. Each method takes the
    names that a value may have, and reads the first that is there.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {plain(str(name)): value for name, value in values.items() if value is not None}

    def value(self, *names: str) -> Any:
        """Return a value as it came, ``None`` if there is none."""
        found = next((self._values[name] for name in map(plain, names) if name in self._values), None)
        if isinstance(found, str | bytes) and len(found) > _LONGEST:
            raise Unusable(f"{names[0]} is too long")
        return found

    def data(self, *names: str) -> bytes:
        """Return bytes, whatever form the export gave them: raw, base64, base64url, numbers, ``\\x`` or ``0x`` and hex.

        :raises Unusable: there are none, or they are in another form.
        """
        value = self.value(*names)
        try:
            return _bytes(value)
        except (TypeError, ValueError, OverflowError) as exc:
            raise Unusable(f"{names[0]} is missing or not bytes") from exc

    def text(self, *names: str) -> str:
        """Return a text or number as text, empty if there is none."""
        value = self.value(*names)
        return str(value) if isinstance(value, str | int | UUID) else ""

    def key(self, *names: str) -> str:
        """Return the key of a row as text, empty if there is none.

        A UUID has its dashes, also where the database has none and keeps it as 32 hexadecimal digits, as Django does.
        """
        text = self.text(*names)
        try:
            return str(UUID(text)) if len(text) == 32 else text
        except ValueError:
            return text

    def number(self, *names: str) -> int:
        """Return a number, 0 if there is none.

        :raises Unusable: it is something else.
        """
        try:
            return int(self.value(*names) or 0)
        except (TypeError, ValueError, OverflowError) as exc:
            raise Unusable(f"{names[0]} is not a number") from exc

    def flag(self, *names: str) -> bool:
        """Return a yes or no, which is no if there is none.

        :raises Unusable: it is something else.
        """
        value = self.value(*names)
        number = int.from_bytes(value, "big") if isinstance(value, bytes) else value  # MySQL's BIT
        text = str(number or "").lower()
        if text not in _YES + _NO:
            raise Unusable(f"{names[0]} is neither yes nor no")
        return text in _YES

    def known_flag(self, *names: str) -> bool | None:
        """Return a yes or no, ``None`` if there is none.

        :raises Unusable: it is something else.
        """
        return None if self.value(*names) is None else self.flag(*names)

    def moment(self, *names: str) -> datetime | None:
        """Return a time, which is UTC where it does not say, ``None`` if there is none, or none that can be read."""
        try:
            return _moment(self.value(*names))
        except (TypeError, ValueError, OverflowError, OSError):
            return None

    def json(self, *names: str) -> Any:
        """Return what a column of JSON has, ``None`` if there is nothing, or nothing that can be read."""
        value = self.value(*names)
        try:
            return json.loads(value) if isinstance(value, str | bytes) else value
        except (ValueError, RecursionError):
            return None

    def names(self, *names: str) -> tuple[str, ...]:
        """Return a list of names that is kept as JSON, as an array or with commas between them."""
        value = self.value(*names)
        if isinstance(value, str):
            value = self.json(*names) if value.startswith("[") else value.strip("{}").split(",")
        return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list | tuple) else ()

    def below(self, *names: str) -> Row:
        """Return a row of the members of an object.

        :raises Unusable: there is none.
        """
        value = self.json(*names)
        if not isinstance(value, dict):
            raise Unusable(f"{names[0]} is no object")
        return Row(value)


class Source(Protocol):
    """A peer's database or export, which is only read."""

    def find(self, columns: Columns, name: str = "") -> str:
        """Return the name of the table with such columns.

        :param columns: names that it must have; where one of several will do, they are together.
        :param name: of the table, if the caller knows it; letters in either case.
        :raises ConfigurationError: there is none, or more than one.
        """

    def has(self, columns: Columns) -> bool:
        """Tell whether there is exactly one table with such columns."""

    def rows(self, table: str) -> tuple[int, Iterator[Row]]:
        """Return how many rows a table has, and the rows in the order of its primary key."""


Columns = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Peer:
    """A library or server whose passkeys can be imported."""

    #: By which the table of its passkeys is known.
    columns: Columns
    #: Gives the function that reads a row of that table; ``None`` from it is a row that is no passkey.
    reader: Callable[[Source], Callable[[Row], ImportedCredential | None]]


@cache
def plain(name: str) -> str:
    """Spell a column's name as all are compared."""
    return name.replace("_", "").lower()


def fits(columns: Columns, present: set[str]) -> bool:
    """Tell whether a table with these columns, in plain spelling, is one that is looked for."""
    return all(any(plain(name) in present for name in names) for names in columns)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str) and value:
        in_hex = value.startswith("\\x") or _HEX.fullmatch(value)
        return bytes.fromhex(value[2:]) if in_hex else _from_base64(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict):  # JSON of a Buffer or Uint8Array of Node
        value = value["data"] if "data" in value else list(value.values())
    if isinstance(value, list) and value:
        return bytes(value)
    raise ValueError("no bytes")


def _from_base64(text: str) -> bytes:
    """Decode base64 of either alphabet, with padding or without."""
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    return b64decode(text + "=" * (-len(text) % 4), validate=True)


def _moment(value: Any) -> datetime:
    if isinstance(value, int | float) or (isinstance(value, str) and value.isdecimal()):
        number = float(value)
        return datetime.fromtimestamp(number / 1000 if number > _MOST_SECONDS else number, UTC)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
