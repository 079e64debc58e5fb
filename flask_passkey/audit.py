"""One line for every outcome, on the log ``flask_passkey.audit``: who did what with which passkey, or why not.

Lines are ``key=value`` pairs, text that needs it in the quotes and escapes of JSON. They hold no challenge, user
handle, key, token or signature, and no name unless ``PASSKEY_AUDIT_NAMES`` asks for it. A handler that wants the pairs
finds them in ``record.passkey``.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping
from typing import Any

from .encoding import base64url_encode
from .errors import Misconfigured, NameTaken, Refusal
from .logs import one_line

log = logging.getLogger(__name__)

_BARE = re.compile(r"[A-Za-z0-9_.:@+-]+")


def write(event: str, about: Mapping[str, Any], *, user_id: str = "", name: str = "", action: str = "") -> None:
    """Write what has happened.

    :param event: ``signed-in``, ``registered``, ``refused``, …
    :param about: what the event's signal tells.
    :param user_id: of the account.
    :param name: of the account, where names are wanted.
    :param action: what was refused.
    """
    if not log.isEnabledFor(logging.INFO):
        return
    error = about.get("error")
    pairs = {
        "event": event,
        "outcome": "success" if error is None else "refused",
        "correlation_id": about.get("correlation_id") or str(uuid.uuid4()),
        "action": action,
        "user_id": user_id or _owner(about),
        "name": name,
        "purpose": about.get("purpose") or about.get("kind") or "",
        "credential": ",".join(map(base64url_encode, _credentials(about))),
        **(_failure(error) if isinstance(error, Refusal) else {}),
    }
    pairs = {key: str(value) for key, value in pairs.items() if value != ""}
    log.info("%s", " ".join(f"{key}={_quoted(value)}" for key, value in pairs.items()), extra={"passkey": pairs})


def _owner(about: Mapping[str, Any]) -> str:
    credential = about.get("credential")
    return "" if credential is None else str(credential.user_id)


def _credentials(about: Mapping[str, Any]) -> list[bytes]:
    credential = about.get("credential")
    return list(about.get("credential_ids", ())) if credential is None else [credential.id]


def _failure(refusal: Refusal) -> dict[str, Any]:
    """Return code and reason of a refusal; what a hook of the app says may hold a name, so that is left out."""
    pairs = {"code": refusal.code, "error": type(refusal).__name__}
    if isinstance(refusal, Misconfigured) and refusal.__cause__ is not None:
        return pairs | {"cause": type(refusal.__cause__).__name__}
    return pairs if isinstance(refusal, NameTaken) else pairs | {"reason": refusal.reason}


def _quoted(value: str) -> str:
    return value if _BARE.fullmatch(value) else one_line(json.dumps(value, ensure_ascii=False))
