"""Coverage-guided fuzzing of the two finish functions with atheris: ``nox -s coverage_fuzz -- -max_total_time=600``.

The corpus is made at start: real responses of every algorithm and attestation. Each input is taken apart into which
response, which of its binary members, and bytes that replace some of them, so that the fuzzer reaches CBOR,
authenticator data and client data behind the JSON and base64url. Whatever is not a refusal is a finding; so is a
sign-in that is believed although what was signed has changed. The measuring of CBOR also gets each input as it is.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["flask_passkey", "webauthn"], enable_loader_override=False):
    from rehearsal import CONFIG, begin_registration, browser, finish_registration, finish_sign_in, register

    from flask_passkey.ceremonies import authentication, extensions
    from flask_passkey.ceremonies.authenticator_data import AuthenticatorData, read_attestation_object
    from flask_passkey.errors import Refusal
    from flask_passkey.testing import b64url_decode, b64url_encode

#: A good response, and what finishes its ceremony with it or with another.
Seed = tuple[Any, Callable[[Any], object]]
#: Asked for in all of them, so that what is answered is read.
EXTENSIONS = {
    "prf": {"eval": {"first": "AQI"}},
    "largeBlob": {},
    "credentialProtectionPolicy": "userVerificationOptional",
    "minPinLength": True,
}
SIGNED = ("clientDataJSON", "authenticatorData", "signature", "userHandle")


def registrations() -> list[Seed]:
    """Return good responses to registrations, and what finishes each."""
    found: list[Seed] = []
    for kind in ("none", "packed", "packed-x5c"):
        for algorithm in (-7, -8, -257):
            options, pending = extensions.ask(*begin_registration(), EXTENSIONS)
            authenticator = browser(algorithm=algorithm, attestation=kind)
            response = authenticator.create(options | {"attestation": "direct"})
            found.append((response, partial(finish_registration, pending)))
    return found


def sign_ins() -> list[Seed]:
    """Return good responses to sign-ins, and what finishes each."""
    found: list[Seed] = []
    for algorithm in (-7, -8, -257):
        authenticator = browser(algorithm=algorithm)
        record = register(authenticator)
        options, pending = extensions.ask(*authentication.begin(config=CONFIG), EXTENSIONS)
        response = authenticator.get(options)
        found.append((response, partial(finish_sign_in, pending, record=record)))
    return found


SEEDS = registrations() + sign_ins()


def bend(data: bytes) -> tuple[Any, Any, Callable[[Any], object]]:
    """Take an input apart: the good response, the bent one, and what finishes it."""
    provider = atheris.FuzzedDataProvider(data)
    response, finish = SEEDS[provider.ConsumeIntInRange(0, len(SEEDS) - 1)]
    bent = copy.deepcopy(response)
    members = sorted(name for name, value in bent["response"].items() if isinstance(value, str))
    name = members[provider.ConsumeIntInRange(0, len(members) - 1)]
    original = bytearray(b64url_decode(response["response"][name]))
    place = provider.ConsumeIntInRange(0, len(original))
    length = provider.ConsumeIntInRange(0, 16)
    original[place : place + length] = provider.ConsumeBytes(64)
    bent["response"][name] = b64url_encode(bytes(original))
    return response, bent, finish


def test_one_input(data: bytes) -> None:
    """Measure the input, and finish with one bent response."""
    for read in (AuthenticatorData.read, read_attestation_object):
        with suppress(Refusal):
            read(data)
    response, bent, finish = bend(data)
    try:
        finish(bent)
    except Refusal:
        return
    if "signature" in bent["response"]:
        changed = [name for name in SIGNED if bent["response"].get(name) != response["response"].get(name)]
        assert not changed, f"believed although {changed} changed"


def main() -> None:
    """Run the fuzzer with libFuzzer's options from the command line."""
    with tempfile.TemporaryDirectory() as corpus:
        for number in range(len(SEEDS)):
            for member in range(6):
                (Path(corpus) / f"{number}-{member}").write_bytes(bytes([0] * 8 + [member, number]))
        atheris.Setup([*sys.argv, corpus], test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
