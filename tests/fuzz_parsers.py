"""A seeded fuzzer of what reads bytes of strangers behind JSON: CBOR, DER, statements, certificates and metadata.

Run it for long with ``PASSKEY_TEST_FUZZ=100000 pytest -s tests/test_fuzz_parsers.py``, or by the clock with
``python tests/fuzz_parsers.py <seconds>``. Each parser gets as many cases. Some are bent before they are signed, so
that what is behind a signature is reached as well.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from blobs import MetadataService, entry, text
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from fuzz import places
from makers import (
    DIRECT,
    MODEL,
    NAME_HASHES,
    NO_MODEL,
    Make,
    aik,
    android_key,
    apple,
    certified,
    client_data_hash,
    ec_area,
    hashed,
    key_description,
    model_extension,
    packed,
    register,
    sign,
    stated,
    tpm,
    trusting,
    u2f,
)
from rehearsal import REGISTERED, attest, browser, configured

from flask_passkey.ceremonies.attestation import Claim, Trust, assess
from flask_passkey.ceremonies.attestation.der import elements
from flask_passkey.ceremonies.authenticator_data import AuthenticatorData, read_attestation_object
from flask_passkey.encoding import base64url_decode
from flask_passkey.errors import ConfigurationError, RegistrationRejected, ResponseRejected
from flask_passkey.testing import RegistrationCeremony, encode_cbor
from flask_passkey.trust import load_trust

ROOT = certified("Root")
MIDDLE = certified("Middle", ROOT)
ATTESTER = certified("Key", MIDDLE, ca=False, extensions=[model_extension()])
GOOD: dict[str, Make] = {
    "packed": packed(ATTESTER, MIDDLE, ROOT),
    "fido-u2f": u2f(certified("Key", ROOT, ca=False)),
    "tpm": tpm(aik(MIDDLE), MIDDLE),
    "android-key": android_key(MIDDLE, MIDDLE, ROOT),
    "apple": apple(MIDDLE, MIDDLE),
}
ODD: list[Any] = [
    None, True, 0, -7, -257, -65535, 2**70, 3.5, float("nan"), b"", b"\xff", "", "2.0", "é\0", [], {}, [b""], [[]],
    {1: 2},
]  # fmt: skip
#: What stands in JSON in place of something else.
ODD_JSON: list[Any] = [None, True, 0, -1, 2**70, 1e308, "", "AA==", "é", [], {}, [None], {"": ""}, [[]], "REVOKED"]
EXTENSIONS = [
    (x509.BasicConstraints.oid, bytes.fromhex("30060101ff020100")),
    (x509.KeyUsage.oid, bytes.fromhex("03020204")),
    (x509.ExtendedKeyUsage.oid, bytes.fromhex("300706056781050803")),
    (x509.NameConstraints.oid, bytes.fromhex("300ea00c300a820861636d652e636f6d")),
    (x509.SubjectAlternativeName.oid, bytes.fromhex("300a820861636d652e636f6d")),
    (x509.CertificatePolicies.oid, bytes.fromhex("3006300406022a03")),
]
HOLDER = aik(ROOT)
#: Members of statements and certificates that are signed; without one of them, no statement is believed.
SIGNED = {"alg", "sig", "certInfo", "pubArea", "ver"}


class ParserFuzzer:
    """Bends what each parser reads.

    :param seed: the same seed bends in the same places; keys are new each time.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed, self.random = seed, random.Random(seed)
        self.outcomes, self.slowest = Counter[str](), 0.0
        self.claims = {form: claim_of(form, make) for form, make in GOOD.items()}
        self.targets: dict[str, Callable[[], str]] = {
            "cbor": self.cbor,
            "der": self.der,
            "description of a key": self.description,
            "structures of a TPM": self.structures,
            "certificates": self.certificate,
            "metadata": self.metadata,
            "signed metadata": self.signed_metadata,
            **{f"statement {form}": self.statement_of(form) for form in GOOD},
        }
        self.service = MetadataService(folder)
        known = entry(browser(aaguid=MODEL), "FIDO_CERTIFIED")
        known["metadataStatement"]["attestationRootCertificates"] = [text(ROOT.der)]
        settings = self.service.config(known, entry(browser(aaguid=NO_MODEL), "REVOKED"))
        self.config = configured(
            attestation="direct", mds_file=settings["PASSKEY_MDS_FILE"], mds_root=settings["PASSKEY_MDS_ROOT"]
        )
        self.blob = self.service.blob.read_bytes()

    def run(self, count: int) -> None:
        """Bend for each parser so many times.

        :raises AssertionError: bent bytes were believed.
        :raises Exception: whatever a parser stumbled over.
        """
        for name, target in self.targets.items():
            for _ in range(count):
                started = time.process_time()
                self.outcomes[f"{name}: {target()}"] += 1
                self.slowest = max(self.slowest, time.process_time() - started)

    def bent(self, data: bytes) -> bytes:
        """Change, cut, add or repeat bytes in one to eight places."""
        bent = bytearray(data)
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            place, action = self.random.randrange(len(bent) + 1), self.random.random()
            if action < 0.55 and bent:
                old = bent[place % len(bent)]
                odd = (0, 1, 0x7F, 0x80, 0xFF, self.random.randrange(256), old ^ (1 << self.random.randrange(8)))
                bent[place % len(bent)] = self.random.choice(odd)
            elif action < 0.7:
                del bent[place : place + self.random.choice((1, 2, 8, 50))]
            elif action < 0.85:
                bent[place:place] = self.random.randbytes(self.random.choice((1, 2, 8)))
            else:
                bent[place:place] = bent[self.random.randrange(len(bent) + 1) :][:200]
        return bytes(bent)

    def cbor(self) -> str:
        """An attestation object, its authenticator data, or random bytes."""
        claim = self.random.choice(list(self.claims.values()))
        data = claim.authenticator_data
        if self.random.random() < 0.5:
            data = self.bent(data)
        whole = encode_cbor({"fmt": claim.form, "attStmt": claim.statement, "authData": data})
        try:
            AuthenticatorData.read(self.bent(data))
            read_attestation_object(self.bent(whole) if self.random.random() < 0.7 else whole)
        except ResponseRejected:
            return "refused"
        return "read"

    def der(self) -> str:
        """DER, level by level."""
        data = self.bent(self.random.choice((ATTESTER.der, key_description(bytes(32), {}, {"a1": b"\x05\0"}))))
        try:
            return f"{_depth(data)} levels"
        except ValueError:
            return "refused"

    def statement_of(self, form: str) -> Callable[[], str]:
        """A statement of a format, and whatever stands in the places of its members."""

        def act() -> str:
            statement = self.bent_statement(self.claims[form].statement)
            return self.assessed(msgspec.structs.replace(self.claims[form], statement=statement))

        return act

    def bent_statement(self, statement: dict[str, Any]) -> dict[str, Any]:
        """Change, replace or drop a member, or a certificate of the list."""
        bent, name, action = dict(statement), self.random.choice(list(statement)), self.random.random()
        if name == "x5c" and action < 0.8:
            certificates = list(statement["x5c"])
            place = self.random.randrange(len(certificates))
            odd = (self.bent(certificates[place]), self.random.choice(ODD), self.random.choice(certificates))
            certificates[place] = odd[min(int(action * 4), 2)]
            bent["x5c"] = certificates
        elif action < 0.75:
            bent[name] = self.bent(statement[name]) if isinstance(statement[name], bytes) else self.random.choice(ODD)
        elif action < 0.9:
            bent[name] = self.random.choice(ODD)
        else:
            del bent[name]
        return bent

    def assessed(self, claim: Claim, trust: Trust | None = None) -> str:
        """Verify a statement, by default below one anchor or none."""
        if trust is None:
            trust = self.random.choice((Trust(), trusting(claim.form, ROOT), trusting(claim.form, MIDDLE)))
        good = self.claims[claim.form].statement
        try:
            verified = assess(claim, DIRECT, trust, REGISTERED)
        except ResponseRejected:
            assert trust
            return "refused"
        if trust:
            changed = [name for name in SIGNED & set(good) if claim.statement.get(name) != good[name]]
            assert not changed, f"believed although {changed} changed: {claim}"
            assert claim.statement["x5c"][0] == good["x5c"][0], f"believed another certificate: {claim}"
        return str(verified)

    def certificate(self) -> str:
        """The certificate of an authority whose extension is bent before its issuer signs it."""
        kind, good = self.random.choice(EXTENSIONS)
        value = x509.UnrecognizedExtension(kind, self.bent(good))
        plain = kind == x509.BasicConstraints.oid
        middle = certified("Middle", ROOT, ca=None if plain else True, extensions=[(value, self.random.random() < 0.5)])
        return self.registered("packed", packed(certified("Key", middle, ca=False), middle))

    def description(self) -> str:
        """What Android's certificate says of a key, bent before it is signed."""
        return self.registered("android-key", android_key(ROOT, description=self.bent))

    def structures(self) -> str:
        """What a TPM says of a key, bent before it is signed."""
        area = self.bent if self.random.random() < 0.7 else bytes

        def make(ceremony: RegistrationCeremony) -> dict[str, Any]:
            bent = area(ec_area(ceremony))
            good = hashed(NAME_HASHES.get(bent[2:4], SHA256()), bent)
            statement: Any = tpm(HOLDER, area=lambda _: bent, name=bent[2:4] + good)(ceremony)
            info = self.bent(statement["certInfo"]) if area is bytes else statement["certInfo"]
            bent_too: dict[str, Any] = statement | {"certInfo": info, "sig": sign(HOLDER.key, info)}
            return bent_too

        return self.registered("tpm", make)

    def registered(self, form: str, make: Make) -> str:
        """Register with a statement, below an anchor."""
        try:
            return str(register(form, make, trust=trusting(form, ROOT)).attestation_verified)
        except RegistrationRejected:
            return "refused"

    def metadata(self) -> str:
        """A blob of metadata, bent after it was signed."""
        bent = self.bent(self.blob)
        taken = self.loaded(bent)
        assert taken is None or _said(bent) == _said(self.blob), f"believed: {bent!r}"
        return "refused" if taken is None else "taken"

    def signed_metadata(self) -> str:
        """Metadata that were bent before their service signed them, at start and when an authenticator comes."""
        payload = json.loads(base64url_decode(self.blob.decode().split(".")[1]))
        for _ in range(self.random.choice((1, 1, 2))):
            container, key = self.random.choice(list(places(payload)))
            value = container[key]
            nudged = self.bent(value.encode()).decode("utf-8", "replace") if isinstance(value, str) else value
            container[key] = self.random.choice((nudged, nudged, self.random.choice(ODD_JSON)))
        entries = payload.pop("entries")
        self.service.config(*(entries if isinstance(entries, list) else [entries]), **payload)
        taken = self.loaded(self.service.blob.read_bytes())
        return "refused" if taken is None else self.assessed(self.claims["packed"], taken)

    def loaded(self, blob: bytes) -> Trust | None:
        """Start an app with a blob of metadata."""
        self.service.blob.write_bytes(blob)
        try:
            return load_trust(self.config)
        except ConfigurationError:
            return None


