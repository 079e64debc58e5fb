"""Room and loss: the bytes of a pending ceremony, how many are lost, a worker's memory after many sign-ins."""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import ours
from flask import Flask
from redis import Redis
from subjects import Finish
from wsgi import Browser

LOST_OF = 2_000
STEPS = (1_000, 25_000, 50_000, 75_000, 100_000)


def sizes() -> list[str]:
    """Return the table of 2,000 ceremonies that are pending at once, in each store."""
    lines = ["| store | bytes a pending ceremony | target | lost of 2,000 | target |", "|---|---|---|---|---|"]
    for store in TARGETS:
        app = ours.app(store)
        before = _bytes(app, store)
        kept = [_begin(app) for _ in range(LOST_OF)]
        each = (_bytes(app, store) - before) / LOST_OF
        lost = sum(_is_lost(app, *one) for one in kept)
        lines.append(f"| {store} | {each:.0f} | {TARGETS[store]} | {lost} | 0 |")
    return lines


TARGETS = {"redis": "<= 300", "sql": "<= 400", "file": ""}


def _begin(app: Flask) -> tuple[Browser, str]:
    browser = Browser(app.wsgi_app)
    return browser, browser.ask("PUT", "/session/authn")["data"]["session_id"]


def _is_lost(app: Flask, browser: Browser, session_id: str) -> bool:
    """Finish with nonsense: the answer is "malformed" if the ceremony is there, "not found" if it is lost."""
    answer = browser.ask("POST", "/session/authn", {"session_id": session_id, "response": 5}, status="4")
    return bool(answer["code"] == 404)


def _bytes(app: Flask, store: str) -> int:
    """Return how many bytes the store says that it holds."""
    if store == "redis":
        return int(Redis.from_url(os.environ["BENCH_REDIS_URL"]).info("memory")["used_memory_dataset"])
    if store == "sql":
        return _bytes_of_table(app)
    cache: Any = app.config["SESSION_CACHELIB"]
    return sum(file.stat().st_size for file in Path(cache._path).rglob("*") if file.is_file())


def _bytes_of_table(app: Flask) -> int:
    """Return the bytes of all columns of all rows."""
    database = app.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///")
    with sqlite3.connect(database) as connection:
        row = connection.execute("SELECT sum(length(session_id) + length(data) + length(expiry) + 8) FROM sessions")
        return int(row.fetchone()[0] or 0)


def memory() -> list[str]:
    """Return the table of this process's resident memory after so many whole sign-ins."""
    subject = Finish(partial(ours.app, "file", credentials="sqlite"))
    lines, done = ["| sign-ins | resident memory, MB |", "|---|---|"], 0
    for step in STEPS:
        while done < step:
            subject.run(subject.make(500))
            done += 500
        subject.check()
        lines.append(f"| {step:,} | {_resident() / 1024:.1f} |")
    return lines


def _resident() -> int:
    """Return this process's resident memory in kilobytes."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
