"""The examples: each app's own tests pass before it got passkeys and after, and the page that shows the difference."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from example_apps import EXAMPLES, NAMES, app_of, require
from often import seldom_but
from test_docs import ROOT

pytestmark = pytest.mark.proves("frictions:pages")

#: Runs an app's tests; with "without" neither we nor the package webauthn can be imported, which comes with us.
RUN = """
import sys, pytest
if sys.argv[1] == "without":
    sys.modules["flask_passkey"] = sys.modules["webauthn"] = None
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-rA", "test_app.py"]))
"""


def named_tests(name: str, side: str) -> set[str]:
    """Return the names of an app's tests."""
    lines = (EXAMPLES / name / side / "test_app.py").read_text("utf-8").splitlines()
    return {line.removeprefix("def ").partition("(")[0] for line in lines if line.startswith("def test_")}


@pytest.mark.slow
@pytest.mark.parametrize("side", seldom_but(["after"], ["before", "after"]))
@pytest.mark.parametrize("name", seldom_but(["spa"], NAMES))
def test_own_tests_pass(name: str, side: str, tmp_path: Path) -> None:
    """All of an app's own tests pass: before where there is no Flask-Passkey, after with it."""
    require(name)
    folder = shutil.copytree(EXAMPLES / name / side, tmp_path / side)
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", RUN, "without" if side == "before" else "with"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = {line.partition("::")[2].partition(" ")[0] for line in done.stdout.splitlines() if "PASSED" in line}
    assert passed == named_tests(name, side)


@pytest.mark.parametrize("name", NAMES)
def test_after_has_the_tests_of_before_and_signs_in(name: str) -> None:
    """No test of an app was given up for passkeys, and its new ones add passkeys, sign in and delete the account."""
    before, after = named_tests(name, "before"), named_tests(name, "after")
    assert before < after
    assert {"test_a_passkey_signs_in", "test_passkeys_go_with_the_account"} <= after


@pytest.mark.parametrize("name", NAMES)
def test_only_public_names_are_used(name: str) -> None:
    """An app imports what any app may: the top level, errors, names, signals and the test kit."""
    lines = [line for file in (EXAMPLES / name).rglob("*.py") for line in file.read_text("utf-8").splitlines()]
    modules = {line.split()[1] for line in lines if line.startswith(("from flask_passkey", "import flask_passkey"))}
    public = {"flask_passkey", *(f"flask_passkey.{part}" for part in ("errors", "names", "signals", "testing"))}
    assert modules and modules <= public


@pytest.mark.parametrize("name", NAMES)
def test_the_doctor_finds_nothing(name: str, tmp_path: Path) -> None:
    """`flask passkey check` has nothing to say of an example."""
    with app_of(name, tmp_path) as app:
        done = app.test_cli_runner().invoke(args=["passkey", "check", "--json"])
    # Old versions have holes, which is right to say where the tests run with them.
    found = [finding for finding in json.loads(done.stdout) if not finding["id"].startswith("versions.")]
    assert (done.exit_code, found) == (0, []), done.output


def test_the_page_is_up_to_date() -> None:
    """docs/tutorials/examples.md has every example, with the difference as it is and lines as they are counted."""
    spec = importlib.util.spec_from_file_location("make_examples", ROOT / "docs" / "make_examples.py")
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert list(made.COMMANDS) == NAMES
    assert made.page() == made.PAGE.read_text("utf-8"), "run python docs/make_examples.py"
