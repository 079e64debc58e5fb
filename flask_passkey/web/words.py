"""Texts and dates in the visitor's language: that of Flask-Babel where the app has it, else English.

Catalogs are called ``flask_passkey``. Those of the app, in the folders where Flask-Babel looks for its own, come before
ours.
"""

from __future__ import annotations

import logging
from datetime import datetime
from functools import lru_cache
from gettext import NullTranslations, translation
from pathlib import Path
from typing import Any

from flask import current_app

from ..state import common
from ..words import english

log = logging.getLogger(__name__)

#: Name of the catalogs, ``flask_passkey.mo``, and where ours are.
DOMAIN = "flask_passkey"
FOLDER = Path(__file__).parent.parent / "translations"
# Catalogs that people understand who have none for their own country.
_NEXT_BEST = {"pt": "pt_BR", "zh": "zh_Hans"}
_ENGLISH = NullTranslations()


def gettext(text: str, **values: object) -> str:
    """Return a text in the visitor's language, with values in place of ``%(name)s``."""
    return english(_catalog().gettext(text) if text else "", **values)  # a catalog's own header is called ""


def ngettext(singular: str, plural: str, number: int, **values: object) -> str:
    """Return a text in the visitor's language that depends on a number, which is ``%(num)s`` in it."""
    return english(_catalog().ngettext(singular, plural, number), **{"num": number} | values)


def language() -> str:
    """Return the language of the texts, for ``lang=``."""
    return str(_spoken() or "en").replace("_", "-")


def day(moment: datetime) -> str:
    """Return a day in words: ``25 November 2026``."""
    if _spoken() is None:
        return f"{moment.day} {moment:%B %Y}"
    from flask_babel import format_date

    return str(format_date(moment, "long"))


def _catalog() -> NullTranslations:
    """Return the texts in the language that the app has chosen, the English ones where there are no others."""
    locale = _locale()
    return _ENGLISH if locale is None else _load(str(locale), _folders())


def _spoken() -> Any:
    """Return the locale that the app has chosen, ``None`` where our texts are English all the same."""
    locale = _locale()
    return locale if locale is not None and (locale.language == "en" or _catalog() is not _ENGLISH) else None


def _locale() -> Any:
    """Return the locale that the app has chosen by Flask-Babel; ``None`` where it does not, or cannot just now."""
    if not _has_babel():
        return None
    from flask_babel import get_locale

    try:
        return get_locale()
    except Exception:  # a selector may look at the visitor, whose data is out of reach, or at what anybody sends
        if common().may_warn_of("locale_selector"):
            log.warning("The app's locale selector failed, so texts are English", exc_info=True)
        return None


def _has_babel() -> bool:
    """Tell whether the app has Flask-Babel; other extensions are kept under its name, too."""
    return type(current_app.extensions.get("babel")).__module__.partition(".")[0] == "flask_babel"


def _folders() -> tuple[str, ...]:
    return (*current_app.extensions["babel"].translation_directories, str(FOLDER))


@lru_cache(maxsize=256)
def _load(locale: str, folders: tuple[str, ...]) -> NullTranslations:
    """Return the texts of a locale, each from the first folder that has it."""
    names, catalog = _names(locale), _ENGLISH
    for folder in reversed(folders):
        found = translation(DOMAIN, folder, names, fallback=True)
        if type(found) is not NullTranslations:
            found.add_fallback(catalog)
            catalog = found
    return catalog


def _names(name: str) -> list[str]:
    """Return the names that a locale's catalog may have, the best one first: ``zh_Hans_CN``, ``zh_Hans``, ``zh``."""
    from babel import Locale

    locale = Locale.parse(name)  # which says what ``zh_TW`` is written in
    script = [f"{locale.language}_{locale.script}"] if locale.script else []
    next_best = [] if locale.script == "Hant" else [_NEXT_BEST.get(locale.language, locale.language)]
    return [str(locale), *script, locale.language, *next_best]
