"""Beside other extensions: what they raise keeps its meaning, and what we raise keeps ours."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import flask_jwt_extended as jwt
import pytest
from apps import SITE, App, User, begin, make_app, warnings_in
from flask import Flask, Response, abort
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import HTTPException, Locked, NotFound, ServiceUnavailable, TooManyRequests, Unauthorized

from flask_passkey import Refusal
from flask_passkey.errors import MalformedRequest, SignInRequired
from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_up

pytestmark = pytest.mark.proves("frictions:C")

HTML = "<h1>The app's own page</h1>"
#: HTTP errors of all kinds.
STATUSES = [400, 401, 402, 403, 404, 406, 409, 410, 418, 423, 429, 451, 500, 501, 502, 503, 504]


def raising(error: BaseException, **options: Any) -> App:
    """Return an app whose hook raises an error."""
    site = make_app(**options)

    @site.passkey.get_current_user
    def get_current_user() -> User | None:
        raise error

    return site


def page(error: Exception) -> tuple[str, int]:
    """Answer any error with a page, as many apps do."""
    return HTML, 500


# The app's and its extensions' errors on our routes


def test_an_expired_token_is_what_it_is_elsewhere() -> None:
    """Flask-JWT-Extended's handlers answer on our routes as on the app's: 401, and no ERROR in the log."""
    site = make_app({"JWT_SECRET_KEY": "y" * 32}, before=jwt.JWTManager)

    @site.passkey.get_current_user
    def get_current_user() -> User | None:
        jwt.verify_jwt_in_request(optional=True)
        return site.users.get(jwt.get_jwt_identity() or "")

    site.app.add_url_rule("/plain", "plain", jwt.jwt_required()(lambda: "ok"))
    with site.app.app_context():
        old = jwt.create_access_token("1", expires_delta=timedelta(seconds=-5))
    client = site.app.test_client()
    for token in (old, "nonsense", f"{old}x"):
        headers = {"Authorization": f"Bearer {token}"}
        plain, ours = (client.get(path, headers=headers) for path in ("/plain", "/user/authn"))
        assert (ours.status_code, ours.json) == (plain.status_code, plain.json)
        assert ours.status_code in (401, 422)


@pytest.mark.parametrize(
    ("registered", "raised", "answers"),
    [
        (KeyError, KeyError("x"), True),
        (LookupError, KeyError("x"), True),
        (Exception, KeyError("x"), True),
        (ValueError, KeyError("x"), False),
        (500, KeyError("x"), False),
        (503, ServiceUnavailable(), True),
        (ServiceUnavailable, ServiceUnavailable(), True),
        (HTTPException, ServiceUnavailable(), True),
        (Exception, ServiceUnavailable(), True),
        (404, ServiceUnavailable(), False),
    ],
)
def test_the_apps_handlers_answer_for_what_they_are_for(
    registered: type[Exception] | int, raised: Exception, answers: bool
) -> None:
    """A handler for the class, a base of it or its code answers what a hook raises; no other one is asked."""
    site = raising(raised)
    site.app.register_error_handler(registered, page)
    response = site.app.test_client().get("/user/authn")
    assert (response.text == HTML) is answers
    assert answers or response.get_json()["code"] in (50001, 50005)


def pass_on(error: Exception) -> Exception:
    """Let HTTP errors pass, as the handler for all exceptions does in Flask's documentation."""
    return error


def raise_again(error: Exception) -> None:
    """Leave an error to somebody else."""
    raise error


@pytest.mark.parametrize("handler", [pass_on, raise_again])
@pytest.mark.parametrize(("error", "status", "code"), [(KeyError(), 500, 50005), (Locked(), 423, 40001)])
def test_a_handler_may_leave_an_error_to_us(handler: Any, error: Exception, status: int, code: int) -> None:
    """A handler that returns or raises the error itself has not answered it, so it is the envelope."""
    site = raising(error)
    site.app.register_error_handler(Exception, handler)
    response = site.app.test_client().get("/user/authn")
    assert (response.status_code, response.get_json()["code"]) == (status, code)


def test_a_handler_that_fails_is_no_answer() -> None:
    """What a handler raises of its own is an error of the app, as everywhere."""
    site = raising(KeyError())
    site.app.testing = False
    site.app.register_error_handler(KeyError, lambda error: str(1 / 0))
    response = site.app.test_client().get("/user/authn")
    assert (response.status_code, response.get_json()["code"]) == (500, 50005)


