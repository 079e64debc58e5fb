"""The virtual authenticator: what an honest one makes, judged by the ``webauthn`` library."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from response_tools import (
    AAGUID,
    CHALLENGE,
    EDDSA,
    ES256,
    ORIGIN,
    RP_ID,
    RS256,
    allowing,
    creation_options,
    offering,
    read,
    request_options,
    user,
    verify_authentication,
    verify_registration,
)
from test_house import running_nodes
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import InvalidRegistrationResponse

import flask_passkey.testing
from flask_passkey.testing import (
    ALGORITHMS,
    AttestationAuthority,
    NotAllowedError,
    RegistrationCeremony,
    VirtualAuthenticator,
    VirtualCredential,
    as_json_text,
    b64url_decode,
    b64url_encode,
    cose_map,
    generate_key,
)

#: The library cannot verify self attestation of ES384 and Ed448; ``test_signature_algorithms`` covers their signatures.
ATTESTATIONS = [
    (algorithm, attestation)
    for algorithm in ALGORITHMS
    for attestation in ("none", "packed", "packed-x5c")
    if attestation != "packed" or algorithm not in (-35, -53)
]


@pytest.mark.parametrize(("algorithm", "attestation"), ATTESTATIONS)
def test_registration_verifies(algorithm: int, attestation: Any) -> None:
    """For every algorithm and attestation the library accepts a registration and reads our values from it."""
    authenticator = VirtualAuthenticator(
        ORIGIN, algorithm=algorithm, attestation=attestation, aaguid=AAGUID, shared_rsa_key=True
    )
    options = creation_options(pubKeyCredParams=offering(algorithm), attestation="direct")
    response = authenticator.create(options)
    root = authenticator.attestation_root if attestation == "packed-x5c" else None
    verified = verify_registration(response, algorithm=algorithm, root=root)
    (credential,) = authenticator.credentials
    assert verified.credential_id == credential.id
    assert verified.credential_public_key == credential.cose_key()
    assert verified.fmt == attestation.removesuffix("-x5c")
    assert (verified.aaguid, verified.sign_count, verified.user_verified) == (AAGUID, 0, True)
    assert (verified.credential_device_type.value, verified.credential_backed_up) == ("multi_device", True)


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256, -36])
def test_authentication_verifies(algorithm: int) -> None:
    """For every algorithm the library has, it accepts an authentication."""
    authenticator = VirtualAuthenticator(ORIGIN, algorithm=algorithm, shared_rsa_key=True, sign_count_step=1)
    authenticator.create(creation_options(pubKeyCredParams=offering(algorithm)))
    (credential,) = authenticator.credentials
    verified = verify_authentication(authenticator.get(request_options()), credential)
    assert (verified.credential_id, verified.new_sign_count) == (credential.id, 1)
    assert COSEAlgorithmIdentifier(credential.algorithm) == algorithm


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_spki_is_the_same_key(algorithm: int) -> None:
    """``publicKey`` is the DER form of the very key in the attestation object, under its algorithm's number."""
    authenticator = VirtualAuthenticator(ORIGIN, algorithm=algorithm, shared_rsa_key=True)
    inner = authenticator.create(creation_options(pubKeyCredParams=offering(algorithm)))["response"]
    public_key = serialization.load_der_public_key(b64url_decode(inner["publicKey"]))
    assert public_key == authenticator.credentials[0].private_key.public_key()
    assert inner["publicKeyAlgorithm"] == algorithm


def test_foreign_root_does_not_verify() -> None:
    """The certificate of one manufacturer is worth nothing below another's root."""
    authenticator = VirtualAuthenticator(ORIGIN, algorithm=EDDSA, attestation="packed-x5c")
    response = authenticator.create(creation_options(attestation="direct"))
    with pytest.raises(InvalidRegistrationResponse):
        verify_registration(response, root=AttestationAuthority().root_pem)


