"""What came out of the attacks on an app."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


class NotMade(Exception):
    """An attack cannot be made on this app; the text says why, and what to give for it."""


@dataclass(frozen=True, slots=True)
class AttackFinding:
    """One attack that the app did not withstand."""

    #: ``area.what``; it stays the same from release to release.
    id: str
    #: One sentence: what could be done.
    message: str
    #: What to do about it.
    fix: str

    def __str__(self) -> str:
        return f"{self.id}: {self.message} {self.fix}"


@dataclass(slots=True)
class AttackReport:
    """What :func:`~flask_passkey.testing.attack` has found out."""

    #: Attacks that succeeded.
    findings: list[AttackFinding] = field(default_factory=list)
    #: What is not wrong, but could be better.
    notes: list[AttackFinding] = field(default_factory=list)
    #: Ids of the attacks that the app withstood.
    withstood: list[str] = field(default_factory=list)
    #: Ids of the attacks that were not made, and why.
    not_made: dict[str, str] = field(default_factory=dict)
    #: Names of the accounts that were made by sign-up. They have no passkeys any more; to delete them is up to you.
    accounts: list[str] = field(default_factory=list)

    def assert_none_found(self) -> None:
        """Fail a test with all that was found; notes, and attacks that were not made, do not count.

        :raises AssertionError: there are findings.
        """
        if self.findings:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{len(self.findings)} found, {len(self.withstood)} withstood, {len(self.not_made)} not made"
        yield from _section("Found", map(str, self.findings))
        yield from _section("To note", map(str, self.notes))
        yield from _section("Not made", (f"{id_}: {why}" for id_, why in self.not_made.items()))
        yield from _section("Accounts that were made", [", ".join(self.accounts)] if self.accounts else [])


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield f"{title}:"
        yield from (f"  {line}" for line in found)
