"""What is stored comes back: accounts, credentials, lists."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from ..credentials import MAX_CREDENTIAL_ID, CredentialRecord, CredentialRepository
from ..errors import CredentialExists
from .base import CALLERS, NOON, ROUNDS, Contract, handle_of, new_record


class Accounts(Contract):
    """An account and its user handle."""

    def test_account_has_no_handle_at_first(self, repository: CredentialRepository) -> None:
        """An account nobody has spoken of has no user handle and no credentials."""
        assert repository.get_user_handle("ada") is None
        assert repository.of_user("ada") == []

    def test_account_keeps_its_first_handle(self, repository: CredentialRepository) -> None:
        """Whoever gives a user handle to an account that has one, gets that one back."""
        assert repository.add_user("ada", b"a" * 64) == b"a" * 64
        assert repository.add_user("ada", b"b" * 64) == b"a" * 64
        assert repository.get_user_handle("ada") == b"a" * 64

    @pytest.mark.parametrize("other", ["Ada", "àda", "ada2", "", "1", "ада"])
    def test_accounts_are_told_apart_exactly(self, repository: CredentialRepository, other: str) -> None:
        """Keys that differ in case, accents or length belong to different accounts."""
        repository.add_user("ada", b"a" * 64)
        assert repository.get_user_handle(other) is None
        assert repository.add_user(other, b"b" * 64) == b"b" * 64
        assert repository.get_user_handle("ada") == b"a" * 64

    def test_simultaneous_callers_get_one_handle(self, repository: CredentialRepository) -> None:
        """Of callers that give an account different user handles at once, all get the same answer."""
        for turn in range(ROUNDS):
            handles = [bytes([turn, caller]) * 32 for caller in range(CALLERS)]
            answers = self.together([partial(repository.add_user, f"u{turn}", handle) for handle in handles])
            assert set(answers) == {repository.get_user_handle(f"u{turn}")}

    def test_account_is_forgotten(self, repository: CredentialRepository) -> None:
        """Deleting an account deletes its credentials and handle, and nothing of others; it may be a new one later."""
        self.add(repository, new_record(b"1"), new_record(b"2"), new_record(b"3", user_id="bob"))
        repository.delete_user("ada")
        assert repository.get_user_handle("ada") is None
        assert repository.of_user("ada") == []
        assert repository.get(b"1") is None
        assert repository.get(b"3") == new_record(b"3", user_id="bob")
        assert repository.add_user("ada", b"n" * 64) == b"n" * 64

    def test_forgetting_an_unknown_account_is_fine(self, repository: CredentialRepository) -> None:
        """Deleting an account that never had a passkey does nothing."""
        self.add(repository, new_record())
        repository.delete_user("bob")
        assert repository.get(b"id") == new_record()


class Adding(Contract):
    """A credential is stored once and comes back as it was."""

    def test_record_comes_back_as_it_was(self, repository: CredentialRepository) -> None:
        """Every field of a record comes back equal and of the same type."""
        record = new_record(
            sign_count=2**32 - 1,
            label="Adas Schlüssel 🔑 'quoted' \"twice\" %s",
            last_used_at=NOON + timedelta(days=1),
            algorithm=-257,
            attestation_object=bytes(range(256)),
            attestation_client_data_json=b'{"type":"webauthn.create"}',
        )
        self.add(repository, record)
        found = repository.get(record.id)
        assert found == record
        assert [type(getattr(found, name)) for name in CredentialRecord.__slots__] == [
            type(getattr(record, name)) for name in CredentialRecord.__slots__
        ]
        assert repository.of_user("ada") == [record]

    def test_absent_items_come_back_absent(self, repository: CredentialRepository) -> None:
        """A record without last use, attestation, transports and name comes back without them."""
        record = new_record(transports=(), label="", uv_initialized=False, backup_eligible=False)
        self.add(repository, record)
        assert repository.get(record.id) == record

    @pytest.mark.parametrize(
        "transports", [("usb", "nfc"), ("nfc", "usb"), ("x-tomorrow", "ünicode", 'a"b,c\\', "\ud800", "\0")]
    )
    def test_transports_come_back_as_reported(
        self, repository: CredentialRepository, transports: tuple[str, ...]
    ) -> None:
        """Transports keep their order, and any text a client may send survives."""
        self.add(repository, new_record(transports=transports))
        [found] = repository.of_user("ada")
        assert found.transports == transports

    def test_times_come_back_in_utc(self, repository: CredentialRepository) -> None:
        """Times come back as the same moment to the microsecond, aware, in UTC."""
        self.add(repository, new_record(last_used_at=NOON))
        found = repository.get(b"id")
        assert found is not None
        assert found.created_at == found.last_used_at == NOON
        assert found.created_at.utcoffset() == timedelta(0)
        assert found.last_used_at is not None
        assert found.last_used_at.utcoffset() == timedelta(0)

    def test_ids_are_told_apart_exactly(self, repository: CredentialRepository) -> None:
        """IDs are bytes: of one byte to the longest that may be, with zeros, alike but for case or their end."""
        longest = b"\x80" * MAX_CREDENTIAL_ID
        ids = [b"a", b"A", b"a\0", b"a ", b"\0", b"\xff\xfe", longest, longest[:-1]]
        self.add(repository, *(new_record(id_, label=f"number {n}") for n, id_ in enumerate(ids)))
        found = [repository.get(id_) for id_ in ids]
        assert [record and record.label for record in found] == [f"number {n}" for n in range(len(ids))]
        assert repository.get(b"") is None
        assert repository.get(b"b") is None
        assert repository.get(longest + b"\x80") is None

    @pytest.mark.parametrize("user_id", ["ada", "bob"])
    def test_id_is_registered_once(self, repository: CredentialRepository, user_id: str) -> None:
        """An ID that is registered, to the same or another account, is refused, and its record stays as it is."""
        self.add(repository, new_record())
        repository.add_user(user_id, handle_of(user_id))
        with pytest.raises(CredentialExists):
            repository.add(new_record(user_id=user_id, public_key=b"another", label="Another"))
        assert repository.get(b"id") == new_record()
        assert len(repository.of_user(user_id)) == (user_id == "ada")

    def test_one_of_simultaneous_registrations_succeeds(self, repository: CredentialRepository) -> None:
        """Of callers that register one ID at once, exactly one succeeds, the others are told that it exists."""
        users = [f"user {caller}" for caller in range(CALLERS)]
        for user_id in users:
            repository.add_user(user_id, handle_of(user_id))
        for turn in range(ROUNDS):
            records = [new_record(bytes([turn]), user_id=user_id) for user_id in users]
            answers = self.together([partial(repository.add, record) for record in records])
            assert [type(answer) for answer in answers].count(CredentialExists) == CALLERS - 1
            assert repository.get(bytes([turn])) == records[answers.index(None)]


class Listing(Contract):
    """An account's credentials in their order."""

    def test_list_is_oldest_first(self, repository: CredentialRepository) -> None:
        """An account's own records are listed by their age, whenever they were stored."""
        ages = {b"1": 3, b"2": 1, b"3": 2, b"4": 0}
        records = [new_record(id_, created_at=NOON - timedelta(microseconds=age)) for id_, age in ages.items()]
        self.add(repository, *records, new_record(b"5", user_id="bob"))
        assert [record.id for record in repository.of_user("ada")] == [b"1", b"3", b"2", b"4"]
        assert [record.id for record in repository.of_user("bob")] == [b"5"]

    def test_list_is_always_in_the_same_order(self, repository: CredentialRepository) -> None:
        """Records of the same moment do not change places when one of them is used or renamed."""
        self.add(repository, *(new_record(bytes([number])) for number in (7, 3, 9, 1)))
        order = [record.id for record in repository.of_user("ada")]
        repository.record_use(new_record(order[2], sign_count=5), counter_must_grow=True)
        repository.rename(order[0], user_id="ada", label="Renamed")
        assert [record.id for record in repository.of_user("ada")] == order
