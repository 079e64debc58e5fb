"""What happens together."""

from __future__ import annotations

import pytest

from ..credentials import CredentialRepository
from ..errors import CredentialExists, CredentialNotFound, LastCredential
from .base import Contract, new_record


class Transactions(Contract):
    """All of a block takes effect or nothing."""

    def test_transaction_takes_effect_together(self, repository: CredentialRepository) -> None:
        """Calls in a block see each other's changes, and all take effect at its end."""
        with repository.transaction():
            self.add(repository, new_record(b"1"), new_record(b"2"))
            repository.rename(b"1", user_id="ada", label="Renamed")
            repository.delete(b"2", user_id="ada", keep_last=True)
            assert repository.of_user("ada") == [new_record(b"1", label="Renamed")]
        assert repository.of_user("ada") == [new_record(b"1", label="Renamed")]

    def test_transaction_undoes_everything(self, repository: CredentialRepository) -> None:
        """When a block raises, its error comes out unchanged and nothing has changed."""
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
        """What an inner block has done is undone when the outer block raises after it."""
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
