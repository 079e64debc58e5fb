"""docs/proof/frictions.md names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "proof" / "frictions.md").read_text("utf-8")
NAMED = re.findall(r"`((?:browser/)?test_\w+\.py)(?:::(test_\w+))?`", PAGE)


def test_tests_that_are_named_exist() -> None:
    """Every file is there, and has the test that is named in it."""
    assert len(NAMED) > 20
    assert not [file for file, _ in NAMED if not (TESTS / file).exists()]
    assert not [name for file, name in NAMED if f"def {name}" not in (TESTS / file).read_text("utf-8")]


def test_every_kind_has_its_row() -> None:
    """Nothing that was found is left out: kinds A to X, each once."""
    assert "".join(re.findall(r"^\| ([A-Z]) \|", PAGE, re.MULTILINE)) == "ABCDEFGHIJKLMNOPQRSTUVWX"
