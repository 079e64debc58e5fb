"""What is wrong with an app, as far as it can be seen, and the line that mends it: ``flask passkey check``.

.. code-block:: text

    findings.py    what is found
    settings.py    RP ID, related origins, secret key
    cookies.py     the session's cookie
    sessions.py    the app's sessions, by a round trip
    values.py      what the app puts into sessions, and they do not keep
    stores.py      both stores, by a round trip; memory that processes do not share
    tables.py      tables, columns, migrations
    accounts.py    hooks, accounts that are gone
    routes.py      collisions, well-known documents
    ages.py        FIDO metadata, releases with holes
    outside/       the site as a request from outside sees it
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from ..state import State
from . import accounts, ages, cookies, routes, sessions, settings, stores, tables, values
from .findings import SEVERITIES, Finding, from_error
from .outside import look
from .stores import places

__all__ = ["SEVERITIES", "Finding", "examine", "from_error", "look", "places"]


def examine(app: Flask, state: State, *, most_accounts: int | None, show_ids: bool = False) -> Iterator[Finding]:
    """Look at all that can be seen from inside. It needs the app's context, and leaves nothing in any store.

    :param most_accounts: as many accounts the app is asked for; ``None`` for all.
    :param show_ids: name the ids of accounts that are gone.
    """
    yield from settings.check(app, state.config)
    yield from cookies.check(app, state.config)
    yield from routes.check(app, state.config)
    yield from accounts.check_hooks(state)
    yield from tables.check_migrations(app, state)
    yield from stores.check_shared(state)
    unusable = list(tables.check(state)) or list(stores.check_credentials(state))
    yield from unusable
    if not unusable:
        yield from accounts.check_orphans(state, most=most_accounts, show_ids=show_ids)
    unusable = list(stores.check_ceremonies(state))
    unusable = unusable or list(sessions.check(app, state.config))
    yield from unusable
    if not any(finding.id == "sessions.round-trip" or finding.area == "stores" for finding in unusable):
        yield from values.check(app, state.config)
    yield from ages.check_metadata(state)
    yield from ages.check_versions()
