"""Which models of authenticator may register, with a make-believe manufacturer and FIDO metadata service."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from apps import SITE, make_app
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding

from flask_passkey import ConfigurationError
from flask_passkey.testing import Refused, VirtualAuthenticator, b64url_encode, sign_in, sign_up

MODEL = "8446ccb9-ab1d-b374-750b-2367ff6f3a1f"
OTHER = "ee882879-721c-4913-9775-3dfcce97072a"


def key(model: str = MODEL, **options: Any) -> VirtualAuthenticator:
    """Return a security key that proves its model."""
    return VirtualAuthenticator(SITE, attestation="packed-x5c", aaguid=model, **options)


def register(config: dict[str, Any], authenticator: VirtualAuthenticator, **bends: Any) -> int:
    """Sign up at an app with these settings and return the envelope's code."""
    try:
        sign_up(make_app(config).app.test_client(), authenticator, "ada", **bends)
    except Refused as refused:
        assert refused.status == 400
        return int(refused.code or -1)
    return 0


def rooted(tmp_path: Path, authenticator: VirtualAuthenticator) -> dict[str, Any]:
    """Return settings that trust the manufacturer of one authenticator."""
    path = tmp_path / "roots.pem"
    path.write_bytes(authenticator.attestation_root)
    return {"PASSKEY_ATTESTATION": "direct", "PASSKEY_ATTESTATION_ROOTS": {"packed": [str(path)]}}


def test_attestation_is_not_asked_for_unless_wanted() -> None:
    """By default the options ask for none, any authenticator will do, and no attestation is kept."""
    site = make_app()
    options = site.app.test_client().put("/user/authn", json={"name": "ada"}).get_json()["data"]["options"]["publicKey"]
    assert options["attestation"] == "none"
    sign_up(site.app.test_client(), key(), "ada")
    assert site.passkey_records("ada")[0].attestation_object is None


def test_attestation_that_is_asked_for_is_kept() -> None:
    """With ``direct`` the attestation is verified, and kept for an audit."""
    site = make_app({"PASSKEY_ATTESTATION": "direct"})
    sign_up(site.app.test_client(), key(), "ada")
    (record,) = site.passkey_records("ada")
    assert record.attestation_object and record.attestation_client_data_json and record.aaguid == MODEL


def test_roots_decide_which_manufacturer_is_trusted(tmp_path: Path) -> None:
    """With roots only authenticators whose certificate chains to one can be registered, and they sign in."""
    mine = key()
    config = rooted(tmp_path, mine)
    site = make_app(config)
    sign_up(site.app.test_client(), mine, "ada")
    assert sign_in(site.app.test_client(), mine)["user"]["name"] == "ada"
    assert register(config, key()) == 40025, "another manufacturer"
    assert register(config, VirtualAuthenticator(SITE, attestation="packed", aaguid=MODEL)) == 40025, "self attestation"
    assert register(config, VirtualAuthenticator(SITE)) == 40025, "none"


def test_a_certificate_vouches_for_its_own_model_only(tmp_path: Path) -> None:
    """A certificate that names another model than the authenticator data is refused."""
    mine = key()

    def lie(ceremony: Any) -> None:
        honest = ceremony.authority.statement
        ceremony.authority = SimpleNamespace(statement=lambda message, aaguid: honest(message, aaguid=OTHER))

    assert register(rooted(tmp_path, mine), mine, bend=lie) == 40025
    assert register(rooted(tmp_path, mine), mine) == 0


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"PASSKEY_ALLOWED_AAGUIDS": [MODEL]}, 0),
        ({"PASSKEY_ALLOWED_AAGUIDS": [OTHER]}, 40025),
        ({"PASSKEY_DENIED_AAGUIDS": [MODEL.upper()]}, 40025),
        ({"PASSKEY_DENIED_AAGUIDS": OTHER}, 0),
    ],
)
def test_models_can_be_listed(config: dict[str, Any], code: int) -> None:
    """Models that are denied, or not among the allowed, cannot be registered."""
    assert register(config | {"PASSKEY_ATTESTATION": "direct"}, key()) == code


