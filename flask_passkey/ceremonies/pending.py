"""What the server remembers between the begin and the finish of one ceremony."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec
from msgspec.structs import replace

from ..encoding import base64url_encode

SIGN_IN: Final = "sign-in"
STEP_UP: Final = "step-up"
REGISTRATION: Final = "registration"
SIGN_UP: Final = "sign-up"
ENROLMENT: Final = "enrolment"

CONDITIONAL: Final = "conditional"

# The first item of a record; another one is of another release.
_FORMAT: Final = 1


class PendingCeremony(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A ceremony that was begun. Text and numbers only, so that any store can keep it.

    Binary values are unpadded base64url text.
    """

    #: ``sign-in``, ``step-up``, ``registration``, ``sign-up`` or ``enrolment``.
    purpose: str
    #: The RP ID it was begun for.
    rp_id: str
    #: 32 random bytes.
    challenge: str
    #: ``required``, ``preferred`` or ``discouraged``, as sent to the browser.
    user_verification: str
    #: The account, where it is known already.
    user_id: str = ""
    #: The user handle of the account that gets a passkey, in a registration, sign-up or enrolment.
    user_handle: str = ""
    #: Name of the account to create, in a sign-up.
    name: str = ""
    #: Display name of the account to create, in a sign-up.
    display_name: str = ""
    #: What else its form has, by name.
    fields: dict[str, str] = {}
    #: ``conditional`` where the browser was told that it need not ask anybody, as after a password sign-in.
    mediation: str = ""
    #: Hash of the enrolment grant, in an enrolment.
    grant: str = ""
    #: What :func:`mark` makes of the credential IDs that may answer; empty for any.
    allowed: tuple[str, ...] = ()
    #: Names of the extensions that were asked for.
    extensions: tuple[str, ...] = ()
    #: The FIDO AppID that a security key may have signed for instead of the RP ID; empty if none was asked for.
    app_id: str = ""
    #: End of life in seconds since 1970, set by the store.
    expires_at: float = 0.0

    def to_json(self, *, expires_at: float) -> bytes:
        """Return compact JSON without the empty members: a list whose first item is a number.

        Another app may keep its sessions in the same store, and be asked for the session of this name. It makes a
        dictionary of what it finds, and cannot of this.

        :param expires_at: end of life in seconds since 1970.
        """
        return _encode((_FORMAT, replace(self, expires_at=expires_at)))

    @classmethod
    def from_json(cls, data: bytes) -> PendingCeremony:
        """Read what :meth:`to_json` wrote.

        :raises ValueError: it is something else.
        """
        try:  # no deeper than the types here are
            written_as, pending = _decode(data)
        except msgspec.MsgspecError as exc:  # no ValueError in older releases of msgspec
            raise ValueError("not a pending ceremony") from exc
        if written_as != _FORMAT:
            raise ValueError("not a pending ceremony of this release")
        return pending


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[int, PendingCeremony]).decode


def mark(credential_id: str) -> str:
    """Return what stands for a credential ID in a record: a few characters, however long the ID is.

    :param credential_id: as base64url text.
    """
    return base64url_encode(sha256(credential_id.encode()).digest()[:9])
