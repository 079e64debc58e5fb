"""The metadata blob, as it is read at start-up: who signed it, how, and when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, make_app
from blobs import HOST, MetadataService, entry, host, text
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from makers import certified, sign

from flask_passkey import ConfigurationError
from flask_passkey.testing import VirtualAuthenticator, b64url_encode

pytestmark = pytest.mark.proves("threats:forged-metadata", "rules:13.4.5")

ENTRY = entry(VirtualAuthenticator(SITE, attestation="packed-x5c", aaguid="8446ccb9-ab1d-b374-750b-2367ff6f3a1f"))


@pytest.fixture
def service(tmp_path: Path) -> MetadataService:
    """Return a metadata service."""
    return MetadataService(tmp_path)


def taken(config: dict[str, Any]) -> None:
    """Check that an app starts with a blob."""
    make_app(config)


def refused(config: dict[str, Any]) -> None:
    """Check that an app does not start with a blob, and says why."""
    with pytest.raises(ConfigurationError, match="was not signed below PASSKEY_MDS_ROOT"):
        make_app(config)


def alternative(*names: str) -> tuple[x509.ExtensionType, bool]:
    """Return the alternative names of a web server's certificate."""
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False


def test_metadata_must_be_signed(service: MetadataService, tmp_path: Path) -> None:
    """A blob that somebody changed is refused at start-up, and so is one below another root."""
    config = service.config(ENTRY)
    taken(config)
    good = service.blob.read_bytes()
    header, payload, signature = good.strip().split(b".")
    forged = b64url_encode(b'{"legalHeader":"","no":2,"nextUpdate":"2999-01-01","entries":[]}').encode()
    bad = (b"", b".", b"x.y.z", b".".join((header, forged, signature)), b".".join((header, payload)), b"\xff" + good)
    for blob in (*bad, b".".join((header, payload, b"")), b".".join((header, payload, signature, signature))):
        service.blob.write_bytes(blob)
        refused(config)
    service.blob.write_bytes(good)
    other = tmp_path / "other.crt"
    other.write_bytes(certified("root").der)
    refused(config | {"PASSKEY_MDS_ROOT": str(other)})


def test_root_may_be_one_of_several(service: MetadataService, tmp_path: Path) -> None:
    """A file with several certificates is one with several roots."""
    config = service.config(ENTRY)
    roots = tmp_path / "roots.pem"
    roots.write_bytes(
        b"".join(party.certificate.public_bytes(Encoding.PEM) for party in (certified("other"), service.root))
    )
    taken(config | {"PASSKEY_MDS_ROOT": str(roots)})


def test_signer_may_be_below_others(service: MetadataService) -> None:
    """The path from the signer to the root may have CAs in it, which are sent along."""
    middle = certified("CA", service.root)
    service.signer = certified("", middle, ca=False, subject=host(HOST))
    refused(service.config(ENTRY))
    service.others = [middle]
    taken(service.config(ENTRY))
    service.others = [middle, service.root]
    taken(service.config(ENTRY))


@pytest.mark.proves("specification:metadata")
def test_a_web_site_is_no_authority(service: MetadataService) -> None:
    """A certificate that anybody can buy below the root issues none for the metadata service."""
    for ca in (False, None):
        shop = certified("shop.example", service.root, ca=ca)
        service.signer = certified("", shop, ca=False, subject=host(HOST))
        service.others = [shop]
        refused(service.config(ENTRY))


@pytest.mark.parametrize("years", [(2020, 2024), (2090, 2091)])
def test_certificates_of_the_metadata_must_be_valid_now(service: MetadataService, years: tuple[int, int]) -> None:
    """A signer, or a CA above it, whose certificate has expired or is not valid yet signs nothing."""
    service.signer = certified("", service.root, ca=False, subject=host(HOST), years=years)
    refused(service.config(ENTRY))
    middle = certified("CA", service.root, years=years)
    service.signer, service.others = certified("", middle, ca=False, subject=host(HOST)), [middle]
    refused(service.config(ENTRY))


@pytest.mark.proves("specification:metadata")
@pytest.mark.parametrize(
    ("common_name", "names", "good"),
    [
        (HOST, None, True),
        (HOST.upper(), None, True),
        ("shop.example", None, False),
        (f"{HOST}.evil.example", None, False),
        (f"evil{HOST}", None, False),
        ("shop.example", [HOST], True),
        ("shop.example", ["shop.example", HOST], True),
        (HOST, ["shop.example"], False),
        (HOST, [], False),
        ("shop.example", ["fidoalliance.org"], False),
    ],
)
def test_signer_is_the_metadata_service(
    service: MetadataService, common_name: str, names: list[str] | None, good: bool
) -> None:
    """The certificate is for the metadata service, by its alternative name or, without one, by its common name."""
    extensions = [] if names is None else [alternative(*names)]
    service.signer = certified("", service.root, ca=False, subject=host(common_name), extensions=extensions)
    (taken if good else refused)(service.config(ENTRY))


