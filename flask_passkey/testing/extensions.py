"""What a browser and an authenticator answer to extensions, by `W3C WebAuthn Level 3, section 10.1
<https://www.w3.org/TR/webauthn-3/#sctn-defined-client-extensions>`_ and CTAP 2.2, section 12.

Values are those of the JSON form, bytes as base64url text.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any, Final

from .browser import NotAllowedError, NotSupportedError, decode
from .credential import VirtualCredential
from .encoding import b64url_encode

#: All that there is here.
SUPPORTED: Final = ("credProps", "prf", "largeBlob", "credProtect", "minPinLength")
#: What an extension is asked for by, where that is not its name.
_ASKED_BY = {"credProtect": "credentialProtectionPolicy"}
_POLICIES = ("userVerificationOptional", "userVerificationOptionalWithCredentialIDList", "userVerificationRequired")


def known(inputs: Mapping[str, Any], supported: Collection[str]) -> dict[str, Any]:
    """Return the inputs for what is supported, by name of the extension; others are ignored.

    :raises NotAllowedError: the rest was to be made only with what is missing.
    """
    asked = {name: inputs.get(_ASKED_BY.get(name, name)) for name in supported}
    if inputs.get("enforceCredentialProtectionPolicy") and "credProtect" not in supported:
        raise NotAllowedError("the options insist on credProtect, which the authenticator does not have")
    if (inputs.get("largeBlob") or {}).get("support") == "required" and "largeBlob" not in supported:
        raise NotAllowedError("the options insist on largeBlob, which the authenticator does not have")
    return {name: value for name, value in asked.items() if value not in (None, False)}


def created(
    asked: Mapping[str, Any], credential: VirtualCredential, *, min_pin_length: int
) -> tuple[dict[str, Any], dict[str, object]]:
    """Return the outputs of client and authenticator for a new credential.

    :raises NotSupportedError: the inputs are those of a sign-in.
    :raises TypeError: an input has a value that does not exist.
    """
    client: dict[str, Any] = {}
    signed: dict[str, object] = {}
    if "credProps" in asked:
        client["credProps"] = {"rk": credential.is_resident_credential}
    if "prf" in asked:
        client["prf"] = {"enabled": True, **_prf(asked["prf"], credential, is_list=False)}
    if "largeBlob" in asked:
        client["largeBlob"] = {"supported": credential.is_resident_credential}
    if "credProtect" in asked:
        signed["credProtect"] = _protection(asked["credProtect"])
    if "minPinLength" in asked:
        signed["minPinLength"] = min_pin_length
    return client, signed


def _protection(policy: str) -> int:
    """Return a policy's number, by its name."""
    if policy not in _POLICIES:
        raise TypeError(f"credentialProtectionPolicy is not one of {', '.join(_POLICIES)}")
    return _POLICIES.index(policy) + 1


def used(asked: Mapping[str, Any], credential: VirtualCredential, *, is_list: bool) -> dict[str, Any]:
    """Return the client's outputs for a credential that signs in.

    :param is_list: the options have ``allowCredentials``.
    :raises NotSupportedError: an input needs that.
    """
    client: dict[str, Any] = {}
    if "prf" in asked:
        client["prf"] = _prf(asked["prf"], credential, is_list=is_list)
    if "largeBlob" in asked:
        client["largeBlob"] = _large_blob(asked["largeBlob"], credential)
    return client


def _prf(values: Mapping[str, Any], credential: VirtualCredential, *, is_list: bool) -> dict[str, Any]:
    each = values.get("evalByCredential") or {}
    if each and not is_list:
        raise NotSupportedError("prf.evalByCredential needs allowCredentials")
    salts = each.get(b64url_encode(credential.id), values.get("eval"))
    return {"results": {name: _evaluated(decode(salts, name), credential) for name in salts}} if salts else {}


def _evaluated(salt: bytes, credential: VirtualCredential) -> str:
    hashed = sha256(b"WebAuthn PRF\0" + salt).digest()
    return b64url_encode(hmac.digest(credential.prf_key, hashed, sha256))


def _large_blob(values: Mapping[str, Any], credential: VirtualCredential) -> dict[str, Any]:
    """Read or write; only a discoverable credential has a place for it."""
    if "write" in values:
        if credential.is_resident_credential:
            credential.large_blob = decode(values, "write")
        return {"written": credential.is_resident_credential}
    return {"blob": b64url_encode(credential.large_blob)} if values.get("read") and credential.large_blob else {}
