"""What ``flask passkey check`` says of values that an app puts into its sessions, and where."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from cachelib import FileSystemCache
from flask import Flask
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy

from flask_passkey import MemoryCredentialRepository, Passkey, SQLCredentialRepository
from flask_passkey.doctor import Finding, values

pytestmark = pytest.mark.proves("frictions:session-values")

CODE = """
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from flask import Flask, flash, session
from flask_babel import lazy_gettext as _l
from markupsafe import Markup

app = Flask(__name__)

@app.get("/")
def index():
    session["size"] = (1, 2)
    session["cart"] = {"a", "b"}
    session["visitor"] = uuid.uuid4()
    session.setdefault("since", datetime.utcnow())
    session["price"] = Decimal("1.50")
    flash(_l("Saved."), "info")
    flash(Markup("<b>Saved.</b>"))
    session["fine"] = [1, "a", {"b": None}, datetime.now(UTC).isoformat()]
    session["aware"] = datetime.now(UTC)
    session["x"], other = (1, 2)
    flash("Saved.")
    return str((1, 2))
"""
#: The lines that are told where sessions are msgpack, by the line that puts the value there.
MSGPACK = {
    "app.py:13": ("tuple", "warning", "session['size'] = list((1, 2))"),
    "app.py:14": ("set", "warning", "session['cart'] = list({'a', 'b'})"),
    "app.py:15": ("UUID", "warning", "session['visitor'] = str(uuid.uuid4())"),
    "app.py:16": ("naive datetime", "warning", "session.setdefault('since', datetime.utcnow().isoformat())"),
    "app.py:17": ("Decimal", "warning", "session['price'] = str(Decimal('1.50'))"),
    "app.py:18": ("lazy text", "error", "flash(str(_l('Saved.')))"),
    "app.py:19": ("Markup", "error", "flash(str(Markup('<b>Saved.</b>')))"),
}


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The app of a file that puts all kinds of values into its sessions, without sessions of ours yet."""
    file = tmp_path / "app.py"
    file.write_text(CODE, "utf-8")
    spec = spec_from_file_location("app_with_values", file)
    assert spec and spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    app: Flask = module.app
    app.config.update(TESTING=True, SECRET_KEY="9f2c5e1d7b3a4860f1e2d3c4b5a69788")
    return app


def found_in(app: Flask, **options: Any) -> dict[str, Finding]:
    """Return what is found, by file and line."""
    passkey = Passkey(app, **({"credentials": MemoryCredentialRepository()} | options))
    with app.app_context():
        return {finding.message.split()[0]: finding for finding in values.check(app, passkey.config)}


def test_values_that_msgpack_does_not_keep(app: Flask) -> None:
    """After the move to Flask-Session each is told with its place and the line to write, and nothing that is kept."""
    db = SQLAlchemy()
    app.config.update(SESSION_TYPE="sqlalchemy", SESSION_SQLALCHEMY=db, SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)
    Session(app)
    found = found_in(app)
    assert {at: (finding.severity, finding.fix) for at, finding in found.items()} == {
        at: (severity, line) for at, (_, severity, line) in MSGPACK.items()
    }
    assert all(f" puts a {kind} into the session" in found[at].message for at, (kind, _, _) in MSGPACK.items())
    with app.app_context():
        db.engine.dispose()


def test_values_that_cookies_do_not_keep(app: Flask, tmp_path: Path) -> None:
    """Flask's own sessions keep most of them: only what they lose is told."""
    app.config["PASSKEY_CEREMONY_STORE"] = "database"
    found = found_in(app, credentials=SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkey.sqlite3"))
    assert set(found) == {"app.py:14", "app.py:16", "app.py:17"}
    assert found["app.py:16"].message.endswith("where it becomes another datetime.")


def test_values_that_pickle_keeps(app: Flask, tmp_path: Path) -> None:
    """CacheLib keeps all that can be pickled."""
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path / "s"), threshold=0))
    Session(app)
    assert found_in(app) == {}
