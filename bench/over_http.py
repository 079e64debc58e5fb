"""The start of a sign-in over HTTP: gunicorn with one worker of four threads, wrk with eight connections."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
SECONDS, ROUNDS = 3, 5
#: The expression that makes each app.
APPS = {
    "bare": "hand:bare()",
    "hand, Redis": "hand:careful('redis')",
    "ours, Redis": "ours:app('redis', credentials='sqlite')",
}
HEAD = (
    "| app | requests a second | half within, ms | 99 % within, ms | times the work of `bare` |",
    "|---|---|---|---|---|",
)
LINE = 'wrk.method = "PUT"\nwrk.headers["Origin"] = "http://localhost"\n'


def rows(port: int) -> list[str]:
    """Return the table of starting sign-ins.

    :param port: the first of as many free ports as there are apps.
    """
    script = Path(os.environ["BENCH_FOLDER"]) / "begin.lua"
    script.write_text(LINE)
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in APPS}
    with _all_servers(port) as urls:
        for _ in range(ROUNDS):
            for name, url in urls.items():
                found[name].append(_ask(url, script))
    bare = median(rate for rate, _, _ in found["bare"])
    return [*HEAD, *(_line(name, results, bare) for name, results in found.items())]


def _line(name: str, results: list[tuple[float, ...]], bare: float) -> str:
    rate, half, most = (median(column) for column in zip(*results, strict=True))
    return f"| {name} | {rate:.0f} | {half:.1f} | {most:.1f} | {bare / rate:.2f} |"


@contextmanager
def _all_servers(port: int) -> Iterator[dict[str, str]]:
    """Run a server for each app; all but the one being measured are idle."""
    options = ["--workers", "1", "--threads", "4", "--worker-tmp-dir", "/dev/shm", "--log-level", "error"]
    command = [sys.executable, "-m", "gunicorn", *options, "--chdir", str(HERE)]
    urls = {name: f"http://127.0.0.1:{port + number}/session/authn" for number, name in enumerate(APPS)}
    servers = [subprocess.Popen([*command, "--bind", urls[name].split("/")[2], app]) for name, app in APPS.items()]
    try:
        for url in urls.values():
            _wait(url)
        yield urls
    finally:
        for server in servers:
            server.terminate()
            server.wait(30)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=5) as answer:
                assert json.load(answer)["code"] == 0
                return
        except OSError:
            assert time.monotonic() < deadline, url
            time.sleep(0.1)


def _ask(url: str, script: Path) -> tuple[float, ...]:
    """Return requests a second, and the milliseconds within which half and 99 % of them were answered."""
    wrk = shutil.which("wrk")
    assert wrk, "wrk is not installed"
    command = [wrk, "-t1", "-c8", f"-d{SECONDS}s", "--latency", "-s", str(script), url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in text, text
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0])
    return rate, *(_milliseconds(re.findall(rf"{part}%\s+([\d.]+\w+)", text)[0]) for part in (50, 99))


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
