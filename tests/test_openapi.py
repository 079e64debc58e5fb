"""The OpenAPI document: valid, complete, and what the routes really answer."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from apps import SITE, App, make_app
from clean_seed import clean
from conforming import Conformance
from flask import Flask
from fuzz import Fuzzer
from openapi_spec_validator import validate

from flask_passkey import ConfigurationError, Passkey, PasskeyConfig, RelyingParty, errors
from flask_passkey.openapi import CODES, OPERATIONS, document
from flask_passkey.testing import (
    Refused,
    VirtualAuthenticator,
    add_passkey,
    b64url_encode,
    enrol,
    sign_in,
    sign_up,
    step_up,
)

HERE = Path(__file__).parent
SEED = yaml.safe_load((HERE / "data" / "prepare-passkey-sign-in.yaml").read_text("utf-8"))
ORIGINAL = os.environ.get("PASSKEY_TEST_ORIGINAL")

#: Settings with which an app has every route there is.
EVERYTHING = {
    "PASSKEY_RELATED_ORIGINS": ["https://other.example"],
    "PASSKEY_ENDPOINTS": {"manage": "https://localhost/passkeys"},
    "PASSKEY_ANDROID_APPS": {"com.example.app": [":".join(["AB"] * 32)]},
    "PASSKEY_APPLE_APPS": ["ABCDE12345.com.example.app"],
}
#: The use case behind each view, by which its refusals are checked.
USE_CASES = {
    "begin_sign_in": ("begin_sign_in", "begin_step_up"),
    "finish_sign_in": ("finish_sign_in",),
    "confirm_by_password": ("require_sign_in",),
    "begin_registration": ("begin_registration", "begin_sign_up", "begin_enrolment"),
    "finish_registration": ("finish_registration",),
    "list_credentials": ("list_credentials",),
    "rename_credential": ("rename",),
    "delete_credential": ("delete",),
    "delete_credentials": ("delete",),
}


def document_of(**settings: Any) -> dict[str, Any]:
    """Return the document of an app with these settings."""
    return document(PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "localhost", **settings}))


DOCUMENT = document_of()


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and members of every operation in a document."""
    for path, methods in made["paths"].items():
        for method, members in methods.items():
            yield path, method, members


def contents(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every body and answer of a document that has an example."""
    for _, _, members in operations(made):
        found = [*members["responses"].values(), *([members["requestBody"]] if "requestBody" in members else [])]
        yield from (media for each in found for media in each["content"].values() if "examples" in media)


# The document itself


@pytest.mark.parametrize(
    "settings", [{}, EVERYTHING, {"PASSKEY_HTTP_STATUS": False}, {"PASSKEY_URL_PREFIX": "/api/v4"}]
)
def test_is_valid(settings: dict[str, Any]) -> None:
    """Whatever the settings, it is a valid document of OpenAPI 3.1."""
    made = document_of(**settings)
    assert made["openapi"] == "3.1.0"
    validate(made)


@pytest.mark.parametrize("settings", [{}, {"PASSKEY_HTTP_STATUS": False}])
def test_examples_fit_their_schemas(settings: dict[str, Any]) -> None:
    """Every body and every answer has examples, which its own schema accepts with no member unmentioned."""
    made = document_of(**settings)
    judge = Conformance(made)
    found = [(media["schema"], example["value"]) for media in contents(made) for example in media["examples"].values()]
    assert len(found) > 2 * len(OPERATIONS)
    assert not [(problems, value) for schema, value in found if (problems := judge.problems(schema, value))]


def test_every_route_is_in_it() -> None:
    """Routes and methods are those of the app, but for HEAD and OPTIONS, files and the document itself."""
    site = make_app({**EVERYTHING, "PASSKEY_ORIGINS": ["https://localhost"]})
    served = {
        (re.sub("<(.+?)>", r"{\1}", rule.rule), method.lower())
        for rule in site.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.startswith("passkey")
        and rule.endpoint.rpartition(".")[2] not in ("static", "method_not_allowed")
    }
    assert {(path, method) for path, method, _ in operations(document_of(**EVERYTHING))} == served
    assert {path for path, _, _ in operations(DOCUMENT)} < {path for path, _ in served}


def test_every_code_is_in_it() -> None:
    """All classes of refusals have a row in the table, and one of the operations can answer it."""
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.Refusal)}
    assert {code.error for code in CODES} - {""} == {kind.__name__ for kind in kinds} - {"Refusal"}
    answered = {refusal for operation in OPERATIONS for refusal in operation.all_refusals}
    assert kinds - answered == {errors.Refusal, errors.MethodNotAllowed}
    for code in CODES:
        assert f"| {code.code} | {code.status} | {code.meaning} | {code.message} |" in DOCUMENT["info"]["description"]


def test_refusals_are_those_of_the_use_cases() -> None:
    """What a use case raises by its docstring, the operation answers by the document."""
    for operation in OPERATIONS:
        raised = {name for case in USE_CASES[operation.view] for name in _raised_by(getattr(RelyingParty, case))}
        assert raised <= {refusal.__name__ for refusal in operation.all_refusals}, operation.view
        assert raised or operation.view == "list_credentials"


def _raised_by(case: Any) -> set[str]:
    return set(re.findall(r":raises (\w+):", case.__doc__ or ""))


def test_a_prefix_is_in_the_server() -> None:
    """Paths are those of the contract; what is in front of them is in the server, and the site's root elsewhere."""
    config = PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "localhost", "PASSKEY_URL_PREFIX": "/api/v4", **EVERYTHING})
    made = document(config, root="/below")
    assert made["servers"] == [{"url": "/below/api/v4"}]
    assert made["paths"]["/.well-known/webauthn"]["get"]["servers"] == [{"url": "/"}]
    assert DOCUMENT["servers"] == [{"url": "/"}]


