"""Where pending ceremonies are kept: one small adapter for each kind of store that Flask-Session can use.

An adapter keeps a value for some seconds and gives it out once. Which operation does that safely differs from
store to store, and it is never the pair that session interfaces are made of, to read and then to delete.
"""

from __future__ import annotations

from .base import MARK, CeremonyBackend
from .choice import backend_for, require_rotation

__all__ = ["MARK", "CeremonyBackend", "backend_for", "require_rotation"]
