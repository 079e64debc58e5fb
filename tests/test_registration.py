"""Registration and sign-up without a server; docs/proof/specification.md has each test that section 7.1 needs."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from rehearsal import (
    ADA,
    CONFIG,
    HANDLES,
    ORIGIN,
    REGISTERED,
    RP_ID,
    TOKEN_BINDINGS,
    attest,
    begin_registration,
    browser,
    configured,
    finish_registration,
    register,
    sign_in,
)

from flask_passkey.ceremonies.attestation import Trust
from flask_passkey.ceremonies.pending import REGISTRATION, SIGN_UP
from flask_passkey.credentials import CredentialRecord
from flask_passkey.errors import MalformedRequest, RegistrationRejected
from flask_passkey.testing import Flags, RegistrationCeremony, VirtualAuthenticator, b64url_decode, b64url_encode

EVIL = "https://evil.example"
DIRECT = configured(attestation="direct")


def refused(reason: str, *, authenticator: VirtualAuthenticator | None = None, **bends: Any) -> None:
    """Check that a bent registration is refused with the status of registrations, for this reason."""
    with pytest.raises(RegistrationRejected, match=reason) as refusal:
        register(authenticator or browser(), **bends)
    assert (refusal.value.code, refusal.value.status) == (40025, 400)


def maker_of(authenticator: VirtualAuthenticator) -> Trust:
    """Trust the maker of an authenticator."""
    root = x509.load_pem_x509_certificate(authenticator.attestation_root)
    return Trust({"packed": [root.public_bytes(Encoding.DER)]})


# Begin


@pytest.mark.proves("specification:7.1.1", "browser:25")
def test_options_are_exactly_these() -> None:
    """Creation options have these members and no others, none of them null, all bytes unpadded base64url."""
    options, _ = begin_registration()
    challenge = options.pop("challenge")
    assert len(challenge) == 43 and len(b64url_decode(challenge)) == 32
    assert options == {
        "rp": {"id": RP_ID, "name": "Example"},
        "user": {"id": b64url_encode(HANDLES[ADA]), "name": "ada", "displayName": "Ada"},
        "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (-7, -8, -257)],
        "timeout": 300_000,
        "excludeCredentials": [],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
        "extensions": {"credProps": True},
    }


def test_by_name_security_keys_without_room_will_do() -> None:
    """Where a name is typed, authenticators that keep no passkeys can be registered; else they cannot."""
    by_name, _ = begin_registration(configured(username_first=True))
    selection = by_name["authenticatorSelection"]
    assert (selection["residentKey"], selection["requireResidentKey"]) == ("preferred", False)
    usual, _ = begin_registration()
    selection = usual["authenticatorSelection"]
    assert (selection["residentKey"], selection["requireResidentKey"]) == ("required", True)


@pytest.mark.proves("browser:rule-8")
def test_options_are_json() -> None:
    """Options are plain JSON, so that every framework can send them."""
    options, _ = begin_registration()
    assert json.loads(json.dumps(options)) == options


@pytest.mark.parametrize("display_name", ["Ada Lovelace", " Ada", "Ада 🦉"])
def test_display_name_is_as_given(display_name: str) -> None:
    """The display name goes to the browser as the user wrote it."""
    options, _ = begin_registration(display_name=display_name)
    assert options["user"]["displayName"] == display_name


@pytest.mark.parametrize("display_name", ["", " ", "\u3000"])
@pytest.mark.parametrize("user_id", [ADA, ""])
def test_the_name_stands_in_for_the_display_name(display_name: str, user_id: str) -> None:
    """Where there is no display name, the browser gets the name, and the app what the person wrote."""
    options, pending = begin_registration(display_name=display_name, user_id=user_id)
    assert options["user"]["displayName"] == options["user"]["name"] == "ada"
    assert pending.display_name == ("" if user_id else display_name)


@pytest.mark.proves("browser:16")
def test_options_follow_the_settings() -> None:
    """Timeout, user verification, algorithms in their order, and attestation are the app's choice."""
    config = configured(timeout=60_000, user_verification="preferred", algorithms=(-257, -7), attestation="direct")
    options, pending = begin_registration(config)
    assert options["timeout"] == 60_000
    assert options["authenticatorSelection"]["userVerification"] == pending.user_verification == "preferred"
    assert [item["alg"] for item in options["pubKeyCredParams"]] == [-257, -7]
    assert options["attestation"] == "direct"


