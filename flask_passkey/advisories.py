"""Known holes in releases of the libraries that Flask-Passkey runs on, for ``flask passkey check``.

They are warned of, not refused by a floor in setup.cfg: a distribution may have mended one under the old number, and an
app that cannot upgrade today could not have Flask-Passkey either.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Mapping
from dataclasses import dataclass

Version = tuple[int, ...]


@dataclass(frozen=True)
class Advisory:
    """One hole in one library."""

    #: As on PyPI, in small letters.
    package: str
    id: str
    #: The release that mends it, one for each major version that was mended.
    fixed: tuple[Version, ...]
    #: What it lets happen.
    effect: str

    def upgrade_for(self, version: Version) -> Version | None:
        """Return the release that mends an installed one: of its major version, or the next; none if it is whole."""
        fix = min((fix for fix in self.fixed if fix[:1] >= version[:1]), default=version)
        return fix if version < fix else None


ADVISORIES = (
    Advisory("flask", "CVE-2025-47278", ((3, 1, 1),), "sessions are signed with a key of SECRET_KEY_FALLBACKS"),
    Advisory("flask", "CVE-2026-27205", ((3, 1, 3),), "caches may keep answers that depend on a session"),
    Advisory("werkzeug", "CVE-2025-66221", ((3, 1, 4),), "on Windows, static files of a device's name hang"),
    Advisory("werkzeug", "CVE-2026-21860", ((3, 1, 5),), "so do those with an extension"),
    Advisory("werkzeug", "CVE-2026-27199", ((3, 1, 6),), "so do those in a folder"),
    Advisory("werkzeug", "CVE-2026-102598", ((3, 1, 9),), "so do others on Windows"),
    Advisory("marshmallow", "CVE-2025-68480", ((3, 26, 2), (4, 1, 2)), "small bodies can keep load(many=True) busy"),
    Advisory("cryptography", "CVE-2026-69247", ((50, 0, 0),), "PKCS#7 decryption, which is not used here, leaks"),
)


@dataclass(frozen=True)
class Hole:
    """What is known of an installed library."""

    package: str
    #: In one sentence.
    told: str
    #: What mends it.
    command: str


def holes(installed: Mapping[str, str]) -> list[Hole]:
    """Return what is known of each library with holes.

    :param installed: versions by the libraries' names in small letters, as :func:`installed_versions` returns them.
    """
    known = dict.fromkeys(advisory.package for advisory in ADVISORIES)
    found = (_hole(package, installed[package]) for package in known if package in installed)
    return [hole for hole in found if hole]


def installed_versions() -> dict[str, str]:
    """Return the versions of the libraries that advisories are known for, of those that are installed."""
    versions = {}
    for package in {advisory.package for advisory in ADVISORIES}:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _hole(package: str, installed: str) -> Hole | None:
    version = _parsed(installed)
    found = [(advisory, advisory.upgrade_for(version)) for advisory in ADVISORIES if advisory.package == package]
    open_ = [(advisory, fix) for advisory, fix in found if fix]
    if not version or not open_:
        return None
    told = "; ".join(f"{advisory.id}: {advisory.effect}" for advisory, _ in open_)
    enough = ".".join(map(str, max(fix for _, fix in open_)))
    return Hole(package, f"{package} {installed} has known holes ({told}).", f"pip install '{package}>={enough}'")


def _parsed(version: str) -> Version:
    """Return the numbers that a version begins with; none for text that is no version."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in numbers[0].split(".")) if numbers else ()
