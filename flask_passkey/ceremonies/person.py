"""What a response says about the person, for apps that decide by it or tell an OpenID client."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from .authenticator_data import AuthenticatorData
from .responses import AuthenticatorResponse

#: The values that section 5.4.5 knows.
_ATTACHMENTS = ("platform", "cross-platform")


class Person(Struct, frozen=True, kw_only=True):
    """What a verified response says about the person and what they hold."""

    #: The UV flag: a PIN, finger or face was asked for; which of them is not told.
    user_verified: bool
    #: The BS flag: the passkey has a copy elsewhere.
    backed_up: bool
    #: See :func:`amr`.
    amr: tuple[str, ...]
    #: ``platform`` or ``cross-platform``: how the client reached the authenticator. Nobody signs it, so it is good for
    #: words and icons, not for decisions.
    authenticator_attachment: str | None

    @classmethod
    def read(cls, data: AuthenticatorData, response: AuthenticatorResponse, *, uv_initialized: bool = True) -> Person:
        """Read it in a response that verified.

        :param uv_initialized: of the record, in a sign-in.
        """
        methods = amr(
            user_present=data.user_present,
            user_verified=data.user_verified and uv_initialized,
            backup_eligible=data.backup_eligible,
        )
        return cls(
            user_verified=data.user_verified,
            backed_up=data.backup_state,
            amr=methods,
            authenticator_attachment=_attachment(response),
        )

    def members(self) -> dict[str, Any]:
        """Return all of it by name."""
        return asdict(self)


def amr(*, user_present: bool, user_verified: bool, backup_eligible: bool) -> tuple[str, ...]:
    """Return authentication methods in the words of `RFC 8176 <https://www.rfc-editor.org/rfc/rfc8176#section-2>`_.

    ========  =======================================  =========================================================
    value     RFC 8176                                 when
    ========  =======================================  =========================================================
    ``hwk``   possession of a key that hardware holds  the passkey cannot be backed up (BE is off)
    ``swk``   possession of a key that software holds  it can: a copy may be on other devices, or in a cloud
    ``user``  the user was present                     UP is on, as it always is in a sign-in
    ``mfa``   more than one factor                     UV is on, and was at the registration: a PIN, finger or face
                                                       beside the possession
    ========  =======================================  =========================================================

    Never there: ``pin``, ``fpt``, ``face`` and the like, as the response does not tell which of them it was; ``pop`` is
    not in the RFC, for providers that want that word for either kind of key. The flags are what the authenticator says:
    that a key is in hardware is proven by attestation only. ``authenticator_attachment`` changes nothing here: nobody
    signs it. Where UV was off at the registration, a finder of the device may have set the PIN, so UV must not count as
    a factor (section 4, ``uvInitialized``).

    :param user_verified: as a factor.
    """
    values = ["swk" if backup_eligible else "hwk"]
    if user_present:
        values.append("user")
    if user_verified:
        values.append("mfa")
    return tuple(values)


def _attachment(response: AuthenticatorResponse) -> str | None:
    """Return the client's word for the authenticator; values that we do not know count as none (section 5.1)."""
    value: Any = response.json.get("authenticatorAttachment")
    return value if value in _ATTACHMENTS else None
