"""A seeded fuzzer over every route: good requests, bent in one to three places.

Run it for long with ``PASSKEY_TEST_FUZZ=100000 pytest tests/test_fuzz.py`` (``nox -s fuzz``).
"""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from apps import SITE, App, make_app
from flask.testing import FlaskClient

from flask_passkey.testing import VirtualAuthenticator, add_passkey, b64url_encode, sign_up

#: What is signed in a sign-in; whoever changes one must not be believed. A registration without attestation is
#: signed by nobody.
SIGNED = {"/session/authn": ("clientDataJSON", "authenticatorData", "signature", "userHandle"), "/user/authn": ()}
SIGN_INS = (None, {"user_name": "ada"}, {"step_up": True})
HEADERS = ("Content-Type", "Origin", "Sec-Fetch-Site", "Content-Encoding", "Accept", "Cookie", "Host")
VALUES = (SITE, "null", "cross-site", "text/plain", "application/json; charset=utf-16", "gzip", "x=y", "é", "")
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 1e308, "", "a", "=", "AAAA", "\0", "\u202e", "é", "😀", "../..", "%00", "A" * 5000,
    [], {}, [[]], {"": ""}, ["a"] * 100, {"id": {"id": {}}}, "{}", "[1]", "null", '{"id":1}',
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request that would be answered with success, and what it would do."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    query: list[tuple[str, str]] = field(default_factory=list)
    #: Bytes to send instead of the JSON of ``body``.
    raw: bytes | None = None

    def data(self) -> bytes | None:
        """Return the bytes of the body."""
        return self.raw if self.raw is not None or self.body is None else json.dumps(self.body).encode()


