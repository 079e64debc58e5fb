"""Which models of authenticators may register, and whether an authenticator is what it says.

Section 7.1, steps 21 to 24. A statement decides only where the app has said what it must lead to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cryptography import x509

from ...config import PasskeyConfig
from ...errors import ResponseRejected
from ..responses import quoted
from .certificates import has_path, loaded
from .claims import Claim
from .statements import NO_AAGUID, named_model, verify


class Metadata(Protocol):
    """What is known of models of authenticators."""

    def roots(self, aaguid: str) -> Sequence[bytes]:
        """Return the DER certificates that vouch for a model.

        :raises ResponseRejected: the model is unknown or must not be trusted.
        """


@dataclass(frozen=True, slots=True)
class Trust:
    """What attestation statements must lead to."""

    #: DER certificates for each attestation statement format. They need not be roots.
    roots: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    metadata: Metadata | None = None

    def __bool__(self) -> bool:
        return bool(self.roots) or self.metadata is not None


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
    try:
        _verify(claim, config, trust, now)
    except ResponseRejected:
        if trust:
            raise
        return False
    return True


def _verify(claim: Claim, config: PasskeyConfig, trust: Trust, now: datetime) -> None:
    try:
        certificates = verify(claim)
        if trust:
            _check_trusted(claim, certificates, config, trust, now)
    except ResponseRejected:
        raise
    except Exception as exc:  # a verdict on bytes an attacker chose, in readers that raise builtins as well
        raise ResponseRejected(f"the attestation did not verify: {quoted(exc)}") from exc


def _check_trusted(
    claim: Claim, certificates: list[x509.Certificate], config: PasskeyConfig, trust: Trust, now: datetime
) -> None:
    if not certificates:
        raise ResponseRejected("the attestation has no certificate, and the app wants to know the model")
    proven = claim.form != "fido-u2f" or named_model(certificates[0]) == claim.aaguid
    if not proven and claim.aaguid != NO_AAGUID and config.allowed_aaguids:
        raise ResponseRejected("attestation of U2F cannot prove a model, and PASSKEY_ALLOWED_AAGUIDS wants one")
    known = [*trust.roots.get(claim.form, ())]
    if trust.metadata:
        roots = trust.metadata.roots(claim.aaguid)
        known += roots if proven else ()
    if not known:
        raise ResponseRejected(f"no root is known for attestation of format {quoted(claim.form)}")
    if not has_path(certificates, loaded(known), now=now):
        raise ResponseRejected("the attestation certificate does not lead to one that is trusted for this model")
