"""The references: a bare view, the bare work, and views as a careful developer would write them."""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
import uuid
from typing import Any

import stores
from flask import Flask, abort, current_app, jsonify, request, session
from passkeys import RP_ID, Passkeys
from webauthn import generate_authentication_options, options_to_json, verify_authentication_response
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.structs import UserVerificationRequirement
from wsgi import SITE

SECONDS = 300
SELECT = "SELECT public_key, sign_count, user_id, user_handle FROM credential WHERE id = ?"
UPDATE = (
    "UPDATE credential SET sign_count = ?, last_used_at = ? WHERE id = ?"
    " AND (sign_count < ? OR sign_count = 0 AND ? = 0)"
)


class Table:
    """Credentials in SQLite, through its driver, with a connection for each thread."""

    def __init__(self, passkeys: Passkeys) -> None:
        self._path = f"{stores.folder()}/credentials.sqlite3"
        self._local = threading.local()
        with self.connection() as connection:
            connection.execute(
                "CREATE TABLE credential (id BLOB PRIMARY KEY, public_key BLOB, sign_count INTEGER,"
                " user_id TEXT, user_handle BLOB, last_used_at REAL)"
            )
            connection.executemany(
                "INSERT INTO credential VALUES (?, ?, ?, ?, ?, NULL)",
                [(r.id, r.public_key, r.sign_count, r.user_id, r.user_handle) for r in passkeys.records()],
            )

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        if not hasattr(self._local, "connection"):
            self._local.connection = sqlite3.connect(self._path)
            self._local.connection.execute("PRAGMA journal_mode=WAL")
            self._local.connection.execute("PRAGMA synchronous=NORMAL")
        connection: sqlite3.Connection = self._local.connection
        return connection

    def sign_in(self, response: dict[str, Any], challenge: bytes) -> str | None:
        """Verify a response and store its use; return the user's id, ``None`` if there is none."""
        connection, key = self.connection(), base64url_to_bytes(response["rawId"])
        row = connection.execute(SELECT, (key,)).fetchone()
        if row is None or base64url_to_bytes(response["response"]["userHandle"]) != row[3]:
            return None
        verified = verify_authentication_response(
            credential=response,
            expected_challenge=challenge,
            expected_rp_id=RP_ID,
            expected_origin=SITE,
            credential_public_key=row[0],
            credential_current_sign_count=row[1],
            require_user_verification=True,
        )
        count = verified.new_sign_count
        stored = connection.execute(UPDATE, (count, time.time(), key, count, count)).rowcount == 1
        connection.commit()
        return str(row[2]) if stored else None


class Prims:
    """The work of a finish and nothing else: no Flask, no JSON of the request, a dictionary of challenges."""

    def __init__(self) -> None:
        self._passkeys = Passkeys()
        self._table = Table(self._passkeys)
        self._challenges: dict[str, bytes] = {}
        self._failed = 0

    def make(self, count: int) -> list[Any]:
        jobs = []
        for _ in range(count):
            options = generate_authentication_options(rp_id=RP_ID)
            session_id = str(uuid.uuid4())
            self._challenges[session_id] = options.challenge
            jobs.append((session_id, self._passkeys.answer(options_to_json_dict(options))))
        return jobs

    def run(self, jobs: list[Any]) -> None:
        for session_id, response in jobs:
            if self._table.sign_in(response, self._challenges.pop(session_id)) is None:
                self._failed += 1

    def check(self) -> None:
        assert not self._failed


def bare() -> Flask:
    """Return an app that answers a constant to both requests."""
    app = Flask("bare")
    options = options_to_json(generate_authentication_options(rp_id=RP_ID))
    constant = {"code": 0, "msg": "", "data": {"session_id": str(uuid.uuid4()), "options": {"publicKey": options}}}
    app.add_url_rule("/session/authn", "view", lambda: jsonify(constant), methods=["PUT", "POST"])
    return app


def careful(store: str, *, login: bool = False, passkeys: Passkeys | None = None) -> Flask:
    """The app with both views written by hand: one record a ceremony, bound to the browser, used once.

    :param login: keep who is signed in, in a session with a new id.
    """
    app = Flask("careful")
    stores.configure(app, store)
    table = Table(passkeys) if passkeys else None

    @app.put("/session/authn")
    def begin() -> Any:
        options = generate_authentication_options(
            rp_id=RP_ID, timeout=SECONDS * 1000, user_verification=UserVerificationRequirement.REQUIRED
        )
        session_id, browser = str(uuid.uuid4()), request.cookies.get("browser")
        new = None if browser else secrets.token_urlsafe(32)
        challenge = bytes_to_base64url(options.challenge)
        stores.put(current_app, store, f"passkey:{session_id}:{browser or new}", challenge, SECONDS)
        data = {"session_id": session_id, "options": {"publicKey": options_to_json_dict(options)}}
        answer = jsonify(code=0, msg="", data=data)
        answer.headers["Cache-Control"] = "no-store"
        if new:
            answer.set_cookie("browser", new, httponly=True, samesite="Lax")
        return answer

    @app.post("/session/authn")
    def finish() -> Any:
        body, browser = request.get_json(), request.cookies.get("browser", "")
        challenge = stores.take(current_app, store, f"passkey:{body['session_id']}:{browser}")
        if challenge is None or table is None:
            abort(404)
        user_id = table.sign_in(body["response"], base64url_to_bytes(challenge))
        if user_id is None:
            abort(401)
        if login:
            current_app.session_interface.regenerate(session)  # type: ignore[attr-defined]
            session["user_id"] = user_id
        answer = jsonify(code=0, msg="", data={"user": {"id": user_id}})
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return app
