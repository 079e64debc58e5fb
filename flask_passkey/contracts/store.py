"""The promises of a store of pending ceremonies, as tests."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import pytest

from ..errors import CeremonyStoreUnavailable
from ..pending import CeremonyStore

#: In the tests of simultaneous claims so many callers claim one record.
CALLERS = 8


class CeremonyStoreContract:
    """Tests that every :class:`~flask_passkey.pending.CeremonyStore` has to pass.

    Derive from it and add a fixture ``store``. Override ``pass_time`` if a test can set the store's clock, and
    ``thread_context`` if a new thread needs a context, such as an app context.
    """

    #: How many records all threads together race for.
    RECORDS: int = 50
    #: How many ceremonies are pending at the same time.
    PENDING: int = 2_000

    @pytest.fixture
    def store(self) -> CeremonyStore:
        """Return the store to test. Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture named store")

    def thread_context(self) -> AbstractContextManager[object]:
        """Return the context that a new thread needs to use the store, such as ``app.app_context()``."""
        return nullcontext()

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the store; by default by waiting."""
        time.sleep(seconds)

    def test_value_comes_back(self, store: CeremonyStore) -> None:
        """A claim returns exactly the bytes that were put, text or not, few or many."""
        for value in (bytes(range(256)), b"text", b"0", b" \r\n", 16_000 * b"\xff"):
            key = new_key()
            store.put(key, value, lifetime=300)
            claimed = store.claim(key)
            assert claimed == value
            assert type(claimed) is bytes

    def test_unknown_key(self, store: CeremonyStore) -> None:
        """A key that was never used has no value, whatever the key looks like."""
        keys = ("", "../x", "*", "%", "a b\r\n", "é" * 300, new_key())
        assert [store.claim(key) for key in keys] == [None] * len(keys)
        store.put(new_key(), b"value", lifetime=300)
        assert [store.claim(key) for key in keys] == [None] * len(keys)

    def test_claimed_once(self, store: CeremonyStore) -> None:
        """A value is gone after its claim, and no other value is."""
        first, second = new_key(), new_key()
        store.put(first, b"first", lifetime=300)
        store.put(second, b"second", lifetime=300)
        assert [store.claim(key) for key in (first, first, second, first)] == [b"first", None, b"second", None]

    def test_lives_as_long_as_asked(self, store: CeremonyStore) -> None:
        """A value can be claimed during its lifetime, and no longer than a second after it."""
        short, shorter, long = new_key(), new_key(), new_key()
        store.put(short, b"short", lifetime=3)
        store.put(shorter, b"shorter", lifetime=3)
        store.put(long, b"long", lifetime=300)
        self.pass_time(1)
        assert store.claim(short) == b"short"
        self.pass_time(3.1)
        assert store.claim(shorter) is None
        assert store.claim(long) == b"long"

    def test_nothing_lives_for_ever(self, store: CeremonyStore) -> None:
        """A lifetime of 0 is one second, not forever, and no error."""
        key = new_key()
        store.put(key, b"value", lifetime=0)
        self.pass_time(2.1)
        assert store.claim(key) is None

    def test_none_is_lost(self, store: CeremonyStore) -> None:
        """None of many pending ceremonies is dropped before its time."""
        values = {new_key(): secrets.token_bytes(16) for _ in range(self.PENDING)}
        for key, value in values.items():
            store.put(key, value, lifetime=300)
        assert {key: store.claim(key) for key in values} == values

    def test_one_of_many_threads_gets_it(self, store: CeremonyStore) -> None:
        """Of 8 threads that claim a record at the same time exactly one gets it, whole."""
        values = {new_key(): secrets.token_bytes(200) for _ in range(self.RECORDS)}
        for key, value in values.items():
            store.put(key, value, lifetime=300)
        won = [pair for pairs in self._together(partial(self._claim_all, store, list(values))) for pair in pairs]
        assert Counter(key for key, _ in won) == Counter(list(values))
        assert dict(won) == values

    def _claim_all(self, store: CeremonyStore, keys: list[str], barrier: threading.Barrier) -> list[tuple[str, bytes]]:
        """Wait for the other threads before each record, try to claim it, and return what was claimed."""
        won = []
        for key in keys:
            barrier.wait(30)
            if (value := store.claim(key)) is not None:
                won.append((key, value))
        return won

    def _together(self, work: Callable[[threading.Barrier], list[tuple[str, bytes]]]) -> list[list[tuple[str, bytes]]]:
        barrier = threading.Barrier(CALLERS)

        def run(_: int) -> list[tuple[str, bytes]]:
            try:
                with self.thread_context():
                    return work(barrier)
            except BaseException:
                barrier.abort()
                raise

        with _frequent_switches(), ThreadPoolExecutor(CALLERS) as pool:
            return list(pool.map(run, range(CALLERS)))


class CeremonyOutageContract:
    """Tests that a store outside the process has to pass while it cannot be reached.

    Derive from it and add a fixture ``unreachable``: a store whose server is not there.
    """

    @pytest.fixture
    def unreachable(self) -> CeremonyStore:
        """Return a store whose server is not there. Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture named unreachable")

    def test_put_says_that_the_store_is_unavailable(self, unreachable: CeremonyStore) -> None:
        """A put that fails raises CeremonyStoreUnavailable: no browser must get a challenge that is not kept."""
        with pytest.raises(CeremonyStoreUnavailable):
            unreachable.put(new_key(), b"value", lifetime=300)

    def test_claim_says_that_the_store_is_unavailable(self, unreachable: CeremonyStore) -> None:
        """A claim that fails raises CeremonyStoreUnavailable: it is not the same as a missing record."""
        with pytest.raises(CeremonyStoreUnavailable):
            unreachable.claim(new_key())


def new_key() -> str:
    """Return a key like those of pending ceremonies: 43 characters of base64url."""
    return secrets.token_urlsafe(32)


@contextmanager
def _frequent_switches() -> Iterator[None]:
    """Make Python switch between threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
