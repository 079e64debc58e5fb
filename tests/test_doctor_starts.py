"""What `flask passkey check --json` says of an app that does not start: findings, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.cli import ScriptInfo

from flask_passkey import Passkey
from flask_passkey.cli import passkey as commands

pytestmark = pytest.mark.proves("frictions:V")


def app_with(*, pages: bool, blueprint: str) -> Flask:
    """Return an app that registers a blueprint under a name of ours, after us."""
    app = Flask("late")
    app.config.update(TESTING=True, SECRET_KEY="x", PASSKEY_CEREMONY_STORE="database", PASSKEY_DATABASE_URI="sqlite://")
    Passkey(app, pages=pages)
    app.register_blueprint(Blueprint(blueprint, __name__))
    return app


@pytest.mark.parametrize(
    ("create", "id_", "fix"),
    [
        (lambda: Flask("plain"), "settings.refused", "Write passkey = Passkey(app)"),
        (lambda: app_with(pages=False, blueprint="passkey"), "routes.blueprint-name", "blueprint_name='webauthn'"),
        (lambda: app_with(pages=True, blueprint="passkey_pages"), "routes.blueprint-name", "Blueprint('my_pages', …)"),
    ],
)
def test_json_whatever_is_wrong(create: Any, id_: str, fix: str) -> None:
    """A program that reads the findings reads the reason, and the status is 1."""
    found = Flask("runner").test_cli_runner().invoke(commands, ["check", "--json"], obj=ScriptInfo(create_app=create))
    (finding,) = json.loads(found.stdout)
    assert (found.exit_code, finding["severity"], finding["id"]) == (1, "error", id_)
    assert fix in finding["fix"]


def test_other_errors_come_out() -> None:
    """What an app raises at start is the app's to mend, and is shown as it is."""

    def create() -> Flask:
        raise ValueError("'passkey' is no colour")

    found = Flask("runner").test_cli_runner().invoke(commands, ["check"], obj=ScriptInfo(create_app=create))
    assert isinstance(found.exception, ValueError)
