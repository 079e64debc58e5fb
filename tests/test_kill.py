"""kill -9 of a worker at random points of every operation: the stores stay consistent, no success is lost."""

from __future__ import annotations

import http.client
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodes
import pytest

from flask_passkey.testing import VirtualAuthenticator, b64url_decode, b64url_encode, sign_in, sign_up

pytestmark = [pytest.mark.slow, pytest.mark.proves("threats:killed-process")]

POINTS = int(os.environ.get("PASSKEY_TEST_KILLS", "100"))
#: What a client sees when the process that worked for it is gone.
LOST = (OSError, http.client.HTTPException, ValueError)


@dataclass
class Person:
    """Somebody with an account, and what the server acknowledged of it."""

    name: str
    authenticator: VirtualAuthenticator
    browser: nodes.Browser
    #: IDs of passkeys that were acknowledged and not asked to be deleted.
    kept: set[str] = field(default_factory=set)
    #: IDs whose deletion was acknowledged.
    deleted: set[str] = field(default_factory=set)
    #: The highest signature counter of an acknowledged sign-in.
    counter: int = 0


class Chaos:
    """Operations against a node whose worker is killed in the middle of them."""

    def __init__(self, node: nodes.Node, seed: int) -> None:
        self.node = node
        self.random = random.Random(seed)
        self.people: list[Person] = []
        self.operations = (self.sign_up, self.add, self.sign_in, self.delete)
        self.finishes: list[tuple[nodes.Browser, str, Any, int]] = []

    def authenticator(self) -> VirtualAuthenticator:
        """Return a new security key, whose counter grows."""
        return VirtualAuthenticator(
            self.node.url, sign_count_step=1, default_backup_eligibility=False, default_backup_state=False
        )

    def finish(self, browser: nodes.Browser, route: str, begun: Any, response: Any) -> nodes.Answer:
        """Finish a ceremony, and note whether that was acknowledged."""
        body = {"session_id": begun["session_id"], "response": response}
        self.finishes.append((browser, route, body, 0))
        answer = browser.post(route, json=body)
        assert answer.status_code == 200, answer
        self.finishes[-1] = (browser, route, body, 1)
        return answer

    def sign_up(self) -> None:
        """Create an account."""
        person = Person(f"person {len(self.finishes)}", self.authenticator(), nodes.Browser(self.node.url))
        begun = person.browser.put("/user/authn", json={"name": person.name}).json["data"]
        answer = self.finish(person.browser, "/user/authn", begun, person.authenticator.create(begun["options"]))
        person.kept.add(answer.json["data"]["id"])
        self.people.append(person)

    def add(self) -> None:
        """Add a passkey to an account."""
        person = self.random.choice(self.people)
        begun = person.browser.put("/user/authn").json["data"]
        answer = self.finish(person.browser, "/user/authn", begun, self.authenticator().create(begun["options"]))
        person.kept.add(answer.json["data"]["id"])

    def sign_in(self) -> None:
        """Sign in with an account's first passkey."""
        person = self.random.choice(self.people)
        browser = nodes.Browser(self.node.url)
        begun = browser.put("/session/authn").json["data"]
        self.finish(browser, "/session/authn", begun, person.authenticator.get(begun["options"]))
        person.counter, person.browser = person.authenticator.credentials[0].sign_count, browser

    def delete(self) -> None:
        """Delete one of an account's added passkeys."""
        candidates = [person for person in self.people if len(person.kept) > 1]
        if not candidates:
            return self.add()
        person = self.random.choice(candidates)
        first = {self.credential_id(person)}
        chosen = self.random.choice(sorted(person.kept - first))
        person.kept.discard(chosen)  # from here on it may be gone
        assert person.browser.delete(f"/user/authn/{chosen}").status_code == 200
        person.deleted.add(chosen)
        return None

    def credential_id(self, person: Person) -> str:
        """Return the ID of the passkey a person signs in with."""
        return b64url_encode(person.authenticator.credentials[0].id)

    def kill_during(self, operation: Callable[[], None], within: float) -> bool:
        """Run an operation, kill the worker at a random moment, and tell whether the operation was acknowledged."""
        (worker,) = self.node.workers()
        timer = threading.Timer(self.random.uniform(0, within), os.kill, (worker, signal.SIGKILL))
        timer.start()
        try:
            operation()
            return True
        except LOST:
            return False
        finally:
            timer.join()
            self.wait_for_another(worker)

    def wait_for_another(self, worker: int) -> None:
        """Wait until another worker has taken the place of a killed one."""
        deadline = time.monotonic() + nodes.PATIENCE
        while worker in (there := self.node.workers()) or len(there) != 1:
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def replay_all(self) -> int:
        """Send every finish once more; return how many succeeded that had succeeded before."""
        for browser, _, _, _ in self.finishes:
            browser.cookies.pop("demo_session", None)

        def succeeds(browser: nodes.Browser, route: str, body: Any) -> bool:
            return browser.post(route, json=body).status_code == 200

        return sum(acknowledged for *finish, acknowledged in self.finishes if succeeds(*finish))


