"""Turn the OpenAPI document that Flask-Passkey grew out of into a valid OpenAPI 3.0 document.

The original was exported by a documentation tool that leaves its own marks in it: extra ``x-apifox-*`` members,
schemas that require a property named after an internal id, ``examples`` and siblings of ``$ref`` where OpenAPI
3.0 has neither. Validators refuse it, and its own example does not fit its own schema. Paths, members, types and
the example stay as they are. To write ``data/prepare-passkey-sign-in.yaml`` again::

    python tests/clean_seed.py ORIGINAL.yaml > tests/data/prepare-passkey-sign-in.yaml
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

_INTERNAL_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


def clean(node: Any) -> Any:
    """Return the document, or any part of it, without the marks of the tool.

    :param node: what a YAML parser read; it is not changed.
    """
    if isinstance(node, list):
        return [clean(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    kept = {key: clean(value) for key, value in node.items() if not _is_a_mark(key, value)}
    if isinstance(kept.get("required"), list):
        kept["required"] = [name for name in kept["required"] if not _INTERNAL_ID.fullmatch(name)]
    if "examples" in kept:
        kept["example"] = kept.pop("examples")[0]
    return {key: value for key, value in kept.items() if key != "required" or value}


def _is_a_mark(key: str, value: object) -> bool:
    """Tell what only the tool reads, and the empty list of servers, which would mean that there is none."""
    return key.startswith("x-") or (key == "servers" and value == [])


if __name__ == "__main__":
    original = yaml.safe_load(Path(sys.argv[1]).read_text("utf-8"))
    print(yaml.safe_dump(clean(original), sort_keys=False, allow_unicode=True, width=120), end="")
