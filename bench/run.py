"""Measure and print tables in Markdown: ``nox -s bench``, or ``python bench/run.py [OPTION...] [PART...]``.

Parts are ``begin finish beside pending passkeys kept memory http cold network threads
instructions``; by default all of them.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))

import cold  # noqa: E402
import instructions  # noqa: E402
import keep  # noqa: E402
import network  # noqa: E402
import over_http  # noqa: E402
import places  # noqa: E402
import services  # noqa: E402
import table  # noqa: E402
import threads  # noqa: E402

#: Parts that do not compare subjects: each returns the lines of its table.
OTHERS: dict[str, Callable[[], list[str]]] = {
    "kept": keep.sizes,
    "memory": keep.memory,
    "http": lambda: over_http.rows(services.free_port()),
    "cold": cold.rows,
    "network": network.rows,
    "threads": threads.rows,
    "instructions": instructions.rows,
}


def main() -> None:
    """Run the wanted parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=[*table.GROUPS, *OTHERS])
    parser.add_argument("--security", help="Python of an environment with Flask-Security; without it, it is left out")
    parser.add_argument("--django", help="the same with Django, django-otp-webauthn and django-allauth")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--count", type=int, default=50)
    wanted = parser.parse_args()
    pythons = {name: python for name in table.ENVIRONMENTS if (python := getattr(wanted, name))}
    with places.ready():
        for part in wanted.parts:
            if part in OTHERS or table.rows_of(part, pythons):
                show(part, pythons, rounds=wanted.rounds, count=wanted.count)


def show(part: str, pythons: Mapping[str, str], *, rounds: int, count: int) -> None:
    """Measure one part and print its table, with the machine's load before and after."""
    start, before = datetime.now(UTC), os.getloadavg()[0]
    if part in table.GROUPS:
        lines = table.measure(table.rows_of(part, pythons), rounds=rounds, count=count, pythons=pythons)
    else:
        lines = OTHERS[part]()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, CPython {platform.python_version()}"
    load = f"load {before:.1f} before and {os.getloadavg()[0]:.1f} after"
    print(f"### {part}", f"{start:%Y-%m-%d %H:%M} UTC, {machine}, {load}", "\n".join(lines), sep="\n\n", end="\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