def test_handlers_may_be_coroutines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine of the app is awaited as Flask does it."""
    site = raising(KeyError())

    async def async_page(error: Exception) -> tuple[str, int]:
        return page(error)

    monkeypatch.setattr(site.app, "async_to_sync", lambda function: page)
    site.app.register_error_handler(KeyError, async_page)
    assert site.app.test_client().get("/user/authn").text == HTML


@pytest.mark.parametrize("status", STATUSES)
def test_http_exceptions_keep_their_status_and_description(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """Without a handler of the app, an HTTP exception is the envelope with its status; its words are for the log."""
    error = type("Odd", (HTTPException,), {"code": status})("maintenance until noon")
    site = raising(error)
    with caplog.at_level(logging.INFO):
        response = site.app.test_client().get("/user/authn")
    envelope = response.get_json()
    assert response.status_code == status and envelope["code"] != 0 and envelope["data"] is None
    assert "maintenance" not in response.text and "maintenance until noon" in caplog.text
    site.app.debug = True
    assert "maintenance until noon" in site.app.test_client().get("/user/authn").get_json()["error"]


def test_a_service_that_is_down_is_no_misconfiguration() -> None:
    """An app that is in maintenance says so with 503, and people are asked to come back."""
    site = make_app()
    site.app.before_request(lambda: abort(503))
    response = site.app.test_client().put("/session/authn")
    assert (response.status_code, response.get_json()["code"]) == (503, 50001)


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (TooManyRequests(retry_after=30), "Retry-After", "30"),
        (ServiceUnavailable(retry_after=30), "Retry-After", "30"),
        (Unauthorized(www_authenticate=None), "Content-Type", "application/json"),
    ],
)
def test_http_exceptions_keep_their_headers(error: HTTPException, name: str, value: str) -> None:
    """What an HTTP exception tells in headers is told; the body is ours."""
    response = raising(error).app.test_client().get("/user/authn")
    assert response.headers.getlist(name) == [value]
    assert response.headers.getlist("Content-Type") == ["application/json"]


@pytest.mark.parametrize("kind", [HTTPException, TooManyRequests, Locked])
def test_ready_answers_are_answered(kind: type[HTTPException]) -> None:
    """An answer that is raised, as limiters and ``abort(response)`` do, goes out as it is."""
    error = kind(response=Response("slow down", 429, {"X-Limit": "1"}))
    response = raising(error).app.test_client().get("/user/authn")
    assert (response.status_code, response.text, response.headers["X-Limit"]) == (429, "slow down", "1")


def test_an_error_that_nobody_handles_names_its_cause_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Only that is 50005."""
    response = raising(KeyError("column")).app.test_client().get("/user/authn")
    assert (response.status_code, response.get_json()["code"]) == (500, 50005)
    assert "KeyError" in caplog.text and "KeyError" not in response.text


# Our own refusals


def catch_all(app: Flask) -> None:
    """Register every handler an app can have."""
    for status in (400, 401, 403, 404, 405, 413, 415, 429, 500, 503):
        app.register_error_handler(status, page)
    for kind in (Exception, HTTPException, Refusal, SignInRequired, MalformedRequest, NotFound):
        app.register_error_handler(kind, page)


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/user/authn", {}, 401),
        ("PUT", "/session/authn", {"headers": {"Origin": "https://evil.example"}}, 403),
        ("POST", "/session/authn", {"json": {}}, 400),
        ("POST", "/session/authn", {"data": "x"}, 415),
        ("POST", "/session/authn", {"data": b" " * 70_000, "content_type": "application/json"}, 413),
        ("GET", "/session/authn", {}, 405),
        ("PATCH", "/user/authn", {}, 405),
        ("GET", "/passkey/icons/none/light", {}, 404),
    ],
)
def test_our_refusals_are_the_envelope_whatever_handlers_there_are(
    method: str, path: str, options: dict[str, Any], status: int
) -> None:
    """The app's handlers, of whatever code or class, are not asked about our refusals."""
    plain, odd = make_app(), make_app(before=catch_all)
    catch_all(odd.app)
    responses = [site.app.test_client().open(path, method=method, **options) for site in (plain, odd)]
    envelopes = [response.get_json() for response in responses]
    assert [response.status_code for response in responses] == [status, status]
    assert envelopes[0].pop("correlation_id") != envelopes[1].pop("correlation_id")
    assert envelopes[0] == envelopes[1]


@pytest.mark.parametrize("first", [True, False])
def test_the_apps_handler_for_refusals_counts_in_its_views(first: bool) -> None:
    """Registered before or after us, it answers what we refuse in the app's own views."""

    def register(app: Flask) -> None:
        app.register_error_handler(Refusal, page)

    site = make_app(before=register if first else None)
    if not first:
        register(site.app)
    site.app.add_url_rule("/list", "list", lambda: str(site.passkey.list_passkeys()))
    assert site.app.test_client().get("/list").text == HTML


def test_the_public_sentence_is_what_a_refusal_says() -> None:
    """An app that shows ``str(refusal)`` shows what we would; the reason is beside it."""
    for refusal in (SignInRequired("the inner reason"), MalformedRequest("name", "the inner reason")):
        assert str(refusal) == refusal.message and "inner" not in f"{refusal} {refusal!r} {refusal.args}"
        assert refusal.reason == "the inner reason" and refusal.__notes__ == ["the inner reason"]
    assert SignInRequired().reason == str(SignInRequired())


# CSRFProtect


@pytest.mark.parametrize("first", [True, False])
def test_csrf_protect_leaves_our_routes_alone(first: bool) -> None:
    """Whole ceremonies work beside CSRFProtect, whichever is set up first; the app's own forms stay protected."""
    site = make_app(before=CSRFProtect if first else None)
    if not first:
        CSRFProtect(site.app)
    site.app.add_url_rule("/form", "form", lambda: "done", methods=["POST"])
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    add_passkey(client, VirtualAuthenticator(SITE))
    evil = {"Origin": "https://evil.example"}
    assert client.put("/session/authn", headers=evil).status_code == 403
    assert client.post("/form").status_code == 400


def test_another_extension_named_csrf_is_left_alone() -> None:
    """Only Flask-WTF's is asked to exempt a blueprint."""
    site = make_app()
    site.app.extensions["csrf"] = object()
    begin(site.app.test_client())


def test_a_check_of_the_apps_own_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """An app that asks for tokens on every route is told, in the log, how to leave ours out."""
    site = make_app({"WTF_CSRF_CHECK_DEFAULT": False})
    csrf = CSRFProtect(site.app)
    site.app.before_request(csrf.protect)
    client = site.app.test_client()
    for _ in range(3):
        assert client.put("/session/authn").status_code == 400
    (warning,) = warnings_in(caplog)
    assert "The CSRF token is missing" in warning and "if request.blueprint != 'passkey': csrf.protect()" in warning
