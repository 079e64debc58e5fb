"""The app's sessions, by a real round trip: do they keep what is put into them?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from ..config import PasskeyConfig
from ..logs import summary
from .findings import Finding, error, warning
from .settings import is_public

#: The finding after which nothing more can be tried.
UNUSABLE = "sessions.round-trip"
_PROBE = {"flask-passkey-check": "round trip"}
#: Flask's own, which nobody has chosen.
_LIFETIME = timedelta(days=31)


def check(app: Flask, config: PasskeyConfig) -> Iterator[Finding]:
    """Save a session, read it and delete it; and again with what Flask-Login puts into one."""
    try:
        kept = round_trip(app, config, _PROBE)
    except Exception as exc:  # whatever the session's library raises
        yield _broken(f"cannot be saved or read: {summary(exc)}.")
        return
    if kept != _PROBE:
        yield _broken("do not come back: what is put into one is not there in the next request.")
        return
    yield from _flashed(app, config)
    yield from _lifetime(app, config)


def _broken(what: str) -> Finding:
    return error(
        UNUSABLE,
        f"The app's sessions {what}",
        "SESSION_TYPE = …, and its store, such as SESSION_REDIS = Redis.from_url('redis://…', socket_timeout=5): start "
        "it, or correct its address",
    )


def round_trip(app: Flask, config: PasskeyConfig, values: dict[str, Any]) -> dict[str, Any]:
    """Return what comes back in the next request of the same browser. Nothing is left in the store."""
    interface, response = app.session_interface, app.response_class()
    where = {"base_url": config.site}
    with app.test_request_context("/", **where) as first:
        opened = _session_of(first)
        opened.update(values)
        interface.save_session(app, opened, response)
    cookies = [line.partition(";")[0] for line in response.headers.getlist("Set-Cookie")]
    with app.test_request_context("/", headers={"Cookie": "; ".join(cookies)}, **where) as second:
        opened = _session_of(second)
        found = {name: value for name, value in opened.items() if name in values}
        opened.clear()
        interface.save_session(app, opened, app.response_class())
    return found


def _session_of(context: Any) -> Any:
    return context.session


def _flashed(app: Flask, config: PasskeyConfig) -> Iterator[Finding]:
    """Try what Flask-Login flashes before it sends people to the login page: often a text that is translated late."""
    manager: Any = getattr(app, "login_manager", None)
    for name in ("login_message", "needs_refresh_message"):
        kind = _not_kept(app, config, manager, getattr(manager, name, None))
        if kind:
            yield error(
                "sessions.flashed-text",
                f"Flask-Login's {name} is a {kind}, which these sessions cannot keep: each redirect to the login page "
                "fails.",
                "login_manager.localize_callback = str",
            )


def _not_kept(app: Flask, config: PasskeyConfig, manager: Any, message: Any) -> str:
    """Return the type of a message that sessions do not keep, empty where they do."""
    with app.test_request_context("/"):  # a text that is translated late may ask the request for the language
        if not message:
            return ""
        text = message
        try:
            text = message if manager.localize_callback is None else manager.localize_callback(message)
            kept = round_trip(app, config, {"_flashes": [("message", text)]})
            is_kept = str(kept["_flashes"][0][1]) == str(text)
        except Exception:  # whatever the session's library raises
            is_kept = False
        return "" if is_kept else type(text).__qualname__


def _lifetime(app: Flask, config: PasskeyConfig) -> Iterator[Finding]:
    """Look whether the move to Flask-Session has silently made cookies last for a month."""
    interface = app.session_interface
    is_cookie = isinstance(interface, SecureCookieSessionInterface)
    said = "SESSION_PERMANENT" in app.config or app.permanent_session_lifetime != _LIFETIME
    if is_public(config) and not is_cookie and not said and getattr(interface, "permanent", False):
        yield warning(
            "sessions.permanent",
            "Flask-Session keeps people signed in for 31 days after their last visit, also those who did not tick "
            '"Remember me"; Flask\'s own sessions end with the browser.',
            "SESSION_PERMANENT = False, or = True if that is meant",
        )
