"""The pages for what goes wrong. They look at neither session nor user: reading those may be what failed."""

from __future__ import annotations

from flask import Flask, current_app, request, url_for
from flask_babel import lazy_gettext as _
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response

from flask_passkey import Refusal
from flask_passkey.errors import CrossSiteRequest

#: What the store of the sessions raises while it is down: Redis, or files. Flask asks for it outside of all views.
OUTAGES = (RedisError, OSError)
#: Seconds after which a page that is not available may be tried again.
RETRY_AFTER = 10
ERRORS = {
    403: (
        _("This was not allowed"),
        _("The request came from another site, or from an address that is not set up here."),
    ),
    404: (_("Page not found"), _("There is nothing at this address.")),
    413: (_("This is too large"), _("Please send less.")),
    429: (_("Too many tries"), _("Please wait a minute, then try again.")),
    503: (
        _("Not available just now"),
        _("The service is unavailable for the moment. Please try again in a few seconds."),
    ),
}
ANY_OTHER = (_("Something went wrong"), _("Please go back and try again."))


def init_app(app: Flask) -> None:
    """Show a page for every error that no view handles itself."""
    app.register_error_handler(HTTPException, _error_page)
    app.register_error_handler(Refusal, _refusal_page)


def _refusal_page(refusal: Refusal) -> Response:
    current_app.logger.warning("Refused a page: %s", refusal.reason, exc_info=refusal.__cause__)
    return _page(403 if isinstance(refusal, CrossSiteRequest) else refusal.status)


def _error_page(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400 or request.blueprint == "passkey":
        return error  # Flask-Passkey answers errors on its routes with JSON
    cause = error.original_exception if isinstance(error, InternalServerError) else None
    return _page(503 if isinstance(cause, OUTAGES) else error.code)


def _page(status: int) -> Response:
    title, text = ERRORS.get(status, ANY_OTHER)
    is_outage = status == 503
    again = "" if is_outage and request.method == "GET" else url_for("pages.index")  # "" is the same page
    template = current_app.jinja_env.get_template("error.html")
    page = template.render(title=title, text=text, again=again, is_outage=is_outage)
    headers = {"Retry-After": str(RETRY_AFTER)} if is_outage else {}
    return current_app.make_response((page, status, headers))
