"""Several relying parties in one app, each with its own RP ID, origins and passkeys; and origins of tenants."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from apps import App, begin, make_app
from flask import abort, request
from flask.testing import FlaskClient
from test_cli import run

from flask_passkey import ConfigurationError, PasskeyConfig
from flask_passkey.config import advice
from flask_passkey.errors import Misconfigured
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, enrol, sign_in, sign_up, step_up

pytestmark = pytest.mark.proves("frictions:S")

DOCUMENT = (Path(__file__).parent.parent / "docs" / "howto" / "relying-parties.md").read_text("utf-8")
COM, ORG = "https://example.com", "https://example.org"
PARTIES = {
    "example.org": {
        "name": "Example.org",
        "origins": [ORG, "https://www.example.org"],
        "related_origins": "https://example.net",
        "enrol_url": f"{ORG}/enrol",
    }
}
CONFIG = {"PASSKEY_RP_ID": "example.com", "PASSKEY_RELYING_PARTIES": PARTIES}


class At:
    """A browser at one of the app's hosts; its cookies go along to the others, as with one cookie for all."""

    def __init__(self, client: FlaskClient, origin: str) -> None:
        self.put: Callable[..., Any] = partial(client.put, base_url=origin)
        self.post: Callable[..., Any] = partial(client.post, base_url=origin)
        self.get: Callable[..., Any] = partial(client.get, base_url=origin)
        self.delete: Callable[..., Any] = partial(client.delete, base_url=origin)


@pytest.fixture
def site() -> App:
    """An app of two relying parties, which are told apart by the request's host."""
    site = make_app(CONFIG)

    @site.passkey.rp_id_for
    def rp_id_for() -> str:
        return request.host.removeprefix("www.").partition(":")[0]

    return site


@pytest.fixture
def client(site: App) -> FlaskClient:
    """A browser whose cookies reach both hosts."""
    client = site.app.test_client()
    # Not by domain, which browsers do not share; some apps put one app below both hosts in other ways.
    client._add_cookies_to_wsgi = partial(copy_all, client)  # type: ignore[method-assign]
    return client


def copy_all(client: FlaskClient, environ: dict[str, Any]) -> None:
    """Send all cookies, whichever host has set them."""
    cookies = {cookie.key: cookie.value for cookie in (client._cookies or {}).values()}
    environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in cookies.items())


def options_at(site: App, origin: str, **body: Any) -> Any:
    """Begin a sign-up or sign-in and return the browser's options."""
    at = At(site.app.test_client(), origin)
    return begin(at, "/user/authn" if body else "/session/authn", **body)["options"]["publicKey"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("origin", "rp"),
    [
        (COM, {"id": "example.com", "name": "example.com"}),
        (ORG, {"id": "example.org", "name": "Example.org"}),
        ("https://www.example.org", {"id": "example.org", "name": "Example.org"}),
    ],
)
def test_each_has_its_id_and_name(site: App, origin: str, rp: dict[str, str]) -> None:
    """The options of every ceremony are of the relying party that the app chose."""
    assert options_at(site, origin, name="ada")["rp"] == rp
    assert options_at(site, origin)["rpId"] == rp["id"]


def test_each_has_its_passkeys(site: App) -> None:
    """A passkey signs in where it was made, and nowhere else; the account is one."""
    key = VirtualAuthenticator(COM)
    sign_up(At(site.app.test_client(), COM), key, "ada")
    assert sign_in(At(site.app.test_client(), COM), key)["signals"]["rpId"] == "example.com"
    at_org = VirtualAuthenticator(ORG)
    browser = At(site.app.test_client(), ORG)
    with pytest.raises(Refused) as refused:
        sign_up(browser, at_org, "ada")
    assert refused.value.code == 409, "the name is taken, for the accounts are one"
    sign_up(browser, at_org, "bob")
    assert sign_in(At(site.app.test_client(), ORG), at_org)["signals"]["rpId"] == "example.org"
    assert [record.rp_id for name in ("ada", "bob") for record in site.passkey_records(name)] == [
        "example.com",
        "example.org",
    ]


