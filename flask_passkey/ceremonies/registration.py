"""The registration ceremony: adding a passkey, and sign-up.

`W3C WebAuthn Level 3, section 7.1 <https://www.w3.org/TR/webauthn-3/#sctn-registering-a-new-credential>`_.
What the ``webauthn`` library does of it and what is done here stands in ``docs/proof/specification.md``.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from webauthn import generate_registration_options, verify_registration_response
from webauthn.helpers import options_to_json_dict
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorAttestationResponse,
    AuthenticatorSelectionCriteria,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from ..config import PasskeyConfig
from ..credentials import MAX_CREDENTIAL_ID, CredentialRecord
from ..encoding import base64url_decode, base64url_encode
from ..errors import RegistrationRejected, ResponseRejected
from ..names import shown_name
from .attestation import Claim, Trust, assess, check_model
from .authentication import MAX_LISTED, descriptor
from .authenticator_data import AttestationObject, read_attestation_object
from .extensions import outputs
from .keys import check_public_key
from .pending import CONDITIONAL, ENROLMENT, REGISTRATION, SIGN_UP, PendingCeremony
from .person import Person
from .responses import AuthenticatorResponse, check_client_data, origin_of, quoted, without_token_binding
from .results import Result

_ANY = Trust()
_REQUIRED, _PREFERRED = ResidentKeyRequirement.REQUIRED, ResidentKeyRequirement.PREFERRED
_MAX_TRANSPORTS = 8
_TRANSPORT = r"[a-z0-9-]{1,32}"


class Registration(Result, frozen=True):
    """A response that verified."""

    #: The record to store.
    record: CredentialRecord
    #: Did the attestation statement verify? ``None`` if nobody asked for one, so that it was not looked at.
    attestation_verified: bool | None
    #: What the response says about the person.
    person: Person
    #: Outputs of the extensions that were asked for.
    extensions: Mapping[str, Any] = {}


def begin(
    *,
    config: PasskeyConfig,
    name: str,
    display_name: str,
    user_handle: bytes,
    user_id: str = "",
    exclude: Sequence[CredentialRecord] = (),
    conditional: bool = False,
    grant: bytes = b"",
    fields: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], PendingCeremony]:
    """Make the options of a registration, with ``grant`` of an enrolment or, without ``user_id``, of a sign-up.

    :param exclude: what the account has already, so that no authenticator makes a second one over it.
    :param conditional: the browser will be asked to make it by itself, with nobody touching or confirming anything.
    :param grant: hash of the enrolment grant that lets its bearer do it.
    :param fields: what else the form of a sign-up has, for the app.
    :returns: ``PublicKeyCredentialCreationOptionsJSON`` (section 5.1.8) and what to remember.
    """
    # A browser that may not ask anybody cannot verify anybody either: where it must, it does nothing (section 5.1.3).
    user_verification = "preferred" if conditional else config.user_verification
    options = _options(config, name, user_handle, user_verification)
    options["user"]["displayName"] = shown_name(name, display_name)
    options["excludeCredentials"] = [descriptor(record) for record in exclude[-MAX_LISTED:]]
    options["extensions"] = {"credProps": True}
    if config.hints:
        options["hints"] = list(config.hints)
    if config.attestation_formats:
        options["attestationFormats"] = list(config.attestation_formats)
    pending = PendingCeremony(
        purpose=ENROLMENT if grant else REGISTRATION if user_id else SIGN_UP,
        rp_id=config.rp_id,
        challenge=options["challenge"],
        user_verification=user_verification,
        user_id=user_id,
        user_handle=base64url_encode(user_handle),
        name="" if user_id else name,
        display_name="" if user_id else display_name,
        mediation=CONDITIONAL if conditional else "",
        extensions=tuple(options["extensions"]),
        grant=base64url_encode(grant),
        fields=dict(fields or {}),
    )
    return options, pending


def _options(config: PasskeyConfig, name: str, user_handle: bytes, user_verification: str) -> dict[str, Any]:
    return options_to_json_dict(
        generate_registration_options(
            rp_id=config.rp_id,
            rp_name=config.rp_name,
            user_name=name,
            user_id=user_handle,
            challenge=secrets.token_bytes(32),
            timeout=config.timeout,
            attestation=AttestationConveyancePreference(config.attestation),
            authenticator_selection=AuthenticatorSelectionCriteria(
                # By name, security keys sign in that have no room for passkeys.
                resident_key=_PREFERRED if config.username_first else _REQUIRED,
                user_verification=UserVerificationRequirement(user_verification),
            ),
            supported_pub_key_algs=[COSEAlgorithmIdentifier(number) for number in config.algorithms],
        )
    )


def finish(
    pending: PendingCeremony,
    response: object,
    *,
    config: PasskeyConfig,
    label: str,
    user_id: str = "",
    now: datetime,
    trust: Trust = _ANY,
) -> Registration:
    """Verify the response to a registration.

    :param response: ``RegistrationResponseJSON`` as an object (section 5.1).
    :param label: of the new credential.
    :param user_id: the account it is for.
    :param now: becomes its time of creation; aware.
    :param trust: what attestation must lead to, if anything.
    :returns: the record to store, and what became of the attestation.
    :raises MalformedRequest: the response is not an object.
    :raises RegistrationRejected: a step of section 7.1 failed, or a policy refuses.
    """
    try:
        read, attestation = _read(pending, response, config)
        verified = _verify(pending, read, attestation, config)
        algorithm = _check_credential(verified, read, config)
        attested = assess(_claim(attestation, verified, read), config, trust, now)
    except ResponseRejected as exc:
        rejected = RegistrationRejected(exc.reason)
        rejected.setting = exc.setting
        raise rejected from exc
    told = outputs(pending, read.json.get("clientExtensionResults"), attestation.data.extensions)
    record = CredentialRecord(
        id=verified.credential_id,
        public_key=attestation.data.public_key,
        sign_count=verified.sign_count,
        uv_initialized=verified.user_verified,
        transports=clean_transports(read.members.get("transports")),
        backup_eligible=attestation.data.backup_eligible,
        backup_state=verified.credential_backed_up,
        user_id=user_id,
        user_handle=base64url_decode(pending.user_handle),
        label=label,
        aaguid=verified.aaguid,
        created_at=now,
        algorithm=algorithm,
        discoverable=discoverable_by(told),
        rp_id=pending.rp_id,
    )
    person = Person.read(attestation.data, read)
    return Registration(_with_attestation(record, read, config), attested, person, told)


def _read(
    pending: PendingCeremony, response: object, config: PasskeyConfig
) -> tuple[AuthenticatorResponse, AttestationObject]:
    """Read a response, check that it was made for this ceremony, and measure what the library is to see."""
    read = AuthenticatorResponse.read(response)
    check_client_data(read.client_data_json, kind="webauthn.create", pending=pending, config=config)
    return read, read_attestation_object(read.field("attestationObject"))


def _verify(
    pending: PendingCeremony, response: AuthenticatorResponse, attestation: AttestationObject, config: PasskeyConfig
) -> VerifiedRegistration:
    """Let the library verify all but the statement, which it does not get."""
    credential = RegistrationCredential(
        id=response.json["id"],
        raw_id=response.credential_id,
        response=AuthenticatorAttestationResponse(
            client_data_json=without_token_binding(response.client_data_json),
            attestation_object=attestation.without_statement(),
        ),
    )
    try:
        return verify_registration_response(
            credential=credential,
            expected_challenge=base64url_decode(pending.challenge),
            expected_rp_id=pending.rp_id,
            expected_origin=origin_of(response.client_data_json),
            require_user_presence=pending.mediation != CONDITIONAL,
            require_user_verification=pending.user_verification == "required",
            supported_pub_key_algs=[COSEAlgorithmIdentifier(number) for number in config.algorithms],
        )
    except Exception as exc:  # a verdict on bytes an attacker chose: the library raises builtins as well
        raise ResponseRejected(f"the registration did not verify: {quoted(exc)}") from exc


def _claim(attestation: AttestationObject, verified: VerifiedRegistration, response: AuthenticatorResponse) -> Claim:
    return Claim(
        form=attestation.form,
        statement=attestation.statement,
        authenticator_data=attestation.authenticator_data,
        client_data_hash=sha256(response.client_data_json).digest(),
        credential_id=verified.credential_id,
        public_key=attestation.data.public_key,
        aaguid=verified.aaguid,
    )


def _check_credential(verified: VerifiedRegistration, response: AuthenticatorResponse, config: PasskeyConfig) -> int:
    """Check what the library does not: the credential's ID, its model, and that its key will work."""
    if verified.credential_id != response.credential_id:
        raise ResponseRejected("response.id is not the ID in the authenticator data")
    if len(verified.credential_id) > MAX_CREDENTIAL_ID:
        raise ResponseRejected(f"the credential ID is longer than {MAX_CREDENTIAL_ID} bytes")
    check_model(verified.aaguid, config)
    return check_public_key(verified.credential_public_key)


def _with_attestation(
    record: CredentialRecord, response: AuthenticatorResponse, config: PasskeyConfig
) -> CredentialRecord:
    """Keep what an app that asks for attestation may want to look at again, as it came."""
    if config.attestation == "none":
        return record
    return replace(
        record,
        attestation_object=response.field("attestationObject"),
        attestation_client_data_json=response.client_data_json,
    )


def discoverable_by(extensions: Mapping[str, Any]) -> bool | None:
    """Return what the client says of it by ``credProps`` (section 10.1.3); ``None`` if it says nothing."""
    properties = extensions.get("credProps")
    found = properties.get("rk") if isinstance(properties, dict) else None
    return found if isinstance(found, bool) else None


def clean_transports(value: object) -> tuple[str, ...]:
    """Keep what the client reported, names of the future included; leave out what is no name."""
    names = value if isinstance(value, list) else []
    good = (name for name in names if isinstance(name, str) and re.fullmatch(_TRANSPORT, name))
    return tuple(dict.fromkeys(good))[:_MAX_TRANSPORTS]


def new_user_handle() -> bytes:
    """Make the 64 random bytes that stand for an account inside authenticators (section 14.6.1)."""
    return secrets.token_bytes(64)