class MetadataService:
    """Signs blobs of metadata, as the FIDO Alliance does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key, self.signer = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        self.root = self._certificate("root", self.key)
        self.certificate = self._certificate("signer", self.signer)
        (folder / "root.crt").write_bytes(self.root.public_bytes(Encoding.DER))

    def _certificate(self, name: str, key: rsa.RSAPrivateKey) -> x509.Certificate:
        now = datetime.now(UTC)
        subject, issuer = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, "root"))
        builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(9))
        return builder.add_extension(x509.BasicConstraints(name == "root", None), True).sign(self.key, hashes.SHA256())

    def config(self, *entries: dict[str, Any], next_update: str = "2999-01-01") -> dict[str, Any]:
        """Write a blob with these entries and return settings that use it."""
        header = {"alg": "RS256", "x5c": [_b64(self.certificate.public_bytes(Encoding.DER))]}
        payload = {"legalHeader": "", "no": 1, "nextUpdate": next_update, "entries": entries}
        message = b".".join(b64url_encode(json.dumps(part).encode()).encode() for part in (header, payload))
        signature = b64url_encode(self.signer.sign(message, PKCS1v15(), hashes.SHA256())).encode()
        (self.folder / "blob.jwt").write_bytes(message + b"." + signature)
        files = {"PASSKEY_MDS_FILE": str(self.folder / "blob.jwt"), "PASSKEY_MDS_ROOT": str(self.folder / "root.crt")}
        return {"PASSKEY_ATTESTATION": "direct", **files}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def entry(authenticator: VirtualAuthenticator, *statuses: str) -> dict[str, Any]:
    """Return the metadata of an authenticator's model."""
    root = x509.load_pem_x509_certificate(authenticator.attestation_root).public_bytes(Encoding.DER)
    statement = {
        "description": "Virtual authenticator", "authenticatorVersion": 1, "schema": 3, "upv": [],
        "attestationTypes": ["basic_full"], "userVerificationDetails": [], "keyProtection": [], "matcherProtection": [],
        "attachmentHint": [], "tcDisplay": [], "attestationRootCertificates": [_b64(root)],
    }  # fmt: skip
    reports = [{"status": status, "effectiveDate": "2026-01-01"} for status in statuses]
    return {
        "aaguid": authenticator.aaguid, "metadataStatement": statement, "statusReports": reports,
        "timeOfLastStatusChange": "2026-01-01",
    }  # fmt: skip


@pytest.fixture
def service(tmp_path: Path) -> MetadataService:
    """Return a metadata service."""
    return MetadataService(tmp_path)


def test_metadata_decides_which_models_are_trusted(service: MetadataService) -> None:
    """A model in the metadata is registered; one that is not there, or is another maker's, is refused."""
    mine = key()
    config = service.config(entry(mine, "FIDO_CERTIFIED_L1"))
    assert register(config, mine) == 0
    assert register(config, key(OTHER, authority=mine.authority)) == 40025
    assert register(config, key()) == 40025
    assert register(config, VirtualAuthenticator(SITE)) == 40025


@pytest.mark.parametrize("status", ["REVOKED", "USER_VERIFICATION_BYPASS", "USER_KEY_REMOTE_COMPROMISE"])
def test_compromised_models_are_refused(service: MetadataService, status: str) -> None:
    """A model with a report of a compromise is refused, whatever else is reported of it."""
    mine = key()
    assert register(service.config(entry(mine, "FIDO_CERTIFIED", status, "UPDATE_AVAILABLE")), mine) == 40025


def test_metadata_must_be_signed(service: MetadataService, tmp_path: Path) -> None:
    """A blob that somebody changed is refused at start-up, and so is one below another root."""
    config = service.config(entry(key()))
    blob = tmp_path / "blob.jwt"
    good = blob.read_bytes()
    header, _, signature = good.split(b".")
    forged = b64url_encode(b'{"legalHeader":"","no":2,"nextUpdate":"2999-01-01","entries":[]}').encode()
    for bad in (b".".join((header, forged, signature)), b"", b"x.y.z"):
        blob.write_bytes(bad)
        with pytest.raises(ConfigurationError, match="PASSKEY_MDS_ROOT"):
            make_app(config)
    blob.write_bytes(good)
    folder = tmp_path / "other"
    folder.mkdir()
    MetadataService(folder)
    with pytest.raises(ConfigurationError, match="PASSKEY_MDS_ROOT"):
        make_app(config | {"PASSKEY_MDS_ROOT": str(folder / "root.crt")})


def test_old_metadata_is_used_with_a_warning(service: MetadataService, caplog: pytest.LogCaptureFixture) -> None:
    """Metadata past its date still works, and the log says to renew it."""
    mine = key()
    assert register(service.config(entry(mine), next_update="2026-01-01"), mine) == 0
    assert "2026-01-01" in caplog.text and "PASSKEY_MDS_FILE" in caplog.text


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"PASSKEY_ATTESTATION_ROOTS": {"packed": ["nowhere.pem"]}}, "PASSKEY_ATTESTATION = 'direct'"),
        ({"PASSKEY_ATTESTATION": "direct", "PASSKEY_ATTESTATION_ROOTS": {"packed": ["nowhere.pem"]}}, "nowhere.pem"),
        ({"PASSKEY_ATTESTATION": "direct", "PASSKEY_ATTESTATION_ROOTS": {"packed": [__file__]}}, "no certificate"),
        ({"PASSKEY_ATTESTATION_ROOTS": {"none": ["x"]}}, "PASSKEY_ATTESTATION_ROOTS ="),
        ({"PASSKEY_ATTESTATION": "direct", "PASSKEY_MDS_FILE": "blob.jwt"}, "PASSKEY_MDS_ROOT ="),
        ({"PASSKEY_ALLOWED_AAGUIDS": ["YubiKey"]}, "PASSKEY_ALLOWED_AAGUIDS ="),
    ],
)
def test_settings_that_cannot_work_are_refused(config: dict[str, Any], line: str) -> None:
    """A file that is missing or wrong, and roots without asking for attestation, are refused at start-up."""
    with pytest.raises(ConfigurationError) as refused:
        make_app(config)
    assert line in str(refused.value)
