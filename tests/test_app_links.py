"""Native apps of the site: the documents that tell Android and Apple's systems of them, and their origins."""

from __future__ import annotations

import json
from typing import Any

import pytest
from apps import App, make_app
from flask import Flask

from flask_passkey import ConfigurationError, PasskeyConfig, android_origin
from flask_passkey.testing import Refused, VirtualAuthenticator, sign_in, sign_up

PRINT, OTHER = ":".join(["AB"] * 32), ":".join(["0F"] * 32)
ANDROID, APPLE = "/.well-known/assetlinks.json", "/.well-known/apple-app-site-association"
SITE = {"PASSKEY_RP_ID": "example.com"}
APPS: dict[str, Any] = {
    "PASSKEY_ANDROID_APPS": {"com.example.app": [PRINT, OTHER], "com.example.beta": OTHER.lower()},
    "PASSKEY_APPLE_APPS": ["ABCDE12345.com.example.app", "1234567890.com.example.App-2"],
}


def statement(package: str, *fingerprints: str) -> dict[str, Any]:
    """Return what Google's documentation shows for sharing sign-in credentials, passkeys included."""
    return {
        "relation": ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"],
        "target": {
            "namespace": "android_app",
            "package_name": package,
            "sha256_cert_fingerprints": list(fingerprints),
        },
    }


