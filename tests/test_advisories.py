"""Warnings of libraries with known holes."""

from __future__ import annotations

import configparser
import importlib.metadata
import re
from pathlib import Path

import pytest

from flask_passkey.advisories import ADVISORIES, holes, installed_versions

SETUP = Path(__file__).parent.parent / "setup.cfg"


@pytest.mark.parametrize(
    ("package", "version", "ids", "enough"),
    [
        ("flask", "3.1.0", ["CVE-2025-47278", "CVE-2026-27205"], "3.1.3"),
        ("flask", "3.1.2", ["CVE-2026-27205"], "3.1.3"),
        ("flask", "3.1", ["CVE-2025-47278", "CVE-2026-27205"], "3.1.3"),
        ("werkzeug", "3.1.5", ["CVE-2026-27199", "CVE-2026-102598"], "3.1.9"),
        ("marshmallow", "3.26.1", ["CVE-2025-68480"], "3.26.2"),
        ("marshmallow", "4.0.0", ["CVE-2025-68480"], "4.1.2"),
        ("marshmallow", "4.1.1.post1", ["CVE-2025-68480"], "4.1.2"),
        ("cryptography", "49.0.0", ["CVE-2026-69247"], "50.0.0"),
    ],
)
def test_a_hole_is_told_with_its_remedy(package: str, version: str, ids: list[str], enough: str) -> None:
    """Every hole of a release is named once, and the line to run is for the same major version."""
    (hole,) = holes({package: version})
    assert hole.package == package and hole.told.startswith(f"{package} {version} has known holes (")
    assert re.findall(r"CVE-\d+-\d+", hole.told) == ids
    assert hole.command == f"pip install '{package}>={enough}'"


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("flask", "3.1.3"),
        ("flask", "3.1.10"),
        ("flask", "4.0"),
        ("werkzeug", "3.1.9"),
        ("marshmallow", "3.26.2"),
        ("marshmallow", "3.27"),
        ("marshmallow", "4.1.2"),
        ("marshmallow", "5.0.0a1"),
        ("cryptography", "50.0.2"),
        ("flask", "unknown"),
        ("flask", ""),
        ("something-else", "0.1"),
    ],
)
def test_what_has_no_hole_is_not_told(package: str, version: str) -> None:
    """A mended release, a later one, and what is no version are passed over; 3.1.10 comes after 3.1.3."""
    assert holes({package: version}) == []


def test_each_library_has_one_sentence() -> None:
    """Several libraries with holes are told one after the other."""
    found = holes({"flask": "3.1.0", "werkzeug": "3.1.0", "click": "8.1.3", "marshmallow": "4.4.0"})
    assert [hole.package for hole in found] == ["flask", "werkzeug"]


def test_what_is_installed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The versions are those of the installed libraries; one that is not installed is left out."""
    assert installed_versions() == {name: importlib.metadata.version(name) for name in installed_versions()}
    assert {"flask", "werkzeug", "marshmallow", "cryptography"} <= installed_versions().keys()

    def version(name: str) -> str:
        if name == "flask":
            return "3.1.0"
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert installed_versions() == {"flask": "3.1.0"}


def test_only_requirements_are_told_of() -> None:
    """Each library of the table is one that the package requires."""
    setup = configparser.ConfigParser()
    setup.read(SETUP)
    required = set(re.findall(r"^([\w-]+) >=", setup["options"]["install_requires"], re.MULTILINE))
    assert {advisory.package for advisory in ADVISORIES} <= required
