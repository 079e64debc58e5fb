"""What all subjects share: calls of a WSGI app with environs made beforehand, and a browser to make them with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from http.cookies import SimpleCookie
from io import BytesIO
from typing import Any, Protocol

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
        if status[:3] != "200":
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
        headers: list[tuple[str, str]] = []
        seen: list[str] = []

        def start(status: str, given: list[tuple[str, str]], exc_info: Any = None) -> None:
            seen.append(status)
            headers.extend(given)

        environ = request(method, path, body, self.cookies)()
        chunks = self._app(environ, start)
        text = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        assert seen[-1].startswith(status), (seen, text[:500])
        for name, value in headers:
            if name.lower() == "set-cookie":
                self.cookies |= {key: morsel.value for key, morsel in SimpleCookie(value).items()}
        return json.loads(text)


def request(
    method: str, path: str, body: Any = None, cookies: Mapping[str, str] | None = None
) -> Callable[[], dict[str, Any]]:
    """Return a function that makes a new environ for one request at each call; an environ can be used once."""
    data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()  # as browsers write it
    headers = {"Accept": "application/json", "Origin": SITE}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    base = EnvironBuilder(path, SITE, method=method, headers=[*headers.items()], data=data).get_environ()
    base["wsgi.multithread"] = True
    base.setdefault("CONTENT_LENGTH", "0")  # browsers send it with a PUT without a body
    return lambda: {**base, "wsgi.input": BytesIO(data)}
