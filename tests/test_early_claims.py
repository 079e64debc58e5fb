"""A sign-in on Redis whose ceremony is claimed as the session is read, before the app's own functions are asked.

Where it says "on both ways", an app with a session interface that is not Flask-Session's own does the same: there the
view claims, as on all other stores.
"""

from __future__ import annotations

import io
import json
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import race
import services
from apps import SITE, App, User, begin, finish, make_app
from flask import abort, request, session
from flask.testing import FlaskClient
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from test_ended import copy_of
from test_session_moves import OtherInterface
from test_sessions import session_id

from flask_passkey.ceremonies.pending import PendingCeremony
from flask_passkey.pending.redis import RedisStore
from flask_passkey.testing import VirtualAuthenticator, attack, sign_up, step_up
from flask_passkey.web import http

pytestmark = [pytest.mark.services, pytest.mark.proves("threats:used-twice")]

#: Answers: the HTTP status and the code of the envelope.
OK, NOT_FOUND, UNAVAILABLE, TOO_MANY = (200, 0), (404, 404), (503, 50006), (429, 429)


class Site:
    """An app on Redis with Ada's account, and Ada's browser, which has a session.

    :param early: is it one that claims early?
    :param config: more settings.
    """

    def __init__(self, client: Redis, *, early: bool = True, **config: Any) -> None:
        self.client, self.prefix = client, f"{uuid.uuid4()}:"
        place = {"SESSION_TYPE": "redis", "SESSION_REDIS": client, "SESSION_KEY_PREFIX": self.prefix}
        self.site: App = make_app(place | config)
        self.app = self.site.app
        self.app.add_url_rule("/my/session/authn", "mine", lambda: request.get_data(), methods=["POST"])
        if not early:
            self.app.session_interface = OtherInterface(self.app, client=client, key_prefix=self.prefix)
        self.ada = VirtualAuthenticator(SITE)
        prefix = config.get("PASSKEY_URL_PREFIX", "")
        self.route = f"{prefix}/session/authn"
        sign_up(self.app.test_client(), self.ada, "ada", prefix=prefix)
        self.browser = self.app.test_client()
        with self.browser.session_transaction() as opened:
            opened["basket"] = ["tea"]

    def begin(self, browser: FlaskClient | None = None) -> dict[str, Any]:
        """Begin a sign-in, and return the body of its finish."""
        begun = begin(browser or self.browser, self.route)
        return {"session_id": begun["session_id"], "response": self.ada.get(begun["options"])}

    def finish(self, body: object = None, *, browser: FlaskClient | None = None, **how: Any) -> tuple[int, int]:
        """Finish, and return status and code of the answer."""
        answer = (browser or self.browser).post(self.route, **({"json": body} | how))
        return answer.status_code, answer.get_json()["code"]

    def pending(self) -> list[str]:
        """Return the names of all ceremonies that are pending."""
        names: list[Any] = self.client.keys(f"{self.prefix}passkey:*")
        return sorted(name if isinstance(name, str) else name.decode() for name in names)

    def record(self) -> str:
        """Return the name of the record of Ada's session."""
        return self.prefix + session_id(self.browser).partition(".")[0]


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    """A client of Redis."""
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def site(client: Redis) -> Site:
    """An app that claims early."""
    return Site(client)


