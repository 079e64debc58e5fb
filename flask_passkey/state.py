"""What belongs to one app, and how our code finds it from a request or command of that app."""

from __future__ import annotations

import time
from collections.abc import Mapping

from flask import Flask, has_request_context, request

from .accounts import Accounts
from .config import PasskeyConfig
from .errors import Misconfigured
from .pending.ceremonies import PendingCeremonies
from .proxies import current_application
from .relying_party import RelyingParty

_KEY = "passkey_state"
# In the environment of a request: the RP ID that the app has chosen for it, with the app's number.
_CHOSEN = "passkey.rp_id."
# Seconds between two warnings about one setting.
_WARN_EVERY = 60


class State:
    """The parts of one app, for one of its relying parties.

    :param pending: its ceremonies between begin and finish.
    :param blueprint_name: under which name the app has our blueprint.
    :param warned: when the log may warn again of a setting that is probably wrong, by its name; of a clock that only
        runs forward.
    :param others: the same for each of ``PASSKEY_RELYING_PARTIES``, by RP ID.
    """

    __slots__ = ("accounts", "blueprint_name", "config", "others", "pending", "relying_party", "warned")

    def __init__(
        self,
        config: PasskeyConfig,
        accounts: Accounts,
        relying_party: RelyingParty,
        pending: PendingCeremonies,
        blueprint_name: str,
        warned: dict[str, float],
        others: Mapping[str, State],
    ) -> None:
        self.config = config
        self.accounts = accounts
        self.relying_party = relying_party
        self.pending = pending
        self.blueprint_name = blueprint_name
        self.warned = warned
        self.others = others

    def find(self, rp_id: str) -> State | None:
        """Return the state for an RP ID of the app, ``None`` if it has no such."""
        return self if rp_id == self.config.rp_id else self.others.get(rp_id)

    def may_warn_of(self, setting: str) -> bool:
        """Tell whether the log may warn of a setting now, which it then does: once a minute."""
        now = time.monotonic()
        if now < self.warned.get(setting, now):
            return False
        self.warned[setting] = now + _WARN_EVERY
        return True

    def route_of(self, endpoint: str | None) -> str | None:
        """Return which of our routes an endpoint is, without the blueprint's name; ``None`` for one of others."""
        blueprint, _, route = (endpoint or "").rpartition(".")
        return route if blueprint == self.blueprint_name else None


def keep(app: Flask, state: State) -> None:
    """Make ``state`` that of ``app``."""
    app.extensions[_KEY] = state


def common() -> State:
    """Return the state of the current app, for what is the same for all relying parties.

    :raises KeyError: the app has no Passkey extension.
    """
    state: State = current_application().extensions[_KEY]
    return state


def of(app: Flask) -> State:
    """Return the state of an app.

    :raises KeyError: it has no Passkey extension.
    """
    state: State = app.extensions[_KEY]
    return state


def current() -> State:
    """Return the state of the current app, for the relying party of the request; outside of one, for the first.

    :raises KeyError: the app has no Passkey extension.
    :raises Misconfigured: the app has chosen an RP ID that it has not configured.
    """
    return chosen_of(common())


def chosen_of(state: State) -> State:
    """Return the same, where the state of the app is known."""
    if not (state.others or state.accounts.has_rp_id_for) or not has_request_context():
        return state
    chosen = f"{_CHOSEN}{id(state)}"
    if chosen not in request.environ:
        request.environ[chosen] = state  # for what the hook itself asks us
        try:
            request.environ[chosen] = _choose(state)
        except BaseException:
            del request.environ[chosen]
            raise
    found: State = request.environ[chosen]
    return found


def _choose(state: State) -> State:
    rp_id = state.accounts.rp_id_for()
    found = state.find(rp_id) if isinstance(rp_id, str) else None
    if found is None:
        raise Misconfigured(
            f"the rp_id_for hook returned {rp_id!r}, which is neither PASSKEY_RP_ID nor in PASSKEY_RELYING_PARTIES"
        )
    return found
