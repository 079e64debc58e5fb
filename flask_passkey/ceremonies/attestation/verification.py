"""Verifying a statement where an app wants to know: what it says, and what its certificates lead to."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from ...config import PasskeyConfig
from ...credentials import NO_AAGUID
from ...errors import ResponseRejected
from ..responses import quoted
from . import statements
from .anchors import Trust
from .certificates import has_path, loaded
from .claims import Claim


def verify(claim: Claim, config: PasskeyConfig, trust: Trust, now: datetime) -> None:
    """Verify a statement, and that it leads to what the app has said, if it has.

    :param now: the time at which certificates must be valid; aware.
    :raises ResponseRejected: it does not.
    """
    try:
        certificates = statements.verify(claim)
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
    proven = claim.form != "fido-u2f" or statements.named_model(certificates[0]) == claim.aaguid
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
