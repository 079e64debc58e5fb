"""Texts and dates of pages in the visitor's language: by Flask-Babel where the app has it, else in English."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from flask import current_app

#: Name of the catalogs, ``flask_passkey.po``, and where they are.
DOMAIN = "flask_passkey"
FOLDER = Path(__file__).parent.parent / "translations"


def gettext(text: str, **values: object) -> str:
    """Return a text in the visitor's language, with values in place of ``%(name)s``."""
    translated = _domain().gettext(text) if _has_babel() else text
    return str(translated % values if values else translated)


def ngettext(singular: str, plural: str, number: int, **values: object) -> str:
    """Return a text in the visitor's language that depends on a number, which is ``%(num)s`` in it."""
    if _has_babel():
        return str(_domain().ngettext(singular, plural, number, **values))
    return (singular if number == 1 else plural) % ({"num": number} | values)


def language() -> str:
    """Return the language of the texts, for ``lang=``."""
    if not _has_babel():
        return "en"
    from flask_babel import get_locale

    return str(get_locale() or "en").replace("_", "-")


def day(moment: datetime) -> str:
    """Return a day in words: ``25 November 2026``."""
    if not _has_babel():
        return f"{moment.day} {moment:%B %Y}"
    from flask_babel import format_date

    return str(format_date(moment, "long"))


def _has_babel() -> bool:
    """Tell whether the app has Flask-Babel; other extensions are kept under its name, too."""
    return type(current_app.extensions.get("babel")).__module__.partition(".")[0] == "flask_babel"


@cache
def _domain() -> Any:
    from flask_babel import Domain

    return Domain(str(FOLDER), DOMAIN)
