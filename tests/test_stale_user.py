"""Apps that load their user when a request begins, as Flask's tutorial does, and sign people in later in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from apps import App, make_app
from flask import g, session

from flask_passkey import Passkey


@pytest.mark.parametrize("method", [Passkey.offer_passkey, Passkey.confirm_user])
def test_a_user_loaded_before_the_sign_in_is_named(method: Callable[[Passkey], None]) -> None:
    """Where the hook returns what was loaded before the app's sign-in, the error says that, and what to do."""
    site: App = make_app()
    site.app.before_request(lambda: setattr(g, "user", site.users.get(session.get("user_id", ""))))
    site.passkey.get_current_user(lambda: g.user)

    @site.app.post("/password")
    def sign_in_with_password() -> str:
        session["user_id"] = "1"
        method(site.passkey)
        return ""

    with pytest.raises(RuntimeError, match=r"after the app's own sign-in\. .*get_current_user .*g\.user"):
        site.app.test_client().post("/password")
