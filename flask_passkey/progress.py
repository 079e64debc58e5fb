"""What a request is at: which ceremony, and how long its parts take. For metrics, and for ``Server-Timing`` in debug.

Where nobody watches, nothing is noted. What is noted names no user and no ceremony.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

BEGIN: Final = "begin"
FINISH: Final = "finish"

#: The parts: the store of pending ceremonies, the repository of credentials, and what is computed of a response.
STORE: Final = "store"
CREDENTIALS: Final = "credentials"
VERIFY: Final = "verify"


class Progress:
    """One request."""

    __slots__ = ("is_done", "phase", "purpose", "refusal", "seconds", "started")

    def __init__(self) -> None:
        #: Of a clock that only runs forward, in seconds.
        self.started = perf_counter()
        #: ``begin`` or ``finish``; empty as long as no ceremony is known of.
        self.phase = ""
        #: ``sign-in``, ``step-up``, ``registration``, ``sign-up`` or ``enrolment``; empty if not known.
        self.purpose = ""
        #: Has the ceremony come to where it was to go?
        self.is_done = False
        #: What the request was refused with.
        self.refusal: Exception | None = None
        #: How long each part took.
        self.seconds: dict[str, float] = {}


_watched: ContextVar[Progress | None] = ContextVar("passkey_progress", default=None)


@contextmanager
def watched() -> Iterator[None]:
    """Note the progress of what is done inside."""
    token = _watched.set(Progress())
    try:
        yield
    finally:
        _watched.reset(token)


def current() -> Progress | None:
    """Return the progress of the request, where it is noted."""
    return _watched.get()


def at(phase: str, purpose: str = "") -> None:
    """Note which ceremony the request is about."""
    if (progress := _watched.get()) is not None:
        progress.phase, progress.purpose = phase, purpose


def done() -> None:
    """Note that it came to where it was to go."""
    if (progress := _watched.get()) is not None:
        progress.is_done = True


def timed(part: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function, and note how long it takes."""
    progress = _watched.get()
    if progress is None:
        return call(*args, **kwargs)
    started = perf_counter()
    try:
        return call(*args, **kwargs)
    finally:
        progress.seconds[part] = progress.seconds.get(part, 0.0) + perf_counter() - started