@pytest.mark.parametrize(("other", "status"), [(ORG, 404), (COM, 200)])
def test_a_finish_elsewhere_finds_nothing(site: App, client: FlaskClient, other: str, status: int) -> None:
    """A ceremony of one relying party is not there for another one, and is left pending."""
    key = VirtualAuthenticator(COM)
    sign_up(At(client, COM), key, "ada")
    begun = begin(At(client, COM))  # type: ignore[arg-type]
    body = {"session_id": begun["session_id"], "response": key.get(begun["options"])}
    assert At(client, other).post("/session/authn", json=body).status_code == status
    assert At(client, COM).post("/session/authn", json=body).status_code == (200 if other == ORG else 404)


@pytest.mark.parametrize("origin", [COM, "https://evil.example", "https://shop.example.org"])
def test_each_has_its_origins(site: App, origin: str, caplog: pytest.LogCaptureFixture) -> None:
    """A page of another relying party is another site, and the line to write is that of the entry."""
    at_org = At(site.app.test_client(), ORG)
    assert at_org.put("/session/authn", headers={"Origin": origin}).status_code == 403
    assert at_org.put("/session/authn", headers={"Origin": ORG}).status_code == 200
    line = "Write PASSKEY_RELYING_PARTIES['example.org']['origins'] = "
    assert (line in caplog.text) is (origin == "https://shop.example.org")


def test_each_has_its_well_known_document(site: App) -> None:
    """Related origins are told by the host of the RP ID that they are for."""
    client = site.app.test_client()
    assert client.get("/.well-known/webauthn", base_url=ORG).get_json() == {"origins": ["https://example.net"]}
    assert client.get("/.well-known/webauthn", base_url=COM).status_code == 404


def test_a_sign_in_is_one_in_the_whole_session(site: App, client: FlaskClient) -> None:
    """Who signed in with a passkey at one host adds the first one at another; from then on each has its own."""
    com, org = VirtualAuthenticator(COM), VirtualAuthenticator(ORG)
    sign_up(At(client, COM), com, "ada")
    sign_in(At(client, COM), com)
    assert At(client, ORG).get("/user/authn").get_json()["data"]["credentials"] == []
    added = add_passkey(At(client, ORG), org)
    for origin in (COM, ORG):
        data = At(client, origin).get("/user/authn").get_json()["data"]
        assert len(data["credentials"]) == 1
        assert (added["id"] in data["signals"]["allAcceptedCredentialIds"]) is (origin == ORG)
        assert At(client, origin).delete(f"/user/authn/{added['id']}").status_code == (409 if origin == ORG else 404)


def test_a_step_up_is_with_a_passkey_for_here(site: App, client: FlaskClient) -> None:
    """Each host asks for the account's own passkeys there."""
    com, org = VirtualAuthenticator(COM), VirtualAuthenticator(ORG)
    sign_up(At(client, COM), com, "ada")
    added = add_passkey(At(client, ORG), org)
    listed = begin(At(client, ORG), step_up=True)["options"]["publicKey"]["allowCredentials"]  # type: ignore[arg-type]
    assert [item["id"] for item in listed] == [added["id"]]
    assert step_up(At(client, ORG), org)["signals"]["rpId"] == "example.org"


def test_a_grant_is_for_one(site: App) -> None:
    """An invitation is good at the host that it was made for, and its link leads there."""
    sign_up(At(site.app.test_client(), COM), VirtualAuthenticator(COM), "ada")
    ada = site.user("ada")
    with site.app.app_context():
        by_default, for_org = site.passkey.invite(ada), site.passkey.invite(ada, rp_id="example.org")
        with pytest.raises(ValueError, match="neither PASSKEY_RP_ID nor in PASSKEY_RELYING_PARTIES"):
            site.passkey.invite(ada, rp_id="example.net")
    assert (by_default.url, for_org.url) == ("", f"{ORG}/enrol#{for_org.token}")
    with pytest.raises(Refused) as refused:
        enrol(At(site.app.test_client(), COM), VirtualAuthenticator(COM), for_org.token)
    assert refused.value.code == 40094
    enrol(At(site.app.test_client(), ORG), VirtualAuthenticator(ORG), for_org.token)
    with site.app.test_request_context(base_url=ORG):
        assert site.passkey.config.rp_id == "example.org"
        assert site.passkey.grants_of(ada) == []
        assert site.passkey.withdraw(ada) == 1, "those for all"


