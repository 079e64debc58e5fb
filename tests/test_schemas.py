"""Requests in, envelope out."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_passkey import CredentialRecord, UserInfo
from flask_passkey.encoding import base64url_encode as b64url_encode
from flask_passkey.errors import CredentialNotFound, LastCredential, MalformedRequest, ResponseRejected
from flask_passkey.outcomes import AccountState, Begun, CredentialList, Deleted, SignedIn
from flask_passkey.visitor import Visitor
from flask_passkey.web import schemas

SESSION_ID = "5b2a1a57-5d0a-4dd2-8a3c-3c6c6b1d9f5e"

RECORD = CredentialRecord(
    id=b"\xff\xfe\xfd",
    public_key=b"secret key",
    sign_count=7,
    uv_initialized=True,
    transports=("internal", "hybrid", "x-new"),
    backup_eligible=True,
    backup_state=False,
    user_id="17",
    user_handle=b"h" * 64,
    label="Phone",
    aaguid="00000000-0000-0000-0000-000000000000",
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
    algorithm=-7,
    attestation_object=b"attestation",
    attestation_client_data_json=b"client data",
)

#: The same as the owner sees it.
SHOWN = {
    "id": "__79",
    "name": "Phone",
    "created_at": "2026-01-02T03:04:05.678Z",
    "used_at": None,
    "aaguid": "00000000-0000-0000-0000-000000000000",
    "provider": None,
    "transports": ["internal", "hybrid", "x-new"],
    "backup_eligible": True,
    "backup_state": False,
    "current": False,
}

ACCOUNT = AccountState(UserInfo("17", "ada", ""), b"hh", [], "example.com")
SIGNALS = {"rpId": "example.com", "userId": "aGg", "allAcceptedCredentialIds": [], "name": "ada", "displayName": "ada"}


def no_icon(aaguid: str, theme: str) -> str:
    """Fail: nobody made the passkey here."""
    raise AssertionError(f"asked for {aaguid}, {theme}")


def refused_field(schema: schemas.RequestSchema, body: object) -> str:
    """Return the field that a refusal of a body names."""
    with pytest.raises(MalformedRequest) as caught:
        schema.read(body)
    assert caught.value.message == f"The request is malformed: {caught.value.field}."
    return caught.value.field


# Requests


@pytest.mark.parametrize(
    "schema",
    [
        schemas.BeginSignInRequest(),
        schemas.BeginRegistrationRequest(),
        schemas.BeginSignUpRequest(),
        schemas.FinishSignInRequest(),
        schemas.FinishRegistrationRequest(),
        schemas.RenameRequest(),
    ],
)
@pytest.mark.parametrize("body", [None, [], [{}], "text", 5, True])
def test_a_body_is_an_object(schema: schemas.RequestSchema, body: object) -> None:
    """Anything but an object is refused as a whole."""
    assert refused_field(schema, body) == "body"


def test_begin_sign_in() -> None:
    """Nothing is needed; a name and a wish to step up are known."""
    read = schemas.BeginSignInRequest.read
    assert read({}) == {}
    assert read({"user_name": " ada ", "step_up": True, "other": [1]}) == {"user_name": "ada", "step_up": True}
    assert read({"step_up": False}) == {"step_up": False}


@pytest.mark.parametrize("step_up", ["true", "yes", None, [], {}, 2, "1", 1, 1.0, 0, -0.0])
def test_a_wish_is_a_boolean(step_up: object) -> None:
    """What a client means to be true must be true."""
    assert refused_field(schemas.BeginSignInRequest(), {"step_up": step_up}) == "step_up"
    assert refused_field(schemas.BeginRegistrationRequest(), {"conditional": step_up}) == "conditional"


def test_begin_adding() -> None:
    """Nothing is needed; a wish to ask nobody is known."""
    read = schemas.BeginRegistrationRequest.read
    assert read({}) == read({"conditional": False, "name": 5}) == {"conditional": False}
    assert read({"conditional": True}) == {"conditional": True}


def test_begin_registration() -> None:
    """A sign-up has a name, and maybe a name to be called by."""
    read = schemas.BeginSignUpRequest.read
    assert read({"name": "ada"}) == {"name": "ada", "display_name": "", "fields": {}}
    assert read({"name": " ada ", "display_name": "  "}) == {"name": "ada", "display_name": "", "fields": {}}
    assert refused_field(schemas.BeginSignUpRequest(), {}) == "name"
    assert refused_field(schemas.BeginSignUpRequest(), {"name": "a", "display_name": 5}) == "display_name"


@pytest.mark.parametrize("response", [None, {}, "text", [], 5, {"deep": [{}]}])
def test_a_response_is_left_as_it_came(response: object) -> None:
    """It is looked at only after its ceremony was claimed, so anything there passes."""
    sent = {"session_id": SESSION_ID, "response": response}
    assert schemas.FinishSignInRequest.read(sent) == sent
    assert schemas.FinishRegistrationRequest.read(sent) == sent | {"name": ""}


@pytest.mark.parametrize(
    "session_id",
    [None, "", "x", 5, [], {}, SESSION_ID + "0", SESSION_ID + "\n", SESSION_ID.replace("5", "g")],
)
def test_a_session_id_is_a_uuid(session_id: object) -> None:
    """What cannot be one is malformed, and no store is asked."""
    assert refused_field(schemas.FinishSignInRequest(), {"session_id": session_id, "response": {}}) == "session_id"


def test_what_a_finish_needs() -> None:
    """The missing member is named, and the label must be one if it is there; a sign-in has none."""
    assert refused_field(schemas.FinishSignInRequest(), {"response": {}}) == "session_id"
    assert refused_field(schemas.FinishSignInRequest(), {"session_id": SESSION_ID}) == "response"
    body: dict[str, object] = {"session_id": SESSION_ID, "response": {}, "name": None}
    assert refused_field(schemas.FinishRegistrationRequest(), body) == "name"
    assert schemas.FinishRegistrationRequest.read(body | {"name": "Key"})["name"] == "Key"
    assert "name" not in schemas.FinishSignInRequest.read(body)


GOOD_LABELS = [
    ("Phone", "Phone"),
    ("  My  phone\t", "My  phone"),
    ("Cafe\u0301", "Café"),
    ("日本語", "日本語"),
    ("שלום", "שלום"),
    ("👩‍💻", "👩‍💻"),
    ("क्‍ष", "क्‍ष"),
    ("<b>&\"'", "<b>&\"'"),
    ("\u2067שלום\u2069", "\u2067שלום\u2069"),
    ("\u2068a\u2067ש\u2069\u2069b", "\u2068a\u2067ש\u2069\u2069b"),
    ("x" * 64, "x" * 64),
    (" " + "x" * 64 + " ", "x" * 64),
    ("e\u0301" * 64, "é" * 64),
]

BAD_LABELS: list[object] = [
    "",
    "   ",
    "x" * 65,
    "a\nb",
    "a\tb",
    "a\0b",
    "a\x7fb",
    "a\x85b",
    "a\u2028b",
    "a\u2029b",
    "\ud800",
    "a\u202eb",
    "\u2066a",
    "a\u2069",
    "\u2069a\u2066",
    "\u2067\u2069",
    "\u200b",
    "\u200d\u200e \ufeff",
    "\u00ad",
    "\u0301",
    None,
    5,
    True,
    [],
    ["a"],
    {},
]


@pytest.mark.parametrize(("given", "label"), GOOD_LABELS)
def test_good_labels(given: str, label: str) -> None:
    """A label is one line of any script, trimmed and composed."""
    assert schemas.RenameRequest.read({"name": given}) == {"name": label}


@pytest.mark.parametrize("label", BAD_LABELS)
def test_bad_labels(label: object) -> None:
    """Nothing, too much, more than a line, what cannot be stored, what cannot be seen or could mislead: refused."""
    assert refused_field(schemas.RenameRequest(), {"name": label}) == "name"


GOOD_NAMES = [
    "ada@example.com",
    "日本語",
    "क्षमा",
    "\U0001f468\u200d\U0001f469",
    "\U0001f469\U0001f3fd\u200d\U0001f4bb",
    "\U0001f3f3\ufe0f\u200d\U0001f308 ada",
    "\u2764\ufe0f",
    "\u2764\ufe0f\u200d\U0001f525",
    "\u2139\ufe0f",
    "\U0001f1e9\U0001f1ea",
    "e\u0301",
]

BAD_NAMES = [
    "ad\u200bmin",
    "admin\u2060",
    "ad\u00admin",
    "\u3164",
    "\u115f\u1160",
    "\uffa0",
    "\u2800",
    "\U0001d159",
    "ad\u200dmin",
    "ad\ufe0fmin",
    "\u2764\ufe0f\ufe0f",
    "\u2764\u200d",
    "\u200d\u2764",
    "\u2764\u200dadmin",
    "\u2764\u200d\u200d\u2764",
    "ad\u034fmin",
    "admin\U000e0041",
    "admin\U000e0100",
    "admin\ue000",
    "admin\U000f0000",
    "admin\u0378",
    "admin\uffff",
    "\u200eadmin",
    "ad\u2062min",
    "ad\ufeffmin",
    "ad\u180emin",
    "\u0301",
    "\u2067ada",
    "ada\u2069",
    "\u2067\u2069",
    "ש" + "\u2068\u2069" * 600,
]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_names(name: str) -> None:
    """A name is of any script, and emoji stay possible, also those of several."""
    assert schemas.BeginSignUpRequest.read({"name": name})["name"] == unicodedata.normalize("NFC", name)


@pytest.mark.proves("frictions:isolates")
@pytest.mark.parametrize(
    "name", ["\u2067שלום\u2069", "\u2066\u2067של\u2069\u2069ום", " \u2068שלום\u2069 ", "\u2068 שלום\u2069"]
)
def test_isolates_are_no_part_of_a_name(name: str) -> None:
    """Keyboards put them around Hebrew and Arabic; two accounts must not differ by what nobody sees."""
    assert schemas.BeginSignUpRequest.read({"name": name})["name"] == "שלום"
    assert schemas.BeginSignInRequest.read({"user_name": name})["user_name"] == "שלום"
    assert schemas.BeginSignUpRequest.read({"name": "ada", "display_name": name})["display_name"] == name.strip()


@pytest.mark.proves("threats:look-alike-names")
@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(name: str) -> None:
    """A name with something that nobody sees, or nothing else, could look like another's: it is refused."""
    assert refused_field(schemas.BeginSignUpRequest(), {"name": name}) == "name"


