"""Sign-in and step-up without a server; docs/proof/specification.md has each test that section 7.2 needs."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from rehearsal import (
    ADA,
    BOB,
    CONFIG,
    HANDLES,
    ORIGIN,
    RP_ID,
    TOKEN_BINDINGS,
    USED,
    begin_step_up,
    browser,
    configured,
    finish_sign_in,
    register,
    sign_in,
    step_up,
)
from webauthn.helpers import decode_credential_public_key

from flask_passkey.ceremonies import authentication
from flask_passkey.ceremonies.authentication import Authenticated
from flask_passkey.ceremonies.keys import check_public_key
from flask_passkey.ceremonies.pending import SIGN_IN, STEP_UP, mark
from flask_passkey.config import PasskeyConfig
from flask_passkey.credentials import CredentialRecord
from flask_passkey.errors import MalformedRequest, RegistrationRejected, ResponseRejected
from flask_passkey.testing import (
    AuthenticationCeremony,
    Flags,
    VirtualAuthenticator,
    as_json_text,
    b64url_decode,
    b64url_encode,
    encode_cbor,
    generate_key,
)

EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def registered() -> tuple[VirtualAuthenticator, CredentialRecord]:
    """Ada's authenticator, with one synced passkey whose counter stays 0, and its record; tests leave both alone."""
    authenticator = browser()
    return authenticator, register(authenticator)


@pytest.fixture
def authenticator(registered: tuple[VirtualAuthenticator, CredentialRecord]) -> VirtualAuthenticator:
    """Ada's authenticator."""
    return registered[0]


@pytest.fixture
def record(registered: tuple[VirtualAuthenticator, CredentialRecord]) -> CredentialRecord:
    """What the server has of her passkey."""
    return registered[1]


@pytest.fixture
def refused(authenticator: VirtualAuthenticator, record: CredentialRecord) -> Any:
    """Return a function that checks that a bent sign-in is refused with the status of sign-ins, for this reason."""

    def check(reason: str, *, config: PasskeyConfig = CONFIG, **bends: Any) -> None:
        with pytest.raises(ResponseRejected, match=reason) as refusal:
            sign_in(authenticator, record, config=config, **bends)
        assert (refusal.value.code, refusal.value.status) == (40025, 401)
        assert not isinstance(refusal.value, RegistrationRejected)

    return check


def read_only(authenticator: VirtualAuthenticator, *, config: PasskeyConfig = CONFIG, **bends: Any) -> None:
    """Do what comes before the credential is looked up."""
    options, pending = authentication.begin(config=config)
    authentication.read(pending, authenticator.get(options, **bends), config=config)


# Begin


@pytest.mark.proves("specification:7.2.1", "browser:17", "rules:13.4.3")
def test_options_are_exactly_these() -> None:
    """Options of a sign-in without a name have these members and no others, and no ``allowCredentials``."""
    options, pending = authentication.begin(config=CONFIG)
    challenge = options.pop("challenge")
    assert len(challenge) == 43 and len(b64url_decode(challenge)) == 32
    assert options == {"timeout": 300_000, "rpId": RP_ID, "userVerification": "required"}
    assert (pending.purpose, pending.rp_id, pending.challenge) == (SIGN_IN, RP_ID, challenge)
    assert (pending.user_id, pending.user_handle, pending.allowed) == ("", "", ())


def test_options_follow_the_settings() -> None:
    """Timeout and user verification are the app's choice."""
    options, pending = authentication.begin(config=configured(timeout=60_000, user_verification="discouraged"))
    assert (options["timeout"], options["userVerification"]) == (60_000, "discouraged")
    assert pending.user_verification == "discouraged"


def test_challenge_is_new_every_time() -> None:
    """No two ceremonies have the same challenge."""
    assert len({authentication.begin(config=CONFIG)[0]["challenge"] for _ in range(100)}) == 100


@pytest.mark.proves("specification:7.2.1")
def test_step_up_names_the_passkeys_of_its_user() -> None:
    """A step-up allows the account's own passkeys only, and remembers them and the account."""
    records = [register(browser(transports=transports)) for transports in (("usb", "nfc"), ())]
    options, pending = begin_step_up(records)
    ids = tuple(b64url_encode(record.id) for record in records)
    assert options["allowCredentials"] == [
        {"type": "public-key", "id": ids[0], "transports": ["nfc", "usb"]},
        {"type": "public-key", "id": ids[1]},
    ]
    assert json.loads(json.dumps(options)) == options
    assert (pending.purpose, pending.user_id, pending.allowed) == (STEP_UP, ADA, tuple(map(mark, ids)))
    assert pending.user_handle == ""


