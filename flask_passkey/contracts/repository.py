"""The promises of a credential repository: what is stored comes back, changes, and takes effect together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from ..credentials import MAX_CREDENTIAL_ID, CredentialRecord, CredentialRepository
from ..errors import CredentialExists, CredentialNotFound, LastCredential, TooManyCredentials
from .accounts import Accounts, Handles
from .base import CALLERS, NOON, ROUNDS, Contract, handle_of, new_record


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
            discoverable=True,
            identity="2026-02-28T12:00:00+00:00",
            rp_id="login.example.com",
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
        """IDs are bytes of any length up to the longest; zeros, case and trailing bytes make a difference."""
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
        """An ID that is registered, to the same or another account, is refused, and its record does not change."""
        self.add(repository, new_record())
        repository.add_user(user_id, handle_of(user_id))
        with pytest.raises(CredentialExists):
            repository.add(new_record(user_id=user_id, public_key=b"another", label="Another"))
        assert repository.get(b"id") == new_record()
        assert len(repository.of_user(user_id)) == (user_id == "ada")

    def test_one_of_simultaneous_registrations_succeeds(self, repository: CredentialRepository) -> None:
        """Of callers that register one ID at once exactly one succeeds; the others get CredentialExists."""
        users = [f"user {caller}" for caller in range(CALLERS)]
        for user_id in users:
            repository.add_user(user_id, handle_of(user_id))
        for turn in range(ROUNDS):
            records = [new_record(bytes([turn]), user_id=user_id) for user_id in users]
            answers = self.together([partial(repository.add, record) for record in records])
            assert [type(answer) for answer in answers].count(CredentialExists) == CALLERS - 1
            assert repository.get(bytes([turn])) == records[answers.index(None)]

    def test_a_limit_holds(self, repository: CredentialRepository) -> None:
        """An account that has as many credentials as the limit gets no more; others' do not count."""
        self.add(repository, new_record(b"1"), new_record(b"2"), new_record(b"3", user_id="bob"))
        repository.add(new_record(b"4"), limit=3)
        for limit in (0, 1, 3):
            with pytest.raises(TooManyCredentials):
                repository.add(new_record(b"5"), limit=limit)
        assert repository.get(b"5") is None
        repository.add(new_record(b"5"))

    def test_a_limit_counts_by_rp_id(self, repository: CredentialRepository) -> None:
        """Credentials for other RP IDs take up no room, and those without one do where they are to be counted."""
        self.add(repository, new_record(b"1", rp_id="a.example"), new_record(b"2", rp_id="b.example"), new_record(b"3"))
        for rp_ids, count in {("a.example", ""): 2, ("b.example",): 1, ("c.example",): 0, (): 3}.items():
            if count:
                with pytest.raises(TooManyCredentials):
                    repository.add(new_record(b"4", rp_id="a.example"), limit=count, rp_ids=rp_ids)
            repository.add(new_record(b"4", rp_id="a.example"), limit=count + 1, rp_ids=rp_ids)
            repository.delete(b"4", user_id="ada", keep_last=False)

    def test_a_limit_holds_for_simultaneous_callers(self, repository: CredentialRepository) -> None:
        """Of callers that add credentials to one account at once, no more succeed than the limit leaves room for."""
        for turn in range(ROUNDS):
            user_id = f"user {turn}"
            self.add(repository, new_record(bytes([turn]), user_id=user_id))
            records = [new_record(bytes([turn, caller]), user_id=user_id) for caller in range(CALLERS)]
            answers = self.together([partial(repository.add, record, limit=3) for record in records])
            assert [type(answer) for answer in answers].count(TooManyCredentials) == CALLERS - 2, answers
            assert len(repository.of_user(user_id)) == 3

    def test_a_forgotten_account_gets_nothing(self, repository: CredentialRepository) -> None:
        """A credential of an account that has no user handle, or no longer, is not stored."""
        repository.add_user("ada", handle_of("ada"))
        repository.delete_user("ada")
        for user_id in ("ada", "nobody"):
            with pytest.raises(CredentialNotFound):
                repository.add(new_record(user_id=user_id))
        repository.add_user("ada", b"another handle")
        with pytest.raises(CredentialNotFound):
            repository.add(new_record(user_id="ada"))
        assert repository.get(b"id") is None


