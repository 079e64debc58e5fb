"""What may stand in a log: one line, and no values of a database's rows or statements."""

from __future__ import annotations

from collections.abc import Iterator

#: Errors of databases whose text quotes values, by the names that PEP 249 gives them.
_QUOTING = frozenset(("IntegrityError", "DataError"))


class ValuesWithheld(Exception):
    """Stands in the log for an error whose text quotes values."""


def one_line(text: str) -> str:
    """Return a text with escapes for line breaks, control characters and all else that cannot be printed."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def summary(error: BaseException) -> str:
    """Return class and text of an error on one line; of a database's, its first line or its code alone."""
    cause: object = getattr(error, "orig", None) or error
    name = type(cause).__name__
    if _quotes_values(error):
        return f"{name} {_code(cause)}".strip()
    text = str(cause)
    return one_line(f"{name}: {text.partition(chr(10))[0] if _is_of_database(error) else text}")


def loggable(error: BaseException | None) -> BaseException | None:
    """Return what a traceback may be written of: the error, if there is one, without the values of a statement.

    SQLAlchemy puts them into the text of its errors unless the engine is told not to, and the engine may be the app's.
    """
    links = list(_chain(error))
    for link in links:
        if _is_of_database(link):
            link.hide_parameters = True  # type: ignore[attr-defined]
    if error is None or not any(map(_quotes_values, links)):
        return error
    return ValuesWithheld(summary(error)).with_traceback(error.__traceback__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what a traceback shows with it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_of_database(error: BaseException) -> bool:
    return hasattr(error, "hide_parameters")


def _quotes_values(error: BaseException) -> bool:
    return any(base.__name__ in _QUOTING for base in type(error).__mro__)


def _code(error: object) -> str:
    """Return a database's number or SQLSTATE of an error, empty where there is none."""
    number = next((value for value in getattr(error, "args", ()) if isinstance(value, int)), "")
    return str(getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or number)
