"""What belongs to one app, and how our code finds it from a request or command of that app."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    #: When the log may warn again of a setting that is probably wrong, by its name; of a clock that only runs forward.
    warned: dict[str, float] = field(default_factory=dict)


def keep(app: Flask, state: State) -> None:
    """Make ``state`` that of ``app``."""
    app.extensions[_KEY] = state


def current() -> State:
    """Return the state of the current app.

    :raises KeyError: the app has no Passkey extension.
    """
    state: State = current_app.extensions[_KEY]
    return state