@pytest.fixture(params=["early", "in the view"])
def either(client: Redis, request: pytest.FixtureRequest) -> Site:
    """An app of each way."""
    return Site(client, early=request.param == "early")


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the records that were read along with a claim."""
    seen: list[str] = []
    get_and_claim = RedisStore.get_and_claim

    def noting(self: RedisStore, name: str, keys: Any) -> Any:
        seen.append(name)
        return get_and_claim(self, name, keys)

    monkeypatch.setattr(RedisStore, "get_and_claim", noting)
    return seen


def down(*_: object, **__: object) -> None:
    """Fail as a client whose server is down."""
    raise NoConnection("down")


# Who claims early


CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "signed ids": {"SESSION_USE_SIGNER": True},
    "below a prefix": {"PASSKEY_URL_PREFIX": "/api/v1"},
    "sessions in JSON": {"SESSION_SERIALIZATION_FORMAT": "json"},
}


@pytest.mark.filterwarnings("ignore:The 'use_signer' option is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", CONFIGS)
def test_a_finish_claims_as_the_session_is_read(client: Redis, early: list[str], name: str) -> None:
    """A sign-in in a browser with a session works, keeps what was in the session, and uses the ceremony up."""
    site = Site(client, **CONFIGS[name])
    body, record = site.begin(), site.record()
    assert site.finish(body) == OK
    assert early == [record] and site.pending() == []
    with site.browser.session_transaction() as opened:
        assert opened["basket"] == ["tea"] and "user_id" in opened
    assert site.finish(body) == NOT_FOUND


def test_a_client_that_decodes(redis_url: str, early: list[str]) -> None:
    """A client that decodes all answers as text makes no difference; nor does a session that it cannot decode."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        site = Site(client, SESSION_SERIALIZATION_FORMAT="json")
        assert site.finish(site.begin()) == OK
        body, pending = site.begin(), site.pending()
        client.set(site.record(), b"\x81\xa6basket\xa3tea")  # good MessagePack
        assert site.finish(body) == UNAVAILABLE
        assert site.pending() == pending and len(early) == 2


def test_the_body_is_parsed_once(site: Site, early: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The view takes what was read for the claim."""
    body = site.begin()
    monkeypatch.setattr(http, "parse_json", down)
    assert site.finish(body) == OK and len(early) == 1


def test_a_session_that_is_gone(site: Site, early: list[str]) -> None:
    """A browser whose session has ended signs in, and gets a new one."""
    body = site.begin()
    site.client.delete(site.record())
    assert site.finish(body) == OK and len(early) == 1
    with site.browser.session_transaction() as opened:
        assert "basket" not in opened


@pytest.mark.parametrize("first", [True, False])
def test_a_browser_with_two_secrets(site: Site, early: list[str], first: bool) -> None:
    """A browser whose first requests raced finishes what it began with either secret."""
    secrets = {cookie.key: cookie.value for cookie in (site.browser._cookies or {}).values()}
    assert not [name for name in secrets if name.startswith("passkey_")]
    body = site.begin()
    site.browser.set_cookie("passkey_00000000" if first else "passkey_ffffffff", "A" * 43)
    assert site.finish(body) == OK and len(early) == 1


def test_a_step_up(site: Site, early: list[str]) -> None:
    """A step-up, whose user is in the session, is claimed once that is read."""
    site.finish(site.begin())
    answer = step_up(site.browser, site.ada)
    assert answer and len(early) == 2 and site.pending() == []


@pytest.mark.parametrize("what", ["own store", "several parties", "hook", "another client"])
def test_who_claims_in_the_view(client: Redis, redis_url: str, early: list[str], what: str) -> None:
    """Where the store is the app's, or the app chooses a relying party by the request, the view claims."""
    place = {"SESSION_TYPE": "redis", "SESSION_REDIS": client, "SESSION_KEY_PREFIX": f"{uuid.uuid4()}:"}
    if what == "several parties":
        place["PASSKEY_RELYING_PARTIES"] = {"example.org": {"origins": ["https://example.org"]}}
    site = make_app(place)
    if what in ("several parties", "hook"):
        site.passkey.rp_id_for(lambda: "localhost")
    elif what == "own store":
        state = site.app.extensions["passkey_state"]
        store = type("Own", (RedisStore,), {})(site.app.session_interface, time.time)
        state.pending._store = lambda: store
    else:
        interface: Any = site.app.session_interface
        begin(site.app.test_client())
        interface.client = Redis.from_url(redis_url)
    browser, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(browser, ada, "ada")
    begun = begin(browser)
    assert finish(browser, begun, ada.get(begun["options"])).status_code == 200
    assert early == []
    if what == "another client":
        interface.client.close()


def test_routes_that_look_alike(site: Site, early: list[str]) -> None:
    """A view of the app's at the end of whose path ours is too, and our other routes, claim nothing."""
    body, pending = site.begin(), site.pending()
    assert json.loads(site.browser.post("/my/session/authn", json=body).text) == body
    assert site.browser.post("/nowhere/session/authn", json=body).status_code == 404
    assert site.browser.post("/user/authn", json=body).status_code == 404
    assert site.browser.delete("/session/authn", json=body).status_code == 405
    assert site.pending() == pending and early == []


def test_a_look_into_the_session(site: Site, early: list[str]) -> None:
    """A test that looks into a session at our address, which no view is going to answer, claims nothing."""
    body, pending = site.begin(), site.pending()
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in (site.browser._cookies or {}).values())
    with site.app.test_request_context(site.route, method="POST", json=body, headers={"Cookie": cookies}):
        assert session["basket"] == ["tea"]
    assert site.pending() == pending and early == []


