"""WebAuthn extensions: what an app asks of browsers and authenticators, and what they answer.

`W3C WebAuthn Level 3, sections 9 and 10 <https://www.w3.org/TR/webauthn-3/#sctn-extensions>`_. Nothing here knows a
single extension but where its name is another in the answer, so those of the future work as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec.structs import replace
from webauthn.helpers import parse_cbor

from ..encoding import base64url_encode
from ..errors import Misconfigured
from .pending import PendingCeremony

#: Longest JSON of all that is asked for, in characters, and of the output of one extension.
MAX_INPUTS: Final = 65_536
MAX_OUTPUT: Final = 32_768
#: Deepest value: ``prf`` has four levels with ``evalByCredential``.
MAX_LEVELS: Final = 8
#: Beyond it not all that read JSON read the same number.
_MAX_NUMBER = 2**53

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})

#: Outputs of authenticators that are asked for by other names (CTAP 2.2, section 12).
_ASKED_BY = {
    "credProtect": "credentialProtectionPolicy",
    "hmac-secret": "hmacCreateSecret",
    "credBlob": "getCredBlob",
}
#: Only authenticators know these, so a browser's word is none.
_OF_AUTHENTICATORS = frozenset(("credProtect", "minPinLength"))


def inputs(value: object) -> dict[str, Any]:
    """Return a copy of what the app's hook wants of extensions.

    :raises Misconfigured: it is not JSON, or too much.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _mistake(f"{type(value).__name__}, not a dict or None")
    try:
        copy: dict[str, Any] = _copy(value)
    except ValueError as exc:
        raise _mistake(f"what is not JSON: {exc}") from exc
    if len(json.dumps(copy)) > MAX_INPUTS:
        raise _mistake(f"more than {MAX_INPUTS} characters of JSON")
    return copy


def _mistake(problem: str) -> Misconfigured:
    return Misconfigured(f"the @passkey.extensions hook returned {problem}")


def ask(
    options: dict[str, Any], pending: PendingCeremony, wanted: Mapping[str, Any]
) -> tuple[dict[str, Any], PendingCeremony]:
    """Ask for extensions, and remember which: outputs of others are ignored.

    :param options: of the ceremony; what it asks for already stays.
    :param wanted: from :func:`inputs`.
    """
    if not wanted:
        return options, pending
    asked = {**wanted, **options.get("extensions", {})}
    app_id = wanted.get("appid")
    pending = replace(pending, extensions=tuple(asked), app_id=app_id if isinstance(app_id, str) else "")
    return {**options, "extensions": asked}, pending


def outputs(pending: PendingCeremony, client: object, authenticator: bytes) -> Mapping[str, Any]:
    """Return what was answered to what was asked for, as plain JSON that cannot be changed.

    Outputs of the authenticator come before those of the client, which are not signed. What is too long, too deep or
    not JSON is as good as not there: nobody can rely on an extension.

    :param client: ``clientExtensionResults`` of the response.
    :param authenticator: the extension outputs in the authenticator data, as CBOR; may be empty.
    """
    if not pending.extensions:
        return _NONE
    told = client if isinstance(client, dict) else {}
    found = {name: told[name] for name in pending.extensions if name in told and name not in _OF_AUTHENTICATORS}
    signed = _decode(authenticator)
    found |= {name: signed[name] for name in signed if _was_asked(pending, name)}
    return MappingProxyType({name: copy for name, value in found.items() if (copy := _bounded(value)) is not None})


def used_app_id(pending: PendingCeremony, client: object) -> bool:
    """Was the credential made for the AppID that was asked for (section 10.1.1), and not for the RP ID?"""
    return bool(pending.app_id) and isinstance(client, dict) and client.get("appid") is True


def _was_asked(pending: PendingCeremony, name: Any) -> bool:
    return name in pending.extensions or _ASKED_BY.get(name) in pending.extensions


def _decode(authenticator: bytes) -> dict[Any, Any]:
    """Decode what was measured; nothing, if a key is there twice."""
    if not authenticator:
        return {}
    try:
        found: dict[Any, Any] = parse_cbor(authenticator)
    except Exception:  # a verdict on bytes an attacker chose
        return {}
    return found


def _bounded(value: object) -> Any:
    try:
        copy = _copy(value, binary=True)
    except ValueError:
        return None
    return copy if len(json.dumps(copy)) <= MAX_OUTPUT else None


def _copy(value: object, levels: int = MAX_LEVELS, *, binary: bool = False) -> Any:
    """Return a copy of plain JSON.

    :param binary: bytes become base64url text.
    :raises ValueError: it is something else, with a few words on it.
    """
    match value:
        case None | bool():
            return value
        case int() | float() if abs(value) <= _MAX_NUMBER:  # which no NaN is
            return value
        case str():
            return value.encode().decode()  # half of a surrogate pair is a ValueError
        case bytes() if binary:
            return base64url_encode(value)
        case list() | tuple() if levels:
            return [_copy(item, levels - 1, binary=binary) for item in value]
        case Mapping() if levels and all(isinstance(key, str) for key in value):
            return {_copy(key): _copy(item, levels - 1, binary=binary) for key, item in value.items()}
    raise ValueError(_why_not(value, levels))


def _why_not(value: object, levels: int) -> str:
    match value:
        case bytes() | bytearray() | memoryview():
            return "bytes, which are unpadded base64url text in JSON"
        case int() | float():
            return f"NaN, or a number beyond {_MAX_NUMBER}"
        case list() | tuple() | Mapping():
            return f"more than {MAX_LEVELS} levels" if not levels else "a name that is not text"
    return f"an object of class {type(value).__name__}"
