"""WebAuthn extensions: what an app asks for by its hook, and what it is told."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cbor2
import pytest
from apps import SITE, App, User, begin, finish, make_app
from hypothesis import given, settings
from hypothesis import strategies as st
from rehearsal import CONFIG, EXAMPLES, RP_ID, begin_registration, browser, finish_sign_in, register

from flask_passkey import signals
from flask_passkey.ceremonies import authentication, extensions, registration
from flask_passkey.errors import ResponseRejected
from flask_passkey.testing import (
    AuthenticationCeremony,
    Flags,
    NotAllowedError,
    NotSupportedError,
    RegistrationCeremony,
    VirtualAuthenticator,
    add_passkey,
    b64url_encode,
    enrol,
    sign_in,
    sign_up,
    step_up,
)

DOCUMENT = (Path(__file__).parent.parent / "docs" / "howto" / "extensions.md").read_text("utf-8")
PRF = {"prf": {"eval": {"first": "AQI"}}}
CREATED = {
    **PRF,
    "largeBlob": {"support": "preferred"},
    "credentialProtectionPolicy": "userVerificationRequired",
    "minPinLength": True,
}


@contextmanager
def told() -> Iterator[list[tuple[str, Mapping[str, Any]]]]:
    """Collect purpose and extensions of what the signals tell."""
    found: list[tuple[str, Mapping[str, Any]]] = []

    def note(sender: object, *, purpose: str, extensions: Mapping[str, Any], **_: object) -> None:
        found.append((purpose, extensions))

    with signals.registered.connected_to(note), signals.signed_in.connected_to(note):
        yield found


# What is asked for


def test_every_ceremony_asks_the_app(site: App) -> None:
    """The hook is called with what is begun and for whom, if that is known for sure; its answer is in the options."""
    asked: list[tuple[str, str | None]] = []

    @site.passkey.extensions
    def wanted(purpose: str, user: User | None) -> dict[str, Any]:
        asked.append((purpose, user.name if user else None))
        return {"example": purpose}

    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    sign_in(client, ada)
    step_up(client, ada)
    add_passkey(client, VirtualAuthenticator(SITE))
    with site.app.app_context():
        grant = site.passkey.invite(site.user("ada")).token
    enrol(site.app.test_client(), VirtualAuthenticator(SITE), grant)
    assert asked == [
        ("sign-up", None), ("sign-in", None), ("step-up", "ada"), ("registration", "ada"), ("enrolment", "ada"),
    ]  # fmt: skip
    assert begin(client)["options"]["publicKey"]["extensions"] == {"example": "sign-in"}
    options = begin(client, "/user/authn")["options"]["publicKey"]
    assert options["extensions"] == {"example": "registration", "credProps": True}


def test_a_sign_in_by_name_tells_no_user() -> None:
    """Whoever begins a sign-in by name has proved nothing: the hook gets no user, so options tell nothing of one."""
    site = make_app({"PASSKEY_USERNAME_FIRST": True}, find_user=True)
    asked: list[object] = []
    site.passkey.extensions(lambda purpose, user: asked.append(user))
    sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    for name in ("ada", "bob"):
        begin(site.app.test_client(), user_name=name)
    assert asked == [None] * 3


@pytest.mark.parametrize("wanted", [None, {}])
def test_a_hook_may_want_nothing(site: App, wanted: Any) -> None:
    """``credProps`` is asked for at every registration anyway, and a sign-in has no member ``extensions`` then."""
    site.passkey.extensions(lambda purpose, user: wanted)
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    assert "extensions" not in begin(client)["options"]["publicKey"]
    assert begin(client, "/user/authn")["options"]["publicKey"]["extensions"] == {"credProps": True}


def test_cred_props_cannot_be_switched_off() -> None:
    """An app that says no to ``credProps`` gets it all the same: the record keeps what it says."""
    options, pending = extensions.ask(*begin_registration(), {"credProps": False})
    assert options["extensions"] == {"credProps": True} and pending.extensions == ("credProps",)


def test_a_hook_may_be_a_coroutine(site: App) -> None:
    """A coroutine is as good as what it returns."""

    @site.passkey.extensions
    async def wanted(purpose: str, user: object) -> Mapping[str, Any]:
        return MappingProxyType(PRF)

    assert begin(site.app.test_client())["options"]["publicKey"]["extensions"] == PRF


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
MISTAKES: dict[str, tuple[Any, str]] = {
    "text": ("prf", "str, not a dict or None"),
    "list": ([PRF], "list, not a dict or None"),
    "true": (True, "bool, not a dict or None"),
    "bytes": ({"prf": {"eval": {"first": b"salt"}}}, "bytes, which are unpadded base64url text"),
    "object": ({"prf": object()}, "an object of class object"),
    "set": ({"prf": {1}}, "an object of class set"),
    "names": ({"prf": {1: 2}}, "a name that is not text"),
    "name": ({1: True}, "a name that is not text"),
    "not a number": ({"x": math.nan}, "NaN"),
    "infinite": ({"x": math.inf}, "a number beyond"),
    "huge": ({"x": 10**400}, "a number beyond"),
    "surrogate": ({"x": "\ud800"}, "surrogates"),
    "deep": ({"x": CIRCLE}, "more than 8 levels"),
    "long": ({"x": "a" * extensions.MAX_INPUTS}, "characters of JSON"),
}


@pytest.mark.parametrize(("wanted", "why"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_of_a_hook_are_the_apps(site: App, caplog: pytest.LogCaptureFixture, wanted: Any, why: str) -> None:
    """What is not JSON, or too much of it, is 50005: the log names hook and mistake, and nothing is pending."""
    site.passkey.extensions(lambda purpose, user: wanted)
    with caplog.at_level(logging.ERROR):
        answer = site.app.test_client().put("/session/authn")
    assert (answer.status_code, answer.get_json()["code"]) == (500, 50005)
    assert "the @passkey.extensions hook returned" in caplog.text and why in caplog.text
    assert not site.pending


def test_any_json_is_passed_on(site: App) -> None:
    """Extensions of the future have inputs of any kind; what is sent is a copy."""
    wanted: dict[str, Any] = {"x": [1, -2.5, None, True, "é", {"y": {"z": [[]]}}], "credBlob": "AQI"}
    assert extensions.inputs(wanted) == wanted
    assert extensions.inputs(wanted)["x"] is not wanted["x"]
    assert extensions.inputs({"x": (1, 2)}) == {"x": [1, 2]}
    assert len(extensions.inputs({"x": "a" * (extensions.MAX_INPUTS - 9)})["x"]) == extensions.MAX_INPUTS - 9


# What is told


@pytest.mark.proves("specification:7.2.23")
def test_what_is_answered_reaches_the_app(site: App) -> None:
    """Outcomes and signals have what browser and authenticator answered, those of the authenticator by its names."""
    site.passkey.extensions(lambda purpose, user: CREATED if purpose == "sign-up" else PRF)
    ada = VirtualAuthenticator(SITE, min_pin_length=6)
    with told() as seen:
        sign_up(site.app.test_client(), ada, "ada")
        sign_in(site.app.test_client(), ada)
    (_, created), (_, used) = seen
    assert {**created, "prf": {"enabled": created["prf"]["enabled"]}} == {
        "credProps": {"rk": True}, "prf": {"enabled": True}, "largeBlob": {"supported": True}, "credProtect": 3,
        "minPinLength": 6,
    }  # fmt: skip
    assert used == {"prf": {"results": created["prf"]["results"]}}


def test_what_is_told_cannot_be_changed(site: App) -> None:
    """One receiver of a signal cannot change what the next one gets."""
    with told() as seen:
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    changeable: Any = seen[0][1]
    with pytest.raises(TypeError):
        changeable["credProps"] = {"rk": False}


def test_an_own_view_gets_it_as_well(site: App) -> None:
    """Outcomes of the use cases have it; ``login_user`` is called as ever."""
    site.passkey.extensions(lambda purpose, user: PRF)
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    with site.app.test_request_context():
        visitor = site.passkey.visitor()
        begun = site.passkey.relying_party.begin_sign_in(visitor)
        outcome = site.passkey.relying_party.finish_sign_in(visitor, begun.ceremony_id, ada.get(begun.options))
        assert site.passkey.sign_in(outcome) == {}
    assert list(outcome.extensions["prf"]["results"]) == ["first"]
    told = repr(outcome)
    assert outcome.extensions["prf"]["results"]["first"] not in told and outcome.visitor.secrets[0] not in told
    assert told.startswith("SignedIn(user=") and f"purpose={outcome.purpose!r}, user_verified=True" in told


def test_it_is_kept_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """What may be secret is in no log, no session, no record and no answer."""
    site = make_app({"PASSKEY_ATTESTATION": "direct"})
    site.passkey.extensions(lambda purpose, user: PRF)
    ada, client = VirtualAuthenticator(SITE), site.app.test_client()
    with told() as seen, caplog.at_level(logging.DEBUG):
        answers = [sign_up(client, ada, "ada"), sign_in(client, ada), client.get("/user/authn").get_json()]
    secret = seen[0][1]["prf"]["results"]["first"]
    kept = [answers, caplog.text, vars(site.cache), site.passkey_records("ada")]
    assert [secret in repr(place) for place in kept] == [False] * 4


def extended(outputs: Any = None, **client: Any) -> Any:
    """Return bends that give a response these outputs of authenticator and client."""

    def bend(ceremony: RegistrationCeremony | AuthenticationCeremony) -> None:
        ceremony.client_extension_results = client
        if outputs is not None:
            ceremony.extensions = outputs
            ceremony.set_flag(Flags.ED, True)

    return {"bend": bend}


def finished(asked: Mapping[str, Any], outputs: Any = None, **client: Any) -> Mapping[str, Any]:
    """Return what the app is told in a registration and a sign-in, which is the same but for ``credProps``."""
    authenticator = browser()
    options, pending = extensions.ask(*begin_registration(), asked)
    response = authenticator.create(options, **extended(outputs, **client))
    made = registration.finish(pending, response, config=CONFIG, label="", user_id="1", now=NOW)
    options, pending = extensions.ask(*authentication.begin(config=CONFIG), asked)
    response = authenticator.get(options, **extended(outputs, **client))
    used = finish_sign_in(pending, response, made.record)
    assert {**made.extensions, "credProps": None} == {**used.extensions, "credProps": None}
    return used.extensions


NOW = register(browser()).created_at


@pytest.mark.proves("specification:7.1.28", "specification:7.2.23")
def test_unsolicited_outputs_are_ignored() -> None:
    """What nobody asked for is told to nobody, and is no reason to refuse."""
    client = {"prf": {"enabled": True}, "x": 1, "appid": True}
    assert finished({}, {"credProtect": 2, "minPinLength": 4, "x": 2}, **client) == {}
    assert finished({"largeBlob": {}}, {"credProtect": 2, "minPinLength": 4, "x": 2}, **client) == {}


def test_outputs_of_authenticators_have_their_names() -> None:
    """An output is of the extension by whose input it is asked for, whatever its name."""
    policy = "userVerificationOptional"
    asked = {"credentialProtectionPolicy": policy, "hmacCreateSecret": True, "getCredBlob": True, "example": 1}
    outputs = {"credProtect": 3, "hmac-secret": True, "credBlob": b"\xfb\xff", "example": {"a": [b"\x01"]}}
    assert finished(asked, outputs) == {**outputs, "credBlob": "-_8", "example": {"a": ["AQ"]}}


@pytest.mark.proves("specification:7.2.23")
def test_a_browser_cannot_speak_for_the_authenticator() -> None:
    """Of two outputs the one in the authenticator data counts, and what only authenticators know nobody else tells."""
    asked = {"minPinLength": True, "credProtect": 1, "example": True}
    assert finished(asked, {"example": 1}, example=2, minPinLength=63, credProtect=3) == {"example": 1}


ODD: dict[str, Any] = {
    "null": None,
    "long": "a" * extensions.MAX_OUTPUT,
    "many": [0] * extensions.MAX_OUTPUT,
    "deep": [[[[[[[[[]]]]]]]]],
    "deep by names": {"": {"": {"": {"": {"": {"": {"": {"": {}}}}}}}}},
    "huge": 10**400,
    "large": 2**53 + 1,
    "surrogate": "\ud800",
    "surrogate in a name": {"\ud800": 1},
    "infinite": math.inf,
}


@pytest.mark.proves("specification:7.1.28")
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_outputs_are_as_good_as_none(odd: Any) -> None:
    """What is too long, too deep or no JSON is left out; what is beside it is told, and nobody is turned away."""
    assert finished({"odd": True, "even": True}, odd=odd, even=2) == {"even": 2}


@pytest.mark.parametrize(
    "outputs",
    [b"\xa2\x61x\x01\x61x\x02", b"\xa1\x01\x02", b"\xa1\x61x\xf7", b"\xa1\x61x\xf9\x7e\x00", b"\xa1\x61x\xe0"],
)
def test_odd_outputs_of_authenticators_are_as_good_as_none(outputs: bytes) -> None:
    """A name that is there twice or is no text, undefined, NaN and simple values: nothing of it is told."""
    _, pending = extensions.ask({}, begin_registration()[1], {"x": True})
    assert extensions.outputs(pending, None, outputs) == {}


@pytest.mark.proves("specification:7.1.4", "specification:7.2.4")
@pytest.mark.parametrize("results", [None, [], "prf", 5, [{"prf": 1}], {"prf": {}}])
def test_results_of_any_shape(results: Any) -> None:
    """Clients that send none, or something else, are no problem."""
    _, pending = extensions.ask({}, begin_registration()[1], PRF)
    assert extensions.outputs(pending, results, b"") == ({"prf": {}} if isinstance(results, dict) else {})


def test_bounds_hold_to_the_character() -> None:
    """An output of just the longest text is told."""
    longest = "a" * (extensions.MAX_OUTPUT - 2)
    assert finished({"x": True}, x=longest)["x"] == longest
    assert finished({"x": True}, x=[[[[[[[[]]]]]]]])


def values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Return values of all kinds that JSON and CBOR have, and some that only CBOR has."""
    plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.binary() | texts
    names = texts | st.integers(-(2**63), 2**63)
    return st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=6)