# What is refused before


def sent(body: dict[str, Any], **how: Any) -> dict[str, Any]:
    """Return a finish as a request of a client."""
    return {"data": json.dumps(body), "content_type": "application/json"} | how


ODD: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], int]] = {
    "of another site": (lambda body: sent(body, headers={"Origin": "https://evil.example"}), 403),
    "from another site": (lambda body: sent(body, headers={"Sec-Fetch-Site": "cross-site"}), 403),
    "from a subdomain": (lambda body: sent(body, headers={"Sec-Fetch-Site": "same-site"}), 403),
    "no JSON": (lambda body: sent(body, data=json.dumps(body)[:-1]), 400),
    "a member twice": (lambda body: sent(body, data='{"session_id":"x",' + json.dumps(body)[1:]), 400),
    "another type": (lambda body: sent(body, content_type="text/plain"), 415),
    "no response": (lambda body: sent({"session_id": body["session_id"]}), 400),
    "no id": (lambda body: sent(body | {"session_id": body["session_id"].upper() + "0"}), 400),
    "an id that is no text": (lambda body: sent(body | {"session_id": [body["session_id"]]}), 400),
    "no object": (lambda body: sent(body, data=json.dumps([body])), 400),
    "nothing": (lambda body: sent(body, data=""), 400),
    "a byte too long": (
        lambda body: sent(body, data=json.dumps(body | {"response": ""})[:-2].ljust(65_535, "x") + '"}'),
        413,
    ),
    "too long": (lambda body: sent(body | {"response": "x" * 70_000}), 413),
    "longer than it says": (lambda body: sent(body, environ_overrides={"CONTENT_LENGTH": "10"}), 400),
    "shorter than it says": (lambda body: sent(body, environ_overrides={"CONTENT_LENGTH": "60000"}), 400),
}


@pytest.mark.proves("threats:cross-site")
@pytest.mark.parametrize("name", ODD)
def test_what_the_view_refuses_uses_nothing_up(either: Site, early: list[str], name: str) -> None:
    """A finish that is refused before the ceremony is looked for leaves it, on both ways."""
    body, pending = either.begin(), either.pending()
    make, status = ODD[name]
    assert either.finish(**make(body))[0] == status
    assert either.pending() == pending and early == []
    assert either.finish(body) == OK


