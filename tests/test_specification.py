"""The document that says who does each step of the specification names only what is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "proof" / "specification.md").read_text("utf-8")
BROWSER = (ROOT / "docs" / "proof" / "browser.md").read_text("utf-8")
#: Points for pages, and rules for the module.
POINTS, RULES = 46, 13
#: Number of steps in each section of the specification.
STEPS = {"7.1": 29, "7.2": 25}


def rows(section: str) -> list[tuple[int, str, str]]:
    """Return a section's steps: number, who does it, and the tests."""
    text = re.split(rf"^## .*\({section}\)$", DOCUMENT, flags=re.MULTILINE)[1].split("\n## ")[0]
    found = re.findall(r"^\| (\d+) \| .+? \| (.+) \| (.+) \|$", text, re.MULTILINE)
    return [(int(number), who, tests) for number, who, tests in found]


def defined(path: Path) -> Iterator[str]:
    """Yield the names of functions and classes in a file, those of methods as ``Class.method`` and alone."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef))


@pytest.mark.parametrize("section", STEPS)
def test_every_step_is_there(section: str) -> None:
    """Each step of the section has one row, in the section's order, with at least one test."""
    steps = rows(section)
    assert [number for number, _, _ in steps] == list(range(1, STEPS[section] + 1))
    assert all("::test_" in tests for _, _, tests in steps)


def test_every_point_of_the_browser_is_there() -> None:
    """Each point for pages and each rule for the module has one row, in order: how far it holds, with a test."""
    found = re.findall(r"^\| (\d+) \| .+? \| (?:yes|left out: .+?)[^|]* \| (.+) \|$", BROWSER, re.MULTILINE)
    assert [int(number) for number, _ in found] == [*range(1, POINTS + 1), *range(1, RULES + 1)]
    assert all("::test_" in tests for _, tests in found)


def test_every_named_place_exists() -> None:
    """Every function that the document names is where the document says it is."""
    named = set(re.findall(r"`([\w/]+\.py)` `([\w.]+)`", DOCUMENT))
    assert len(named) > 10
    assert not {place for place in named if place[1] not in defined(ROOT / "flask_passkey" / place[0])}
