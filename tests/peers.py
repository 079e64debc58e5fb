"""What other relying parties have recorded, through the functions that judge real responses.

``python tests/peers.py <checkout or git directory> …`` reads the tests of each project, which are not copied here, and
prints what becomes of the responses in them. It fails if one is refused for its attestation statement: if it would be
accepted without.

Responses are found by what they are, not by how a test names them: a text or list of bytes that decodes to client data,
to an attestation object or to a key. A registration is an attestation object and the client data nearest to it. A
sign-in is client data, and whatever of the texts around them are authenticator data, a signature and a key that fit.

Each is judged on its own terms. Challenge and origin are those in its client data, and the RP ID is the one that its
authenticator data have the hash of: a domain of the origin, or a name in the file. Embedding is allowed, user
verification is not required, every algorithm is offered, and attestation is not asked for.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import cbor2
from rehearsal import ADA, HANDLES, REGISTERED, configured, finish_registration, finish_sign_in

from flask_passkey.ceremonies.authenticator_data import read_attestation_object
from flask_passkey.ceremonies.pending import REGISTRATION, SIGN_IN, PendingCeremony, mark
from flask_passkey.config import PasskeyConfig
from flask_passkey.credentials import CredentialRecord
from flask_passkey.errors import Refusal
from flask_passkey.testing import b64url_encode

ALGORITHMS = (-7, -8, -257, -36, -37, -38, -39, -258, -259, -48, -49, -50)
_TEST = re.compile(r"(test|spec|core/src).*\.(py|ts|go|rs|rb)$", re.IGNORECASE)
_QUOTE, _LETTERS = r"""\\?["'`]""", "[A-Za-z0-9+/=_-]"
_TEXT = rf"{_QUOTE}{_LETTERS}+{_QUOTE}"
_BYTE = r"(?:0x[0-9a-fA-F]{1,2}|\d{1,3})(?:u8)?"
#: Texts that stand behind each other or are joined by a plus, or a list of bytes.
_LITERAL = re.compile(rf"{_TEXT}(?:[\s+\\]*{_TEXT})*|\[\s*(?:{_BYTE}\s*,\s*){{20,}}(?:{_BYTE})?")
_NAME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*")
#: How many texts around the client data of a sign-in may belong to it.
_AROUND = 16


@dataclass(frozen=True)
class Found:
    """Bytes in a file."""

    start: int
    end: int
    data: bytes
    kind: str = ""

    def distance(self, other: Found) -> int:
        """Count the characters between this and something else."""
        return max(self.start - other.end, other.start - self.end)


def main(projects: Iterable[str]) -> int:
    """Print what becomes of the responses of some projects; return how many were refused for their statement."""
    blamed = 0
    for project in projects:
        for ceremony, counted in judged(Path(project)).items():
            verified = counted.pop("verified", 0)
            print(f"{project}, {ceremony}: {verified + counted.total()} responses, {verified} verified")
            for reason, number in counted.most_common():
                print(f"  {number:3} {reason}")
            blamed += sum(number for reason, number in counted.items() if reason.startswith("STATEMENT"))
    return blamed


def judged(project: Path) -> dict[str, Counter[str]]:
    """Count the verdicts about the responses of a project, each response once."""
    verdicts: dict[str, dict[Any, str]] = {"registrations": {}, "sign-ins": {}}
    for text in _tests(project):
        found = list(_found(text))
        names = sorted({*_NAME.findall(text), "localhost"}, key=len)
        verdicts["registrations"].update(_registrations(found, names))
        verdicts["sign-ins"].update(_sign_ins(found, names))
    return {ceremony: Counter(of_each.values()) for ceremony, of_each in verdicts.items()}


def _tests(project: Path) -> Iterator[str]:
    """Yield the text of each test, from a checkout or a git directory."""
    if not (project / "objects").is_dir():
        files = [path for path in project.rglob("*") if _TEST.search(str(path.relative_to(project))) and path.is_file()]
        yield from (path.read_text("utf-8", "replace") for path in files)
        return
    for path in filter(_TEST.search, _git(project, "ls-tree", "-r", "--name-only", "HEAD").splitlines()):
        yield _git(project, "show", f"HEAD:{path}")


def _git(project: Path, *command: str) -> str:
    done = subprocess.run(["git", "-C", project, *command], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def _found(text: str) -> Iterator[Found]:
    """Yield all that a file has as base64, hex or a list of bytes, in its first meaning that is known."""
    for literal in _LITERAL.finditer(text):
        readings = [Found(*literal.span(), data, _kind(data)) for data in _readings(literal[0])]
        yield from sorted(readings, key=lambda found: not found.kind)[:1]


def _readings(literal: str) -> Iterator[bytes]:
    if literal.startswith("["):
        with suppress(ValueError):
            yield bytes(int(number.removesuffix("u8"), 0) for number in re.findall(_BYTE, literal))
        return
    text = "".join(re.findall(rf"{_QUOTE}({_LETTERS}+){_QUOTE}", literal))
    with suppress(ValueError):
        yield bytes.fromhex(text)
    text = text.translate(str.maketrans("+/", "-_")).rstrip("=")
    with suppress(ValueError):
        yield base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _kind(data: bytes) -> str:
    if data.lstrip(b"\xef\xbb\xbf").startswith(b"{"):
        with suppress(ValueError):
            members = json.loads(data)
            return str(members["type"]) if {"type", "challenge", "origin"} <= set(members) else ""
    with suppress(Exception):  # whatever a decoder thinks of bytes that are something else
        item = cbor2.loads(data)
        if isinstance(item, dict):
            return "attestation" if "authData" in item else "key" if {1, 3} <= set(item) else ""
    return ""


def _registrations(found: list[Found], names: list[str]) -> dict[Any, str]:
    verdicts = {}
    client_datas = [one for one in found if one.kind == "webauthn.create"]
    for one in found:
        if one.kind == "attestation" and client_datas:
            client_data = min(client_datas, key=one.distance)
            verdicts[one.data, client_data.data] = _registered(one.data, client_data.data, names)
    return verdicts


def _registered(attestation: bytes, client_data: bytes, names: list[str]) -> str:
    members = cbor2.loads(attestation)
    ceremony, config = _terms(client_data, members["authData"], names)
    reason = _refusal(partial(_register, ceremony, config, attestation, client_data))
    bare = cbor2.dumps(members | {"fmt": "none", "attStmt": {}})
    if reason and not _refusal(partial(_register, ceremony, config, bare, client_data)):
        return f"STATEMENT: {reason}"
    return reason or "verified"


def _register(ceremony: dict[str, Any], config: PasskeyConfig, attestation: bytes, client_data: bytes) -> object:
    credential_id = read_attestation_object(attestation).data.credential_id
    members = {"clientDataJSON": client_data, "attestationObject": attestation}
    pending = PendingCeremony(purpose=REGISTRATION, **ceremony)
    return finish_registration(pending, _response(credential_id, members), config=config)


def _sign_ins(found: list[Found], names: list[str]) -> dict[Any, str]:
    """Judge what can be put together; client data with no authenticator data or no key beside them are left out."""
    verdicts = {}
    keys = {one.data: None for one in found if one.kind == "key"} | dict.fromkeys(_attested_keys(found))
    for client_data in found:
        if client_data.kind != "webauthn.get":
            continue
        around = sorted(found, key=client_data.distance)[:_AROUND]
        hashes = {sha256(name.encode()).digest() for name in _rp_ids(client_data.data, names)}
        data = next((one.data for one in around if one.data[:32] in hashes and len(one.data) >= 37), None)
        if data is None or not keys:
            continue
        ceremony, config = _terms(client_data.data, data, names)
        sign_in = partial(_sign_in, ceremony, config, client_data.data, data)
        tried = [_refusal(partial(sign_in, *each)) for each in product([one.data for one in around], keys)]
        verdicts[client_data.data, data] = "verified" if "" in tried else Counter(tried).most_common(1)[0][0]
    return verdicts


def _attested_keys(found: list[Found]) -> Iterator[bytes]:
    for one in found:
        with suppress(Refusal):
            yield read_attestation_object(one.data).data.public_key


def _sign_in(
    ceremony: dict[str, Any], config: PasskeyConfig, client_data: bytes, data: bytes, signature: bytes, key: bytes
) -> object:
    record = CredentialRecord(
        id=b"id", public_key=key, sign_count=0, uv_initialized=False, transports=(), backup_eligible=bool(data[32] & 8),
        backup_state=False, user_id=ADA, user_handle=b"-", label="", aaguid="", created_at=REGISTERED, algorithm=0,
    )  # fmt: skip
    members = {"clientDataJSON": client_data, "authenticatorData": data, "signature": signature}
    pending = PendingCeremony(purpose=SIGN_IN, **ceremony, allowed=(mark(b64url_encode(record.id)),))
    return finish_sign_in(pending, _response(record.id, members), record, config=config)


def _terms(client_data: bytes, data: bytes, names: list[str]) -> tuple[dict[str, Any], PasskeyConfig]:
    """Return the ceremony that a response was made for, and the settings of its site."""
    said, rp_ids = json.loads(client_data.decode("utf-8-sig")), _rp_ids(client_data, names)
    rp_id = next((name for name in rp_ids if sha256(name.encode()).digest() == data[:32]), rp_ids[0])
    ceremony = {"rp_id": rp_id, "challenge": said["challenge"], "user_verification": "preferred"}
    config = configured(
        rp_id=rp_id, origins=(said["origin"],), algorithms=ALGORITHMS, user_verification="preferred",
        allow_cross_origin=True, top_origins=(said.get("topOrigin", ""),),
    )  # fmt: skip
    return ceremony | {"user_handle": b64url_encode(HANDLES[ADA])}, config


def _rp_ids(client_data: bytes, names: list[str]) -> list[str]:
    """Return the RP IDs that a response may be for."""
    origin = str(json.loads(client_data.decode("utf-8-sig"))["origin"])
    labels = origin.partition("://")[2].partition(":")[0].split(".")
    return [*(".".join(labels[start:]) for start in range(len(labels))), *names]


def _response(credential_id: bytes, members: dict[str, bytes]) -> dict[str, Any]:
    text = b64url_encode(credential_id)
    encoded = {name: b64url_encode(data) for name, data in members.items()}
    return {"id": text, "rawId": text, "type": "public-key", "response": encoded}


def _refusal(act: Any) -> str:
    """Return why something is refused; the empty text if it is not."""
    try:
        act()
    except Refusal as refused:
        return refused.reason.partition(", expected")[0][:120]
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
