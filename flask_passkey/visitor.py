"""Who asks: what goes into the use cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LastSignIn:
    """A passkey sign-in that this browser session did."""

    user_id: str
    credential_id: bytes
    #: Seconds since 1970.
    at: float


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is asking."""

    #: The secrets this browser holds, one unless its first requests raced.
    secrets: tuple[str, ...]
    #: The app's user object, or ``None``.
    user: Any = None
    #: The last passkey sign-in of this session, or ``None``.
    last_sign_in: LastSignIn | None = None
    #: Id of the user whom the app has just let in with a password, and who may be given a passkey unasked.
    conditional_user_id: str = ""
