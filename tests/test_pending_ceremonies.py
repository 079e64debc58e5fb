"""Pending ceremonies: kept for their time, given out once, and only to whom they are bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import combinations
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from flask_passkey.ceremonies.pending import REGISTRATION, SIGN_IN, SIGN_UP, STEP_UP, PendingCeremony, mark
from flask_passkey.errors import CeremonyNotFound, CeremonyStoreUnavailable
from flask_passkey.pending.ceremonies import PendingCeremonies, new_browser_secret

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
START = 1_800_000_000.0
LIFETIME = 300


class Store:
    """A store in a dictionary, that never drops what is expired."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.lifetimes: list[int] = []

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        """Keep a value."""
        self.records[key] = value
        self.lifetimes.append(lifetime)

    def claim(self, key: str) -> bytes | None:
        """Remove a value and return it."""
        return self.records.pop(key, None)


class Clock:
    """A clock that is moved by hand."""

    now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Store:
    """Return an empty ceremonies."""
    return Store()


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def ceremonies(store: Store, clock: Clock) -> PendingCeremonies:
    """Return the pending ceremonies of a site at example.com."""
    return PendingCeremonies(lambda: store, rp_id="example.com", clock=clock)


PENDING = PendingCeremony(
    purpose=STEP_UP,
    rp_id="example.com",
    challenge="Y2hhbGxlbmdl",
    user_verification="required",
    user_id="17",
    allowed=(mark("AA"), mark("AQ")),
)


class Binding(NamedTuple):
    """What a ceremony is bound to."""

    browser: str
    purpose: str
    user_id: str = ""


BINDING = Binding("browser", STEP_UP, "17")


def begin(ceremonies: PendingCeremonies, pending: PendingCeremony = PENDING, *, browser: str = "browser") -> str:
    """Keep a ceremony and return its ceremony_id."""
    return ceremonies.put(pending, secret=browser, lifetime=LIFETIME)


def take(ceremonies: PendingCeremonies, ceremony_id: str, binding: Binding = BINDING) -> PendingCeremony:
    """Claim a ceremony by what it is bound to."""
    browser, purpose, user_id = binding
    return ceremonies.take(ceremony_id, secrets=[browser], purposes=[purpose], user_id=user_id)


def assert_not_found(ceremonies: PendingCeremonies, ceremony_id: str, *bindings: Binding) -> None:
    """Check that a ceremony is not given out."""
    for binding in bindings or (BINDING,):
        with pytest.raises(CeremonyNotFound):
            take(ceremonies, ceremony_id, binding)


def test_what_was_put_is_taken(ceremonies: PendingCeremonies) -> None:
    """A ceremony comes back as it was, with the end of its life."""
    assert take(ceremonies, begin(ceremonies)) == replace(PENDING, expires_at=START + LIFETIME)


@pytest.mark.proves("rules:13.4.3")
def test_a_ceremony_is_used_once(ceremonies: PendingCeremonies, store: Store) -> None:
    """The second taker finds nothing, and nothing is left in the ceremonies."""
    ceremony_id = begin(ceremonies)
    take(ceremonies, ceremony_id)
    assert_not_found(ceremonies, ceremony_id, BINDING)
    assert store.records == {}


def test_a_session_id_is_a_new_uuid(ceremonies: PendingCeremonies) -> None:
    """Each ceremony has a name of its own, and none disturbs another."""
    ids = [begin(ceremonies) for _ in range(5)]
    assert all(UUID4.fullmatch(ceremony_id) for ceremony_id in ids)
    assert len({take(ceremonies, ceremony_id).purpose for ceremony_id in reversed(ids)} | set(ids)) == 6


@pytest.mark.parametrize(
    ("seconds", "found"), [(0, True), (LIFETIME - 1, True), (LIFETIME, False), (LIFETIME + 1, False)]
)
def test_a_ceremony_has_its_time(ceremonies: PendingCeremonies, clock: Clock, seconds: int, found: bool) -> None:
    """A second before its end it is there and a second after it is not, in a store that never forgets."""
    ceremony_id = begin(ceremonies)
    clock.now += seconds
    if found:
        assert take(ceremonies, ceremony_id) == replace(PENDING, expires_at=START + LIFETIME)
    else:
        assert_not_found(ceremonies, ceremony_id, BINDING)


def test_the_store_is_told_the_time_as_well(ceremonies: PendingCeremonies, store: Store) -> None:
    """A record of its own with a life of its own: stores that can forget do so by themselves."""
    begin(ceremonies)
    assert store.lifetimes == [LIFETIME] and len(store.records) == 1


def test_an_expired_ceremony_is_gone(ceremonies: PendingCeremonies, clock: Clock) -> None:
    """A clock that is set back does not bring it to life again, once somebody came too late."""
    ceremony_id = begin(ceremonies)
    clock.now += LIFETIME
    assert_not_found(ceremonies, ceremony_id, BINDING)
    clock.now = START
    assert_not_found(ceremonies, ceremony_id, BINDING)


@pytest.mark.parametrize(
    "wrong",
    [
        BINDING._replace(browser="another"),
        BINDING._replace(browser=""),
        BINDING._replace(user_id="18"),
        BINDING._replace(user_id=""),
        *(BINDING._replace(purpose=purpose) for purpose in (SIGN_IN, SIGN_UP, REGISTRATION, "")),
        Binding("", "", ""),
    ],
)
def test_a_wrong_binding_finds_nothing_and_burns_nothing(ceremonies: PendingCeremonies, wrong: Binding) -> None:
    """Another browser, user or purpose gets what an unknown ceremony gets, and the right one still works."""
    ceremony_id = begin(ceremonies)
    assert_not_found(ceremonies, ceremony_id, wrong)
    assert_not_found(ceremonies, ceremony_id, wrong, wrong)
    assert take(ceremonies, ceremony_id).challenge == PENDING.challenge


