"""``Server-Timing`` on our routes in debug: how long the store, the credentials and the check of a response took.

Browsers show it beside the request, in the tools for developers: https://www.w3.org/TR/server-timing/.
"""

from __future__ import annotations

from time import perf_counter

from flask import Flask, Response, request, request_finished

from .. import progress
from ..state import of


def connect(app: Flask) -> bool:
    """Send the header from now on, if the app is in debug; tell whether it is."""
    if app.debug:
        request_finished.connect(_tell, app)
    return app.debug


def _tell(sender: Flask, *, response: Response, **_: object) -> None:
    found = progress.current()
    if found is None or of(sender).route_of(request.endpoint) is None:
        return
    took = found.seconds | {"total": perf_counter() - found.started}
    response.headers["Server-Timing"] = ", ".join(f"{part};dur={1000 * took[part]:.2f}" for part in took)
