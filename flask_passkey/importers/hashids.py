"""Hashids: numbers as short text that depends on a salt (https://hashids.org), in the usual letters, not padded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890"
_SEPARATORS = "cfhistuCFHISTU"
#: For each so many letters one is set aside for padding.
_LETTERS_PER_GUARD = 12


def hashid(numbers: Sequence[int], *, salt: str) -> str:
    """Return the hashid of some numbers, which are not negative."""
    letters, separators = _alphabets(salt)
    lottery = letters[sum(number % (place + 100) for place, number in enumerate(numbers)) % len(letters)]
    text = last = lottery
    for place, number in enumerate(numbers):
        if place:
            text += separators[numbers[place - 1] % (ord(last[0]) + place - 1) % len(separators)]
        letters = _shuffled(letters, (lottery + salt + letters)[: len(letters)])
        last = _written(number, letters)
        text += last
    return text


@cache
def _alphabets(salt: str) -> tuple[str, str]:
    """Return the letters for digits, and those that stand between numbers."""
    separators = _shuffled(_SEPARATORS, salt)
    letters = _shuffled("".join(letter for letter in _LETTERS if letter not in _SEPARATORS), salt)
    return letters[-(-len(letters) // _LETTERS_PER_GUARD) :], separators


def _shuffled(text: str, salt: str) -> str:
    letters, total = list(text), 0
    for step, place in enumerate(range(len(letters) - 1, 0, -1) if salt else ()):
        turn = step % len(salt)
        code = ord(salt[turn])
        total += code
        other = (code + turn + total) % place
        letters[place], letters[other] = letters[other], letters[place]
    return "".join(letters)


def _written(number: int, digits: str) -> str:
    text = digits[number % len(digits)]
    while number := number // len(digits):
        text = digits[number % len(digits)] + text
    return text