def test_page_is_made_of_it() -> None:
    """docs/reference/http.md is what its script makes of the document."""
    spec = importlib.util.spec_from_file_location("make_http", HERE.parent / "docs" / "make_http.py")
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.page() == made.PAGE.read_text("utf-8"), "run python docs/make_http.py"


# What the routes answer


@pytest.fixture
def watched() -> tuple[App, Conformance]:
    """An app each of whose answers is compared with the document."""
    site = make_app({"PASSKEY_USERNAME_FIRST": True}, find_user=True)
    site.has_other_methods = True
    site.passkey.check_password(lambda user, password: password == "correct")
    judge = Conformance(DOCUMENT)
    judge.watch(site.app)
    return site, judge


def test_every_success_is_as_documented(watched: tuple[App, Conformance]) -> None:
    """Sign-up, sign-in, step-up, an enrolment, a passkey more, a list, a name and deletions."""
    site, judge = watched
    client, ada, other = site.app.test_client(), VirtualAuthenticator(SITE), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada", display_name="Ada")
    sign_in(client, ada)
    step_up(client, ada)
    client.post("/session/authn/password", json={"password": "correct"})
    second = add_passkey(client, other)["id"]
    with site.app.app_context():
        token = site.passkey.invite(site.user("ada")).token
    enrol(site.app.test_client(), VirtualAuthenticator(SITE), token)
    third = next(item["id"] for item in client.get("/user/authn").get_json()["data"]["credentials"][2:])
    client.patch(f"/user/authn/{second}", json={"name": "Blue"})
    assert client.delete(f"/user/authn/{second}").status_code == 200
    assert client.delete(f"/user/authn?id={third}").status_code == 200
    assert client.delete(f"/user/authn?id={b64url_encode(ada.credentials[0].id)}&id=AAAA").status_code == 207
    assert {(operation.view, 200) for operation in OPERATIONS} | {("delete_credentials", 207)} <= judge.seen


def test_refusals_are_as_documented(watched: tuple[App, Conformance]) -> None:
    """Each operation refuses a stranger and another site's page, and a sign-in what it cannot verify."""
    site, judge = watched
    stranger, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    for operation in OPERATIONS:
        path, send = operation.path.format(credential_id="AAAA"), getattr(stranger, operation.method)
        assert send(path, headers={"Origin": "https://evil.example"}).status_code == 403
        assert send(path, json={"session_id": "47c10dd3-7e10-4950-95d5-483dbc9508e6", "response": {}}).status_code < 500
        assert operation.view in {view for view, _ in judge.seen}
    with pytest.raises(Refused):
        sign_in(stranger, ada, challenge="x" * 43)
    assert ("finish_sign_in", 401) in judge.seen and ("finish_sign_in", 404) in judge.seen


