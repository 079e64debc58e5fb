"""The document: operations, schemas and codes, put together by apspec."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from ..config import PasskeyConfig
from ..errors import MalformedRequest, Refusal
from ..web import schemas
from . import answers, examples
from .codes import CODES, Code, code_of, malformed
from .operations import OPERATIONS, WELL_KNOWN, Operation, WellKnown, summary_of

_VERSION = "3.1.0"
_DESCRIPTION = """\
Passkey sign-in, sign-up and what an account does with its passkeys.

Every answer is an envelope: `code` is `0` in a success, else one of the table; `msg` is a sentence for people; `data` \
is the result. A failure has a `correlation_id`, under which the reason is in the log and in the signal of the app.

A ceremony is begun with PUT and finished with POST, in the same browser: what is pending is bound to a cookie \
(`passkey_…`, on https `__Host-passkey_…`), used up by the first finish, and gone after the `timeout`. Binary values \
are unpadded base64url. Browsers send `Origin`, which has to be the app's; no CSRF token is needed. What the app \
itself or one of its extensions refuses keeps its HTTP status.

| code | HTTP | | `msg` |
|---|---|---|---|
"""
_ALWAYS_200 = "Every answer has the HTTP status 200: the app has `PASSKEY_HTTP_STATUS = False`.\n\n"
_ICON: dict[str, Any] = {
    "operationId": "provider_icon",
    "summary": summary_of("provider_icon"),
    "description": "Its address is in `provider` of a credential.",
    "security": [],
    "parameters": [
        {"name": "aaguid", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "theme", "in": "path", "required": True, "schema": {"type": "string", "enum": ["light", "dark"]}},
    ],
}


def document(config: PasskeyConfig, *, root: str = "", session_cookie: str = "session") -> dict[str, Any]:
    """Return the OpenAPI document of an app's routes.

    :param root: path that the app itself is below, as a server tells by ``SCRIPT_NAME``.
    :param session_cookie: ``SESSION_COOKIE_NAME`` of the app.
    """
    plugin = MarshmallowPlugin(schema_name_resolver=_name)
    spec = APISpec(
        title="Flask-Passkey",
        version=importlib.metadata.version("Flask-Passkey"),
        openapi_version=_VERSION,
        plugins=[plugin],
        info={"description": _description(config)},
        servers=[{"url": f"{root}{config.url_prefix}" or "/"}],
    )
    _extend(plugin.converter)
    spec.components.security_scheme("session", {"type": "apiKey", "in": "cookie", "name": session_cookie})
    for schema in (answers.AuthenticationResponse, answers.RegistrationResponse):  # referred to by name
        spec.components.schema(schema.__name__, schema=schema)
    for operation in OPERATIONS:
        spec.path(operation.path, operations={operation.method: _operation(operation, config)})
    spec.path("/passkey/icons/{aaguid}/{theme}", operations={"get": _icon(config)})
    for known in WELL_KNOWN:
        if known.is_served(config):
            spec.path(known.path, operations={"get": _well_known(known)})
    return dict(spec.to_dict())


def _name(schema: Any) -> str:
    return str(getattr(schema, "__name__", type(schema).__name__))


def _extend(converter: Any) -> None:
    """Teach apispec our own kinds of fields, and that JSON Schema knows no ``\\Z``."""

    def own_kinds(_: Any, field: Any, **__: Any) -> dict[str, str]:
        kinds: tuple[tuple[type, str], ...] = ((schemas.Flag, "boolean"), (schemas.Texts, "object"))
        return next(({"type": kind} for cls, kind in kinds if isinstance(field, cls)), {})

    def portable_pattern(_: Any, field: Any, ret: dict[str, Any], **__: Any) -> dict[str, str]:
        pattern = ret.get("pattern", "")
        return {"pattern": f"^{pattern.removesuffix(chr(92) + 'Z')}$"} if pattern.endswith("\\Z") else {}

    converter.add_attribute_function(own_kinds)
    converter.add_attribute_function(portable_pattern)


def _description(config: PasskeyConfig) -> str:
    rows = [f"| {code.code} | {code.status} | {code.meaning} | {code.message} |" for code in CODES]
    return ("" if config.http_status else _ALWAYS_200) + _DESCRIPTION + "\n".join(rows)


# One operation


def _operation(operation: Operation, config: PasskeyConfig) -> dict[str, Any]:
    security: list[dict[str, list[str]]] = [{"session": []}] if operation.signed_in is not False else []
    members: dict[str, Any] = {
        "operationId": operation.view,
        "summary": operation.summary,
        "tags": ["Session" if operation.path.startswith("/session") else "User"],
        "security": security if operation.signed_in else [{}, *security],
        "responses": _responses(operation, config),
    }
    if operation.description:
        members["description"] = operation.description
    if operation.parameters:
        members["parameters"] = list(operation.parameters)
    if operation.bodies:
        members["requestBody"] = _body(operation)
    return members


def _body(operation: Operation) -> dict[str, Any]:
    first, *others = operation.bodies
    content = {
        "schema": {"anyOf": list(operation.bodies)} if others else first,
        "examples": {purpose: {"value": body} for purpose, body in operation.requests.items()},
    }
    return {"required": not operation.may_be_empty, "content": {"application/json": content}}


def _responses(operation: Operation, config: PasskeyConfig) -> dict[str, Any]:
    """Return the answers by HTTP status; all under 200 where the app wants that."""
    success = _answer(answers.success(operation.data), "Success.", {"success": _succeeded(operation.example)})
    found = {200: success}
    if operation.is_batch:
        found[207] = _answer(answers.PartlyDone, "A part of it could not be done.", {"partly": _partly(operation)})
    for status, refusals in _by_status(operation.all_refusals):
        found[status] = _refused(refusals)
    if not config.http_status:
        found = {200: _together(found.values())}
    return {str(status): found[status] for status in sorted(found)}


def _by_status(refusals: Iterable[type[Refusal]]) -> Iterator[tuple[int, list[type[Refusal]]]]:
    ordered = sorted(refusals, key=lambda kind: (kind.status, kind.code))
    yield from ((status, list(kinds)) for status, kinds in groupby(ordered, key=lambda kind: kind.status))


def _refused(kinds: list[type[Refusal]]) -> dict[str, Any]:
    codes = [code_of(kind) for kind in kinds]
    numbers = list(dict.fromkeys(code.code for code in codes))
    schema = {"allOf": [answers.Failure, {"properties": {"code": {"enum": numbers}}}]}
    meanings = "\n".join(f"- `{code.code}`: {code.meaning}" for code in codes)
    return _answer(schema, meanings, {code.error: _failed(code) for code in codes})


def _answer(schema: Any, description: str, values: dict[str, Any]) -> dict[str, Any]:
    content = {"schema": schema, "examples": {name: {"value": value} for name, value in values.items()}}
    return {
        "description": description,
        "headers": {"Cache-Control": {"schema": {"type": "string", "enum": ["no-store"]}}},
        "content": {"application/json": content},
    }


def _together(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return one answer that may be any of these."""
    contents = [answer["content"]["application/json"] for answer in found]
    values = {name: example["value"] for content in contents for name, example in content["examples"].items()}
    first, *_ = found
    description = "Success, or a failure: see `code`."
    return first | _answer({"anyOf": [content["schema"] for content in contents]}, description, values)


