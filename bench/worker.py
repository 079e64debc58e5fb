"""One subject in a process of its own: reads how many jobs to do, answers with the seconds that each took."""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
import warnings
from importlib import import_module

from wsgi import Subject

#: Processor time knows nothing of waiting, so neither of servers; but neither of others on the machine.
clock = time.process_time if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter


def time_of(subject: Subject, count: int) -> float:
    """Return the seconds of one job, as the mean of so many."""
    jobs = subject.make(count)
    gc.collect()
    gc.freeze()  # a server has no jobs lying about for its collector to look through
    start = clock()
    subject.run(jobs)
    seconds = clock() - start
    subject.check()
    return seconds / count


def main(name: str) -> None:
    """Answer until nobody asks."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    subjects = import_module("security" if "security" in name else "subjects").SUBJECTS
    subject: Subject = subjects[name]()
    print("ready", flush=True)
    for line in sys.stdin:
        print(time_of(subject, int(line)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
