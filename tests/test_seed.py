"""The document the contract grew out of: its example is what ``PUT /session/authn`` answers."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from clean_seed import clean
from flask import Flask
from openapi_core import OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from openapi_core.exceptions import OpenAPIError
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from demo import create_app

HERE = Path(__file__).parent
#: The document as its authors gave it, which is not ours to copy.
ORIGINAL = os.environ.get("PASSKEY_TEST_ORIGINAL")
DOCUMENT = yaml.safe_load((HERE / "data" / "prepare-passkey-sign-in.yaml").read_text("utf-8"))
EXAMPLE = DOCUMENT["paths"]["/session/authn"]["put"]["responses"]["200"]["content"]["application/json"]["example"]


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """The demo, as in the example on an IP address."""
    return create_app({"TESTING": True, "INSTANCE_PATH": str(tmp_path), "PASSKEY_RP_ID": "127.0.0.1"})


def begin(app: Flask) -> TestResponse:
    """Begin a sign-in as somebody the app has never seen."""
    return app.test_client().put("/session/authn")


def validated(answer: TestResponse) -> None:
    """Validate an answer with an OpenAPI validator."""
    request, response = WerkzeugOpenAPIRequest(answer.request), WerkzeugOpenAPIResponse(answer)
    OpenAPI.from_dict(DOCUMENT).validate_response(request, response)


def shape(value: Any) -> Any:
    """Replace every plain value by its type."""
    return {key: shape(item) for key, item in value.items()} if isinstance(value, dict) else type(value).__name__


def test_document_is_valid() -> None:
    """The cleaned document is valid OpenAPI 3.0."""
    validate(DOCUMENT)


@pytest.mark.skipif(not ORIGINAL, reason="the original is not part of the repository: PASSKEY_TEST_ORIGINAL names it")
def test_document_is_the_cleaned_original() -> None:
    """Nothing in the cleaned document was written by hand."""
    assert ORIGINAL
    assert clean(yaml.safe_load(Path(ORIGINAL).read_text("utf-8"))) == DOCUMENT


def test_answer_fits_the_document(app: Flask) -> None:
    """What the demo answers to a stranger is valid by the document."""
    validated(begin(app))


@pytest.mark.parametrize("missing", ["session_id", "options"])
def test_validator_sees_a_missing_member(app: Flask, missing: str) -> None:
    """The validator does look at the answer: without one of its members it is refused."""
    answer = begin(app)
    envelope = answer.get_json()
    del envelope["data"][missing]
    answer.set_data(app.json.dumps(envelope))
    with pytest.raises(OpenAPIError):
        validated(answer)


def test_answer_is_like_the_example(app: Flask) -> None:
    """Every member of the example is there with the same type; only the browser's options may have more."""
    envelope = begin(app).get_json()
    options = envelope["data"]["options"]["publicKey"]
    envelope["data"]["options"]["publicKey"] = {name: options[name] for name in EXAMPLE["data"]["options"]["publicKey"]}
    assert shape(envelope) == shape(EXAMPLE)


def test_answer_has_the_values_of_the_example(app: Flask) -> None:
    """What is not random is as in the example: five minutes, an IP address as RP ID, code 0 and no message."""
    envelope, expected = begin(app).get_json(), EXAMPLE["data"]["options"]["publicKey"]
    options = envelope["data"]["options"]["publicKey"]
    assert (options["timeout"], options["rpId"]) == (expected["timeout"], expected["rpId"])
    assert (envelope["code"], envelope["msg"]) == (EXAMPLE["code"], EXAMPLE["msg"])


def test_answer_is_random_where_the_example_is(app: Flask) -> None:
    """Session ID and challenge are of the example's kind and new every time."""
    answers = [begin(app).get_json()["data"] for _ in range(2)]
    challenges = [answer["options"]["publicKey"]["challenge"] for answer in answers]
    assert {len(challenge) for challenge in challenges} == {len(EXAMPLE["data"]["options"]["publicKey"]["challenge"])}
    assert {uuid.UUID(answer["session_id"]).version for answer in answers} == {4}
    assert len({*challenges, *(answer["session_id"] for answer in answers)}) == 4