def test_authenticators_of_one_brand_share_a_root() -> None:
    """One authority given to two authenticators makes one root, which verifies both."""
    authority = AttestationAuthority()
    for aaguid in (AAGUID, "00000000-0000-0000-0000-000000000000"):
        authenticator = VirtualAuthenticator(ORIGIN, attestation="packed-x5c", aaguid=aaguid, authority=authority)
        response = authenticator.create(creation_options(attestation="direct"))
        assert verify_registration(response, algorithm=ES256, root=authority.root_pem).aaguid == aaguid


def test_certificate_of_another_model_does_not_verify() -> None:
    """The certificate names the AAGUID, so a response that claims another model is found out."""
    authenticator = VirtualAuthenticator(ORIGIN, attestation="packed-x5c", aaguid=AAGUID)

    def lie(ceremony: RegistrationCeremony) -> None:
        ceremony.sign()
        other = authenticator.authority.statement(b"", aaguid="00000000-0000-0000-0000-000000000001")
        assert ceremony.attestation_statement is not None
        ceremony.attestation_statement["x5c"] = other["x5c"]

    response = authenticator.create(creation_options(attestation="direct"), bend=lie)
    with pytest.raises(InvalidRegistrationResponse):
        verify_registration(response, root=authenticator.attestation_root)


@pytest.mark.parametrize(
    ("conveyance", "attestation", "aaguid", "expected"),
    [
        ("none", "none", AAGUID, "none"),
        ("none", "packed", AAGUID, "none"),
        ("none", "packed-x5c", AAGUID, "none"),
        ("none", "packed", "00000000-0000-0000-0000-000000000000", "packed"),
        ("direct", "none", AAGUID, "none"),
        ("direct", "packed", AAGUID, "packed"),
        ("indirect", "packed-x5c", AAGUID, "packed"),
        ("enterprise", "packed-x5c", AAGUID, "packed"),
    ],
)
def test_attestation_is_given_when_asked_for(conveyance: str, attestation: Any, aaguid: str, expected: str) -> None:
    """A browser passes attestation on when it is asked for, and unasked only where it identifies no model."""
    authenticator = VirtualAuthenticator(ORIGIN, attestation=attestation, aaguid=aaguid)
    response = authenticator.create(creation_options(attestation=conveyance))
    assert read(response)["fmt"] == expected