NAMES = st.sampled_from(["x", "prf", "y"])
ANY_TEXT = st.text(st.characters(), max_size=5)
CBOR = st.dictionaries(NAMES | st.integers(0, 9), values(st.text(max_size=5))).map(cbor2.dumps)


@settings(EXAMPLES, max_examples=100)
@given(st.dictionaries(NAMES, values(ANY_TEXT)) | values(ANY_TEXT), CBOR | st.just(b""))
def test_anything_may_be_answered(client: object, authenticator: bytes) -> None:
    """Whatever comes, what is told is JSON that can be written, stored and read again."""
    _, pending = extensions.ask({}, begin_registration()[1], {"x": True, "prf": {}})
    found = dict(extensions.outputs(pending, client, authenticator))
    assert json.loads(json.dumps(found, allow_nan=False, ensure_ascii=False).encode()) == found


@pytest.mark.parametrize("results", [{"prf": ["x"] * 3000}, {"prf": {"results": {"first": 5}}}, {"prf": 9**999}])
def test_attackers_results_never_end_in_an_error(site: App, results: Any) -> None:
    """Odd results of an extension that was asked for leave a sign-in what it was."""
    site.passkey.extensions(lambda purpose, user: PRF)
    ada, client = VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(client, ada, "ada")
    begun = begin(client)
    response = ada.get(begun["options"], after=lambda r: r.update(clientExtensionResults=results))
    assert finish(client, begun, response).get_json()["code"] == 0


