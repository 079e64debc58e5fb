"""What people may call their accounts and passkeys: one line of text, composed, with something to see in it."""

from __future__ import annotations

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
