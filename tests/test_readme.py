"""The README is true: its code runs, its commands stand at the top, its table of settings is complete."""

from __future__ import annotations

import re
import sys
from dataclasses import MISSING, Field, fields
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flask_passkey import Passkey, PasskeyConfig
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
FIRST_SCREEN = 61  # lines
SETTING = re.compile(r"^\| `PASSKEY_([A-Z_]+)` \| (.+?) \| .+ \|$", re.MULTILINE)
HOOK = re.compile(r"^\| `@passkey\.(\w+)` \|", re.MULTILINE)


def blocks(language: str) -> list[str]:
    """Return the README's blocks of code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def readme_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The first block of Python as a file ``app.py`` in an empty folder, imported there."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "app.py"
    file.write_text(blocks("python")[0], "utf-8")
    spec = spec_from_file_location("readme_app", file)
    assert spec and spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_begins_with_a_name_and_an_app() -> None:
    """The first line is the name, and an app begins before line 12."""
    lines = README.splitlines()
    assert lines[0] == "# Flask-Passkey"
    assert lines.index("```python") < 12


def test_has_two_commands() -> None:
    """The commands that start the demo and run the tests, each one line of shell, are on the first screen."""
    first_screen = README.splitlines()[:FIRST_SCREEN]
    commands = [line for line in first_screen if line.startswith("python3 -m venv .venv && ")]
    assert [command.rpartition(" && .venv/bin/")[2].split()[0] for command in commands] == ["flask", "pytest"]


def test_first_app_begins_a_sign_in(readme_app: ModuleType) -> None:
    """The first app runs as it is written and answers a stranger."""
    envelope = readme_app.app.test_client().put("/session/authn").get_json()
    assert (envelope["code"], envelope["data"]["options"]["publicKey"]["rpId"]) == (0, "localhost")


def test_first_app_signs_up_and_in(readme_app: ModuleType) -> None:
    """It is complete: somebody can sign up, and sign in with another browser; its page knows."""
    authenticator = VirtualAuthenticator("http://localhost:5000")
    sign_up(readme_app.app.test_client(), authenticator, "ada")
    client = readme_app.app.test_client()
    assert "You are not signed in." in client.get("/").text and "<form hidden" not in client.get("/").text
    assert sign_in(client, authenticator)["user"]["name"] == "ada"
    assert "You are signed in." in client.get("/").text and "<form hidden" in client.get("/").text
    assert "Each of them signs you in as ada." in client.get("/passkeys").text


def test_first_app_is_not_scolded(caplog: pytest.LogCaptureFixture, readme_app: ModuleType) -> None:
    """We warn of nothing that the README shows, neither at start nor at the first sign-in."""
    sign_up(readme_app.app.test_client(), VirtualAuthenticator("http://localhost:5000"), "ada")
    records = [*caplog.get_records("setup"), *caplog.records]
    assert not [record.getMessage() for record in records if record.levelname != "INFO"]


def test_script_of_the_first_app_is_there(readme_app: ModuleType) -> None:
    """The page loads its scripts from where they are."""
    client = readme_app.app.test_client()
    sources = re.findall(r'src="(.+?)"', client.get("/").text)
    assert len(sources) == 2, "the module, and what old browsers run instead"
    for source in sources:
        with client.get(source) as answer:
            assert answer.mimetype == "text/javascript"


def test_other_code_runs(readme_app: ModuleType) -> None:
    """The other blocks of Python run in the first app, in their order, before its first request."""
    for block in blocks("python")[1:]:
        exec(compile(block, "README.md", "exec"), vars(readme_app))
    client, authenticator = readme_app.app.test_client(), VirtualAuthenticator("http://localhost:5000")
    sign_up(client, authenticator, "ada", passkey_name="Blue key")
    assert client.get("/labels").get_json() == ["Blue key"]


def default_of(field: Field[Any]) -> str:
    """Return how the table writes a setting's default: a dash for what is not set, else as in Python."""
    value = field.default if field.default_factory is MISSING else field.default_factory()
    if value in (None, "", (), {}):
        return "–"
    return f"`{list(value) if isinstance(value, tuple) else value!r}`"


def test_table_of_settings_is_complete() -> None:
    """Every setting is in the table with its default, in the order of the code."""
    assert SETTING.findall(README) == [(field.name.upper(), default_of(field)) for field in fields(PasskeyConfig)]


def test_table_of_hooks_is_complete() -> None:
    """Every hook is in the table, and nothing that is none."""
    hooks = {name for name in dir(Passkey) if "Set ``(" in (getattr(Passkey, name).__doc__ or "")}
    assert set(HOOK.findall(README)) == hooks


def test_names_settings_that_exist() -> None:
    """Every setting that is mentioned anywhere exists."""
    known = {field.name.upper() for field in fields(PasskeyConfig)}
    assert set(re.findall(r"PASSKEY_([A-Z_]+)", README)) <= known


def test_links_lead_somewhere() -> None:
    """Every link to a file of the repository leads to one."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    assert not [target for target in targets if not (Path(__file__).parent.parent / target).exists()]
