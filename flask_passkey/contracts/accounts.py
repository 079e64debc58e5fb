"""The promises of a credential repository about accounts and their user handles."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from ..credentials import CredentialRepository
from ..errors import CredentialExists, CredentialNotFound, LastCredential, TooManyCredentials
from .base import CALLERS, ROUNDS, Contract, handle_of, new_record


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

    def test_accounts_are_told_in_batches(self, repository: CredentialRepository) -> None:
        """Every account comes once, however many are asked for at a time, with any number of user handles."""
        users = [f"user {number}" for number in range(7)]
        for number, user_id in enumerate(users):
            records = [new_record(bytes([number, n]), user_id=user_id, user_handle=bytes([number, n])) for n in (0, 1)]
            self.add(repository, *records)
        for limit in (1, 3, 7, 100):
            found: list[str] = []
            while batch := repository.user_ids(after=found[-1] if found else "", limit=limit):
                assert len(batch) <= limit
                found += batch
            assert sorted(found) == users
        repository.delete_user("user 3")
        assert sorted(repository.user_ids()) == [user_id for user_id in users if user_id != "user 3"]

    def test_forgetting_an_unknown_account_is_fine(self, repository: CredentialRepository) -> None:
        """Deleting an account that never had a passkey does nothing."""
        self.add(repository, new_record())
        repository.delete_user("bob")
        assert repository.get(b"id") == new_record()


class Handles(Contract):
    """An account that was brought along from another system has a user handle for each of its passkeys."""

    def test_every_record_keeps_its_handle(self, repository: CredentialRepository) -> None:
        """Records of one account keep different user handles, and all are the account's."""
        records = [new_record(bytes([n]), user_handle=bytes([n]) * 64) for n in range(3)]
        self.add(repository, *records, new_record(b"bob's", user_id="bob"))
        assert repository.of_user("ada") == records
        assert [repository.get(record.id) for record in records] == records
        assert repository.get_user_handle("ada") == records[0].user_handle
        assert repository.add_user("ada", b"n" * 64) == records[0].user_handle

    def test_every_call_is_for_all_handles(self, repository: CredentialRepository) -> None:
        """Uses tell of all of the account's credentials, and the last one is the last of all handles."""
        records = [new_record(bytes([n]), user_handle=bytes([n]) * 64) for n in range(3)]
        self.add(repository, *records)
        for record in records:
            ids = repository.record_use(replace(record, sign_count=1), counter_must_grow=True)
            assert ids is not None and sorted(ids) == [b"\0", b"\1", b"\2"]
        assert repository.rename(b"\2", user_id="ada", label="Renamed").user_handle == b"\2" * 64
        with pytest.raises(TooManyCredentials):
            repository.add(replace(records[0], id=b"4"), limit=3)
        for number in (0, 1):
            repository.delete(bytes([number]), user_id="ada", keep_last=True)
        with pytest.raises(LastCredential):
            repository.delete(b"\2", user_id="ada", keep_last=True)
        repository.delete_user("ada")
        assert repository.of_user("ada") == [] and repository.get(b"\2") is None
        self.add(repository, new_record(b"5", user_id="bob", user_handle=b"\2" * 64))

    def test_a_handle_belongs_to_one_account(self, repository: CredentialRepository) -> None:
        """A user handle of another account, or of none, is refused, and nothing is stored."""
        self.add(repository, new_record(b"1"), new_record(b"2", user_id="bob"))
        assert repository.add_user("ada", handle_of("bob")) == handle_of("ada")
        for handle in (handle_of("bob"), b"nobody's"):
            with pytest.raises(CredentialNotFound):
                repository.add(new_record(b"3", user_handle=handle))
        assert repository.get(b"3") is None
        assert [record.id for record in repository.of_user("bob")] == [b"2"]
        with repository.transaction():
            with pytest.raises(CredentialExists):
                repository.add_user("eve", handle_of("bob"))
            self.add(repository, new_record(b"4", user_id="eve"))
        assert repository.get_user_handle("eve") == handle_of("eve")

    def test_the_limit_holds_across_handles(self, repository: CredentialRepository) -> None:
        """Of callers that add credentials with handles of their own at once, no more succeed than there is room for."""
        for turn in range(ROUNDS):
            user_id = f"user {turn}"
            self.add(repository, new_record(bytes([turn]), user_id=user_id))
            records = [
                new_record(bytes([turn, n]), user_id=user_id, user_handle=bytes([turn, n]) * 32) for n in range(CALLERS)
            ]
            for record in records:
                assert repository.add_user(user_id, record.user_handle) == handle_of(user_id)
            answers = self.together([partial(repository.add, record, limit=3) for record in records])
            assert sorted(answers, key=bool)[:2] == [None, None], answers
            assert len(repository.of_user(user_id)) == 3
