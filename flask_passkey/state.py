"""What belongs to one app, and how our code finds it from a request or command of that app."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from .accounts import Accounts
from .config import PasskeyConfig
from .relying_party import RelyingParty

_KEY = "passkey_state"


@dataclass(frozen=True, slots=True)
class State:
    """The parts of one app."""

    config: PasskeyConfig
    accounts: Accounts
    relying_party: RelyingParty


def keep(app: Flask, state: State) -> None:
    """Make ``state`` that of ``app``."""
    app.extensions[_KEY] = state


def current() -> State:
    """Return the state of the current app.

    :raises KeyError: the app has no Passkey extension.
    """
    state: State = current_app.extensions[_KEY]
    return state
