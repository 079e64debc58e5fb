"""How long an import takes: ``python bench/imports.py [HOW MANY] [DATABASE URL]``.

A table as better-auth has it, with a key for each passkey and two passkeys an account, goes into a new SQLite file or
the database of the URL, and then once more, when all are there already.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cachelib import SimpleCache
from flask import Flask
from flask_session import Session

from flask_passkey import Passkey, SQLCredentialRepository
from flask_passkey.cli import passkey as command
from flask_passkey.testing import VirtualCredential, b64url_encode

MANY = 100_000


def main() -> None:
    """Make the table, import it twice, and print the seconds of each."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    with tempfile.TemporaryDirectory() as folder:
        peer = Path(folder, "peer.sqlite3")
        fill(peer, many)
        app = make_app(sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{folder}/passkeys.sqlite3", many)
        for _ in range(2):
            start = time.perf_counter()
            result = app.test_cli_runner().invoke(command, ["import", "--from", "better-auth", str(peer)])
            seconds = time.perf_counter() - start
            report = " ".join(result.output.split("\n"))
            print(f"{seconds:.1f} s, {seconds / many * 1e6:.0f} µs each: {report}", flush=True)
    print(f"At most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB of memory.")


def fill(path: Path, many: int) -> None:
    """Write the peer's table."""
    connection = sqlite3.connect(path)
    connection.execute(
        'CREATE TABLE passkey (id integer primary key, name text, "publicKey" text, "userId" text, "credentialID" text,'
        ' counter integer, "deviceType" text, "backedUp" integer, transports text, "createdAt" date, aaguid text)'
    )
    connection.executemany(f"INSERT INTO passkey VALUES ({', '.join('?' * 11)})", rows(many))
    connection.commit()
    connection.close()


def rows(many: int) -> Iterator[tuple[Any, ...]]:
    """Yield rows of the peer's table."""
    for number in range(many):
        credential = VirtualCredential(rp_id="localhost", user_handle=os.urandom(32))
        key = b64encode(credential.cose_key()).decode()
        identity = (f"user {number // 2}", b64url_encode(credential.id))
        yield number, "Phone", key, *identity, 0, "multiDevice", 1, "internal,hybrid", "2024-05-01T10:00:00.000Z", ""


def make_app(uri: str, many: int) -> Flask:
    """Return an app that has all the accounts."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="x", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Session(app)
    passkey = Passkey(app, credentials=SQLCredentialRepository.from_uri(uri))
    users = {f"user {number}" for number in range((many + 1) // 2)}
    passkey.load_user(lambda user_id: SimpleNamespace(id=user_id, name=user_id) if user_id in users else None)
    passkey.get_current_user(lambda: None)
    passkey.login_user(lambda user: None)
    return app


if __name__ == "__main__":
    main()
