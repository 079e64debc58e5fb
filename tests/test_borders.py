"""What comes to our routes, or to a refusal of ours, by other ways than a view: from servers, middleware and hooks."""

from __future__ import annotations

import logging
from io import BytesIO
from typing import Any

import pytest
from apps import App
from flask import Response, abort
from werkzeug.exceptions import HTTPException, TooManyRequests
from werkzeug.routing import RequestRedirect


def test_a_body_that_breaks_off_is_ours_to_refuse(site: App) -> None:
    """A connection that ends too early is malformed in our words, even where the app has a page for every 400."""
    site.app.register_error_handler(400, lambda error: ("The app's page.", 400))
    cut = {"wsgi.input": BytesIO(b"{"), "CONTENT_LENGTH": "20"}
    answer = site.app.test_client().put("/session/authn", content_type="application/json", environ_overrides=cut)
    assert answer.status_code == 400 and answer.json is not None and answer.json["code"] == 40001


@pytest.mark.parametrize("body", ["5", "true", '"grant"', '["grant"]'])
def test_json_that_is_no_object(site: App, body: str) -> None:
    """Where a request may be of several kinds, what is none of them is malformed, and no mistake of ours."""
    answer = site.app.test_client().put("/user/authn", data=body, content_type="application/json")
    assert answer.status_code == 400 and answer.json is not None and answer.json["code"] == 40001


def test_a_refusal_of_a_client_has_no_traceback(site: App, caplog: pytest.LogCaptureFixture) -> None:
    """What anybody can send fills no log with tracebacks, though there was an error behind it."""
    caplog.set_level(logging.INFO, "flask_passkey")
    answer = site.app.test_client().put("/session/authn", data="{", content_type="application/json")
    assert answer.status_code == 400
    (record,) = [record for record in caplog.records if "Refused with code" in record.getMessage()]
    assert record.exc_info is None


def raised_in_front(site: App, error: Exception) -> Any:
    """Return what our route answers when something of the app raises an error before it."""

    @site.app.before_request
    def fail() -> None:
        raise error

    return site.app.test_client().put("/session/authn")


class Elsewhere(HTTPException):
    """As an app may have, to answer from anywhere."""

    code = 303
    description = "Look there."


@pytest.mark.parametrize("answer", [RequestRedirect("http://localhost/elsewhere"), Elsewhere()])
def test_what_is_no_error_stays_as_it_is(site: App, answer: HTTPException) -> None:
    """A redirect, or another status below 400, that the app raises is no refusal."""
    answered = raised_in_front(site, answer)
    assert answered.status_code == answer.code and answered.mimetype == "text/html"


def test_an_answer_that_an_exception_brings_along(site: App) -> None:
    """What an extension has written by itself, a limiter say, is not written over."""
    answer = raised_in_front(site, TooManyRequests(response=Response("Slow down.", 429)))
    assert (answer.status_code, answer.text) == (429, "Slow down.")


def test_a_page_of_the_app_that_says_nothing(site: App) -> None:
    """Where the app's handler of a code hands the exception back, the envelope is the answer."""
    site.app.register_error_handler(429, lambda error: error)
    answer = raised_in_front(site, TooManyRequests())
    assert answer.status_code == 429 and answer.json["code"] == 429


def test_a_handler_of_the_app_that_fails(site: App, caplog: pytest.LogCaptureFixture) -> None:
    """A mistake in the app's own handler is in the log, and not hidden behind what it was to handle."""
    site.app.config["PROPAGATE_EXCEPTIONS"] = False
    site.app.register_error_handler(LookupError, lambda error: str(1 // 0))

    @site.passkey.get_current_user
    def get_current_user() -> None:
        raise LookupError

    answer = site.app.test_client().get("/user/authn")
    assert answer.status_code == 500 and "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(("said", "reason"), [("", "418 I'm a teapot"), ("short", "418 I'm a teapot: short")])
def test_the_reason_is_what_the_app_said(site: App, said: str, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the description of an HTTP exception, where it has one."""
    caplog.set_level(logging.INFO, "flask_passkey")
    site.app.before_request(lambda: abort(418, said))
    assert site.app.test_client().put("/session/authn").status_code == 418
    assert f": {reason.lower()} [" in caplog.text.lower()