def test_commands_know_all(site: App) -> None:
    """Outside a request it is PASSKEY_RP_ID; an invitation may be for another, and what is listed is all there is."""
    sign_up(At(site.app.test_client(), COM), VirtualAuthenticator(COM), "ada")
    sign_up(At(site.app.test_client(), ORG), VirtualAuthenticator(ORG), "bob")
    user_id = site.user("ada").id
    made = run(site.app, "invite", user_id, "--rp-id", "example.org", apart=True)
    assert made.exit_code == 0 and made.stdout.startswith(f"{ORG}/enrol#")
    refused = run(site.app, "invite", user_id, "--rp-id", "example.net")
    assert refused.exit_code == 1 and "neither PASSKEY_RP_ID nor in PASSKEY_RELYING_PARTIES" in refused.output
    listed = run(site.app, "list", user_id).output.splitlines()
    assert [line.rpartition(" ")[2] for line in listed] == ["example.com", "example.org"]
    assert "other RP IDs" not in run(site.app, "check").output
    with site.app.app_context():
        assert site.passkey.config.rp_id == "example.com"


def test_the_check_knows_all() -> None:
    """An address of any relying party can be asked, and a hook that is missing is found."""
    parties = {"app.localhost": {"origins": "http://app.localhost:1"}}
    site = make_app({"PASSKEY_RELYING_PARTIES": parties})
    output = run(site.app, "check", "--url", "http://app.localhost:1").output
    assert "accounts.no-rp-id-for" in output
    assert "outside.unreachable" in output and "outside.origin" not in output
    site.passkey.rp_id_for(lambda: "localhost")
    assert "accounts.no-rp-id-for" not in run(site.app, "check").output


def test_records_that_say_nothing_are_the_firsts() -> None:
    """Only PASSKEY_RP_ID can have had passkeys before the RP ID was kept."""
    config = PasskeyConfig.from_mapping(CONFIG)
    assert [each.rp_ids for each in (config, *config.others)] == [("example.com", ""), ("example.org",)]


# The hook


def test_the_hook_is_asked_once(site: App) -> None:
    """Each request is of one relying party, and the hook may use the extension itself."""
    asked = []

    @site.passkey.rp_id_for
    def rp_id_for() -> str:
        asked.append(site.passkey.config.rp_id)
        return "example.org"

    client, key = site.app.test_client(), VirtualAuthenticator(ORG)
    sign_up(At(client, ORG), key, "ada")
    assert asked == ["example.com"] * 2
    with site.app.app_context():  # requests are told apart, also inside one context
        for _ in range(2):
            assert At(client, ORG).get("/user/authn").status_code == 200
    assert len(asked) == 4


