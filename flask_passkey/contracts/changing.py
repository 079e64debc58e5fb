"""What happens to a stored credential: sign-ins, names, deletion."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from ..credentials import CredentialRepository
from ..errors import CredentialNotFound, LastCredential
from .base import CALLERS, NOON, ROUNDS, Contract, handle_of, new_record


class Using(Contract):
    """A sign-in is recorded, and nothing goes backwards."""

    def test_use_is_recorded(self, repository: CredentialRepository) -> None:
        """A sign-in stores counter, flags and time, and nothing else of the record it is given."""
        before = new_record(uv_initialized=False, backup_eligible=False)
        self.add(repository, before, new_record(b"other"))
        used: dict[str, Any] = {
            "sign_count": 7,
            "backup_state": True,
            "last_used_at": NOON + timedelta(hours=1),
            "uv_initialized": True,
            "backup_eligible": True,
        }
        also: dict[str, Any] = {"label": "x", "public_key": b"x", "transports": ("x",), "aaguid": "x", "algorithm": -8}
        assert repository.record_use(replace(before, **used, **also), counter_must_grow=True) is not None
        assert repository.get(before.id) == replace(before, **used)
        assert repository.get(b"other") == new_record(b"other")

    def test_use_answers_with_the_accounts_credentials(self, repository: CredentialRepository) -> None:
        """A sign-in is told the IDs of all credentials of its account, and of no other, as they are by then."""
        others = [bytes([number]) * 1023 for number in range(3)]
        self.add(repository, new_record(b"id"), *map(new_record, others[:2]), new_record(b"bob's", user_id="bob"))
        assert self.use(repository, 1) == sorted([b"id", *others[:2]])
        self.add(repository, new_record(others[2]))
        repository.delete(others[0], user_id="ada", keep_last=False)
        assert self.use(repository, 2) == sorted([b"id", *others[1:]])

    def test_use_sees_what_simultaneous_changes_have_done(self, repository: CredentialRepository) -> None:
        """A credential that was there before a sign-in was stored is never missing from what the sign-in is told."""
        self.add(repository, new_record())
        for turn in range(1, ROUNDS + 1):
            added = [b"%d %d" % (turn, number) for number in range(CALLERS // 2)]
            use = partial(self.add_and_use, repository, turn)
            for id_, ids in zip(added, self.together([partial(use, id_) for id_ in added]), strict=True):
                assert isinstance(ids, list) and id_ in ids, ids

    def add_and_use(self, repository: CredentialRepository, count: int, added: bytes) -> list[bytes]:
        repository.add(new_record(added))
        return self.use(repository, count, counter_must_grow=False)

    def use(self, repository: CredentialRepository, count: int, *, counter_must_grow: bool = True) -> list[bytes]:
        """Record a use and return what it is told, sorted."""
        ids = repository.record_use(new_record(sign_count=count), counter_must_grow=counter_must_grow)
        assert ids is not None
        return sorted(ids)

    def test_use_never_goes_backwards(self, repository: CredentialRepository) -> None:
        """A sign-in that is recorded after a later one lowers no counter and no time and clears no lasting flag."""
        self.add(repository, new_record(sign_count=9, last_used_at=NOON, backup_state=True))
        late = new_record(
            sign_count=8,
            last_used_at=NOON - timedelta(microseconds=1),
            uv_initialized=False,
            backup_eligible=False,
            backup_state=False,
        )
        assert repository.record_use(late, counter_must_grow=False) is not None
        assert repository.get(b"id") == new_record(sign_count=9, last_used_at=NOON, backup_state=False)

    def test_use_without_time_keeps_the_time(self, repository: CredentialRepository) -> None:
        """Recording a use with no time leaves the last use as it was."""
        self.add(repository, new_record(b"1"), new_record(b"2", last_used_at=NOON))
        for id_, expected in ((b"1", None), (b"2", NOON)):
            assert repository.record_use(new_record(id_, sign_count=1), counter_must_grow=True) is not None
            found = repository.get(id_)
            assert found is not None
            assert found.last_used_at == expected

    @pytest.mark.parametrize(
        ("stored", "received", "grows"),
        [(0, 0, True), (0, 1, True), (5, 6, True), (5, 5, False), (5, 4, False), (5, 0, False), (1, 2**32 - 1, True)],
    )
    def test_counter_must_grow(self, repository: CredentialRepository, stored: int, received: int, grows: bool) -> None:
        """Where the counter must grow, one that does not changes nothing; 0 after 0 means that there is none."""
        before = new_record(sign_count=stored)
        self.add(repository, before)
        after = replace(before, sign_count=received, last_used_at=NOON, backup_state=True)
        assert (repository.record_use(after, counter_must_grow=True) is not None) is grows
        assert repository.get(b"id") == (after if grows else before)

    @pytest.mark.parametrize("must_grow", [True, False])
    def test_use_of_a_deleted_credential_is_refused(self, repository: CredentialRepository, must_grow: bool) -> None:
        """A credential that was deleted during its sign-in is not brought back."""
        self.add(repository, new_record())
        repository.delete(b"id", user_id="ada", keep_last=False)
        assert repository.record_use(new_record(sign_count=1), counter_must_grow=must_grow) is None
        assert repository.get(b"id") is None

    def test_one_of_simultaneous_equal_counters_is_stored(self, repository: CredentialRepository) -> None:
        """Of sign-ins with the same counter at once, as a cloned authenticator makes them, exactly one is stored."""
        self.add(repository, new_record())
        for count in range(1, ROUNDS + 1):
            use = new_record(sign_count=count)
            answers = self.together([partial(repository.record_use, use, counter_must_grow=True)] * CALLERS)
            assert sorted(answers, key=bool) == [None] * (CALLERS - 1) + [[b"id"]]

    @pytest.mark.parametrize("must_grow", [True, False])
    def test_simultaneous_uses_keep_the_highest(self, repository: CredentialRepository, must_grow: bool) -> None:
        """Of different counters and times stored at once, in any order, the highest stay."""
        self.add(repository, new_record())
        for turn in range(ROUNDS):
            counts = [turn * CALLERS + number for number in range(1, CALLERS + 1)]
            uses = [new_record(sign_count=n, last_used_at=NOON + timedelta(seconds=n)) for n in counts]
            self.together([partial(repository.record_use, use, counter_must_grow=must_grow) for use in uses])
            assert repository.get(b"id") == uses[-1]


class Renaming(Contract):
    """An account's own credentials get names."""

    def test_rename_answers_with_the_record(self, repository: CredentialRepository) -> None:
        """Renaming changes the name, nothing else, and returns what is stored."""
        self.add(repository, new_record(), new_record(b"other"))
        renamed = repository.rename(b"id", user_id="ada", label="Täschchen 👜")
        assert renamed == new_record(label="Täschchen 👜") == repository.get(b"id")
        assert repository.get(b"other") == new_record(b"other")

    def test_rename_to_the_same_name(self, repository: CredentialRepository) -> None:
        """A name may be set that is set already."""
        self.add(repository, new_record(label="Phone"))
        assert repository.rename(b"id", user_id="ada", label="Phone") == new_record(label="Phone")

    @pytest.mark.parametrize(("credential_id", "user_id"), [(b"id", "bob"), (b"id", "nobody"), (b"no", "ada")])
    def test_rename_only_ones_own(self, repository: CredentialRepository, credential_id: bytes, user_id: str) -> None:
        """Another's credential cannot be renamed, nor told from one that does not exist."""
        self.add(repository, new_record(), new_record(b"2", user_id="bob"))
        with pytest.raises(CredentialNotFound):
            repository.rename(credential_id, user_id=user_id, label="Mine")
        assert repository.get(b"id") == new_record()


