"""How many instructions a job takes: the same on a busy machine as on a quiet one, but no time.

``nox -s bench -- instructions``; it needs valgrind. Run as a script with the name of a subject, this is what valgrind
watches.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys

import table

COUNT = 100


def rows() -> list[str]:
    """Return the lines of the table."""
    wanted = [row for group in ("begin", "finish") for row in table.GROUPS[group]]
    found = {name: instructions(name) for name in dict.fromkeys(name for row in wanted for name in _names(row))}
    head = ["| work | ours, thousands | reference, thousands | ratio |", "|---|---|---|---|"]
    return [*head, *(_line(row.label, *(found[name] for name in _names(row))) for row in wanted)]


def _names(row: table.Row) -> tuple[str, str]:
    return row.subject, row.reference


def _line(label: str, ours: float, reference: float) -> str:
    return f"| {label} | {ours / 1000:.0f} | {reference / 1000:.0f} | **{ours / reference:.2f}** |"


def instructions(subject: str) -> float:
    """Return the instructions of a job, in the process itself: servers and the system's kernel are left out."""
    tool = ("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={os.devnull}")
    # The order of a set depends on the seed, and with it the work.
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    watched = subprocess.run(
        [*tool, sys.executable, __file__, subject], check=True, capture_output=True, text=True, env=environment
    )
    counted = re.search(r"Collected : (\d+)", watched.stderr)
    assert counted, watched.stderr
    return int(counted[1]) / COUNT


def main(name: str) -> None:
    """Do the jobs, and have valgrind count only that."""
    import subjects  # here, as the process that makes the table needs none of the libraries

    subject = subjects.SUBJECTS[name]()
    subject.run(subject.make(COUNT))
    jobs = subject.make(COUNT)
    gc.collect()
    gc.freeze()
    gc.disable()  # where it runs depends on what was there before
    _count("on")
    subject.run(jobs)
    _count("off")
    subject.check()


def _count(switch: str) -> None:
    subprocess.run(["callgrind_control", "-i", switch, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1])
