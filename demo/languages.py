"""German and English: every page is in the language the browser prefers.

The texts in the code are English; ``translations`` has them in German. ``nox -s translations`` brings the catalog up to
date after a text was changed.
"""

from __future__ import annotations

from flask import Flask, Response, request
from flask_babel import Babel

LANGUAGES = ("en", "de")


def init_app(app: Flask) -> None:
    """Translate pages, and say of each which language it is in."""
    Babel(app, default_locale=LANGUAGES[0], locale_selector=language)
    app.jinja_env.globals["language"] = language
    app.jinja_env.policies["ext.i18n.trimmed"] = True  # as in babel.cfg: lines of a template are no lines of its text
    app.after_request(_name_language)


def language() -> str:
    """Return the first of our languages in the browser's list, whatever the region; English where it has none."""
    wanted = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality > 0)
    return next((tag for tag in wanted if tag in LANGUAGES), LANGUAGES[0])


def _name_language(response: Response) -> Response:
    if response.mimetype == "text/html" and response.location is None:
        response.content_language.add(language())
        response.vary.add("Accept-Language")
    return response
