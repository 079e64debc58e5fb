"""The fixtures of ``flask_passkey.testing.plugin`` and the examples of docs/howto/testing.md, run by another pytest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", (ROOT / "docs" / "howto" / "testing.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)
(CONFTEST,) = (block for block in BLOCKS if "pytest_plugins" in block)
#: An app with passwords and no sign-up, at another site.
WITH_PASSWORDS = """
import pytest
from apps import make_app
from flask_passkey.testing import add_passkey, sign_in
from test_signing_out import with_password

pytest_plugins = ["flask_passkey.testing.plugin"]

@pytest.fixture
def app():
    config = {"PASSKEY_RP_ID": "example.com", "PASSKEY_URL_PREFIX": "/account", "SESSION_COOKIE_SECURE": True}
    return with_password(make_app(config, sign_up=False)).app

@pytest.fixture
def passkey_enter():
    def enter(client, authenticator):
        client.post("/in/eve")
        add_passkey(client, authenticator, prefix="/account")
    return enter
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with tests, from which this repository can be imported."""
    paths = (ROOT, ROOT / "tests")
    monkeypatch.setenv("PYTHONPATH", ":".join(map(str, paths)))
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    return pytester


def outcomes(run: pytest.Pytester) -> dict[str, int]:
    """Run the tests in the folder; return how many passed or failed."""
    result = run.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    return result.parseoutcomes()


@pytest.mark.slow
def test_examples_run(run: pytest.Pytester) -> None:
    """The tests in docs/howto/testing.md pass with the conftest.py that stands there, but those that need more."""
    needs_more = ("pytest_plugins", "live_server", "passkey_enter")
    examples = [block for block in BLOCKS if not any(word in block for word in needs_more)]
    run.makeconftest(CONFTEST)
    run.makepyfile("\n\n".join(examples))
    assert outcomes(run) == {"passed": 4}


@pytest.mark.slow
def test_names_can_be_overridden(run: pytest.Pytester) -> None:
    """Another name is another account, and both fixtures mean the same passkey."""
    run.makeconftest(CONFTEST)
    run.makepyfile(
        """
        import pytest
        from flask_passkey.testing import step_up

        @pytest.fixture
        def passkey_name():
            return "grace"

        def test_name(passkey_client, passkey_authenticator, passkey_origin):
            [credential] = passkey_authenticator.credentials
            assert credential.user_name == "grace"
            assert step_up(passkey_client, passkey_authenticator)["user"]["name"] == "grace"
            assert passkey_authenticator.origin == passkey_origin == "http://localhost:5000"
        """
    )
    assert outcomes(run) == {"passed": 1}


@pytest.mark.slow
def test_an_app_with_passwords_on_https(run: pytest.Pytester) -> None:
    """The way in can be overridden; requests go to the site, so that cookies for https come back."""
    run.makeconftest(WITH_PASSWORDS)
    run.makepyfile(
        """
        def test_list(passkey_client, app):
            answer = passkey_client.get("/account/user/authn")
            assert len(answer.json["data"]["credentials"]) == 1
            assert answer.request.url == "https://example.com/account/user/authn"
            assert passkey_client.get(path="/page").request.url == "https://example.com/page"
            assert passkey_client.get("/page", base_url="http://localhost").request.host == "localhost"
            assert app.test_client().get("/account/user/authn").status_code == 401
        """
    )
    assert outcomes(run) == {"passed": 1}


def test_every_fixture_is_documented() -> None:
    """docs/howto/testing.md has each fixture."""
    from flask_passkey.testing import plugin

    document = (ROOT / "docs" / "howto" / "testing.md").read_text("utf-8")
    assert [name for name in plugin.__all__ if f"| `{name}` |" not in document] == []


def test_nobody_pays_who_does_not_use_it() -> None:
    """The kit imports neither pytest nor Playwright; the plugin is loaded by nobody's pytest by itself."""
    code = "import sys, flask_passkey.testing, flask_passkey.testing.playwright as p; "
    code += "assert not {'pytest', 'playwright'} & set(sys.modules), sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
    assert "pytest11" not in (ROOT / "setup.cfg").read_text("utf-8")