def rows(node: nodes.Node, query: str) -> list[Any]:
    """Ask the node's SQLite file."""
    with closing(sqlite3.connect(node.instance / "passkey.sqlite3")) as connection:
        return connection.execute(query).fetchall()


def assert_consistent(chaos: Chaos) -> None:
    """Check the stores against each other and against what was acknowledged."""
    node = chaos.node
    accounts = {row[0] for row in rows(node, "SELECT id FROM demo_account")}
    join = "SELECT user_id FROM passkey_user JOIN passkey_credential USING (user_handle)"
    owners = {row[0] for row in rows(node, join)}
    assert accounts == owners, "every account has a passkey, every passkey an account"
    names = {row[0] for row in rows(node, "SELECT name FROM demo_account")}
    assert {person.name for person in chaos.people} <= names
    counters = dict(rows(node, "SELECT id, sign_count FROM passkey_credential"))
    kept = {b64url_decode(item) for person in chaos.people for item in person.kept}
    deleted = {b64url_decode(item) for person in chaos.people for item in person.deleted}
    assert kept <= set(counters) and not deleted & set(counters)
    for person in chaos.people:
        assert counters[person.authenticator.credentials[0].id] >= person.counter
    assert rows(node, "PRAGMA integrity_check") == [("ok",)]


def test_kill_at_random_points(tmp_path: Path, capsys: Any) -> None:
    """After SIGKILL at random points of sign-up, registration, sign-in and delete nothing is half-done or lost."""
    seed = random.randrange(1 << 32)
    with nodes.node(tmp_path, "--preload", workers=1, threads=4) as node:
        chaos = Chaos(node, seed)
        for operation in (chaos.sign_up, chaos.sign_up, *chaos.operations):
            operation()
        started = time.monotonic()
        for operation in chaos.operations:
            operation()
        within = (time.monotonic() - started) / len(chaos.operations) * 1.3
        chosen = chaos.random.choices(chaos.operations, k=POINTS)
        acknowledged = sum(chaos.kill_during(operation, within) for operation in chosen)
        assert_consistent(chaos)
        assert chaos.replay_all() == 0, "a ceremony that was acknowledged cannot be used again"
        person = chaos.people[0]
        assert sign_in(nodes.Browser(node.url), person.authenticator)["user"]["name"] == person.name
        sign_up(nodes.Browser(node.url), chaos.authenticator(), "after all")
        left = rows(node, "SELECT count(*) FROM demo_account")[0][0]
    assert 0 < acknowledged < POINTS, "the kills must hit operations, and miss some"
    with capsys.disabled():
        print(f"\n{POINTS} kills (seed {seed}): {acknowledged} operations acknowledged, {left} accounts, consistent")
