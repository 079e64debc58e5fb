"""Compares answers with the OpenAPI document, more strictly than a client may: no member may be there unmentioned."""

from __future__ import annotations

import copy
from typing import Any

from flask import Flask, Response, request
from openapi_schema_validator import OAS31Validator, oas31_format_checker

#: What may have members that are not in the document: an app's own, or those of later browsers.
OPEN = {"SignedIn", "RequestOptions", "CreationOptions", "AuthenticationResponse", "RegistrationResponse"}


class Conformance:
    """Judges answers by a document.

    :param document: the OpenAPI document.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = copy.deepcopy(document)
        for name, schema in self._document["components"]["schemas"].items():
            if name not in OPEN and "properties" in schema:
                schema["additionalProperties"] = False
        #: What was answered, by operation and HTTP status.
        self.seen: set[tuple[str, int]] = set()

    def watch(self, app: Flask) -> None:
        """Judge each answer of an app's routes of ours from now on."""

        def judge(answer: Response) -> Response:
            if request.url_rule and request.blueprint == "passkey" and self.operation() is not None:
                self.judge(answer)
            return answer

        app.after_request_funcs.setdefault(None, []).append(judge)

    def operation(self) -> dict[str, Any] | None:
        """Return what the document says of the current request."""
        path = str(request.url_rule).replace("<", "{").replace(">", "}")
        found: dict[str, Any] | None = self._document["paths"].get(path, {}).get(request.method.lower())
        return found

    def judge(self, answer: Response) -> None:
        """Compare an answer to the current request.

        :raises AssertionError: its status is not documented, or its envelope is another.
        """
        operation = self.operation()
        assert operation is not None
        self.seen.add((operation["operationId"], answer.status_code))
        documented = operation["responses"].get(str(answer.status_code))
        assert documented, f"{operation['operationId']} answered {answer.status_code}: {answer.get_data(as_text=True)}"
        problems = self.problems(documented["content"][answer.mimetype]["schema"], answer.get_json())
        assert not problems, f"{operation['operationId']} {answer.status_code}: {problems} {answer.get_json()}"
        assert answer.headers["Cache-Control"] == "no-store"

    def problems(self, schema: dict[str, Any], value: object) -> list[str]:
        """Return what is wrong with a value by a schema of the document."""
        whole = {**schema, "components": self._document["components"]}
        validator = OAS31Validator(whole, format_checker=oas31_format_checker)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