KEYS: dict[str, Callable[[], object]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    **dict.fromkeys(
        ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), lambda: rsa.generate_private_key(65537, 2048)
    ),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_metadata_may_be_signed_with_any_algorithm(service: MetadataService, algorithm: str) -> None:
    """All algorithms of JWS with a public key are verified, and the signature of another key is refused."""
    service.algorithm = algorithm
    service.signer = certified("", service.root, ca=False, subject=host(HOST), key=KEYS[algorithm]())
    taken(service.config(ENTRY))
    other = certified("", service.root, ca=False, subject=host(HOST), key=KEYS[algorithm]())
    service.header = {"x5c": [text(other.der)]}
    refused(service.config(ENTRY))


def test_signature_of_ecdsa_is_two_numbers(service: MetadataService, monkeypatch: pytest.MonkeyPatch) -> None:
    """ECDSA in DER, as certificates have it, is not how a JWS is signed."""
    monkeypatch.setattr(service, "sign", lambda message: sign(service.signer.key, message))
    refused(service.config(ENTRY))


def test_signature_of_ecdsa_has_the_length_of_its_curve(
    service: MetadataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that is written short, or a key on another curve than the algorithm's, signs no JWS."""
    honest = service.sign

    def short(message: bytes) -> bytes:
        while (signature := honest(message))[32] != 0:
            pass
        return signature[:32] + signature[33:]

    monkeypatch.setattr(service, "sign", short)
    refused(service.config(ENTRY))
    monkeypatch.setattr(service, "sign", honest)
    key = ec.generate_private_key(ec.SECP384R1())
    service.signer = certified("", service.root, ca=False, subject=host(HOST), key=key)
    refused(service.config(ENTRY))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384", "RS256", "PS256", "EdDSA", "es256", "", None, 5, []])
def test_algorithm_is_that_of_the_key(service: MetadataService, algorithm: object) -> None:
    """A blob that names another algorithm than its signer's key is for, or none, is refused."""
    service.header = {"alg": algorithm}
    refused(service.config(ENTRY))


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"x5c": []},
        {"x5c": None},
        {"x5c": "AAAA"},
        {"x5c": ["junk"]},
        {"x5c": [5]},
        {"x5c": {}},
    ],
)
def test_header_that_cannot_be_understood_is_refused(service: MetadataService, header: dict[str, Any]) -> None:
    """A header with what must be understood and is not, or without certificates, is refused."""
    service.header = header
    refused(service.config(ENTRY))


def test_weak_signer_is_refused(service: MetadataService) -> None:
    """An RSA key below 2048 bits signs no metadata."""
    service.algorithm = "RS256"
    key = rsa.generate_private_key(65537, 1024)
    service.signer = certified("", service.root, ca=False, subject=host(HOST), key=key)
    refused(service.config(ENTRY))


@pytest.mark.parametrize(
    "changes",
    [{"nextUpdate": "soon"}, {"nextUpdate": None}, {"entries": None}, {"entries": [{}]}, {"entries": [ENTRY, None]}],
)
def test_payload_must_be_metadata(service: MetadataService, changes: dict[str, Any]) -> None:
    """What was signed and is no metadata is refused."""
    refused(service.config(ENTRY, **changes))


def test_old_metadata_is_used_with_a_warning(service: MetadataService, caplog: pytest.LogCaptureFixture) -> None:
    """Metadata past its date still works by default, and the log says to renew it."""
    for setting in ({}, {"PASSKEY_MDS_STALE": "warn"}):
        caplog.clear()
        taken(service.config(ENTRY, next_update="2026-01-01") | setting)
        assert "2026-01-01" in caplog.text and "PASSKEY_MDS_FILE" in caplog.text


def test_old_metadata_can_be_refused(service: MetadataService, caplog: pytest.LogCaptureFixture) -> None:
    """With ``refuse`` an app does not start on metadata past its date, and is told the setting; on others it does."""
    stale = {"PASSKEY_MDS_STALE": "refuse"}
    with pytest.raises(ConfigurationError, match=r"2026-01-01.*PASSKEY_MDS_STALE = 'warn'"):
        make_app(service.config(ENTRY, next_update="2026-01-01") | stale)
    taken(service.config(ENTRY) | stale)
    assert "PASSKEY_MDS_FILE" not in caplog.text
