"""Write docs/tutorials/examples.md: what five small apps had to write for passkeys, as diffs.

The apps are in the folder ``examples``. Run it as ``python docs/make_examples.py``; a test compares.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PAGE = ROOT / "docs" / "tutorials" / "examples.md"
TESTS = "test_app.py"

#: Every example, in the order of the page, with an estimate of the minutes it takes.
MINUTES = {"sqlite3": 10, "login": 10, "factory": 15, "security": 15, "spa": 30}

INTRODUCTION = """\
# Into an app that exists

Small apps as people have them, each before and after it got passkeys. All keep their passwords. After a sign-in with
one a passkey is offered, the name field suggests passkeys, a page lists them, whoever lost theirs confirms with the
password, and the deletion of an account takes them along. Four apps have the [ready pages](../howto/pages.md), in their
own base template; the last one has pages of its own, in JavaScript.

This page is made from the folder [examples](../../examples) by `python docs/make_examples.py`. Each app has tests.
Those of *before* pass in *after*, too, which has more, with a virtual authenticator; and each *after* is used in
Chromium.
Try one: `cd examples/sqlite3/after && flask run`, and open http://localhost:5000.

"""
AFTER_TABLE = """
The lines are counted: all that are new or changed, also empty ones. The minutes are an estimate by those who wrote
them, for somebody who knows the app and has read the README and the page about ready pages. Nobody was timed.

"""


def changes(name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield every file that differs between before and after, with the lines of its diff."""
    before, after = EXAMPLES / name / "before", EXAMPLES / name / "after"
    for path in sorted({file.relative_to(side) for side in (before, after) for file in files(side)}):
        lines = list(
            difflib.unified_diff(
                text(before / path), text(after / path), f"before/{path.as_posix()}", f"after/{path.as_posix()}", n=2
            )
        )
        if lines:
            yield path.as_posix(), lines


def files(folder: Path) -> list[Path]:
    """Return the files of an app, without what running it leaves behind."""
    left = {"__pycache__", "instance", ".pytest_cache"}
    return [file for file in folder.rglob("*") if file.is_file() and not left & set(file.relative_to(folder).parts)]


def text(path: Path) -> list[str]:
    """Return the lines of a file; none where there is none."""
    return path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []


def added(lines: list[str]) -> int:
    """Count the new and changed lines of a diff, without its heading."""
    return sum(line.startswith("+") for line in lines[2:])


def row(name: str) -> str:
    """Return an example's row of the table."""
    heading = text(EXAMPLES / name / "README.md")[0].removeprefix("## ").strip()
    anchor = "".join(char for char in heading.lower().replace(" ", "-") if char.isalnum() or char == "-")
    counts = {path: added(lines) for path, lines in changes(name)}
    tests = counts.pop(TESTS, 0)
    python = sum(count for path, count in counts.items() if path.endswith(".py"))
    pages = sum(counts.values()) - python
    return f"| [{heading}](#{anchor}) | {python} | {pages} | {tests} | {MINUTES[name]} |\n"


def section(name: str) -> str:
    """Return what is said of an example, and its diff without the tests."""
    diff = "".join("".join(lines) for path, lines in changes(name) if path != TESTS)
    readme = "".join(text(EXAMPLES / name / "README.md"))
    sides = " · ".join(f"[{side}](../../examples/{name}/{side})" for side in ("before", "after"))
    return f"{readme}\n{sides}\n\n```diff\n{diff}```\n"


def page() -> str:
    """Return the page."""
    table = "| app | lines of Python | lines of pages | lines of tests | minutes |\n|---|---|---|---|---|\n"
    table += "".join(map(row, MINUTES))
    return INTRODUCTION + table + AFTER_TABLE + "\n".join(map(section, MINUTES))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