def test_what_is_remembered_is_as_short_for_long_ids() -> None:
    """A list of the longest IDs that can be takes no more of the store than one of short ones."""
    descriptors = [{"type": "public-key", "id": b64url_encode(bytes([number]) * 1023)} for number in range(64)]
    options, pending = authentication.begin(config=CONFIG, allowed=descriptors)
    assert options["allowCredentials"] == descriptors
    assert len(pending.to_json(expires_at=1)) < 1200


def test_a_list_that_browsers_refuse_is_not_sent() -> None:
    """With more than 64 passkeys a step-up names none; any of the account's own will do, and no other."""
    records = [register(browser())] + [register(browser()) for _ in range(64)]
    authenticator = browser()
    records[40] = register(authenticator)
    options, pending = begin_step_up(records)
    assert options["allowCredentials"] == [] and pending.allowed == ()
    assert step_up(authenticator, records, records[40]).record.id == records[40].id
    other = browser()
    with pytest.raises(ResponseRejected, match="another account"):
        step_up(other, records, register(other, user_id=BOB))


# Finish


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_every_offered_algorithm_signs_in(algorithm: int) -> None:
    """A valid sign-in with a passkey of every algorithm we offer is accepted."""
    authenticator = browser(algorithm=algorithm)
    assert sign_in(authenticator, register(authenticator)).record.algorithm == algorithm


def test_a_key_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of a passkey that signs in again is at hand, and no other passkey's is taken for it."""
    loaded: list[bytes] = []
    load = decode_credential_public_key

    def note(key: bytes) -> object:
        loaded.append(key)
        return load(key)

    monkeypatch.setattr(authentication, "decode_credential_public_key", note)
    authenticator = browser()
    first, second = register(authenticator), register(browser(), user_id=BOB)
    for _ in range(2):
        sign_in(authenticator, first)
    with pytest.raises(ResponseRejected, match="Could not verify"):
        sign_in(authenticator, dataclasses.replace(first, public_key=second.public_key))
    assert loaded == [first.public_key, second.public_key]


@pytest.mark.proves("specification:7.2.24")
def test_record_takes_over_the_new_state() -> None:
    """Step 24: counter, backup state and time of use are those of the sign-in, all else stays as it was."""
    authenticator = browser(default_backup_state=False)
    before = register(authenticator, sign_count=3)
    after = sign_in(authenticator, before, sign_count=8, backup_state=True)
    record = dataclasses.replace(before, sign_count=8, backup_state=True, last_used_at=USED)
    assert after == Authenticated(
        record=record, counter_must_grow=False, person=after.person, user_handle=before.user_handle
    )


@pytest.mark.proves("specification:7.2.24")
def test_backup_state_may_go_off() -> None:
    """Step 24: a passkey that is no longer synced is recorded as such, without any fuss."""
    authenticator = browser()
    assert sign_in(authenticator, register(authenticator), backup_state=False).record.backup_state is False


@pytest.mark.proves("specification:7.2.24")
def test_user_verification_of_a_sign_in_vouches_for_nothing() -> None:
    """Step 24: a key registered without verification is not taken for a verified one once it gets a PIN."""
    authenticator, config = browser(), configured(user_verification="preferred")
    record = register(authenticator, config=config, user_verified=False)
    assert sign_in(authenticator, record, config=config, user_verified=True).record.uv_initialized is False


def test_response_may_be_json_text(authenticator: VirtualAuthenticator, record: CredentialRecord) -> None:
    """A response is accepted as the text of its JSON, with the additions of the seed system's client."""
    options, pending = authentication.begin(config=CONFIG)
    text = as_json_text(authenticator.get(options))
    assert '"attestationObject": ""' in text or '"attestationObject":""' in text
    assert finish_sign_in(pending, text, record).record.last_used_at == USED


