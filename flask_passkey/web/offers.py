"""The offer of a passkey after a password sign-in, and "not now", which holds for 30 days."""

from __future__ import annotations

import hashlib
import hmac
import logging

from flask import request
from werkzeug.wrappers import Response

from ..errors import CredentialStoreUnavailable, Misconfigured
from ..state import current
from . import sessions

log = logging.getLogger(__name__)

#: The cookie that keeps "not now", and for how many seconds.
COOKIE, AGE = "passkey_not_now", 30 * 86_400


def is_open() -> bool:
    """Tell whether the visitor may be offered a passkey now: after an offer, for an account without one."""
    visitor = sessions.visitor()
    try:
        return current().relying_party.may_create_conditionally(visitor)
    except (CredentialStoreUnavailable, Misconfigured) as refusal:
        log.warning("No passkey is offered, as the credentials cannot be read: %s", refusal.reason)
        return False


def is_declined(user_id: str) -> bool:
    """Tell whether this user has said "not now" in this browser within 30 days."""
    return hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), _mark(user_id).encode())


def decline(user_id: str, response: Response) -> None:
    """Ask this user again in 30 days."""
    sessions.forget_offer()
    secure = current().config.https_only
    response.set_cookie(COOKIE, _mark(user_id), max_age=AGE, secure=secure, httponly=True, samesite="Lax")


def _mark(user_id: str) -> str:
    """Return what the cookie has for a user; whoever shares the browser is asked all the same."""
    return hashlib.sha256(user_id.encode()).hexdigest()[:32]
