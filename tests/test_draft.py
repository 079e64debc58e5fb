"""Records that are made by filling their slots are those that the constructor makes."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, fields, replace
from typing import Any

import pytest

from flask_passkey import MemoryCredentialRepository
from flask_passkey.contracts.base import NOON, new_record
from flask_passkey.credentials import FIELDS, CredentialRecord, after_use, record_with

#: What a sign-in may change.
CHANGES: dict[str, Any] = {
    "sign_count": 7,
    "uv_initialized": False,
    "backup_eligible": True,
    "backup_state": True,
    "last_used_at": NOON,
}


def test_each_item_is_in_its_place() -> None:
    """A record has the items that it was given, in the order of its fields."""
    assert tuple(field.name for field in fields(CredentialRecord)) == FIELDS
    record = record_with(range(len(FIELDS)))
    assert [getattr(record, name) for name in FIELDS] == list(range(len(FIELDS)))
    items: dict[str, Any] = dict(zip(FIELDS, range(len(FIELDS)), strict=True))
    assert record == CredentialRecord(**items)


@pytest.mark.parametrize("count", [len(FIELDS) - 1, len(FIELDS) + 1])
def test_as_many_items_as_fields(count: int) -> None:
    """A record with an item too few or too many is not made."""
    with pytest.raises(ValueError, match="unpack"):
        record_with(range(count))


def test_it_is_a_record_like_others() -> None:
    """It is of the class itself, frozen, equal, hashed, shown, copied, pickled and replaced as others."""
    other = new_record()
    record = record_with(asdict(other).values())
    assert type(record) is CredentialRecord
    with pytest.raises(FrozenInstanceError):
        record.sign_count = 1  # type: ignore[misc]
    assert (record, hash(record), repr(record)) == (other, hash(other), repr(other))
    assert copy.copy(record) == copy.deepcopy(record) == pickle.loads(pickle.dumps(record)) == other
    assert replace(record, label="Key").label == "Key"
    assert not hasattr(CredentialRecord, "__post_init__"), "it would not be called"


def test_after_a_use_it_is_what_replace_makes() -> None:
    """What a sign-in may change is changed, all else stays, and the record before does, too."""
    before = new_record()
    assert after_use(before, **CHANGES) == replace(before, **CHANGES)
    assert before == new_record()


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered(CredentialRecord):
    """A record of an app's store."""

    number: int


def test_a_record_of_another_class_keeps_it() -> None:
    """The records of an app's own store, with further items, come back to it with these."""
    before = Numbered(number=5, **asdict(new_record()))
    assert after_use(before, **CHANGES) == replace(before, **CHANGES)
    store = MemoryCredentialRepository()
    store.add_user(before.user_id, before.user_handle)
    store.add(before)
    assert store.record_use(after_use(before, **CHANGES), counter_must_grow=True) == [before.id]
    assert store.get(before.id) == replace(before, **CHANGES | {"uv_initialized": True})