@pytest.mark.parametrize("response", [None, 1, [], "", "1", "[]", "{", '{"id": 1, "id": 2}', '{"id": NaN}'])
def test_response_must_be_an_object(response: object) -> None:
    """What is no object at all is a malformed request, and says which member is meant."""
    _, pending = authentication.begin(config=CONFIG)
    with pytest.raises(MalformedRequest) as refusal:
        authentication.read(pending, response, config=CONFIG)
    assert refusal.value.field == "response"


JUNK: dict[str, Any] = {
    "attachment nonsense": lambda r: r.update(authenticatorAttachment="moon"),
    "attachment no text": lambda r: r.update(authenticatorAttachment={}),
    "extension results missing": lambda r: r.pop("clientExtensionResults"),
    "extension results odd": lambda r: r.update(clientExtensionResults="prf"),
    "unsolicited extension": lambda r: r.update(clientExtensionResults={"appid": True, "prf": {"results": {}}}),
    "toJSON": lambda r: r.update(toJSON={}, getClientExtensionResults={}),
    "members of a registration": lambda r: r["response"].update(attestationObject="", transports=None, publicKey=7),
}


@pytest.mark.proves("specification:7.2.4", "specification:7.2.23")
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_junk_of_clients_is_ignored(authenticator: VirtualAuthenticator, record: CredentialRecord, junk: Any) -> None:
    """What browsers and password managers add, leave out or get wrong beside the point does not disturb."""
    assert sign_in(authenticator, record, after=junk).record == sign_in(authenticator, record).record


@pytest.mark.proves("specification:7.2.23")
def test_unsolicited_authenticator_extensions_are_ignored(
    authenticator: VirtualAuthenticator, record: CredentialRecord
) -> None:
    """Step 23: extension outputs nobody asked for are no reason to turn a sign-in away."""

    def extend(ceremony: AuthenticationCeremony) -> None:
        ceremony.extensions = {"hmac-secret": bytes(32)}
        ceremony.flags |= Flags.ED

    assert sign_in(authenticator, record, bend=extend).record.id == record.id


# Who it is


@pytest.mark.proves("specification:7.2.3")
def test_registration_response_is_refused(record: CredentialRecord) -> None:
    """Step 3: the answer of create() does not pass for that of get()."""
    options, pending = authentication.begin(config=CONFIG)
    creation = {
        "rp": {"id": RP_ID, "name": "x"},
        "user": {"id": "AA", "name": "x", "displayName": "x"},
        "pubKeyCredParams": [],
        "challenge": options["challenge"],
    }
    authenticator = browser()
    response = authenticator.create(creation, type="webauthn.get")
    response["response"]["userHandle"] = b64url_encode(record.user_handle)
    with pytest.raises(ResponseRejected, match="signature is missing"):
        finish_sign_in(pending, response, dataclasses.replace(record, id=authenticator.credentials[0].id))


@pytest.mark.proves("specification:7.2.5")
@pytest.mark.parametrize("other", [ADA, BOB])
def test_credential_outside_the_allowed_list_is_refused(other: str) -> None:
    """Step 5: a passkey that the options do not allow is refused before it is looked up, also the user's own."""
    mine, unlisted = browser(), browser()
    listed, record = register(mine), register(unlisted, user_id=other)
    options, pending = begin_step_up([listed])
    response = unlisted.get(options, credential=unlisted.credentials[0])
    with pytest.raises(ResponseRejected, match="not one this ceremony was begun for"):
        authentication.read(pending, response, config=CONFIG)
    assert record.user_id == other


@pytest.mark.proves("specification:7.2.5")
def test_step_up_with_an_allowed_passkey_is_accepted() -> None:
    """Step 5: any of the allowed passkeys will do."""
    authenticators = [browser() for _ in range(3)]
    records = [register(authenticator) for authenticator in authenticators]
    for authenticator, record in zip(authenticators, records, strict=True):
        assert step_up(authenticator, records, record).record.id == record.id


@pytest.mark.proves("specification:7.2.6")
def test_passkey_of_another_account_is_refused_in_a_step_up() -> None:
    """Step 6: a passkey that went over to another account in the meantime does not prove the first one's user."""
    authenticator = browser()
    record = register(authenticator)
    moved = dataclasses.replace(record, user_id=BOB)
    with pytest.raises(ResponseRejected, match="another account"):
        step_up(authenticator, [record], moved)


@pytest.mark.proves("specification:7.2.6")
def test_missing_user_handle_is_refused(refused: Any) -> None:
    """Step 6: who has not said who they are must come with a user handle."""
    refused("user handle is missing", user_handle=None)


