"""Requests in, envelope out: the only place that knows the names of the JSON members of our routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from ..credentials import MAX_CREDENTIAL_ID, CredentialRecord
from ..encoding import base64url_decode, base64url_encode
from ..errors import PARTLY_DONE, CredentialNotFound, MalformedRequest, Refusal
from ..names import (
    MAX_ALL_FIELDS,
    MAX_FIELD,
    MAX_FIELDS,
    MAX_LABEL,
    MAX_NAME,
    clean_display_name,
    clean_fields,
    clean_label,
    clean_name,
    clean_user_name,
    shown_name,
)
from ..outcomes import AccountState, Begun, CredentialList, Deleted, SignedIn
from ..providers import provider_of
from ..words import english

#: Gives the address of a provider's icon by AAGUID and theme.
IconURL = Callable[[str, str], str]


class Text(fields.String):
    """One line of text that a person wrote.

    :param clean: returns the text as it is kept, or refuses it.
    """

    def __init__(self, clean: Callable[..., str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._clean = clean

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return self._clean(str(super()._deserialize(value, attr, data, **kwargs)), field=attr)


if TYPE_CHECKING:
    _Boolean = fields.Field[bool]
else:  # marshmallow 3 has no type of the value
    _Boolean = fields.Field


class Flag(_Boolean):
    """``true`` or ``false``, and nothing that Python takes for one of them."""

    default_error_messages = {"invalid": "Not a valid boolean."}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if value is not True and value is not False:
            raise self.make_error("invalid")
        return value


class RequestSchema(Schema):
    """A request body; members we do not know are left for other versions of the client."""

    class Meta:
        unknown = EXCLUDE

    @classmethod
    def read(cls, body: object) -> dict[str, Any]:
        """Return the members of a body.

        :raises MalformedRequest: names the first that is wrong.
        """
        if not isinstance(body, dict):
            raise MalformedRequest("body", "not an object")
        try:
            return dict(_of_nothing(cls)) if not body else cast("dict[str, Any]", _made(cls).load(body))
        except ValidationError as exc:
            messages = cast("dict[str, Any]", exc.messages)
            field = next(iter(messages))
            raise MalformedRequest(field, f"{field}: {messages[field]}") from exc


@cache
def _of_nothing(schema: type[RequestSchema]) -> dict[str, Any]:
    """Return what an empty body means, which most begins have: it is the same each time."""
    return cast("dict[str, Any]", _made(schema).load({}))


@cache
def _made(schema: type[RequestSchema]) -> RequestSchema:
    """Return the one object of a schema: making one takes longer than all it does for a request."""
    return schema()


class BeginSignInRequest(RequestSchema):
    user_name = Text(
        clean_user_name,
        metadata={
            "description": "Whose passkeys will do; only with `PASSKEY_USERNAME_FIRST`.",
            "minLength": 1,
            "maxLength": MAX_NAME,
        },
    )
    step_up = Flag(metadata={"description": "Repeat the sign-in of whoever is signed in."})


class ConfirmRequest(RequestSchema):
    password = fields.String(required=True, metadata={"description": "As the `check_password` hook knows it."})


class BeginRegistrationRequest(RequestSchema):
    conditional = Flag(
        load_default=False,
        metadata={"description": "The browser will make the passkey without asking; only after `offer_passkey()`."},
    )
    user_id = fields.String(
        allow_none=True, metadata={"description": "The account that the page was made for; `user.id` of a sign-in."}
    )


class BeginEnrolmentRequest(RequestSchema):
    grant = fields.String(
        required=True,
        validate=validate.Length(max=255),
        metadata={"description": "The token of an invitation, or a recovery code as somebody typed it."},
    )


class Texts(fields.Raw):
    """Text by name, as the app's own fields of a sign-up."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, str]:
        return clean_fields(value)


