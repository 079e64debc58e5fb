"""People who sign in again and again while something happens to the site, and what became of each try."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import cluster

from flask_passkey.testing import VirtualAuthenticator, sign_up

#: Seconds between the sign-ins of one person: what else happens needs the processors too.
BREATH = 0.02


@dataclass
class Try:
    """One finish of a sign-in that was begun well, with a response that is right."""

    browser: cluster.Browser
    begun_on: str
    body: dict[str, Any]
    answers: list[cluster.Answer] = field(default_factory=list)

    def send(self) -> cluster.Answer:
        """Send the finish, or send it again, from a browser that has only the ceremony's secret."""
        self.browser.cookies.pop("demo_session", None)
        answer = self.browser.post("/session/authn", json=self.body)
        assert isinstance(answer, cluster.Answer)
        self.answers.append(answer)
        return answer

    @property
    def status(self) -> int:
        """Status of the first answer."""
        return self.answers[0].status_code

    def accepted(self) -> int:
        """Count the answers that signed somebody in."""
        return sum(answer.status_code == 200 for answer in self.answers)


@dataclass
class Load:
    """What has happened so far."""

    tries: list[Try] = field(default_factory=list)
    #: Begins that got another answer than 200; each is tried again.
    not_begun: list[cluster.Answer] = field(default_factory=list)

    def statuses(self) -> Counter[int]:
        """Count the finishes by status."""
        return Counter(each.status for each in self.finished())

    def finished(self) -> list[Try]:
        """Return the tries that have an answer."""
        return [each for each in list(self.tries) if each.answers]

    def moved(self) -> int:
        """Count the requests that nginx sent to another node because the first could not be reached."""
        return sum("," in each.begun_on for each in self.tries) + sum(
            "," in each.answers[0].node for each in self.finished()
        )

    def accepted_on(self, node: str) -> int:
        """Count the sign-ins that a node has accepted."""
        return sum(each.status == 200 and each.answers[0].node == node for each in self.finished())

    def wait_for(self, more: int, *, on: str) -> None:
        """Wait until a node has signed in so many more."""
        wanted = self.accepted_on(on) + more
        cluster.wait_until(lambda: self.accepted_on(on) >= wanted)

    def replay(self) -> None:
        """Send every finish once more."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(Try.send, self.tries))


@contextmanager
def signing_in(site: cluster.Cluster, *, people: int, name: str) -> Iterator[Load]:
    """Have people sign in again and again, each time with a new browser, until the block ends."""
    load, over = Load(), threading.Event()

    def sign_in_again_and_again(authenticator: VirtualAuthenticator) -> None:
        while not over.wait(BREATH):
            browser = site.browser()
            begun = browser.send("PUT", "/session/authn")
            if begun.status_code != 200:
                load.not_begun.append(begun)
                continue
            data = begun.json["data"]
            body = {"session_id": data["session_id"], "response": authenticator.get(data["options"])}
            attempt = Try(browser, begun.node, body)
            load.tries.append(attempt)
            attempt.send()

    authenticators = [VirtualAuthenticator(cluster.SITE) for _ in range(people)]
    for number, authenticator in enumerate(authenticators):
        sign_up(site.browser(), authenticator, f"{name} {number}")
    with ThreadPoolExecutor(people) as pool:
        running = [pool.submit(sign_in_again_and_again, each) for each in authenticators]
        try:
            yield load
        finally:
            over.set()
        for each in running:
            each.result()
