"""docs/reference/attributes.md has every attribute of ``passkey.js``, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.proves("frictions:own-list")

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reference" / "attributes.md").read_text("utf-8")
STATIC = ROOT / "flask_passkey" / "static"
MODULE = "".join((STATIC / name).read_text("utf-8") for name in ("passkey-core.js", "passkey-client.js", "passkey.js"))


def in_kebab(name: str) -> str:
    """Return the attribute of a member of ``dataset``."""
    return "data-" + re.sub("[A-Z]", lambda letter: f"-{letter[0].lower()}", name)


def test_every_attribute_is_explained() -> None:
    """The table has what the script looks at, by its name or as a member of ``dataset``, and nothing more."""
    explained = {"data-passkey-code", *re.findall(r"^\| `(data-passkey[a-z-]*)` \|", PAGE, re.MULTILINE)}
    read = set(re.findall(r"data-passkey(?:-[a-z]+)*", MODULE))
    read |= set(map(in_kebab, re.findall(r"\b(?:dataset\??\.|\bdataset: \{ |, )?(passkey[A-Z][a-z]+)\b", MODULE)))
    assert explained == read
