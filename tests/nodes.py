"""Nodes of the demo under gunicorn for tests, and a browser's side of plain HTTP against them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import services

ROOT = Path(__file__).parent.parent
PATIENCE = 90


@dataclass(frozen=True)
class Node:
    """A running server with the demo."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    #: Its instance folder, with the SQLite file unless it uses another database.
    instance: Path

    def workers(self) -> list[int]:
        """Return the process ids of the workers that are there now."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def node(
    folder: Path, *options: str, workers: int = 3, threads: int = 8, port: int | None = None, **config: str
) -> Iterator[Node]:
    """Run the demo under gunicorn with several worker processes until the block ends.

    :param options: more for gunicorn.
    :param config: settings as in the environment, without ``FLASK_``.
    """
    port = port or services.free_port()
    usual = [f"--workers={workers}", f"--threads={threads}", f"--bind=127.0.0.1:{port}", "--log-level=warning"]
    command = [sys.executable, "-m", "gunicorn", *usual, *options, "demo:create_app()"]
    with serve(command, folder, port=port, **config) as running:
        yield running


@contextmanager
def serve(command: list[str], folder: Path, *, port: int, **config: str) -> Iterator[Node]:
    """Run the demo by a command, its instance folder in ``folder``, until the block ends.

    :param port: where browsers find it.
    :param config: settings as in the environment, without ``FLASK_``.
    """
    url = f"http://localhost:{port}"
    settings = {"INSTANCE_PATH": str(folder / "instance"), "PASSKEY_ORIGINS": url, "RATELIMIT_ENABLED": "false"}
    environment = os.environ | {f"FLASK_{key}": value for key, value in (settings | config).items()}
    log = folder / f"server-{port}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)
    running = Node(url, process, log, folder / "instance")
    try:
        _wait(running)
        yield running
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait(running: Node) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(f"{running.url}/passkey/static/passkey.js", timeout=5).close()
            return
        except OSError:
            if running.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the demo did not start:\n{running.log.read_text(errors='replace')}")
            time.sleep(0.1)


@dataclass(frozen=True)
class Answer:
    """Status and envelope of an answer."""

    status_code: int
    json: Any

    def get_json(self) -> Any:
        """Return the envelope."""
        return self.json


@dataclass
class Browser:
    """One cookie jar; has the part of Flask's test client that the test kit drives."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def put(self, path: str, /, **options: Any) -> Answer:
        """Send a PUT."""
        return self.send("PUT", path, **options)

    def post(self, path: str, /, **options: Any) -> Answer:
        """Send a POST."""
        return self.send("POST", path, **options)

    def get(self, path: str, /, **options: Any) -> Answer:
        """Send a GET."""
        return self.send("GET", path, **options)

    def delete(self, path: str, /, **options: Any) -> Answer:
        """Send a DELETE."""
        return self.send("DELETE", path, **options)

    def send(self, method: str, path: str, *, json: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Send a request and keep the cookies of the answer."""
        return self._send(method, path, None if json is None else _dump(json), headers or {})

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies} | headers | ({"Content-Type": "application/json"} if body else {})
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                answer, text = response, response.read()
        except urllib.error.HTTPError as error:
            with error:
                answer, text = error, error.read()
        for header in answer.headers.get_all("Set-Cookie") or ():
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
        return Answer(answer.status, json.loads(text))


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()
