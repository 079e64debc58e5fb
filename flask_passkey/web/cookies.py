"""The flags of the app's session cookie, which are Flask's settings: without them others can read it, or send it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Flask, Response, request
from flask.sessions import SessionInterface, SessionMixin

from ..config import PasskeyConfig
from ..state import of

log = logging.getLogger(__name__)

_ON_HTTPS = {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Lax"}
# Browsers that block cookies of other sites send partitioned ones, of which each site around the frame has its own.
_IN_FRAMES = {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_PARTITIONED": True}


def missing_lines(settings: Mapping[str, Any], config: PasskeyConfig) -> list[str]:
    """Return the lines that an app lacks whose pages are all on https.

    :param settings: ``app.config``, when the app is complete.
    """
    if not config.https_only:
        return []
    wanted: Mapping[str, Any] = _IN_FRAMES if config.in_frames else _ON_HTTPS
    missing = [name for name in wanted if not settings.get(name)]
    if config.in_frames and str(settings.get("SESSION_COOKIE_SAMESITE")).lower() in ("lax", "strict"):
        missing.append("SESSION_COOKIE_SAMESITE")
    return [f"{name} = {value!r}" for name, value in wanted.items() if name in missing]


def warn(settings: Mapping[str, Any], config: PasskeyConfig) -> None:
    """Log the lines that are missing, if any."""
    if lines := missing_lines(settings, config):
        safe = "The session's cookie is not as safe as it can be on https."
        sent = "Not all browsers send the session's cookie in frames, which PASSKEY_ALLOW_CROSS_ORIGIN allows."
        log.warning("%s Write %s", sent if config.in_frames else safe, ", ".join(lines))


def guard(interface: SessionInterface) -> None:
    """Let a session interface keep to ``SESSION_COOKIE_PARTITIONED``.

    Flask does so from 3.1 on, Flask-Session 0.8 does not. To delete a cookie in a frame takes its flags, too, which
    Flask-Session leaves out.
    """
    wrapped: Any = interface
    wrapped.save_session = partial(_save_session, interface.save_session)


def _save_session(
    save_session: Callable[[Flask, SessionMixin, Response], None], app: Flask, session: SessionMixin, response: Response
) -> None:
    save_session(app, session, response)
    if app.config.get("SESSION_COOKIE_PARTITIONED"):
        samesite = app.config["SESSION_COOKIE_SAMESITE"]
        flags = ("Secure", f"SameSite={samesite}", "Partitioned") if samesite else ("Secure", "Partitioned")
        add_attributes(response, app.config["SESSION_COOKIE_NAME"], *flags)
    if not (getattr(session, "accessed", True) or getattr(session, "modified", True)):  # the answer has nothing of it
        return
    # The text first: to take the header apart costs more than all the rest here, and next to no answer is public.
    if "public" in response.headers.get("Cache-Control", "") and _is_ours(app):
        _keep_from_shared_caches(response)


def _is_ours(app: Flask) -> bool:
    return "passkey" in app.extensions and of(app).route_of(request.endpoint) is not None


def _keep_from_shared_caches(response: Response) -> None:
    """Let no cache give others the cookie that goes along with a file, nor ask anew for the file with each cookie."""
    if not response.cache_control.public:
        return
    if "Set-Cookie" in response.headers:
        response.cache_control.public = False
        response.cache_control.private = True
    else:
        response.vary.discard("Cookie")


def add_attributes(response: Response, name: str, *attributes: str) -> None:
    """Give a cookie that a response sets the attributes that it lacks. Werkzeug knows ``Partitioned`` from 3.1 on."""
    lines = response.headers.getlist("Set-Cookie")
    completed = [_completed(line, attributes) if line.startswith(f"{name}=") else line for line in lines]
    if completed != lines:
        response.headers.setlist("Set-Cookie", completed)


def _completed(line: str, attributes: tuple[str, ...]) -> str:
    there = {part.partition("=")[0].strip().lower() for part in line.split(";")[1:]}
    return "; ".join([line, *(text for text in attributes if text.partition("=")[0].lower() not in there)])