@pytest.mark.proves("browser:26")
def test_options_exclude_what_the_account_has() -> None:
    """Passkeys of the account are excluded, with the transports they were registered with, or none."""
    security_key = register(browser(transports=("usb", "nfc")))
    silent = register(browser(transports=()))
    options, _ = begin_registration(exclude=[security_key, silent])
    assert options["excludeCredentials"] == [
        {"type": "public-key", "id": b64url_encode(security_key.id), "transports": ["nfc", "usb"]},
        {"type": "public-key", "id": b64url_encode(silent.id)},
    ]


def test_challenge_is_new_every_time() -> None:
    """No two ceremonies have the same challenge, and it is the one that is remembered."""
    begun = [begin_registration() for _ in range(100)]
    assert len({options["challenge"] for options, _ in begun}) == 100
    assert all(options["challenge"] == pending.challenge for options, pending in begun)


def test_registration_is_remembered_for_its_account() -> None:
    """A registration remembers account and user handle, and no names."""
    _, pending = begin_registration()
    assert (pending.purpose, pending.rp_id, pending.user_id) == (REGISTRATION, RP_ID, ADA)
    assert (pending.user_handle, pending.name, pending.display_name) == (b64url_encode(HANDLES[ADA]), "", "")


@pytest.mark.proves("browser:29")
def test_sign_up_is_remembered_with_its_names() -> None:
    """A sign-up remembers what the account is to be called, as there is no account yet."""
    _, pending = begin_registration(user_id="")
    assert (pending.purpose, pending.user_id, pending.name, pending.display_name) == (SIGN_UP, "", "ada", "Ada")
    assert pending.user_handle == b64url_encode(HANDLES[ADA])


# Finish


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_every_offered_algorithm_works(algorithm: int) -> None:
    """A passkey of every algorithm we offer can be registered, and signs in."""
    authenticator = browser(algorithm=algorithm)
    record = register(authenticator)
    assert record.algorithm == algorithm
    assert sign_in(authenticator, record).record.id == record.id


@pytest.mark.proves("specification:7.1.20")
@pytest.mark.parametrize("algorithm", [-35, -36, -53])
def test_algorithm_not_offered_is_refused(algorithm: int) -> None:
    """A key of another algorithm than those offered is refused, also where we could verify it."""
    options, pending = begin_registration()
    options["pubKeyCredParams"] = [{"type": "public-key", "alg": algorithm}]
    with pytest.raises(RegistrationRejected, match="Unsupported credential public key alg"):
        finish_registration(pending, browser().create(options))


@pytest.mark.proves("specification:7.1.20")
def test_algorithm_of_the_settings_is_accepted() -> None:
    """ES512 is verified where the app offers it."""
    authenticator = browser(algorithm=-36)
    assert register(authenticator, config=configured(algorithms=(-36,))).algorithm == -36


@pytest.mark.proves("specification:7.1.27")
def test_record_is_what_the_authenticator_says() -> None:
    """The new record has what was verified, what the client reported, and what we know."""
    authenticator = browser(aaguid="ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4", transports=("usb", "ble"), algorithm=-8)
    record = register(authenticator, sign_count=7, backup_state=False)
    (credential,) = authenticator.credentials
    assert record == CredentialRecord(
        id=credential.id,
        public_key=credential.cose_key(),
        sign_count=7,
        uv_initialized=True,
        transports=("ble", "usb"),
        backup_eligible=True,
        backup_state=False,
        user_id=ADA,
        user_handle=HANDLES[ADA],
        label="My passkey",
        aaguid="ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4",
        created_at=REGISTERED,
        algorithm=-8,
        discoverable=True,
        rp_id=RP_ID,
    )


@pytest.mark.proves("specification:7.1.18", "specification:7.1.19")
@pytest.mark.parametrize(("eligible", "state"), [(False, False), (True, False), (True, True)])
def test_backup_flags_are_kept(eligible: bool, state: bool) -> None:
    """All three allowed combinations of the backup flags are kept as they are."""
    record = register(browser(), backup_eligible=eligible, backup_state=state)
    assert (record.backup_eligible, record.backup_state) == (eligible, state)


