"""One example of every request and answer. Tests check them against the schemas."""

from __future__ import annotations

from typing import Any

CORRELATION_ID = "b4351ecc-ee1a-4455-bc94-2c3dbcc58538"
SESSION_ID = "47c10dd3-7e10-4950-95d5-483dbc9508e6"
CREDENTIAL_ID = "KEDetxZcUfinhVi6Za5nZQ"

_USER_HANDLE = "eE4mTBCZ_Tqv2vbMZNPBbgzOOdnPqWqyz2VqYzgo5Ws"
_CHALLENGE = "FVcvX-tYVZYL24gsHj7mryaljQjcNeT8oVIK-vmLJZI"
_CLIENT_DATA = (
    "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiRlZjdlgtdFlWWllMMjRnc0hqN21yeWFsalFqY05lVDhvVklLLXZtTEpaSSIs"
    "Im9yaWdpbiI6Imh0dHBzOi8vZXhhbXBsZS5jb20iLCJjcm9zc09yaWdpbiI6ZmFsc2V9"
)
_AUTHENTICATOR_DATA = "o3mm9u6vuaVeN4wRgDTidR5oL6ufLTCrE9ISVYbOGUcdAAAAAA"

SIGN_IN_OPTIONS: dict[str, Any] = {
    "session_id": SESSION_ID,
    "options": {
        "publicKey": {
            "challenge": _CHALLENGE,
            "timeout": 300_000,
            "rpId": "example.com",
            "userVerification": "required",
        }
    },
}
REGISTRATION_OPTIONS: dict[str, Any] = {
    "session_id": SESSION_ID,
    "options": {
        "publicKey": {
            "rp": {"name": "Example", "id": "example.com"},
            "user": {"id": _USER_HANDLE, "name": "ada", "displayName": "Ada Lovelace"},
            "challenge": _CHALLENGE,
            "pubKeyCredParams": [{"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -8}],
            "timeout": 300_000,
            "excludeCredentials": [],
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": True,
                "userVerification": "required",
            },
            "attestation": "none",
            "extensions": {"credProps": True},
        }
    },
}


def _response(members: dict[str, str]) -> dict[str, Any]:
    return {
        "session_id": SESSION_ID,
        "response": {
            "id": CREDENTIAL_ID,
            "rawId": CREDENTIAL_ID,
            "type": "public-key",
            "response": {"clientDataJSON": _CLIENT_DATA, **members},
            "clientExtensionResults": {},
        },
    }


SIGN_IN_RESPONSE = _response(
    {
        "authenticatorData": _AUTHENTICATOR_DATA,
        "signature": "MEUCIQDpV1B7pDKvOZ4y3gZ9mJ0Fq0ZMZlxq3p4Xb8mGmQIgXw7v1gY0cM6s2rjWcLwYg0WZf0cM3Y8Yb1o0c2x3k4U",
        "userHandle": _USER_HANDLE,
    }
)
REGISTRATION_RESPONSE = _response({"attestationObject": "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YVg4"}) | {"name": "Phone"}

CREDENTIAL: dict[str, Any] = {
    "id": CREDENTIAL_ID,
    "name": "Phone",
    "created_at": "2026-11-25T20:15:00.000Z",
    "used_at": None,
    "aaguid": "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4",
    "provider": {
        "name": "Google Password Manager",
        "icon_light": "/passkey/icons/ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4/light",
        "icon_dark": "/passkey/icons/ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4/dark",
    },
    "transports": ["internal", "hybrid"],
    "backup_eligible": True,
    "backup_state": True,
    "current": True,
}


def _signals(*ids: str) -> dict[str, Any]:
    return {
        "rpId": "example.com",
        "userId": _USER_HANDLE,
        "allAcceptedCredentialIds": list(ids),
        "name": "ada",
        "displayName": "Ada Lovelace",
    }


_USED = CREDENTIAL | {"used_at": "2026-11-25T21:40:12.345Z"}
SIGNED_IN: dict[str, Any] = {
    "user": {"id": "17", "name": "ada", "display_name": "Ada Lovelace"},
    "credential": _USED,
    "signals": _signals(CREDENTIAL_ID),
}
CREDENTIAL_LIST: dict[str, Any] = {"credentials": [_USED], "signals": _signals(CREDENTIAL_ID)}
DELETED: dict[str, Any] = {"signals": _signals()}
DELETED_SEVERAL: dict[str, Any] = {"deleted": [CREDENTIAL_ID], "signals": _signals()}
#: The ID of a passkey that a batch could not delete.
NOT_DELETED = "AAAA"