@pytest.mark.parametrize("empty", ["", None])
def test_empty_user_handle_is_none(refused: Any, empty: object) -> None:
    """Step 6: clients that write an empty text or null for none have sent none."""
    refused("user handle is missing", after=lambda r: r["response"].update(userHandle=empty))


@pytest.mark.proves("specification:7.2.6")
@pytest.mark.parametrize("handle", [HANDLES[BOB], HANDLES[ADA][:-1], b"\x00"])
def test_user_handle_of_another_account_is_refused(refused: Any, handle: bytes) -> None:
    """Step 6: the user handle is that of the account the passkey belongs to."""
    refused("not that of the credential's owner", user_handle=handle)


@pytest.mark.parametrize("handle", [0, False, [], {}, 5, ["AA"], "=", "A"])
def test_user_handle_must_be_base64url(refused: Any, handle: object) -> None:
    """Step 6: what is neither a user handle nor none is refused."""
    refused("userHandle", after=lambda r: r["response"].update(userHandle=handle))


@pytest.mark.parametrize("handle", [HANDLES[ADA], None])
def test_step_up_needs_no_user_handle(handle: bytes | None) -> None:
    """Step 6: security keys leave the user handle out where the options name the passkey."""
    authenticator = browser()
    record = register(authenticator)
    assert step_up(authenticator, [record], record, user_handle=handle).record.id == record.id


@pytest.mark.proves("specification:7.2.6")
def test_user_handle_of_a_step_up_must_fit() -> None:
    """Step 6: a user handle that is there is looked at, also where none is needed."""
    authenticator = browser()
    record = register(authenticator)
    with pytest.raises(ResponseRejected, match="not that of the credential's owner"):
        step_up(authenticator, [record], record, user_handle=HANDLES[BOB])


@pytest.mark.proves("specification:7.2.6", "rules:13.1")
def test_record_of_another_credential_is_refused(authenticator: VirtualAuthenticator) -> None:
    """Step 6: a response is verified with the record of its own credential or not at all."""
    with pytest.raises(ResponseRejected, match="another credential"):
        sign_in(authenticator, register(browser()))


# What it was made for: refused before the credential is looked up, so that "unknown" is never said too early