def claim_of(form: str, make: Make) -> Claim:
    """Return a good statement, with what it is about."""
    found: list[Claim] = []

    def bend(ceremony: RegistrationCeremony) -> None:
        stated(form, make)(ceremony)
        data = AuthenticatorData.read(ceremony.authenticator_data or b"")
        found.append(
            Claim(
                form=form,
                statement=ceremony.attestation_statement,
                authenticator_data=ceremony.authenticator_data or b"",
                client_data_hash=client_data_hash(ceremony),
                credential_id=data.credential_id,
                public_key=data.public_key,
                aaguid=MODEL,
            )
        )

    attest(browser(aaguid=MODEL, algorithm=-7), config=DIRECT, bend=bend)
    return found[0]


def _depth(data: bytes) -> int:
    """Count the levels of a value in DER."""
    inner = [_depth(content) for identifier, content in elements(data) if identifier[0] & 0x20]
    return 1 + max(inner, default=0)


def _said(blob: bytes) -> bytes:
    """Return what a blob of metadata has signed."""
    return blob.strip().rpartition(b".")[0]


def main(seconds: float) -> None:
    """Fuzz for so long, and print what came of it."""
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = ParserFuzzer(random.randrange(1 << 32), Path(folder))
        while time.monotonic() < end:
            fuzzer.run(100)
    tell(fuzzer)


def tell(fuzzer: ParserFuzzer) -> None:
    """Print what came of the cases."""
    slowest = f"{fuzzer.slowest * 1000:.0f} ms of a core"
    print(f"\n{fuzzer.outcomes.total()} cases (seed {fuzzer.seed}), the slowest took {slowest}:")
    for outcome, number in sorted(fuzzer.outcomes.items()):
        print(f"  {number:7} {outcome}")


if __name__ == "__main__":
    main(float(sys.argv[1]))
