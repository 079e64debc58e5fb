"""Two nodes behind nginx with TLS, Redis and PostgreSQL: one site, whichever node answers, whatever is restarted.

nginx and gunicorn run on the configuration in ``deploy/``, with only addresses, ports and paths changed.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier

import cluster
import load
import pytest
from redis import Redis
from sqlalchemy import NullPool, create_engine, text

from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_in, sign_up

#: ``nox -s nodes`` makes it 200.
CEREMONIES = int(os.environ.get("PASSKEY_TEST_NODES", "30"))
FINISHES = 8
#: How often a node is killed, or restarted while people sign in.
ROUNDS = max(1, CEREMONIES // 20 - 1)
PEOPLE = 4

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.proves("threats:dead-node")]


@pytest.fixture(scope="module")
def site() -> Iterator[cluster.Cluster]:
    """The whole site; every test leaves it running."""
    temporary = TemporaryDirectory(prefix="passkey-test-", ignore_cleanup_errors=True)
    with temporary as folder, cluster.cluster(Path(folder)) as running:
        yield running


@pytest.fixture
def ada(site: cluster.Cluster, request: pytest.FixtureRequest) -> VirtualAuthenticator:
    """The authenticator of somebody with an account, at a site of which both nodes take part."""
    wait_for_both_nodes(site)
    authenticator = VirtualAuthenticator(cluster.SITE)
    sign_up(site.browser(), authenticator, f"Ada of {request.node.name}")
    return authenticator


def both_nodes_work(site: cluster.Cluster, ada: VirtualAuthenticator) -> None:
    """Check that sign-ins work, all of them, and that both nodes take part."""
    wait_for_both_nodes(site)
    found = {ceremony(site, ada) for _ in range(20)}
    assert {node for pair in found for node in pair} == {site.address(0), site.address(1)}


def wait_for_both_nodes(site: cluster.Cluster) -> None:
    """Wait until nginx sends requests to both: for some seconds it leaves a node out that has failed."""
    until = time.monotonic() + 30
    found: set[str] = set()
    while not found >= {site.address(0), site.address(1)}:
        assert time.monotonic() < until, f"only {found} took part"
        found.add(site.browser().send("PUT", "/session/authn").node)


def ceremony(site: cluster.Cluster, ada: VirtualAuthenticator) -> tuple[str, str]:
    """Sign in, and return on which node that was begun and on which finished."""
    browser = site.browser()
    begun = browser.send("PUT", "/session/authn")
    data = begun.json["data"]
    body = {"session_id": data["session_id"], "response": ada.get(data["options"])}
    finished = browser.send("POST", "/session/authn", json=body)
    assert finished.status_code == 200, finished
    return begun.node, finished.node


def test_begun_on_one_node_and_finished_on_the_other(site: cluster.Cluster, ada: VirtualAuthenticator) -> None:
    """A sign-in that one node began is finished by the other, in both directions, and both know who is signed in."""
    first, second = site.address(0), site.address(1)
    found = set()
    for _ in range(50):
        found.add(ceremony(site, ada))
        site.browser().get("/passkey/static/passkey.d.ts")  # so that it is not always the same node's turn
        if {(first, second), (second, first)} <= found:
            break
    assert {(first, second), (second, first)} <= found
    browser = site.browser()
    sign_in(browser, ada)
    listed = [browser.send("GET", "/user/authn") for _ in range(4)]
    assert {answer.node for answer in listed} == {first, second}
    assert {len(answer.json["data"]["credentials"]) for answer in listed} == {1}


def test_a_registration_goes_through_both_nodes(site: cluster.Cluster, ada: VirtualAuthenticator) -> None:
    """Passkeys that were added through either node are on both."""
    browser = site.browser()
    sign_in(browser, ada)
    added = {add_passkey(browser, VirtualAuthenticator(cluster.SITE))["id"] for _ in range(4)}
    for _ in range(4):
        assert added < {each["id"] for each in browser.get("/user/authn").json["data"]["credentials"]}


def test_cookies_and_headers_behind_tls(site: cluster.Cluster, ada: VirtualAuthenticator) -> None:
    """Every cookie is Secure and the ceremony's is bound to the host; HSTS is sent once, by nginx's own answers too."""
    browser = site.browser()
    begun = browser.send("PUT", "/session/authn")
    sign_in(browser, ada)
    finished = browser.send("GET", "/user/authn")
    cookies = [line for answer in (begun, finished) for line in answer.headers.get_all("Set-Cookie", [])]
    assert len(cookies) == 2
    assert all("; Secure" in line and "; HttpOnly" in line and "; Path=/" in line for line in cookies)
    assert sum(line.startswith("__Host-passkey_") for line in cookies) == 1
    too_long = browser.send("POST", "/session/authn", json="x" * 200_000)
    assert (too_long.status_code, too_long.json) == (413, None), "nginx refuses it"
    for answer in (begun, finished, too_long):
        assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]


def test_a_body_that_is_too_long_gets_the_envelope(site: cluster.Cluster) -> None:
    """What is longer than ``PASSKEY_MAX_BODY``, but not absurd, is answered by the app."""
    answer = site.browser().post("/session/authn", json="x" * 70_000)
    assert (answer.status_code, answer.json["code"]) == (413, 413)


def test_http_is_sent_to_https(site: cluster.Cluster) -> None:
    """A page asked for without TLS is at the same path with it, and nothing else is answered there."""
    with socket.create_connection(("127.0.0.1", site.ports.http), timeout=10) as connection:
        connection.sendall(b"GET /sign-in?x=1 HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    assert text.startswith("HTTP/1.1 301 ") and f"\r\nLocation: {cluster.SITE}/sign-in?x=1\r\n" in text


def test_headers_of_a_client_count_for_nothing(site: cluster.Cluster, ada: VirtualAuthenticator) -> None:
    """Whatever a client says of itself in headers of proxies, a sign-in is one at the configured origin."""
    browser = site.browser()
    lies = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    begun = browser.send("PUT", "/session/authn", headers=lies)
    assert begun.json["data"]["options"]["publicKey"]["rpId"] == cluster.HOST
    assert all("; Secure" in line for line in begun.headers.get_all("Set-Cookie", []))
    body = {"session_id": begun.json["data"]["session_id"], "response": ada.get(begun.json["data"]["options"])}
    foreign = browser.send("POST", "/session/authn", json=body, headers=lies | {"Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json["code"]) == (403, 403)
    assert browser.send("POST", "/session/authn", json=body, headers=lies).status_code == 200


def test_limits_count_the_real_address(site: cluster.Cluster) -> None:
    """Both nodes count together, by the address that nginx saw: neither another node nor a header starts anew."""
    browser = site.browser()
    lies = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(61)]
    answers = [browser.send("PUT", "/session/authn", headers=lie) for lie in lies]
    assert [answer.status_code for answer in answers] == [200] * 60 + [429]
    assert {answer.node for answer in answers[:60]} == {site.address(0), site.address(1)}
    assert site.browser().put("/session/authn").status_code == 200


def test_one_of_simultaneous_finishes_on_both_nodes_wins(
    site: cluster.Cluster, ada: VirtualAuthenticator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 8 finishes that arrive at both nodes at once one signs in and 7 are not found, in every ceremony."""
    winners: Counter[str] = Counter()
    crossed = 0
    for _ in range(CEREMONIES):
        browser = site.browser()
        begun = browser.send("PUT", "/session/authn")
        answers = race(browser, begun, ada)
        assert Counter((each.status_code, each.json["code"]) for each in answers) == {
            (200, 0): 1,
            (404, 404): FINISHES - 1,
        }
        assert {each.node for each in answers} == {site.address(0), site.address(1)}
        (winner,) = (each.node for each in answers if each.status_code == 200)
        winners[winner] += 1
        crossed += winner != begun.node
    with capsys.disabled():
        print(f"\n{CEREMONIES} ceremonies, {FINISHES} finishes each: 1 winner each, {crossed} not where it began")
    assert set(winners) == {site.address(0), site.address(1)}


