"""``@passkey.required``, and all else that refuses, in Flask's classes of views and in REST extensions."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import flask_restful.fields
import flask_restx
import flask_smorest
import pytest
from apps import SITE, App, make_app
from flask.testing import FlaskClient
from flask.views import MethodView
from marshmallow import Schema, fields

from flask_passkey import Refusal
from flask_passkey.errors import SignInRequired
from flask_passkey.testing import VirtualAuthenticator, sign_up

pytestmark = pytest.mark.proves("frictions:D")


def page(error: Exception) -> tuple[str, int]:
    """Answer any error with a page, as many apps do."""
    return "<h1>The app's own page</h1>", 500


class Reply(Schema):
    """What the resources return."""

    money = fields.Integer()


#: What adds something that answers ``GET /money``: to an app, behind decorators, by a call.
Add = Callable[..., None]


def view_of(decorators: tuple[Any, ...], call: Callable[[], object]) -> Any:
    """Return a function for a view or a method, behind decorators."""

    def view(*_: object) -> Any:
        call()
        return {"money": 5}

    return reduce(lambda inner, decorate: decorate(inner), decorators, view)


def plain_view(site: App, *decorators: Any, call: Callable[[], object] = int) -> None:
    """Add a view."""
    site.app.add_url_rule("/money", "money", view_of(decorators, call))


def method_view(site: App, *decorators: Any, call: Callable[[], object] = int) -> None:
    """Add a class of Flask's own."""

    class Money(MethodView):
        get = view_of((), call)

    Money.decorators = list(decorators)
    site.app.add_url_rule("/money", view_func=Money.as_view("money"))


def restx(site: App, *decorators: Any, call: Callable[[], object] = int) -> None:
    """Add a resource of Flask-RESTX."""

    class Money(flask_restx.Resource):  # type: ignore[misc]
        get = view_of(decorators, call)

    flask_restx.Api(site.app).add_resource(Money, "/money")


def restx_marshalled(site: App, *decorators: Any, call: Callable[[], object] = int) -> None:
    """Add a resource of Flask-RESTX whose answers are marshalled, whatever they are."""
    api = flask_restx.Api(site.app)
    marshal = api.marshal_with(api.model("Money", {"money": flask_restx.fields.Integer}))

    class Money(flask_restx.Resource):  # type: ignore[misc]
        get = marshal(view_of(decorators, call))

    api.add_resource(Money, "/money")


def restful(site: App, *decorators: Any, call: Callable[[], object] = int) -> None:
    """Add a resource of Flask-RESTful."""

    class Money(flask_restful.Resource):  # type: ignore[misc]
        method_decorators = list(decorators)
        get = view_of((), call)

    flask_restful.Api(site.app).add_resource(Money, "/money")


def restful_marshalled(site: App, *decorators: Any, call: Callable[[], object] = int) -> None:
    """Add a resource of Flask-RESTful whose answers are marshalled, whatever they are."""
    marshal = flask_restful.marshal_with({"money": flask_restful.fields.Integer})

    class Money(flask_restful.Resource):  # type: ignore[misc]
        get = marshal(view_of(decorators, call))

    flask_restful.Api(site.app).add_resource(Money, "/money")


def smorest(site: App, *decorators: Any, call: Callable[[], object] = int) -> None:
    """Add a view of flask-smorest."""
    site.app.config.update(API_TITLE="Money", API_VERSION="1", OPENAPI_VERSION="3.0.2")
    api = flask_smorest.Api(site.app)
    blueprint = flask_smorest.Blueprint("money", "money")

    class Money(MethodView):
        get = blueprint.response(200, Reply)(view_of(decorators, call))

    blueprint.route("/money")(Money)
    api.register_blueprint(blueprint)


KINDS = [plain_view, method_view, restx, restx_marshalled, restful, restful_marshalled, smorest]
rest = pytest.mark.parametrize("add", KINDS, ids=lambda add: add.__name__)
modes = pytest.mark.parametrize("config", [{}, {"TESTING": False, "PASSKEY_RP_ID": "localhost"}], ids=["test", "live"])


def signed_up(site: App) -> FlaskClient:
    """Return the browser of somebody who has just signed up."""
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    return client


@rest
@modes
def test_required_answers_as_in_a_plain_view(add: Add, config: Any) -> None:
    """401 for nobody, 40091 for a stale sign-in, and the view's own answer for a fresh one."""
    site = make_app(config)
    add(site, site.passkey.required(max_age=60))
    response = site.app.test_client().get("/money")
    assert (response.status_code, response.get_json()["code"]) == (401, 401)
    assert response.get_json()["msg"] == SignInRequired.message
    client = signed_up(site)
    assert client.get("/money").get_json() == {"money": 5}
    with client.session_transaction() as session:
        session["_passkey"] = {**session["_passkey"], "at": 0}
    response = client.get("/money")
    assert (response.status_code, response.get_json()["code"]) == (403, 40091)


@rest
@modes
def test_the_apps_handler_decides_there_too(add: Add, config: Any) -> None:
    """Where the app has a handler for the refusal it answers, once; one for all errors is not for ours."""
    site = make_app(config)
    told: list[Refusal] = []

    @site.app.errorhandler(SignInRequired)
    def to_the_sign_in(refusal: SignInRequired) -> Any:
        told.append(refusal)
        return "", 302, {"Location": "/sign-in"}

    site.app.register_error_handler(Exception, page)
    add(site, site.passkey.required())
    response = site.app.test_client().get("/money")
    assert (response.status_code, response.headers["Location"], len(told)) == (302, "/sign-in", 1)
    client = signed_up(site)
    with client.session_transaction() as session:
        del session["_passkey"]
    assert client.get("/money").get_json()["code"] == 40091


@rest
@modes
def test_whatever_refuses_in_a_resource_is_answered(add: Add, config: Any) -> None:
    """It is not the decorator alone: every public call that refuses is answered as in a plain view."""
    site = make_app(config)
    add(site, call=lambda: site.passkey.list_passkeys())
    response = site.app.test_client().get("/money")
    assert (response.status_code, response.get_json()["code"]) == (401, 401)
    assert signed_up(site).get("/money").get_json() == {"money": 5}


@rest
def test_an_apps_own_decorator_may_catch_it(add: Add) -> None:
    """A refusal is an exception until Flask answers it."""

    def redirecting(view: Any) -> Any:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                return view(*args, **kwargs)
            except SignInRequired:
                return {"money": 0}

        return wrapper

    site = make_app()
    add(site, site.passkey.required(), redirecting)
    assert site.app.test_client().get("/money").get_json() == {"money": 0}


def test_other_errors_stay_with_the_extension() -> None:
    """What is not ours is answered by the extension that put itself in front."""
    site = make_app()
    api = flask_restx.Api(site.app)

    @api.errorhandler(ZeroDivisionError)  # type: ignore[untyped-decorator]
    def divided(error: ZeroDivisionError) -> Any:
        return {"message": "divided"}, 418

    @api.route("/money")
    class Money(flask_restx.Resource):  # type: ignore[misc]
        def get(self) -> Any:
            return 1 / 0

    client = site.app.test_client()
    for _ in range(2):
        assert (client.get("/money").status_code, client.get("/money").get_json()) == (418, {"message": "divided"})
