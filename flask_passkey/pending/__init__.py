"""Where pending ceremonies are kept: one small adapter for each kind of store that Flask-Session can use, and one for
the database of the credentials.

An adapter keeps a value for some seconds and gives it out once. Each store has another operation that does so
safely. Reading and then deleting, as session interfaces do, never does.
"""

from __future__ import annotations

from .base import MARK, CeremonyStore
from .choice import check_sessions, has_session_ids, require_rotation, store_for

__all__ = [
    "MARK",
    "CeremonyStore",
    "check_sessions",
    "has_session_ids",
    "require_rotation",
    "store_for",
]