def race(browser: cluster.Browser, begun: cluster.Answer, ada: VirtualAuthenticator) -> list[cluster.Answer]:
    """Send one finish many times at once."""
    data = begun.json["data"]
    body = {"session_id": data["session_id"], "response": ada.get(data["options"])}
    start = Barrier(FINISHES)

    def finish(_: int) -> cluster.Answer:
        own = replace(browser, cookies=dict(browser.cookies))
        start.wait()
        return own.send("POST", "/session/authn", json=body)

    with ThreadPoolExecutor(FINISHES) as pool:
        return list(pool.map(finish, range(FINISHES)))


# Something happens to a node, while people sign in


def sessions(site: cluster.Cluster) -> int:
    """Count the sessions of people who are signed in: each sign-in by a new browser makes one."""
    with Redis.from_url(site.redis_url) as redis:
        return sum(b"_user_id" in (redis.get(key) or b"") for key in redis.scan_iter("session:*", count=1000))


def nothing_was_accepted_twice(site: cluster.Cluster, run: load.Load, before: int) -> int:
    """Send every finish once more; check that each was accepted once at most, as browsers and as Redis saw it.

    :return: how many were accepted though nobody was told.
    """
    run.replay()
    assert max(each.accepted() for each in run.tries) == 1
    answers = Counter(answer.status_code for each in run.tries for answer in each.answers[1:])
    assert set(answers) <= {404, 200}
    told = sum(each.accepted() for each in run.tries)
    not_told = sessions(site) - before - told
    assert 0 <= not_told <= sum(not each.accepted() for each in run.tries)
    return not_told


