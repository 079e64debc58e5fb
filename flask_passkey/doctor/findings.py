"""What the doctor finds: one sentence each, and the line to write."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..logs import one_line

#: Gravest first.
SEVERITIES = ("error", "warning", "note")
#: Where an error's text begins to say what to write.
_REMEDY = re.compile(r"\b(Write|write|Run) ")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with an app."""

    #: ``area.what``; it stays the same from release to release.
    id: str
    #: ``error``: something does not work, or will be lost; ``warning``: something is not as safe or as sure as it can
    #: be; ``note``: something to know.
    severity: str
    #: One sentence. It has no password, no key and no name or id of a user in it.
    message: str
    #: The line to write, or the command to run.
    fix: str

    @property
    def area(self) -> str:
        """Return what the finding is about."""
        return self.id.partition(".")[0]


def error(id_: str, message: str, fix: str) -> Finding:
    """Return a finding that fails the check."""
    return Finding(id_, "error", message, fix)


def warning(id_: str, message: str, fix: str) -> Finding:
    """Return a finding that fails a strict check."""
    return Finding(id_, "warning", message, fix)


def note(id_: str, message: str, fix: str) -> Finding:
    """Return a finding that fails no check."""
    return Finding(id_, "note", message, fix)


def from_error(id_: str, problem: Exception) -> Finding:
    """Return what an error of start-up tells, which ends with what to write."""
    text = str(problem)
    found = _REMEDY.search(text)
    at = found.start() if found else len(text)
    return error(id_, one_line(text[:at].rstrip(" ,:;(")), text[at:] or "See above.")
