"""What is wrong with an app, as far as it can be seen, and the line that mends it: ``flask passkey check``.

.. code-block:: text

    findings.py    what is found
    settings.py    RP ID, related origins, secret key
    cookies.py     the session's cookie
    sessions.py    the app's sessions, by a round trip
    values.py      what the app puts into sessions, and they do not keep
    stores.py      both stores, by a round trip; memory that processes do not share
    tables.py      tables, columns, migrations
    accounts.py    hooks, accounts that are gone, passkeys for other RP IDs
    routes.py      collisions, well-known documents
    ages.py        FIDO metadata, releases with holes
    outside/       the site as a request from outside sees it
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from ..state import State
from . import accounts, ages, cookies, routes, sessions, settings, stores, tables, values
from .findings import SEVERITIES, Finding, error, from_error
from .outside import look
from .stores import places

__all__ = ["SEVERITIES", "Finding", "error", "examine", "from_error", "look", "places"]


def examine(app: Flask, state: State, *, most_accounts: int | None, show_ids: bool = False) -> Iterator[Finding]:
    """Look at all that can be seen from inside. It needs the app's context, and leaves no record in any store.

    :param most_accounts: as many accounts the app is asked for; ``None`` for all.
    :param show_ids: name the ids of accounts that are gone.
    """
    config = state.config
    yield from _whole("settings", settings.check(app, config))
    yield from _whole("cookies", cookies.check(app, config))
    yield from _whole("routes", routes.check(app, config))
    yield from _whole("accounts", accounts.check_hooks(state))
    yield from _whole("tables", tables.check_migrations(app, state))
    yield from _whole("stores", stores.check_shared(state))
    unusable = _whole("tables", tables.check(state)) or _whole("stores", stores.check_credentials(state))
    yield from unusable
    if not unusable:
        orphans = accounts.check_orphans(state, most=most_accounts, show_ids=show_ids)
        yield from _whole("accounts", orphans)
        yield from _whole("accounts", accounts.check_rp_ids(state))
    yield from _whole("stores", stores.check_ceremonies(state)) or _of_sessions(app, state)
    yield from _whole("metadata", ages.check_metadata(state))
    yield from _whole("versions", ages.check_versions())


def _of_sessions(app: Flask, state: State) -> list[Finding]:
    found = _whole("sessions", sessions.check(app, state.config))
    if any(finding.id == sessions.UNUSABLE for finding in found):
        return found
    return found + _whole("sessions", values.check(app, state.config))


def _whole(area: str, findings: Iterator[Finding]) -> list[Finding]:
    """Return what is found, and that a part of the app has raised what it must not."""
    found = []
    try:
        for finding in findings:
            found.append(finding)
    except Exception as exc:  # whatever a store of the app's raises; its text may quote values
        told = f"The check of the {area} has ended with {type(exc).__qualname__}."
        found.append(error(f"{area}.failed", told, "flask_passkey.contracts, as tests of a store of yours"))
    return found