# credProps


@pytest.mark.proves("specification:7.1.28")
@pytest.mark.parametrize(
    ("results", "kept"),
    [
        ({"credProps": {"rk": True}}, True),
        ({"credProps": {"rk": False}}, False),
        ({"credProps": {}}, None),
        ({"credProps": {"rk": 1}}, None),
        ({"credProps": True}, None),
        ({}, None),
    ],
)
def test_cred_props_are_kept(results: dict[str, Any], kept: bool | None) -> None:
    """The record says whether the passkey is found without a name, as far as the client has said so."""
    assert register(browser(), **extended(**results)).discoverable is kept


@pytest.mark.proves("browser:25")
def test_cred_props_are_told_and_kept(site: App) -> None:
    """Without a hook, too."""
    with told() as seen:
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    assert seen == [("sign-up", {"credProps": {"rk": True}})]
    assert [record.discoverable for record in site.passkey_records("ada")] == [True]


# appid

APP_ID = "https://example.com/app-id.json"


def by_app_id(asked: Mapping[str, Any], *, rp_id: str, said: object) -> authentication.Authenticated:
    """Sign in by an old security key, whose keys are for an AppID."""
    authenticator = browser()
    record = register(authenticator)
    options, pending = extensions.ask(*authentication.begin(config=CONFIG), asked)
    response = authenticator.get(options, rp_id=rp_id, **extended(appid=said))
    return finish_sign_in(pending, response, record)