def test_registration_json_is_the_browsers(authenticator: VirtualAuthenticator) -> None:
    """A registration has exactly the members of ``RegistrationResponseJSON`` with an honest client's values."""
    response = authenticator.create(creation_options())
    (credential,) = authenticator.credentials
    inner = response.pop("response")
    assert response == {
        "id": b64url_encode(credential.id),
        "rawId": b64url_encode(credential.id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {"credProps": {"rk": True}},
    }
    assert set(inner) == {
        "clientDataJSON",
        "attestationObject",
        "authenticatorData",
        "transports",
        "publicKey",
        "publicKeyAlgorithm",
    }
    assert inner["transports"] == ["hybrid", "internal"]
    assert inner["publicKeyAlgorithm"] == EDDSA
    expected = f'{{"type":"webauthn.create","challenge":"{b64url_encode(CHALLENGE)}","origin":"{ORIGIN}",'
    assert b64url_decode(inner["clientDataJSON"]).decode() == expected + '"crossOrigin":false}'


def test_authentication_json_is_the_browsers(
    authenticator: VirtualAuthenticator, credential: VirtualCredential
) -> None:
    """An authentication has exactly the members of ``AuthenticationResponseJSON`` with an honest client's values."""
    response = authenticator.get(request_options())
    inner = response.pop("response")
    assert response == {
        "id": b64url_encode(credential.id),
        "rawId": b64url_encode(credential.id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
    }
    assert set(inner) == {"clientDataJSON", "authenticatorData", "signature", "userHandle"}
    assert inner["userHandle"] == b64url_encode(b"handle of ada")
    expected = f'{{"type":"webauthn.get","challenge":"{b64url_encode(CHALLENGE)}","origin":"{ORIGIN}",'
    assert b64url_decode(inner["clientDataJSON"]).decode() == expected + '"crossOrigin":false}'


def test_inner_options_are_enough(authenticator: VirtualAuthenticator) -> None:
    """The options may come with or without ``publicKey`` around them."""
    verify_registration(authenticator.create(creation_options()["publicKey"]))
    verify_authentication(authenticator.get(request_options()["publicKey"]), authenticator.credentials[0])


def test_security_key() -> None:
    """A security key says so: attachment, transports, counter, no backup."""
    key = VirtualAuthenticator(
        ORIGIN,
        transports=("usb", "nfc"),
        sign_count_step=1,
        default_backup_eligibility=False,
        default_backup_state=False,
    )
    response = key.create(creation_options())
    assert response["authenticatorAttachment"] == "cross-platform"
    assert response["response"]["transports"] == ["nfc", "usb"]
    assert read(response)["flags"] == 0x45
    assert [read(key.get(request_options()))["sign_count"] for _ in range(3)] == [1, 2, 3]


def test_non_discoverable_credential() -> None:
    """Where no discoverable credential is wanted, the response has no user handle and must be asked for by ID."""
    authenticator = VirtualAuthenticator(ORIGIN)
    created = authenticator.create(creation_options(authenticatorSelection={"residentKey": "discouraged"}))
    (credential,) = authenticator.credentials
    assert created["clientExtensionResults"] == {"credProps": {"rk": False}}
    response = authenticator.get(request_options(allowCredentials=allowing(credential)))
    assert "userHandle" not in response["response"]
    verify_authentication(response, credential)
    with pytest.raises(NotAllowedError, match="no fitting credential"):
        authenticator.get(request_options())


def test_extension_results_only_when_asked(authenticator: VirtualAuthenticator) -> None:
    """Nobody asked for ``credProps``: none is there."""
    assert authenticator.create(creation_options(extensions={}))["clientExtensionResults"] == {}


def test_json_text_of_old_clients_verifies(authenticator: VirtualAuthenticator, credential: VirtualCredential) -> None:
    """The text of clients without ``toJSON()`` has the oldest members only, and the library accepts it."""
    created = as_json_text(authenticator.create(creation_options()))
    verify_registration(created)
    assert set(json.loads(created)["response"]) == {"attestationObject", "clientDataJSON"}
    got = as_json_text(authenticator.get(request_options()))
    assert json.loads(got)["response"]["attestationObject"] == ""
    verify_authentication(got, authenticator.credentials[0])
    without = as_json_text(authenticator.get(request_options(), user_handle=None))
    assert json.loads(without)["response"]["userHandle"] == ""


def test_newest_credential_is_taken(authenticator: VirtualAuthenticator) -> None:
    """Of several accounts the newest is taken, of named credentials the newest named, of a chosen one that one."""
    for name in ("ada", "bob", "cyd"):
        authenticator.create(creation_options(user=user(name.encode(), name)))
    ada, bob, cyd = authenticator.credentials
    assert [c.user_name for c in (ada, bob, cyd)] == ["ada", "bob", "cyd"]
    assert authenticator.get(request_options())["id"] == b64url_encode(cyd.id)
    assert authenticator.get(request_options(allowCredentials=allowing(bob, ada)))["id"] == b64url_encode(bob.id)
    chosen = authenticator.get(request_options(allowCredentials=allowing(bob)), credential=ada)
    assert chosen["id"] == b64url_encode(ada.id)
    assert chosen["response"]["userHandle"] == b64url_encode(b"ada")
    verify_authentication(chosen, ada)


def test_credentials_of_other_sites_are_not_taken(authenticator: VirtualAuthenticator) -> None:
    """A credential answers for its own RP ID only, even when it is named."""
    other = VirtualCredential(rp_id="login.example.com", user_handle=b"x")
    authenticator.credentials.append(other)
    for options in (request_options(), request_options(allowCredentials=allowing(other))):
        with pytest.raises(NotAllowedError, match="no fitting credential for 'example.com'"):
            authenticator.get(options)


def test_new_credential_replaces_that_of_the_account(authenticator: VirtualAuthenticator) -> None:
    """An authenticator keeps one discoverable credential for a user handle, as Chromium's does."""
    authenticator.create(creation_options(user=user(b"ada")))
    authenticator.create(creation_options(user=user(b"bob")))
    first = authenticator.credentials[0]
    authenticator.create(creation_options(user=user(b"ada")))
    assert [c.user_handle for c in authenticator.credentials] == [b"bob", b"ada"]
    assert first not in authenticator.credentials


def test_credential_made_by_hand(authenticator: VirtualAuthenticator) -> None:
    """A credential that no ceremony registered signs in, given its COSE key; removed, it is gone."""
    credential = VirtualCredential(rp_id=RP_ID, user_handle=b"x" * 64)
    authenticator.credentials.append(credential)
    verify_authentication(authenticator.get(request_options()), credential)
    authenticator.credentials.remove(credential)
    with pytest.raises(NotAllowedError):
        authenticator.get(request_options())


def test_synced_counter_stays() -> None:
    """Without a step the counter stays where it is, at zero or where a test has set it."""
    authenticator = VirtualAuthenticator(ORIGIN)
    authenticator.create(creation_options())
    assert [read(authenticator.get(request_options()))["sign_count"] for _ in range(2)] == [0, 0]
    authenticator.credentials[0].sign_count = 7
    assert [read(authenticator.get(request_options()))["sign_count"] for _ in range(2)] == [7, 7]


def test_keys_are_distinct_unless_shared() -> None:
    """RSA keys differ unless a test asks for the one of the process; others always do."""
    assert generate_key(ES256) != generate_key(ES256)
    assert cose_map(generate_key(RS256)) != cose_map(generate_key(RS256, shared_rsa_key=True))
    assert generate_key(RS256, shared_rsa_key=True) is generate_key(RS256, shared_rsa_key=True)
    for shared, count in ((False, 2), (True, 1)):
        authenticator = VirtualAuthenticator(ORIGIN, algorithm=RS256, shared_rsa_key=shared)
        for handle in (b"ada", b"bob"):
            authenticator.create(creation_options(user=user(handle)))
        assert len({c.cose_key() for c in authenticator.credentials}) == count
    assert not VirtualAuthenticator().shared_rsa_key
    with pytest.raises(ValueError, match="-65535"):
        generate_key(-65535)


@pytest.mark.parametrize(("offered", "expected"), [((-257, -7), -257), ((-999, -8, -7), -8), ((), -7)])
def test_first_offered_algorithm_is_taken(offered: tuple[int, ...], expected: int) -> None:
    """The first offered algorithm it has is taken; an empty offer means ES256."""
    authenticator = VirtualAuthenticator(ORIGIN, shared_rsa_key=True)
    authenticator.create(creation_options(pubKeyCredParams=offering(*offered)))
    assert authenticator.credentials[0].algorithm == expected


def imports_of(path: Path, folder: Path) -> Iterator[str]:
    """Yield what a module of the kit imports when it runs: libraries, and ``..`` for what is beside the kit."""
    for node in running_nodes(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield ".." if node.level > len(path.relative_to(folder).parts) else "."
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def test_nothing_is_shared_with_the_server() -> None:
    """No module of the kit imports the server's libraries, Flask, or a part beside it; one imports pytest."""
    folder = Path(inspect.getfile(flask_passkey.testing)).parent
    imported = {path.relative_to(folder).as_posix(): {*imports_of(path, folder)} for path in folder.rglob("*.py")}
    assert "pytest" in imported.pop("plugin.py")
    everywhere = {name for names in imported.values() for name in names}
    assert "." in everywhere and "attack/site.py" in imported
    assert everywhere.isdisjoint({"webauthn", "cbor2", "flask", "flask_passkey", "werkzeug", "pytest", ".."})
    assert everywhere > {"cryptography", "."}
