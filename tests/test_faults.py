"""A store goes away in the middle of a ceremony: 503 in the envelope, nothing half-done, and it heals by itself."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nodes
import pytest
import services
from sqlalchemy import create_engine, text

from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_in, sign_up

pytestmark = [pytest.mark.slow, pytest.mark.proves("threats:store-down")]


def assert_unavailable(answer: nodes.Answer, code: int) -> None:
    """Check that an answer is the envelope of a store that is down."""
    assert (answer.status_code, answer.json["code"]) == (503, code), answer
    assert answer.json["data"] is None and answer.json["correlation_id"]


class Visit:
    """Ceremonies of one person that were begun before a store went away."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.authenticator = VirtualAuthenticator(url)
        self.signed_in = nodes.Browser(url)
        sign_up(self.signed_in, self.authenticator, "ada")
        self.browser, self.new = nodes.Browser(url), nodes.Browser(url)
        self.sign_in = self.browser.put("/session/authn").json["data"]
        self.sign_up = self.new.put("/user/authn", json={"name": "bob"}).json["data"]
        self.add = self.signed_in.put("/user/authn").json["data"]
        self.assertion = self.authenticator.get(self.sign_in["options"])
        self.new_passkey = VirtualAuthenticator(url).create(self.sign_up["options"])
        self.added_passkey = VirtualAuthenticator(url).create(self.add["options"])

    def finish_all(self) -> list[nodes.Answer]:
        """Finish the sign-in, the sign-up and the registration."""
        return [
            _finish(self.browser, "/session/authn", self.sign_in, self.assertion),
            _finish(self.new, "/user/authn", self.sign_up, self.new_passkey),
            _finish(self.signed_in, "/user/authn", self.add, self.added_passkey),
        ]

    def works_again(self) -> None:
        """Check that nothing of what was refused is there, and that everything works now."""
        assert sign_in(nodes.Browser(self.url), self.authenticator)["user"]["name"] == "ada"
        listed = sign_in(self.signed_in, self.authenticator)["signals"]["allAcceptedCredentialIds"]
        assert len(listed) == 1, "the refused registration left nothing"
        sign_up(nodes.Browser(self.url), VirtualAuthenticator(self.url), "bob")  # the refused sign-up left nothing
        add_passkey(self.signed_in, VirtualAuthenticator(self.url))


def _finish(browser: nodes.Browser, route: str, begun: Any, response: Any) -> nodes.Answer:
    return browser.post(route, json={"session_id": begun["session_id"], "response": response})


@pytest.mark.services
def test_redis_goes_away_and_comes_back(tmp_path: Path) -> None:
    """Without Redis begins and finishes are 503, with and without a session; with it everything works again."""
    port = services.free_port()
    with ExitStack() as later, nodes.node(tmp_path, REDIS_URL=f"redis://127.0.0.1:{port}/0") as node:
        with services.redis_server(port=port):
            visit = Visit(node.url)
        for answer in visit.finish_all():
            assert_unavailable(answer, 50006)
        for browser in (nodes.Browser(node.url), visit.browser, visit.signed_in):
            assert_unavailable(browser.put("/session/authn"), 50006)
        assert_unavailable(visit.signed_in.get("/user/authn"), 50006)
        later.enter_context(services.redis_server(port=port))
        for answer in visit.finish_all()[:2]:
            assert (answer.status_code, answer.json["code"]) == (404, 404), "they died with the store"
        visit.works_again()


@pytest.mark.services
def test_postgresql_goes_away_and_comes_back(tmp_path: Path) -> None:
    """Without the database finishes are 503 and leave nothing; a sign-in can still be begun; then all works again."""
    port = services.free_port()
    url = f"postgresql+psycopg://passkey@127.0.0.1:{port}/postgres"
    with TemporaryDirectory(prefix="passkey-test-") as folder, nodes.node(tmp_path, PASSKEY_DATABASE_URI=url) as node:
        with services.postgresql_server(port=port, cluster=Path(folder)):
            visit = Visit(node.url)
        for answer in visit.finish_all():
            assert_unavailable(answer, 50001)
        assert_unavailable(visit.signed_in.get("/user/authn"), 50001)
        assert visit.browser.put("/session/authn").status_code == 200
        with services.postgresql_server(port=port, cluster=Path(folder)):
            assert _orphans(url) == []
            visit.works_again()


def _orphans(url: str) -> list[Any]:
    """Return accounts without a passkey, and passkeys without an account."""
    query = """
        SELECT a.id, u.user_id FROM demo_account a FULL OUTER JOIN
        (SELECT DISTINCT user_id FROM passkey_user JOIN passkey_credential USING (user_handle)) u ON a.id = u.user_id
        WHERE a.id IS NULL OR u.user_id IS NULL"""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(text(query)))
    finally:
        engine.dispose()


@contextmanager
def full_disk(node: nodes.Node) -> Iterator[None]:
    """Let the node's workers write nothing to any file, as on a disk that is full."""
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in node.workers()}
    try:
        for pid, (_, hard) in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
        yield
    finally:
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


def test_the_disk_is_full(tmp_path: Path) -> None:
    """When nothing can be written, finishes are 503 and leave nothing; with room again everything works."""
    with nodes.node(tmp_path, workers=1) as node:
        visit = Visit(node.url)
        with full_disk(node):
            for answer in visit.finish_all():
                assert answer.status_code == 503 and answer.json["code"] in (50001, 50006)
            assert_unavailable(nodes.Browser(node.url).put("/session/authn"), 50006)
        with closing(sqlite3.connect(node.instance / "passkey.sqlite3")) as connection:
            assert connection.execute("SELECT name FROM demo_account").fetchall() == [("ada",)]
        visit.works_again()


@pytest.mark.parametrize("folder", ["sessions"])
def test_the_session_folder_is_gone(tmp_path: Path, folder: str) -> None:
    """Without its folder the file store is 503, and with it sign-in works again."""
    with nodes.node(tmp_path) as node:
        visit = Visit(node.url)
        away = node.instance / "away"
        (node.instance / folder).rename(away)
        (node.instance / folder).touch()  # so that it cannot just be made again
        for answer in visit.finish_all()[:2]:
            assert_unavailable(answer, 50006)
        assert_unavailable(nodes.Browser(node.url).put("/session/authn"), 50006)
        (node.instance / folder).unlink()
        away.rename(node.instance / folder)
        visit.works_again()
