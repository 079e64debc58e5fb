"""The doctor in apps whose texts are translated late, in the language of the request."""

from __future__ import annotations

from flask import Flask, request
from flask_babel import Babel, lazy_gettext
from flask_login import LoginManager

from flask_passkey import Passkey
from flask_passkey.doctor import examine
from flask_passkey.state import current


def test_a_language_that_the_request_chooses() -> None:
    """Flask-Login's late text, which sessions in a cookie keep, is tried inside a request, and no check fails."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="x", PASSKEY_DATABASE_URI="sqlite://", PASSKEY_CEREMONY_STORE="database")
    Babel(app, locale_selector=lambda: request.accept_languages.best_match(["en", "de"]))
    manager = LoginManager(app)
    manager.user_loader(lambda user_id: None)
    manager.login_message = lazy_gettext("Please sign in.")
    Passkey(app)
    with app.app_context():
        findings = examine(app, current(), most_accounts=1)
        assert not [finding for finding in findings if finding.id.startswith("sessions")]
        app.extensions["passkey"].credentials.close()
