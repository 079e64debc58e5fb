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


def errors(checker: str, cache: Path) -> list[tuple[str, int, str]]:
    """Let a type checker look at both files as at apps; return file, line and text of what it calls an error."""
    command = [*MYPY, str(cache)] if checker == "mypy" else PYRIGHT
    found = subprocess.run([*command, APP, WRONG], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert found.returncode == 1, found.stdout + found.stderr
    errors = re.findall(r"(\w+\.py):(\d+)(?::\d+ -|:) error: (.+)", found.stdout)
    return [(file, int(line), text) for file, line, text in errors]


def marked(file: Path) -> dict[int, str]:
    """Return the lines that are marked as wrong, with the hook or class that each names."""
    lines = enumerate(file.read_text("utf-8").splitlines(), 1)
    return {
        number: re.findall(r"\w+", line.partition("(")[0])[-1] for number, line in lines if line.endswith("# wrong")
    }


@pytest.mark.parametrize("checker", CHECKERS)
def test_wrong_hooks_are_errors_and_right_ones_are_not(checker: str, tmp_path: Path) -> None:
    """Each wrong hook is an error at its decorator, and nothing else is one: coroutines pass, and what an app gets."""
    found = errors(checker, tmp_path)
    assert [text for file, _, text in found if file == APP.name] == []
    assert {(file, line) for file, line, _ in found} == {(WRONG.name, line) for line in marked(WRONG)}


@pytest.mark.parametrize("file", [APP, WRONG], ids=lambda file: file.stem)
def test_every_hook_is_there(file: Path) -> None:
    """A hook that is added to the extension is added to both files."""
    assert {*re.findall(r"^@passkey\.(\w+)", file.read_text("utf-8"), re.MULTILINE)} >= HOOKS
