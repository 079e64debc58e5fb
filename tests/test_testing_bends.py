"""Bent responses: each bend changes what it says and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from response_tools import (
    AAGUID,
    EDDSA,
    FLAGS,
    ORIGIN,
    RP_ID,
    changes,
    creation_options,
    read,
    request_options,
    verify_authentication,
)
from webauthn.helpers.exceptions import InvalidAuthenticationResponse

from flask_passkey.testing import (
    AuthenticationCeremony,
    Ceremony,
    Flags,
    RegistrationCeremony,
    VirtualAuthenticator,
    VirtualCredential,
    b64url_decode,
    cose_map,
    generate_key,
)


def signature_fits(response: dict[str, Any], key: ed25519.Ed25519PrivateKey) -> bool:
    """Is the signature right for the client data and the authenticator data that stand beside it?"""
    inner = response["response"]
    signed = b64url_decode(inner["authenticatorData"]) + sha256(b64url_decode(inner["clientDataJSON"])).digest()
    signature = inner.get("signature")
    try:
        if signature is None:
            statement = cbor2.loads(b64url_decode(inner["attestationObject"]))["attStmt"]
            key.public_key().verify(statement["sig"], signed)
        else:
            key.public_key().verify(b64url_decode(signature), signed)
    except InvalidSignature:
        return False
    return True


OTHER_HASH = sha256(b"other.example").digest()

#: keyword, value, what it changes in a registration and in an authentication; flags without AT.
SIMPLE_BENDS: list[tuple[str, Any, dict[str, Any]]] = [
    ("type", "payment.get", {"client_data.type": "payment.get"}),
    ("type", None, {"client_data.type": None}),
    ("challenge", "AAAA", {"client_data.challenge": "AAAA"}),
    ("origin", "https://evil.example", {"client_data.origin": "https://evil.example"}),
    ("cross_origin", True, {"client_data.crossOrigin": True}),
    ("cross_origin", None, {"client_data.crossOrigin": None}),
    ("top_origin", "https://top.example", {"client_data.topOrigin": "https://top.example"}),
    ("rp_id", "other.example", {"rp_id_hash": OTHER_HASH}),
    ("user_present", False, {"flags": 0x1C}),
    ("user_verified", False, {"flags": 0x19}),
    ("backup_eligible", False, {"flags": 0x15}),
    ("backup_state", False, {"flags": 0x0D}),
    ("sign_count", 4294967295, {"sign_count": 4294967295}),
    ("credential_id", b"other", {"id": "b3RoZXI", "rawId": "b3RoZXI"}),
]
SIMPLE_IDS = [f"{name}={value!r}" for name, value, _ in SIMPLE_BENDS]


@pytest.mark.parametrize(("name", "value", "expected"), SIMPLE_BENDS, ids=SIMPLE_IDS)
def test_bend_of_authentication(
    authenticator: VirtualAuthenticator,
    credential: VirtualCredential,
    name: str,
    value: Any,
    expected: dict[str, Any],
) -> None:
    """A keyword changes what it says and nothing else, the signature fits, and the next response is honest again."""
    honest = authenticator.get(request_options())
    bends: Any = {name: value}
    bent = authenticator.get(request_options(), **bends)
    assert changes(honest, bent) == expected
    assert signature_fits(bent, as_eddsa(credential))
    assert authenticator.get(request_options()) == honest


@pytest.mark.parametrize(("name", "value", "expected"), SIMPLE_BENDS, ids=SIMPLE_IDS)
def test_bend_of_registration(name: str, value: Any, expected: dict[str, Any]) -> None:
    """A keyword changes what it says and nothing else, and the self attestation fits."""
    key, credential_id = ed25519.Ed25519PrivateKey.generate(), b"fixed"

    def fix(ceremony: RegistrationCeremony) -> None:
        ceremony.credential.private_key = key
        ceremony.public_key = cose_map(key)
        if name != "credential_id":
            ceremony.credential_id = credential_id

    def create(**bends: Any) -> dict[str, Any]:
        authenticator = VirtualAuthenticator(ORIGIN, algorithm=EDDSA, attestation="packed")
        return authenticator.create(creation_options(), bend=fix, **bends)

    expected = dict(expected)
    if "flags" in expected:
        expected["flags"] |= 0x40
    if "id" in expected:
        expected["attested_id"] = value
    bent = create(**{name: value})
    assert changes(create(), bent) == expected
    assert signature_fits(bent, key)


def as_eddsa(credential: VirtualCredential) -> ed25519.Ed25519PrivateKey:
    """Return the key of a credential, known to be an Ed25519 one."""
    assert isinstance(credential.private_key, ed25519.Ed25519PrivateKey)
    return credential.private_key


def test_user_handle_bend(authenticator: VirtualAuthenticator, credential: VirtualCredential) -> None:
    """The user handle may be another or missing; it is not signed, so nothing else changes."""
    honest = authenticator.get(request_options())
    other = authenticator.get(request_options(), user_handle=b"bob")
    assert changes(honest, other) == {"userHandle": "Ym9i"}
    assert changes(honest, authenticator.get(request_options(), user_handle=None)) == {"userHandle": None}
    assert signature_fits(other, as_eddsa(credential))


def test_signature_bend(authenticator: VirtualAuthenticator, credential: VirtualCredential) -> None:
    """A given signature is sent as it is; the library refuses it, and nothing else has changed."""
    honest = authenticator.get(request_options())
    bent = authenticator.get(request_options(), signature=b"no")
    assert bent["response"]["signature"] == "bm8"
    assert changes(honest, bent) == {}
    with pytest.raises(InvalidAuthenticationResponse):
        verify_authentication(bent, credential)


def test_bent_credential_id_of_a_registration_is_kept(authenticator: VirtualAuthenticator) -> None:
    """A credential registered under a chosen ID signs in under that ID; other bends are not kept."""
    created = authenticator.create(
        creation_options(), credential_id=b"chosen", sign_count=9, backup_state=False, backup_eligible=False
    )
    assert created["id"] == "Y2hvc2Vu"
    honest = read(authenticator.get(request_options()))
    assert (honest["id"], honest["sign_count"], honest["flags"]) == ("Y2hvc2Vu", 0, FLAGS)


def test_unknown_bend_is_refused(authenticator: VirtualAuthenticator, credential: VirtualCredential) -> None:
    """A keyword that does not exist, or not for this ceremony, is an error and not an honest response."""
    wrong: Any = {"user_verifed": False}
    with pytest.raises(TypeError, match="user_verifed"):
        authenticator.get(request_options(), **wrong)
    misplaced: Any = {"signature": b""}
    with pytest.raises(TypeError, match="signature"):
        authenticator.create(creation_options(), **misplaced)


Bend = Callable[[AuthenticationCeremony], object]


@pytest.mark.parametrize(
    ("bend", "expected"),
    [
        (lambda c: c.client_data.update(extra="x"), {"client_data.extra": "x"}),
        (lambda c: setattr(c, "client_data_json", b'{"a":1}'), None),
        (lambda c: setattr(c, "rp_id_hash", bytes(32)), {"rp_id_hash": bytes(32)}),
        (lambda c: setattr(c, "flags", 0x27), {"flags": 0x27}),
        (lambda c: c.set_flag(Flags.ED, True), {"flags": FLAGS | 0x80}),
        (lambda c: setattr(c, "extensions", {"x": 1}), {"rest": b"\xa1\x61x\x01"}),
        (lambda c: setattr(c, "authenticator_data", c.build_authenticator_data() + b"more"), {"rest": b"more"}),
        (lambda c: setattr(c, "authenticator_attachment", None), {"authenticatorAttachment": None}),
        (lambda c: c.client_extension_results.update(x=1), {"clientExtensionResults": {"x": 1}}),
    ],
)
def test_bend_callable(
    authenticator: VirtualAuthenticator,
    credential: VirtualCredential,
    bend: Bend,
    expected: dict[str, Any] | None,
) -> None:
    """What a callable changes before signing is signed, down to raw bytes that no client would make."""
    honest = authenticator.get(request_options())
    bent = authenticator.get(request_options(), bend=bend)
    if expected is None:
        assert b64url_decode(bent["response"]["clientDataJSON"]) == b'{"a":1}'
    else:
        assert changes(honest, bent) == expected
    assert signature_fits(bent, as_eddsa(credential))


def test_reserved_flags_survive_a_keyword(authenticator: VirtualAuthenticator, credential: VirtualCredential) -> None:
    """Switching one flag off leaves all others as they are, those without a name too."""

    def bend(ceremony: Ceremony) -> None:
        ceremony.flags = Flags(0x27)
        ceremony.set_flag(Flags.UV, False)

    assert read(authenticator.get(request_options(), bend=bend))["flags"] == 0x23


@pytest.mark.parametrize(
    ("bend", "expected"),
    [
        (lambda c: setattr(c, "aaguid", AAGUID), {"aaguid": bytes.fromhex(AAGUID.replace("-", ""))}),
        (lambda c: c.public_key.update({3: -257}), "rest"),
        (lambda c: c.transports.append("smell"), {"transports": ["hybrid", "internal", "smell"]}),
        (lambda c: setattr(c, "attestation_format", "void"), {"fmt": "void", "attStmt": {}}),
    ],
)
def test_bend_callable_of_registration(bend: Callable[[RegistrationCeremony], object], expected: Any) -> None:
    """The parts that only a registration has can be bent as well."""
    credential = VirtualCredential(rp_id=RP_ID, user_handle=b"x", private_key=generate_key(EDDSA))

    def create(also: Callable[[RegistrationCeremony], object]) -> dict[str, Any]:
        def fix(ceremony: RegistrationCeremony) -> None:
            ceremony.credential.private_key = credential.private_key
            ceremony.public_key = cose_map(credential.private_key)
            also(ceremony)

        authenticator = VirtualAuthenticator(ORIGIN, algorithm=EDDSA, attestation="packed")
        return authenticator.create(creation_options(), bend=fix, credential_id=b"fixed")

    found = changes(create(lambda c: None), create(bend))
    assert (set(found) == {expected}) if isinstance(expected, str) else found == expected


def test_tampering_breaks_the_signature(authenticator: VirtualAuthenticator, credential: VirtualCredential) -> None:
    """What is changed after signing is sent, and the signature no longer fits."""
    honest = authenticator.get(request_options())

    def raise_counter(ceremony: Ceremony) -> None:
        assert ceremony.authenticator_data is not None
        ceremony.authenticator_data = ceremony.authenticator_data[:33] + b"\0\0\0\5"

    bent = authenticator.get(request_options(), tamper=raise_counter)
    assert changes(honest, bent) == {"sign_count": 5}
    assert not signature_fits(bent, as_eddsa(credential))
    with pytest.raises(InvalidAuthenticationResponse):
        verify_authentication(bent, credential)


def test_tampering_breaks_the_attestation() -> None:
    """A registration changed after signing is sent, and its attestation no longer fits."""
    authenticator = VirtualAuthenticator(ORIGIN, algorithm=EDDSA, attestation="packed")

    def swap_client_data(ceremony: Ceremony) -> None:
        ceremony.client_data["extra"] = 1
        ceremony.client_data_json = ceremony.build_client_data_json()

    response = authenticator.create(creation_options(), tamper=swap_client_data)
    assert read(response)["client_data.extra"] == 1
    assert not signature_fits(response, as_eddsa(authenticator.credentials[0]))


def test_finished_json_can_be_changed(authenticator: VirtualAuthenticator) -> None:
    """The JSON itself is open too, for members missing, added or of another type."""
    created = authenticator.create(creation_options(), after=lambda r: r["response"].pop("transports"))
    assert "transports" not in created["response"]
    assert authenticator.get(request_options(), after=lambda r: r.update(id=5))["id"] == 5


def test_taps_come_in_order(authenticator: VirtualAuthenticator, credential: VirtualCredential) -> None:
    """Keywords, bend, signing, tamper, JSON, after: each sees what the one before has left."""
    seen: list[str] = []

    def bend(ceremony: AuthenticationCeremony) -> None:
        seen.append(f"bend {ceremony.sign_count} {ceremony.signature is None}")
        ceremony.sign_count = 2

    def tamper(ceremony: AuthenticationCeremony) -> None:
        seen.append(f"tamper {ceremony.sign_count} {ceremony.signature is None}")
        ceremony.user_handle = b"t"

    authenticator.get(
        request_options(),
        sign_count=1,
        bend=bend,
        tamper=tamper,
        after=lambda r: seen.append(f"after {r['response']['userHandle']}"),
    )
    assert seen == ["bend 1 True", "tamper 2 False", "after dA"]