def test_bent_requests_are_answered_as_documented() -> None:
    """So are 300 good requests that were bent in one to three places."""
    fuzzer, judge = Fuzzer(seed=16), Conformance(DOCUMENT)
    judge.watch(fuzzer.site.app)
    fuzzer.run(300)
    assert len(judge.seen) > 20


def test_always_200() -> None:
    """With PASSKEY_HTTP_STATUS off the only status is 200, and that is what the document has."""
    judge, site = Conformance(document_of(PASSKEY_HTTP_STATUS=False)), make_app({"PASSKEY_HTTP_STATUS": False})
    judge.watch(site.app)
    client = site.app.test_client()
    client.get("/user/authn")
    client.put("/session/authn")
    assert judge.seen == {("list_credentials", 200), ("begin_sign_in", 200)}


def test_the_judge_sees_what_is_wrong(watched: tuple[App, Conformance]) -> None:
    """A missing member, one too many and a wrong code are seen."""
    _, judge = watched
    answer = DOCUMENT["paths"]["/user/authn"]["get"]["responses"]["200"]["content"]["application/json"]
    good = answer["examples"]["success"]["value"]
    for member, value in (("code", 1), ("data", {"credentials": []}), ("key", "secret"), ("msg", None)):
        assert judge.problems(answer["schema"], good | {member: value})
    assert not judge.problems(answer["schema"], good)


# The seed


def resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """Return what a schema refers to."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return dict(components[name]) if name else schema


def types(schema: dict[str, Any]) -> set[str]:
    """Return the types that a schema allows, in both versions of OpenAPI."""
    found = schema["type"]
    return {*(found if isinstance(found, list) else [found]), *(["null"] if schema.get("nullable") else [])}


def wider(ours: dict[str, Any], seeds: dict[str, Any], components: dict[str, Any], at: str = "$") -> list[str]:
    """Return where our schema allows what the seed's does not."""
    ours = resolved(ours, components)
    found = [] if types(ours) <= types(seeds) else [f"{at}: {types(ours)} instead of {types(seeds)}"]
    if "format" in seeds and ours.get("format") != seeds["format"]:
        found.append(f"{at}: another format")
    for name in seeds.get("required", ()):
        found += [] if name in ours.get("required", ()) else [f"{at}.{name}: not required"]
    for name, theirs in seeds.get("properties", {}).items():
        if name in ours.get("properties", {}):
            found += wider(ours["properties"][name], theirs, components, f"{at}.{name}")
    return found


SEEDS = [SEED, *([clean(yaml.safe_load(Path(ORIGINAL).read_text("utf-8")))] if ORIGINAL else [])]


