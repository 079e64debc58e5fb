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
    #: Under which name the app has our blueprint.
    blueprint_name: str
    #: When the log may warn again of a setting that is probably wrong, by its name; of a clock that only runs forward.
    warned: dict[str, float] = field(default_factory=dict)

    def route_of(self, endpoint: str | None) -> str | None:
        """Return which of our routes an endpoint is, without the blueprint's name; ``None`` for one of others."""
        blueprint, _, route = (endpoint or "").rpartition(".")
        return route if blueprint == self.blueprint_name else None


def keep(app: Flask, state: State) -> None:
    """Make ``state`` that of ``app``."""
    app.extensions[_KEY] = state


def current() -> State:
    """Return the state of the current app.

    :raises KeyError: the app has no Passkey extension.
    """
    return of(current_app)


def of(app: Flask) -> State:
    """Return the state of an app.

    :raises KeyError: it has no Passkey extension.
    """
    state: State = app.extensions[_KEY]
    return state