@pytest.mark.parametrize("answer", ["example.net", "", None, 7, "EXAMPLE.com"])
@pytest.mark.parametrize("config", [CONFIG, {"PASSKEY_RP_ID": "example.com"}])
def test_an_rp_id_that_is_not_configured(config: dict[str, Any], answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody can make the app answer for an RP ID that it does not list; the log names the hook."""
    site = make_app(config)
    site.passkey.rp_id_for(lambda: answer)
    response = At(site.app.test_client(), COM).put("/session/authn")
    assert (response.status_code, response.get_json()["code"]) == (500, 50005)
    assert f"the rp_id_for hook returned {answer!r}, which is neither PASSKEY_RP_ID nor in" in caplog.text


def test_a_missing_hook(caplog: pytest.LogCaptureFixture) -> None:
    """Without the hook nobody says which it is, and no one is guessed."""
    site = make_app(CONFIG, flask_login=True)
    assert At(site.app.test_client(), COM).put("/session/authn").get_json()["code"] == 50005
    assert "the app has no rp_id_for hook: decorate one with @passkey.rp_id_for" in caplog.text


def test_a_hook_may_abort(site: App) -> None:
    """A host that is none of the app's is answered as the app likes."""
    site.passkey.rp_id_for(lambda: abort(404))
    assert At(site.app.test_client(), "https://evil.example").put("/session/authn").status_code == 404


def test_a_hook_that_failed_has_chosen_nothing(site: App) -> None:
    """Whoever asks again in the same request, an error handler say, is not given the first one instead."""

    @site.passkey.rp_id_for
    def rp_id_for() -> str:
        raise LookupError

    with site.app.test_request_context(base_url=ORG):
        for _ in range(2):
            with pytest.raises(LookupError):
                _ = site.passkey.config


def test_a_hook_may_be_a_coroutine(site: App) -> None:
    """Like all hooks."""

    @site.passkey.rp_id_for
    async def rp_id_for() -> str:
        return "example.org"

    assert options_at(site, COM)["rpId"] == "example.org"


# Settings


@pytest.mark.parametrize(
    ("parties", "line"),
    [
        ("example.org", "not a dict of dicts by RP ID. Write PASSKEY_RELYING_PARTIES = {'example.org': "),
        ({"example.org": ORG}, "not a dict of dicts by RP ID. Write PASSKEY_RELYING_PARTIES = {'example.org': "),
        ({ORG: {}}, "An RP ID in PASSKEY_RELYING_PARTIES is a URL, not only the domain: 'https://example.org'"),
        ({"co.uk": {}}, "An RP ID in PASSKEY_RELYING_PARTIES is a public suffix"),
        ({"Example.org": {}}, "has upper case: 'Example.org'. Write PASSKEY_RELYING_PARTIES = {'example.org': …}"),
        ({"": {}}, "PASSKEY_RELYING_PARTIES is {'': {}}, not a dict of dicts by RP ID"),
        ({None: {}}, "PASSKEY_RELYING_PARTIES is {None: {}}, not a dict of dicts by RP ID"),
        ({5: {}}, "PASSKEY_RELYING_PARTIES is {5: {}}, not a dict of dicts by RP ID"),
        (
            {"example.com": {}},
            "PASSKEY_RELYING_PARTIES has 'example.com', which is PASSKEY_RP_ID. Write PASSKEY_",
        ),
        ({"example.org": {"timeout": 5}}, "There is no setting PASSKEY_RELYING_PARTIES['example.org']['timeout']"),
        ({"example.org": {"origins": 5}}, "PASSKEY_RELYING_PARTIES['example.org']['origins'] is 5, not a list"),
        ({"example.org": {"origins": [COM]}}, "Write PASSKEY_RELYING_PARTIES['example.org']['origins'] = ['https://e"),
        ({"example.org": {"origins": ["http://example.org"]}}, "['origins'] = ['https://example.org']"),
        ({"example.org": {"name": 5}}, "PASSKEY_RELYING_PARTIES['example.org']['name'] is 5, not text"),
        ({"example.org": {"enrol_url": f"{COM}/x"}}, "['example.org']['enrol_url'] = 'https://example.org/x'"),
        (
            {"example.org": {"related_origins": [f"https://{n}.example" for n in "abcdef"]}},
            "PASSKEY_RELYING_PARTIES['example.org']['related_origins'] has 6 different names",
        ),
        (
            {"example.org": {"related_origins": ["http://x.localhost"]}},
            "PASSKEY_RELYING_PARTIES['example.org']['related_origins'] has an origin on http",
        ),
    ],
)
def test_wrong_entries(parties: Any, line: str) -> None:
    """Each entry is checked at start as the settings are, and the refusal names it with the line to write."""
    with pytest.raises(ConfigurationError, match=re.escape(line)):
        PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "example.com", "PASSKEY_RELYING_PARTIES": parties})


def test_an_entry_may_be_empty() -> None:
    """What is not given is as for the app: the RP ID is the name, and https in front of it the origin."""
    config = PasskeyConfig.from_mapping(
        {"PASSKEY_RP_ID": "example.com", "PASSKEY_RP_NAME": "Com", "PASSKEY_TIMEOUT": 60_000}
        | {"PASSKEY_ENROL_URL": f"{COM}/enrol", "PASSKEY_RELYING_PARTIES": {"example.org": {}}}
    )
    [org] = config.others
    assert (org.rp_id, org.rp_name, org.origins, org.enrol_url) == ("example.org", "example.org", (ORG,), "")
    assert org.timeout == config.timeout and config.enrol_url and config.rp_name == "Com"


# Origins of tenants


