"""The README is true: its code runs, its commands stand at the top, its links lead somewhere."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from test_docs import leads_somewhere

from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
#: Where GitHub has the files of the repository, and its pictures.
IN_REPOSITORY = (
    "https://github.com/flask-passkey/flask-passkey/blob/main/",
    "https://raw.githubusercontent.com/flask-passkey/flask-passkey/main/",
)
FIRST_SCREEN = 61  # lines


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


@pytest.mark.proves("frictions:open-account")
def test_first_app_signs_up_and_in(readme_app: ModuleType) -> None:
    """It is complete: somebody can sign up, and sign in with another browser; its page knows."""
    authenticator = VirtualAuthenticator("http://localhost:5000")
    sign_up(readme_app.app.test_client(), authenticator, "ada")
    client = readme_app.app.test_client()
    assert "You are not signed in." in client.get("/").text and "<form hidden" not in client.get("/").text
    assert sign_in(client, authenticator)["user"]["name"] == "ada"
    assert "You are signed in." in client.get("/").text and "<form hidden" in client.get("/").text
    assert "Each of them signs you in as ada." in client.get("/passkeys").text


@pytest.mark.proves("frictions:simple-cache")
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
    """The test that it shows passes in the first app."""
    for block in blocks("python")[1:]:
        exec(compile(block, "README.md", "exec"), vars(readme_app))
    readme_app.test_sign_in(readme_app.app.test_client())


def test_quickstart_is_the_same_app() -> None:
    """The site's quickstart explains the README's app, letter by letter."""
    assert blocks("python")[0] in (ROOT / "docs" / "start" / "quickstart.md").read_text("utf-8")


@pytest.mark.proves("frictions:readme-links")
def test_links_lead_somewhere() -> None:
    """Every link and picture has a full address, as a package index wants it; those of the repository are there."""
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert not [target for target in targets if not target.startswith("https://")]
    here = [target.removeprefix(prefix) for target in targets for prefix in IN_REPOSITORY if target.startswith(prefix)]
    assert len(here) > 30
    assert not [path for path in here if not leads_somewhere(ROOT, path)]
