"""The pages of proof name the tests that say of themselves, by a marker, what they prove."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_docs import ROOT
from test_site import DOCS, loaded

make = loaded(DOCS / "make_proof.py")
TEXTS = {page: (ROOT / path).read_text("utf-8") for page, path in make.PAGES.items()}
#: Pages whose every table is of rows with tests, and what stands in the place of tests where nothing is to be done.
COMPLETE = ("threats", "browser", "rules")
NOTHING_TO_DO = "–"
#: A table of other things on one of them, and rows of what the app does.
OTHER_HEADS = ("answer to the finish", "version")
OF_THE_APP = ("The session's content stays on the server",)


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of every row below a table's head, but of tables of other things."""
    tables = re.findall(r"^(\|.*\|)\n\|[-|]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    kept = [body for head, body in tables if cells(head)[0] not in OTHER_HEADS]
    return [cells(line) for body in kept for line in body.splitlines()]


def cells(line: str) -> list[str]:
    """Return the cells of a line of a table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("page", make.PAGES)
def test_pages_are_made_of_the_markers(page: str) -> None:
    """A page names the tests that say that they prove its rows, and no others."""
    assert make.made(page) == TEXTS[page], "run python docs/make_proof.py"
    by_hand = re.findall(r"test_\w+\.py", make.SLOT.sub("", TEXTS[page]))
    assert not by_hand, "give the test its marker, and the page the row's comment"


def test_every_marker_names_a_row() -> None:
    """What a test says that it proves is a row of a page."""
    rows = {row for page in make.PAGES for row in make.rows(page)}
    assert not {row: names for row, names in make.tests().items() if row not in rows}


def test_every_row_has_a_test() -> None:
    """No row of a page is left without a test, and none is there twice."""
    rows = [row for page in make.PAGES for row in make.rows(page)]
    assert len(rows) > 200
    assert sorted(set(rows)) == sorted(rows)
    assert not [row for row in rows if not make.tests().get(row)]


@pytest.mark.parametrize("page", COMPLETE)
def test_every_line_of_a_table_is_a_row(page: str) -> None:
    """No attack, point or rule stands in a table without the place for its tests, unless nothing is to be done."""
    found = [row for row in table_rows(TEXTS[page]) if row[0] not in OF_THE_APP]
    assert len(found) > 20
    assert not [row[:2] for row in found if row[-1] != NOTHING_TO_DO and not make.SLOT.search(row[-1])]


def test_every_kind_of_failure_has_its_row() -> None:
    """Nothing that was found in real apps is left out: kinds A to X, each once."""
    assert "".join(re.findall(r"^\| ([A-Z]) \|", TEXTS["frictions"], re.MULTILINE)) == "ABCDEFGHIJKLMNOPQRSTUVWX"


MARKED = """
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.proves("rules:a")]


@pytest.mark.proves("rules:b")
class TestIt:
    @pytest.mark.parametrize("x", [1])
    @pytest.mark.proves("rules:c", "rules:d")
    def test_in_it(self): ...


@pytest.mark.proves("rules:e")
def test_alone(): ...
"""


def test_markers_of_files_classes_and_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A marker counts on a file, also beside others, on a class, on a test in it, and on a test."""
    (tmp_path / "test_it.py").write_text(MARKED, "utf-8")
    monkeypatch.setattr(make, "TESTS", tmp_path)
    inner, alone = "test_it.py::TestIt", "test_it.py::test_alone"
    assert [*make.markers()] == [
        ("test_it.py", "rules:a"),
        (inner, "rules:b"),
        (f"{inner}::test_in_it", "rules:c"),
        (f"{inner}::test_in_it", "rules:d"),
        (alone, "rules:e"),
    ]
