"""Measure subjects in turns, round by round, so that other work on the machine slows them all alike."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

HERE = Path(__file__).parent


class Worker:
    """A subject in its process.

    :param name: the subject's, as in ``SUBJECTS``.
    :param python: the interpreter of another environment, if the subject needs one.
    :param root: another clone of the project, to measure its code and subjects.
    """

    def __init__(self, name: str, *, python: str | None = None, root: Path | None = None) -> None:
        self.name = name if root is None else f"{name} of {root}"
        command = [python or sys.executable, str((root / "bench" if root else HERE) / "worker.py"), name]
        environment = os.environ | ({"PYTHONPATH": str(root)} if root else {})
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._line() == "ready"

    def time(self, count: int) -> float:
        """Return the mean seconds of a job, over ``count`` jobs."""
        assert self._process.stdin
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline().strip()
        assert line, f"{self.name} has ended"
        return line


def times(workers: Sequence[Worker], *, rounds: int, count: int) -> dict[str, list[float]]:
    """Return the seconds of a job in each round, by subject. The first round is to warm up and does not count.

    :param count: number of jobs in a round.
    """
    found: dict[str, list[float]] = {worker.name: [] for worker in workers}
    order = list(workers)
    for turn in range(rounds + 1):
        random.shuffle(order)
        for worker in order:
            seconds = worker.time(count)
            if turn:
                found[worker.name].append(seconds)
    return found


def ratios(subject: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Return the ratio of each round."""
    return [measured / compared for measured, compared in zip(subject, reference, strict=True)]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the median, the lower and the upper quartile."""
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return middle, low, high
