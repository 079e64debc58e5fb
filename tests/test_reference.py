"""The reference in ``docs/reference`` is complete: settings, hooks, errors, commands and every public name."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from blinker import NamedSignal
from test_docs import ROOT
from test_site import DOCS, loaded

import flask_passkey
from flask_passkey import Passkey, contracts, errors, signals, testing

REFERENCE = DOCS / "reference"
DIRECTIVE = re.compile(r"^\.\. (?:auto\w+|py:data):: flask_passkey\.(\S+)$", re.MULTILINE)
HOOK = re.compile(r"^\| `@passkey\.(\w+)` \|", re.MULTILINE)
ERROR = re.compile(r"^\| (\d+) \| (\d+) \| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
made = loaded(DOCS / "make_reference.py")
#: What repositories do is said once, where it is promised.
PROMISED = {*vars(flask_passkey.CredentialRepository), *vars(flask_passkey.GrantRepository)}


def public_names() -> set[str]:
    """Return all that an app may import, by its name below ``flask_passkey``."""
    names = set(flask_passkey.__all__)
    names |= {f"testing.{name}" for name in testing.__all__} | {f"contracts.{name}" for name in contracts.__all__}
    names |= {f"signals.{name}" for name, value in vars(signals).items() if isinstance(value, NamedSignal)}
    raised = (value for value in vars(errors).values() if isinstance(value, type))
    return names | {f"errors.{error.__name__}" for error in raised if issubclass(error, errors.PasskeyError)}


def documented_names() -> list[str]:
    """Return what the reference takes from docstrings."""
    return [name for page in sorted(REFERENCE.glob("*.md")) for name in DIRECTIVE.findall(page.read_text("utf-8"))]


def found(name: str) -> Any:
    """Return what has a dotted name below ``flask_passkey``."""
    module, _, attribute = f"flask_passkey.{name}".rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def members(documented: type) -> Iterator[tuple[str, object]]:
    """Yield the public methods and properties that a class defines itself."""
    for name, value in vars(documented).items():
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
            yield f"{documented.__name__}.{name}", value


@pytest.mark.parametrize("page", made.PAGES)
def test_pages_made_from_the_code(page: str) -> None:
    """Settings and commands are as the code has them, with their defaults and their help."""
    assert made.PAGES[page]() == (REFERENCE / f"{page}.md").read_text("utf-8"), "run python docs/make_reference.py"


def test_every_setting_is_explained() -> None:
    """Every setting has a comment in the code, of which the page is made."""
    assert not [name for name, comment in made.comments().items() if not comment]


def test_every_public_name_is_documented() -> None:
    """What an app may import is in the reference, each once; errors that both rooms have, where errors are."""
    names = documented_names()
    both = {name for name in flask_passkey.__all__ if hasattr(errors, name)}
    assert public_names() - both <= set(names)
    assert {f"errors.{name}" for name in both} <= set(names)
    assert sorted(set(names)) == sorted(names)


def test_what_is_documented_exists_and_says_something() -> None:
    """Everything that the reference names is there; classes, functions and their methods have docstrings."""
    things = {name: found(name) for name in documented_names() if not name.startswith("signals.")}
    things |= {name: value for thing in [*things.values()] if isinstance(thing, type) for name, value in members(thing)}
    explained = {name: value for name, value in things.items() if callable(value) or isinstance(value, property)}
    assert len(explained) > 100
    silent = [name for name, value in explained.items() if not inspect.getdoc(value)]
    assert not [name for name in silent if name.partition(".")[2] not in PROMISED]


def test_table_of_hooks_is_complete() -> None:
    """Every hook is in the table, and nothing that is none."""
    hooks = {name for name in dir(Passkey) if "Set ``(" in (getattr(Passkey, name).__doc__ or "")}
    assert set(HOOK.findall((REFERENCE / "hooks.md").read_text("utf-8"))) == hooks


def test_table_of_errors_is_complete() -> None:
    """Every refusal is in the table with its code and status, and with cause, who sees it and what to do."""
    table = ERROR.findall((REFERENCE / "errors.md").read_text("utf-8"))
    refusals = {
        error.__name__: (str(error.code), str(error.status))
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.Refusal) and error is not errors.Refusal
    }
    assert {name: (code, status) for code, status, name, *_ in table} == refusals
    assert all(all(cell.strip() for cell in row) for row in table)


def test_settings_are_grouped() -> None:
    """Every group of settings begins with one that there is, and every link for more is of one."""
    names = set(made.comments())
    assert set(made.GROUPS) <= names
    assert set(made.MORE) <= names
    assert next(iter(made.comments())) in made.GROUPS
    assert ROOT == made.ROOT