# Examples


def _succeeded(data: dict[str, Any]) -> dict[str, Any]:
    return schemas.success(data)


def _failed(code: Code) -> dict[str, Any]:
    message = malformed("session_id") if code.error == MalformedRequest.__name__ else code.message
    return {"code": code.code, "msg": message, "data": None, "correlation_id": examples.CORRELATION_ID}


def _partly(operation: Operation) -> dict[str, Any]:
    failures = {examples.NOT_DELETED: _failed(next(code for code in CODES if code.error == "CredentialNotFound"))}
    return schemas.partly_done(operation.example, failures, correlation_id=examples.CORRELATION_ID)


# Routes beside the contract's envelope


def _icon(config: PasskeyConfig) -> dict[str, Any]:
    missing = next(code for code in CODES if code.error == "CredentialNotFound")
    found = {
        "description": "The icon.",
        "content": {kind: {"schema": {}} for kind in ("image/svg+xml", "image/png", "image/webp")},
    }
    failure = _answer(answers.Failure, "No icon is known.", {missing.error: _failed(missing)})
    if config.http_status:
        return _ICON | {"responses": {"200": found, "404": failure}}
    return _ICON | {"responses": {"200": found | {"content": found["content"] | failure["content"]}}}


def _well_known(known: WellKnown) -> dict[str, Any]:
    schema = {"type": "array", "items": known.data} if known.many else known.data
    return {
        "operationId": known.view,
        "summary": known.summary,
        "security": [],
        "tags": ["Well-known"],
        "servers": [{"url": "/"}],
        "responses": {"200": {"description": "The document.", "content": {"application/json": {"schema": schema}}}},
    }
