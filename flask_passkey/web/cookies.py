"""The flags of the app's session cookie, which are Flask's settings: without them others can read it, or send it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..config import PasskeyConfig

log = logging.getLogger(__name__)


def missing_lines(settings: Mapping[str, Any], config: PasskeyConfig) -> list[str]:
    """Return the lines that an app lacks whose pages are all on https.

    :param settings: ``app.config``, when the app is complete.
    """
    wanted = {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Lax"}
    if not config.https_only:
        return []
    return [f"{name} = {value!r}" for name, value in wanted.items() if not settings.get(name)]


def warn(settings: Mapping[str, Any], config: PasskeyConfig) -> None:
    """Log the lines that are missing, if any."""
    if lines := missing_lines(settings, config):
        log.warning("The session's cookie is not as safe as it can be on https. Write %s", ", ".join(lines))
