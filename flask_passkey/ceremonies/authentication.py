"""The authentication ceremony: sign-in and step-up.

`W3C WebAuthn Level 3, section 7.2 <https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion>`_. What the
``webauthn`` library does of it and what is done here stands in ``docs/proof/specification.md``.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

from ..config import PasskeyConfig
from ..credentials import CredentialRecord, after_use, is_stand_in
from ..encoding import base64url_encode
from ..errors import ResponseRejected
from .authenticator_data import AuthenticatorData
from .extensions import outputs, used_app_id
from .keys import known_algorithm
from .pending import SIGN_IN, STEP_UP, PendingCeremony, mark
from .person import Person
from .policies import AuthenticatorState, backup_eligibility_changed, counter_must_grow, counter_regressed
from .responses import AuthenticatorResponse, check_client_data, check_rp_id, quoted
from .results import Result
from .signatures import check_signature

#: Longest list of credentials that Chromium takes in a request.
MAX_LISTED = 64


class Authenticated(Result, frozen=True, kw_only=True):
    """A response that verified."""

    #: The record as it should be after this ceremony.
    record: CredentialRecord
    #: May it be stored only if the counter grows?
    counter_must_grow: bool
    #: What the response says about the person.
    person: Person
    #: By which the authenticator knows the account.
    user_handle: bytes
    #: What was accepted but should be known: ``counter-regressed``, ``backup-eligibility-changed``.
    events: tuple[str, ...] = ()
    #: Outputs of the extensions that were asked for.
    extensions: Mapping[str, Any] = {}


def begin(
    *,
    config: PasskeyConfig,
    user_id: str = "",
    allowed: Sequence[Mapping[str, Any]] = (),
    must_verify: bool = False,
) -> tuple[dict[str, Any], PendingCeremony]:
    """Make the options of a sign-in or, with a user, of a step-up.

    :param allowed: descriptors of the credentials that may answer; any may, if there are none. Where browsers refuse a
        list as long as this, they get none, and any passkey of the user may answer.
    :param must_verify: the user must be verified, whatever the setting.
    :returns: ``PublicKeyCredentialRequestOptionsJSON`` (section 5.1.9) and what to remember.
    """
    options: dict[str, Any] = {
        "challenge": base64url_encode(secrets.token_bytes(32)),
        "timeout": config.timeout,
        "rpId": config.rp_id,
        "userVerification": "required" if must_verify else config.user_verification,
    }
    if config.hints:
        options["hints"] = list(config.hints)
    listed = allowed if len(allowed) <= MAX_LISTED else ()
    if allowed:
        options["allowCredentials"] = list(listed)
    pending = PendingCeremony(
        purpose=STEP_UP if user_id else SIGN_IN,
        rp_id=config.rp_id,
        challenge=options["challenge"],
        user_verification=options["userVerification"],
        user_id=user_id,
        allowed=tuple(mark(item["id"]) for item in listed),
    )
    return options, pending


def descriptor(record: CredentialRecord) -> dict[str, Any]:
    """Return the ``PublicKeyCredentialDescriptorJSON`` of a credential (section 5.1.8)."""
    members: dict[str, Any] = {"type": "public-key", "id": base64url_encode(record.id)}
    if record.transports:
        members["transports"] = list(record.transports)
    return members


def read(pending: PendingCeremony, response: object, *, config: PasskeyConfig) -> AuthenticatorResponse:
    """Read a response and check that it was made for this ceremony, before its credential is looked up.

    Only after this may an unknown credential be called unknown: browsers then delete it.

    :param response: ``AuthenticationResponseJSON`` as an object (section 5.1).
    :raises MalformedRequest: it is not an object.
    :raises ResponseRejected: it was made for something else.
    """
    read = AuthenticatorResponse.read(response)
    check_client_data(read.client_data_json, kind="webauthn.get", pending=pending, config=config)
    by_app_id = used_app_id(pending, read.json.get("clientExtensionResults"))
    check_rp_id(read.field("authenticatorData"), rp_id=pending.app_id if by_app_id else pending.rp_id)
    if pending.allowed and mark(read.json["id"]) not in pending.allowed:
        raise ResponseRejected("the credential is not one this ceremony was begun for")
    return read


def finish(
    pending: PendingCeremony,
    response: AuthenticatorResponse,
    record: CredentialRecord,
    *,
    config: PasskeyConfig,
    now: datetime,
) -> Authenticated:
    """Verify a response with the record of its credential.

    Of the new state (step 24) all is taken over but ``uv_initialized``: whoever finds a security key can give it a
    PIN, so turning that on would need another factor to vouch for it.

    :param response: from :func:`read`, with the same ceremony.
    :param now: becomes the time of the credential's last use; aware.
    :returns: the record to store, and what should be known.
    :raises ResponseRejected: a step of section 7.2 failed, or a policy refuses.
    """
    user_handle = _check_owner(pending, response, record)
    data = _verify(pending, response, record)
    state = AuthenticatorState(data.sign_count, data.backup_eligible, data.backup_state)
    events = []
    if counter_regressed(record, state, config):
        events.append("counter-regressed")
    if backup_eligibility_changed(record, state, config):
        events.append("backup-eligibility-changed")
    used = after_use(
        record,
        sign_count=state.sign_count,
        uv_initialized=record.uv_initialized,
        backup_eligible=state.backup_eligible,
        backup_state=state.backup_state,
        last_used_at=now,
    )
    return Authenticated(
        record=used,
        counter_must_grow=counter_must_grow(record, state, config),
        person=Person.read(data, response, uv_initialized=record.uv_initialized),
        user_handle=user_handle,
        events=tuple(events),
        extensions=outputs(pending, response.json.get("clientExtensionResults"), data.extensions),
    )


def refuse_unknown(pending: PendingCeremony, response: AuthenticatorResponse) -> NoReturn:
    """Refuse a credential that is not known, with the work that it takes to refuse one that is.

    Where the browser was told which credentials may answer, whoever began the ceremony must not learn which of those
    there are.

    :param response: from :func:`read`, with the same ceremony.
    :raises ResponseRejected: always.
    """
    stand_in = replace(_nobodys_credential(), id=response.credential_id, user_id=pending.user_id)
    with suppress(ResponseRejected):
        _check_owner(pending, response, stand_in)
        _verify(pending, response, stand_in)
    raise ResponseRejected("no credential has this ID")


@cache
def _nobodys_credential() -> CredentialRecord:
    """Return a credential whose private key was thrown away."""
    point = generate_private_key(SECP256R1()).public_key().public_numbers()
    x, y = (number.to_bytes(32, "big") for number in (point.x, point.y))
    return CredentialRecord(
        id=b"",
        public_key=b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y,
        sign_count=0,
        uv_initialized=True,
        transports=(),
        backup_eligible=False,
        backup_state=False,
        user_id="",
        user_handle=secrets.token_bytes(64),
        label="",
        aaguid="",
        created_at=datetime.min,
        algorithm=-7,
    )


def _check_owner(pending: PendingCeremony, response: AuthenticatorResponse, record: CredentialRecord) -> bytes:
    """Check that the credential is the one named, and belongs to the user handle and account (step 6).

    :returns: the user handle of the response or, where it has none, of the record.
    """
    if response.credential_id != record.id:
        raise ResponseRejected("the record is of another credential")
    if pending.user_id and pending.user_id != record.user_id:
        raise ResponseRejected("the credential belongs to another account")
    has_handle = response.members.get("userHandle") not in (None, "")  # some clients send "" for null
    user_handle = response.field("userHandle") if has_handle else record.user_handle
    if user_handle != record.user_handle and not is_stand_in(record.user_handle):
        raise ResponseRejected("the user handle is not that of the credential's owner")
    if not has_handle and not pending.allowed:
        raise ResponseRejected("the user handle is missing")
    return user_handle


def _verify(pending: PendingCeremony, response: AuthenticatorResponse, record: CredentialRecord) -> AuthenticatorData:
    """Check flags and signature (steps 16 to 21), and return what the authenticator says."""
    data = check_flags(pending, response)
    _check_signature(response, record)
    return data


def check_flags(pending: PendingCeremony, response: AuthenticatorResponse) -> AuthenticatorData:
    """Check the flags (steps 16 to 18), and return what the authenticator says.

    :param response: from :func:`read`, with the same ceremony.
    :raises ResponseRejected: they are not what the ceremony asked for.
    """
    data = AuthenticatorData.read(response.field("authenticatorData"))
    if not data.user_present:
        raise ResponseRejected("User was not present during authentication")
    if pending.user_verification == "required" and not data.user_verified:
        raise ResponseRejected("User verification is required but user was not verified during authentication")
    if data.backup_state and not data.backup_eligible:
        raise ResponseRejected("a credential that is not eligible for backup says that it is backed up")
    return data


def _check_signature(response: AuthenticatorResponse, record: CredentialRecord) -> None:
    """Let the library load the key, and verify.

    Its function for whole responses reads extension outputs that nobody asked for, and judges ``tokenBinding``; the one
    for signatures does not know the salts of RFC 8230.
    """
    signature = response.field("signature")
    signed = response.field("authenticatorData") + sha256(response.client_data_json).digest()
    try:
        key, algorithm = _loaded(record.public_key)
        check_signature(key, algorithm, signature, signed)
    except ResponseRejected as exc:
        raise ResponseRejected("Could not verify authentication signature") from exc
    except Exception as exc:  # a verdict on bytes an attacker chose: the library raises builtins as well
        raise ResponseRejected(f"the assertion did not verify: {quoted(exc)}") from exc


@lru_cache(maxsize=256)
def _loaded(public_key: bytes) -> tuple[Any, int]:
    """Return a key, and the number of its algorithm; keys of those who sign in often are loaded once."""
    key = decode_credential_public_key(public_key)
    return decoded_public_key_to_cryptography(key), known_algorithm(key.alg)
