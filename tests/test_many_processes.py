"""Exactly-once over HTTP: one sign-in of many simultaneous ones, on a server of several processes."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import nodes
import pytest

from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

pytestmark = [pytest.mark.slow, pytest.mark.proves("threats:used-twice")]

FINISHES = 16
ROUNDS = 5


def race(url: str, authenticator: VirtualAuthenticator) -> Counter[tuple[int, int]]:
    """Send one assertion many times at once, and count the answers by status and code."""
    browser = nodes.Browser(url)
    begun = browser.put("/session/authn").json["data"]
    body = {"session_id": begun["session_id"], "response": authenticator.get(begun["options"])}
    start = Barrier(FINISHES)

    def finish(_: int) -> tuple[int, int]:
        own = replace(browser, cookies=dict(browser.cookies))
        start.wait()
        answer = own.post("/session/authn", json=body)
        return answer.status_code, answer.json["code"]

    with ThreadPoolExecutor(FINISHES) as pool:
        return Counter(pool.map(finish, range(FINISHES)))


@pytest.mark.parametrize("store", ["files", pytest.param("redis", marks=pytest.mark.services)])
def test_one_of_many_simultaneous_finishes_succeeds(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Of 16 simultaneous finishes of one assertion, one signs in and 15 are not found, every time."""
    config = {"REDIS_URL": request.getfixturevalue("redis_url")} if store == "redis" else {}
    with nodes.node(tmp_path, **config) as node:
        authenticator = VirtualAuthenticator(node.url)
        sign_up(nodes.Browser(node.url), authenticator, "ada")
        for _ in range(ROUNDS):
            assert race(node.url, authenticator) == {(200, 0): 1, (404, 404): FINISHES - 1}
        assert sign_in(nodes.Browser(node.url), authenticator)["user"]["name"] == "ada"


def test_simultaneous_sign_ups_with_one_name_make_one_account(tmp_path: Path) -> None:
    """Of 8 simultaneous finishes of sign-ups with one name, one account comes out and 7 get a clean 409."""
    with nodes.node(tmp_path) as node:
        browsers = [nodes.Browser(node.url) for _ in range(8)]
        pending = [browser.put("/user/authn", json={"name": "ada"}).json["data"] for browser in browsers]
        responses = [VirtualAuthenticator(node.url).create(begun["options"]) for begun in pending]
        start = Barrier(len(browsers))

        def finish(number: int) -> int:
            body = {"session_id": pending[number]["session_id"], "response": responses[number]}
            start.wait()
            return browsers[number].post("/user/authn", json=body).status_code

        with ThreadPoolExecutor(len(browsers)) as pool:
            assert Counter(pool.map(finish, range(len(browsers)))) == {200: 1, 409: 7}
