"""Answers as marshmallow schemas, for the document only: what is sent is made by :mod:`flask_passkey.web.schemas`."""

from __future__ import annotations

from functools import cache
from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from ..errors import PARTLY_DONE
from ..web import schemas
from ..web.schemas import EnvelopeSchema, FailureSchema

_W3C = "https://www.w3.org/TR/webauthn-3/"


def _said(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, **more}


def _binary(description: str) -> dict[str, Any]:
    return _said(f"{description} Unpadded base64url.", pattern="^[A-Za-z0-9_-]*$")


class Answer(Schema):
    """An object that may have more members, in later releases or in other browsers."""

    class Meta:
        unknown = EXCLUDE


# What the browser is given, and what it gives


class CredentialDescriptor(Answer):
    type = fields.String(required=True, metadata={"enum": ["public-key"]})
    id = fields.String(required=True, metadata=_binary("A credential ID."))
    transports = fields.List(fields.String())


class RequestOptions(Answer):
    class Meta(Answer.Meta):
        description = f"[PublicKeyCredentialRequestOptionsJSON]({_W3C}#dictdef-publickeycredentialrequestoptionsjson)."

    challenge = fields.String(required=True, metadata=_binary("32 random bytes."))
    timeout = fields.Integer(required=True, metadata=_said("Life of the ceremony in milliseconds."))
    rpId = fields.String(required=True, metadata=_said("The domain the passkeys belong to."))
    userVerification = fields.String(required=True, metadata={"enum": ["required", "preferred", "discouraged"]})
    allowCredentials = fields.List(
        fields.Nested(CredentialDescriptor), metadata=_said("In a step-up, or where a name was given.")
    )
    hints = fields.List(fields.String())
    extensions = fields.Dict()


class Entity(Answer):
    id = fields.String(required=True)
    name = fields.String(required=True)


class UserEntity(Entity):
    id = fields.String(required=True, metadata=_binary("The user handle."))
    displayName = fields.String(required=True)


class KeyType(Answer):
    type = fields.String(required=True, metadata={"enum": ["public-key"]})
    alg = fields.Integer(required=True, metadata=_said("COSE number."))


class CreationOptions(Answer):
    class Meta(Answer.Meta):
        description = (
            f"[PublicKeyCredentialCreationOptionsJSON]({_W3C}#dictdef-publickeycredentialcreationoptionsjson)."
        )

    rp = fields.Nested(Entity, required=True)
    user = fields.Nested(UserEntity, required=True)
    challenge = fields.String(required=True, metadata=_binary("32 random bytes."))
    pubKeyCredParams = fields.List(fields.Nested(KeyType), required=True)
    timeout = fields.Integer(required=True, metadata=_said("Life of the ceremony in milliseconds."))
    excludeCredentials = fields.List(fields.Nested(CredentialDescriptor), required=True)
    authenticatorSelection = fields.Dict(required=True)
    attestation = fields.String(required=True, metadata={"enum": ["none", "indirect", "direct", "enterprise"]})
    attestationFormats = fields.List(fields.String())
    hints = fields.List(fields.String())
    extensions = fields.Dict(required=True)


class AssertionMembers(Answer):
    clientDataJSON = fields.String(required=True, metadata=_binary("What the browser says of the page."))
    authenticatorData = fields.String(required=True, metadata=_binary("What the authenticator says of itself."))
    signature = fields.String(required=True, metadata=_binary("Over both."))
    userHandle = fields.String(allow_none=True, metadata=_binary("Whose passkey it is."))


class AttestationMembers(Answer):
    clientDataJSON = fields.String(required=True, metadata=_binary("What the browser says of the page."))
    attestationObject = fields.String(required=True, metadata=_binary("The new public key."))
    transports = fields.List(fields.String())


class _BrowserCredential(Answer):
    id = fields.String(required=True, metadata=_binary("The credential ID."))
    rawId = fields.String(required=True, metadata=_binary("The same."))
    type = fields.String(required=True, metadata={"enum": ["public-key"]})
    authenticatorAttachment = fields.String(allow_none=True)
    clientExtensionResults = fields.Dict(required=True)


class AuthenticationResponse(_BrowserCredential):
    class Meta(Answer.Meta):
        description = f"[AuthenticationResponseJSON]({_W3C}#dictdef-authenticationresponsejson)."

    response = fields.Nested(AssertionMembers, required=True)


class RegistrationResponse(_BrowserCredential):
    class Meta(Answer.Meta):
        description = f"[RegistrationResponseJSON]({_W3C}#dictdef-registrationresponsejson)."

    response = fields.Nested(AttestationMembers, required=True)


def _or_text(schema: type[Schema]) -> fields.Raw:
    """Return the field for a browser's response, which may be JSON text of one."""
    one_of = [{"$ref": f"#/components/schemas/{schema.__name__}"}, {"type": "string"}]
    return fields.Raw(required=True, metadata=_said("What the browser answered, or JSON text of it.", anyOf=one_of))


class FinishSignInRequest(schemas.FinishSignInRequest):
    response = _or_text(AuthenticationResponse)


