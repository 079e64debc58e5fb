"""Write into the pages of proof which tests hold each promise: of the markers ``proves`` on the tests.

Run it as ``python docs/make_proof.py``; a test compares. A page has ``<!-- proof: ROW -->`` where the tests of a row
stand, right in front of it; ``@pytest.mark.proves("PAGE:ROW")`` on a test, on a class, or as ``pytestmark`` of a file
puts them there.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
#: The pages, by the name that markers call them.
PAGES = {
    "benchmarks": "docs/proof/benchmarks.md",
    "browser": "docs/proof/browser.md",
    "frictions": "docs/proof/frictions.md",
    "rules": "docs/proof/rules.md",
    "specification": "docs/proof/specification.md",
    "threats": "SECURITY.md",
}
NAME = r"`(?:browser/)?test_\w+\.py(?:::\w+)*`"
SLOT = re.compile(rf"(?:{NAME}(?:, {NAME})* )?<!-- proof: (\S+) -->")


def markers() -> Iterator[tuple[str, str]]:
    """Yield what each marker is on, as pytest names it, and what it proves; those of ``tests/browser`` last."""
    for file in sorted(TESTS.rglob("test_*.py"), key=lambda file: (file.parent != TESTS, file)):
        name, tree = file.relative_to(TESTS).as_posix(), ast.parse(file.read_text("utf-8"))
        yield from ((name, row) for node in tree.body if is_for_all(node) for row in proved(node))
        yield from below(name, tree)


def is_for_all(node: ast.stmt) -> bool:
    """Tell whether a statement gives a whole file its markers."""
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"


def below(name: str, parent: ast.Module | ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield the markers on the tests and classes of a file or class."""
    for node in parent.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from ((f"{name}::{node.name}", row) for mark in node.decorator_list for row in proved(mark))
        if isinstance(node, ast.ClassDef):
            yield from below(f"{name}::{node.name}", node)


def proved(mark: ast.AST) -> Iterator[str]:
    """Yield the arguments of the markers ``proves`` in an expression or statement."""
    for node in ast.walk(mark):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.proves":
            yield from (str(ast.literal_eval(argument)) for argument in node.args)


@cache
def tests() -> dict[str, list[str]]:
    """Return the tests of each row, as ``PAGE:ROW``."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, row in markers():
        found[row].append(name)
    return found


def rows(page: str) -> list[str]:
    """Return the rows of a page, as ``PAGE:ROW``."""
    return [f"{page}:{row}" for row in SLOT.findall((ROOT / PAGES[page]).read_text("utf-8"))]


def made(page: str) -> str:
    """Return a page with the tests of each row in their place."""
    found = tests()

    def filled(slot: re.Match[str]) -> str:
        names = ", ".join(f"`{name}`" for name in found.get(f"{page}:{slot[1]}", ()))
        return f"{names} <!-- proof: {slot[1]} -->".lstrip()

    return SLOT.sub(filled, (ROOT / PAGES[page]).read_text("utf-8"))


if __name__ == "__main__":
    for name, path in PAGES.items():
        (ROOT / path).write_text(made(name), "utf-8")