@pytest.mark.proves("specification:7.2.15")
def test_old_keys_sign_in_by_their_app_id() -> None:
    """Step 15: where the AppID was asked for and used, authenticator data are for it."""
    assert by_app_id({"appid": APP_ID}, rp_id=APP_ID, said=True).extensions == {"appid": True}
    assert by_app_id({"appid": APP_ID}, rp_id=RP_ID, said=False).extensions == {"appid": False}


@pytest.mark.proves("specification:7.2.15")
@pytest.mark.parametrize(
    ("asked", "rp_id", "said"),
    [
        ({"appid": APP_ID}, APP_ID, False),
        ({"appid": APP_ID}, APP_ID, 1),
        ({"appid": APP_ID}, RP_ID, True),
        ({"appid": APP_ID}, "https://evil.example", True),
        ({"appid": [APP_ID]}, APP_ID, True),
        ({"appid": ""}, "", True),
        ({}, APP_ID, True),
        (PRF, APP_ID, True),
    ],
)
def test_nobody_else_signs_in_by_an_app_id(asked: Any, rp_id: str, said: object) -> None:
    """Step 15: without being asked for and used, an AppID is another RP ID."""
    with pytest.raises(ResponseRejected, match="for another RP ID"):
        by_app_id(asked, rp_id=rp_id, said=said)


