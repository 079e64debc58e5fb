"""The attackers' and victims' browsers: Flask's test client at the site's address, which notes what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..client import client_at
from .report import NotMade

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

#: Methods with which a browser sends ``Origin``.
_CHANGING = frozenset(("DELETE", "PATCH", "POST", "PUT"))


class Reply:
    """An answer of the app.

    :param status: of HTTP; 500 where the app raised instead of answering.
    :param text: of the body.
    :param headers: with their names in lower case; of several of a name the last.
    """

    def __init__(self, status: int, text: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.text = text
        self.headers = headers or {}
        self.envelope = _envelope(text)
        #: Of the envelope, ``None`` where there is none.
        self.code = self.envelope.get("code")
        #: Of the envelope, ``{}`` after a refusal.
        self.data: dict[str, Any] = self.envelope.get("data") or {}

    @property
    def is_success(self) -> bool:
        """Has the app done what was asked, by its envelope?"""
        return self.code == 0 and self.status < 400


class Limited(NotMade):
    """The app has too many requests, so that it cannot be told what it would have answered."""


def _is_limited(answer: Any) -> bool:
    """Has a limiter refused it, by its status or by the code in its envelope?"""
    envelope = answer.get_json() if answer.status_code == 200 and answer.is_json else None
    return answer.status_code == 429 or (isinstance(envelope, dict) and envelope.get("code") == 429)


def _envelope(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class Browser:
    """A browser at the site.

    :param app: the app.
    :param origin: where the site is, with scheme and port.
    :param environ: of every request.
    :param failures: gets a line for every answer from 500 on.
    :param cookies: gets every ``Set-Cookie``.
    """

    def __init__(
        self, app: Flask, origin: str, environ: Mapping[str, Any], failures: list[str], cookies: list[str]
    ) -> None:
        self.origin = origin
        self.client: FlaskClient = client_at(app, origin)
        self.client.environ_base.update(environ)
        self._cookie_name = app.config["SESSION_COOKIE_NAME"]
        self._cookie_domain = app.config["SESSION_COOKIE_DOMAIN"] or urlsplit(origin).hostname
        self._cookie_path = app.config["SESSION_COOKIE_PATH"] or app.config["APPLICATION_ROOT"]
        self._failures, self._cookies = failures, cookies
        self._open = self.client.open
        vars(self.client)["open"] = self._open_and_note  # the app's own functions use the client, too

    def _open_and_note(self, *args: Any, **kwargs: Any) -> Any:
        answer = self._open(*args, **kwargs)
        self._cookies += answer.headers.getlist("Set-Cookie")
        if answer.status_code >= 500:
            self._failures.append(f"{answer.request.method} {answer.request.path} was answered with {answer.status}.")
        if _is_limited(answer):
            what = f"{answer.request.method} {answer.request.path}"
            answer.close()
            raise Limited(f"{what} was refused by a limiter: give environ= if it counts all together")
        return answer

    def ask(self, method: str, path: str, **kwargs: Any) -> Reply:
        """Send a request as a page of the site does, and read the answer.

        :param kwargs: for Flask's test client; ``headers`` replace those of a page of the site.
        :raises Limited: a limiter of the app refuses it.
        """
        own = {"Origin": self.origin} if method in _CHANGING else {}
        kwargs.setdefault("headers", {**own, "Sec-Fetch-Site": "same-origin"})
        try:
            answer = self.client.open(path, method=method, **kwargs)
        except Limited:
            raise
        except Exception as exc:  # with TESTING, Flask raises what the app does not handle
            self._failures.append(f"{method} {path.partition('?')[0]} raised {type(exc).__name__}.")
            return Reply(500)
        with answer:
            headers = {name.lower(): text for name, text in answer.headers.items()}
            return Reply(answer.status_code, answer.get_data(as_text=True), headers)

    @property
    def session_cookie(self) -> str:
        """The value of the session's cookie, empty where there is none."""
        found = self.client.get_cookie(self._cookie_name, str(self._cookie_domain), self._cookie_path)
        return found.value if found else ""

    def take_session(self, value: str) -> None:
        """Have the session of another browser."""
        domain = str(self._cookie_domain)
        self.client.set_cookie(self._cookie_name, value, domain=domain, path=self._cookie_path)