class Fuzzer:
    """Sends bent requests to an app, and remembers what came back.

    :param seed: the same seed bends the same way.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.site: App = make_app({"PASSKEY_USERNAME_FIRST": True, "PASSKEY_MAX_CREDENTIALS": 1000}, find_user=True)
        self.client: FlaskClient = self.site.app.test_client()
        self.ada, self.codes = VirtualAuthenticator(SITE), Counter[tuple[int, int]]()
        sign_up(self.client, self.ada, "ada")
        add_passkey(self.client, VirtualAuthenticator(SITE))

    def run(self, count: int) -> None:
        """Send bent requests.

        :raises AssertionError: an answer was a 5xx or no envelope, or a changed response was believed.
        """
        for _ in range(count):
            self.site.users = {key: user for key, user in self.site.users.items() if user.name == "ada"}
            good, client = self.good_request()
            self.check(good, bent := self.bend(good), self.send(client, bent))

    def good_request(self) -> tuple[Request, FlaskClient]:
        """Return a request that would succeed, and the browser to send it with."""
        browser = self.client if self.random.random() < 0.7 else self.site.app.test_client()
        credential = self.random.choice([record.id for record in self.site.passkey_records("ada")])
        path = f"/user/authn/{VirtualAuthenticator.__name__ if self.random.random() < 0.1 else _text(credential)}"
        requests: tuple[Callable[[], Request], ...] = (
            lambda: Request("PUT", "/session/authn", self.random.choice(SIGN_INS)),
            lambda: self.finish(browser, "/session/authn", self.ada.get),
            lambda: self.finish(browser, "/session/authn", self.ada.get),
            lambda: Request("PUT", "/user/authn", {"name": f"user {self.random.random()}", "display_name": "U"}),
            lambda: self.finish(browser, "/user/authn", VirtualAuthenticator(SITE).create),
            lambda: Request("GET", "/user/authn"),
            lambda: Request("PATCH", path, {"name": "My phone"}),
            lambda: Request("DELETE", f"{path}x"),
            lambda: Request("DELETE", "/user/authn", query=[("id", "AAAA"), ("id", "!")]),
        )
        return self.random.choice(requests)(), browser

    def finish(self, browser: FlaskClient, route: str, respond: Callable[..., Any]) -> Request:
        """Begin a ceremony and return the request that finishes it."""
        anonymous_sign_up = route == "/user/authn" and browser is not self.client
        begun = browser.put(route, json={"name": f"user {self.random.random()}"} if anonymous_sign_up else None)
        data = begun.get_json()["data"]
        return Request("POST", route, {"session_id": data["session_id"], "response": respond(data["options"])})

    def bend(self, good: Request) -> Request:
        """Return the request, changed in one to three places."""
        for _ in range(self.random.randint(1, 3)):
            bend = self.random.choice((self.bend_body,) * 6 + (self.bend_bytes, self.bend_headers, self.bend_path))
            good = bend(good)
        return good

    def bend_body(self, request: Request) -> Request:
        """Drop, replace, add or swap a member somewhere in the JSON."""
        body = copy.deepcopy(request.body)
        found = list(places(body))
        if not found:
            return replace(request, body=self.random.choice(ODD))
        container, key = self.random.choice(found)
        action = self.random.randrange(5)
        if action == 0:
            del container[key]
        elif action == 1 and isinstance(container[key], str) and container[key]:
            container[key] = self.nudge(container[key])
        elif action == 2 and isinstance(container, dict):
            container[f"{key}x"] = container[key]
        elif action == 3:
            container[key] = json.dumps(container[key])
        else:
            container[key] = self.random.choice(ODD)
        return replace(request, body=body)

    def nudge(self, text: str) -> str:
        """Change one character."""
        place = self.random.randrange(len(text))
        return text[:place] + self.random.choice("AQgw_-=+/ \0é") + text[place + self.random.randint(0, 1) :]

    def bend_bytes(self, request: Request) -> Request:
        """Change, cut or repeat bytes of the body."""
        data = bytearray(request.data() or b"{}")
        place = self.random.randrange(len(data) + 1)
        action = self.random.randrange(4)
        if action == 0:
            data[place:place] = self.random.choice((b"\xff", b"\0", b"[" * 9000, b'{"a":1,"a":2}', b"NaN", b"\\ud800"))
        elif action == 1:
            del data[place:]
        elif action == 2:
            data += bytes(data)
        else:
            data += b" " * self.random.choice((1, 70_000))
        return replace(request, raw=bytes(data))

    def bend_headers(self, request: Request) -> Request:
        """Add an odd header."""
        odd = {self.random.choice(HEADERS): self.random.choice(VALUES)}
        return replace(request, headers=request.headers | odd)

    def bend_path(self, request: Request) -> Request:
        """Use another method, or another ID in path and query."""
        method = self.random.choice(("GET", "PUT", "POST", "PATCH", "DELETE", request.method))
        odd = self.random.choice(("%00", "%ff", "=", "a" * 3000, "%F0%9F%98%80", "A", "-_-_"))
        path = f"/user/authn/{odd}" if request.path.startswith("/user/authn/") else request.path
        return replace(request, method=method, path=path, query=[*request.query, ("id", odd)])

    def send(self, client: FlaskClient, request: Request) -> Any:
        """Send a request."""
        headers = dict(request.headers)
        kind = headers.pop("Content-Type", "application/json" if request.data() is not None else None)
        return client.open(
            request.path, method=request.method, data=request.data(), headers=headers, content_type=kind,
            query_string=request.query,
        )  # fmt: skip

    def check(self, good: Request, bent: Request, answer: Any) -> None:
        """Hold the promises about an answer."""
        envelope = answer.get_json(silent=True)
        assert answer.status_code < 500, (bent, envelope)
        assert isinstance(envelope, dict) and {"code", "msg", "data"} <= set(envelope), (bent, answer.data[:200])
        assert (envelope["code"] == 0) == (answer.status_code == 200), bent
        self.codes[answer.status_code, envelope["code"]] += 1
        if envelope["code"] == 0 and bent.method == "POST":
            assert _meaning(bent) == _meaning(good), f"a changed response was believed: {bent}"


def _text(credential_id: bytes) -> str:
    return b64url_encode(credential_id)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a JSON value as its container and key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from places(inner)


def _meaning(request: Request) -> list[Any]:
    """Return what a finish says: which ceremony and credential, and what was signed."""
    body = json.loads(request.data() or b"")
    response = json.loads(body["response"]) if isinstance(body["response"], str) else body["response"]
    signed = map(response["response"].get, SIGNED[request.path])
    return [body["session_id"].lower(), response["id"], response["rawId"], *signed]
