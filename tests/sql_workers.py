"""Processes that use one database at the same moment; here, so that a spawned process can import it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from sqlalchemy import create_engine, event

from flask_passkey.contracts import new_record
from flask_passkey.credentials.sql import SQLCredentialRepository

Step = Callable[[SQLCredentialRepository], object]
Script = Sequence[Step]

#: Seconds until somebody who does not come to the meeting point is given up.
PATIENCE = 180
#: Where so many threads meet; the same in all processes.
_meeting_points: Mapping[int, threading.Barrier] = {}


class Racers:
    """Four processes that wait for work."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        meeting_points = {number: spawn.Barrier(number) for number in (2, 4, 16)}
        self._pool = ProcessPoolExecutor(4, mp_context=spawn, initializer=_start, initargs=(meeting_points,))

    def close(self) -> None:
        self._pool.shutdown()

    def race(self, uri: str, scripts: Sequence[Script], *, processes: int = 2) -> list[tuple[object, ...]]:
        """Run equally long scripts in 2, 4 or 16 threads, spread over processes with a repository each.

        :returns: for each step, in which all take part at the same moment, the answers or what was raised.
        """
        shares = [scripts[number::processes] for number in range(processes)]
        answers = self._pool.map(_play_share, [uri] * processes, shares, [len(scripts)] * processes)
        in_order: list[list[object]] = [[] for _ in scripts]
        for number, share in enumerate(answers):
            in_order[number::processes] = share
        return list(zip(*in_order, strict=True))

    def run(self, work: Callable[[str], Any], uri: str) -> Any:
        """Run a function in one of the processes."""
        return self._pool.submit(work, uri).result(PATIENCE)


def _start(meeting_points: Mapping[int, Any]) -> None:
    global _meeting_points
    _meeting_points = meeting_points


def _play_share(uri: str, scripts: Sequence[Script], parties: int) -> list[list[object]]:
    repository = SQLCredentialRepository.from_uri(uri)
    try:
        with ThreadPoolExecutor(len(scripts)) as pool:
            return list(pool.map(lambda script: [_meet(repository, step, parties) for step in script], scripts))
    finally:
        repository.close()


def _meet(repository: SQLCredentialRepository, step: Step, parties: int) -> object:
    _meeting_points[parties].wait(PATIENCE)
    try:
        return step(repository)
    except Exception as exc:
        return exc


def look_then_add(repository: SQLCredentialRepository, number: int) -> None:
    """Read in a transaction before writing in it."""
    with repository.transaction():
        repository.of_user("ada")
        repository.get(b"first")
        repository.add(new_record(b"%d" % number))


def fork_without_python() -> int:
    """Fork as uWSGI does, without Python's hooks."""
    return int(ctypes.PyDLL(None).fork())


def use_before_and_after_fork(uri: str, *, fork: Callable[[], int] = os.fork) -> tuple[str, str]:
    """Use a repository, fork, and use it in both processes; return what the child and the parent say."""
    repository = SQLCredentialRepository.from_uri(uri)
    with repository.transaction() as connection:
        connection.info["opened by"] = os.getpid()  # stays with the connection while that is in the pool
    reader, writer = os.pipe()
    if not (child := fork()):
        os.write(writer, _say(repository).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answers:
        answer = answers.read().decode()
    os.waitpid(child, 0)
    answers_of_both = answer, _say(repository)
    repository.close()
    return answers_of_both


def connections_after_create_tables(uri: str) -> int:
    """Create the tables and return how many connections are left open."""
    engine = create_engine(uri)
    open_now = 0

    def count(change: int) -> None:
        nonlocal open_now
        open_now += change

    event.listen(engine, "connect", lambda *_: count(1))
    event.listen(engine, "close", lambda *_: count(-1))
    event.listen(engine, "close_detached", lambda *_: count(-1))
    SQLCredentialRepository(engine).create_tables()
    engine.dispose(close=False)
    return open_now


def _say(repository: SQLCredentialRepository) -> str:
    with repository.transaction() as connection:
        mine = "my old" if "opened by" in connection.info else "a new"
        return f"{len(repository.of_user('ada'))} credentials on {mine} connection"
