"""Apps of this package or that of another tree, and cases that are run against them. See ``kinds.py``."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from flask_passkey.testing import BrowserError, Refused

ACCEPTED, REFUSED, WRONG = "accepted", "refused", "wrong"


class NotTaken(Exception):
    """An app did not start with its settings."""


@dataclass(frozen=True)
class Answer:
    """An answer to a request."""

    status_code: int
    json: Any


@dataclass(frozen=True)
class Client:
    """A browser's connection to the app that was started last."""

    tree: Tree
    number: int

    def put(self, path: str, /, **kwargs: Any) -> Answer:
        """Begin something."""
        return self._send("PUT", path, kwargs)

    def post(self, path: str, /, **kwargs: Any) -> Answer:
        """Finish something."""
        return self._send("POST", path, kwargs)

    def get(self, path: str, /, **kwargs: Any) -> Answer:
        """Read something."""
        return self._send("GET", path, kwargs)

    def _send(self, method: str, path: str, more: dict[str, Any]) -> Answer:
        answered = self.tree.ask({"client": self.number, "method": method, "path": path, **more})
        return Answer(answered["status"], answered["json"])


class Tree:
    """The package of a tree, in a process that has nothing else of it.

    :param path: the folder that has ``flask_passkey`` in it.
    """

    def __init__(self, path: Path) -> None:
        static = path / "flask_passkey" / "static"
        core = static / "passkey-core.js"  # all in one in older trees
        self.script = core if core.exists() else static / "passkey.js"
        self._folder, self._numbers = tempfile.TemporaryDirectory(), itertools.count()
        self.folder = Path(self._folder.name)
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", Path(__file__).with_name("kind_site.py")],
            env=os.environ | {"PYTHONPATH": str(path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def ask(self, line: dict[str, Any]) -> Any:
        """Send a line to the process, and return what it answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def site(self, **settings: Any) -> Client:
        """Start an app, and return a browser for it.

        :raises NotTaken: it does not start.
        """
        answered = self.ask({"settings": settings})
        if "refused" in answered:
            raise NotTaken(answered["refused"])
        return self.client()

    def client(self) -> Client:
        """Return another browser."""
        return Client(self, next(self._numbers))


@dataclass(frozen=True)
class Case:
    """Something that is to be accepted or refused."""

    kind: int
    name: str
    act: Callable[[Tree], object]
    right: str = ACCEPTED

    def outcome(self, tree: Tree) -> str:
        """Do it, and return what comes of it."""
        try:
            self.act(tree)
        except (NotTaken, Refused):
            return REFUSED
        except (AssertionError, BrowserError, subprocess.CalledProcessError):
            return WRONG
        return ACCEPTED
