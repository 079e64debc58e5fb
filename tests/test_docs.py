"""The documents beside the README: their links and pictures."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from flask_passkey import PasskeyConfig

ROOT = Path(__file__).parent.parent
#: Variables of the tests, and an argument of commands, that begin like settings.
NO_SETTINGS = {"TEST_PICTURES", "TEST_REQUIRE_SERVICES", "TEST_VECTORS", "ID"}
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Beside these: the site shows the first two.
OTHERS = [ROOT / "CHANGES.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"]
PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())
#: Of all pictures together.
MOST_BYTES = 300_000
#: What is said of a picture to those who do not see it, and where it is; in the README on GitHub.
PICTURE = re.compile(r"!\[(.*?)\]\((?:https://raw\.githubusercontent\.com/flask-passkey/flask-passkey/main/)?(.+?)\)")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
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


def anchors(document: Path) -> set[str]:
    """Return what links can lead to in a page: its headings, as GitHub and MyST name them."""
    text = FENCE.sub("", document.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(folder: Path, link: str) -> bool:
    """Tell whether a relative link leads to a file and, where it names one, to a heading in it."""
    path, _, anchor = link.partition("#")
    target = folder / path
    return target.exists() and (not anchor or target.suffix != ".md" or anchor in anchors(target))


@pytest.mark.parametrize("document", [*DOCUMENTS, *OTHERS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    """Every link to a file of the repository leads to one, and every link to a heading, too."""
    targets = LINK.findall(FENCE.sub("", document.read_text("utf-8")))
    inside = [f"{document.name}{target}" if target.startswith("#") else target for target in targets]
    assert not [target for target in inside if not leads_somewhere(document.parent, target)]


def test_names_settings_that_exist() -> None:
    """Every setting that is mentioned anywhere exists."""
    known = {field.name.upper() for field in fields(PasskeyConfig)} | NO_SETTINGS
    texts = (document.read_text("utf-8") for document in DOCUMENTS)
    assert {name for text in texts for name in re.findall(r"\bPASSKEY_([A-Z_]+)\b", text)} <= known
