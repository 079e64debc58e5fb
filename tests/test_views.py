"""The contract on the wire, with a real blueprint and the virtual authenticator."""

from __future__ import annotations

import json
import logging
import re
import uuid
from io import BytesIO
from typing import Any

import pytest
from apps import SITE, App, begin, finish, make_app
from flask.testing import FlaskClient
from werkzeug.exceptions import RequestTimeout
from werkzeug.test import TestResponse

from flask_passkey import signals
from flask_passkey.testing import AuthenticationBends, VirtualAuthenticator, add_passkey, as_json_text, sign_in, sign_up

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def assert_refused(response: TestResponse, status: int, code: int) -> dict[str, Any]:
    """Check that an answer is a failure's envelope, and return it."""
    envelope: dict[str, Any] = response.get_json()
    assert (response.status_code, envelope["code"]) == (status, code), envelope
    assert set(envelope) == {"code", "msg", "data", "correlation_id"}
    assert envelope["data"] is None and envelope["msg"] and UUID4.fullmatch(envelope["correlation_id"])
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content_type == "application/json"
    return envelope


def ids(client: FlaskClient) -> list[str]:
    """Return the IDs of the signed-in user's passkeys."""
    return [item["id"] for item in client.get("/user/authn").get_json()["data"]["credentials"]]


@pytest.mark.proves("browser:18", "rules:no-store")
def test_prepare_sign_in_has_the_shape_of_the_contract(client: FlaskClient) -> None:
    """PUT /session/authn answers a UUID and options that name no credential, and nobody keeps the answer."""
    response = client.put("/session/authn")
    envelope = response.get_json()
    options = envelope["data"]["options"]["publicKey"]
    assert set(envelope) == {"code", "msg", "data"} and (envelope["code"], envelope["msg"]) == (0, "")
    assert UUID4.fullmatch(envelope["data"]["session_id"])
    assert len(options.pop("challenge")) == 43
    assert options == {"timeout": 300000, "rpId": "localhost", "userVerification": "required"}
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("body", [{}, {"data": b"", "content_type": "application/json"}, {"json": {}}])
def test_a_prepare_needs_no_body(client: FlaskClient, body: Any) -> None:
    """A missing or empty body is fine on PUT."""
    assert client.put("/session/authn", **body).status_code == 200


