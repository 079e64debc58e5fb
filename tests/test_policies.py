"""The policies: counter and backup flags, in all their combinations."""

from __future__ import annotations

import dataclasses

import pytest
from rehearsal import browser, configured, register, sign_in

from flask_passkey.ceremonies.policies import (
    AuthenticatorState,
    backup_eligibility_changed,
    counter_must_grow,
    counter_regressed,
)
from flask_passkey.credentials import CredentialRecord
from flask_passkey.errors import ResponseRejected

GROWS = {(0, 0): True, (0, 1): True, (4, 5): True, (5, 4): False, (5, 0): False, (5, 5): False}
REFUSED, REPORTED, ACCEPTED = "refused", "reported", "accepted"


@pytest.fixture(scope="module")
def registered() -> CredentialRecord:
    """Return a record to change."""
    return register(browser())


def outcome_of_counter(record: CredentialRecord, state: AuthenticatorState, policy: str) -> str:
    """Return what becomes of a sign-in by its counter."""
    try:
        regressed = counter_regressed(record, state, configured(counter_policy=policy))
    except ResponseRejected as refusal:
        assert "PASSKEY_COUNTER_POLICY" in refusal.reason
        return REFUSED
    return REPORTED if regressed else ACCEPTED


@pytest.mark.proves("threats:copied-key", "specification:7.1.18", "specification:7.2.22")
@pytest.mark.parametrize("counters", GROWS, ids=str)
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("now", [False, True])
@pytest.mark.parametrize("policy", ["device-bound", "always", "never"])
def test_counter_policy(
    registered: CredentialRecord, counters: tuple[int, int], before: bool, now: bool, policy: str
) -> None:
    """A counter that does not grow is refused or reported, by policy and by whether the passkey was and is synced."""
    stored, received = counters
    record = dataclasses.replace(registered, sign_count=stored, backup_eligible=before)
    state = AuthenticatorState(received, now, now)
    strict = {"always": True, "never": False, "device-bound": not (before and now)}[policy]
    expected = ACCEPTED if GROWS[counters] else REFUSED if strict else REPORTED
    assert counter_must_grow(record, state, configured(counter_policy=policy)) is strict
    assert outcome_of_counter(record, state, policy) == expected


@pytest.mark.proves("specification:7.2.22")
def test_turning_synced_does_not_excuse_the_counter() -> None:
    """A security key's copy does not escape the counter by claiming to be synced, also where the flag may change."""
    authenticator = browser(default_backup_eligibility=False, default_backup_state=False)
    record = register(authenticator, sign_count=5)
    config = configured(backup_policy="any")
    with pytest.raises(ResponseRejected, match="PASSKEY_COUNTER_POLICY"):
        sign_in(authenticator, record, config=config, sign_count=5, backup_eligible=True, backup_state=True)
    turned = sign_in(authenticator, record, config=config, sign_count=6, backup_eligible=True)
    assert turned.events == ("backup-eligibility-changed",)


OUTCOMES_OF_BACKUP = {
    ("upgrade", False, False): ACCEPTED,
    ("upgrade", False, True): REPORTED,
    ("upgrade", True, False): REFUSED,
    ("upgrade", True, True): ACCEPTED,
    ("fixed", False, False): ACCEPTED,
    ("fixed", False, True): REFUSED,
    ("fixed", True, False): REFUSED,
    ("fixed", True, True): ACCEPTED,
    ("any", False, False): ACCEPTED,
    ("any", False, True): REPORTED,
    ("any", True, False): REPORTED,
    ("any", True, True): ACCEPTED,
}


@pytest.mark.proves("specification:7.2.19")
@pytest.mark.parametrize(("policy", "before", "now"), OUTCOMES_OF_BACKUP)
def test_backup_policy(registered: CredentialRecord, policy: str, before: bool, now: bool) -> None:
    """Each of the four transitions of the "can be synced" flag is accepted, reported or refused as the policy says."""
    record = dataclasses.replace(registered, backup_eligible=before)
    state = AuthenticatorState(0, now, False)
    try:
        changed = backup_eligibility_changed(record, state, configured(backup_policy=policy))
    except ResponseRejected as refusal:
        assert "PASSKEY_BACKUP_POLICY" in refusal.reason
        outcome = REFUSED
    else:
        outcome = REPORTED if changed else ACCEPTED
    assert outcome == OUTCOMES_OF_BACKUP[policy, before, now]


@pytest.mark.parametrize(("policy", "before", "now"), OUTCOMES_OF_BACKUP)
def test_backup_policy_in_a_sign_in(policy: str, before: bool, now: bool) -> None:
    """The same in whole sign-ins: the record takes over the flag where the change is accepted."""
    authenticator = browser(default_backup_eligibility=before, default_backup_state=False)
    config = configured(backup_policy=policy)
    record = register(authenticator, config=config)
    expected = OUTCOMES_OF_BACKUP[policy, before, now]
    if expected == REFUSED:
        with pytest.raises(ResponseRejected, match="PASSKEY_BACKUP_POLICY"):
            sign_in(authenticator, record, config=config, backup_eligible=now)
        return
    verified = sign_in(authenticator, record, config=config, backup_eligible=now)
    assert verified.record.backup_eligible is now
    assert verified.events == (("backup-eligibility-changed",) if expected == REPORTED else ())


@pytest.mark.proves("threats:counter-switched-off", "specification:7.2.19")
@pytest.mark.parametrize(("stored", "sent"), [(5, 6), (5, 100), (0, 1), (0, 2**32 - 1), (5, 0)])
@pytest.mark.parametrize("counter_policy", ["device-bound", "always", "never"])
def test_a_passkey_that_counts_is_not_upgraded(stored: int, sent: int, counter_policy: str) -> None:
    """With ``upgrade`` a copy that says to be synced is refused where either counter is not 0; its owner is not."""
    authenticator = browser(default_backup_eligibility=False, default_backup_state=False)
    record = register(authenticator, sign_count=stored)
    config = configured(counter_policy=counter_policy)
    with pytest.raises(ResponseRejected, match=r"PASSKEY_(BACKUP|COUNTER)_POLICY"):
        sign_in(authenticator, record, config=config, sign_count=sent, backup_eligible=True)
    assert sign_in(authenticator, record, config=config, sign_count=stored + 1).record.backup_eligible is False


def test_upgrade_is_accepted_once() -> None:
    """Once a passkey can be synced, it cannot go back, so that nobody gets to choose the laxer counter policy."""
    authenticator = browser(default_backup_eligibility=False, default_backup_state=False)
    upgraded = sign_in(authenticator, register(authenticator), backup_eligible=True).record
    with pytest.raises(ResponseRejected, match="PASSKEY_BACKUP_POLICY"):
        sign_in(authenticator, upgraded, backup_eligible=False)


def test_defaults_are_safe() -> None:
    """By default device-bound keys are held to their counter and the flag may only turn on."""
    config = configured()
    assert (config.counter_policy, config.backup_policy, config.user_verification) == (
        "device-bound",
        "upgrade",
        "required",
    )
