"""What became of the rows of an import."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

#: As many rows are named of each kind.
_NAMED = 10


@dataclass(slots=True)
class Report:
    """What became of every row. It names rows by their number, and neither keys nor people."""

    imported: int = 0
    already_there: int = 0
    #: Of the imported ones, those whose user handle is not known.
    without_handle: int = 0
    #: The numbers of rows that were left out, by the reason.
    left_out: dict[str, list[int]] = field(default_factory=dict)
    #: Why the run ended early, empty if it did not.
    stopped: str = ""

    def lines(self, *, dry_run: bool = False) -> Iterator[str]:
        """Yield the report as text."""
        yield f"{'Would import' if dry_run else 'Imported'}: {self.imported}."
        if self.without_handle:
            yield f"Of those, with a user handle that nobody kept: {self.without_handle}. They sign in all the same."
        yield f"Already there: {self.already_there}."
        for reason, rows in sorted(self.left_out.items()):
            named = ", ".join(map(str, rows[:_NAMED])) + f" and {len(rows) - _NAMED} more" * (len(rows) > _NAMED)
            yield f"Left out, {reason}: {len(rows)} (row {named})."

    def add(self, other: Report) -> None:
        """Add what became of a batch."""
        self.imported += other.imported
        self.already_there += other.already_there
        self.without_handle += other.without_handle
        for reason, rows in other.left_out.items():
            self.left_out.setdefault(reason, []).extend(rows)

    def stop(self, row: int, reason: str, *, first: int) -> None:
        """Note where and why the run ends.

        :param first: the first row of the batch, of which nothing is stored.
        """
        self.stopped = (
            f"Stopped at row {row}: {reason}. Nothing was stored of its batch, which began with row {first}; what is "
            "before that is stored. Run it again when this is mended."
        )

    def leave_out(self, row: int, reason: str) -> None:
        """Note a row that is not taken over."""
        self.left_out.setdefault(reason, []).append(row)
