"""Requests from outside: a short time each, a limited length, and no redirect followed."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

#: Seconds for one answer.
TIMEOUT = 5
_LONGEST = 1 << 20
_USER_AGENT = "flask-passkey-check"


class Unreachable(Exception):
    """No answer came, or none of HTTP."""


class BadCertificate(Unreachable):
    """Browsers would show a warning in place of the site."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def content_type(self) -> str:
        """Return the type without its parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def json(self) -> Any:
        """Return the JSON of the body, ``None`` where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def location(self) -> str:
        """Return where a redirect leads, empty for another answer."""
        return self.headers.get("Location", "") if 300 <= self.status < 400 else ""


class Site:
    """The app at the address that people open.

    :param url: with the path that the app is below.
    """

    def __init__(self, url: str) -> None:
        self.parts: SplitResult = urlsplit(url)
        self.path = self.parts.path.rstrip("/")

    @property
    def origin(self) -> str:
        """Return scheme, host and port, as browsers write them."""
        usual = {"http": 80, "https": 443}[self.parts.scheme]
        host = f"[{self.parts.hostname}]" if ":" in str(self.parts.hostname) else self.parts.hostname
        port = "" if self.parts.port in (None, usual) else f":{self.parts.port}"
        return f"{self.parts.scheme}://{host}{port}"

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Ask for a path of the app.

        :raises Unreachable: within :data:`TIMEOUT` seconds there is no answer.
        """
        return self.ask_root(method, self.path + path, headers=headers, body=body)

    def ask_root(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Ask for a path of the site.

        :raises Unreachable: within :data:`TIMEOUT` seconds there is no answer.
        """
        connection, sent = self._connection(), {"User-Agent": _USER_AGENT} | dict(headers or {})
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, _read(response))
        except ssl.SSLCertVerificationError as exc:
            raise BadCertificate(exc.verify_message) from exc
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise Unreachable(f"{type(exc).__name__}: {exc}") from exc
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self.parts.hostname or "", self.parts.port
        if self.parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)


def _read(response: http.client.HTTPResponse) -> bytes:
    """Read the body, no longer than the time and the length allow: the socket's own limit is for each of its calls."""
    until, found = time.monotonic() + TIMEOUT, b""
    while chunk := response.read1(65_536):
        found += chunk
        if len(found) > _LONGEST:
            raise Unreachable("the answer is too long")
        if time.monotonic() > until:
            raise Unreachable("the answer takes too long")
    return found