@pytest.mark.parametrize("text", [name for name in BAD_NAMES if "admin" in name])
def test_labels_and_display_names_are_free(text: str) -> None:
    """What nobody else goes by may have such characters: some scripts need them."""
    assert schemas.RenameRequest.read({"name": text}) == {"name": text}
    assert schemas.BeginSignUpRequest.read({"name": "ada", "display_name": text})["display_name"] == text


@settings(deadline=None)
@given(st.text())
def test_a_name_has_nothing_hidden(text: str) -> None:
    """Whatever comes is refused, or hides nothing but joiners and selectors beside symbols."""
    try:
        name = schemas.BeginSignUpRequest.read({"name": text})["name"]
    except MalformedRequest:
        return
    assert not {unicodedata.category(char) for char in name if char != "\u200d"} & {"Cf", "Co", "Cn", "Cc", "Cs"}
    assert schemas.BeginSignUpRequest.read({"name": name})["name"] == name


@settings(deadline=None)
@given(st.text())
def test_a_label_is_harmless(text: str) -> None:
    """Whatever comes is refused or is one visible line in NFC that stays what it is when read again."""
    try:
        label = schemas.RenameRequest.read({"name": text})["name"]
    except MalformedRequest:
        return
    assert 1 <= len(label) <= 64 and label == label.strip() and len(label.splitlines()) == 1
    assert unicodedata.is_normalized("NFC", label) and label.encode()
    assert schemas.RenameRequest.read({"name": label}) == {"name": label}


