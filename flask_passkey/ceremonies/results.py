"""The base of what comes out of a ceremony."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

#: Members that may be secret: outputs of extensions such as ``prf``, and who asked, with their browser's secrets.
_HIDDEN: Final = frozenset(("extensions", "visitor"))


class Result(Struct, frozen=True):
    """What comes out of a ceremony. Its text, which logs and tracebacks show, lacks what may be secret."""

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in _HIDDEN)
        return f"{type(self).__name__}({', '.join(shown)})"