@pytest.fixture
def native() -> App:
    """Return an app with native ones."""
    return make_app(SITE | APPS | {"PASSKEY_URL_PREFIX": "/api"})


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (ANDROID, [statement("com.example.app", PRINT, OTHER), statement("com.example.beta", OTHER)]),
        (APPLE, {"webcredentials": {"apps": APPS["PASSKEY_APPLE_APPS"]}}),
    ],
)
def test_documents(native: App, path: str, document: object) -> None:
    """They are as Google and Apple want them: bare JSON at the site root, without a redirect, a cookie or a sign-in."""
    client = native.app.test_client()
    answer = client.get(path, headers={"Origin": "https://anywhere.example", "Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert json.loads(answer.data) == document
    assert "Set-Cookie" not in answer.headers and native.session_ids() == set()
    assert client.get(f"/api{path}").status_code == 404
    assert client.post(path).status_code == 405


def test_only_what_is_configured() -> None:
    """Without settings there is neither; each comes with its own."""
    for name, found in (("", [404, 404]), ("ANDROID", [200, 404]), ("APPLE", [404, 200])):
        config = {key: value for key, value in APPS.items() if name and name in key}
        client = make_app(SITE | config).app.test_client()
        assert [client.get(path).status_code for path in (ANDROID, APPLE)] == found


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON, or as text with commas where that says all."""
    monkeypatch.setenv("FLASK_PASSKEY_ANDROID_APPS", json.dumps({"com.example.app": PRINT}))
    monkeypatch.setenv("FLASK_PASSKEY_APPLE_APPS", "ABCDE12345.com.example.app, 1234567890.com.example")
    app = Flask(__name__)
    app.config.from_prefixed_env()
    config = PasskeyConfig.from_mapping({**app.config, **SITE})
    assert config.android_apps == {"com.example.app": (PRINT,)}
    assert config.apple_apps == ("ABCDE12345.com.example.app", "1234567890.com.example")


# Origins


@pytest.mark.parametrize("fingerprint", [PRINT, OTHER])
def test_an_android_app_signs_up_and_in(fingerprint: str) -> None:
    """Its origin is accepted in both ceremonies, with every certificate that is listed."""
    site, phone = make_app(SITE | APPS), VirtualAuthenticator("https://example.com")
    origin = android_origin(fingerprint)
    sign_up(site.app.test_client(), phone, "ada", origin=origin)
    assert sign_in(site.app.test_client(), phone, origin=origin)["user"]["name"] == "ada"


@pytest.mark.parametrize("config", [{}, {"PASSKEY_ANDROID_APPS": {"com.example.app": [OTHER]}}])
def test_other_apps_are_refused(config: dict[str, Any]) -> None:
    """An app that is not listed, or is signed by somebody else, is refused."""
    site, phone = make_app(SITE | config), VirtualAuthenticator("https://example.com")
    with pytest.raises(Refused) as refused:
        sign_up(site.app.test_client(), phone, "ada", origin=android_origin(PRINT))
    assert refused.value.code == 40025


def test_listed_twice_is_listed_once() -> None:
    """An origin may also stand in PASSKEY_ORIGINS; the site's own stays first, and all pages are on https."""
    origins = ["https://example.com", android_origin(PRINT)]
    config = PasskeyConfig.from_mapping(SITE | APPS | {"PASSKEY_ORIGINS": origins})
    assert config.all_origins == (*origins, android_origin(OTHER)) and config.https_only


# Refused at start-up


@pytest.mark.parametrize(
    "value",
    [
        "com.example.app",
        ["com.example.app"],
        {"com.example.app": []},
        {"com.example.app": [PRINT.replace(":", "")]},
        {"com.example.app": [PRINT[:-3]]},
        {"com.example.app": [PRINT + ":AB"]},
        {"com.example.app": [PRINT, "SHA256: " + PRINT]},
        {"com.example.app": [7]},
        {"com.example.app": None},
        {"com.example.app": {"sha256": PRINT}},
        {"app": [PRINT]},
        {"com..app": [PRINT]},
        {"com.example.app\n": [PRINT]},
        {"https://example.com": [PRINT]},
        {"": [PRINT]},
        {7: [PRINT]},
    ],
    ids=repr,
)
def test_android_apps_that_cannot_be(value: object) -> None:
    """They are refused with the line to write."""
    with pytest.raises(ConfigurationError) as refused:
        PasskeyConfig.from_mapping(SITE | {"PASSKEY_ANDROID_APPS": value})
    line = str(refused.value).rpartition("Write ")[2]
    assert str(refused.value).startswith("PASSKEY_ANDROID_APPS is ")
    assert line == f"PASSKEY_ANDROID_APPS = { {'com.example.app': [PRINT]} }"
    PasskeyConfig.from_mapping(SITE | {"PASSKEY_ANDROID_APPS": {"com.example.app": [PRINT]}})


@pytest.mark.parametrize(
    "value",
    [
        "com.example.app",
        ["abcde12345.com.example.app"],
        ["ABCDE1234.com.example.app"],
        ["ABCDE12345"],
        ["ABCDE12345."],
        ["ABCDE12345.com..app"],
        ["ABCDE12345.com.example.*"],
        ["ABCDE12345.com.example.app", ""],
        ["ABCDE12345.com.example.app\nx"],
        {"ABCDE12345": "com.example.app"},
        7,
        [None],
    ],
    ids=repr,
)
def test_apple_apps_that_cannot_be(value: object) -> None:
    """They are refused with the line to write."""
    with pytest.raises(ConfigurationError) as refused:
        PasskeyConfig.from_mapping(SITE | {"PASSKEY_APPLE_APPS": value})
    assert str(refused.value).endswith("Write PASSKEY_APPLE_APPS = ['ABCDE12345.com.example.app']")


@pytest.mark.parametrize(
    ("path", "config"),
    [
        (ANDROID, APPS),
        (APPLE, APPS),
        ("/.well-known/webauthn", {"PASSKEY_RELATED_ORIGINS": ["https://example.org"]}),
        ("/.well-known/passkey-endpoints", {"PASSKEY_ENDPOINTS": {"manage": "https://example.com/passkeys"}}),
    ],
)
def test_a_route_of_the_apps_own_is_not_hidden(path: str, config: dict[str, Any]) -> None:
    """Where both would answer, the start-up error says which setting it is; without the setting the app's is served."""

    def before(app: Flask) -> None:
        app.add_url_rule(path, "own", lambda: "own")

    with pytest.raises(ConfigurationError, match=rf"route {path} itself, and PASSKEY_"):
        make_app(SITE | config, before=before)
    assert make_app(SITE, before=before).app.test_client().get(path).text == "own"


def test_a_route_for_all_files_gives_way() -> None:
    """An app that serves its files at the root keeps them, and the documents are ours."""

    def before(app: Flask) -> None:
        app.add_url_rule("/<path:name>", "files", lambda name: name)

    client = make_app(SITE | APPS, before=before).app.test_client()
    assert client.get(ANDROID).is_json and client.get("/.well-known/security.txt").text == ".well-known/security.txt"
