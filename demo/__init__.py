"""A complete app on Flask-Passkey: sign-up, sign-in and "your passkeys", with no passwords anywhere.

Start it with ``flask --app demo run`` or ``gunicorn 'demo:create_app()'`` and open http://localhost:5000. Every
setting can be given in the environment: ``FLASK_PASSKEY_RP_ID``, ``FLASK_REDIS_URL``, ``FLASK_RATELIMIT_ENABLED``, ….
"""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_login import LoginManager
from flask_session import Session
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_passkey import Passkey

from . import errors, languages, limits, pages, security, settings
from .accounts import Accounts

__all__ = ["create_app"]


def create_app(config: dict[str, Any] | None = None) -> Flask:
    """Create the app.

    :param config: overrides any setting; without it, the environment (``FLASK_…``) and then the defaults count.
    """
    app = Flask(__name__, instance_path=settings.instance_path(config))
    settings.load(app, config)
    Session(app)
    passkey = Passkey(app)
    security.secure_session_cookie(app, passkey)
    _connect_accounts(app, passkey)
    limits.init_app(app)
    security.init_app(app, passkey)
    languages.init_app(app)
    pages.init_app(app)
    errors.init_app(app)
    if proxies := int(app.config["TRUSTED_PROXIES"]):
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    return app


def _connect_accounts(app: Flask, passkey: Passkey) -> None:
    """Let Flask-Login keep people signed in, and Flask-Passkey create accounts."""
    accounts = Accounts(passkey)
    manager = LoginManager()
    manager.init_app(app, add_context_processor=False)
    manager.login_view = "pages.sign_in"
    manager.login_message = None
    manager.user_loader(accounts.get)
    app.extensions["demo_accounts"] = accounts
    passkey.create_user(accounts.create)
    passkey.name_available(accounts.is_available)