class Listing(Contract):
    """An account's credentials in their order."""

    def test_list_is_oldest_first(self, repository: CredentialRepository) -> None:
        """An account's records are listed by their time of creation, in whatever order they were stored."""
        ages = {b"1": 3, b"2": 1, b"3": 2, b"4": 0}
        records = [new_record(id_, created_at=NOON - timedelta(microseconds=age)) for id_, age in ages.items()]
        self.add(repository, *records, new_record(b"5", user_id="bob"))
        assert [record.id for record in repository.of_user("ada")] == [b"1", b"3", b"2", b"4"]
        assert [record.id for record in repository.of_user("bob")] == [b"5"]

    def test_list_is_always_in_the_same_order(self, repository: CredentialRepository) -> None:
        """Records of the same moment keep their order when one of them is used or renamed."""
        self.add(repository, *(new_record(bytes([number])) for number in (7, 3, 9, 1)))
        order = [record.id for record in repository.of_user("ada")]
        repository.record_use(new_record(order[2], sign_count=5), counter_must_grow=True)
        repository.rename(order[0], user_id="ada", label="Renamed")
        assert [record.id for record in repository.of_user("ada")] == order

    def test_credentials_are_counted_by_rp_id(self, repository: CredentialRepository) -> None:
        """The credentials of all accounts are counted, by the RP ID of each."""
        assert repository.count_by_rp_id() == {}
        self.add(repository, new_record(b"1", rp_id="a.example"), new_record(b"2", rp_id="a.example", user_id="bob"))
        self.add(repository, new_record(b"3"))
        assert repository.count_by_rp_id() == {"a.example": 2, "": 1}


class Using(Contract):
    """A sign-in is recorded, and nothing goes backwards."""

    def test_use_is_recorded(self, repository: CredentialRepository) -> None:
        """A sign-in stores counter, flags and time, and nothing else of its record."""
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
        """A sign-in gets the current IDs of all credentials of its account, and no others."""
        others = [bytes([number]) * 1023 for number in range(3)]
        self.add(repository, new_record(b"id"), *map(new_record, others[:2]), new_record(b"bob's", user_id="bob"))
        assert self.use(repository, 1) == sorted([b"id", *others[:2]])
        self.add(repository, new_record(others[2]))
        repository.delete(others[0], user_id="ada", keep_last=False)
        assert self.use(repository, 2) == sorted([b"id", *others[1:]])

    def test_use_answers_with_those_of_an_rp_id(self, repository: CredentialRepository) -> None:
        """A sign-in gets only the IDs of credentials with the RP IDs that it asks for."""
        self.add(repository, new_record(b"1", rp_id="a.example"), new_record(b"2", rp_id="b.example"), new_record(b"3"))
        use = new_record(b"1")
        expected = {("a.example", ""): [b"1", b"3"], ("b.example",): [b"2"], ("c.example",): [], (): [b"1", b"2", b"3"]}
        for rp_ids, listed in expected.items():
            ids = repository.record_use(use, counter_must_grow=True, rp_ids=rp_ids)
            assert ids is not None and sorted(ids) == listed

    def test_use_sees_what_simultaneous_changes_have_done(self, repository: CredentialRepository) -> None:
        """A credential that was added before a sign-in was stored is never missing from its list of IDs."""
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
        """Record a use and return its list of IDs, sorted."""
        ids = repository.record_use(new_record(sign_count=count), counter_must_grow=counter_must_grow)
        assert ids is not None
        return sorted(ids)

    def test_use_never_goes_backwards(self, repository: CredentialRepository) -> None:
        """A sign-in that is recorded after a later one lowers neither counter nor time and clears no lasting flag."""
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
        """A counter that must grow and does not changes nothing; 0 after 0 means that there is no counter."""
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
        """Of simultaneous sign-ins with the same counter, as from a cloned authenticator, exactly one is stored."""
        self.add(repository, new_record())
        for count in range(1, ROUNDS + 1):
            use = new_record(sign_count=count)
            answers = self.together([partial(repository.record_use, use, counter_must_grow=True)] * CALLERS)
            assert sorted(answers, key=bool) == [None] * (CALLERS - 1) + [[b"id"]]

    @pytest.mark.parametrize("must_grow", [True, False])
    def test_simultaneous_uses_keep_the_highest(self, repository: CredentialRepository, must_grow: bool) -> None:
        """Of different counters and times that are stored at once the highest stay."""
        self.add(repository, new_record())
        for turn in range(ROUNDS):
            counts = [turn * CALLERS + number for number in range(1, CALLERS + 1)]
            uses = [new_record(sign_count=n, last_used_at=NOON + timedelta(seconds=n)) for n in counts]
            self.together([partial(repository.record_use, use, counter_must_grow=must_grow) for use in uses])
            assert repository.get(b"id") == uses[-1]


