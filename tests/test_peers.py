"""The tool that judges what other relying parties have recorded finds responses, and says what became of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cbor2
import peers
import pytest
from rehearsal import CONFIG, begin_registration, browser, register

from flask_passkey.ceremonies import authentication
from flask_passkey.errors import ResponseRejected
from flask_passkey.testing import RegistrationCeremony, b64url_decode


def project(folder: Path, *texts: str) -> Path:
    """Return a folder with a test that has these texts in it."""
    (folder / "responses_test.go").write_text("\n\n".join(texts))
    return folder


def recorded(**traits: Any) -> dict[str, str]:
    """Return the members of a response to a registration."""
    options, _ = begin_registration()
    bends = {key: traits.pop(key) for key in ("bend", "after") if key in traits}
    response = browser(**traits).create(options | {"attestation": "direct"}, **bends)
    members: dict[str, str] = response["response"]
    return {name: members[name] for name in ("attestationObject", "clientDataJSON")}


def test_registrations_are_found_as_json_hexadecimal_and_bytes(tmp_path: Path) -> None:
    """However a test writes a response, it is found and verified."""
    one, two, three = recorded(attestation="packed"), recorded(), recorded(algorithm=-8)
    hexadecimal = "\n".join(f'{name} = "{b64url_decode(text).hex()}"' for name, text in two.items())
    numbers = "\n".join(f"vec!{list(b64url_decode(text))}" for text in three.values())
    verdicts = peers.judged(project(tmp_path, json.dumps(one), hexadecimal, numbers))
    assert verdicts["registrations"] == {"verified": 3}


def test_a_sign_in_is_put_together(tmp_path: Path) -> None:
    """A sign-in is verified if one of the keys and signatures near it fits."""
    authenticator = browser()
    record = register(authenticator)
    options, _ = authentication.begin(config=CONFIG)
    response = authenticator.get(options)["response"]
    others = register(browser()).public_key.hex()
    keys = f'wrong, right = "{others}", "{record.public_key.hex()}"'
    verdicts = peers.judged(project(tmp_path, json.dumps(response), keys))
    assert verdicts["sign-ins"] == {"verified": 1}


def test_a_refusal_for_anything_but_the_statement_has_its_reason(tmp_path: Path) -> None:
    """A response that no statement could save is not counted as one that a statement condemned."""

    def bend(ceremony: RegistrationCeremony) -> None:
        ceremony.authenticator_data = ceremony.build_authenticator_data() + b"\0"

    verdicts = peers.judged(project(tmp_path, json.dumps(recorded(bend=bend))))
    assert verdicts["registrations"] == {"authenticatorData was malformed: it goes on after its end": 1}


def test_a_statement_that_condemns_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that would be accepted without its statement makes the tool fail."""

    def only_without(_: object, __: object, attestation: bytes, ___: object) -> None:
        if cbor2.loads(attestation)["attStmt"]:
            raise ResponseRejected("a statement")

    monkeypatch.setattr(peers, "_register", only_without)
    blamed = peers.main([str(project(tmp_path, json.dumps(recorded(attestation="packed"))))])
    assert blamed == 1