@pytest.mark.parametrize("schema", [schemas.BeginSignUpRequest(), schemas.BeginSignInRequest()])
def test_names_of_accounts_are_longer_but_not_endless(schema: schemas.RequestSchema) -> None:
    """An account may be an e-mail address; 255 characters are enough."""
    field = "name" if "name" in schema.fields else "user_name"
    assert len(schema.read({field: "x" * 255})[field]) == 255
    assert refused_field(schema, {field: "x" * 256}) == field


@pytest.mark.parametrize(
    ("text", "credential_id"),
    [
        ("__79", b"\xff\xfe\xfd"),
        ("AA", b"\0"),
        ("", None),
        ("A", None),
        ("AA==", None),
        ("//79", None),
        ("ä", None),
        ("AB", None),
        (b64url_encode(b"x" * 1023), b"x" * 1023),
        (b64url_encode(b"x" * 1026), None),
        ("A" * 4_000_000, None),
    ],
)
def test_read_credential_id(text: str, credential_id: bytes | None) -> None:
    """Unpadded base64url is the only text that names a credential; anything else names none."""
    assert schemas.read_credential_id(text) == credential_id


# Answers


def test_a_credential_as_its_owner_sees_it() -> None:
    """Exactly the members of the contract, and never key material or a user handle."""
    assert schemas.credential(RECORD, current=None, icon_url=no_icon) == SHOWN
    assert schemas.credential(RECORD, current=b"other", icon_url=no_icon) == SHOWN
    assert schemas.credential(RECORD, current=RECORD.id, icon_url=no_icon) == SHOWN | {"current": True}


