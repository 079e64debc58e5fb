"""Reading what a browser answers: JSON text into bytes, and the checks both ceremonies share.

Section numbers are those of `W3C WebAuthn Level 3 <https://www.w3.org/TR/webauthn-3/>`_.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from msgspec import Struct, field

from ..config import PasskeyConfig, advice, is_native, is_page_below
from ..encoding import base64url_decode, parse_json, read_json, refuse_deep
from ..errors import MalformedRequest, ResponseRejected
from .pending import PendingCeremony


class AuthenticatorResponse(Struct, frozen=True):
    """The members of a ``RegistrationResponseJSON`` or ``AuthenticationResponseJSON`` that decide.

    What else a browser or password manager puts there is never looked at, so it cannot disturb.
    """

    credential_id: bytes
    client_data_json: bytes
    members: Mapping[str, Any]
    json: Mapping[str, Any]
    _decoded: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, value: object) -> AuthenticatorResponse:
        """Read a response, as an object or as JSON text of one.

        :raises MalformedRequest: it is neither.
        :raises ResponseRejected: a member is missing or is not what it should be.
        """
        if isinstance(value, str):
            value = parse_json(value.encode("utf-8", "surrogatepass"), field="response")
        if not isinstance(value, dict):
            raise MalformedRequest("response", "the response is not an object")
        members = value.get("response")
        if not isinstance(members, dict):
            raise ResponseRejected("response.response is not an object")
        if value.get("type") != "public-key":
            raise ResponseRejected("response.type is not 'public-key'")
        credential_id = _bytes(value, "rawId")  # text from here on, so that comparing cannot recurse
        if value.get("id") != value["rawId"]:
            raise ResponseRejected("response.id and response.rawId differ")
        return cls(credential_id, _bytes(members, "clientDataJSON"), members, value)

    def field(self, member: str) -> bytes:
        """Decode a member of the inner object, once.

        :raises ResponseRejected: it is missing, empty or not base64url.
        """
        if (found := self._decoded.get(member)) is None:
            found = self._decoded[member] = _bytes(self.members, member)
        return found


def _bytes(members: Mapping[str, Any], name: str) -> bytes:
    text = members.get(name)
    if not isinstance(text, str) or not text:
        raise ResponseRejected(f"{name} is missing or not text")
    try:
        return base64url_decode(text)
    except ValueError as exc:
        raise ResponseRejected(f"{name} is not unpadded base64url") from exc


def check_client_data(data: bytes, *, kind: str, pending: PendingCeremony, config: PasskeyConfig) -> None:
    """Check type, challenge, origin and embedding of the client data (section 7.1 steps 7-11, 7.2 steps 10-14).

    :param kind: ``webauthn.create`` or ``webauthn.get``.
    :raises ResponseRejected: one of them is not what this ceremony expects.
    """
    client_data = _client_data(data)
    if client_data.get("type") != kind:
        raise ResponseRejected(f"client data is not of type {kind}")
    challenge = _text(client_data, "challenge").encode(errors="replace")
    if not compare_digest(challenge, pending.challenge.encode()):
        raise ResponseRejected("client data has another challenge")
    origin = _text(client_data, "origin")
    if not config.allows(origin):
        raise _other_origin(origin, config)
    _check_embedding(client_data, config)


def _other_origin(origin: str, config: PasskeyConfig) -> ResponseRejected:
    line = advice(config, origin)
    if is_native(origin) and len(origin) <= 200:
        line = f"If it is your app, write {config.name_of('origins')} = {[*config.origins, origin]}"
    reason = f"client data has origin {quoted(origin)}, {config.name_of('origins')} is {list(config.all_origins)}"
    refusal = ResponseRejected(f"{reason}. {line}" if line else reason)
    refusal.setting = "PASSKEY_ORIGINS" if line else ""
    return refusal


def origin_of(data: bytes) -> str:
    """Return the origin in client data that :func:`check_client_data` accepted."""
    return _text(_client_data(data), "origin")


def _client_data(data: bytes) -> dict[str, Any]:
    try:
        refuse_deep(data)
        client_data = read_json(data, strict=False)
    except ValueError as exc:
        raise ResponseRejected("clientDataJSON is not JSON in UTF-8") from exc
    if not isinstance(client_data, dict):
        raise ResponseRejected("clientDataJSON is not an object")
    return client_data


def _text(client_data: dict[str, Any], name: str) -> str:
    value = client_data.get(name)
    if not isinstance(value, str):
        raise ResponseRejected(f"client data has no {name} or it is not text")
    return value


def _check_embedding(client_data: dict[str, Any], config: PasskeyConfig) -> None:
    """Refuse a page inside another origin's page, unless the app allows that; null means absent."""
    if client_data.get("crossOrigin") not in (None, False) and not config.allow_cross_origin:
        why = "made in an embedded page; see PASSKEY_ALLOW_CROSS_ORIGIN"
        raise _embedded(why, client_data.get("topOrigin"), config)
    if client_data.get("topOrigin") is None:
        return
    top_origin = _text(client_data, "topOrigin")
    if not config.allow_cross_origin or top_origin not in config.top_origins:
        why = f"embedded in {quoted(top_origin)}, which is not in PASSKEY_TOP_ORIGINS"
        raise _embedded(why, top_origin, config)


def _embedded(why: str, top_origin: object, config: PasskeyConfig) -> ResponseRejected:
    """Return a refusal, with the lines to write where the outer page is at the RP ID or below it, as the app's own."""
    if not isinstance(top_origin, str) or not is_page_below(top_origin, config.rp_id):
        return ResponseRejected(why)
    line = f"PASSKEY_ALLOW_CROSS_ORIGIN = True, PASSKEY_TOP_ORIGINS = {[*config.top_origins, top_origin]}"
    refusal = ResponseRejected(f"{why}. Write {line}")
    refusal.setting = "PASSKEY_TOP_ORIGINS"
    return refusal


def without_token_binding(data: bytes) -> bytes:
    """Return client data without ``tokenBinding``, for where no signature covers them.

    Level 3 only reserves the member (section 5.8.1); the library judges it by the rule of Level 1.

    :param data: that :func:`check_client_data` accepted.
    """
    client_data = _client_data(data)
    if "tokenBinding" not in client_data:
        return data
    del client_data["tokenBinding"]
    return json.dumps(client_data).encode()


def check_rp_id(authenticator_data: bytes, *, rp_id: str) -> None:
    """Check that authenticator data were made for this RP ID (section 7.1 step 14, 7.2 step 15)."""
    if not compare_digest(authenticator_data[:32], sha256(rp_id.encode()).digest()):
        raise ResponseRejected("authenticator data are for another RP ID")


def quoted(value: object) -> str:
    """Return what an attacker may have chosen as one short line, fit for a log."""
    return repr(str(value)[:200])
