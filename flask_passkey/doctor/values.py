"""Values that the app puts into sessions, and that its sessions do not give back as they were.

The app's code says where such values may be; the app's own sessions say whether they keep them.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from os import sep
from os.path import realpath
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask

from ..config import PasskeyConfig
from .findings import Finding, error, warning
from .sessions import round_trip


class _LateText:
    """A text that is translated when it is shown, as those of Flask-Babel."""

    def __str__(self) -> str:
        return "text"

    __html__ = __str__


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    #: Such a value; ``None`` for what Jinja makes.
    sample: Any
    #: What to write around a value.
    instead: str


#: Only such a file is worth the time to parse it.
_MAY_STORE = re.compile(rb"\bsession *(\[|\. *setdefault\b)|\bflash *\(")
_TUPLE = _Kind("tuple", ("a",), "list({})")
_SET = _Kind("set", {"a"}, "list({})")
#: By the last name of what makes such a value.
_KINDS = {
    "tuple": _TUPLE,
    "set": _SET,
    "frozenset": _SET,
    **dict.fromkeys(("uuid1", "uuid4", "UUID"), _Kind("UUID", UUID(int=1), "str({})")),
    **dict.fromkeys(("utcnow", "now", "today"), _Kind("naive datetime", datetime(2026, 1, 1), "{}.isoformat()")),
    "Decimal": _Kind("Decimal", Decimal("1.5"), "str({})"),
    "Markup": _Kind("Markup", None, "str({})"),
    **dict.fromkeys(
        ("lazy_gettext", "lazy_ngettext", "lazy_pgettext", "_l"), _Kind("lazy text", _LateText(), "str({})")
    ),
}
_KINDS_BY_NAME = {kind.name: kind for kind in _KINDS.values()}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is put into the session."""

    at: str
    kind: _Kind
    #: The line to write.
    line: str


def check(app: Flask, config: PasskeyConfig) -> Iterator[Finding]:
    """Look for values in the app's code, and try each kind that is found there in a session."""
    found = [place for file in _files(app) for place in _places(app, file)]
    outcomes = {name: _outcome(app, config, _KINDS_BY_NAME[name]) for name in {place.kind.name for place in found}}
    for place in found:
        make, becomes = outcomes[place.kind.name]
        if make is not None:
            yield make(
                "sessions.value", f"{place.at} puts a {place.kind.name} into the session, where {becomes}.", place.line
            )


def _outcome(app: Flask, config: PasskeyConfig, kind: _Kind) -> tuple[Callable[..., Finding] | None, str]:
    """Return how grave it is that a session has such a value, and what becomes of it."""
    sample = app.jinja_env.filters["safe"]("<b>") if kind.sample is None else kind.sample
    try:
        kept = round_trip(app, config, {"value": sample})["value"]
    except Exception:  # whatever the session's library raises
        return error, "it cannot be kept: the request fails"
    if isinstance(sample, _LateText) and str(kept) == str(sample):
        return None, ""
    if type(kept) is not type(sample):
        return warning, f"it becomes a {type(kept).__name__}"
    return (None, "") if kept == sample else (warning, f"it becomes another {type(kept).__name__}")


def _files(app: Flask) -> list[Path]:
    """Return the files of the app's own modules that are loaded."""
    root = Path(app.root_path).resolve()
    names = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    files = {realpath(name) for name in names if name and name.endswith(".py")}
    own = (Path(file) for file in files if file.startswith(f"{root}{sep}"))
    return sorted(file for file in own if "site-packages" not in file.relative_to(root).parts)


def _places(app: Flask, file: Path) -> Iterator[_Place]:
    try:
        source = file.read_bytes()
        tree = ast.parse(source if _MAY_STORE.search(source) else b"")
    except (OSError, SyntaxError, ValueError):
        return
    where = file.relative_to(Path(app.root_path).resolve())
    for node in ast.walk(tree):
        for value, line in _values(node):
            kind = _kind_of(value)
            if kind is not None:
                written = line.format(kind.instead.format(ast.unparse(value)))
                yield _Place(f"{where}:{value.lineno}", kind, written)


def _values(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """Yield the values that a statement or a call puts into the session, and how it does."""
    match node:
        case ast.Assign(targets=[ast.Subscript(value=target, slice=key)], value=value) if (
            _last_name(target) == "session"
        ):
            yield value, f"session[{_braced(key)}] = {{}}"
        case ast.Call(func=ast.Attribute(value=target, attr="setdefault"), args=[key, value]) if (
            _last_name(target) == "session"
        ):
            yield value, f"session.setdefault({_braced(key)}, {{}})"
        case ast.Call(func=called, args=[value, *_]) if _last_name(called) == "flash":
            yield value, "flash({})"


def _braced(key: ast.expr) -> str:
    return ast.unparse(key).replace("{", "{{").replace("}", "}}")


def _kind_of(value: ast.expr) -> _Kind | None:
    match value:
        case ast.Tuple():
            return _TUPLE
        case ast.Set() | ast.SetComp():
            return _SET
        case ast.Call(func=called, args=[], keywords=[]) if _last_name(called) == "now":
            return _KINDS["now"]
        case ast.Call(func=called) if _last_name(called) != "now":
            return _KINDS.get(_last_name(called))
    return None


def _last_name(called: ast.expr) -> str:
    match called:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
