"""A cold start: the time and memory of importing the package, beside what an app imports anyway."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median

from interleave import spread

#: What is imported, each in a new interpreter.
IMPORTS = {
    "flask + flask_session + webauthn + marshmallow": "import flask, flask_session, webauthn, marshmallow",
    "`import flask_passkey`": "import flask_passkey",
    "`from flask_passkey import SQLCredentialRepository`": "from flask_passkey import SQLCredentialRepository",
}
TARGET = "<= 1.15"
_CODE = """
import time
start = time.process_time()
{}
print(time.process_time() - start)
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) for line in status if line.startswith("VmRSS")))
"""


def measure(code: str) -> tuple[float, float]:
    """Return processor time in seconds and resident memory in MB after some code, in a new interpreter."""
    command = [sys.executable, "-c", _CODE.format(code)]
    # With compiled modules, as an installed package has them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    seconds, kilobytes = answer.split()
    return float(seconds), int(kilobytes) / 1024


def rows(rounds: int = 15) -> list[str]:
    """Measure all in turns, and return the lines of a table."""
    seen = [[measure(code) for code in IMPORTS.values()] for _ in range(rounds + 1)][1:]  # the first one compiles
    lines = ["| import | time, ms | to the first | memory, MB | to the first | target |", "|---|---|---|---|---|---|"]
    for place, name in enumerate(IMPORTS):
        times, sizes = zip(*(turn[place] for turn in seen), strict=True)
        middle, low, high = spread([turn[place][0] / turn[0][0] for turn in seen])
        memory = median(sizes) / median(turn[0][1] for turn in seen)
        cells = [f"{median(times) * 1e3:.0f}", f"{middle:.2f} ({low:.2f}–{high:.2f})", f"{median(sizes):.1f}"]
        lines.append(f"| {' | '.join([name, *cells, f'{memory:.2f}', TARGET if place == 1 else ''])} |")
    return lines