@pytest.mark.parametrize("results", [None, [], "appid", 5])
def test_results_of_any_shape_where_an_app_id_is_asked_for(results: Any) -> None:
    """A client that says nothing of the AppID has used the RP ID."""
    authenticator = browser()
    record = register(authenticator)
    options, pending = extensions.ask(*authentication.begin(config=CONFIG), {"appid": APP_ID})
    response = authenticator.get(options) | {"clientExtensionResults": results}
    assert finish_sign_in(pending, response, record).extensions == {}


# The authenticator of the test kit


def test_prf_is_computed_as_authenticators_do() -> None:
    """One salt gives the same bytes in each ceremony with a credential; other salts and credentials have others."""
    asked = {"prf": {"eval": {"first": "AQI", "second": "Aw"}}}
    authenticator, other = browser(), browser()
    options, _ = extensions.ask(*begin_registration(), asked)
    created, others = (a.create(options)["clientExtensionResults"]["prf"] for a in (authenticator, other))
    used = authenticator.get({**options, "rpId": RP_ID})["clientExtensionResults"]["prf"]
    assert created == {"enabled": True, **used}
    assert len({*used["results"].values(), *others["results"].values()}) == 4


def test_prf_by_credential() -> None:
    """The salt of the credential that answers comes before the one for all, and needs a list of those that may."""
    authenticator = browser()
    record = register(authenticator)
    each = {b64url_encode(record.id): {"first": "Aw"}}
    listed: dict[str, Any] = {"allowed": [authentication.descriptor(record)]}

    def result(**prf: Any) -> Any:
        options, _ = extensions.ask(*authentication.begin(config=CONFIG, user_id="1", **listed), {"prf": prf})
        return authenticator.get(options)["clientExtensionResults"]["prf"]["results"]["first"]

    all_alone = result(eval={"first": "AQI"})
    assert result(eval={"first": "AQI"}, evalByCredential=each) == result(eval={"first": "Aw"}) != all_alone
    assert result(eval={"first": "AQI"}, evalByCredential={"AAAA": {"first": "Aw"}}) == all_alone
    listed["allowed"] = []
    with pytest.raises(NotSupportedError, match="allowCredentials"):
        result(evalByCredential=each)


def test_large_blob_is_kept() -> None:
    """What is written in one sign-in is read in another."""
    authenticator = browser()
    register(authenticator)

    def result(**blob: Any) -> Any:
        options, _ = extensions.ask(*authentication.begin(config=CONFIG), {"largeBlob": blob})
        return authenticator.get(options)["clientExtensionResults"]["largeBlob"]

    assert [result(read=True), result(write="-_8"), result(read=True)] == [{}, {"written": True}, {"blob": "-_8"}]
    authenticator.credentials[0].is_resident_credential = False
    options, _ = authentication.begin(config=CONFIG)
    response = authenticator.get(
        {**options, "extensions": {"largeBlob": {"write": "AQ"}}}, credential=authenticator.credentials[0]
    )
    assert response["clientExtensionResults"] == {"largeBlob": {"written": False}}


def test_an_authenticator_without_extensions() -> None:
    """It answers nothing to what it does not know, and refuses what it must not ignore."""
    options, _ = extensions.ask(*begin_registration(), CREATED)
    response = browser(extensions=()).create(options)
    assert response["clientExtensionResults"] == {}
    with pytest.raises(TypeError, match="is not one of"):
        browser().create({**options, "extensions": {"credentialProtectionPolicy": "strong"}})
    for insisting in ({"enforceCredentialProtectionPolicy": True}, {"largeBlob": {"support": "required"}}):
        with pytest.raises(NotAllowedError, match="insist"):
            browser(extensions=("prf",)).create({**options, "extensions": insisting})


# The document


def test_the_documents_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of the document asks for what it says, and gets it."""
    site = make_app()
    names: dict[str, Any] = {"app": site.app, "passkey": site.passkey}
    for block in re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL):
        exec(compile(block, "extensions.md", "exec"), names)
    ada, client = VirtualAuthenticator(SITE, min_pin_length=8), site.app.test_client()
    sign_up(client, ada, "ada")
    assert names["pin_lengths"] == {site.user("ada").id: 8}
    options = begin(client, step_up=True)["options"]["publicKey"]
    assert list(options["extensions"]["prf"]["eval"]) == ["first"]
    assert sign_in(client, ada)["user"]["name"] == "ada"