@pytest.mark.parametrize("rp_id", ["example.org", "", "example.com.evil.example"])
def test_a_ceremony_is_bound_to_its_rp_id(
    ceremonies: PendingCeremonies, store: Store, clock: Clock, rp_id: str
) -> None:
    """Another site on the same store finds nothing and burns nothing."""
    ceremony_id = begin(ceremonies)
    assert_not_found(PendingCeremonies(lambda: store, rp_id=rp_id, clock=clock), ceremony_id, BINDING)
    assert take(ceremonies, ceremony_id).rp_id == "example.com"


@pytest.mark.parametrize("change", [str.upper, lambda text: text[:-1], lambda text: text + "\0", lambda text: ""])
def test_a_wrong_session_id_finds_nothing_and_burns_nothing(ceremonies: PendingCeremonies, change: object) -> None:
    """A ceremony_id that is not exactly the one is unknown."""
    assert callable(change)
    ceremony_id = begin(ceremonies)
    wrong = change(ceremony_id)
    assert wrong != ceremony_id
    assert_not_found(ceremonies, wrong, BINDING)
    assert_not_found(ceremonies, begin(PendingCeremonies(Store, rp_id="example.com")), BINDING)
    assert take(ceremonies, ceremony_id).purpose == STEP_UP


def test_the_first_binding_that_fits_is_taken(ceremonies: PendingCeremonies) -> None:
    """A visitor may hold several secrets and a route serve several purposes: any that fits will do."""
    asks = partial(ceremonies.take, secrets=["b1", "b2", "browser"], purposes=[SIGN_IN, STEP_UP], user_id="17")
    assert asks(begin(ceremonies)).purpose == STEP_UP
    anonymous = replace(PENDING, purpose=SIGN_IN, user_id="")
    assert asks(begin(ceremonies, anonymous, browser="b2")).purpose == SIGN_IN
    with pytest.raises(CeremonyNotFound):
        asks(begin(ceremonies, browser="b3"))


def test_bindings_do_not_run_into_each_other() -> None:
    """No two different bindings have one name in the store, however their parts are cut."""
    parts = ("a", "b", "ab", "ba", "")
    keys: dict[str, tuple[str, ...]] = {}
    for rp_id in parts:
        ceremonies = PendingCeremonies(Store, rp_id=rp_id)
        for purpose in parts:
            for user_id in parts:
                key = ceremonies._key("5b2a1a57-5d0a-4dd2-8a3c-3c6c6b1d9f5e", "browser", purpose, user_id)
                assert keys.setdefault(key, (rp_id, purpose, user_id)) == (rp_id, purpose, user_id)
    assert len(keys) == len(parts) ** 3


def test_the_store_learns_nothing_that_opens_a_ceremony(ceremonies: PendingCeremonies, store: Store) -> None:
    """Who reads the store finds neither ceremony_id nor browser secret, so cannot finish what is pending."""
    secret = new_browser_secret()
    ceremony_id = begin(ceremonies, browser=secret)
    ((key, value),) = store.records.items()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", key)
    for hidden in (ceremony_id, ceremony_id.replace("-", ""), secret, "browser"):
        assert hidden not in key and hidden.encode() not in value


def key_of(store: Store) -> str:
    """Return the name of the only record."""
    (key,) = store.records
    return key


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"\x80\x04K\x01.",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"{",
        b"{}",
        b'{"purpose":"step-up"}',
        b'{"new":1}',
        b"\xff",
    ],
)
def test_foreign_bytes_are_dropped(
    ceremonies: PendingCeremonies, store: Store, foreign: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What is not a pending ceremony is not found, is said in the log, and is never run or shown."""
    ceremony_id = begin(ceremonies)
    store.records[key_of(store)] = foreign
    assert_not_found(ceremonies, ceremony_id, BINDING)
    assert store.records == {} and "not one of ours" in caplog.text
    assert ceremony_id not in caplog.text


class DownStore:
    """A store that does not answer."""

    def put(self, key: str, value: bytes, *, lifetime: int) -> None:
        """Fail."""
        raise CeremonyStoreUnavailable("down")

    def claim(self, key: str) -> bytes | None:
        """Fail."""
        raise CeremonyStoreUnavailable("down")


def test_a_store_that_is_down_is_told() -> None:
    """Nothing is taken for missing because the store did not answer."""
    ceremonies = PendingCeremonies(DownStore, rp_id="example.com")
    for call in (lambda: begin(ceremonies), lambda: take(ceremonies, "id")):
        with pytest.raises(CeremonyStoreUnavailable):
            call()


def test_the_store_is_first_asked_for_when_it_is_needed() -> None:
    """The store is made late, as Flask-Session may be set up after us."""
    made: list[Store] = []

    def make() -> Iterator[Store]:
        made.append(Store())
        yield made[0]

    stores = make()
    ceremonies = PendingCeremonies(lambda: next(stores), rp_id="example.com")
    assert made == []
    begin(ceremonies)
    assert len(made) == 1


def test_browser_secrets_are_random_text() -> None:
    """32 random bytes as 43 characters that a cookie can hold."""
    made = [new_browser_secret() for _ in range(20)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", secret) for secret in made)
    assert all(first != second for first, second in combinations(made, 2))
