"""Who asks: what goes into the use cases."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from .accounts import UserInfo


class LastSignIn(Struct, frozen=True):
    """The last sign-in of a browser session that can be fresh: by a passkey, or confirmed by the app."""

    user_id: str
    #: Raw bytes; ``None`` where the app confirmed the user by other means.
    credential_id: bytes | None
    #: Seconds since 1970.
    at: float
    #: Did this very session delete the passkey? Then it goes on, but nothing in it is fresh.
    deleted_here: bool = False
    #: Was the person verified, by PIN, finger or face, or by the app's own check?
    user_verified: bool = False
    #: Was the user let in by a cookie that outlives sessions? Of the passkey that it goes back to nothing is known.
    remembered: bool = False


class Visitor(Struct, frozen=True):
    """Who asks."""

    #: The secrets that this browser holds: one unless its first requests raced. Ceremonies are bound to the first.
    secrets: tuple[str, ...]
    #: The app's user object; ``None`` where nobody is signed in.
    user: Any = None
    #: What the app tells of that user; ``None`` where nobody is signed in.
    info: UserInfo | None = None
    #: The last sign-in of this session that can be fresh.
    last_sign_in: LastSignIn | None = None
    #: Id of the user who may be given a passkey without being asked, as the app has just let them in by password.
    conditional_user_id: str = ""
    #: Was the user refused lately because their sign-in had not verified them? Then their next step-up has to.
    wants_verification: bool = False

    @property
    def user_id(self) -> str:
        """Id of the signed-in user; empty where nobody is signed in."""
        return "" if self.info is None else self.info.id

    @property
    def own_last_sign_in(self) -> LastSignIn | None:
        """The last sign-in, if it was the signed-in user's."""
        last = self.last_sign_in
        return last if last is not None and self.info is not None and last.user_id == self.info.id else None

    @property
    def current(self) -> bytes | None:
        """ID of the credential that this session signed in with last."""
        return None if self.last_sign_in is None else self.last_sign_in.credential_id
