"""What each route takes and answers. Its summary is the docstring of its view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from ..config import PasskeyConfig
from ..errors import (
    AccountRefused,
    BodyTooLarge,
    CeremonyNotFound,
    CeremonyStoreUnavailable,
    CredentialExists,
    CredentialNotFound,
    CredentialStoreUnavailable,
    CrossSiteRequest,
    FeatureOff,
    GrantNotFound,
    LastCredential,
    MalformedRequest,
    Misconfigured,
    NameTaken,
    NotJSON,
    Refusal,
    RegistrationRejected,
    ResponseRejected,
    SignedInAlready,
    SignInRequired,
    StepUpRequired,
    TooManyCredentials,
    TooManyRequests,
    UnknownCredential,
)
from ..web import schemas, views
from . import answers, examples
from .codes import first_line

Refusals = tuple[type[Refusal], ...]

#: What any route may answer.
ALWAYS: Refusals = (
    CrossSiteRequest,
    TooManyRequests,
    CredentialStoreUnavailable,
    Misconfigured,
    CeremonyStoreUnavailable,
)
#: What any route with a body may answer besides.
WITH_BODY: Refusals = (MalformedRequest, BodyTooLarge, NotJSON)
#: What any change of an account may answer besides.
_CHANGES: Refusals = (SignInRequired, AccountRefused, StepUpRequired)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one route of the contract."""

    method: str
    path: str
    #: The view's name, and so the endpoint's.
    view: str
    #: What there is to know besides the view's docstring.
    description: str = ""
    #: Bodies that it takes; none where it takes no body.
    bodies: tuple[type[Schema], ...] = ()
    #: Is a request without a body as good as ``{}``?
    may_be_empty: bool = False
    #: Examples of a body, by what they are for.
    requests: dict[str, Any]
    data: type[Schema]
    #: An example of the data.
    example: dict[str, Any]
    #: What it may refuse besides :data:`ALWAYS` and :data:`WITH_BODY`.
    refusals: Refusals
    #: Does it need somebody who is signed in? ``None``: only in some cases.
    signed_in: bool | None
    parameters: tuple[dict[str, Any], ...] = ()
    #: May a part of it succeed?
    is_batch: bool = False

    @property
    def summary(self) -> str:
        """The first line of the view's docstring."""
        return summary_of(self.view)

    @property
    def all_refusals(self) -> Refusals:
        """Everything that it may refuse."""
        return tuple(dict.fromkeys((*self.refusals, *(WITH_BODY if self.bodies else ()), *ALWAYS)))


def summary_of(view: str) -> str:
    """Return the first line of a view's docstring."""
    return first_line(getattr(views, view))


_ID = {"type": "string", "minLength": 1, "maxLength": schemas.MAX_ID_TEXT}
_IN_PATH = {
    "name": "credential_id",
    "in": "path",
    "required": True,
    "description": "`id` of a credential: unpadded base64url.",
    "schema": _ID,
    "example": examples.CREDENTIAL_ID,
}
_IN_QUERY = {
    "name": "id",
    "in": "query",
    "required": True,
    "description": "`id` of each credential; repeat the parameter.",
    "schema": {"type": "array", "items": _ID, "minItems": 1, "maxItems": views.MAX_BATCH},
    "example": [examples.CREDENTIAL_ID],
}

