"""Tables as other libraries make them, with passkeys of the virtual authenticator in each library's form.

Each table is written by hand after the schema of the version that is named. Passkeys that the real libraries had made
were imported in the same way, with a sign-in after each: see ``docs/howto/import.md``.
"""

from __future__ import annotations

import json
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from apps import SITE, make_app

from flask_passkey import CredentialRecord
from flask_passkey.testing import VirtualAuthenticator, b64url_encode, encode_cbor, sign_in, sign_up

#: Cloudreve's hashids of the users 1 and 44 with this salt, from the package ``hashids`` 1.3.1 of PyPI.
SALT, HASHIDS = "Cloudreve's salt", {"1": "dqhN", "44": "NY2H0"}
MADE, USED = "2024-05-01 10:00:00.250000", "2024-06-01 11:30:00"
AAGUID = "01020304-0506-0708-0910-111213141516"
#: Every model has three passkeys: a synced one of user 1, and of user 44 a security key and one more.
OWNERS = ("1", "44", "44")


@dataclass
class Made:
    """A passkey that was made at a peer."""

    key: VirtualAuthenticator
    record: CredentialRecord


def passkeys(handle_of: Callable[[str], bytes]) -> list[Made]:
    """Make the passkeys of a peer; the second is of a security key, and its counter is 3.

    :param handle_of: gives the user handle of an account.
    """
    made = []
    for number, owner in enumerate(OWNERS):
        counts = number == 1
        key = VirtualAuthenticator(SITE, sign_count_step=int(counts), aaguid=AAGUID, algorithm=(-7, -8, -257)[number])
        key.default_backup_eligibility = key.default_backup_state = not counts
        key.shared_rsa_key = True
        old = make_app()
        sign_up(old.app.test_client(), key, "old")
        for _ in range(3):
            sign_in(old.app.test_client(), key)
        [record] = old.passkey_records("old")
        key.credentials[0].user_handle = handle_of(owner)
        made.append(Made(key, replace(record, user_id=owner, user_handle=handle_of(owner), label=f"Key {number}")))
    return made


def fill(path: Path, *tables: tuple[str, Sequence[Sequence[Any]]]) -> None:
    """Make a SQLite file.

    :param tables: each a CREATE TABLE and its rows.
    """
    with sqlite3.connect(path) as connection:
        for create, rows in tables:
            connection.execute(create)
            name = create.split('"')[1]
            for row in rows:
                connection.execute(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(row))})', row)
    connection.close()


def django_otp_webauthn(path: Path) -> list[Made]:
    """django-otp-webauthn 0.10.3, after its migration 0004."""
    made = passkeys(lambda owner: owner.encode() * 32)
    fill(
        path,
        (
            'CREATE TABLE "django_otp_webauthn_webauthncredential" (id integer NOT NULL PRIMARY KEY, name varchar(64),'
            " confirmed bool, credential_type varchar(32), credential_id BLOB, public_key BLOB, transports text,"
            " sign_count integer unsigned, backup_eligible bool, backup_state bool, created_at datetime, last_used_at"
            " datetime, aaguid varchar(36), credential_id_sha256 varchar(64), discoverable bool, user_id integer)",
            [
                (
                    *(number, r.label, 1, "public-key", r.id, r.public_key, json.dumps(r.transports), r.sign_count),
                    *(r.backup_eligible, r.backup_state, MADE, USED, r.aaguid, "hash", 1, int(r.user_id)),
                )
                for number, r in enumerate((one.record for one in made), 1)
            ],
        ),
        (
            'CREATE TABLE "django_otp_webauthn_webauthnuserhandle" (handle_hex varchar(128), user_id integer NOT NULL'
            " PRIMARY KEY)",
            [((owner * 32).encode().hex(), int(owner)) for owner in sorted(set(OWNERS))],
        ),
    )
    return made


def django_allauth(path: Path) -> list[Made]:
    """django-allauth 65.21.1: handles are in base 36, and counters are those of the registration."""
    made = passkeys({"1": b"1", "44": b"18"}.__getitem__)
    rows: list[tuple[Any, ...]] = [(1, "totp", json.dumps({"secret": "JBSWY3DP"}), 1, MADE, None)]
    for number, one in enumerate(made, 2):
        data = {"name": one.record.label, "credential": registration(one.record)}
        rows.append((number, "webauthn", json.dumps(data), int(one.record.user_id), MADE, USED))
    fill(
        path,
        (
            'CREATE TABLE "mfa_authenticator" (id integer NOT NULL PRIMARY KEY, type varchar(20), data text,'
            " user_id integer, created_at datetime, last_used_at datetime)",
            rows,
        ),
    )
    return made


