"""Whether somebody watches an engine: then its statements go through SQLAlchemy, which shows them."""

from __future__ import annotations

import logging
from operator import attrgetter
from typing import Any

from sqlalchemy import Engine

_log = logging.getLogger("sqlalchemy.engine.Engine")
#: The events that a statement has at an engine and at its dialect.
_of_engine = attrgetter(
    "before_execute", "after_execute", "before_cursor_execute", "after_cursor_execute",
    "engine_connect", "set_connection_execution_options", "begin", "commit", "rollback",
)  # fmt: skip
_of_dialect = attrgetter("do_execute", "do_setinputsizes", "handle_error")


class Watch:
    """Tells whether somebody listens to an engine, or to all engines, or has their log on.

    A list of listeners in the documented ``dispatch`` is false while nobody listens. To ask all of them at each
    statement is a good part of its work, as they are asked in Python. So what they hold is looked at instead, as long
    as they are the same: the list of an event to which nobody listens is replaced when somebody does.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lists = self._now()
        # Of the engine, and of all engines. A list without these attributes knows both.
        self._held = [
            getattr(found, name, found)
            for lists in self._lists
            for found in lists
            for name in ("listeners", "parent_listeners")
        ]

    def is_on(self) -> bool:
        """Look once more."""
        return (
            any(self._held)
            or ((now := self._now()) != self._lists and any(found for lists in now for found in lists))
            or _log.isEnabledFor(logging.INFO)
        )

    def _now(self) -> tuple[tuple[Any, ...], ...]:
        return _of_engine(self._engine.dispatch), _of_dialect(self._engine.dialect.dispatch)