class Renaming(Contract):
    """An account's credentials get labels."""

    def test_rename_answers_with_the_record(self, repository: CredentialRepository) -> None:
        """Renaming changes the label, nothing else, and returns what is stored."""
        self.add(repository, new_record(), new_record(b"other"))
        renamed = repository.rename(b"id", user_id="ada", label="Täschchen 👜")
        assert renamed == new_record(label="Täschchen 👜") == repository.get(b"id")
        assert repository.get(b"other") == new_record(b"other")

    def test_rename_to_the_same_name(self, repository: CredentialRepository) -> None:
        """A credential may be given the label it has."""
        self.add(repository, new_record(label="Phone"))
        assert repository.rename(b"id", user_id="ada", label="Phone") == new_record(label="Phone")

    @pytest.mark.parametrize(("credential_id", "user_id"), [(b"id", "bob"), (b"id", "nobody"), (b"no", "ada")])
    def test_rename_only_ones_own(self, repository: CredentialRepository, credential_id: bytes, user_id: str) -> None:
        """Another account's credential cannot be renamed, nor told from one that does not exist."""
        self.add(repository, new_record(), new_record(b"2", user_id="bob"))
        with pytest.raises(CredentialNotFound):
            repository.rename(credential_id, user_id=user_id, label="Mine")
        assert repository.get(b"id") == new_record()


class Deleting(Contract):
    """An account's credentials can be deleted, its last one only if it need not be kept."""

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
        """Another account's credential cannot be deleted, nor told from one that does not exist."""
        self.add(repository, new_record(), new_record(b"2", user_id="bob"))
        with pytest.raises(CredentialNotFound):
            repository.delete(credential_id, user_id=user_id, keep_last=keep_last)
        assert repository.get(b"id") == new_record()

    def test_the_last_one_can_be_kept(self, repository: CredentialRepository) -> None:
        """An account's only credential stays if it must be kept, whatever other accounts have."""
        self.add(repository, new_record(), new_record(b"2", user_id="bob"))
        with pytest.raises(LastCredential):
            repository.delete(b"id", user_id="ada", keep_last=True)
        assert repository.get(b"id") == new_record()
        repository.delete(b"id", user_id="ada", keep_last=False)
        assert repository.of_user("ada") == []
        assert repository.get_user_handle("ada") == handle_of("ada")

    def test_the_last_one_of_an_rp_id_can_be_kept(self, repository: CredentialRepository) -> None:
        """Credentials for other RP IDs do not stand in for the last one."""
        self.add(repository, new_record(b"1", rp_id="a.example"), new_record(b"2", rp_id="b.example"), new_record(b"3"))
        repository.delete(b"3", user_id="ada", keep_last=True, rp_ids=("a.example", ""))
        for rp_ids in (("a.example", ""), ("a.example",)):
            with pytest.raises(LastCredential):
                repository.delete(b"1", user_id="ada", keep_last=True, rp_ids=rp_ids)
        repository.delete(b"1", user_id="ada", keep_last=True)
        assert [record.id for record in repository.of_user("ada")] == [b"2"]

    def test_simultaneous_deletes_leave_one(self, repository: CredentialRepository) -> None:
        """When all of an account's credentials are deleted at once, and the last must be kept, exactly one stays."""
        for turn in range(ROUNDS):
            user_id, ids = f"user {turn}", [bytes([turn, number]) for number in range(CALLERS)]
            self.add(repository, *(new_record(id_, user_id=user_id) for id_ in ids))
            delete = partial(repository.delete, user_id=user_id, keep_last=True)
            answers = self.together([partial(delete, id_) for id_ in ids])
            [kept] = [id_ for id_, answer in zip(ids, answers, strict=True) if isinstance(answer, LastCredential)]
            assert [record.id for record in repository.of_user(user_id)] == [kept]


