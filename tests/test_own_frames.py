"""A page of the app inside another page of it, where frames are not switched on: the log has the lines to write."""

from __future__ import annotations

from typing import Any

import pytest
from apps import make_app, warnings_in

from flask_passkey.testing import Refused, VirtualAuthenticator, client_at, sign_in, sign_up

pytestmark = pytest.mark.proves("frictions:R")

LOGIN, WWW = "https://login.example.com", "https://www.example.com"
SETTINGS: dict[str, Any] = {"PASSKEY_RP_ID": "example.com", "PASSKEY_ORIGINS": LOGIN}


@pytest.mark.parametrize("more", [{}, {"PASSKEY_ALLOW_CROSS_ORIGIN": True}])
@pytest.mark.parametrize("ceremony", [sign_in, sign_up])
def test_a_frame_in_a_page_of_the_apps_own(more: Any, ceremony: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused, and warned of once a minute, for the developer."""
    site = make_app(SETTINGS | more)
    client, key = client_at(site.app, LOGIN), VirtualAuthenticator(LOGIN)
    sign_up(client, key, "ada")
    for name in ("bob", "eve"):
        browser = client_at(site.app, LOGIN)
        with pytest.raises(Refused) as refused:
            if ceremony is sign_in:
                sign_in(browser, key, cross_origin=True, top_origin=WWW)
            else:
                sign_up(browser, VirtualAuthenticator(LOGIN), name, cross_origin=True, top_origin=WWW)
        assert refused.value.code == 40025
    (warning,) = warnings_in(caplog)
    assert f"Write PASSKEY_ALLOW_CROSS_ORIGIN = True, PASSKEY_TOP_ORIGINS = ['{WWW}']" in warning


@pytest.mark.parametrize(
    "top", ["https://evil.example", "https://example.com.evil.example", "http://www.example.com", "x"]
)
def test_a_frame_in_somebody_elses_page(top: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is told to let a stranger's page have it in a frame."""
    site = make_app(SETTINGS)
    key = VirtualAuthenticator(LOGIN)
    sign_up(client_at(site.app, LOGIN), key, "ada")
    with pytest.raises(Refused):
        sign_in(client_at(site.app, LOGIN), key, cross_origin=True, top_origin=top)
    assert warnings_in(caplog) == []
