"""What the specification leaves to the relying party: signature counters, backup flags, public keys.

Each policy has a setting with a safe default; see :class:`~flask_passkey.config.PasskeyConfig`.
"""

from __future__ import annotations

from msgspec import Struct

from ..config import PasskeyConfig
from ..credentials import CredentialRecord, counter_grows
from ..errors import ResponseRejected


class AuthenticatorState(Struct, frozen=True):
    """What verified authenticator data say: flags and counter."""

    sign_count: int
    backup_eligible: bool
    backup_state: bool


def counter_must_grow(record: CredentialRecord, state: AuthenticatorState, config: PasskeyConfig) -> bool:
    """Tell whether a counter that does not grow is refused for such a credential.

    Synced passkeys live on several devices whose counters need not agree, so by default only those that
    cannot be synced are held to it (section 6.1.1). One that says so only now is not synced yet: a copy of a
    security key's secret does not escape by turning the flag on.
    """
    synced = record.backup_eligible and state.backup_eligible
    return config.counter_policy == "always" or (config.counter_policy == "device-bound" and not synced)


def counter_regressed(record: CredentialRecord, state: AuthenticatorState, config: PasskeyConfig) -> bool:
    """Compare the counter with the stored one (section 7.2 step 22): a copy of the key may be in use.

    :returns: whether it failed to grow, where that is only reported.
    :raises ResponseRejected: it failed to grow, where that is refused.
    """
    regressed = not counter_grows(record.sign_count, state.sign_count)
    if regressed and counter_must_grow(record, state, config):
        raise ResponseRejected(
            f"signature counter {state.sign_count} after {record.sign_count}; see PASSKEY_COUNTER_POLICY"
        )
    return regressed


def backup_eligibility_changed(record: CredentialRecord, state: AuthenticatorState, config: PasskeyConfig) -> bool:
    """Compare the BE flag with the stored one (section 7.2 step 19).

    It should never change, yet some password managers turned it on with an update, and their users would be
    locked out: ``upgrade`` accepts that once, since the stored flag then stays on. Only of a passkey that does not
    count, as those of password managers do not: a copy of a security key's secret could else turn its counter off,
    and lock out the key, which goes on to say that it cannot be synced.

    :returns: whether it changed, where that is accepted.
    :raises ResponseRejected: it changed, where that is refused.
    """
    changed = record.backup_eligible != state.backup_eligible
    counts = record.sign_count > 0 or state.sign_count > 0
    upgraded = config.backup_policy == "upgrade" and state.backup_eligible and not counts
    if changed and not upgraded and config.backup_policy != "any":
        raise ResponseRejected("the backup eligible flag changed; see PASSKEY_BACKUP_POLICY")
    return changed
