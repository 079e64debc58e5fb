"""The apps in the folder ``examples``, for tests."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
#: In the order of docs/tutorials/examples.md.
NAMES = ["sqlite3", "login", "factory", "security", "spa"]
#: What an app imports that not everybody has who runs the tests.
NEEDS = {"factory": "flask_talisman", "login": "flask_migrate", "security": "flask_security", "spa": "flask_cors"}


def require(name: str) -> None:
    """Skip the test where an extension that the app uses is not installed."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"pip install {NEEDS[name].replace('_', '-')}")


@contextmanager
def app_of(name: str, folder: Path, **config: Any) -> Iterator[Any]:
    """Give an example's app with its tables, and close its database in the end."""
    require(name)
    module = load(name, folder)
    app = module.create_app({"TESTING": True, **config})
    db = getattr(module, "db", None)
    with app.app_context():
        if db is not None:
            db.create_all()  # in place of migrations
    yield app
    with app.app_context():
        if db is not None:
            db.session.remove()
            db.engine.dispose()
        app.extensions["passkey"].credentials.close()


def load(name: str, folder: Path) -> ModuleType:
    """Copy an app with passkeys into a folder, where its instance folder will be, and import it from there."""
    copied = shutil.copytree(EXAMPLES / name / "after", folder / name)
    spec = importlib.util.spec_from_file_location(f"example_{name}", copied / "app.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
