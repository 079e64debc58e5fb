"""Finishes in many threads of one process: how many a second, and what the slowest wait.

``python bench/threads.py STORE CREDENTIALS THREADS`` prints the figures of one round, in a process by itself.
"""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median, quantiles
from typing import Any

import ours
from subjects import Finish

#: Store, credentials, threads, and the targets: sign-ins a second, and p99 in milliseconds.
CASES = (("memory", "sqlite", 8, 2000, 15), ("redis", "postgresql", 16, 1000, 45))
JOBS, ROUNDS = 1600, 5


def rows() -> list[str]:
    """Measure, and return the lines of a table."""
    head = (
        "| store, credentials, threads | finishes a second | half within, ms | 99 % within, ms | worst, ms | target |"
    )
    lines = [head, "|---|---|---|---|---|---|"]
    for store, credentials, threads, rate, p99 in CASES:
        command = [sys.executable, __file__, store, credentials, str(threads)]
        rounds = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
        found = [median(column) for column in zip(*(map(float, line.split()) for line in rounds), strict=True)]
        label = f"{store}, {credentials}, {threads} threads"
        lines.append(f"| {label} | **{found[0]:.0f}** | {found[1]:.1f} | **{found[2]:.1f}** | {found[3]:.0f} "
                     f"| >= {rate} a second, <= {p99} ms |")  # fmt: skip
    return lines


def one_round(subject: Finish, threads: int) -> tuple[float, float, float, float]:
    """Return finishes a second, and the milliseconds that half of them, 99 % and all were within."""
    jobs = subject.make(JOBS)
    gc.collect()
    gc.freeze()

    def timed(job: Any) -> float:
        begun = time.perf_counter()
        subject.run([job])
        return (time.perf_counter() - begun) * 1e3

    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        waited = list(pool.map(timed, jobs))
        seconds = time.perf_counter() - start
    subject.check()
    parts = quantiles(waited, n=100)
    return JOBS / seconds, parts[49], parts[98], max(waited)


def main(store: str, credentials: str, threads: str) -> None:
    """Print the figures of each round, of which the first is to warm up."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    subject = Finish(partial(ours.app, store, credentials=credentials, login=True))
    for _ in range(ROUNDS + 1):
        print(*one_round(subject, int(threads)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
