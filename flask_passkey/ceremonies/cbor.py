"""CBOR from outside, measured before a library reads it: `RFC 8949 <https://www.rfc-editor.org/rfc/rfc8949>`_.

Tags let a few bytes stand for a value of any size: a decoder resolves them, and whatever copies or writes that value
does not end. So none pass. This is one pass over the bytes, without recursion, that keeps only which levels are open.
Open lengths, heads that are longer than they need be, and any order of keys are fine.
"""

from __future__ import annotations

from typing import Final, NoReturn

from ..errors import ResponseRejected

MAX_BYTES: Final = 65_536
MAX_LEVELS: Final = 16
MAX_ITEMS: Final = 1_000

_BYTES, _TEXT, _LIST, _MAP, _TAG, _SIMPLE = range(2, 8)
_BREAK = b"\xff"
# What a level waits for: so many items, or, in one of open length, any item or a break, a key or a break, a value.
_ANY, _KEY, _VALUE = -1, -2, -3
_AFTER = {_ANY: _ANY, _KEY: _VALUE, _VALUE: _KEY}


class Reader:
    """Takes bytes and data items from the front of bytes that a stranger sent.

    :param name: the member of the response, for the reason of a refusal.
    :param items: how many items of the same response were read before.
    :raises ResponseRejected: they are too long; and so does each method, where the bytes are not what it reads.
    """

    __slots__ = ("_at", "_data", "_name", "items")

    def __init__(self, name: str, data: bytes, *, items: int = 0) -> None:
        self._name, self._data, self._at, self.items = name, data, 0, items
        if len(data) > MAX_BYTES:
            self.refuse(f"more than {MAX_BYTES} bytes")

    def refuse(self, problem: str) -> NoReturn:
        """Refuse the response."""
        raise ResponseRejected(f"{self._name} was malformed: {problem}")

    def take(self, count: int) -> bytes:
        """Return the next so many bytes."""
        start, self._at = self._at, self._at + count
        if self._at > len(self._data):
            self.refuse("it ends too early")
        return self._data[start : self._at]

    def end(self) -> None:
        """Check that nothing is left."""
        if self._at < len(self._data):
            self.refuse("it goes on after its end")

    def map(self, what: str) -> bytes:
        """Return the bytes of the next item, which is a map."""
        start = self._at
        if self._data[start : start + 1] == b"" or self._data[start] >> 5 != _MAP:
            self.refuse(f"{what} is no map")
        self._skip()
        return self._data[start : self._at]

    def _skip(self) -> None:
        """Go to the end of the next item, over all that is in it."""
        open_ = [1]
        while open_:
            if open_[-1] == 0:
                open_.pop()
            elif self._is_break():
                if open_.pop() not in (_ANY, _KEY):
                    self.refuse("a break where an item belongs")
            else:
                open_[-1] = _AFTER.get(open_[-1], open_[-1] - 1)
                open_ += self._enter()
                if len(open_) > MAX_LEVELS + 1:
                    self.refuse(f"more than {MAX_LEVELS} levels")

    def _is_break(self) -> bool:
        found = self._data[self._at : self._at + 1] == _BREAK
        self._at += found
        return found

    def _enter(self) -> tuple[int, ...]:
        """Read a head, and what follows it unless that are items; return what the level that it opens waits for."""
        kind, argument = self._head()
        if kind == _LIST:
            return (_ANY if argument is None else argument,)
        if kind == _MAP:
            return (_KEY if argument is None else 2 * argument,)
        if kind in (_BYTES, _TEXT):
            self._string(kind, argument)
        return ()

    def _head(self) -> tuple[int, int | None]:
        """Read the head of an item; return its major type and its argument, ``None`` for an open length."""
        self.items += 1
        if self.items > MAX_ITEMS:
            self.refuse(f"more than {MAX_ITEMS} items")
        kind, info = divmod(self.take(1)[0], 32)
        if kind == _TAG:
            self.refuse("a tag")
        if info < 24:
            return kind, info
        if info == 31 and _BYTES <= kind <= _MAP:
            return kind, None
        if info > 27:
            self.refuse("a head that means nothing")
        argument = int.from_bytes(self.take(1 << (info - 24)), "big")
        if kind == _SIMPLE and info == 24 and argument < 32:
            self.refuse("a head that means nothing")
        return kind, argument

    def _string(self, kind: int, length: int | None) -> None:
        """Read the bytes of a byte string or text, or its parts up to a break."""
        if length is not None:
            self._part(kind, length)
            return
        while not self._is_break():
            inner, length = self._head()
            if inner != kind or length is None:
                self.refuse("a string in parts of another kind")
            self._part(kind, length)

    def _part(self, kind: int, length: int) -> None:
        part = self.take(length)
        try:
            if kind == _TEXT:
                part.decode()
        except UnicodeDecodeError:
            self.refuse("a text that is not UTF-8")
