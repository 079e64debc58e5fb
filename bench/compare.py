"""Compare this clone with another one, side by side in one run: ``python bench/compare.py OTHER [SUBJECT...]``.

Prints, for each subject, the time here as a ratio of the time there: median, and quartiles of the rounds.
``BENCH_CLOCK=cpu`` measures processor time, which leaves out other work on the machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))

import places  # noqa: E402
from interleave import Worker, ratios, spread, times  # noqa: E402

USUAL = (
    "begin ours memory",
    "begin ours redis",
    "begin ours file",
    "begin ours sql",
    "finish ours memory memory",
    "finish ours memory sqlite login",
    "finish ours redis sqlite login",
    "finish ours redis postgresql login",
)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("subjects", nargs="*", default=USUAL)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--count", type=int, default=50)
    wanted = parser.parse_args()
    with places.ready():
        print("| subject | here to there | quartiles | here |\n|---|---|---|---|")
        for subject in wanted.subjects:
            print(row(subject, wanted.other.resolve(), rounds=wanted.rounds, count=wanted.count), flush=True)


def row(subject: str, other: Path, *, rounds: int, count: int) -> str:
    """Measure one subject in both clones, in turns, and return its line."""
    workers = [Worker(subject, root=root) for root in (HERE.parent.resolve(), other)]
    found = times(workers, rounds=rounds, count=count)
    for worker in workers:
        worker.close()
    here, there = (found[worker.name] for worker in workers)
    middle, low, high = spread(ratios(here, there))
    return f"| {subject} | {middle:.3f} | {low:.3f} to {high:.3f} | {spread(here)[0] * 1e6:.0f} µs |"


if __name__ == "__main__":
    main()
