"""Write docs/reference/http.md: the routes as their OpenAPI document describes them.

Run it as ``python docs/make_http.py``; a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask_passkey import PasskeyConfig
from flask_passkey.openapi import CODES, document

PAGE = Path(__file__).parent / "reference" / "http.md"

#: Settings with which an app has every route.
SETTINGS = {
    "PASSKEY_RP_ID": "example.com",
    "PASSKEY_RELATED_ORIGINS": ["https://example.org"],
    "PASSKEY_ENDPOINTS": {"manage": "https://example.com/passkeys"},
    "PASSKEY_ANDROID_APPS": {"com.example.app": [":".join(["AB"] * 32)]},
    "PASSKEY_APPLE_APPS": ["ABCDE12345.com.example.app"],
}
#: HTTP statuses that any route can have, which are listed once.
COMMON = ("413", "415", "429", "500", "503")
INTRODUCTION = """\
# HTTP, in full

What the routes take and answer. This page is made by `python docs/make_http.py` from the OpenAPI 3.1 document, which is
made of the schemas that read the requests. Get the document of your app, with its prefix and the names of its cookies:

```sh
pip install 'flask-passkey[openapi]'
flask --app app passkey openapi > openapi.json
```

With `PASSKEY_OPENAPI = True` it is also at `/passkey/openapi.json`, below `PASSKEY_URL_PREFIX`, where anybody can read
it.

## The envelope

Every answer is one JSON object, with `Cache-Control: no-store`:

| member | success | failure |
|---|---|---|
| `code` | `0` | one of [the codes](#codes) |
| `msg` | `""` | a sentence for people, the same for all causes of a code |
| `data` | the result | `null` |
| `correlation_id` | – | a UUID; the log and the signal `refused` have the reason under it |
| `error` | – | the reason, only where `app.debug` is on |
| `aggregated_error` | – | only of a batch: what failed, by credential ID |

`PASSKEY_HTTP_STATUS = False` answers HTTP 200 to everything; the document then says so, too. Members may be added in
later releases: ignore those that you do not know. Unknown members of a request are ignored, too.

Bodies are JSON of at most `PASSKEY_MAX_BODY` bytes, with a `Content-Type` that says so. Binary values are unpadded
base64url. Browsers send `Origin`, which has to be one of `PASSKEY_ORIGINS`; a client that sends neither `Origin` nor
`Sec-Fetch-Site` is no browser, and is not asked for it. A ceremony is finished by the client that began it: it keeps
the cookie `passkey_…` (on https `__Host-passkey_…`). What the app itself or one of its extensions refuses keeps its
HTTP status.

"""
COMMONLY = """\
Any of them may also answer 429 (code 429: a limiter of the app), 500 (50005: the app is set up wrongly, or one of its
hooks failed) and 503 (50001, 50006: a store is down). Those with a body may answer 413 (413: too large) and 415 (415:
not JSON).
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")


def page() -> str:
    """Return the page."""
    made = document(PasskeyConfig.from_mapping(SETTINGS))
    parts = [INTRODUCTION, "## Routes\n", COMMONLY]
    for path, methods in made["paths"].items():
        for method, members in methods.items():
            parts.append("\n".join(_operation(path, method, members)))
    parts.append("## Objects\n")
    names = [name for name in made["components"]["schemas"] if not name.endswith("Answer")]
    parts += ["\n".join(_object(name, made["components"]["schemas"][name])) for name in sorted(names)]
    return "\n".join([*parts, *_codes()]) + "\n"


def _operation(path: str, method: str, members: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`\n"
    yield f"{members['summary']} {members.get('description', '')}".strip() + "\n"
    for parameter in members.get("parameters", ()):
        yield f"- `{parameter['name']}` in the {parameter['in']}: {parameter.get('description', 'text.')}"
    if "parameters" in members:
        yield ""
    if "requestBody" in members:
        needed = "" if members["requestBody"]["required"] else " It may be left out."
        yield f"The body is {_kind(members['requestBody']['content']['application/json']['schema'])}.{needed}\n"
        yield from _examples(members["requestBody"]["content"]["application/json"]["examples"], "Body")
    yield "| HTTP | |"
    yield "|---|---|"
    for status, answer in members["responses"].items():
        if status in COMMON:
            continue
        kind = _kind(next(iter(answer["content"].values()))["schema"]) if int(status) < 300 else ""
        told = answer["description"].removeprefix("- ").replace("\n- ", "<br>")
        yield f"| {status} | {f'{told} {kind}'.strip()} |"
    yield ""
    answer = members["responses"]["200"]["content"].get("application/json", {})
    yield from _examples(answer.get("examples", {}), "Answer")


def _examples(examples: dict[str, Any], title: str) -> Iterator[str]:
    for name, example in examples.items():
        if example["value"]:
            yield f"{title}{'' if name == 'success' else f', {name}'}:\n"
            yield f"```json\n{json.dumps(example['value'], indent=2)}\n```\n"


def _object(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if "description" in schema:
        yield f"{schema['description']}\n"
    yield "| member | | |"
    yield "|---|---|---|"
    for member, kind in schema["properties"].items():
        optional = "" if member in schema.get("required", ()) else "Optional."
        told = " ".join(part for part in (optional, kind.get("description", "")) if part)
        yield f"| `{member}` | {_kind(kind)} | {told} |"
    yield ""


def _kind(schema: dict[str, Any]) -> str:
    """Say in a few words what a schema allows."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name.endswith("Answer"):
            return f"`data` is [{name.removesuffix('Answer')}](#{name.removesuffix('Answer').lower()})."
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "allOf"):
        if several in schema:
            return " or ".join(_kind(each) for each in schema[several])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    kinds = schema.get("type", "anything")
    text = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    return f"{text} ({schema['format']})" if "format" in schema else text


def _codes() -> Iterator[str]:
    yield "## Codes\n"
    yield "The classes are those of `flask_passkey.errors`, and the meanings their docstrings.\n"
    yield "| code | HTTP | class | means | `msg` |"
    yield "|---|---|---|---|---|"
    for code in CODES:
        name = f"`{code.error}`" if code.error else ""
        yield f"| {code.code} | {code.status} | {name} | {code.meaning} | {code.message} |"


if __name__ == "__main__":
    main()