class BeginSignUpRequest(RequestSchema):
    name = Text(
        clean_name,
        required=True,
        metadata={"description": "What the new user signs in with.", "minLength": 1, "maxLength": MAX_NAME},
    )
    display_name = Text(
        clean_display_name,
        load_default="",
        metadata={"description": "What the new user likes to be called.", "maxLength": MAX_NAME},
    )
    others = Texts(
        data_key="fields",
        attribute="fields",
        load_default=dict,
        metadata={
            "description": f"What else the form has, for the `create_user` hook; {MAX_ALL_FIELDS} characters together.",
            "maxProperties": MAX_FIELDS,
            "additionalProperties": {"type": "string", "maxLength": MAX_FIELD},
        },
    )


def is_sign_up(body: object, *, signed_in: bool) -> bool:
    """Tell whether a body is for a new account; whoever is signed in says so by a name."""
    if not isinstance(body, dict) or "name" in body:
        return not signed_in or isinstance(body, dict)
    return not signed_in and not body.keys() <= _made(BeginRegistrationRequest).fields.keys()


#: The longest text that can be a credential ID.
MAX_ID_TEXT = len(base64url_encode(bytes(MAX_CREDENTIAL_ID)))

# Canonical form only.
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_FINISH = {"session_id", "response"}


def _is_uuid(value: object) -> bool:
    return isinstance(value, str) and _UUID.match(value) is not None


class _FinishRequest(RequestSchema):
    """``response`` stays as it came: it is looked at only after the ceremony was claimed."""

    session_id = fields.String(
        required=True,
        validate=validate.Regexp(_UUID),
        metadata={"description": "Of the answer that began the ceremony.", "format": "uuid"},
    )
    response = fields.Raw(required=True, allow_none=True)


class FinishSignInRequest(_FinishRequest):
    @classmethod
    def read(cls, body: object) -> dict[str, Any]:
        """Return the members of a body; what our client sends is told from all else at a look."""
        if isinstance(body, dict) and body.keys() == _FINISH and _is_uuid(body["session_id"]):
            return body
        return super().read(body)


class FinishRegistrationRequest(_FinishRequest):
    """The same, with a name for the new passkey."""

    name = Text(
        clean_label,
        load_default="",
        metadata={"description": "The user's name for the passkey; if empty, one is made.", "maxLength": MAX_LABEL},
    )


class RenameRequest(RequestSchema):
    name = Text(
        partial(clean_label, required=True),
        required=True,
        metadata={"description": "The passkey's new name.", "minLength": 1, "maxLength": MAX_LABEL},
    )


def read_credential_id(text: str) -> bytes | None:
    """Return the bytes of a credential ID, ``None`` when no credential can have it."""
    if len(text) > MAX_ID_TEXT:
        return None
    try:
        return base64url_decode(text) or None
    except ValueError:
        return None


def known_id(text: str) -> bytes:
    """Return the bytes of a credential ID; what cannot be one is nobody's.

    :raises CredentialNotFound: no credential can have it.
    """
    decoded = read_credential_id(text)
    if decoded is None:
        raise CredentialNotFound("no credential can have this ID")
    return decoded


class EnvelopeSchema(Schema):
    """What every answer of the blueprint has. ``data`` is plain already, so it is not walked again."""

    class Meta:
        unknown = EXCLUDE  # clients need not know all members either

    code = fields.Integer(required=True, metadata={"description": "`0` is a success."})
    msg = fields.String(
        required=True, metadata={"description": "A sentence for people, the same for all causes of a code."}
    )
    data: fields.Field[Any] = fields.Raw(required=True)


class FailureSchema(EnvelopeSchema):
    """What the answer may have where something failed."""

    correlation_id = fields.String(
        metadata={"description": "Also in the log and the signal of this failure.", "format": "uuid"}
    )
    error = fields.String(metadata={"description": "The internal reason, only where `app.debug` is on."})
    aggregated_error = fields.Dict(keys=fields.String(), values=fields.Raw())


_failure = FailureSchema()
_success = cast("dict[str, Any]", EnvelopeSchema().dump({"code": 0, "msg": "", "data": None}))


