"""Schemathesis makes requests from the OpenAPI document, and holds every answer of the demo against it.

Its own plugin for pytest is not needed, and off in setup.cfg: to import it takes two seconds of every run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from demo import create_app
from flask_passkey.testing import VirtualAuthenticator, b64url_encode, sign_up

SITE = "http://localhost:5000"
#: Flask-Login would suspect a session that goes on with another one.
BROWSER = "schemathesis"
#: For each operation, kind of visitor and kind of request; the same ones each time.
EXAMPLES = settings(
    max_examples=12,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = (
    ("/session/authn", "put"),
    ("/session/authn", "post"),
    ("/session/authn/password", "post"),
    ("/user/authn", "put"),
    ("/user/authn", "post"),
    ("/user/authn", "get"),
    ("/user/authn", "delete"),
    ("/user/authn/{credential_id}", "patch"),
    ("/user/authn/{credential_id}", "delete"),
    ("/passkey/icons/{aaguid}/{theme}", "get"),
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The demo, with its document and without its limits."""
    folder = tmp_path_factory.mktemp("demo")
    return create_app({"INSTANCE_PATH": str(folder), "PASSKEY_OPENAPI": True, "RATELIMIT_ENABLED": False})


class Visitor:
    """Sends what Schemathesis made.

    :param signed_in: has just signed up; then ids in requests become those of a passkey and a ceremony that are there,
        so that there is more to do than to find nothing.
    """

    def __init__(self, app: Flask, *, signed_in: bool) -> None:
        self.client: FlaskClient = app.test_client()
        self.client.environ_base["HTTP_USER_AGENT"] = BROWSER
        self.passkey_id = ""
        #: HTTP statuses of the answers.
        self.statuses = Counter[int]()
        if signed_in:
            sign_up(self.client, authenticator := VirtualAuthenticator(SITE), f"ada {id(self)}")
            self.passkey_id = b64url_encode(authenticator.credentials[0].id)

    def send(self, case: Case[Any]) -> None:
        """Send a request, and hold the answer against the document.

        :raises AssertionError: it is not what is documented.
        """
        if self.passkey_id:
            self._aim(case)
        sent = case.as_transport_kwargs(headers={"User-Agent": BROWSER})
        answer = self.client.open(**sent, base_url=SITE)
        self.statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    def _aim(self, case: Case[Any]) -> None:
        if "credential_id" in (case.path_parameters or {}):
            case.path_parameters["credential_id"] = self.passkey_id
        if case.method == "POST" and isinstance(case.body, dict) and "session_id" in case.body:
            case.body["session_id"] = self.client.put(case.operation.path).get_json()["data"]["session_id"]


@pytest.fixture(scope="module")
def schema(app: Flask) -> BaseSchema:
    """The document, as Schemathesis reads it."""
    return schemathesis.openapi.from_wsgi("/passkey/openapi.json", app)


@pytest.fixture(scope="module")
def summary() -> Iterator[Counter[int]]:
    """What was answered, by HTTP status; printed at the end."""
    found = Counter[int]()
    yield found
    print(f"\nSchemathesis: {found.total()} requests, answered with {dict(sorted(found.items()))}")


def drive(visitor: Visitor, requests: SearchStrategy[Case[Any]]) -> None:
    """Let a visitor send some requests."""

    @EXAMPLES
    @given(case=requests)
    def run(case: Case[Any]) -> None:
        visitor.send(case)

    run()


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_answers_are_as_documented(
    app: Flask, schema: BaseSchema, summary: Counter[int], path: str, method: str
) -> None:
    """Good and bad requests of strangers and users end in no 5xx; each answer has a documented status and shape."""
    for signed_in in (False, True):
        visitor = Visitor(app, signed_in=signed_in)
        drive(visitor, schema[path][method].as_strategy())
        assert visitor.statuses, "nothing was sent"
        with suppress(Unsatisfiable):  # older releases cannot bend what has no body
            drive(visitor, schema[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE))
        summary.update(visitor.statuses)


def test_every_operation_is_driven(app: Flask) -> None:
    """The list of operations is that of the document."""
    document: dict[str, Any] = app.test_client().get("/passkey/openapi.json").get_json()
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == set(OPERATIONS)
