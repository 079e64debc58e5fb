"""Accounts that may not sign in: not yet, or no longer."""

from __future__ import annotations

import pytest
from apps import SITE, App, User, make_app

from flask_passkey.testing import Refused, VirtualAuthenticator, sign_in, sign_up


@pytest.fixture
def site() -> App:
    """Return an app where somebody must approve new accounts."""
    site = make_app()

    @site.passkey.check_account
    def is_approved(user: User) -> bool:
        return user.display_name == "approved"

    return site


def test_account_that_waits_for_approval_is_made_but_not_signed_in(site: App) -> None:
    """A sign-up makes the account with its passkey; until it is approved, nobody gets in with it."""
    client, authenticator = site.app.test_client(), VirtualAuthenticator(SITE)
    credential = sign_up(client, authenticator, "ada")
    assert not credential["current"]
    assert client.get("/user/authn").status_code == 401
    with pytest.raises(Refused) as refused:
        sign_in(client, authenticator)
    assert (refused.value.status, refused.value.code) == (403, 403)
    site.user("ada").display_name = "approved"
    assert sign_in(client, authenticator)["credential"]["id"] == credential["id"]


@pytest.mark.proves("specification:7.2.24")
def test_refused_sign_in_leaves_no_trace(site: App) -> None:
    """Section 7.2, step 24: the record of the passkey changes only after the app's account check."""
    client, authenticator = site.app.test_client(), VirtualAuthenticator(SITE, sign_count_step=1)
    sign_up(client, authenticator, "ada")
    before = site.passkey_records("ada")
    with pytest.raises(Refused):
        sign_in(client, authenticator)
    assert site.passkey_records("ada") == before