@pytest.mark.proves("specification:7.2.25")
def test_sign_in_answers_user_credential_and_signals(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """A sign-in answers exactly the members of the contract, never key material, and what the app's hook adds."""
    data = sign_in(site.app.test_client(), ada)
    user = next(iter(site.users.values()))
    assert data["user"] == {"id": user.id, "name": "ada", "display_name": "Ada Lovelace"}
    assert set(data["credential"]) == {
        *("id", "name", "created_at", "used_at", "aaguid", "provider", "transports"),
        *("backup_eligible", "backup_state", "current"),
    }
    assert data["credential"]["current"] is True and data["credential"]["used_at"].endswith("Z")
    assert data["signals"] == {
        "rpId": "localhost",
        "userId": data["signals"]["userId"],
        "allAcceptedCredentialIds": [data["credential"]["id"]],
        "name": "ada",
        "displayName": "Ada Lovelace",
    }
    assert len(data["signals"]["userId"]) == 86  # 64 bytes


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_every_offered_algorithm_signs_in(site: App, algorithm: int) -> None:
    """ES256, EdDSA and RS256 keys sign up and sign in."""
    authenticator = VirtualAuthenticator(SITE, algorithm=algorithm)
    sign_up(site.app.test_client(), authenticator, "ada")
    assert sign_in(site.app.test_client(), authenticator)["user"]["name"] == "ada"


def test_response_may_be_json_text(site: App, ada: VirtualAuthenticator) -> None:
    """The seed system's client sends the response as a JSON string."""
    browser = site.app.test_client()
    begun = begin(browser)
    assert finish(browser, begun, as_json_text(ada.get(begun["options"]))).status_code == 200


@pytest.mark.proves("specification:7.1.8", "specification:7.2.11")
def test_a_ceremony_is_spent_by_its_first_finish(site: App, ada: VirtualAuthenticator) -> None:
    """The same finish twice: the second is not found."""
    browser = site.app.test_client()
    begun = begin(browser)
    response = ada.get(begun["options"])
    assert finish(browser, begun, response).status_code == 200
    assert_refused(finish(browser, begun, response), 404, 404)


@pytest.mark.parametrize("bad", [None, 5, "", "{", "[]", {}, {"id": "x"}, []])
def test_a_ceremony_is_spent_whatever_the_response(site: App, ada: VirtualAuthenticator, bad: object) -> None:
    """A finish consumes the ceremony before its response is looked at; a good one afterwards is not found."""
    browser = site.app.test_client()
    begun = begin(browser)
    assert finish(browser, begun, bad).status_code in (400, 401)
    assert_refused(finish(browser, begun, ada.get(begun["options"])), 404, 404)


@pytest.mark.proves("specification:7.2.25")
def test_a_bad_signature_spends_the_ceremony_and_changes_nothing(site: App, ada: VirtualAuthenticator) -> None:
    """A refused sign-in signs nobody in, and stores no use."""
    browser = site.app.test_client()
    begun = begin(browser)
    assert_refused(finish(browser, begun, ada.get(begun["options"], signature=b"\x30\x00")), 401, 40025)
    assert_refused(browser.get("/user/authn"), 401, 401)
    assert_refused(finish(browser, begun, ada.get(begun["options"])), 404, 404)
    (record,) = site.passkey_records("ada")
    assert record.last_used_at is None


@pytest.mark.proves("threats:another-browser")
def test_another_browser_can_neither_use_nor_burn_a_ceremony(site: App, ada: VirtualAuthenticator) -> None:
    """Who learns a session_id and even the response gets a 404, and the right browser still signs in."""
    browser, stranger = site.app.test_client(), site.app.test_client()
    begun = begin(browser)
    response = ada.get(begun["options"])
    assert_refused(finish(stranger, begun, response), 404, 404)
    begin(stranger)  # now with a secret of its own
    assert_refused(finish(stranger, begun, response), 404, 404)
    assert finish(browser, begun, response).status_code == 200


@pytest.mark.proves("browser:12")
def test_any_number_of_ceremonies_may_be_pending(site: App, ada: VirtualAuthenticator) -> None:
    """Ceremonies of one browser finish in any order, also after somebody has signed in."""
    browser = site.app.test_client()
    pending = [begin(browser) for _ in range(5)]
    assert [finish(browser, b, ada.get(b["options"])).status_code for b in reversed(pending)] == [200] * 5


def test_two_sign_ups_in_one_browser_do_not_disturb_each_other(site: App, client: FlaskClient) -> None:
    """A sign-up that was begun before another one was finished can still be finished."""
    pending = [begin(client, "/user/authn", name=name) for name in ("ada", "bob")]
    for begun in pending:
        response = VirtualAuthenticator(SITE).create(begun["options"])
        assert finish(client, begun, response, "/user/authn").status_code == 200
    assert sorted(user.name for user in site.users.values()) == ["ada", "bob"]


@pytest.mark.proves("threats:other-purpose")
def test_a_ceremony_serves_only_its_purpose(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """No ceremony can be finished as another kind, and trying does not burn it."""
    registration, sign_in_ = begin(client, "/user/authn"), begin(client)
    second = VirtualAuthenticator(SITE)
    created = second.create(registration["options"])
    assert_refused(finish(client, registration, ada.get(sign_in_["options"])), 404, 404)
    assert_refused(finish(client, sign_in_, created, "/user/authn"), 404, 404)
    assert finish(client, registration, created, "/user/authn").status_code == 200
    assert finish(client, sign_in_, ada.get(sign_in_["options"])).status_code == 200


@pytest.mark.proves("threats:other-purpose", "specification:7.1.29")
def test_a_registration_is_bound_to_its_user(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """A registration begun as Ada cannot be finished signed out or as Bob, and stays usable for Ada."""
    begun = begin(client, "/user/authn")
    created = VirtualAuthenticator(SITE).create(begun["options"])
    bob = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), bob, "bob")
    site.sign_out(client)
    assert_refused(finish(client, begun, created, "/user/authn"), 404, 404)
    sign_in(client, bob)
    assert_refused(finish(client, begun, created, "/user/authn"), 404, 404)
    sign_in(client, ada)
    assert finish(client, begun, created, "/user/authn").status_code == 200


@pytest.mark.proves("specification:7.2.6")
def test_an_unknown_credential_has_its_own_code(site: App, ada: VirtualAuthenticator) -> None:
    """A passkey that is not registered is answered 40090, but only where all else is as the ceremony asked."""
    stranger = VirtualAuthenticator(SITE)
    sign_up(make_app().app.test_client(), stranger, "eve")
    browser = site.app.test_client()
    begun = begin(browser)
    assert_refused(finish(browser, begun, stranger.get(begun["options"])), 401, 40090)
    others: list[AuthenticationBends]
    others = [{"origin": "https://evil.example"}, {"user_present": False}, {"user_verified": False}]
    for bends in others:
        begun = begin(browser)
        assert_refused(finish(browser, begun, stranger.get(begun["options"], **bends)), 401, 40025)


@pytest.mark.parametrize("handle", [None, b"\0" * 64])
def test_the_user_handle_must_be_the_owners(site: App, ada: VirtualAuthenticator, handle: bytes | None) -> None:
    """Usernameless sign-in needs a user handle, and it must be that of the credential's owner."""
    browser = site.app.test_client()
    begun = begin(browser)
    assert_refused(finish(browser, begun, ada.get(begun["options"], user_handle=handle)), 401, 40025)


@pytest.mark.proves("threats:headers", "rules:13.4.9")
def test_headers_decide_nothing(client: FlaskClient) -> None:
    """Forged Host and X-Forwarded headers change neither RP ID nor origin."""
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    response = client.put("/session/authn", headers=headers)
    assert response.get_json()["data"]["options"]["publicKey"]["rpId"] == "localhost"
    assert_refused(client.put("/session/authn", headers=headers | {"Origin": "https://evil.example"}), 403, 403)


@pytest.mark.proves("threats:cross-site")
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": SITE}, True),
        ({"Origin": SITE, "Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "null"}, False),
        ({"Origin": "https://localhost"}, False),
        ({"Origin": f"{SITE}.evil.example"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_other_sites_are_refused(client: FlaskClient, headers: dict[str, str], allowed: bool) -> None:
    """A browser on another site's page gets a 403; its user's cookies are of no use there."""
    response = client.put("/session/authn", headers=headers)
    if allowed:
        assert response.status_code == 200
    else:
        assert_refused(response, 403, 403)


def test_registration_leaves_the_account_signed_in(client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """After sign-up the account exists, is signed in, and its passkey is the current one."""
    listed = client.get("/user/authn").get_json()["data"]
    (credential,) = listed["credentials"]
    assert credential["current"] and credential["used_at"] is None and credential["name"] == "Passkey"
    assert listed["signals"]["allAcceptedCredentialIds"] == [credential["id"]]


@pytest.mark.proves("browser:26")
def test_adding_a_passkey_excludes_the_ones_there(client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """The options of another registration name all passkeys of the account, and keep its user handle."""
    first = begin(client, "/user/authn")["options"]["publicKey"]
    add_passkey(client, VirtualAuthenticator(SITE), passkey_name="Key")
    second = begin(client, "/user/authn")["options"]["publicKey"]
    assert [item["id"] for item in first["excludeCredentials"]] == ids(client)[:1]
    assert [item["id"] for item in second["excludeCredentials"]] == ids(client)
    assert first["user"] == second["user"]


@pytest.mark.proves("threats:taken-credential-id", "specification:7.1.26")
def test_a_credential_id_is_registered_once(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """Another account that brings a registered credential ID gets a clean 409, and no account is made."""
    taken = ada.credentials[0].id
    eve = site.app.test_client()
    begun = begin(eve, "/user/authn", name="eve")
    response = VirtualAuthenticator(SITE).create(begun["options"], credential_id=taken)
    assert_refused(finish(eve, begun, response, "/user/authn"), 409, 409)
    assert [user.name for user in site.users.values()] == ["ada"]


def test_a_taken_name_is_refused_at_begin_and_at_finish(site: App, client: FlaskClient) -> None:
    """Of two sign-ups with one name the second finds out at its finish, a third at its begin."""
    other = site.app.test_client()
    late = begin(other, "/user/authn", name="ada")
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    response = VirtualAuthenticator(SITE).create(late["options"])
    assert_refused(finish(other, late, response, "/user/authn"), 409, 409)
    assert_refused(site.app.test_client().put("/user/authn", json={"name": "ada"}), 409, 409)
    assert len(site.users) == 1


@pytest.mark.proves("specification:7.1.29")
def test_a_rejected_registration_is_a_400(site: App, client: FlaskClient) -> None:
    """A response that does not verify is 400 on registration, and there is no account afterwards."""
    begun = begin(client, "/user/authn", name="ada")
    response = VirtualAuthenticator(SITE).create(begun["options"], user_verified=False)
    assert_refused(finish(client, begun, response, "/user/authn"), 400, 40025)
    assert not site.users


def test_who_may_prepare_a_registration(site: App, client: FlaskClient) -> None:
    """Signed out and without a name it is 401; with a malformed name 40001; without sign-up 40019."""
    assert_refused(client.put("/user/authn"), 401, 401)
    assert_refused(client.put("/user/authn", json={}), 401, 401)
    assert "name" in assert_refused(client.put("/user/authn", json={"name": ""}), 400, 40001)["msg"]
    assert "name" in assert_refused(client.put("/user/authn", json={"display_name": "A"}), 400, 40001)["msg"]
    closed = make_app({"PASSKEY_SIGN_UP": False}).app.test_client()
    assert_refused(closed.put("/user/authn", json={"name": "ada"}), 403, 40019)


def test_rename(client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """A passkey gets a new name; a name that could mislead is refused by its field and changes nothing."""
    (credential_id,) = ids(client)
    response = client.patch(f"/user/authn/{credential_id}", json={"name": "  My  phone "})
    assert response.get_json()["data"]["name"] == "My  phone" and response.get_json()["data"]["current"] is True
    for bad in ("", " ", "a\0b", "a\u202eb", "\ud800", "x" * 65, None, 5, ["a"]):
        body = json.dumps({"name": bad})
        response = client.patch(f"/user/authn/{credential_id}", data=body, content_type="application/json")
        assert_refused(response, 400, 40001)
    assert client.get("/user/authn").get_json()["data"]["credentials"][0]["name"] == "My  phone"


@pytest.mark.parametrize("body", [b"", b"{", b'{"name": "' + b"a\xcc\x81" * 10_000 + b'"}', b"x" * 70_000])
def test_rename_asks_who_is_signed_in_first(client: FlaskClient, body: bytes) -> None:
    """Whatever a stranger sends, no body is read before somebody is signed in."""
    answer = client.patch("/user/authn/AAAA", data=body, content_type="application/json")
    assert_refused(answer, 401, 401)


@pytest.mark.parametrize(("count", "status"), [(100, 207), (101, 400)])
def test_a_batch_has_an_end(client: FlaskClient, ada: VirtualAuthenticator, count: int, status: int) -> None:
    """One request deletes at most 100 passkeys."""
    answer = client.delete("/user/authn", query_string=[("id", f"AA{number:02}") for number in range(count)])
    assert answer.status_code == status


@pytest.mark.proves("browser:36")
def test_other_peoples_passkeys_are_not_found(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """Renaming or deleting what is not one's own, or is no credential ID, is 404."""
    eve = site.app.test_client()
    sign_up(eve, VirtualAuthenticator(SITE), "eve")
    for credential_id in (*ids(client), "AAAA", "A", "====", "ä"):
        assert_refused(eve.patch(f"/user/authn/{credential_id}", json={"name": "mine"}), 404, 404)
        assert_refused(eve.delete(f"/user/authn/{credential_id}"), 404, 404)
    assert ids(client)


@pytest.mark.proves("browser:38")
def test_delete(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """A deleted passkey is gone from the list and the signals, and can sign nobody in."""
    add_passkey(client, VirtualAuthenticator(SITE))
    first, second = ids(client)
    response = client.delete(f"/user/authn/{first}")
    assert response.get_json()["data"]["signals"]["allAcceptedCredentialIds"] == [second] == ids(client)
    browser = site.app.test_client()
    begun = begin(browser)
    assert_refused(finish(browser, begun, ada.get(begun["options"])), 401, 40090)


@pytest.mark.proves("threats:lock-out")
def test_the_last_passkey_stays_unless_there_is_another_way_in(
    site: App, client: FlaskClient, ada: VirtualAuthenticator
) -> None:
    """The last passkey of an account cannot be deleted, unless the app says that there is another way in."""
    (only,) = ids(client)
    assert_refused(client.delete(f"/user/authn/{only}"), 409, 409)
    site.has_other_methods = True
    assert client.delete(f"/user/authn/{only}").status_code == 200
    assert ids(client) == []


def test_batch_delete(client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """A batch deletes what it can and names each failure with an envelope of its own."""
    for _ in range(2):
        add_passkey(client, VirtualAuthenticator(SITE))
    first, second, third = ids(client)
    response = client.delete("/user/authn", query_string=[("id", second), ("id", third)])
    assert response.get_json()["data"]["deleted"] == [second, third] and response.status_code == 200
    response = client.delete("/user/authn", query_string=[("id", first), ("id", second), ("id", "!")])
    envelope = response.get_json()
    assert (response.status_code, envelope["code"]) == (207, 40081)
    codes = {key: value["code"] for key, value in envelope["aggregated_error"].items()}
    assert codes == {first: 409, second: 404, "!": 404}
    assert envelope["data"]["deleted"] == [] and envelope["data"]["signals"]["allAcceptedCredentialIds"] == [first]
    assert_refused(client.delete("/user/authn"), 400, 40001)


def test_signed_out_people_have_no_passkeys(client: FlaskClient) -> None:
    """Listing, renaming and deleting need a signed-in user."""
    assert_refused(client.get("/user/authn"), 401, 401)
    assert_refused(client.patch("/user/authn/AAAA", json={"name": "x"}), 401, 401)
    assert_refused(client.delete("/user/authn/AAAA"), 401, 401)
    assert_refused(client.delete("/user/authn?id=AAAA"), 401, 401)


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("session_id", {"response": {}}),
        ("session_id", {"session_id": "x", "response": {}}),
        ("session_id", {"session_id": 5, "response": {}}),
        ("response", {"session_id": str(uuid.uuid4())}),
        ("body", []),
        ("body", None),
        ("body", "text"),
    ],
)
def test_a_malformed_request_names_the_field(client: FlaskClient, field: str, body: object) -> None:
    """What is missing or of the wrong shape is named, and its value is not repeated."""
    for route in ("/session/authn", "/user/authn"):
        envelope = assert_refused(client.post(route, json=body), 400, 40001)
        assert envelope["msg"] == f"The request is malformed: {field}."


@pytest.mark.proves("threats:broken-bytes")
@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}',
        b"[" * 60_000, b'{"a":' * 10_000, '{"a":1}'.encode("utf-16"), b'{"n":' + b"9" * 60_000 + b"}",
    ],
)  # fmt: skip
def test_odd_bodies_are_malformed(client: FlaskClient, data: bytes) -> None:
    """Broken, deep, ambiguous or wrongly encoded JSON is a clear 400."""
    assert_refused(client.post("/session/authn", data=data, content_type="application/json"), 400, 40001)


def test_bodies_are_limited_and_must_be_json(client: FlaskClient) -> None:
    """64 KiB and one byte is 413; anything not declared as JSON is 415."""
    body = json.dumps({"session_id": str(uuid.uuid4()), "response": ""})
    longest = body[:-2] + "x" * (65_536 - len(body)) + body[-2:]
    kind = "application/json"
    assert_refused(client.post("/session/authn", data=longest, content_type=kind), 404, 404)
    for more in (" ", " " * 65_536):
        assert_refused(client.post("/session/authn", data=longest + more, content_type=kind), 413, 413)
    for wrong in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert_refused(client.post("/session/authn", data=body, content_type=wrong), 415, 415)
    assert_refused(client.put("/session/authn", data="x"), 415, 415)


class BrokenChunks:
    """A body that the server cannot take apart."""

    def read(self, size: int = -1) -> bytes:
        raise RuntimeError("Invalid chunk size")


def send_chunks(client: FlaskClient, body: object) -> TestResponse:
    """Prepare a sign-in with a body whose length is not told, as gunicorn hands it on."""
    chunked = {"wsgi.input": body, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    environ = chunked | {"CONTENT_LENGTH": ""}
    return client.put("/session/authn", content_type="application/json", environ_overrides=environ)


def test_bodies_in_chunks_are_limited_too(client: FlaskClient) -> None:
    """A body whose length is not told is 413 when it is too long, instead of being cut off and understood."""
    assert send_chunks(client, BytesIO(b"{}" + b" " * 65_534)).status_code == 200
    assert_refused(send_chunks(client, BytesIO(b"{}" + b" " * 65_535)), 413, 413)
    assert_refused(send_chunks(client, BytesIO(b"{}" + b" " * 200_000 + b"{")), 413, 413)


def test_broken_chunks_are_malformed(client: FlaskClient) -> None:
    """A body that the server cannot take apart is the client's mistake, and no 500."""
    assert_refused(send_chunks(client, BrokenChunks()), 400, 40001)


class SlowBody:
    """A body of which a middleware has had enough."""

    def read(self, size: int = -1) -> bytes:
        raise RequestTimeout


def test_a_body_that_something_else_refuses(client: FlaskClient) -> None:
    """What a middleware raises while the body is read keeps its status: it may be its refusal."""
    assert_refused(send_chunks(client, SlowBody()), 408, 40001)


@pytest.mark.parametrize(
    ("method", "route"),
    [("GET", "/session/authn"), ("DELETE", "/session/authn"), ("PATCH", "/user/authn"), ("PUT", "/user/authn/x")],
)
def test_other_methods_are_answered_in_the_envelope(client: FlaskClient, method: str, route: str) -> None:
    """A method the contract does not have is 405, in the envelope."""
    assert_refused(client.open(route, method=method), 405, 40001)


def test_http_status_can_be_switched_off(client: FlaskClient) -> None:
    """With PASSKEY_HTTP_STATUS = False everything is HTTP 200, and the code tells."""
    plain = make_app({"PASSKEY_HTTP_STATUS": False}).app.test_client()
    for response in (plain.get("/user/authn"), plain.post("/session/authn"), plain.get("/session/authn")):
        assert response.status_code == 200 and response.get_json()["code"] in (401, 40001)


@pytest.mark.proves("specification:7.2.24")
def test_a_refused_account_never_reaches_login(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """An account disabled between begin and finish gets 403: no login, no session, no signal of a sign-in."""
    browser = site.app.test_client()
    begun = begin(browser)
    next(iter(site.users.values())).is_active = False
    told: list[object] = []
    with signals.signed_in.connected_to(lambda sender, **kwargs: told.append(kwargs)):
        assert_refused(finish(browser, begun, ada.get(begun["options"])), 403, 403)
    assert not told and browser.get_cookie("session") is None
    assert_refused(browser.get("/user/authn"), 401, 401)
    assert_refused(client.get("/user/authn"), 403, 403)


def test_failures_are_told_to_log_and_signal_under_one_id(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The correlation id of an answer stands in the log line and the signal, with the reason."""
    told: list[Any] = []
    with signals.refused.connected_to(lambda sender, **kwargs: told.append(kwargs)), caplog.at_level(logging.INFO):
        envelope = assert_refused(client.get("/user/authn"), 401, 401)
    assert envelope["correlation_id"] == told[0]["correlation_id"] and envelope["correlation_id"] in caplog.text
    assert told[0]["error"].reason == "nobody is signed in"


def test_the_reason_is_shown_only_in_debug(site: App, client: FlaskClient) -> None:
    """The internal reason is in the answer only when app.debug is on."""
    assert "error" not in client.get("/user/authn").get_json()
    site.app.debug = True
    assert client.get("/user/authn").get_json()["error"] == "nobody is signed in"


def test_a_broken_hook_is_a_misconfiguration_not_a_traceback(site: App, client: FlaskClient) -> None:
    """An exception in the app's hook is answered 50005 in the envelope, without its text."""

    @site.passkey.get_current_user
    def broken() -> object:
        raise KeyError("secret")

    envelope = assert_refused(client.get("/user/authn"), 500, 50005)
    assert "secret" not in json.dumps(envelope)


def test_nothing_secret_is_logged(site: App, ada: VirtualAuthenticator, caplog: pytest.LogCaptureFixture) -> None:
    """No log line has a challenge, a user handle or a signature."""
    browser = site.app.test_client()
    with caplog.at_level(logging.DEBUG):
        begun = begin(browser)
        response = ada.get(begun["options"])
        finish(browser, begun, response)
        finish(browser, begin(browser), response)
    secrets = [begun["options"]["publicKey"]["challenge"], *response["response"].values()]
    assert not [secret for secret in secrets if secret and secret in caplog.text]