def begun(site: cluster.Cluster, ada: VirtualAuthenticator) -> load.Try:
    """Return a sign-in that only has to be finished."""
    browser = site.browser()
    answer = browser.send("PUT", "/session/authn")
    data = answer.json["data"]
    return load.Try(browser, answer.node, {"session_id": data["session_id"], "response": ada.get(data["options"])})


def test_only_what_a_dead_node_cannot_have_read_is_repeated(site: cluster.Cluster, ada: VirtualAuthenticator) -> None:
    """When a node dies with a finish that it was sent, no other node gets that; what it was not sent goes to another.

    A begin goes to the other node in any case, and so does all that waited for a machine without power in vain.
    """
    dead, alive = site.address(0), site.address(1)
    moved, not_moved = (f"{dead}, {alive}", 200), (alive, 200)
    tries, later = ([begun(site, ada) for _ in range(6)] for _ in range(2))
    site.freeze_node(0)
    with ThreadPoolExecutor(12) as pool:
        finishes = [pool.submit(each.send) for each in tries]
        begins = [pool.submit(site.browser().send, "PUT", "/session/authn") for _ in range(6)]
        cluster.wait_until(lambda: sum(each.done() for each in finishes + begins) >= 6)
        site.kill_node(0)
    finished = Counter((each.result().node, each.result().status_code) for each in finishes)
    assert finished.keys() == {(dead, cluster.NO_ANSWER), not_moved}
    assert {(each.result().node, each.result().status_code) for each in begins} == {moved, not_moved}
    with site.vanished(0), ThreadPoolExecutor(6) as pool:
        site.drain(None)  # so that nginx knows nothing of what was
        finishes = [pool.submit(each.send) for each in later]
        assert {(each.result().node, each.result().status_code) for each in finishes} == {moved, not_moved}
    site.start_node(0)
    again = Counter(each.send().status_code for each in tries)
    assert again == {200: finished[dead, cluster.NO_ANSWER], 404: finished[alive, 200]}, (
        "the dead node had read nothing"
    )


@pytest.mark.seldom
def test_a_node_dies_and_is_replaced(
    site: cluster.Cluster, ada: VirtualAuthenticator, capsys: pytest.CaptureFixture[str]
) -> None:
    """When a node dies only what it was working on fails, as 502; no valid sign-in is refused, none accepted twice."""
    before = sessions(site) + PEOPLE  # who signs up is signed in
    with load.signing_in(site, people=PEOPLE, name="loyal") as run:
        for dead, alive in [(0, 1), (1, 0)] * (ROUNDS - 1) or [(0, 1)]:
            run.wait_for(5, on=site.address(dead))
            site.kill_node(dead)
            run.wait_for(10, on=site.address(alive))
            site.start_node(dead)
            run.wait_for(5, on=site.address(dead))
    statuses = run.statuses()
    lost = [each.answers[0].node for each in run.tries if each.status == cluster.NO_ANSWER]
    assert set(statuses) <= {200, cluster.NO_ANSWER}, "no valid sign-in was refused"
    assert not [node for node in lost if "," in node], "what a dead node may have read was sent to no other"
    assert [each for each in run.not_begun if not each.cut_off] == [], "a begin is repeated on the other node"
    assert run.moved(), "so is whatever could not be sent to the dead one"
    not_told = nothing_was_accepted_twice(site, run, before)
    with capsys.disabled():
        print(f"\nSIGKILL: {statuses[200]} signed in, {len(lost)} lost with a node, {run.moved()} moved to the other,")
        print(f"  0 refused, 0 accepted twice, {not_told} accepted without an answer")
    both_nodes_work(site, ada)


