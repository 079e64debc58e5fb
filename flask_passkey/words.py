"""Words that become part of what is kept, marked for translation; those of pages stand in their templates."""

from __future__ import annotations


def N_(text: str) -> str:
    """Mark a text for translation, and leave it as it is."""
    return text


#: What a passkey is called of which nothing is known.
PASSKEY = N_("Passkey")
#: What it is called by what made it: ``Chrome on Linux``.
BROWSER_ON_SYSTEM = N_("%(browser)s on %(system)s")
