"""The promises of a repository that keeps enrolment grants: each is used once, in time, with all that belongs to it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any

import pytest

from ..credentials import INVITATION, RECOVERY_CODE, GrantRecord, GrantRepository
from .base import CALLERS, NOON, ROUNDS, Contract, handle_of, new_record

LATER = NOON + timedelta(hours=24)
#: The shortest time that a database must be able to tell.
MOMENT = timedelta(microseconds=1)


def new_grant(name: str = "grant", *, user_id: str = "ada", **changes: Any) -> GrantRecord:
    """Return a grant like those of an invitation, with some fields changed."""
    values: dict[str, Any] = {
        "token_hash": sha256(name.encode()).digest(),
        "user_id": user_id,
        "rp_id": "localhost",
        "kind": INVITATION,
        "created_at": NOON,
        "expires_at": LATER,
    }
    return GrantRecord(**values | changes)


class GrantRepositoryContract(Contract):
    """Tests that every :class:`~flask_passkey.credentials.GrantRepository` has to pass, beside those of credentials.

    Derive from it and add a fixture ``repository``; override ``thread_context`` where a new thread needs one, such as
    an app context.
    """

    @pytest.fixture
    def repository(self) -> GrantRepository:
        """Return the repository to test, empty. Yours takes the place of this one."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture named repository")

    def give(self, repository: GrantRepository, *grants: GrantRecord) -> None:
        """Store grants, and give their accounts user handles."""
        for grant in grants:
            repository.add_user(grant.user_id, handle_of(grant.user_id))
            repository.add_grant(grant)

    def test_grant_comes_back_as_it_was(self, repository: GrantRepository) -> None:
        """Every field of a grant comes back equal, with and without a time limit."""
        bounded, endless = new_grant("1"), new_grant("2", rp_id="a.example", kind=RECOVERY_CODE, expires_at=None)
        self.give(repository, bounded, endless)
        assert repository.get_grant(bounded.token_hash) == bounded
        assert repository.get_grant(endless.token_hash) == endless
        assert {type(value) for value in (bounded.token_hash, bounded.user_id)} == {bytes, str}

    def test_unknown_grant(self, repository: GrantRepository) -> None:
        """There is nothing under a hash that nothing was stored under, not even a part of one, and nothing to claim."""
        self.give(repository, new_grant())
        for token_hash in (b"", b"\0" * 32, new_grant("other").token_hash, new_grant().token_hash[:-1]):
            assert repository.get_grant(token_hash) is None
            assert not repository.claim_grant(token_hash, now=NOON)
        assert repository.get_grant(new_grant().token_hash) == new_grant()

    def test_claimed_once(self, repository: GrantRepository) -> None:
        """A grant is gone after its claim, and others are not."""
        first, second = new_grant("1"), new_grant("2")
        self.give(repository, first, second)
        assert repository.claim_grant(first.token_hash, now=NOON)
        assert not repository.claim_grant(first.token_hash, now=NOON)
        assert repository.get_grant(first.token_hash) is None
        assert repository.grants_of("ada") == [second]

    def test_claimed_in_time(self, repository: GrantRepository) -> None:
        """A grant can be claimed until its time is up, to the microsecond; one without a limit at any time."""
        late, endless = new_grant("1"), new_grant("2", expires_at=None)
        self.give(repository, late, endless)
        assert not repository.claim_grant(late.token_hash, now=LATER)
        assert not repository.claim_grant(late.token_hash, now=LATER + timedelta(days=400))
        assert repository.claim_grant(late.token_hash, now=LATER - MOMENT)
        assert repository.claim_grant(endless.token_hash, now=LATER + timedelta(days=36_500))

    def test_one_of_many_gets_it(self, repository: GrantRepository) -> None:
        """Of callers that claim a grant at the same time exactly one is told that it has it."""
        for turn in range(ROUNDS):
            grant = new_grant(str(turn))
            self.give(repository, grant)
            answers = self.together([partial(repository.claim_grant, grant.token_hash, now=NOON)] * CALLERS)
            assert Counter(answers) == {True: 1, False: CALLERS - 1}

    def test_claim_is_undone_with_the_rest(self, repository: GrantRepository) -> None:
        """A claim in a block that raises is undone, with the credential that was added for it."""
        self.give(repository, new_grant())
        with pytest.raises(KeyError), repository.transaction():
            assert repository.claim_grant(new_grant().token_hash, now=NOON)
            repository.add(new_record())
            raise KeyError
        assert repository.get(b"id") is None
        assert repository.get_grant(new_grant().token_hash) == new_grant()
        assert repository.claim_grant(new_grant().token_hash, now=NOON)

    def test_one_of_many_enrols(self, repository: GrantRepository) -> None:
        """Of callers that each claim a grant and add a credential for it, exactly one has both."""

        def enrol(token_hash: bytes, credential_id: bytes) -> bool:
            with repository.transaction():
                if not repository.claim_grant(token_hash, now=NOON):
                    return False
                repository.add(new_record(credential_id))
                return True

        for turn in range(ROUNDS):
            grant = new_grant(str(turn))
            self.give(repository, grant)
            calls = [partial(enrol, grant.token_hash, bytes([turn, caller])) for caller in range(CALLERS)]
            assert Counter(self.together(calls)) == {True: 1, False: CALLERS - 1}
            assert len(repository.of_user("ada")) == turn + 1

    def test_list_has_ones_own_oldest_first(self, repository: GrantRepository) -> None:
        """An account's grants are listed oldest first, expired ones too; nobody else's is there."""
        grants = [new_grant(f"{n}", created_at=NOON + n * MOMENT, expires_at=NOON + n * MOMENT) for n in range(3)]
        self.give(repository, new_grant("bob", user_id="bob"), new_grant("Ada", user_id="Ada"))
        for grant in reversed(grants):
            self.give(repository, grant)
        assert repository.grants_of("ada") == grants
        assert repository.grants_of("nobody") == []

    def test_expired_ones_do_not_pile_up(self, repository: GrantRepository) -> None:
        """A new grant of an account takes the place of those that expired, and of no others."""
        endless, bob = new_grant("2", expires_at=None), new_grant("3", user_id="bob")
        self.give(repository, new_grant("1"), endless, bob)
        new = new_grant("4", created_at=LATER, expires_at=LATER + timedelta(hours=1))
        self.give(repository, new)
        assert repository.grants_of("ada") == [endless, new]
        assert repository.grants_of("bob") == [bob]

    def test_delete_grants(self, repository: GrantRepository) -> None:
        """An account's grants are deleted, all or of a kind or for an RP ID, and counted; credentials stay."""
        other = {"rp_id": "other.example"}
        self.give(repository, new_grant("1"), new_grant("2", **other), new_grant("3", kind=RECOVERY_CODE, **other))
        self.give(repository, new_grant("4"), new_grant("bob", user_id="bob"))
        self.add(repository, new_record())
        assert repository.delete_grants("ada", kind=RECOVERY_CODE, rp_id="localhost") == 0
        assert repository.delete_grants("ada", kind=RECOVERY_CODE) == 1
        assert repository.delete_grants("ada", rp_id="other.example") == 1
        assert repository.delete_grants("ada") == 2
        assert repository.delete_grants("ada") == 0
        assert repository.grants_of("ada") == []
        assert repository.grants_of("bob") == [new_grant("bob", user_id="bob")]
        assert repository.of_user("ada") == [new_record()]

    def test_go_with_their_account(self, repository: GrantRepository) -> None:
        """When an account is forgotten its grants are, too; nobody else's."""
        self.give(repository, new_grant(), new_grant("bob", user_id="bob"))
        repository.delete_user("ada")
        assert repository.get_grant(new_grant().token_hash) is None
        assert not repository.claim_grant(new_grant().token_hash, now=NOON)
        repository.add_user("ada", handle_of("ada"))
        assert repository.grants_of("ada") == []
        assert repository.get_grant(new_grant("bob").token_hash) is not None