def is_tenant(origin: str) -> bool:
    """Tell whether an origin is a tenant's."""
    return origin in ("https://ada.example.com", "https://bob.example.com:8443")


def tenants(origins: Any = is_tenant) -> PasskeyConfig:
    """Return settings with a function among the origins."""
    return PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "example.com", "PASSKEY_ORIGINS": origins})


@pytest.mark.parametrize(("origins", "apex"), [(is_tenant, False), ([is_tenant], False), ([COM, is_tenant], True)])
def test_a_function_says_which_origins_there_are(origins: Any, apex: bool) -> None:
    """It is asked about what is not listed, and decides."""
    config = tenants(origins)
    assert config.allows("https://ada.example.com") and config.allows("https://bob.example.com:8443")
    assert not config.allows("https://eve.example.com") and config.allows(COM) is apex
    assert config.https_only and advice(config, "https://eve.example.com") == ""


@pytest.mark.parametrize(
    "origin",
    ["http://ada.example.com", "https://example.com.evil.example", "https://evilexample.com", "null", "", "https://[",
     "https://ada.example.com/", "https://ADA.example.com", "https://x@ada.example.com", "https://ada.example.com:443",
     "https://example.org", "android:apk-key-hash:x", "https://ada.example.com\n"],
)  # fmt: skip
def test_a_function_is_not_asked_about_others(origin: str) -> None:
    """It sees only origins that browsers would let use the RP ID, as they write them."""
    asked = set()

    def note(origin: str) -> bool:
        asked.add(origin)
        return True

    assert not tenants(note).allows(origin) and not asked
    assert tenants(note).allows("https://ada.example.com") and asked


def test_tenants_at_localhost() -> None:
    """On a developer's machine http is good, and the cookies are not kept to https."""
    config = PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "localhost", "PASSKEY_ORIGINS": lambda origin: True})
    assert config.allows("http://ada.localhost:5000") and not config.https_only


@pytest.mark.parametrize("answer", [None, 1, "yes", ["row"]])
def test_a_function_says_yes_or_no(answer: Any) -> None:
    """Anything else is a mistake, and lets nobody in."""
    with pytest.raises(Misconfigured) as refused:
        tenants(lambda origin: answer).allows("https://ada.example.com")
    assert "a function in PASSKEY_ORIGINS returned" in refused.value.reason


def test_a_coroutine_is_refused_at_start() -> None:
    """Its answer would always be true."""

    async def ask(origin: str) -> bool:
        return False

    with pytest.raises(ConfigurationError, match="PASSKEY_ORIGINS has a coroutine"):
        tenants([COM, ask])


def test_a_tenants_page() -> None:
    """People sign up and in at a tenant's address, with one RP ID for all; at another subdomain they cannot."""
    site = make_app({"PASSKEY_RP_ID": "example.com", "PASSKEY_ORIGINS": [COM, is_tenant]})
    key = VirtualAuthenticator("https://ada.example.com")
    sign_up(site.app.test_client(), key, "ada")
    assert sign_in(site.app.test_client(), key)["signals"]["rpId"] == "example.com"
    with pytest.raises(Refused) as refused:
        sign_up(site.app.test_client(), VirtualAuthenticator("https://eve.example.com"), "eve")
    assert refused.value.code == 403
    assert re.search(
        r"^PASSKEY_ORIGINS = \('https://example.com', <function is_tenant", run(site.app, "check").output, re.M
    )


def test_the_document_is_true() -> None:
    """The document's code runs as it is written."""
    parties, functions = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    first = make_app()  # only to run the code: the settings are read when the next app starts
    names: dict[str, Any] = {"app": first.app, "passkey": first.passkey, "request": request, "tenants": ["ada"]}
    exec(compile(parties, "relying-parties.md", "exec"), names)
    exec(compile(functions, "relying-parties.md", "exec"), names)
    site = make_app({name: value for name, value in first.app.config.items() if name.startswith("PASSKEY_")})
    site.passkey.rp_id_for(names["rp_id_for"])
    assert options_at(site, "https://www.example.org")["rpId"] == "example.org"
    assert options_at(site, "https://ada.example.com")["rpId"] == "example.com"
    sign_up(At(site.app.test_client(), COM), VirtualAuthenticator("https://ada.example.com"), "ada")
