"""The codes of the envelope: read from the classes in :mod:`flask_passkey.errors`, which are their only source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .. import errors
from ..errors import PARTLY_DONE, MalformedRequest, Refusal
from ..web import schemas


@dataclass(frozen=True, slots=True)
class Code:
    """One code with one status."""

    code: int
    status: int
    #: Name of the class.
    error: str
    #: One sentence for developers: the class's docstring.
    meaning: str
    #: One sentence for people.
    message: str


def first_line(documented: object) -> str:
    """Return the first line of a docstring, as Markdown."""
    return str(documented.__doc__).partition("\n")[0].replace("``", "`")


def malformed(field: str) -> str:
    """Return what is said of a malformed request."""
    return MalformedRequest(field).message


def code_of(kind: type[Refusal]) -> Code:
    """Return what there is to know of a kind of refusal."""
    message = malformed("…") if kind is MalformedRequest else kind.message
    return Code(kind.code, kind.status, kind.__name__, first_line(kind), message)


def _kinds() -> Iterator[type[Refusal]]:
    """Yield every kind of refusal that is raised."""
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, Refusal) and value is not Refusal:
            yield value


def _codes() -> Iterator[Code]:
    yield Code(0, 200, "", "Success.", "")
    partly = schemas.partly_done({}, {}, correlation_id="")
    yield Code(PARTLY_DONE, 207, "", "A part of a batch could not be done; see `aggregated_error`.", partly["msg"])
    yield from map(code_of, _kinds())


#: All of them, in the order of their numbers.
CODES = tuple(sorted(_codes(), key=lambda code: (code.code, code.status)))
