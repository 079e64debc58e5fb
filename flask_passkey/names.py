"""What people may call their accounts and passkeys: one line of text, composed, with something to see in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from itertools import accumulate

from .errors import MalformedRequest

#: Longest label of a passkey, in characters.
MAX_LABEL = 64
#: Longest name and display name of an account, in characters.
MAX_NAME = 255
#: Most fields of a sign-up besides the names.
MAX_FIELDS = 20
#: Longest value of one, and of all together, in characters: a sign-up that was begun is kept with them.
MAX_FIELD, MAX_ALL_FIELDS = 1_000, 4_000
# Composing takes quadratic time, so what is longer than this is refused before it is looked at.
_MAX_TEXT = 1_024

# Texts, not patterns, here and below: only sign-ups need them.
_FIELD_NAME = r"[A-Za-z0-9_.\[\]-]{1,64}"
# Control characters but tab and line ends, and halves of surrogate pairs: databases refuse them.
_NO_TEXT = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]"
# Control characters, halves of surrogate pairs, line and paragraph separators.
_REFUSED = frozenset(("Cc", "Cs", "Zl", "Zp"))
# Formatting characters, spaces, accents: with nothing else there is nothing on the screen.
_UNSEEN = frozenset(("Cf", "Zs", "Mn", "Me"))
# Characters that reorder the text around them, so that a name could pretend to be another.
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e")
# Isolates reorder what is between them, and nothing around them where each that opens is closed again (UAX 9).
# Keyboards for Arabic and Hebrew put them around what is written.
_ISOLATES = {"\u2066": 1, "\u2067": 1, "\u2068": 1, "\u2069": -1}
_WITHOUT_ISOLATES = dict.fromkeys(map(ord, _ISOLATES))

# What the name of an account has not: formatting, private use, unassigned, and what nothing is drawn for
# (Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt).
_REFUSED_IN_NAMES = frozenset(("Cf", "Co", "Cn"))
_IGNORABLE = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Symbols that are blank: the empty Braille cell and the null notehead.
_BLANK = frozenset("\u2800\U0001d159")
_JOINER, _VARIATIONS = "\u200d", frozenset("\ufe0e\ufe0f")
# Emoji that are not in the category of other symbols, or colour the one before.
_MORE_EMOJI = frozenset(
    "\u203c\u2049\u2139\u2194\u25fd\u25fe\u2934\u2935\u3030\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
)


def clean_label(text: str, *, field: str = "name", required: bool = False) -> str:
    """Return the label of a passkey as it is kept: trimmed, in NFC.

    :param text: as a person wrote it, at most 64 characters when trimmed.
    :param field: named in the error.
    :param required: refuse an empty one.
    :raises MalformedRequest: it is too long, or has characters that cannot be shown or mislead.
    """
    return _clean(text, field, longest=MAX_LABEL, required=required)


def clean_name(text: str, *, field: str = "name") -> str:
    """Return the name of an account as it is kept: trimmed, in NFC, not empty.

    :param text: as a person wrote it, at most 255 characters when trimmed.
    :param field: named in the error.
    :raises MalformedRequest: it is empty or too long, or has characters that cannot be shown or mislead, or that nobody
        sees. Inside emoji these may stand: a joiner between two, a variation selector behind one. Isolates around text
        that runs from right to left are left out: nobody sees them, so two names must not differ by them.
    """
    name = _clean(_without_isolates(text), field, longest=MAX_NAME, required=True)
    hidden = any(_is_hidden(name, place) for place in range(len(name)))
    if hidden or all(char in _BLANK or unicodedata.category(char) in _UNSEEN for char in name):
        raise MalformedRequest(field, f"{field} has characters that nobody sees")
    return name


def clean_user_name(text: str, *, field: str = "user_name") -> str:
    """Return a name that somebody says to have as it is looked up: trimmed, in NFC, not empty.

    Accounts may be older than the rules of :func:`clean_name`.

    :param text: as a person wrote it, at most 255 characters when trimmed.
    :param field: named in the error.
    :raises MalformedRequest: it is empty or too long, or has characters that cannot be shown or mislead.
    """
    return _clean(_without_isolates(text), field, longest=MAX_NAME, required=True)


def clean_display_name(text: str, *, field: str = "display_name") -> str:
    """Return the display name of an account as it is kept: trimmed, in NFC. It may be empty.

    :param text: as a person wrote it, at most 255 characters when trimmed.
    :param field: named in the error.
    :raises MalformedRequest: it is too long, or has characters that cannot be shown or mislead.
    """
    return _clean(text, field, longest=MAX_NAME)


def clean_fields(value: object, *, field: str = "fields") -> dict[str, str]:
    """Return the fields of a sign-up that only the app knows: each text trimmed, in NFC. Lines and accents are kept.

    :param value: text by name: at most 20 values of at most 1,000 characters, and 4,000 together. A name is 1 to 64
        ASCII letters, digits and ``_ . - [ ]``.
    :param field: named in the error, unless one of them is wrong.
    :raises MalformedRequest: it is something else; names the field that is wrong.
    """
    if not isinstance(value, Mapping) or len(value) > MAX_FIELDS:
        raise MalformedRequest(field, f"{field} is no object of at most {MAX_FIELDS} texts")
    if not all(isinstance(name, str) and re.fullmatch(_FIELD_NAME, name) for name in value):
        raise MalformedRequest(field, f"{field} has a name that no field can have")
    fields = {name: _clean_value(text, name) for name, text in value.items()}
    if sum(map(len, fields.values())) > MAX_ALL_FIELDS:
        raise MalformedRequest(field, f"{field} has more than {MAX_ALL_FIELDS} characters")
    return fields


def _clean_value(text: object, field: str) -> str:
    if not isinstance(text, str):
        raise MalformedRequest(field, f"{field} is not text")
    if len(text) > MAX_FIELD or len(text := unicodedata.normalize("NFC", text.strip())) > MAX_FIELD:
        raise MalformedRequest(field, f"{field} is longer than {MAX_FIELD} characters")
    if re.search(_NO_TEXT, text):
        raise MalformedRequest(field, f"{field} has control characters")
    return text


def _without_isolates(text: str) -> str:
    """Leave out isolates that are all closed again; others stay, to be refused, and so does what is too long."""
    return text.translate(_WITHOUT_ISOLATES) if len(text) <= _MAX_TEXT and _is_balanced(text) else text


def _is_balanced(text: str) -> bool:
    """Tell whether each isolate that opens is closed again, and none is closed that was not opened."""
    depths = list(accumulate((_ISOLATES.get(char, 0) for char in text), initial=0))
    return min(depths) == 0 == depths[-1]


def shown_name(name: str, display_name: str) -> str:
    """Return what authenticators may call an account: some stop at an empty ``displayName`` (section 5.4.3)."""
    return display_name if display_name.strip() else name


def _is_hidden(name: str, place: int) -> bool:
    """Tell whether the character at this place is one that nobody sees, and not part of an emoji."""
    char, before, after = name[place], name[max(0, place - 2) : place], name[place + 1 : place + 2]
    if char in _VARIATIONS:
        return not _is_emoji(before[-1:])
    if char == _JOINER:
        emoji = before[-1:] if before[-1:] not in _VARIATIONS else before[:1]
        return not (_is_emoji(emoji) and _is_emoji(after))
    return unicodedata.category(char) in _REFUSED_IN_NAMES or re.match(_IGNORABLE, char) is not None


def _is_emoji(char: str) -> bool:
    return char in _MORE_EMOJI or (char != "" and unicodedata.category(char) == "So" and char not in _BLANK)


def _clean(text: str, field: str, *, longest: int, required: bool = False) -> str:
    if len(text) > _MAX_TEXT:
        raise MalformedRequest(field, f"{field} is longer than {_MAX_TEXT} characters")
    text = unicodedata.normalize("NFC", text.strip())
    if len(text) > longest:
        raise MalformedRequest(field, f"{field} is longer than {longest} characters")
    if required and not text:
        raise MalformedRequest(field, f"{field} is empty")
    categories = {unicodedata.category(char) for char in text}
    if categories & _REFUSED or _OVERRIDES.intersection(text) or not _is_balanced(text):
        raise MalformedRequest(field, f"{field} has control characters")
    if text and categories <= _UNSEEN:
        raise MalformedRequest(field, f"{field} has nothing to see")
    return text
