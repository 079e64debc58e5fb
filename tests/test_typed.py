"""The package's types, as apps see them: right hooks pass mypy --strict and pyright, wrong ones do not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flask_passkey import Passkey

ROOT = Path(__file__).parent.parent
APP, WRONG = ROOT / "tests" / "typed" / "app.py", ROOT / "tests" / "typed" / "wrong_hook.py"
#: Flask-Session has no types.
STRICT = ["--strict", "--config-file=", "--disable-error-code=import-untyped"]
MYPY = [sys.executable, "-m", "mypy", *STRICT, "--cache-dir"]
PYRIGHT = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
CHECKERS = ["mypy", "pyright"]
#: The hooks that a type checker must know.
HOOKS = {name for name in vars(Passkey) if "Set ``(" in (getattr(Passkey, name).__doc__ or "")}

pytestmark = pytest.mark.slow


def errors(checker: str, file: Path, cache: Path) -> list[tuple[int, str]]:
    """Let a type checker look at a file as at an app's; return line and text of what it calls an error."""
    command = [*MYPY, str(cache)] if checker == "mypy" else PYRIGHT
    found = subprocess.run([*command, str(file)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert found.returncode in (0, 1), found.stdout + found.stderr
    errors = re.findall(rf"{file.name}:(\d+)(?::\d+ -|:) error: (.+)", found.stdout)
    assert bool(errors) == bool(found.returncode), found.stdout
    return [(int(line), text) for line, text in errors]


def marked(file: Path) -> dict[int, str]:
    """Return the lines that are marked as wrong, with the hook or class that each names."""
    lines = enumerate(file.read_text("utf-8").splitlines(), 1)
    return {
        number: re.findall(r"\w+", line.partition("(")[0])[-1] for number, line in lines if line.endswith("# wrong")
    }


@pytest.mark.parametrize("checker", CHECKERS)
def test_an_app_that_does_as_it_should_has_no_errors(checker: str, tmp_path: Path) -> None:
    """Hooks of the documented signatures pass, coroutines too, and what an app gets from the extension has a type."""
    assert errors(checker, APP, tmp_path) == []


@pytest.mark.parametrize("checker", CHECKERS)
def test_wrong_hooks_are_errors(checker: str, tmp_path: Path) -> None:
    """Each wrong hook is an error at its decorator, and nothing else is one."""
    assert {line for line, _ in errors(checker, WRONG, tmp_path)} == set(marked(WRONG))


@pytest.mark.parametrize("file", [APP, WRONG], ids=lambda file: file.stem)
def test_every_hook_is_there(file: Path) -> None:
    """A hook that is added to the extension is added to both files."""
    assert {*re.findall(r"^@passkey\.(\w+)", file.read_text("utf-8"), re.MULTILINE)} >= HOOKS
