"""The tables: which subjects are compared, what was wanted, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interleave import Worker, ratios, spread, times


@dataclass(frozen=True)
class Row:
    """A subject beside its reference.

    :param target: of the ratio, as in the project's issue; empty where there is none.
    """

    label: str
    subject: str
    reference: str
    target: str = ""
    #: Is the ratio how many times faster than the reference we are?
    faster: bool = False


GROUPS: dict[str, tuple[Row, ...]] = {
    "prepare": (
        Row("prepare, memory, to `hand`", "prepare ours memory", "prepare hand memory", "<= 1.10"),
        Row("prepare, Redis, to `hand`", "prepare ours redis", "prepare hand redis", "<= 1.05"),
        Row("prepare, SQL store, to `hand`", "prepare ours sql", "prepare hand sql", "<= 0.40"),
        Row("prepare, file store, to `hand`", "prepare ours file", "prepare hand file", "<= 1.00"),
        Row("`hand` prepare, memory, to `bare`", "prepare hand memory", "bare"),
    ),
    "finish": (
        Row("finish, all in memory, to `prims`", "finish ours memory memory", "prims", "<= 1.6"),
        Row("finish, SQLite credentials, no session login", "finish ours memory sqlite", "prims", "<= 2.3"),
        Row("finish, SQLite credentials, session login", "finish ours memory sqlite login", "prims", "<= 3.0"),
        Row("`hand` finish, no session login", "finish hand memory", "prims", "(hand 1.97)"),
        Row("`hand` finish, session login", "finish hand memory login", "prims", "(hand 2.43)"),
        Row("finish, Redis and SQLite, to `hand`", "finish ours redis sqlite login", "finish hand redis login"),
        Row("finish, Redis and PostgreSQL, to `hand`", "finish ours redis postgresql login", "finish hand redis login"),
    ),
    "security": (
        Row("prepare, Redis: times faster", "prepare ours redis", "prepare security redis", ">= 1.8", True),
        Row("finish, Redis: times faster", "finish ours redis sqlite login", "finish security redis", ">= 2.7", True),
    ),
    "pending": tuple(
        Row(
            f"prepare, {store}: 100,000 pending to 10",
            f"prepare ours {store}, 100000 pending",
            f"prepare ours {store}, 10 pending",
            "<= 1.15",
        )
        for store in ("memory", "redis", "sql", "file")
    ),
    "passkeys": (
        Row(
            "finish: 1,000,000 passkeys to 1,000",
            "finish ours memory sqlite, 1000000 passkeys",
            "finish ours memory sqlite, 1000 passkeys",
            "<= 1.10",
        ),
    ),
}


def measure(rows: Sequence[Row], *, rounds: int, count: int, security: str | None) -> list[str]:
    """Run a group in one go and return the lines of its table."""
    names = dict.fromkeys(name for row in rows for name in (row.reference, row.subject))
    workers = [Worker(name, python=security if "security" in name else None) for name in names]
    try:
        found = times(workers, rounds=rounds, count=count)
    finally:
        for worker in workers:
            worker.close()
    return [*HEAD, *(_line(row, found[row.subject], found[row.reference]) for row in rows)]


HEAD = (
    "| work | ours, µs (quartiles) | reference, µs (quartiles) | ratio (quartiles) | of the quickest | target |",
    "|---|---|---|---|---|---|",
)


def _line(row: Row, mine: Sequence[float], theirs: Sequence[float]) -> str:
    ratio = spread(ratios(theirs, mine) if row.faster else ratios(mine, theirs))
    quickest = min(theirs) / min(mine) if row.faster else min(mine) / min(theirs)
    figures = [_three(spread([second * 1e6 for second in seconds]), 0) for seconds in (mine, theirs)]
    return f"| {row.label} | {' | '.join(figures)} | {_three(ratio, 2)} | {quickest:.2f} | {row.target} |"


def _three(figures: tuple[float, float, float], digits: int) -> str:
    middle, low, high = (f"{figure:.{digits}f}" for figure in figures)
    return f"**{middle}** ({low}–{high})"