class FinishRegistrationRequest(schemas.FinishRegistrationRequest):
    response = _or_text(RegistrationResponse)


# Data


class SignInCeremonyOptions(Answer):
    publicKey = fields.Nested(RequestOptions, required=True)


class SignInCeremony(Answer):
    session_id = fields.UUID(required=True, metadata=_said("Names the ceremony."))
    options = fields.Nested(SignInCeremonyOptions, required=True)


class RegistrationCeremonyOptions(Answer):
    publicKey = fields.Nested(CreationOptions, required=True)


class RegistrationCeremony(Answer):
    session_id = fields.UUID(required=True, metadata=_said("Names the ceremony."))
    options = fields.Nested(RegistrationCeremonyOptions, required=True)


class Provider(Answer):
    name = fields.String(required=True)
    icon_light = fields.String(metadata=_said("Address of the icon for light pages."))
    icon_dark = fields.String(metadata=_said("Address of the icon for dark pages."))


class Credential(Answer):
    class Meta(Answer.Meta):
        description = "A passkey as its owner sees it: never key material."

    id = fields.String(required=True, metadata=_binary("The credential ID."))
    name = fields.String(required=True, metadata=_said("The owner's name for it."))
    created_at = fields.DateTime(required=True)
    used_at = fields.DateTime(required=True, allow_none=True, metadata=_said("Last sign-in; null until there is one."))
    aaguid = fields.UUID(required=True, metadata=_said("Model of the authenticator."))
    provider = fields.Nested(Provider, required=True, allow_none=True)
    transports = fields.List(fields.String(), required=True)
    backup_eligible = fields.Boolean(required=True, metadata=_said("Can it be synced?"))
    backup_state = fields.Boolean(required=True, metadata=_said("Has it a copy elsewhere?"))
    current = fields.Boolean(required=True, metadata=_said("The one that this session signed in with."))


class Signals(Answer):
    class Meta(Answer.Meta):
        description = (
            f"Arguments for the browser's [Signal API]({_W3C}#sctn-signal-methods). Empty for an account that never "
            "had a passkey."
        )

    rpId = fields.String()
    userId = fields.String(metadata=_binary("The user handle."))
    allAcceptedCredentialIds = fields.List(fields.String(metadata=_binary("A credential ID.")))
    name = fields.String()
    displayName = fields.String()
    otherUserIds = fields.List(
        fields.String(metadata=_binary("A user handle.")),
        metadata=_said("More of the account's, which were brought along from another system."),
    )


class User(Answer):
    id = fields.String(required=True)
    name = fields.String(required=True)
    display_name = fields.String(required=True)


class SignedIn(Answer):
    class Meta(Answer.Meta):
        description = "Who is signed in, with what the app's `login_user` hook adds."

    user = fields.Nested(User, required=True)
    credential = fields.Nested(Credential, required=True)
    signals = fields.Nested(Signals, required=True)


class Confirmed(Answer):
    class Meta(Answer.Meta):
        description = "Nothing: what needs a fresh sign-in can be repeated."


class CredentialList(Answer):
    credentials = fields.List(fields.Nested(Credential), required=True, metadata=_said("Oldest first."))
    signals = fields.Nested(Signals, required=True)


class Deleted(Answer):
    signals = fields.Nested(Signals, required=True)


class DeletedSeveral(Deleted):
    deleted = fields.List(fields.String(metadata=_binary("A credential ID.")), required=True)


# Envelopes


class Failure(FailureSchema):
    class Meta(FailureSchema.Meta):
        exclude = ("aggregated_error",)

    code = fields.Integer(required=True, metadata=_said("Never `0`."))
    data = fields.Raw(required=True, metadata={"type": "null"})
    correlation_id = fields.String(required=True, metadata=FailureSchema().fields["correlation_id"].metadata)


class PartlyDone(FailureSchema):
    class Meta(FailureSchema.Meta):
        exclude = ("error",)

    code = fields.Integer(required=True, metadata={"enum": [PARTLY_DONE]})
    data = fields.Nested(DeletedSeveral, required=True)
    correlation_id = fields.String(required=True, metadata=FailureSchema().fields["correlation_id"].metadata)
    aggregated_error = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(Failure),
        required=True,
        metadata=_said("What failed, by the credential ID of the request."),
    )


@cache
def success(data: type[Schema]) -> type[Schema]:
    """Return the envelope of a success with such data."""
    code = fields.Integer(required=True, metadata={"enum": [0]})
    return EnvelopeSchema.from_dict(
        {"code": code, "data": fields.Nested(data, required=True)}, name=f"{data.__name__}Answer"
    )


# The well-known documents


class RelatedOrigins(Answer):
    origins = fields.List(fields.String(), required=True)


class PasskeyEndpoints(Answer):
    enroll = fields.URL()
    manage = fields.URL()


class AndroidStatement(Answer):
    relation = fields.List(fields.String(), required=True)
    target = fields.Dict(required=True)


class AppleApps(Answer):
    webcredentials = fields.Dict(required=True)