def test_a_body_in_chunks(either: Site, early: list[str]) -> None:
    """A body of unknown length is read by the view, on both ways."""
    stream = io.BytesIO(json.dumps(either.begin()).encode())
    chunked = {"wsgi.input": stream, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    how: dict[str, Any] = {"environ_overrides": chunked | {"CONTENT_LENGTH": ""}, "content_type": "application/json"}
    assert either.finish(**how) == OK and early == []


READERS: dict[str, Callable[[], bytes]] = {
    "data": lambda: request.get_data(),
    "json": lambda: json.dumps(request.get_json()).encode(),
    "stream": lambda: request.stream.read(),
    "input": lambda: bytes(request.environ["wsgi.input"].read()),
}


@pytest.mark.parametrize("name", READERS)
def test_hooks_of_the_app_see_the_body(either: Site, name: str) -> None:
    """What the app's functions read of the request before our view is what was sent, on both ways."""
    body, seen = either.begin(), []
    either.app.before_request_funcs[None].insert(0, lambda: seen.append(json.loads(READERS[name]())))
    either.finish(body)
    assert seen == [body]


def test_the_apps_own_limit_holds_in_its_hooks(either: Site) -> None:
    """A hook that reads more than the app allows is refused, on both ways, and the ceremony stays."""
    either.app.config["MAX_CONTENT_LENGTH"] = 100
    body, pending = either.begin(), either.pending()
    either.app.before_request_funcs[None].insert(0, lambda: request.get_data() and None)
    assert either.finish(body)[0] == 413
    assert either.pending() == pending


# What the app refuses between the claim and the view


def limited(site: Site) -> None:
    """Have the app refuse requests that say so, as a limiter does."""
    site.app.before_request_funcs[None].insert(0, lambda: abort(429) if "X-Too-Many" in request.headers else None)


MANY: dict[str, Any] = {"headers": {"X-Too-Many": "yes"}}


def test_what_a_limiter_refuses_is_put_back(either: Site, early: list[str]) -> None:
    """A ceremony whose finish a limiter refuses can be finished later, and ends when it was to end; on both ways."""
    limited(either)
    body = either.begin()
    (name,) = either.pending()
    before, left = either.client.get(name), either.client.pttl(name)
    assert either.finish(body, **MANY) == TOO_MANY
    assert either.client.get(name) == before and left - 3_000 < either.client.pttl(name) <= left
    assert len(early) <= 1
    assert either.finish(body) == OK
    assert either.finish(body) == NOT_FOUND


def test_what_fails_before_the_claim_is_put_back(either: Site) -> None:
    """A hook that fails before the view would claim leaves the ceremony, on both ways."""
    either.app.config["PROPAGATE_EXCEPTIONS"] = False
    fails = True

    @either.site.passkey.get_current_user
    def current_user() -> User | None:
        if fails:
            raise RuntimeError
        return None

    body, pending = either.begin(), either.pending()
    assert either.finish(body)[0] == 500
    assert either.pending() == pending
    fails = False
    assert either.finish(body) == OK


def test_what_the_view_has_looked_at_is_not_put_back(either: Site, early: list[str]) -> None:
    """A wrong response uses the ceremony up, on both ways."""
    begun = begin(either.browser)
    answer = finish(either.browser, begun, either.ada.get(begun["options"], signature=b"\x30\x00"))
    assert answer.status_code == 401 and either.pending() == [] and len(early) <= 1


@pytest.mark.parametrize("how", [{}, MANY], ids=["finished", "refused"])
def test_what_is_over_is_neither_taken_nor_put_back(site: Site, early: list[str], how: dict[str, Any]) -> None:
    """A record that Redis still has after its time is good for nobody."""
    limited(site)
    body = site.begin()
    (name,) = site.pending()
    value: Any = site.client.get(name)
    kept = PendingCeremony.from_json(value)
    site.client.set(name, kept.to_json(expires_at=time.time() - 1))
    assert site.finish(body, **how) == (TOO_MANY if how else NOT_FOUND)
    assert site.pending() == [] and len(early) == 1


def test_what_cannot_be_put_back(site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where Redis fails just then, the limiter's answer is as it was, and the log says what is lost."""
    limited(site)
    body = site.begin()
    monkeypatch.setattr(RedisStore, "_put", down)
    with caplog.at_level(logging.WARNING):
        assert site.finish(body, **MANY) == TOO_MANY
    assert "is lost: RedisStore: " in caplog.text


def test_a_hook_that_claims(either: Site) -> None:
    """A hook that takes another ceremony, or opens the session once more, takes nothing from the view, on both ways."""
    state = either.app.extensions["passkey_state"]
    body, other, taken = either.begin(), either.begin(), []
    (secret,) = (cookie.value for cookie in (either.browser._cookies or {}).values() if cookie.key != "session")

    def hook() -> None:
        taken.append(state.pending.take(other["session_id"], secrets=[secret], purposes=["sign-in"]))
        either.app.session_interface.open_session(either.app, request)

    either.app.before_request_funcs[None].insert(0, hook)
    assert either.finish(body) == OK
    assert len(taken) == 1 and either.pending() == []


# Once


@pytest.mark.slow
@pytest.mark.parametrize("refused", [0, 4])
def test_of_many_finishes_at_once_one_succeeds(site: Site, early: list[str], refused: int) -> None:
    """Of eight at the same moment one signs in; where a limiter refuses some, that may be one later."""
    limited(site)
    for _ in range(race.RECORDS):
        browsers = [copy_of(site.app, site.browser) for _ in range(8)]
        body = site.begin()
        for browser in browsers:
            for cookie in (site.browser._cookies or {}).values():
                browser.set_cookie(cookie.key, cookie.value)
        hows = [MANY] * refused + [{}] * (8 - refused)
        with race.switching_threads_every(1e-5), ThreadPoolExecutor(8) as pool:
            under_way = [
                pool.submit(site.finish, body, browser=browser, **how)
                for browser, how in zip(browsers, hows, strict=True)
            ]
            answers = Counter(each.result() for each in under_way)
        assert answers[TOO_MANY] == refused and answers.keys() <= {OK, NOT_FOUND, TOO_MANY}
        later = [site.finish(body), site.finish(body)]
        assert answers[OK] + later.count(OK) == 1 and (answers[OK] == 1 or refused)
        site.browser = site.app.test_client()
        with site.browser.session_transaction() as opened:
            opened["basket"] = ["tea"]
    assert len(early) >= 8 * race.RECORDS


@pytest.mark.proves("threats:another-browser")
def test_another_browser_neither_uses_nor_burns_it(site: Site, early: list[str]) -> None:
    """A stranger with a session who knows all that is sent finds nothing, and the right browser still signs in."""
    stranger = site.app.test_client()
    sign_up(stranger, VirtualAuthenticator(SITE), "eve")
    body, pending = site.begin(), site.pending()
    assert site.finish(body, browser=stranger) == NOT_FOUND
    assert len(early) == 1 and site.pending() == pending
    assert site.finish(body) == OK


def test_another_purpose_neither_uses_nor_burns_it(site: Site, early: list[str]) -> None:
    """The id of a registration is none of a sign-in."""
    site.finish(site.begin())
    begun = begin(site.browser, "/user/authn")
    made = VirtualAuthenticator(SITE).create(begun["options"])
    pending = site.pending()
    assert finish(site.browser, begun, made).status_code == 404
    assert len(early) == 2 and site.pending() == pending
    assert finish(site.browser, begun, made, "/user/authn").status_code == 200


def test_attacks(client: Redis, early: list[str]) -> None:
    """An app that claims early withstands the attacks that another one withstands."""
    site = Site(client)
    report, other = (attack(app, begins=0) for app in (site.app, make_app().app))
    assert report.findings == [] and report.withstood == other.withstood and len(early) > 3


# When Redis fails


def test_redis_is_down(either: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the session cannot be read nobody is signed in, and all can be done again later; on both ways."""
    body, pending = either.begin(), either.pending()
    with monkeypatch.context() as patch:
        patch.setattr(Redis, "pipeline", down)
        patch.setattr(Redis, "get", down)
        assert either.finish(body) == UNAVAILABLE
    assert either.pending() == pending
    assert either.finish(body) == OK


@pytest.mark.parametrize("kind", ["another type", "no session"])
def test_the_session_cannot_be_read(
    either: Site, early: list[str], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that is no session is an outage, and the ceremony stays; on both ways."""
    body, pending, record = either.begin(), either.pending(), either.record()
    either.client.delete(record)
    if kind == "another type":
        either.client.rpush(record, "of another type")
    else:
        either.client.set(record, b"\xc1no session")
    assert either.finish(body) == UNAVAILABLE
    assert either.pending() == pending and len(early) <= 1
    assert ("WRONGTYPE" if kind == "another type" else "deserialize") in caplog.text
    either.browser.delete_cookie("session")
    assert either.finish(body) == OK


def test_the_ceremony_cannot_be_claimed(either: Site, early: list[str]) -> None:
    """An error of the claim alone is answered as such, and the session stays; on both ways."""
    body, (name,) = either.begin(), either.pending()
    either.client.delete(name)
    either.client.rpush(name, "of another type")
    assert either.finish(body) == UNAVAILABLE
    assert len(early) <= 1
    with either.browser.session_transaction() as opened:
        assert opened["basket"] == ["tea"]


def test_before_redis_6_2(early: list[str]) -> None:
    """A server without GETDEL refuses each claim; the session is read as ever."""
    with services.redis_server("--rename-command", "GETDEL", "") as url, Redis.from_url(url) as client:
        site = make_app({"SESSION_TYPE": "redis", "SESSION_REDIS": client})
        browser = site.app.test_client()
        with browser.session_transaction() as opened:
            opened["basket"] = ["tea"]
        begun = begin(browser)
        assert finish(browser, begun, {}).status_code == 503
        assert len(early) == 1 and len(client.keys("session:passkey:*")) == 1
