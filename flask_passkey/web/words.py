"""Texts and dates in the visitor's language: that of Flask-Babel where the app has it, else English.

Catalogs are called ``flask_passkey``. Those of the app, in the folders where Flask-Babel looks for its own, come before
ours.
"""

from __future__ import annotations

import logging
from datetime import datetime
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations, find
from pathlib import Path
from typing import Any

from flask import current_app, has_request_context, request

from ..state import common
from ..words import english

log = logging.getLogger(__name__)

#: Name of the catalogs, ``flask_passkey.mo``, and where ours are.
DOMAIN = "flask_passkey"
FOLDER = Path(__file__).parent.parent / "translations"
# Catalogs that people understand who have none for their own country.
_NEXT_BEST = {"pt": "pt_BR", "zh": "zh_Hans"}
_ENGLISH = NullTranslations()
# In the environment of a request: what we remember for it, with the app's number.
_REMEMBERED = "passkey.words."


class _Remembered:
    """What one request need not find out for each sentence again."""

    def __init__(self) -> None:
        #: The app's selectors that failed: they may be slow to fail.
        self.failed: set[str] = set()
        #: The locale that the texts are for, which ``flask_babel.force_locale()`` changes within a request.
        self.locale: Any = None
        self.catalog: NullTranslations = _ENGLISH


def gettext(text: str, **values: object) -> str:
    """Return a text in the visitor's language, with values in place of ``%(name)s``."""
    return english(catalog().gettext(text) if text else "", **values)  # a catalog's own header is called ""


def ngettext(singular: str, plural: str, number: int, **values: object) -> str:
    """Return a text in the visitor's language that depends on a number, which is ``%(num)s`` in it."""
    return english(catalog().ngettext(singular, plural, number), **{"num": number} | values)


def language() -> str:
    """Return the language of the texts, for ``lang=``."""
    return str(_spoken() or "en").replace("_", "-")


def day(moment: datetime) -> str:
    """Return a day in words, ``25 November 2026``: that of the visitor's timezone where Flask-Babel knows it."""
    locale = _spoken()
    if locale is None:
        return f"{moment.day} {moment:%B %Y}"
    return _local_day(moment) or _day_in_utc(moment, locale)


def catalog() -> NullTranslations:
    """Return the texts in the language that the app has chosen, the English ones where there are no others."""
    locale = _locale()
    if locale is None:
        return _ENGLISH
    known = _remembered()
    if known.locale is not locale:
        known.locale, known.catalog = locale, _load(str(locale), _folders())
    return known.catalog


def _spoken() -> Any:
    """Return the locale that the app has chosen, ``None`` where our texts are English all the same."""
    locale = _locale()
    return locale if locale is not None and (locale.language == "en" or catalog() is not _ENGLISH) else None


def _locale() -> Any:
    """Return the locale that the app has chosen by Flask-Babel; ``None`` where it does not, or cannot just now."""
    if not _has_babel():
        return None
    from flask_babel import get_locale

    if "locale_selector" in _remembered().failed:
        return None
    try:
        return get_locale()
    except Exception:  # a selector may look at the visitor, whose data is out of reach, or at what anybody sends
        _note_failure("locale_selector", "The app's locale selector failed, so texts are English")
        return None


def _local_day(moment: datetime) -> str:
    """Return a day in the visitor's timezone, and as the app writes dates; ``""`` where that fails."""
    from flask_babel import format_date, get_timezone

    if "timezone_selector" in _remembered().failed:
        return ""
    try:
        return str(format_date(moment.astimezone(get_timezone()), "long", rebase=False))
    except Exception:  # as a locale selector; or it names a timezone that there is not
        _note_failure("timezone_selector", "The app's timezone selector or date format failed, so days are in UTC")
        return ""


def _day_in_utc(moment: datetime, locale: Any) -> str:
    from babel.dates import format_date

    return format_date(moment, "long", locale)


def _note_failure(selector: str, consequence: str) -> None:
    """Ask a selector no more in this request, and warn of it."""
    _remembered().failed.add(selector)
    if common().may_warn_of(selector):
        log.warning(consequence, exc_info=True)


def _remembered() -> _Remembered:
    """Return what we remember for the request; outside of one, nothing."""
    if not has_request_context():
        return _Remembered()
    environ, key = request.environ, f"{_REMEMBERED}{id(common())}"
    if key not in environ:
        environ[key] = _Remembered()
    found: _Remembered = environ[key]
    return found


def _has_babel() -> bool:
    """Tell whether the app has Flask-Babel; other extensions are kept under its name, too."""
    return type(current_app.extensions.get("babel")).__module__.partition(".")[0] == "flask_babel"


def _folders() -> tuple[str, ...]:
    return (*current_app.extensions["babel"].translation_directories, str(FOLDER))


@lru_cache(maxsize=256)
def _load(locale: str, folders: tuple[str, ...]) -> NullTranslations:
    """Return the texts of a locale, each from the first folder that has it."""
    names = _names(locale)
    return _read(tuple(path for folder in folders for path in find(DOMAIN, folder, names, all=True)))


@lru_cache(maxsize=256)
def _read(paths: tuple[str, ...]) -> NullTranslations:
    """Return the texts of some files, each from the first that has it: one catalog for all locales that read these.

    Visitors can name any number of locales, as ``de@1`` and ``de@2``, but no file.
    """
    if not paths:
        return _ENGLISH
    with open(paths[0], "rb") as file:
        catalog = GNUTranslations(file)
    catalog.add_fallback(_read(paths[1:]))
    return catalog


def _names(name: str) -> list[str]:
    """Return the names that a locale's catalog may have, the best one first: ``zh_Hans_CN``, ``zh_Hans``, ``zh``."""
    from babel import Locale

    locale = Locale.parse(name)  # which says what ``zh_TW`` is written in
    script = [f"{locale.language}_{locale.script}"] if locale.script else []
    next_best = [] if locale.script == "Hant" else [_NEXT_BEST.get(locale.language, locale.language)]
    return [str(locale), *script, locale.language, *next_best]
