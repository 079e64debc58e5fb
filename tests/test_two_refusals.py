"""An app with two mistakes is told of both at once."""

from __future__ import annotations

from typing import Any

import pytest
from cachelib import SimpleCache
from flask import Flask
from flask_session import Session

from flask_passkey import MemoryCredentialRepository, Passkey
from flask_passkey.errors import ConfigurationError

pytestmark = pytest.mark.proves("frictions:two-refusals")

NO_RP_ID, COOKIES = "Write PASSKEY_RP_ID = ", "cannot be kept in Flask's own sessions"


def refusal_of(*, own: Any = None, session: bool = False, **config: Any) -> str:
    """Return what an app is refused with."""
    app = Flask(__name__)
    app.config.update(config)
    if session:
        Session(app)
    with pytest.raises(ConfigurationError) as caught:
        Passkey(app, credentials=MemoryCredentialRepository(), ceremony_store=own)
    return str(caught.value)


@pytest.mark.parametrize("config", [{}, {"PASSKEY_CEREMONY_STORE": "flask-session"}])
def test_both_lines_are_told(config: dict[str, Any]) -> None:
    """A fresh app has neither an RP ID nor sessions that will do; both lines to write are in one message."""
    told = refusal_of(**config)
    assert NO_RP_ID in told and COOKIES in told
    told = refusal_of(own=object(), **config)
    assert NO_RP_ID in told and COOKIES in told


@pytest.mark.parametrize(
    "config",
    [
        {"PASSKEY_CEREMONY_STORE": "database"},
        {"SESSION_TYPE": "cachelib"},
        {"SESSION_TYPE": "cachelib", "SESSION_CACHELIB": SimpleCache(), "session": True},
    ],
)
def test_sessions_that_will_do_are_not_blamed(config: dict[str, Any]) -> None:
    """Where ceremonies are elsewhere, or Flask-Session is there or still to come, only the RP ID is missing."""
    told = refusal_of(**config)
    assert NO_RP_ID in told and "sessions" not in told
