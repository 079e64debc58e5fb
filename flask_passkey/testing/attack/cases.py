"""What an attack is: a function that tries something, and yields a sentence for each thing that it could do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TypeAlias

from .site import Site

#: It gets the app under attack.
Attempt: TypeAlias = Callable[[Site], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Case:
    """One attack."""

    #: ``area.what``.
    id: str
    #: What is tried.
    sentence: str
    #: What to do where it succeeds.
    fix: str
    attempt: Attempt
    #: Is it only to be noted where it succeeds?
    is_note: bool = False


def case(id_: str, fix: str, *, note: bool = False) -> Callable[[Attempt], Case]:
    """Make a case of a function, whose docstring says what is tried."""
    return lambda attempt: Case(id_, attempt.__doc__ or "", fix, attempt, note)


def cases_in(module: ModuleType) -> Iterator[Case]:
    """Yield the cases of a module, in their order."""
    for value in vars(module).values():
        if isinstance(value, Case):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Case))
