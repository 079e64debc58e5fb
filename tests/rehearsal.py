"""Ceremonies without a server: the functions that begin and finish them, and a browser to play with.

A keyword that is not named here goes to the browser and bends its response; see
:class:`flask_passkey.testing.VirtualAuthenticator`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings

from flask_passkey.ceremonies import authentication, registration
from flask_passkey.ceremonies.attestation import Trust
from flask_passkey.ceremonies.authentication import Authenticated
from flask_passkey.ceremonies.pending import PendingCeremony
from flask_passkey.ceremonies.registration import Registration
from flask_passkey.config import PasskeyConfig
from flask_passkey.credentials import CredentialRecord
from flask_passkey.testing import VirtualAuthenticator

RP_ID = "example.com"
ORIGIN = "https://example.com"
ADA, BOB = "1", "2"
HANDLES = {ADA: bytes(range(64)), BOB: bytes(range(64, 128))}
#: For Hypothesis: enough examples to find something, on a machine as slow as it may be.
EXAMPLES = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
REGISTERED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ANYBODY = Trust()
USED = REGISTERED + timedelta(days=1)


def configured(**changes: Any) -> PasskeyConfig:
    """Return the settings of a site at https://example.com."""
    return PasskeyConfig(**{"rp_id": RP_ID, "rp_name": "Example", "origins": (ORIGIN,)} | changes)


CONFIG = configured()

#: What clients have sent as ``tokenBinding``, and more; Level 3 only reserves the member.
TOKEN_BINDINGS: list[Any] = [
    {"status": "not-supported"}, {"status": "of-the-future"}, {"status": "present", "id": "AAAA"},
    {"status": "present"}, {"status": "supported"}, {"status": None}, {"status": {"status": []}}, {}, [],
    "unused", "", None, 5, False,
]  # fmt: skip


def browser(**traits: Any) -> VirtualAuthenticator:
    """Return a browser on the site, with an authenticator."""
    return VirtualAuthenticator(ORIGIN, shared_rsa_key=True, **traits)


def begin_registration(config: PasskeyConfig = CONFIG, **changes: Any) -> tuple[dict[str, Any], PendingCeremony]:
    """Begin to add a passkey to Ada's account."""
    account = {"name": "ada", "display_name": "Ada", "user_handle": HANDLES[ADA], "user_id": ADA}
    return registration.begin(**{"config": config} | account | changes)


def finish_registration(
    pending: PendingCeremony,
    response: object,
    *,
    config: PasskeyConfig = CONFIG,
    user_id: str = ADA,
    trust: Trust = ANYBODY,
) -> CredentialRecord:
    """Finish adding a passkey."""
    return assess_registration(pending, response, config=config, user_id=user_id, trust=trust).record


def assess_registration(
    pending: PendingCeremony,
    response: object,
    *,
    config: PasskeyConfig = CONFIG,
    user_id: str = ADA,
    trust: Trust = ANYBODY,
) -> Registration:
    """Finish adding a passkey, and tell what became of its attestation."""
    return registration.finish(
        pending, response, config=config, label="My passkey", user_id=user_id, now=REGISTERED, trust=trust
    )


def register(
    authenticator: VirtualAuthenticator,
    *,
    config: PasskeyConfig = CONFIG,
    user_id: str = ADA,
    trust: Trust = ANYBODY,
    **bends: Any,
) -> CredentialRecord:
    """Add a passkey to an account, from begin to finish."""
    return attest(authenticator, config=config, user_id=user_id, trust=trust, **bends).record


def attest(
    authenticator: VirtualAuthenticator,
    *,
    config: PasskeyConfig = CONFIG,
    user_id: str = ADA,
    trust: Trust = ANYBODY,
    **bends: Any,
) -> Registration:
    """Add a passkey to an account, and tell what became of its attestation."""
    options, pending = begin_registration(config, user_id=user_id, user_handle=HANDLES[user_id])
    response = authenticator.create(options, **bends)
    return assess_registration(pending, response, config=config, user_id=user_id, trust=trust)


def finish_sign_in(
    pending: PendingCeremony, response: object, record: CredentialRecord, *, config: PasskeyConfig = CONFIG
) -> Authenticated:
    """Read a response and verify it with a record."""
    read = authentication.read(pending, response, config=config)
    return authentication.finish(pending, read, record, config=config, now=USED)


def sign_in(
    authenticator: VirtualAuthenticator, record: CredentialRecord, *, config: PasskeyConfig = CONFIG, **bends: Any
) -> Authenticated:
    """Sign in without a name, from begin to finish."""
    options, pending = authentication.begin(config=config)
    return finish_sign_in(pending, authenticator.get(options, **bends), record, config=config)


def begin_step_up(records: Sequence[CredentialRecord]) -> tuple[dict[str, Any], PendingCeremony]:
    """Begin a step-up of the account that has these records."""
    return authentication.begin(
        config=CONFIG,
        user_id=records[0].user_id,
        allowed=[authentication.descriptor(record) for record in records],
    )


def step_up(
    authenticator: VirtualAuthenticator,
    records: Sequence[CredentialRecord],
    record: CredentialRecord,
    **bends: Any,
) -> Authenticated:
    """Step up with one record in an account that has these, from begin to finish."""
    options, pending = begin_step_up(records)
    return finish_sign_in(pending, authenticator.get(options, **bends), record)
