"""Where pending ceremonies are kept: one small adapter for each kind of store that Flask-Session can use.

An adapter keeps a value for some seconds and gives it out once. Which operation does that safely differs from
store to store, and it is never the pair that session interfaces are made of, to read and then to delete.
"""

from __future__ import annotations

from .base import MARK, CeremonyStore
from .choice import require_rotation, store_for

__all__ = ["MARK", "CeremonyStore", "store_for", "require_rotation"]
