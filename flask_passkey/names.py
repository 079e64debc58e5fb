"""What people may call their accounts and passkeys: one line of text, composed, with something to see in it."""

from __future__ import annotations

import re
import unicodedata

from .errors import MalformedRequest

#: Longest label of a passkey, in characters.
MAX_LABEL = 64
#: Longest name and display name of an account, in characters.
MAX_NAME = 255
# Composing takes quadratic time, so what is longer than this is refused before it is looked at.
_MAX_TEXT = 1_024

# Control characters, halves of surrogate pairs, line and paragraph separators.
_REFUSED = frozenset(("Cc", "Cs", "Zl", "Zp"))
# Formatting characters, spaces, accents: with nothing else there is nothing on the screen.
_UNSEEN = frozenset(("Cf", "Zs", "Mn", "Me"))
# Characters that reorder the text around them, so that a name could pretend to be another.
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# What the name of an account has not: formatting, private use, unassigned, and what nothing is drawn for
# (Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt).
_REFUSED_IN_NAMES = frozenset(("Cf", "Co", "Cn"))
_IGNORABLE = re.compile(
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
        sees. Inside emoji these may stand: a joiner between two, a variation selector behind one.
    """
    name = _clean(text, field, longest=MAX_NAME, required=True)
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
    return _clean(text, field, longest=MAX_NAME, required=True)


def clean_display_name(text: str, *, field: str = "display_name") -> str:
    """Return the display name of an account as it is kept: trimmed, in NFC. It may be empty.

    :param text: as a person wrote it, at most 255 characters when trimmed.
    :param field: named in the error.
    :raises MalformedRequest: it is too long, or has characters that cannot be shown or mislead.
    """
    return _clean(text, field, longest=MAX_NAME)


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
    return unicodedata.category(char) in _REFUSED_IN_NAMES or _IGNORABLE.match(char) is not None


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
    if categories & _REFUSED or _OVERRIDES.intersection(text):
        raise MalformedRequest(field, f"{field} has control characters")
    if text and categories <= _UNSEEN:
        raise MalformedRequest(field, f"{field} has nothing to see")
    return text