class Deleting(Contract):
    """An account's own credentials can be deleted, the last one only where it may."""

    def test_delete_one(self, repository: CredentialRepository) -> None:
        """A deleted credential is gone, the account's others stay, and its ID may be registered again."""
        self.add(repository, new_record(b"1"), new_record(b"2"))
        repository.delete(b"1", user_id="ada", keep_last=True)
        assert repository.get(b"1") is None
        assert repository.of_user("ada") == [new_record(b"2")]
        self.add(repository, new_record(b"1", user_id="bob"))

    @pytest.mark.parametrize("keep_last", [True, False])
    @pytest.mark.parametrize(("credential_id", "user_id"), [(b"id", "bob"), (b"id", "nobody"), (b"no", "ada")])
    def test_delete_only_ones_own(
        self, repository: CredentialRepository, credential_id: bytes, user_id: str, keep_last: bool
    ) -> None:
        """Another's credential cannot be deleted, nor told from one that does not exist."""
        self.add(repository, new_record(), new_record(b"2", user_id="bob"))
        with pytest.raises(CredentialNotFound):
            repository.delete(credential_id, user_id=user_id, keep_last=keep_last)
        assert repository.get(b"id") == new_record()

    def test_the_last_one_can_be_kept(self, repository: CredentialRepository) -> None:
        """An account's only credential is deleted only where it need not be kept, whatever others have."""
        self.add(repository, new_record(), new_record(b"2", user_id="bob"))
        with pytest.raises(LastCredential):
            repository.delete(b"id", user_id="ada", keep_last=True)
        assert repository.get(b"id") == new_record()
        repository.delete(b"id", user_id="ada", keep_last=False)
        assert repository.of_user("ada") == []
        assert repository.get_user_handle("ada") == handle_of("ada")

    def test_simultaneous_deletes_leave_one(self, repository: CredentialRepository) -> None:
        """When all of an account's credentials are deleted at once, and one is to be kept, exactly one is."""
        for turn in range(ROUNDS):
            user_id, ids = f"user {turn}", [bytes([turn, number]) for number in range(CALLERS)]
            self.add(repository, *(new_record(id_, user_id=user_id) for id_ in ids))
            delete = partial(repository.delete, user_id=user_id, keep_last=True)
            answers = self.together([partial(delete, id_) for id_ in ids])
            [kept] = [id_ for id_, answer in zip(ids, answers, strict=True) if isinstance(answer, LastCredential)]
            assert [record.id for record in repository.of_user(user_id)] == [kept]