@pytest.mark.parametrize("verified", [True, False])
def test_user_verification_is_kept(verified: bool) -> None:
    """The record tells whether the user was verified when the passkey was made."""
    config = configured(user_verification="preferred")
    assert register(browser(), config=config, user_verified=verified).uv_initialized is verified


def test_attestation_is_kept_where_it_was_asked_for() -> None:
    """Attestation object and client data are kept for the app if it asks for attestation, else not."""
    authenticator = browser(attestation="packed-x5c")
    options, pending = begin_registration(configured(attestation="direct"))
    response = authenticator.create(options)
    kept = finish_registration(pending, response, config=configured(attestation="direct"))
    dropped = finish_registration(pending, response)
    assert kept.attestation_object == b64url_decode(response["response"]["attestationObject"])
    assert kept.attestation_client_data_json == b64url_decode(response["response"]["clientDataJSON"])
    assert dropped == dataclasses.replace(kept, attestation_object=None, attestation_client_data_json=None)


def test_response_may_be_json_text() -> None:
    """A response is accepted as the text of its JSON, as the seed system's client sends it."""
    options, pending = begin_registration()
    response = browser().create(options)
    assert finish_registration(pending, json.dumps(response)) == finish_registration(pending, response)


@pytest.mark.parametrize("response", [None, 1, [], "", "1", "[]", "{", '{"id": 1, "id": 2}', '{"id": NaN}'])
def test_response_must_be_an_object(response: object) -> None:
    """What is no object at all is a malformed request, and says which member is meant."""
    _, pending = begin_registration()
    with pytest.raises(MalformedRequest) as refusal:
        finish_registration(pending, response)
    assert refusal.value.field == "response"


JUNK = {
    "transports null": lambda r: r["response"].update(transports=None),
    "transports missing": lambda r: r["response"].pop("transports"),
    "transports no list": lambda r: r["response"].update(transports="usb"),
    "attachment nonsense": lambda r: r.update(authenticatorAttachment="moon"),
    "attachment no text": lambda r: r.update(authenticatorAttachment=[1]),
    "extension results missing": lambda r: r.pop("clientExtensionResults"),
    "extension results odd": lambda r: r.update(clientExtensionResults=[{"credProps": 1}]),
    "unsolicited extension": lambda r: r.update(clientExtensionResults={"appid": True, "x": {"y": None}}),
    "toJSON": lambda r: r.update(toJSON={}, getClientExtensionResults={}),
    "authenticatorData nonsense": lambda r: r["response"].update(authenticatorData="=", publicKey=5),
    "members of a sign-in": lambda r: r["response"].update(userHandle="", signature="="),
}


@pytest.mark.proves("specification:7.1.4", "specification:7.1.28")
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_junk_of_clients_is_ignored(junk: Any) -> None:
    """What browsers and password managers add, leave out or get wrong beside the point does not disturb."""
    options, pending = begin_registration()
    response = browser(transports=()).create(options)
    expected = finish_registration(pending, response)
    junk(response)
    found = finish_registration(pending, response)
    assert found.discoverable in (True, None)  # which is what extension results say, if they do
    assert dataclasses.replace(found, discoverable=True) == expected


def test_transports_of_the_future_are_kept() -> None:
    """Names we do not know are kept in their order; what is no name, a repetition, and more than eight are not."""
    reported = ["hybrid", "warp-drive", 5, None, "USB", "a b", "usb", "hybrid", *"abcdefgh"]
    record = register(browser(), after=lambda r: r["response"].update(transports=reported))
    assert record.transports == ("hybrid", "warp-drive", "usb", "a", "b", "c", "d", "e")


@pytest.mark.proves("specification:7.1.28")
def test_unsolicited_authenticator_extensions_are_ignored() -> None:
    """Extension outputs nobody asked for are no reason to turn a passkey away."""

    def extend(ceremony: RegistrationCeremony) -> None:
        ceremony.extensions = {"credProtect": 2, "hmac-secret": True}
        ceremony.flags |= Flags.ED

    assert register(browser(), bend=extend).user_id == ADA


# What section 7.1 refuses


