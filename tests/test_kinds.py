"""Every case of every kind of ``kinds.py`` comes out right, and the table in the documents has as many."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from kind_attestation import ATTESTATION
from kind_cases import CASES
from kind_trees import Case, Tree
from kinds import KINDS, wrong

ROOT = Path(__file__).parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.proves("specification:kinds")]


@pytest.fixture(scope="module")
def tree() -> Iterator[Tree]:
    """Return this package, in a process for itself."""
    with Tree(ROOT) as running:
        yield running


def cases(kind: int) -> list[Case]:
    """Return the cases of a kind."""
    return [case for case in (*ATTESTATION, *CASES) if case.kind == kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_member_of_a_kind_comes_out_right(tree: Tree, kind: int) -> None:
    """What is to be accepted is, and what is to be refused is."""
    if kind == 9 and not (shutil.which("node") or os.environ.get("PASSKEY_TEST_REQUIRE_SERVICES")):
        pytest.skip("node, which runs passkey.js without a browser, is not installed")
    assert not [f"{case.name}: {outcome}, not {case.right}" for case, outcome in wrong(cases(kind), tree)]


def test_the_table_has_these_kinds() -> None:
    """The documents tell how many cases there are, and that all come out right."""
    text = (ROOT / "docs" / "proof" / "specification.md").read_text("utf-8")
    for kind, title in KINDS.items():
        start, total = f"| {kind} | {title} | {len(cases(kind))} | ", f" | {len(cases(kind))} |"
        (row,) = (line for line in text.splitlines() if line.startswith(f"| {kind} | {title} |"))
        assert row.startswith(start)
        assert row.endswith(total)
