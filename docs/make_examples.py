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

#: Every example, in the order of the page, with what to run after the edits.
COMMANDS = {
    "sqlite3": ("flask run",),
    "login": ("flask db migrate", "flask db upgrade", "flask run"),
    "factory": ("flask run",),
    "security": ("flask run",),
    "spa": ("flask run", "python -m http.server 3000 -d web"),
}
#: What to read first: the guide to the ready pages, or that to pages of another origin.
GUIDES = dict.fromkeys(COMMANDS, "pages") | {"spa": "single-page"}
#: What somebody does in a minute: words they read, characters they type.
WORDS, CHARACTERS = 240, 200
#: Minutes to find the place in a file, and to run a command.
FILE, COMMAND = 0.5, 0.25

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

For an app of your own, [install Flask-Passkey](../start/installation.md), read [ready pages](../howto/pages.md), or
[single-page apps](../howto/single-page.md) for the last one, and do what the diff does. A test goes that way with
each: it makes the edits of this page in *before*, runs the commands that follow them, adds a passkey with a virtual
authenticator and signs in with it; and `flask passkey check` finds nothing.

"""
AFTER_TABLE = """
The lines are counted: all that are new or changed, also empty ones. An edit is one place in a file.

The minutes are computed, and nobody was timed: {words} words a minute for the guide and the text below, {characters}
characters a minute for what is typed, tests left out, {file} minutes for each file and {command} for each command. So
long it takes whoever knows the app and makes no mistake. What it takes to think of an app that is not like one of
these is not in it.

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


def edits(name: str) -> tuple[int, int]:
    """Count the edits of an example, without its tests, and the files that they are in."""
    diffs = [lines for path, lines in changes(name) if path != TESTS]
    return sum(line.startswith("@@") for lines in diffs for line in lines), len(diffs)


def minutes(name: str) -> int:
    """Compute how long an example takes somebody who makes no mistake."""
    texts = (EXAMPLES / name / "README.md", ROOT / "docs" / "howto" / f"{GUIDES[name]}.md")
    words = sum(len(line.split()) for path in texts for line in text(path))
    diffs = [lines[2:] for path, lines in changes(name) if path != TESTS]
    typed = sum(len(line[1:].strip()) for lines in diffs for line in lines if line.startswith("+"))
    ways = edits(name)[1] * FILE + (1 + len(COMMANDS[name])) * COMMAND
    return round(words / WORDS + typed / CHARACTERS + ways)


def row(name: str) -> str:
    """Return an example's row of the table."""
    heading = text(EXAMPLES / name / "README.md")[0].removeprefix("## ").strip()
    anchor = "".join(char for char in heading.lower().replace(" ", "-") if char.isalnum() or char == "-")
    counts = {path: added(lines) for path, lines in changes(name)}
    tests = counts.pop(TESTS, 0)
    python = sum(count for path, count in counts.items() if path.endswith(".py"))
    pages = sum(counts.values()) - python
    places, in_files = edits(name)
    cells = (f"[{heading}](#{anchor})", python, pages, tests, f"{places} in {in_files} files", minutes(name))
    return f"| {' | '.join(map(str, cells))} |\n"


def section(name: str) -> str:
    """Return what is said of an example, and its diff without the tests."""
    diff = "".join("".join(lines) for path, lines in changes(name) if path != TESTS)
    readme = "".join(text(EXAMPLES / name / "README.md"))
    sides = " · ".join(f"[{side}](../../examples/{name}/{side})" for side in ("before", "after"))
    commands = " · ".join(f"`{command}`" for command in COMMANDS[name])
    return f"{readme}\n{sides}\n\n```diff\n{diff}```\n\nThen: {commands}\n"


def page() -> str:
    """Return the page."""
    table = "| app | lines of Python | lines of pages | lines of tests | edits | minutes |\n|---|---|---|---|---|---|\n"
    table += "".join(map(row, COMMANDS))
    rule = AFTER_TABLE.format(words=WORDS, characters=CHARACTERS, file=FILE, command=COMMAND)
    return INTRODUCTION + table + rule + "\n".join(map(section, COMMANDS))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