OPERATIONS = (
    Operation(
        method="put",
        path="/session/authn",
        view="begin_sign_in",
        description="Nobody need be signed in, but for `step_up`. Give `options` to `navigator.credentials.get()`.",
        bodies=(schemas.BeginSignInRequest,),
        may_be_empty=True,
        requests={"sign-in": {}, "step-up": {"step_up": True}},
        data=answers.SignInCeremony,
        example=examples.SIGN_IN_OPTIONS,
        refusals=(SignInRequired, AccountRefused, CredentialNotFound, FeatureOff),
        signed_in=None,
    ),
    Operation(
        method="post",
        path="/session/authn",
        view="finish_sign_in",
        description="Uses the ceremony up, whatever comes of it. The session gets a new id.",
        bodies=(answers.FinishSignInRequest,),
        requests={"sign-in": examples.SIGN_IN_RESPONSE},
        data=answers.SignedIn,
        example=examples.SIGNED_IN,
        refusals=(CeremonyNotFound, ResponseRejected, UnknownCredential, AccountRefused),
        signed_in=None,
    ),
    Operation(
        method="post",
        path="/session/authn/password",
        view="confirm_by_password",
        description="Only with a `check_password` hook. 40091 is another password. The session gets a new id.",
        bodies=(schemas.ConfirmRequest,),
        requests={"confirm": {"password": "correct horse"}},
        data=answers.Confirmed,
        example={},
        refusals=(*_CHANGES, FeatureOff),
        signed_in=True,
    ),
    Operation(
        method="put",
        path="/user/authn",
        view="begin_registration",
        description="Give `options` to `navigator.credentials.create()`.",
        bodies=(schemas.BeginRegistrationRequest, schemas.BeginSignUpRequest, schemas.BeginEnrolmentRequest),
        may_be_empty=True,
        requests={
            "registration": {},
            "sign-up": {"name": "ada", "display_name": "Ada Lovelace"},
            "enrolment": {"grant": "K7MQ-4T2D-9XWR-8HVN"},
        },
        data=answers.RegistrationCeremony,
        example=examples.REGISTRATION_OPTIONS,
        refusals=(*_CHANGES, SignedInAlready, TooManyCredentials, NameTaken, FeatureOff, GrantNotFound),
        signed_in=None,
    ),
    Operation(
        method="post",
        path="/user/authn",
        view="finish_registration",
        description=(
            "Uses the ceremony up, whatever comes of it. Where a step-up is needed that is told before, and the "
            "request can be repeated."
        ),
        bodies=(answers.FinishRegistrationRequest,),
        requests={"registration": examples.REGISTRATION_RESPONSE},
        data=answers.Credential,
        example=examples.CREDENTIAL,
        refusals=(
            AccountRefused,
            StepUpRequired,
            CeremonyNotFound,
            RegistrationRejected,
            CredentialExists,
            TooManyCredentials,
            NameTaken,
            FeatureOff,
            GrantNotFound,
        ),
        signed_in=None,
    ),
    Operation(
        method="get",
        path="/user/authn",
        view="list_credentials",
        requests={},
        data=answers.CredentialList,
        example=examples.CREDENTIAL_LIST,
        refusals=(SignInRequired, AccountRefused),
        signed_in=True,
    ),
    Operation(
        method="patch",
        path="/user/authn/{credential_id}",
        view="rename_credential",
        description="Needs a fresh sign-in.",
        bodies=(schemas.RenameRequest,),
        requests={"rename": {"name": "Phone"}},
        data=answers.Credential,
        example=examples.CREDENTIAL,
        refusals=(*_CHANGES, CredentialNotFound),
        signed_in=True,
        parameters=(_IN_PATH,),
    ),
    Operation(
        method="delete",
        path="/user/authn/{credential_id}",
        view="delete_credential",
        description="Needs a fresh sign-in.",
        requests={},
        data=answers.Deleted,
        example=examples.DELETED,
        refusals=(*_CHANGES, CredentialNotFound, LastCredential),
        signed_in=True,
        parameters=(_IN_PATH,),
    ),
    Operation(
        method="delete",
        path="/user/authn",
        view="delete_credentials",
        description="Needs a fresh sign-in. What cannot be deleted is in `aggregated_error`.",
        requests={},
        data=answers.DeletedSeveral,
        example=examples.DELETED_SEVERAL,
        refusals=(*_CHANGES, MalformedRequest),
        signed_in=True,
        parameters=(_IN_QUERY,),
        is_batch=True,
    ),
)


@dataclass(frozen=True, slots=True)
class WellKnown:
    """A bare document at the site root, where the settings ask for it."""

    #: The attribute of the settings.
    setting: str
    path: str
    view: str
    data: type[Schema]
    many: bool = False

    @property
    def summary(self) -> str:
        """The first line of the view's docstring."""
        return summary_of(self.view)

    def is_served(self, config: PasskeyConfig) -> bool:
        """Tell whether the app has it."""
        return any(getattr(each, self.setting) for each in (config, *config.others))


WELL_KNOWN = (
    WellKnown("related_origins", "/.well-known/webauthn", "related_origins", answers.RelatedOrigins),
    WellKnown("endpoints", "/.well-known/passkey-endpoints", "passkey_endpoints", answers.PasskeyEndpoints),
    WellKnown("android_apps", "/.well-known/assetlinks.json", "android_apps", answers.AndroidStatement, many=True),
    WellKnown("apple_apps", "/.well-known/apple-app-site-association", "apple_apps", answers.AppleApps),
)