def success(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the envelope of a success: the same each time but for its data."""
    return _success | {"data": data}


def failure(
    refusal: Refusal, *, correlation_id: str, debug: bool, gettext: Callable[..., str] = english
) -> dict[str, Any]:
    """Return the envelope of a refusal.

    :param debug: also tell the internal reason.
    :param gettext: returns a text in the visitor's language.
    """
    sentence = refusal.translated(gettext)
    members = {"code": refusal.code, "msg": sentence, "data": None, "correlation_id": correlation_id}
    if debug:
        members["error"] = refusal.reason
    return cast("dict[str, Any]", _failure.dump(members))


def partly_done(
    data: Mapping[str, Any],
    failures: Mapping[str, Mapping[str, Any]],
    *,
    correlation_id: str,
    gettext: Callable[..., str] = english,
) -> dict[str, Any]:
    """Return the envelope of a batch of which some failed.

    :param gettext: returns a text in the visitor's language.
    """
    members = {
        "code": PARTLY_DONE,
        "msg": gettext("Some of it could not be done."),
        "data": data,
        "correlation_id": correlation_id,
        "aggregated_error": failures,
    }
    return cast("dict[str, Any]", _failure.dump(members))


def credential(record: CredentialRecord, *, current: bytes | None, icon_url: IconURL) -> dict[str, Any]:
    """Return the JSON of a credential as its owner sees it: never key material.

    :param current: ID of the one this session signed in with.
    :param icon_url: gives the address of an icon by AAGUID and theme.
    """
    return {
        "id": base64url_encode(record.id),
        "name": record.label,
        "created_at": _rfc_3339(record.created_at),
        "used_at": None if record.last_used_at is None else _rfc_3339(record.last_used_at),
        "aaguid": record.aaguid,
        "provider": _provider(record.aaguid, icon_url),
        "transports": list(record.transports),
        "backup_eligible": record.backup_eligible,
        "backup_state": record.backup_state,
        "current": record.id == current,
    }


def _rfc_3339(moment: datetime) -> str:
    """Write a time in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _provider(aaguid: str, icon_url: IconURL) -> dict[str, str] | None:
    known = provider_of(aaguid)
    if known is None:
        return None
    icons = {f"icon_{theme}": icon_url(aaguid, theme) for theme in ("light", "dark") if known.has_icon}
    return {"name": known.name, **icons}


def account_state(account: AccountState) -> dict[str, Any]:
    """Return the ready arguments of the browser's Signal API (section 5.1.10).

    Empty for an account that never had a passkey: authenticators know nothing of it.
    """
    if not account.user_handle:
        return {}
    others = {"otherUserIds": [base64url_encode(handle) for handle in account.other_handles]}
    return {
        "rpId": account.rp_id,
        "userId": base64url_encode(account.user_handle),
        "allAcceptedCredentialIds": [base64url_encode(id_) for id_ in account.credential_ids],
        "name": account.info.name,
        "displayName": shown_name(account.info.name, account.info.display_name),
        **(others if account.other_handles else {}),
    }


def forgotten(account: AccountState) -> dict[str, Any]:
    """Return the same for an account that is no more, without its names."""
    state = account_state(account)
    return {name: value for name, value in state.items() if name not in ("name", "displayName")}


def begun(outcome: Begun) -> dict[str, Any]:
    """Return the data of a ceremony that was begun."""
    return {"session_id": outcome.ceremony_id, "options": {"publicKey": outcome.options}}


def signed_in(outcome: SignedIn, extra: Mapping[str, Any], *, icon_url: IconURL) -> dict[str, Any]:
    """Return the data of a sign-in, with what the app adds to it."""
    info = outcome.info
    return {
        **extra,
        "user": {"id": info.id, "name": info.name, "display_name": info.display_name},
        "credential": credential(outcome.credential, current=outcome.credential.id, icon_url=icon_url),
        "signals": account_state(outcome.account),
    }


def credential_list(outcome: CredentialList, *, icon_url: IconURL) -> dict[str, Any]:
    """Return the data of a list of credentials."""
    records = [credential(record, current=outcome.current, icon_url=icon_url) for record in outcome.credentials]
    return {"credentials": records, "signals": account_state(outcome.account)}


def deleted(outcome: Deleted) -> dict[str, Any]:
    """Return the data of a batch of deletions."""
    return {"deleted": [base64url_encode(item) for item in outcome.deleted], "signals": account_state(outcome.account)}
