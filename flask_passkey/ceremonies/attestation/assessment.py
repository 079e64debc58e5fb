"""Which models of authenticators may register, and whether an authenticator is what it says.

Section 7.1, steps 21 to 24. A statement decides only where the app has said what it must lead to.
"""

from __future__ import annotations

from datetime import datetime

from ...config import PasskeyConfig
from ...errors import ResponseRejected
from .anchors import Trust
from .claims import Claim


def check_model(aaguid: str, config: PasskeyConfig) -> None:
    """Check a model against the app's lists.

    Unless attestation is asked for and trusted, it is the authenticator's own word.

    :raises ResponseRejected: it is denied, or not among the allowed.
    """
    if aaguid in config.denied_aaguids:
        raise ResponseRejected(f"AAGUID {aaguid} is in PASSKEY_DENIED_AAGUIDS")
    if config.allowed_aaguids and aaguid not in config.allowed_aaguids:
        raise ResponseRejected(f"AAGUID {aaguid} is not in PASSKEY_ALLOWED_AAGUIDS")


def assess(claim: Claim, config: PasskeyConfig, trust: Trust, now: datetime) -> bool | None:
    """Verify a statement as far as the app wants to know.

    :param now: the time at which certificates must be valid; aware.
    :returns: whether it verified, which without ``trust`` says nothing of its maker; ``None`` if nobody asked.
    :raises ResponseRejected: the app has said what it must lead to, and it does not.
    """
    if not trust and config.attestation == "none":
        return None
    from .verification import verify  # here, as most apps do not want to know

    try:
        verify(claim, config, trust, now)
    except ResponseRejected:
        if trust:
            raise
        return False
    return True
