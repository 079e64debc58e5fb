"""What all subjects share: calls of a WSGI app with environs made beforehand, and a browser to make them with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from http.cookies import SimpleCookie
from io import BytesIO
from typing import Any, Protocol
from urllib.parse import urlencode

from werkzeug.test import EnvironBuilder

SITE = "http://localhost"

#: A request that is ready to be sent, or another input of a subject's work.
Job = Any


class Subject(Protocol):
    """Something that is timed."""

    def make(self, count: int) -> list[Job]:
        """Make jobs; its time does not count."""

    def run(self, jobs: list[Job]) -> None:
        """Do the jobs; its time counts."""

    def check(self) -> None:
        """Raise an error if a job of the last run failed."""


class Caller:
    """Sends environs to a WSGI app and collects failures."""

    #: The HTTP status of an answer that is no failure.
    status = "200"

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._failed: list[str] = []

    def run(self, jobs: list[Job]) -> None:
        app, start = self._app, self._start
        for environ in jobs:
            chunks = app(environ, start)
            b"".join(chunks)
            if hasattr(chunks, "close"):
                chunks.close()

    def check(self) -> None:
        assert not self._failed, self._failed[:3]

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        if status[:3] != self.status:
            self._failed.append(status)


class Browser:
    """Sends single requests to a WSGI app, as a browser with cookies would."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: Any = None, *, status: str = "200") -> Any:
        """Return the JSON of the answer.

        :param status: what its HTTP status must begin with.
        """
        return json.loads(self.send(request(method, path, body, self.cookies)(), status=status))

    def send(self, environ: dict[str, Any], *, status: str = "200") -> bytes:
        """Send a request that is ready, keep the cookies of the answer and return its body."""
        headers: list[tuple[str, str]] = []
        seen: list[str] = []

        def start(status: str, given: list[tuple[str, str]], exc_info: Any = None) -> None:
            seen.append(status)
            headers.extend(given)

        chunks = self._app(environ, start)
        text = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        assert seen[-1].startswith(status), (seen, text[:500])
        self.cookies |= cookies_in(headers)
        return text


def cookies_in(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the cookies that an answer sets."""
    lines = [SimpleCookie(value) for name, value in headers if name.lower() == "set-cookie"]
    return {name: morsel.value for line in lines for name, morsel in line.items()}


def request(
    method: str, path: str, body: Any = None, cookies: Mapping[str, str] | None = None, *, form: bool = False
) -> Callable[[], dict[str, Any]]:
    """Return a function that makes a new environ for one request at each call; an environ can be used once.

    :param form: send the body as the form of a page, and ask for a page.
    """
    written = urlencode(body or {}) if form else json.dumps(body, separators=(",", ":"))  # as browsers write it
    data = b"" if body is None else written.encode()
    headers = {"Accept": "text/html" if form else "application/json", "Origin": SITE}
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded" if form else "application/json"
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    base = EnvironBuilder(path, SITE, method=method, headers=[*headers.items()], data=data).get_environ()
    base["wsgi.multithread"] = True
    base.setdefault("CONTENT_LENGTH", "0")  # browsers send it with a PUT without a body
    return lambda: {**base, "wsgi.input": BytesIO(data)}
