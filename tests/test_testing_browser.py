"""The browser around the virtual authenticator: what it refuses, its signals, and ceremonies over HTTP."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from flask import Flask, jsonify, request
from response_tools import (
    ORIGIN,
    RP_ID,
    allowing,
    creation_options,
    offering,
    read,
    request_options,
    user,
    verify_authentication,
    verify_registration,
)

from flask_passkey.testing import (
    BrowserError,
    EncodingError,
    Flags,
    InvalidStateError,
    NotAllowedError,
    Refused,
    SecurityError,
    VirtualAuthenticator,
    VirtualCredential,
    add_passkey,
    b64url_encode,
    sign_in,
    sign_up,
    step_up,
)

CreationCase = tuple[dict[str, Any], dict[str, Any], type[Exception], str]
CREATION_REFUSALS: list[CreationCase] = [
    ({"is_user_consenting": False}, {}, NotAllowedError, "does not agree"),
    ({"is_user_verified": False}, {}, NotAllowedError, "verification failed"),
    ({"has_user_verification": False}, {}, NotAllowedError, "cannot do"),
    ({"has_resident_key": False}, {}, NotAllowedError, "cannot keep"),
    ({"algorithm": -35}, {}, NotAllowedError, "-35"),
    ({}, {"pubKeyCredParams": offering(-65535)}, NotAllowedError, "-65535"),
    ({}, {"pubKeyCredParams": [{"type": "other", "alg": -7}]}, NotAllowedError, "offer"),
    ({}, {"authenticatorSelection": {"authenticatorAttachment": "cross-platform"}}, NotAllowedError, "cross-platform"),
    ({}, {"rp": {"id": "example.org", "name": "x"}}, SecurityError, "example.org"),
    ({}, {"rp": {"name": "x", "id": "com"}}, SecurityError, "com"),
    ({}, {"rp": {"name": "x", "id": "login.example.com"}}, SecurityError, "login.example.com"),
    ({}, {"rp": {"name": "x", "id": "ample.com"}}, SecurityError, "ample.com"),
    ({"origin": "http://example.com"}, {}, SecurityError, "https"),
    ({"origin": "https://127.0.0.1"}, {}, SecurityError, "IP address"),
    ({"origin": "https://[::1]:8443"}, {}, SecurityError, "IP address"),
    ({"origin": "http://app.localhost:5000"}, {"rp": {"id": "localhost", "name": "x"}}, SecurityError, "localhost"),
    ({}, {"challenge": "AAA="}, EncodingError, "challenge"),
    ({}, {"user": {"id": "a+b/", "name": "a", "displayName": "a"}}, EncodingError, "id"),
    ({}, {"user": user(b"")}, TypeError, "0 bytes"),
    ({}, {"user": user(b"x" * 65)}, TypeError, "65 bytes"),
    ({}, {"user": {"id": "AAAA", "name": "a"}}, TypeError, "displayName"),
    ({}, {"rp": {"id": RP_ID}}, TypeError, "name"),
    ({}, {"rp": {"id": None, "name": "x"}}, TypeError, "publicKey.rp.id is null"),
    ({}, {"timeout": None}, TypeError, "publicKey.timeout is null"),
    ({}, {"excludeCredentials": [{"type": "public-key", "id": None}]}, TypeError, "excludeCredentials.0..id is null"),
    ({}, {"excludeCredentials": [{"type": "public-key", "id": "AA=="}]}, EncodingError, "id"),
    ({}, {"challenge": 5}, TypeError, "challenge"),
]


@pytest.mark.parametrize(("settings", "options", "error", "message"), CREATION_REFUSALS)
def test_create_refuses(
    settings: dict[str, Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """What a browser or an authenticator refuses is refused under the browser's own name, and nothing is kept."""
    authenticator = VirtualAuthenticator(**({"origin": ORIGIN} | settings))
    with pytest.raises(error, match=message):
        authenticator.create(creation_options(**options))
    assert authenticator.credentials == []


REQUEST_REFUSALS: list[CreationCase] = [
    ({"is_user_consenting": False}, {}, NotAllowedError, "does not agree"),
    ({"is_user_verified": False}, {}, NotAllowedError, "verification failed"),
    ({"has_user_verification": False}, {}, NotAllowedError, "cannot do"),
    ({}, {"rpId": "example.org"}, SecurityError, "example.org"),
    ({}, {"rpId": None}, TypeError, "publicKey.rpId is null"),
    ({}, {"allowCredentials": None}, TypeError, "publicKey.allowCredentials is null"),
    ({}, {"allowCredentials": [{"type": "public-key", "id": "AAAA"}]}, NotAllowedError, "no fitting"),
    ({}, {"allowCredentials": [{"id": "AAAA"}]}, TypeError, "type"),
    ({}, {"challenge": "AA=="}, EncodingError, "challenge"),
]


