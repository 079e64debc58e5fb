"""A finish with a network between: how often it goes to the servers and back, and how long people wait for that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from interleave import Worker
from link import Link, link_to

#: Seconds from a request to a server to its answer, added to what the machine itself takes.
DELAYS = (0.0, 0.001)
SUBJECTS = {
    "begin, Redis": ("begin ours redis", ""),
    "finish, Redis and SQLite": ("finish ours redis sqlite login", ""),
    "finish, Redis and PostgreSQL": ("finish ours redis postgresql login", "<= 5.2"),
}
_SERVERS = ("BENCH_REDIS_URL", "BENCH_POSTGRESQL_URL")


def rows(rounds: int = 12, count: int = 25) -> list[str]:
    """Measure, and return the lines of a table; the quickest round is closest to a quiet machine."""
    lines = ["| work | round trips | ms, no network | ms, 1 ms to each server | target |", "|---|---|---|---|---|"]
    for label, (subject, target) in SUBJECTS.items():
        trips, times = 0.0, []
        for delay in DELAYS:
            with longer_ways(delay) as links:
                worker = Worker(subject)
                worker.time(count)
                for link in links:
                    link.round_trips = 0
                times.append(min(worker.time(count) for _ in range(rounds)) * 1e3)
                trips = sum(link.round_trips for link in links) / rounds / count
                worker.close()
        if subject.startswith("finish"):
            trips -= 1  # of the begin before it, whose time does not count
        lines.append(f"| {label} | {trips:.1f} | {times[0]:.2f} | **{times[1]:.2f}** | {target} |")
    return lines


@contextmanager
def longer_ways(delay: float) -> Iterator[list[Link]]:
    """Make the ways to both servers longer until the block ends."""
    before = {name: os.environ[name] for name in _SERVERS}
    with ExitStack() as stack:
        links = []
        for name, url in before.items():
            port = urlsplit(url).port or 0
            links.append(stack.enter_context(link_to(port, delay=delay / 2)))
            os.environ[name] = url.replace(f":{port}/", f":{links[-1].port}/")
        try:
            yield links
        finally:
            os.environ |= before