@pytest.mark.proves("specification:7.2.8", "specification:7.2.9")
@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe{\x00}\x00", b"\xff", b"[]", b"null", b"[" * 5000])
def test_client_data_must_be_json(authenticator: VirtualAuthenticator, data: bytes) -> None:
    """Steps 8 and 9: client data that are not a JSON object in UTF-8 are refused."""
    with pytest.raises(ResponseRejected, match="clientDataJSON"):
        read_only(authenticator, bend=lambda c: setattr(c, "client_data_json", data))


@pytest.mark.proves("specification:7.2.8")
def test_client_data_may_begin_with_a_byte_order_mark(
    authenticator: VirtualAuthenticator, record: CredentialRecord
) -> None:
    """Step 8: a byte order mark in front of the client data is no reason to turn a sign-in away."""

    def mark(ceremony: AuthenticationCeremony) -> None:
        ceremony.client_data_json = b"\xef\xbb\xbf" + ceremony.build_client_data_json()

    assert sign_in(authenticator, record, bend=mark).record.id == record.id


@pytest.mark.proves("specification:7.2.9")
def test_client_data_may_grow(authenticator: VirtualAuthenticator, record: CredentialRecord) -> None:
    """Step 9: members we do not know, and null for an absent one, do not disturb."""

    def extend(ceremony: AuthenticationCeremony) -> None:
        ceremony.client_data |= {"other_keys_can_be_added_here": "x", "crossOrigin": None, "topOrigin": None}

    assert sign_in(authenticator, record, bend=extend).record.id == record.id


@pytest.mark.proves("specification:7.2.9")
@pytest.mark.parametrize("value", TOKEN_BINDINGS, ids=repr)
def test_token_binding_is_ignored(authenticator: VirtualAuthenticator, record: CredentialRecord, value: object) -> None:
    """Step 9: ``tokenBinding`` of any shape is ignored, in a sign-in and in a step-up."""
    bends: Any = {"bend": lambda c: c.client_data.update(tokenBinding=value)}
    assert sign_in(authenticator, record, **bends).record.id == record.id
    assert step_up(authenticator, [record], record, **bends).record.id == record.id


@pytest.mark.proves("specification:7.2.10")
@pytest.mark.parametrize("kind", ["webauthn.create", "payment.get", "", None])
def test_other_type_is_refused(authenticator: VirtualAuthenticator, kind: str | None) -> None:
    """Step 10: client data that were collected for something else are refused."""
    with pytest.raises(ResponseRejected, match=r"not of type webauthn\.get"):
        read_only(authenticator, type=kind)


@pytest.mark.proves("specification:7.2.11")
@pytest.mark.parametrize("challenge", [b64url_encode(bytes(32)), "", "é", None])
def test_other_challenge_is_refused(authenticator: VirtualAuthenticator, challenge: str | None) -> None:
    """Step 11: a response to another challenge is refused."""
    with pytest.raises(ResponseRejected, match="challenge"):
        read_only(authenticator, challenge=challenge)


def test_padded_challenge_is_refused(authenticator: VirtualAuthenticator) -> None:
    """Step 11: the challenge is compared as text, which no client has a reason to change."""
    options, pending = authentication.begin(config=CONFIG)
    response = authenticator.get(options, challenge=options["challenge"] + "=")
    with pytest.raises(ResponseRejected, match="another challenge"):
        authentication.read(pending, response, config=CONFIG)


@pytest.mark.proves("threats:phishing", "specification:7.2.12", "rules:13.4.9")
@pytest.mark.parametrize("origin", [EVIL, "http://example.com", f"{ORIGIN}:8443", f"{ORIGIN}/", "null", ""])
def test_other_origin_is_refused(authenticator: VirtualAuthenticator, origin: str) -> None:
    """Step 12: a page that is not ours is refused, and the log tells where to allow it."""
    with pytest.raises(ResponseRejected, match="PASSKEY_ORIGINS"):
        read_only(authenticator, origin=origin)


@pytest.mark.parametrize("origin", [EVIL, f"android:apk-key-hash:{'A' * 300}"])
def test_a_strange_origin_is_not_advised(authenticator: VirtualAuthenticator, origin: str) -> None:
    """Step 12: what cannot be a page or an app of ours is not proposed for the settings, and warns of none."""
    with pytest.raises(ResponseRejected) as refused:
        read_only(authenticator, origin=origin)
    assert refused.value.setting == "" and refused.value.reason.endswith("]")


@pytest.mark.parametrize("member", ["challenge", "origin", "topOrigin"])
@pytest.mark.parametrize("value", [5, True, [ORIGIN], {}])
def test_client_data_must_be_text(authenticator: VirtualAuthenticator, member: str, value: object) -> None:
    """Steps 11, 12 and 14: what should be text and is not is refused without being compared or written out."""
    with pytest.raises(ResponseRejected, match=f"no {member} or it is not text"):
        read_only(authenticator, bend=lambda c: c.client_data.update({member: value}))


def test_missing_origin_is_refused(authenticator: VirtualAuthenticator) -> None:
    """Step 12: client data without an origin are refused."""
    with pytest.raises(ResponseRejected, match="no origin"):
        read_only(authenticator, origin=None)


@pytest.mark.proves("specification:7.2.12")
def test_related_origin_is_accepted(authenticator: VirtualAuthenticator, record: CredentialRecord) -> None:
    """Step 12: a page on another domain may be listed as a related origin."""
    config = configured(related_origins=(EVIL,))
    assert sign_in(authenticator, record, config=config, origin=EVIL).record.id == record.id


@pytest.mark.proves("threats:framing", "specification:7.2.13", "rules:13.4.2")
@pytest.mark.parametrize("value", [True, "true", 1, "false", []])
def test_embedded_page_is_refused(authenticator: VirtualAuthenticator, value: object) -> None:
    """Step 13: a page inside a page of another origin is refused, whatever way a client writes that."""
    with pytest.raises(ResponseRejected, match="PASSKEY_ALLOW_CROSS_ORIGIN"):
        read_only(authenticator, bend=lambda c: c.client_data.update(crossOrigin=value))


@pytest.mark.proves("specification:7.2.13")
def test_embedded_page_can_be_allowed(authenticator: VirtualAuthenticator, record: CredentialRecord) -> None:
    """Step 13: the app may allow it."""
    config = configured(allow_cross_origin=True)
    assert sign_in(authenticator, record, config=config, cross_origin=True).record.id == record.id


@pytest.mark.proves("specification:7.2.14")
@pytest.mark.parametrize("settings", [{}, {"allow_cross_origin": True}, {"top_origins": (EVIL,)}])
def test_outer_page_is_refused(authenticator: VirtualAuthenticator, settings: dict[str, Any]) -> None:
    """Step 14: inside a page that is not among the allowed ones a ceremony is refused, and the log tells where."""
    with pytest.raises(ResponseRejected, match="PASSKEY_TOP_ORIGINS") as refused:
        read_only(authenticator, top_origin=EVIL, config=configured(**settings))
    assert refused.value.setting == "" and EVIL not in refused.value.reason.partition("Write")[2]


@pytest.mark.proves("specification:7.2.14")
def test_outer_page_can_be_allowed(authenticator: VirtualAuthenticator, record: CredentialRecord) -> None:
    """Step 14: the app may name outer pages that it expects."""
    config = configured(allow_cross_origin=True, top_origins=(EVIL,))
    after = sign_in(authenticator, record, config=config, cross_origin=True, top_origin=EVIL)
    assert after.record.id == record.id


@pytest.mark.proves("specification:7.2.15")
@pytest.mark.parametrize("rp_id", ["evil.example", "EXAMPLE.com", "www.example.com", "com"])
def test_other_rp_id_is_refused(authenticator: VirtualAuthenticator, rp_id: str) -> None:
    """Step 15: an assertion made for another RP ID is refused."""
    with pytest.raises(ResponseRejected, match="another RP ID"):
        read_only(authenticator, rp_id=rp_id)


def test_good_response_passes_before_it_is_looked_up(authenticator: VirtualAuthenticator) -> None:
    """A response made for this ceremony may be answered with "unknown credential" where it has none."""
    read_only(authenticator)


# What it says, and the signature


@pytest.mark.proves("specification:7.2.16")
def test_user_must_be_present(refused: Any) -> None:
    """Step 16: without the user's touch there is no sign-in, whatever the settings."""
    refused("User was not present", user_present=False, config=configured(user_verification="discouraged"))


@pytest.mark.proves("threats:found-device", "specification:7.2.17")
def test_user_must_be_verified_where_required(refused: Any) -> None:
    """Step 17: with ``required`` a mere touch is refused, whatever the browser says it did."""
    refused("User verification is required", user_verified=False)


@pytest.mark.proves("specification:7.2.17", "browser:16")
@pytest.mark.parametrize("choice", ["preferred", "discouraged"])
def test_touch_is_enough_where_not_required(
    authenticator: VirtualAuthenticator, record: CredentialRecord, choice: str
) -> None:
    """Step 17: with the other choices a mere touch is accepted."""
    config = configured(user_verification=choice)
    assert sign_in(authenticator, record, config=config, user_verified=False).record.id == record.id


@pytest.mark.proves("specification:7.2.17")
def test_verification_is_as_required_at_begin(authenticator: VirtualAuthenticator, record: CredentialRecord) -> None:
    """Step 17: a setting that changed in between does not weaken a ceremony that was begun under the other."""
    options, pending = authentication.begin(config=CONFIG)
    response = authenticator.get(options, user_verified=False)
    with pytest.raises(ResponseRejected, match="User verification is required"):
        finish_sign_in(pending, response, record, config=configured(user_verification="preferred"))


@pytest.mark.proves("specification:7.2.18")
def test_backed_up_but_not_eligible_is_refused(refused: Any) -> None:
    """Step 18: a passkey cannot be backed up and not be eligible for it."""
    refused("backed up", backup_eligible=False, backup_state=True)


@pytest.mark.proves("specification:7.2.19")
def test_lost_backup_eligibility_is_refused(refused: Any) -> None:
    """Step 19: a passkey that could be synced cannot cease to."""
    refused("PASSKEY_BACKUP_POLICY", backup_eligible=False, backup_state=False)


@pytest.mark.proves("specification:7.2.19")
def test_new_backup_eligibility_is_reported() -> None:
    """Step 19: a passkey that can be synced after an update is accepted, recorded as such, and reported."""
    authenticator = browser(default_backup_eligibility=False, default_backup_state=False)
    verified = sign_in(authenticator, register(authenticator), backup_eligible=True, backup_state=True)
    assert (verified.record.backup_eligible, verified.record.backup_state) == (True, True)
    assert verified.events == ("backup-eligibility-changed",)


@pytest.mark.proves("specification:7.2.20")
def test_changed_client_data_are_refused(refused: Any) -> None:
    """Step 20: the signature covers the client data."""

    def change(ceremony: AuthenticationCeremony) -> None:
        ceremony.client_data_json = (ceremony.client_data_json or b"") + b" "

    refused("Could not verify authentication signature", tamper=change)


@pytest.mark.proves("specification:7.2.21")
def test_changed_authenticator_data_are_refused(refused: Any) -> None:
    """Step 21: the signature covers the authenticator data."""

    def change(ceremony: AuthenticationCeremony) -> None:
        data = bytearray(ceremony.authenticator_data or b"")
        data[36] ^= 1  # the counter
        ceremony.authenticator_data = bytes(data)

    refused("Could not verify authentication signature", tamper=change)


@pytest.mark.proves("specification:7.2.21")
@pytest.mark.parametrize("algorithm", [-7, -8, -257])
@pytest.mark.parametrize("signature", [b"\x00", bytes(64), bytes(256), b"\x30\x06\x02\x01\x00\x02\x01\x00"])
def test_bad_signature_is_refused(algorithm: int, signature: bytes) -> None:
    """Step 21: bytes that are no signature are refused for every kind of key."""
    authenticator = browser(algorithm=algorithm)
    record = register(authenticator)
    with pytest.raises(ResponseRejected, match="Could not verify authentication signature"):
        sign_in(authenticator, record, signature=signature)


@pytest.mark.proves("specification:7.2.21")
def test_signature_of_another_key_is_refused() -> None:
    """Step 21: the signature is made with the key that was registered."""
    authenticator = browser()
    record = register(authenticator)
    authenticator.credentials[0].private_key = generate_key(record.algorithm)
    with pytest.raises(ResponseRejected, match="Could not verify authentication signature"):
        sign_in(authenticator, record)


@pytest.mark.parametrize("key", [b"", b"\xa0", b"\xff", b"\x00", b"\xa1\x01\x02"])
def test_stored_key_that_does_not_load_is_refused(
    authenticator: VirtualAuthenticator, record: CredentialRecord, key: bytes
) -> None:
    """Step 21: a key that another system has stored and nobody can load verifies nothing."""
    with pytest.raises(ResponseRejected, match="the assertion did not verify"):
        sign_in(authenticator, dataclasses.replace(record, public_key=key))


@pytest.mark.parametrize("algorithm", [-35, -53])
def test_stored_key_of_another_kind_is_refused(algorithm: int) -> None:
    """Step 21: the same for a good key and signature of an algorithm that we cannot verify."""
    authenticator = browser()
    record = register(authenticator)
    authenticator.credentials[0].private_key = generate_key(algorithm)
    with pytest.raises(ResponseRejected, match="the assertion did not verify"):
        sign_in(authenticator, dataclasses.replace(record, public_key=authenticator.credentials[0].cose_key()))


@pytest.mark.proves("specification:7.2.22")
def test_counter_that_does_not_grow_is_refused() -> None:
    """Step 22: a counter behind the stored one is refused, after the signature, and the log tells the setting."""
    authenticator = browser(default_backup_eligibility=False, default_backup_state=False)
    record = register(authenticator, sign_count=5)
    with pytest.raises(ResponseRejected, match="PASSKEY_COUNTER_POLICY"):
        sign_in(authenticator, record, sign_count=4)
    with pytest.raises(ResponseRejected, match="signature"):
        sign_in(authenticator, record, sign_count=4, signature=b"\x00")


@pytest.mark.proves("specification:7.2.22")
def test_counter_of_a_synced_passkey_is_reported() -> None:
    """Step 22: a synced passkey whose counter does not grow is accepted and reported."""
    authenticator = browser()
    verified = sign_in(authenticator, register(authenticator, sign_count=5), sign_count=4)
    assert verified.events == ("counter-regressed",)
    assert (verified.record.sign_count, verified.counter_must_grow) == (4, False)


def test_counter_of_a_security_key_must_grow_in_the_store_too() -> None:
    """Step 22: where the counter counts, it is compared again in the store, as two sign-ins may race."""
    authenticator = browser(default_backup_eligibility=False, default_backup_state=False, sign_count_step=1)
    verified = sign_in(authenticator, register(authenticator))
    assert (verified.record.sign_count, verified.counter_must_grow, verified.events) == (1, True, ())


@pytest.mark.proves("specification:7.2.7")
@pytest.mark.parametrize("data", [bytes(36), bytes(37) + b"\x00", b"\x00"])
def test_authenticator_data_must_be_whole(authenticator: VirtualAuthenticator, data: bytes) -> None:
    """Step 7: authenticator data of a wrong length are refused."""
    with pytest.raises(ResponseRejected, match="RP ID"):
        read_only(authenticator, bend=lambda c: setattr(c, "authenticator_data", data))


@pytest.mark.proves("specification:7.2.7")
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\x00", lambda data: data[:32]])
def test_authenticator_data_must_end(refused: Any, change: Any) -> None:
    """Step 7: authenticator data that are cut short or go on are refused, well signed or not."""

    def bend(ceremony: AuthenticationCeremony) -> None:
        ceremony.authenticator_data = change(ceremony.build_authenticator_data())

    refused("authenticatorData was malformed", bend=bend)


# Its form


def test_id_and_raw_id_must_agree(refused: Any) -> None:
    """``id`` and ``rawId`` are the same text."""
    refused("differ", after=lambda r: r.update(id=b64url_encode(b"another")))


@pytest.mark.parametrize("kind", ["Public-Key", "", None, 5])
def test_credential_type_must_be_public_key(refused: Any, kind: object) -> None:
    """There is one type of credential."""
    refused("not 'public-key'", after=lambda r: r.update(type=kind))


@pytest.mark.parametrize("member", ["id", "rawId", "type", "response"])
def test_outer_members_are_needed(refused: Any, member: str) -> None:
    """A response without one of its outer members is refused; the log says which."""
    refused(member, after=lambda r: r.pop(member))


@pytest.mark.proves("specification:7.2.7")
@pytest.mark.parametrize("member", ["clientDataJSON", "authenticatorData", "signature"])
@pytest.mark.parametrize("value", [None, "", 5, [], "{}", "QQ==", "QR", "Q Q", "+/"])
def test_bytes_must_be_base64url(refused: Any, member: str, value: object) -> None:
    """Step 7: bytes that are missing, padded, not canonical or not base64url are refused; the log says which."""
    refused(f"{member} is", after=lambda r: r["response"].update({member: value}))


@pytest.mark.proves("specification:7.2.7")
@pytest.mark.parametrize("member", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
def test_padded_members_are_refused(refused: Any, member: str) -> None:
    """Step 7: padding is refused also where it is right: one text for one value, so that nothing has two names."""
    refused(f"{member} is not unpadded", after=lambda r: r["response"].update({member: padded(r["response"][member])}))


def padded(text: str) -> str:
    """Return base64url text with all the padding it can have."""
    return text + ("=" * (-len(text) % 4) or "====")


@pytest.mark.parametrize(
    ("algorithm", "digest"), [(-37, hashes.SHA256()), (-38, hashes.SHA384()), (-39, hashes.SHA512())]
)
def test_rsa_pss_has_a_salt_as_long_as_its_hash(algorithm: int, digest: hashes.HashAlgorithm) -> None:
    """Step 21: PS256 and its like are registered and sign in by RFC 8230; a longer salt and another key are refused."""
    config = configured(algorithms=(algorithm,))
    private, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    numbers = private.public_key().public_numbers()
    key = {1: 3, 3: algorithm, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}
    authenticator = browser()
    record = replace(register(authenticator), public_key=encode_cbor(key), algorithm=algorithm)

    def signs(with_key: rsa.RSAPrivateKey, salt: int) -> Any:
        def tamper(c: AuthenticationCeremony) -> None:
            message = (c.authenticator_data or b"") + sha256(c.client_data_json or b"").digest()
            c.signature = with_key.sign(message, padding.PSS(padding.MGF1(digest), salt), digest)

        return sign_in(authenticator, record, config=config, tamper=tamper)

    assert check_public_key(record.public_key) == algorithm
    assert signs(private, digest.digest_size).record.id == record.id
    for wrong in ((private, padding.calculate_max_pss_salt_length(private, digest)), (other, digest.digest_size)):
        with pytest.raises(ResponseRejected, match="Could not verify"):
            signs(*wrong)
