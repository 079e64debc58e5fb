"""Texts to translate, and those of them that become part of what is kept; others stand where they are used."""

from __future__ import annotations


def N_(text: str) -> str:
    """Mark a text for translation, and leave it as it is."""
    return text


def english(text: str, **values: object) -> str:
    """Return a text as it is, with values in place of ``%(name)s``: what translates where nothing else does."""
    return text % values if values else text


#: What a passkey is called of which nothing is known.
PASSKEY = N_("Passkey")
#: What it is called by what made it: ``Chrome on Linux``.
BROWSER_ON_SYSTEM = N_("%(browser)s on %(system)s")
