"""The secret that ceremonies are bound to, and the cookie in which the browser holds it.

The cookie names nobody, is never stored on the server, and ends with the browser session. An anonymous visitor thus
needs no session record.
"""

from __future__ import annotations

import re
import secrets

from flask import Response, after_this_request

from ..config import PasskeyConfig
from ..pending.ceremonies import new_browser_secret
from ..proxies import current_request
from . import cookies

# A browser whose first requests race gets two secrets. Many more were not set by us.
_MAX_SECRETS = 4
_NEW = "passkey.new_secret"
# With __Host- the browser refuses cookies that another subdomain, or a page on http, tries to plant.
_PREFIX = {True: "__Host-passkey_", False: "passkey_"}
_NAMES = {https_only: re.compile(f"{prefix}[0-9a-f]{{8}}") for https_only, prefix in _PREFIX.items()}


def known(config: PasskeyConfig) -> tuple[str, ...]:
    """Return the secrets that the browser holds; one is made, and set with the answer, where it holds none."""
    return held(config) or (_new(config),)


def held(config: PasskeyConfig) -> tuple[str, ...]:
    """Return the secrets that the browser holds."""
    sent = current_request().cookies
    if not sent:
        return ()
    is_ours = _NAMES[config.https_only].fullmatch
    return tuple([value for name, value in sent.items() if is_ours(name) and len(value) == 43][:_MAX_SECRETS])


def _new(config: PasskeyConfig) -> str:
    """Return the request's new secret; asked again, the same one."""
    environ = current_request().environ
    if _NEW in environ:
        return str(environ[_NEW])
    secret = environ[_NEW] = new_browser_secret()

    @after_this_request
    def set_cookie(response: Response) -> Response:
        # A name for each secret, so that two first answers at once do not overwrite each other's.
        name = _PREFIX[config.https_only] + secrets.token_hex(4)
        samesite = "None" if config.in_frames else "Lax"
        response.set_cookie(name, secret, secure=config.https_only, httponly=True, samesite=samesite)
        if config.in_frames:
            cookies.add_attributes(response, name, "Partitioned")
        return response

    return secret
