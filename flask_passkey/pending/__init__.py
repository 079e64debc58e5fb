"""Where pending ceremonies are kept: one small adapter for each kind of store that Flask-Session can use.

An adapter keeps a value for some seconds and gives it out once. Each store has another operation that does so
safely. Reading and then deleting, as session interfaces do, never does.
"""

from __future__ import annotations

from .base import MARK, CeremonyStore
from .choice import require_rotation, store_for

__all__ = ["MARK", "CeremonyStore", "store_for", "require_rotation"]