@pytest.mark.seldom
def test_nodes_are_restarted_one_after_the_other(
    site: cluster.Cluster, ada: VirtualAuthenticator, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rolling restart in the documented way, by HUP or drained and stopped, costs nobody anything: all get 200."""
    before = sessions(site) + PEOPLE
    with load.signing_in(site, people=PEOPLE, name="patient") as run:
        for number in (0, 1) * (ROUNDS - 1) or (0,):
            site.reload_node(number)
            run.wait_for(5, on=site.address(number))
        for number in (1, 0) * (ROUNDS - 1) or (1,):
            site.drain(number)
            site.stop(f"node {number}")
            site.start_node(number)
            site.drain(None)
            run.wait_for(5, on=site.address(number))
    assert run.not_begun == []
    assert set(run.statuses()) == {200}
    assert {answer.node for each in run.tries for answer in each.answers} == {site.address(0), site.address(1)}
    assert nothing_was_accepted_twice(site, run, before) == 0
    with capsys.disabled():
        print(f"\nRolling restarts: {len(run.tries)} signed in, 0 lost, 0 refused, 0 accepted twice")
    both_nodes_work(site, ada)


# Something happens to what they share


def test_redis_is_restarted(site: cluster.Cluster, ada: VirtualAuthenticator) -> None:
    """What was pending and who was signed in is lost with a clear answer; sign-in works again without a restart."""
    processes = {pid for node in site.nodes.values() for pid in node.workers()}
    visitor, late = site.browser(), site.browser()
    sign_in(visitor, ada)
    begun = late.send("PUT", "/session/authn").json["data"]
    body = {"session_id": begun["session_id"], "response": ada.get(begun["options"])}
    site.stop("redis")
    down = [site.browser().send("PUT", "/session/authn") for _ in range(2)]
    down += [visitor.send("GET", "/user/authn"), late.send("POST", "/session/authn", json=body)]
    assert {(answer.status_code, answer.json["code"]) for answer in down} == {(503, 50006)}
    assert all("," not in answer.node for answer in down), "the other node has the same Redis"
    site.start_redis()
    lost = late.send("POST", "/session/authn", json=body)
    assert (lost.status_code, lost.json["code"]) == (404, 404)
    assert (visitor.get("/user/authn").status_code, visitor.get("/user/authn").json["code"]) == (401, 401)
    both_nodes_work(site, ada)
    site.stop("redis")  # so quickly that no node notices before the first request on an old connection
    site.start_redis()
    both_nodes_work(site, ada)
    assert processes == {pid for node in site.nodes.values() for pid in node.workers()}


def test_postgresql_is_restarted(site: cluster.Cluster, ada: VirtualAuthenticator) -> None:
    """Without the database a finish is 503; after its restart the first request on every old connection works."""
    processes = {pid for node in site.nodes.values() for pid in node.workers()}
    for _ in range(2):
        with ThreadPoolExecutor(FINISHES) as pool:  # both nodes use several connections, and keep them
            list(pool.map(lambda _: ceremony(site, ada), range(2 * FINISHES)))
        site.stop("postgresql")  # so quickly that no node notices before the first request on an old connection
        site.start_postgresql()
    late = site.browser()
    begun = late.send("PUT", "/session/authn").json["data"]
    body = {"session_id": begun["session_id"], "response": ada.get(begun["options"])}
    site.stop("postgresql")
    down = [late.send("POST", "/session/authn", json=body)]
    down += [site.browser().send("PUT", "/user/authn", json={"name": "somebody"}) for _ in range(2)]
    assert {(answer.status_code, answer.json["code"]) for answer in down} == {(503, 50001)}
    assert site.browser().put("/session/authn").status_code == 200
    site.start_postgresql()
    assert late.send("POST", "/session/authn", json=body).status_code == 404, "it was claimed meanwhile"
    both_nodes_work(site, ada)
    assert processes == {pid for node in site.nodes.values() for pid in node.workers()}


def test_a_locked_table_is_not_waited_for_for_ever(site: cluster.Cluster, ada: VirtualAuthenticator) -> None:
    """With the advised ``statement_timeout`` a finish that the database holds up, a migration's lock say, is 503."""
    engine = create_engine(site.database_uri, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("ALTER ROLE passkey SET statement_timeout = '1s'"))
    site.stop("postgresql")  # so that all connections are new
    site.start_postgresql()
    late = begun(site, ada)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE passkey_credential"))
        answer = late.send()
        assert (answer.status_code, answer.json["code"]) == (503, 50001)
    both_nodes_work(site, ada)
