"""The site that Sphinx makes of ``docs``: ``nox -s docs`` builds it, and needs what the tests do not have."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from test_docs import ROOT

pytestmark = pytest.mark.proves("frictions:python-reference")

DOCS = ROOT / "docs"


def loaded(file: Path) -> ModuleType:
    """Return a file of ``docs`` as a module: they are no package."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


repository = loaded(DOCS / "_ext" / "repository.py")
HERE = "https://github.com/flask-passkey/flask-passkey"


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[a](stores.md#which-one)", "[a](stores.md#which-one)"),
        ("[a](../../README.md#your-users)", f"[a]({HERE}/blob/main/README.md#your-users)"),
        ("[a](../../deploy)", f"[a]({HERE}/tree/main/deploy)"),
        ("[a](../../SECURITY.md#threat-model)", "[a](/understanding/threat-model.md#threat-model)"),
        ("[a](https://example.com/../b) and [c](#d)", "[a](https://example.com/../b) and [c](#d)"),
        ("```html\n[a](../../README.md)\n```", "```html\n[a](../../README.md)\n```"),
    ],
)
def test_links_out_of_the_site(link: str, shown: str) -> None:
    """A relative link to a file beside ``docs`` leads to the repository, or to the page that the site makes of it."""
    assert repository.outwards(link, "docs/howto/page.md") == shown


def test_links_into_the_site() -> None:
    """What the site takes from beside ``docs`` links to its pages."""
    assert repository.outwards("[a](docs/howto/b.md#c)", "CHANGES.md") == "[a](/howto/b.md#c)"


def test_source_of_what_is_documented() -> None:
    """The reference leads to the lines in the repository; what has none leads nowhere."""
    address = repository.source_of("py", {"module": "flask_passkey", "fullname": "Passkey.forget_user"})
    assert address.startswith(f"{HERE}/blob/main/flask_passkey/extension.py#L")
    assert repository.source_of("py", {"module": "flask_passkey", "fullname": "metadata"}) is None
    assert repository.source_of("py", {"module": "flask_passkey.errors", "fullname": "Refusal.code"}) is None
