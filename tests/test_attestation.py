"""Which models of authenticator may register, with a make-believe manufacturer and FIDO metadata service."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from apps import SITE, make_app
from blobs import MetadataService, entry, text
from cryptography.hazmat.primitives.serialization import Encoding
from makers import android_key, apple, certified, packed, stated

from flask_passkey import ConfigurationError
from flask_passkey.signals import registered
from flask_passkey.testing import Refused, VirtualAuthenticator, sign_in, sign_up

pytestmark = pytest.mark.proves("threats:unwanted-model")

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


@pytest.mark.proves("specification:7.1.23", "specification:7.1.24")
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


@pytest.mark.proves("specification:7.1.24", "rules:13.3")
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
    """Models that are denied, or not among the allowed, cannot be registered, asked to prove it or not."""
    for asked in ("none", "direct"):
        assert register(config | {"PASSKEY_ATTESTATION": asked}, key()) == code


def test_the_app_is_told_what_became_of_a_statement(tmp_path: Path) -> None:
    """The signal says whether the statement verified: nobody asked, it did not, it did, it leads to an anchor."""

    def told(config: dict[str, Any], authenticator: VirtualAuthenticator, **bends: Any) -> object:
        site, heard = make_app(config), []

        def listen(sender: object, *, attestation_verified: bool | None, **about: object) -> None:
            heard.append(attestation_verified)

        with registered.connected_to(listen, sender=site.app):
            sign_up(site.app.test_client(), authenticator, "ada", **bends)
        (verdict,) = heard
        return verdict

    asked, mine = {"PASSKEY_ATTESTATION": "direct"}, key()
    assert told({}, key()) is None
    assert told(asked, key()) is True and told(rooted(tmp_path, mine), mine) is True
    assert told(asked, VirtualAuthenticator(SITE)) is False
    assert told(asked, key(), bend=lambda c: setattr(c, "attestation_format", "of-the-future")) is False


@pytest.mark.proves("specification:anchors")
def test_no_root_of_a_library_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement below a root that a library knows, and the app has not listed, is refused in every format."""
    known, listed = certified("Root"), certified("Root")
    path = tmp_path / "listed.pem"
    path.write_bytes(listed.certificate.public_bytes(Encoding.PEM))
    pem = known.certificate.public_bytes(Encoding.PEM)
    for module, name in (
        ("android_key", "google_hardware_attestation_root_2"),
        ("apple", "apple_webauthn_root_ca"),
    ):
        monkeypatch.setattr(f"webauthn.registration.formats.{module}.{name}", pem)
    for form, make in (("android-key", android_key), ("apple", apple)):
        for root, code in ((known, 40025), (listed, 0)):
            config = {"PASSKEY_ATTESTATION": "direct", "PASSKEY_ATTESTATION_ROOTS": {form: [str(path)]}}
            es256 = VirtualAuthenticator(SITE, aaguid=MODEL, algorithm=-7)
            assert register(config, es256, bend=stated(form, make(root))) == code


@pytest.fixture
def service(tmp_path: Path) -> MetadataService:
    """Return a metadata service."""
    return MetadataService(tmp_path)


@pytest.mark.proves("specification:7.1.23")
def test_metadata_decides_which_models_are_trusted(service: MetadataService) -> None:
    """A model in the metadata is registered; one that is not there, or is another maker's, is refused."""
    mine = key()
    config = service.config(entry(mine, "FIDO_CERTIFIED_L1"))
    assert register(config, mine) == 0
    assert register(config, key(OTHER, authority=mine.authority)) == 40025
    assert register(config, key()) == 40025
    assert register(config, VirtualAuthenticator(SITE)) == 40025


def test_anchors_of_the_metadata_are_for_their_model(service: MetadataService) -> None:
    """A root, a CA or the certificate itself vouches for the model that it is listed for, and for no other."""
    middle = certified("CA", certified("Root"))
    attester = certified("Key", middle, ca=False)
    for anchor in (middle, attester):
        mine, others = entry(key()), entry(key(OTHER))
        mine["metadataStatement"]["attestationRootCertificates"] = [text(anchor.der)]
        config = service.config(mine, others)
        for model, code in ((MODEL, 0), (OTHER, 40025)):
            assert register(config, key(model), bend=stated("packed", packed(attester))) == code


@pytest.mark.proves("specification:7.1.24", "rules:13.3")
@pytest.mark.parametrize("status", ["REVOKED", "USER_VERIFICATION_BYPASS", "USER_KEY_REMOTE_COMPROMISE"])
def test_compromised_models_are_refused(service: MetadataService, status: str) -> None:
    """A model with a report of a compromise is refused, whatever else is reported of it."""
    mine = key()
    assert register(service.config(entry(mine, "FIDO_CERTIFIED", status, "UPDATE_AVAILABLE")), mine) == 40025


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