@pytest.mark.proves("specification:7.1.3")
def test_assertion_is_refused() -> None:
    """Step 3: the answer of get() does not pass for that of create()."""
    authenticator = browser()
    options, pending = begin_registration()
    authenticator.create(options)
    with pytest.raises(RegistrationRejected, match="attestationObject is missing"):
        finish_registration(pending, authenticator.get({**options, "rpId": RP_ID}, type="webauthn.create"))


@pytest.mark.proves("specification:7.1.5")
def test_client_data_may_begin_with_a_byte_order_mark() -> None:
    """Step 5: a byte order mark in front of the client data is no reason to turn a passkey away."""

    def mark(ceremony: RegistrationCeremony) -> None:
        ceremony.client_data_json = b"\xef\xbb\xbf" + ceremony.build_client_data_json()

    assert register(browser(), bend=mark).user_id == ADA


@pytest.mark.proves("specification:7.1.5", "specification:7.1.6")
@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe{\x00}\x00", b"\xff", b"[]", b"null", b"[" * 5000])
def test_client_data_must_be_json(data: bytes) -> None:
    """Steps 5 and 6: client data that are not a JSON object in UTF-8 are refused."""
    refused("clientDataJSON", bend=lambda c: setattr(c, "client_data_json", data))


@pytest.mark.proves("specification:7.1.6")
def test_client_data_may_grow() -> None:
    """Step 6: members we do not know do not disturb, as browsers add some to see that nobody minds."""

    def extend(ceremony: RegistrationCeremony) -> None:
        ceremony.client_data |= {
            "other_keys_can_be_added_here": "do not compare",
            "tokenBinding": {"status": "supported"},
        }

    assert register(browser(), bend=extend).user_id == ADA


@pytest.mark.proves("specification:7.1.6")
@pytest.mark.parametrize("value", TOKEN_BINDINGS, ids=repr)
def test_token_binding_is_ignored(value: object) -> None:
    """Step 6: ``tokenBinding`` of any shape is ignored; the client data are kept as they came."""
    authenticator, config = browser(), configured(attestation="direct")
    options, pending = begin_registration(config)
    response = authenticator.create(options, bend=lambda c: c.client_data.update(tokenBinding=value))
    record = finish_registration(pending, response, config=config)
    assert record.attestation_client_data_json == b64url_decode(response["response"]["clientDataJSON"])
    assert sign_in(authenticator, record).record.id == record.id


@pytest.mark.proves("specification:7.1.7")
@pytest.mark.parametrize("kind", ["webauthn.get", "payment.get", "", None])
def test_other_type_is_refused(kind: str | None) -> None:
    """Step 7: client data that were collected for something else are refused."""
    refused("not of type webauthn.create", type=kind)


@pytest.mark.proves("specification:7.1.8")
@pytest.mark.parametrize("challenge", [b64url_encode(bytes(32)), "", "é", None])
def test_other_challenge_is_refused(challenge: str | None) -> None:
    """Step 8: a response to another challenge is refused."""
    refused("challenge", challenge=challenge)


@pytest.mark.proves("specification:7.1.8")
def test_challenge_of_another_ceremony_is_refused() -> None:
    """Step 8: a response made for one ceremony does not finish another."""
    (options, _), (_, other) = begin_registration(), begin_registration()
    with pytest.raises(RegistrationRejected, match="another challenge"):
        finish_registration(other, browser().create(options))


@pytest.mark.proves("specification:7.1.9")
@pytest.mark.parametrize("origin", [EVIL, "http://example.com", f"{ORIGIN}:8443", f"{ORIGIN}/", "null", "", None])
def test_other_origin_is_refused(origin: str | None) -> None:
    """Step 9: a page that is not ours is refused, and the log tells where to allow it."""
    refused("PASSKEY_ORIGINS" if origin is not None else "no origin", origin=origin)


@pytest.mark.proves("specification:7.1.9")
def test_related_origin_is_accepted() -> None:
    """Step 9: a page on another domain may be listed as a related origin."""
    assert register(browser(), origin=EVIL, config=configured(related_origins=(EVIL,))).user_id == ADA


@pytest.mark.proves("specification:7.1.10")
def test_embedded_page_is_refused() -> None:
    """Step 10: a page inside a page of another origin is refused, and the log tells where to allow it."""
    refused("PASSKEY_ALLOW_CROSS_ORIGIN", cross_origin=True)


@pytest.mark.proves("specification:7.1.10")
def test_embedded_page_can_be_allowed() -> None:
    """Step 10: the app may allow it."""
    assert register(browser(), cross_origin=True, config=configured(allow_cross_origin=True)).user_id == ADA


@pytest.mark.proves("specification:7.1.11")
@pytest.mark.parametrize("settings", [{}, {"allow_cross_origin": True}, {"top_origins": (EVIL,)}])
def test_outer_page_is_refused(settings: dict[str, Any]) -> None:
    """Step 11: inside a page that is not among the allowed ones a ceremony is refused, and the log tells where."""
    refused("PASSKEY_TOP_ORIGINS", top_origin=EVIL, config=configured(**settings))


@pytest.mark.proves("specification:7.1.11")
def test_outer_page_can_be_allowed() -> None:
    """Step 11: the app may name outer pages that it expects."""
    config = configured(allow_cross_origin=True, top_origins=(EVIL,))
    assert register(browser(), cross_origin=True, top_origin=EVIL, config=config).user_id == ADA


@pytest.mark.proves("specification:7.1.12")
def test_changed_client_data_are_refused() -> None:
    """Step 12: attestation covers the client data, so they cannot be changed afterwards."""

    def change(ceremony: RegistrationCeremony) -> None:
        ceremony.client_data_json = (ceremony.client_data_json or b"") + b" "

    authenticator = browser(attestation="packed-x5c")
    assert register(authenticator, trust=maker_of(authenticator), config=DIRECT).user_id == ADA
    refused("signature", authenticator=authenticator, trust=maker_of(authenticator), config=DIRECT, tamper=change)


@pytest.mark.proves("specification:7.1.13")
@pytest.mark.parametrize("data", [b"", b"\xff", b"\xa0", b"\x80", b"\xa1\x63fmt\x64none", b"\x81" * 30_000])
def test_attestation_object_must_be_cbor(data: bytes) -> None:
    """Step 13: an attestation object that cannot be taken apart is refused."""
    options, pending = begin_registration()
    response = browser().create(options)
    response["response"]["attestationObject"] = b64url_encode(data)
    with pytest.raises(RegistrationRejected):
        finish_registration(pending, response)


@pytest.mark.proves("specification:7.1.13")
def test_authenticator_data_must_end() -> None:
    """Step 13: bytes after the authenticator data are refused."""

    def append(ceremony: RegistrationCeremony) -> None:
        ceremony.authenticator_data = ceremony.build_authenticator_data() + b"\x00"

    refused("malformed", bend=append)


@pytest.mark.proves("specification:7.1.13")
def test_authenticator_data_must_hold_a_credential() -> None:
    """Step 13: authenticator data without a credential are refused."""

    def drop(ceremony: RegistrationCeremony) -> None:
        ceremony.set_flag(Flags.AT, False)
        ceremony.authenticator_data = ceremony.build_authenticator_data()[:37]

    refused("attested credential data", bend=drop)


@pytest.mark.proves("specification:7.1.14")
@pytest.mark.parametrize("rp_id", ["evil.example", "EXAMPLE.com", "www.example.com", "com"])
def test_other_rp_id_is_refused(rp_id: str) -> None:
    """Step 14: a passkey made for another RP ID is refused."""
    refused("RP ID", rp_id=rp_id)


@pytest.mark.proves("specification:7.1.15")
def test_user_must_be_present() -> None:
    """Step 15: without the user's touch there is no registration, whatever the settings."""
    refused("User presence", user_present=False, config=configured(user_verification="discouraged"))


@pytest.mark.proves("specification:7.1.15", "specification:7.1.16")
def test_a_conditional_creation_needs_nobody() -> None:
    """Steps 15 and 16: asked to make a passkey unasked, the browser may do so without touch and verification."""
    options, pending = begin_registration(conditional=True)
    assert options["authenticatorSelection"]["userVerification"] == "preferred"
    record = finish_registration(pending, browser().create(options, user_present=False, user_verified=False))
    assert (record.user_id, record.uv_initialized) == (ADA, False)
    for other in (begin_registration(), begin_registration(user_id="")):
        response = browser().create(other[0], user_present=False)
        with pytest.raises(RegistrationRejected, match="User presence"):
            finish_registration(other[1], response)


@pytest.mark.proves("specification:7.1.15")
@pytest.mark.parametrize("mediation", ["", "optional", "required", "silent", "CONDITIONAL"])
def test_nothing_else_does_without_the_user(mediation: str) -> None:
    """Step 15: whatever else may stand in the store where a ceremony was kept, the user must be present."""
    options, pending = begin_registration()
    response = browser().create(options, user_present=False)
    with pytest.raises(RegistrationRejected, match="User presence"):
        finish_registration(msgspec.structs.replace(pending, mediation=mediation), response)


@pytest.mark.proves("threats:found-device", "specification:7.1.16")
def test_user_must_be_verified_where_required() -> None:
    """Step 16: with ``required`` a mere touch is refused, whatever the browser says it did."""
    refused("User verification", user_verified=False)


@pytest.mark.proves("specification:7.1.16")
@pytest.mark.parametrize("choice", ["preferred", "discouraged"])
def test_touch_is_enough_where_not_required(choice: str) -> None:
    """Step 16: with the other choices a mere touch is accepted."""
    assert register(browser(), user_verified=False, config=configured(user_verification=choice)).user_id == ADA


@pytest.mark.proves("specification:7.1.16")
def test_verification_is_as_required_at_begin() -> None:
    """Step 16: a setting that changed in between does not weaken a ceremony that was begun under the other."""
    options, pending = begin_registration()
    with pytest.raises(RegistrationRejected, match="User verification"):
        finish_registration(
            pending, browser().create(options, user_verified=False), config=configured(user_verification="preferred")
        )


@pytest.mark.proves("specification:7.1.17")
def test_backed_up_but_not_eligible_is_refused() -> None:
    """Step 17: a passkey cannot be backed up and not be eligible for it."""
    refused("backed up", backup_eligible=False, backup_state=True)


@pytest.mark.proves("specification:7.1.21")
def test_unknown_attestation_format_proves_nothing() -> None:
    """Step 21: a format we cannot verify, compared with the case of its letters, is refused where it should prove."""
    for name in ("Packed", "compound-eyes", "x\ny", ""):
        bends: dict[str, Any] = {"bend": lambda c, name=name: setattr(c, "attestation_format", name)}
        assert attest(browser(), **bends).attestation_verified is None
        assert attest(browser(), config=DIRECT, **bends).attestation_verified is False
        refused("proves nothing", trust=maker_of(browser(attestation="packed-x5c")), **bends)


def test_reason_is_one_short_line() -> None:
    """What a stranger wrote into a response cannot forge lines of the log, nor flood it."""
    long = "x\n" * 5_000
    trust = maker_of(browser(attestation="packed-x5c"))
    for bends in ({"bend": lambda c: setattr(c, "attestation_format", long)}, {"origin": long}):
        with pytest.raises(RegistrationRejected) as refusal:
            register(browser(), trust=trust, **bends)
        assert "\n" not in refusal.value.reason and len(refusal.value.reason) < 500


@pytest.mark.proves("specification:7.1.22")
def test_statement_beside_no_attestation_proves_nothing() -> None:
    """Step 22: the format ``none`` has an empty statement; whatever else is there is not looked at."""
    bends: dict[str, Any] = {"bend": lambda c: setattr(c, "attestation_statement", {"alg": -7})}
    assert attest(browser(), **bends).attestation_verified is None
    assert attest(browser(), config=DIRECT, **bends).attestation_verified is False


@pytest.mark.proves("specification:7.1.22")
@pytest.mark.parametrize("attestation", ["packed", "packed-x5c"])
def test_bad_attestation_signature_is_told(attestation: str) -> None:
    """Step 22: a statement whose signature does not fit is kept as one that does not verify; an anchor refuses it."""

    def change(ceremony: RegistrationCeremony) -> None:
        data = bytearray(ceremony.authenticator_data or b"")
        data[36] ^= 1  # the counter
        ceremony.authenticator_data = bytes(data)

    authenticator = browser(attestation=attestation)
    assert attest(authenticator, config=DIRECT).attestation_verified is True
    told = attest(browser(attestation=attestation), config=DIRECT, tamper=change)
    assert (told.attestation_verified, told.record.sign_count) == (False, 1)
    trust = maker_of(browser(attestation="packed-x5c"))
    refused("signature", authenticator=authenticator, config=DIRECT, trust=trust, tamper=change)


@pytest.mark.proves("specification:7.1.22")
def test_statement_of_another_key_does_not_verify() -> None:
    """Step 22: self attestation is made with the credential's own key."""

    def exchange(ceremony: RegistrationCeremony) -> None:
        ceremony.public_key = {**ceremony.public_key, -2: b64url_decode(b64url_encode(bytes(31) + b"\x01"))}

    authenticator = browser(attestation="packed", algorithm=-8)
    assert attest(authenticator, config=DIRECT, bend=exchange).attestation_verified is False


@pytest.mark.proves("specification:7.1.25")
def test_long_credential_id_is_accepted() -> None:
    """Step 25: a credential ID of 1023 bytes is registered and signs in."""
    authenticator = browser()
    record = register(authenticator, credential_id=bytes(1023))
    assert sign_in(authenticator, record).record.id == bytes(1023)


@pytest.mark.proves("specification:7.1.25")
def test_longer_credential_id_is_refused() -> None:
    """Step 25: one byte more is refused."""
    refused("longer than 1023 bytes", credential_id=bytes(1024))


def test_empty_credential_id_is_refused() -> None:
    """A credential ID is at least one byte."""
    refused("rawId is missing", credential_id=b"")


@pytest.mark.proves("specification:7.1.27", "rules:13.1")
def test_credential_id_must_be_that_of_the_authenticator() -> None:
    """Step 27: an ID beside the authenticator data cannot claim the credential of another account."""

    def claim(response: dict[str, Any]) -> None:
        response["id"] = response["rawId"] = b64url_encode(b"credential of Bob")

    refused("not the ID in the authenticator data", after=claim)


def test_id_and_raw_id_must_agree() -> None:
    """``id`` and ``rawId`` are the same text."""
    refused("differ", after=lambda r: r.update(id=b64url_encode(b"another")))


@pytest.mark.proves("specification:7.1.27")
@pytest.mark.parametrize("kind", ["Public-Key", "", None, 5])
def test_credential_type_must_be_public_key(kind: object) -> None:
    """Step 27: there is one type of credential."""
    refused("not 'public-key'", after=lambda r: r.update(type=kind))


@pytest.mark.parametrize("member", ["id", "rawId", "type", "response"])
def test_outer_members_are_needed(member: str) -> None:
    """A response without one of its outer members is refused; the log says which."""
    refused(member, after=lambda r: r.pop(member))


@pytest.mark.parametrize("member", ["clientDataJSON", "attestationObject"])
@pytest.mark.parametrize("value", [None, "", 5, [], "{}", "QQ==", "QR", "Q Q", "+/"])
def test_bytes_must_be_base64url(member: str, value: object) -> None:
    """Bytes that are missing, padded, not canonical or not base64url are refused; the log says which."""
    refused(member, after=lambda r: r["response"].update({member: value}))


def test_padded_members_are_refused() -> None:
    """Padding is refused also where it is right: one text for one value, so that nothing has two names."""
    for member in ("clientDataJSON", "attestationObject"):
        refused(member, after=lambda r, member=member: r["response"].update({member: padded(r["response"][member])}))
    refused("rawId", credential_id=bytes(31), after=lambda r: r.update(id=padded(r["id"]), rawId=padded(r["rawId"])))


def padded(text: str) -> str:
    """Return base64url text with all the padding it can have."""
    return text + ("=" * (-len(text) % 4) or "====")


@pytest.mark.proves("specification:7.1.29")
def test_sign_up_has_no_account_yet() -> None:
    """The record of a sign-up has the user handle that was offered, and no account until there is one."""
    options, pending = begin_registration(user_id="")
    record = finish_registration(pending, browser().create(options), user_id="")
    assert (record.user_id, record.user_handle) == ("", HANDLES[ADA])


def test_settings_are_those_of_the_example() -> None:
    """The tests above run on the default settings, nothing relaxed."""
    assert configured(user_verification="required", allow_cross_origin=False, algorithms=(-7, -8, -257)) == CONFIG
