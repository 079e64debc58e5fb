"""Fixtures for pytest: an authenticator at the app's address, and a browser that has signed in with it.

.. code-block:: python

    pytest_plugins = ["flask_passkey.testing.plugin"]  # conftest.py, in the folder that pytest is started in

It is no entry point: with one, pytest would import it, and with it this package and its cryptography, in every run of
every project of the environment, before ``coverage`` begins to look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .authenticator import VirtualAuthenticator
from .client import client_at, sign_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.testing import FlaskClient

__all__ = ["passkey_authenticator", "passkey_client", "passkey_enter", "passkey_name", "passkey_origin"]


@pytest.fixture
def passkey_origin(app: Flask) -> str:
    """Where the site is: the first of ``PASSKEY_ORIGINS`` of your ``app`` fixture."""
    with app.test_request_context():
        return str(app.extensions["passkey"].config.site)


@pytest.fixture
def passkey_authenticator(passkey_origin: str) -> VirtualAuthenticator:
    """A phone without passkeys, and the browser in it, at the site."""
    return VirtualAuthenticator(passkey_origin)


@pytest.fixture
def passkey_name() -> str:
    """The name of the account that signs up; override it for another."""
    return "ada"


@pytest.fixture
def passkey_enter(app: Flask, passkey_name: str) -> Callable[[FlaskClient, VirtualAuthenticator], object]:
    """How somebody with a passkey comes to be signed in: by sign-up.

    Override it for an app without sign-up by passkey: a function that signs the client in, and adds a passkey of the
    authenticator.
    """
    with app.test_request_context():
        prefix: str = app.extensions["passkey"].config.url_prefix
    return lambda client, authenticator: sign_up(client, authenticator, passkey_name, prefix=prefix)


@pytest.fixture
def passkey_client(
    app: Flask,
    passkey_origin: str,
    passkey_authenticator: VirtualAuthenticator,
    passkey_enter: Callable[[FlaskClient, VirtualAuthenticator], object],
) -> FlaskClient:
    """A test client that is signed in with the passkey in ``passkey_authenticator``; its sign-in is fresh."""
    client = client_at(app, passkey_origin)
    passkey_enter(client, passkey_authenticator)
    return client
