"""The documents beside the README: their links and pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())
#: Of all pictures together.
MOST_BYTES = 300_000
#: What is said of a picture to those who do not see it, and where it is.
PICTURE = re.compile(r"!\[(.*?)\]\((.+?)\)")
SHORTEST_DESCRIPTION = 20  # characters


def shown(document: Path) -> dict[Path, str]:
    """Return the pictures in a document, and what is said of each."""
    found = PICTURE.findall(document.read_text("utf-8"))
    return {(document.parent / target).resolve(): description for description, target in found}


def test_pictures_are_small() -> None:
    """All pictures together are worth their bytes: everybody who clones the repository gets them."""
    assert sum(path.stat().st_size for path in PICTURES) <= MOST_BYTES


def test_every_picture_is_shown() -> None:
    """No picture is left over, and the README shows two or three of them."""
    assert {path for document in DOCUMENTS for path in shown(document)} == set(PICTURES)
    assert 2 <= len(shown(ROOT / "README.md")) <= 3


def test_pictures_are_described() -> None:
    """Every picture is described for those who do not see it."""
    descriptions = {text for document in DOCUMENTS for text in shown(document).values()}
    assert not [text for text in descriptions if len(text) < SHORTEST_DESCRIPTION]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every link to a file of the repository leads to one."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text("utf-8"))
    assert not [target for target in targets if not (document.parent / target).exists()]