def registration(record: CredentialRecord) -> dict[str, Any]:
    """Write the RegistrationResponseJSON that such a record comes from."""
    flags = 0x45 | 0x08 * record.backup_eligible | 0x10 * record.backup_state
    attested = bytes.fromhex(record.aaguid.replace("-", "")) + len(record.id).to_bytes(2, "big") + record.id
    start = bytes.fromhex("49960de5880e8c687434170f6476605b8fe4aeb9a28632c7995cf3ba831d9763")  # SHA-256 of localhost
    data = start + bytes([flags]) + record.sign_count.to_bytes(4, "big") + attested + record.public_key
    attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
    return {
        "id": b64url_encode(record.id),
        "response": {"attestationObject": b64url_encode(attestation), "transports": list(record.transports)},
        "clientExtensionResults": {"credProps": {"rk": True}},
    }


def simplewebauthn(path: Path) -> list[Made]:
    """The table that the documentation of SimpleWebAuthn 13 proposes, in JSON as Node writes a Uint8Array."""
    made = passkeys(lambda owner: owner.encode() * 20)
    rows = [
        {
            "id": b64url_encode(r.id),
            "publicKey": {str(place): byte for place, byte in enumerate(r.public_key)},
            "user": int(r.user_id),
            "webauthnUserID": b64url_encode(r.user_handle),
            "counter": r.sign_count,
            "deviceType": "multiDevice" if r.backup_eligible else "singleDevice",
            "backedUp": r.backup_state,
            "transports": list(r.transports),
        }
        for r in (one.record for one in made)
    ]
    path.write_text(json.dumps(rows))
    return made


def better_auth(path: Path) -> list[Made]:
    """better-auth 1.7.25 with @better-auth/passkey 1.7.6: each passkey has a random handle, which is not kept."""
    made = passkeys(lambda owner: b"random" + owner.encode())
    fill(
        path,
        (
            'CREATE TABLE "passkey" ("id" text not null primary key, "name" text, "publicKey" text not null,'
            ' "userId" text not null, "credentialID" text not null, "counter" integer not null, "deviceType" text not'
            ' null, "backedUp" integer not null, "transports" text, "createdAt" date, "aaguid" text)',
            [
                (
                    *(str(number), r.label, b64encode(r.public_key).decode(), r.user_id, b64url_encode(r.id)),
                    *(r.sign_count, "multiDevice" if r.backup_eligible else "singleDevice", int(r.backup_state)),
                    *(",".join(r.transports), "2024-05-01T10:00:00.250Z", r.aaguid),
                )
                for number, r in enumerate(one.record for one in made)
            ],
        ),
    )
    return made


def cloudreve(path: Path) -> list[Made]:
    """Cloudreve 4, ``ent/migrate/schema.go`` at 21d158d, with the JSON of go-webauthn's ``Credential``."""
    made = passkeys(lambda owner: HASHIDS[owner].encode())
    rows = [
        (number, MADE, MADE, None, b64encode(r.id).decode(), r.label, json.dumps(_go(r)), USED, int(r.user_id))
        for number, r in enumerate((one.record for one in made), 1)
    ]
    gone = list(rows[0])
    gone[0], gone[3] = 9, MADE
    columns = "(id integer NOT NULL PRIMARY KEY, created_at datetime, updated_at datetime, deleted_at datetime"
    fill(
        path,
        (
            f'CREATE TABLE "passkeys" {columns}, credential_id text, name text, credential json, used_at datetime,'
            " user_id integer)",
            [*rows, gone],
        ),
        (f'CREATE TABLE "settings" {columns}, name text, value text)', [(1, MADE, MADE, None, "hash_id_salt", SALT)]),
        (f'CREATE TABLE "metadata" {columns}, name text, value text, is_public bool, file_id integer)', []),
    )
    return made


def _go(record: CredentialRecord) -> dict[str, Any]:
    """Write a credential as Go's encoding/json writes it: bytes in base64 with padding."""
    aaguid = bytes.fromhex(record.aaguid.replace("-", ""))
    return {
        "id": b64encode(record.id).decode(),
        "publicKey": b64encode(record.public_key).decode(),
        "attestationType": "none",
        "transport": list(record.transports),
        "flags": {
            "userPresent": True,
            "userVerified": True,
            "backupEligible": record.backup_eligible,
            "backupState": record.backup_state,
        },
        "authenticator": {
            "AAGUID": b64encode(aaguid).decode(),
            "signCount": record.sign_count,
            "cloneWarning": False,
            "attachment": "platform",
        },
        "attestation": {"clientDataJSON": None, "publicKeyAlgorithm": record.algorithm},
    }


#: Every peer but Flask-Security, whose real package is in tests/test_import_flask_security.py.
MAKERS: dict[str, Callable[[Path], list[Made]]] = {
    "django-otp-webauthn": django_otp_webauthn,
    "django-allauth": django_allauth,
    "simplewebauthn": simplewebauthn,
    "better-auth": better_auth,
    "cloudreve": cloudreve,
}
