"""Enrolment grants: whoever holds one may add one passkey to one account, once.

They are the way back for people who lost every passkey, the way in for those who are invited, and what a help desk
hands out. A grant opens no session: its bearer signs in with the new passkey afterwards. It is kept as a hash only, so
whoever reads the database can use none.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from . import signals
from .accounts import Accounts, UserInfo
from .credentials import (
    GRANT_METHODS,
    INVITATION,
    RECOVERY_CODE,
    CredentialRepository,
    GrantRecord,
    GrantRepository,
)
from .errors import ConfigurationError, GrantNotFound
from .holders import user_handle_of

#: How long an invitation is good unless told otherwise.
LIFETIME = timedelta(hours=24)
#: Recovery codes that one person may have at a time.
MAX_CODES = 50

# What is behind the # of a link.
_LINK = r"[A-Za-z0-9_-]{43}"
_CODE = r"[0-9A-Za-z]{16}"
# Digits and letters without I, L, O and U; 16 of them have 80 bits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011")
# Spaces and dashes, as people and word processors write them.
_BETWEEN = r"[\s\u2010-\u2015-]+"


@dataclass(frozen=True, slots=True, eq=False)
class Invitation:
    """What an app hands to one person. It cannot be shown again: the token is kept nowhere."""

    #: 43 characters; good for one passkey.
    token: str = field(repr=False)
    #: From then on it is good for nothing.
    expires_at: datetime
    #: The account that it is for.
    info: UserInfo
    #: The app's page with the token in its fragment, which browsers send to no server; empty where no page is known.
    url: str = field(default="", repr=False)


class Grants:
    """Makes, finds, claims and withdraws the grants of one app.

    :param rp_id: what all of them are made for.
    :param sender: the sender of signals.
    :param clock: the time, aware.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        credentials: CredentialRepository,
        rp_id: str,
        sender: object,
        clock: Callable[[], datetime],
    ) -> None:
        self._accounts = accounts
        self._credentials = credentials
        self._rp_id = rp_id
        self._sender = sender
        self._clock = clock

    def invite(self, user: Any, *, lifetime: timedelta | float = LIFETIME, page: str = "") -> Invitation:
        """Make a grant for a link.

        :param user: the app's user object.
        :param lifetime: how long it is good, as a ``timedelta`` or in seconds.
        :param page: the address of the app's page that takes it; one with a ``#`` gets the token at its end.
        :raises ValueError: the lifetime is not longer than nothing.
        :raises ConfigurationError: the credential repository keeps no grants.
        """
        span = lifetime if isinstance(lifetime, timedelta) else timedelta(seconds=lifetime)
        if span <= timedelta(0):
            raise ValueError(f"a lifetime of {span} is over before it begins")
        token, info, now = secrets.token_urlsafe(32), self._accounts.describe(user), self._clock()
        expires_at = now + span
        with self._repository.transaction():
            self._add(info, [token], kind=INVITATION, created_at=now, expires_at=expires_at)
        self._tell_invited(user, info.id, kind=INVITATION, count=1, expires_at=expires_at)
        return Invitation(token, expires_at, info, f"{page}{'' if '#' in page else '#'}{token}" if page else "")

    def recovery_codes(self, user: Any, *, count: int = 8) -> list[str]:
        """Make grants without a time limit, as codes to be printed; earlier codes of the account are good no more.

        :param user: the app's user object.
        :param count: 1 to 50.
        :raises ValueError: the count is something else.
        :raises ConfigurationError: the credential repository keeps no grants.
        """
        if not 1 <= count <= MAX_CODES:
            raise ValueError(f"{count} is not a number of codes from 1 to {MAX_CODES}")
        info, codes = self._accounts.describe(user), [_new_code() for _ in range(count)]
        with self._repository.transaction():
            self._repository.delete_grants(info.id, kind=RECOVERY_CODE, rp_id=self._rp_id)
            self._add(info, codes, kind=RECOVERY_CODE, created_at=self._clock())
        self._tell_invited(user, info.id, kind=RECOVERY_CODE, count=count, expires_at=None)
        return codes

    def withdraw(self, user: Any, *, kind: str | None = None) -> int:
        """Take back an account's grants that were not used yet, and return how many.

        :param user: the app's user object.
        :param kind: only ``invitation`` or ``recovery-code``.
        """
        if not self.are_kept:
            return 0
        user_id = self._accounts.describe(user).id
        count = self._repository.delete_grants(user_id, kind=kind)
        if count:
            audit = {"user_id": user_id}
            signals.send(signals.withdrawn, self._sender, audit=audit, user=user, kind=kind, count=count)
        return count

    def of_user(self, user_id: str) -> list[GrantRecord]:
        """Return an account's grants that can still be used, oldest first."""
        grants = self._repository.grants_of(user_id) if self.are_kept else []
        return [grant for grant in grants if self._is_good(grant)]

    def find(self, token: str) -> GrantRecord:
        """Return the grant of a token or code that can still be used. It is not spent by that.

        :raises GrantNotFound: it is unknown, used, expired, withdrawn, or another relying party's.
        """
        grant = self._repository.get_grant(hash_of(token)) if self.are_kept else None
        if grant is None or not self._is_good(grant):
            raise GrantNotFound("no grant with this token is open")
        return grant

    def claim(self, token_hash: bytes) -> GrantRecord:
        """Spend a grant in the caller's transaction; of simultaneous callers one gets it.

        :raises GrantNotFound: it was used or withdrawn in the meantime, or is expired.
        """
        grant = self._repository.get_grant(token_hash)
        if grant is None or not self._repository.claim_grant(token_hash, now=self._clock()):
            raise GrantNotFound("the grant was used, withdrawn or expired in the meantime")
        return grant

    def _add(self, info: UserInfo, tokens: Sequence[str], **about: Any) -> None:
        """Store the grants of one account, which has a user handle then."""
        user_handle_of(self._repository, info.id)
        about |= {"user_id": info.id, "identity": info.identity or None, "rp_id": self._rp_id}
        for token in tokens:
            self._repository.add_grant(GrantRecord(token_hash=hash_of(token), **about))

    def _tell_invited(self, user: Any, user_id: str, **about: Any) -> None:
        signals.send(signals.invited, self._sender, audit={"user_id": user_id}, user=user, **about)

    def _is_good(self, grant: GrantRecord) -> bool:
        return grant.rp_id == self._rp_id and not grant.is_expired(self._clock())

    @property
    def are_kept(self) -> bool:
        """Can the credential repository keep grants? One of the app's own need not."""
        return all(hasattr(self._credentials, name) for name in GRANT_METHODS)

    @property
    def _repository(self) -> GrantRepository:
        if not self.are_kept:
            missing = ", ".join(f"{name}()" for name in GRANT_METHODS if not hasattr(self._credentials, name))
            raise ConfigurationError(
                f"{type(self._credentials).__name__} keeps no enrolment grants. Add {missing} to it, as in "
                "flask_passkey.GrantRepository, or leave out Passkey(credentials=…)."
            )
        return cast(GrantRepository, self._credentials)


def hash_of(token: str) -> bytes:
    """Return the hash under which a token or a code is kept, however people have typed the code.

    What is neither gets a hash that nothing is kept under, so that the same work follows.
    """
    text = token.strip()
    code = re.sub(_BETWEEN, "", text)
    if re.fullmatch(_LINK, text) is None:
        text = code.upper().translate(_MISREAD) if re.fullmatch(_CODE, code) else ""
    return hashlib.sha256(text.encode()).digest()


def _new_code() -> str:
    """Make a code of 80 random bits that can be read aloud and typed: ``4F7K-9QWX-0M2N-TRVB``."""
    characters = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(characters[start : start + 4] for start in range(0, 16, 4))