class Transactions(Contract):
    """All calls of a block take effect, or none."""

    def test_transaction_takes_effect_together(self, repository: CredentialRepository) -> None:
        """Calls in a block see each other's changes, and all take effect at its end."""
        with repository.transaction():
            self.add(repository, new_record(b"1"), new_record(b"2"))
            repository.rename(b"1", user_id="ada", label="Renamed")
            repository.delete(b"2", user_id="ada", keep_last=True)
            assert repository.of_user("ada") == [new_record(b"1", label="Renamed")]
        assert repository.of_user("ada") == [new_record(b"1", label="Renamed")]

    def test_transaction_undoes_everything(self, repository: CredentialRepository) -> None:
        """When a block raises, its error comes out unchanged and nothing is stored."""
        self.add(repository, new_record(b"1"), new_record(b"2"))
        error = KeyError("from the app")
        with pytest.raises(KeyError) as caught, repository.transaction():
            self.add(repository, new_record(b"3", user_id="bob"))
            repository.record_use(new_record(b"1", sign_count=5), counter_must_grow=True)
            repository.rename(b"2", user_id="ada", label="Renamed")
            repository.delete(b"1", user_id="ada", keep_last=True)
            raise error
        assert caught.value is error
        assert repository.of_user("ada") == [new_record(b"1"), new_record(b"2")]
        assert repository.get_user_handle("bob") is None
        assert repository.get(b"3") is None

    def test_inner_block_is_part_of_the_outer(self, repository: CredentialRepository) -> None:
        """An inner block is undone when the outer block raises after it."""
        with pytest.raises(KeyError), repository.transaction():
            with repository.transaction():
                self.add(repository, new_record())
            assert repository.get(b"id") == new_record()
            raise KeyError
        assert repository.get(b"id") is None

    def test_inner_block_undoes_itself(self, repository: CredentialRepository) -> None:
        """When an inner block raises and the outer one goes on, only the inner one is undone."""
        with repository.transaction():
            self.add(repository, new_record(b"1"))
            with pytest.raises(KeyError), repository.transaction():
                self.add(repository, new_record(b"2"))
                raise KeyError
            self.add(repository, new_record(b"3"))
        assert [record.id for record in repository.of_user("ada")] == [b"1", b"3"]

    def test_refusals_leave_the_transaction_usable(self, repository: CredentialRepository) -> None:
        """A block may catch a refusal and go on."""
        self.add(repository, new_record(b"1"))
        with repository.transaction():
            self.add(repository, new_record(b"2", user_id="bob"))
            with pytest.raises(CredentialExists):
                repository.add(new_record(b"1"))
            with pytest.raises(LastCredential):
                repository.delete(b"1", user_id="ada", keep_last=True)
            with pytest.raises(CredentialNotFound):
                repository.rename(b"1", user_id="bob", label="Mine")
            assert repository.record_use(new_record(b"no"), counter_must_grow=False) is None
            self.add(repository, new_record(b"3"))
        assert [record.id for record in repository.of_user("ada")] == [b"1", b"3"]
        assert repository.get(b"2") == new_record(b"2", user_id="bob")


class CredentialRepositoryContract(Accounts, Handles, Adding, Listing, Using, Renaming, Deleting, Transactions):
    """Tests that every :class:`~flask_passkey.credentials.CredentialRepository` has to pass.

    Derive from it and add a fixture ``repository``. Override ``thread_context`` if a new thread needs a context, such
    as an app context.
    """
