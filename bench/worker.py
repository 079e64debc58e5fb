"""One subject in its own process: it reads how many jobs to do, and answers with the mean seconds of a job."""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
import warnings
from importlib import import_module

from wsgi import Subject

#: Processor time leaves out waiting, so also the work of servers, but also other work on the machine.
clock = time.process_time if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter

#: Where the subjects of other libraries are, by a part of their names. Each library has a separate environment.
FILES = {"security": "security", "django-otp-webauthn": "otp_webauthn", "django-allauth": "all_auth"}


def time_of(subject: Subject, count: int) -> float:
    """Return the mean seconds of a job, over ``count`` jobs."""
    jobs = subject.make(count)
    gc.collect()
    gc.freeze()  # the garbage collector of a server has no such jobs to go through
    start = clock()
    subject.run(jobs)
    seconds = clock() - start
    subject.check()
    return seconds / count


def main(name: str) -> None:
    """Answer until the input ends."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    subjects = import_module(next((file for part, file in FILES.items() if part in name), "subjects")).SUBJECTS
    subject: Subject = subjects[name]()
    print("ready", flush=True)
    for line in sys.stdin:
        print(time_of(subject, int(line)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
