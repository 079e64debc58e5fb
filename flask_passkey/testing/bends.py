"""The keywords that bend a response; :mod:`flask_passkey.testing.ceremony` says when each acts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from .ceremony import AuthenticationCeremony, RegistrationCeremony


class CommonBends(TypedDict, total=False):
    """The simple keywords of both ceremonies. ``None`` leaves a member of the client data out.

    .. versionadded:: 0.1
    """

    #: Client data: ``webauthn.create`` or ``webauthn.get``.
    type: str | None
    #: Client data: base64url text.
    challenge: str | None
    origin: str | None
    cross_origin: bool | None
    top_origin: str | None
    #: The RP ID whose hash stands in the authenticator data.
    rp_id: str
    user_present: bool
    user_verified: bool
    backup_eligible: bool
    backup_state: bool
    sign_count: int
    #: Raw bytes. Of a new credential this is the ID it is kept under.
    credential_id: bytes
    #: Acts on the finished JSON.
    after: Callable[[dict[str, Any]], object]


class RegistrationBends(CommonBends, total=False):
    """The keywords of :meth:`VirtualAuthenticator.create`.

    .. versionadded:: 0.1
    """

    #: Acts before anything is signed.
    bend: Callable[[RegistrationCeremony], object]
    #: Acts after all is signed.
    tamper: Callable[[RegistrationCeremony], object]


class AuthenticationBends(CommonBends, total=False):
    """The keywords of :meth:`VirtualAuthenticator.get`.

    .. versionadded:: 0.1
    """

    #: Raw bytes; ``None`` leaves the member out.
    user_handle: bytes | None
    #: Raw bytes instead of a real signature.
    signature: bytes
    #: Acts before anything is signed.
    bend: Callable[[AuthenticationCeremony], object]
    #: Acts after all is signed.
    tamper: Callable[[AuthenticationCeremony], object]
