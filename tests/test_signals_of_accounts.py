"""What a password manager is told of an account that never had a passkey, or is no more."""

from __future__ import annotations

import pytest
from apps import SITE, App, User, make_app
from flask_login import login_user

from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_up

pytestmark = pytest.mark.proves("frictions:empty-handle", "frictions:forget-user")


@pytest.fixture
def with_password() -> App:
    """Return an app in which ada may sign in with a password."""
    site = make_app(flask_login=True)
    site.users["1"] = User("ada", id="1")
    site.app.add_url_rule("/password", view_func=lambda: str(login_user(site.users["1"])), endpoint="password")
    return site


def test_who_never_had_a_passkey_is_not_signalled(with_password: App) -> None:
    """Without a user handle there is nobody to tell of; with the first passkey there is."""
    client, ada = with_password.app.test_client(), VirtualAuthenticator(SITE)
    client.get("/password")
    assert client.get("/user/authn").get_json()["data"] == {"credentials": [], "signals": {}}
    answer = client.delete("/user/authn/AQID").get_json()
    assert answer["code"] == 404, answer
    add_passkey(client, ada)
    told = client.get("/user/authn").get_json()["data"]["signals"]
    ada.signal_all_accepted_credentials(told)
    assert len(ada.credentials) == 1


def test_a_page_can_tell_of_a_forgotten_account(site: App) -> None:
    """What forget_user() returns empties the password manager of that account, and of no other."""
    mine, client = VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(client, mine, "ada")
    sign_up(site.app.test_client(), mine, "bob")
    with site.app.app_context():
        told = site.passkey.forget_user(site.user("ada").id)
    assert told and told.keys() == {"rpId", "userId", "allAcceptedCredentialIds"}
    mine.signal_all_accepted_credentials(told)
    assert [credential.user_name for credential in mine.credentials] == ["bob"]


def test_nothing_is_told_of_who_had_no_passkey(with_password: App) -> None:
    """An account without a passkey is forgotten, and its password manager knows nothing of it anyway."""
    with with_password.app.app_context():
        assert with_password.passkey.forget_user("1") == {}
        assert with_password.passkey.forget_user("unknown") == {}
