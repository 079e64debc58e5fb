"""An app with Flask-Migrate, for tests/test_migrations.py: ``python migrating_app.py SCENARIO FOLDER``.

It runs in a process of its own, as the ``env.py`` of Flask-Migrate sets up the logging of the whole process.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import flask_migrate
from apps import SITE
from cachelib import SimpleCache
from flask import Flask
from flask_login import LoginManager, UserMixin
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import inspect

from flask_passkey import Passkey, SQLCredentialRepository, add_tables_to
from flask_passkey.testing import Refused, VirtualAuthenticator, sign_in, sign_up

SCENARIO, FOLDER = sys.argv[1], Path(sys.argv[2])
VERSIONS = FOLDER / "migrations" / "versions"
warnings: list[str] = []
app, db, passkey = Flask(__name__, instance_path=str(FOLDER)), SQLAlchemy(), Passkey()


class Keep(logging.Handler):
    """Keeps what is warned of."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        if record.name == "flask_passkey.databases" and record.levelno == logging.WARNING:
            warnings.append(record.getMessage())


class Account(UserMixin, db.Model):  # type: ignore[name-defined, misc]
    """An account."""

    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80))


def use_databases() -> None:
    """Set the two other extensions up."""
    db.init_app(app)
    flask_migrate.Migrate(app, db, directory=str(FOLDER / "migrations"))


def start() -> None:
    """Set everything up: Flask-Migrate first or last."""
    app.config.update(TESTING=True, SECRET_KEY="x", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite:///app.sqlite3")
    if SCENARIO == "apart":
        app.config["PASSKEY_DATABASE_URI"] = f"sqlite:///{FOLDER}/passkeys.sqlite3"
    if SCENARIO == "joined":
        add_tables_to(db.metadata)
    Session(app)
    repository = SQLCredentialRepository(session=db.session)
    steps: list[Any] = [
        lambda: passkey.init_app(app, credentials=None if SCENARIO == "apart" else repository),
        use_databases,
    ]
    for step in steps if SCENARIO != "migrate first" else reversed(steps):
        step()
    LoginManager(app).user_loader(lambda user_id: db.session.get(Account, int(user_id)))

    @passkey.create_user
    def create_user(name: str, display_name: str) -> Account:
        account = Account(name=name)
        db.session.add(account)
        (db.session.commit if SCENARIO == "apart" else db.session.flush)()
        return account


def migrate() -> list[list[str]]:
    """Let Alembic write a migration, and return the operations of each that there is."""
    with app.app_context():
        flask_migrate.migrate()
    return [operations(file) for file in sorted(VERSIONS.glob("*.py"), key=lambda file: file.stat().st_mtime_ns)]


def operations(file: Path) -> list[str]:
    """Return what the upgrade of a migration does."""
    upgrade = file.read_text("utf-8").split("def downgrade")[0]
    return [line.strip().rstrip(",") for line in upgrade.splitlines() if line.strip().startswith(("op.", "batch_op."))]


def main() -> None:
    """Run the scenario, and print what came of it."""
    logging.getLogger().addHandler(Keep())
    start()
    ada, result = VirtualAuthenticator(SITE), {}
    with app.app_context():
        flask_migrate.init()
        if SCENARIO != "joined":
            Account.metadata.create_all(db.engine, [Account.__table__])
    if SCENARIO != "joined":
        sign_up(app.test_client(), ada, "ada")
    else:
        try:
            sign_up(app.test_client(), ada, "ada")
        except Refused as refusal:
            result["before"] = refusal.code
    result["first"] = migrate()
    with app.app_context():
        flask_migrate.upgrade()
        result["tables"] = sorted(inspect(db.engine).get_table_names())
    if SCENARIO == "joined":
        ada = VirtualAuthenticator(SITE)
        sign_up(app.test_client(), ada, "ada")
    result["user"] = sign_in(app.test_client(), ada)["user"]["name"]
    result["second"] = migrate()
    print("RESULT", json.dumps(result | {"warnings": warnings}))


main()