@pytest.mark.parametrize("seed", SEEDS, ids=["cleaned", "original"][: len(SEEDS)])
class TestSeed:
    """The document is compatible with the one that the contract grew out of."""

    def test_has_its_operations(self, seed: dict[str, Any]) -> None:
        """Its paths and methods are there, without authentication where it has none."""
        for path, method, members in operations(seed):
            ours = DOCUMENT["paths"][path][method]
            assert members["security"] == [] and {} in ours["security"]
            assert not [each for each in ours.get("parameters", ()) if each["required"]]
            assert not ours.get("requestBody", {}).get("required")

    def test_answers_fit(self, seed: dict[str, Any]) -> None:
        """Whatever we answer with a status that it has, it allows."""
        for path, method, members in operations(seed):
            for status, response in members["responses"].items():
                theirs = response["content"]["application/json"]
                ours = DOCUMENT["paths"][path][method]["responses"][status]["content"]["application/json"]
                assert not wider(ours["schema"], theirs["schema"], DOCUMENT["components"]["schemas"])

    def test_its_example_fits(self, seed: dict[str, Any]) -> None:
        """Its example is an answer of ours, but for a setting that it does not show."""
        for path, method, members in operations(seed):
            example = copy.deepcopy(members["responses"]["200"]["content"]["application/json"]["example"])
            example["data"]["options"]["publicKey"]["userVerification"] = "preferred"
            ours = DOCUMENT["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
            assert not Conformance(DOCUMENT).problems(ours, example)

    def test_envelope_of_failures_fits(self, seed: dict[str, Any]) -> None:
        """Members of our failures that it has are of its types, but for data, which is null."""
        theirs = copy.deepcopy(seed["components"]["schemas"]["Response"])
        theirs["properties"].pop("data")
        components = DOCUMENT["components"]["schemas"]
        assert not wider(components["Failure"], theirs, components)

    def test_comparison_sees_a_difference(self, seed: dict[str, Any]) -> None:
        """The comparison does look: a member that is not required and another type are seen."""
        components = copy.deepcopy(DOCUMENT["components"]["schemas"])
        theirs = seed["paths"]["/session/authn"]["put"]["responses"]["200"]["content"]["application/json"]["schema"]
        components["SignInCeremony"]["required"].remove("session_id")
        components["SignInCeremony"]["properties"]["options"] = {"type": "string"}
        found = wider(components["SignInCeremonyAnswer"], theirs, components)
        assert [problem.partition(":")[0] for problem in found] == ["$.data.session_id", "$.data.options"][: len(found)]
        assert len(found) == 2


# On demand


def test_is_served_only_where_wanted() -> None:
    """Without the setting there is no such route; with it the document is there, below every prefix."""
    assert make_app().app.test_client().get("/passkey/openapi.json").status_code == 404
    site = make_app({"PASSKEY_OPENAPI": True, "PASSKEY_URL_PREFIX": "/api", "SESSION_COOKIE_NAME": "sid"})
    answer = site.app.test_client().get("/api/passkey/openapi.json", base_url="http://localhost/below")
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    made = answer.get_json()
    assert made["servers"] == [{"url": "/below/api"}]
    assert made["components"]["securitySchemes"]["session"]["name"] == "sid"


def test_command_prints_it(site: App) -> None:
    """``flask passkey openapi`` prints the same document as JSON."""
    printed = site.app.test_cli_runner().invoke(args=["passkey", "openapi"])
    assert printed.exit_code == 0, printed.output
    assert json.loads(printed.output) == json.loads(json.dumps(DOCUMENT))


def test_without_apispec(monkeypatch: pytest.MonkeyPatch, site: App) -> None:
    """Where apispec is missing, the setting is refused at start, and the command ends, with what to install."""
    for name in [name for name in sys.modules if name.startswith(("apispec", "flask_passkey.openapi"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "apispec", None)
    with pytest.raises(ConfigurationError, match=re.escape("pip install 'flask-passkey[openapi]'")):
        make_app({"PASSKEY_OPENAPI": True})
    printed = site.app.test_cli_runner().invoke(args=["passkey", "openapi"])
    assert printed.exit_code == 1 and "pip install 'flask-passkey[openapi]'" in printed.output


def test_costs_nothing_unless_asked_for() -> None:
    """An app that serves the document imports what makes it at the first request for it."""
    code = (
        "import sys; from flask import Flask; from flask_passkey import Passkey, MemoryCredentialRepository as M\n"
        "app = Flask('a'); app.config.update(TESTING=True, SECRET_KEY='k', PASSKEY_OPENAPI=True)\n"
        "app.config.update(PASSKEY_CEREMONY_STORE='flask-session', SESSION_TYPE='null')\n"
        "Passkey(app, credentials=M())\n"
        "assert not {'apispec', 'flask_passkey.openapi'} & sys.modules.keys()\n"
        "from flask_passkey.openapi import document\n"
        "assert 'apispec' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_two_apps_have_their_own() -> None:
    """Where an app tells hosts apart, the document is where the routes are."""
    app = Flask("two", host_matching=True, static_host="localhost")
    app.config.update(TESTING=True, PASSKEY_OPENAPI=True, PASSKEY_RP_ID="localhost", SESSION_TYPE="null")
    Passkey(app, host="accounts.localhost")
    rules = {(rule.host, rule.rule) for rule in app.url_map.iter_rules() if rule.rule.endswith("openapi.json")}
    assert rules == {("accounts.localhost", "/passkey/openapi.json")}