@pytest.mark.parametrize(("settings", "options", "error", "message"), REQUEST_REFUSALS)
def test_get_refuses(
    authenticator: VirtualAuthenticator,
    credential: VirtualCredential,
    settings: dict[str, Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    """What a browser or an authenticator refuses at sign-in is refused under the browser's own name."""
    authenticator.sign_count_step = 1
    for name, value in settings.items():
        setattr(authenticator, name, value)
    with pytest.raises(error, match=message):
        authenticator.get(request_options(**options))
    assert credential.sign_count == 0


@pytest.mark.parametrize("method", ["create", "get"])
def test_missing_members_are_refused(authenticator: VirtualAuthenticator, method: str) -> None:
    """Options without a required member are a TypeError, whatever stands around them."""
    broken: list[dict[str, Any]] = [{}, {"publicKey": {}}, {"publicKey": "text"}]
    for options in broken:
        with pytest.raises(TypeError):
            getattr(authenticator, method)(options)


def test_browser_errors_have_one_root() -> None:
    """One ``except`` catches all refusals of a browser."""
    for error in (NotAllowedError, InvalidStateError, SecurityError, EncodingError):
        assert issubclass(error, BrowserError)


def test_excluded_credential_is_refused(authenticator: VirtualAuthenticator, credential: VirtualCredential) -> None:
    """A credential it has for this RP ID must not be excluded; foreign and unknown ones don't matter."""
    with pytest.raises(InvalidStateError):
        authenticator.create(creation_options(excludeCredentials=allowing(credential)))
    assert authenticator.credentials == [credential]
    other_site = VirtualCredential(rp_id="other.example", user_handle=b"x")
    authenticator.credentials.append(other_site)
    unknown = VirtualCredential(rp_id=RP_ID, user_handle=b"x")
    authenticator.create(creation_options(user=user(b"bob"), excludeCredentials=allowing(other_site, unknown)))
    assert len(authenticator.credentials) == 3


@pytest.mark.parametrize(
    ("origin", "rp_id"),
    [
        ("https://example.com:8443", "example.com"),
        ("https://login.example.com", "example.com"),
        ("https://a.b.example.com", "b.example.com"),
        ("http://localhost:5000", "localhost"),
        ("http://app.localhost:5000", "app.localhost"),
    ],
)
def test_rp_ids_of_an_origin(origin: str, rp_id: str) -> None:
    """The host and its parents may be the RP ID; left out, it is the host."""
    authenticator = VirtualAuthenticator(origin)
    authenticator.create(creation_options(rp={"id": rp_id, "name": "x"}))
    response = authenticator.get(request_options(rpId=rp_id))
    assert read(response)["rp_id_hash"] == sha256(rp_id.encode()).digest()
    assert read(response)["client_data.origin"] == origin
    authenticator.create(creation_options(rp={"name": "x"}))
    assert authenticator.credentials[-1].rp_id == origin.split("://")[1].split(":")[0]


def test_related_origin() -> None:
    """An origin that the relying party lists may use its RP ID; its own origin stays in the client data."""
    authenticator = VirtualAuthenticator("https://example.co.uk")
    with pytest.raises(SecurityError):
        authenticator.create(creation_options())
    authenticator.related_origins = ["https://example.co.uk", "https://example.de"]
    assert read(authenticator.create(creation_options()))["client_data.origin"] == "https://example.co.uk"


@pytest.mark.parametrize(
    ("wanted", "able", "expected"),
    [("required", True, True), ("preferred", True, True), ("preferred", False, False), ("discouraged", True, False)],
)
def test_user_verification(wanted: str, able: bool, expected: bool) -> None:
    """The user is verified where it is wanted and possible; ``preferred`` is the default."""
    authenticator = VirtualAuthenticator(ORIGIN, has_user_verification=able)
    created = authenticator.create(creation_options(authenticatorSelection={"userVerification": wanted}))
    allowed = allowing(authenticator.credentials[0])
    got = authenticator.get(request_options(userVerification=wanted, allowCredentials=allowed))
    assert [bool(read(response)["flags"] & Flags.UV) for response in (created, got)] == [expected, expected]


def test_signals_reach_the_credentials(authenticator: VirtualAuthenticator) -> None:
    """Signals drop and rename the credentials of the account they name, and leave all others alone."""
    for handle in (b"ada", b"bob"):
        authenticator.create(creation_options(user=user(handle)))
    ada, bob = authenticator.credentials
    account = {"rpId": RP_ID, "userId": b64url_encode(b"ada")}
    signals = account | {"name": "ada2", "displayName": "A", "allAcceptedCredentialIds": [b64url_encode(ada.id)]}
    authenticator.signal_current_user_details(signals)
    authenticator.signal_all_accepted_credentials(signals)
    assert [(c.user_name, c.user_display_name) for c in (ada, bob)] == [("ada2", "A"), ("bob", "bob")]
    assert authenticator.credentials == [ada, bob]
    authenticator.signal_all_accepted_credentials(account | {"allAcceptedCredentialIds": []})
    assert authenticator.credentials == [bob]
    authenticator.signal_unknown_credential({"rpId": RP_ID, "credentialId": b64url_encode(ada.id)})
    assert authenticator.credentials == [bob]
    authenticator.signal_unknown_credential({"rpId": RP_ID, "credentialId": b64url_encode(bob.id)})
    assert authenticator.credentials == []


def test_signals_of_other_sites_are_refused(authenticator: VirtualAuthenticator, credential: VirtualCredential) -> None:
    """A page cannot signal for a foreign RP ID."""
    with pytest.raises(SecurityError):
        authenticator.signal_unknown_credential({"rpId": "other.example", "credentialId": "AAAA"})


class Site:
    """A stand-in for the blueprint that answers by the contract and takes notes; it verifies nothing."""

    def __init__(self) -> None:
        self.app = Flask(__name__)
        self.seen: list[tuple[str, str, Any]] = []
        self.answers: dict[str, Any] = {"code": 0, "msg": "", "data": {"it": "worked"}}
        self.app.add_url_rule("/auth/user/authn", view_func=self.answer, methods=["PUT", "POST"], endpoint="user")
        self.app.add_url_rule("/auth/session/authn", view_func=self.answer, methods=["PUT", "POST"], endpoint="session")

    def answer(self) -> Any:
        assert request.headers["Origin"] == ORIGIN
        assert request.headers["Sec-Fetch-Site"] == "same-origin"
        self.seen.append((request.method, request.path, request.get_json(silent=True)))
        if request.method == "POST":
            return jsonify(self.answers)
        options = creation_options() if "user" in request.path else request_options()
        return jsonify(code=0, msg="", data={"session_id": "s-1", "options": options})


def test_ceremonies_over_http(authenticator: VirtualAuthenticator) -> None:
    """Each helper begins and finishes at the contract's routes, with its bodies and nothing more."""
    site = Site()
    client = site.app.test_client()
    done = [
        sign_up(client, authenticator, "ada", display_name="Ada", passkey_name="Phone", prefix="/auth"),
        add_passkey(client, authenticator, passkey_name="Key", prefix="/auth"),
        sign_in(client, authenticator, prefix="/auth"),
        sign_in(client, authenticator, user_name="ada", prefix="/auth"),
        step_up(client, authenticator, prefix="/auth", user_verified=False),
    ]
    assert done == [{"it": "worked"}] * 5
    begun, finished = site.seen[::2], site.seen[1::2]
    assert begun == [
        ("PUT", "/auth/user/authn", {"name": "ada", "display_name": "Ada"}),
        ("PUT", "/auth/user/authn", None),
        ("PUT", "/auth/session/authn", None),
        ("PUT", "/auth/session/authn", {"user_name": "ada"}),
        ("PUT", "/auth/session/authn", {"step_up": True}),
    ]
    assert [(m, p) for m, p, _ in finished] == [("POST", path) for _, path, _ in begun]
    bodies = [body for _, _, body in finished]
    assert [body.pop("name", None) for body in bodies] == ["Phone", "Key", None, None, None]
    assert all(set(body) == {"session_id", "response"} and body["session_id"] == "s-1" for body in bodies)
    verify_registration(bodies[1]["response"])
    verify_authentication(bodies[2]["response"], authenticator.credentials[-1])
    assert read(bodies[4]["response"])["flags"] == 0x19


def test_refused_answer_is_raised(authenticator: VirtualAuthenticator, credential: VirtualCredential) -> None:
    """An answer that is no success is raised with its code, status and envelope, also where the status is 200."""
    site = Site()
    site.answers = {"code": 40025, "msg": "No.", "data": None}
    with pytest.raises(Refused, match="POST /auth/session/authn: HTTP 200.*40025") as caught:
        sign_in(site.app.test_client(), authenticator, prefix="/auth")
    assert (caught.value.code, caught.value.status, caught.value.envelope) == (40025, 200, site.answers)


def test_answer_without_envelope_is_raised(authenticator: VirtualAuthenticator) -> None:
    """A page that is not the blueprint's, such as a 404, is raised as well."""
    with pytest.raises(Refused, match="PUT /user/authn: HTTP 404") as caught:
        sign_up(Site().app.test_client(), authenticator, "ada")
    assert (caught.value.code, caught.value.status, caught.value.envelope) == (None, 404, {})