def test_times_are_utc() -> None:
    """Times are RFC 3339 in UTC to the millisecond, wherever they were read."""
    used = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    shown = schemas.credential(replace(RECORD, last_used_at=used), current=None, icon_url=no_icon)
    assert shown["used_at"] == "2026-01-02T03:04:05.000Z"


def test_success() -> None:
    """A success has three members and no more."""
    assert schemas.success({"a": [1]}) == {"code": 0, "msg": "", "data": {"a": [1]}}


def test_failure() -> None:
    """A failure has its code, its constant sentence and the correlation id; the reason only in debug."""
    refusal = ResponseRejected("signature is wrong")
    public = {"code": 40025, "msg": "The passkey could not be verified.", "data": None, "correlation_id": "id"}
    assert schemas.failure(refusal, correlation_id="id", debug=False) == public
    assert schemas.failure(refusal, correlation_id="id", debug=True) == public | {"error": "signature is wrong"}


def test_partly_done() -> None:
    """A batch names each failure by the id the client sent, and says what was done."""
    failures = {
        "AA": schemas.failure(LastCredential(), correlation_id="id", debug=False),
        "!": schemas.failure(CredentialNotFound(), correlation_id="id", debug=False),
    }
    envelope = schemas.partly_done({"deleted": ["__79"]}, failures, correlation_id="id")
    assert set(envelope) == {"code", "msg", "data", "correlation_id", "aggregated_error"}
    assert (envelope["code"], envelope["data"]) == (40081, {"deleted": ["__79"]})
    assert {key: value["code"] for key, value in envelope["aggregated_error"].items()} == {"AA": 409, "!": 404}


def test_outcomes() -> None:
    """Each outcome becomes the data of its route."""
    assert schemas.begun(Begun("id", {"challenge": "x"})) == {
        "session_id": "id",
        "options": {"publicKey": {"challenge": "x"}},
    }
    listed = schemas.credential_list(CredentialList([RECORD], ACCOUNT, None), icon_url=no_icon)
    assert listed == {"credentials": [SHOWN], "signals": SIGNALS}
    assert schemas.deleted(Deleted([RECORD.id], {}, ACCOUNT)) == {"deleted": ["__79"], "signals": SIGNALS}


def test_what_the_app_adds_replaces_nothing() -> None:
    """An app's login hook adds members to a sign-in's data, and cannot change ours."""
    outcome = SignedIn(object(), UserInfo("17", "ada", "Ada"), RECORD, ACCOUNT, "sign-in", Visitor(()))
    extra: dict[str, Any] = {"next": "/", "user": "mallory", "signals": None, "credential": 5}
    assert schemas.signed_in(outcome, extra, icon_url=no_icon) == {
        "next": "/",
        "user": {"id": "17", "name": "ada", "display_name": "Ada"},
        "credential": SHOWN | {"current": True},
        "signals": SIGNALS,
    }
