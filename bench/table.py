"""The tables: which subjects are compared, the targets and the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interleave import Worker, ratios, spread, times


@dataclass(frozen=True)
class Row:
    """A subject beside its reference.

    :param target: of the ratio, as in the project's issue; empty without one.
    """

    label: str
    subject: str
    reference: str
    target: str = ""
    #: Does the ratio say how many times faster than the reference we are?
    faster: bool = False


HAND, HAND_REDIS = "finish hand memory login", "finish hand redis login"


def _beside(name: str, subject: str, *, begin: str = "", finish: str) -> tuple[Row, Row]:
    """Compare another library's begin and finish with ours, each with its target."""
    ours = "begin ours redis", "finish ours redis sqlite login"
    return (
        Row(f"begin, Redis: times faster than {name}", ours[0], f"begin {subject} redis", begin, True),
        Row(f"finish, Redis and SQLite: times faster than {name}", ours[1], f"finish {subject} redis", finish, True),
    )


GROUPS: dict[str, tuple[Row, ...]] = {
    "begin": (
        Row("begin, memory, to `hand`", "begin ours memory", "begin hand memory", "<= 1.10"),
        Row("begin, Redis, to `hand`", "begin ours redis", "begin hand redis", "<= 1.05"),
        Row("begin, SQL store, to `hand`", "begin ours sql", "begin hand sql", "<= 0.40"),
        Row("begin, file store, to `hand`", "begin ours file", "begin hand file", "<= 1.00"),
        Row("`hand` begin, memory, to `bare`", "begin hand memory", "bare"),
    ),
    "finish": (
        Row("finish with login, memory and SQLite, to `hand`", "finish ours memory sqlite login", HAND, "<= 1.30"),
        Row("finish with login, Redis and SQLite, to `hand`", "finish ours redis sqlite login", HAND_REDIS, "<= 1.20"),
        Row("finish with login, Redis and PostgreSQL, to the same", "finish ours redis postgresql login", HAND_REDIS),
        Row("finish, all in memory, to `prims`", "finish ours memory memory", "prims"),
        Row("finish, SQLite credentials, no login, to `prims`", "finish ours memory sqlite", "prims"),
        Row("finish, SQLite credentials, with login, to `prims`", "finish ours memory sqlite login", "prims"),
        Row("`hand` finish, no login, to `prims`", "finish hand memory", "prims"),
        Row("`hand` finish, with login, to `prims`", HAND, "prims"),
    ),
    "beside": (
        *_beside("Flask-Security", "security", begin=">= 3.0", finish=">= 3.0"),
        Row(
            "finish, Redis and PostgreSQL: times faster than Flask-Security",
            "finish ours redis postgresql login",
            "finish security redis",
            ">= 2.2",
            True,
        ),
        *_beside("django-otp-webauthn", "django-otp-webauthn", finish=">= 4.5"),
        *_beside("django-allauth", "django-allauth", finish=">= 11"),
    ),
    "pending": tuple(
        Row(
            f"begin, {store}: 100,000 pending to 10",
            f"begin ours {store}, 100000 pending",
            f"begin ours {store}, 10 pending",
            "<= 1.10",
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

#: The environments of other libraries, by what the names of their subjects have in them.
ENVIRONMENTS = ("security", "django")


def rows_of(group: str, pythons: Mapping[str, str]) -> list[Row]:
    """Return the rows of a group without those that need a Python that is not given.

    :param pythons: interpreters by :data:`ENVIRONMENTS`.
    """
    return [row for row in GROUPS[group] if _environment_of(row.reference) in (None, *pythons)]


def _environment_of(subject: str) -> str | None:
    return next((name for name in ENVIRONMENTS if name in subject), None)


def measure(rows: Sequence[Row], *, rounds: int, count: int, pythons: Mapping[str, str]) -> list[str]:
    """Measure rows together and return the lines of their table.

    :param rounds: how often each subject has its turn.
    :param count: number of jobs in a turn.
    :param pythons: interpreters by :data:`ENVIRONMENTS`; all that the rows need.
    """
    names = dict.fromkeys(name for row in rows for name in (row.reference, row.subject))
    workers = [Worker(name, python=pythons.get(_environment_of(name) or "")) for name in names]
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


def _line(row: Row, ours: Sequence[float], reference: Sequence[float]) -> str:
    ratio = spread(ratios(reference, ours) if row.faster else ratios(ours, reference))
    quickest = min(reference) / min(ours) if row.faster else min(ours) / min(reference)
    figures = [_three(spread([second * 1e6 for second in seconds]), 0) for seconds in (ours, reference)]
    return f"| {row.label} | {' | '.join(figures)} | {_three(ratio, 2)} | {quickest:.2f} | {row.target} |"


def _three(figures: tuple[float, float, float], digits: int) -> str:
    middle, low, high = (f"{figure:.{digits}f}" for figure in figures)
    return f"**{middle}** ({low}–{high})"
