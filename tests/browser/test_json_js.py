"""The JSON that ``passkey.js`` makes of what password managers hand over, and the options that it makes of JSON."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import Any

import pytest
from browser.chromium import Site
from browser.test_passkey_js import CREATION, REQUEST, run
from playwright.sync_api import Page

from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

#: How scripts write the bytes ``u``, whose base64url text is ``t``.
FORMS = {
    "buffer": "u.buffer",
    "buffer of another page": "new other.Uint8Array(u).buffer",
    "array of another page": "new other.Uint8Array(u)",
    "part of a buffer": "new Uint8Array([9, ...u, 9]).subarray(1, -1)",
    "view": "new DataView(new Uint8Array([9, ...u, 9]).buffer, 1, u.length)",
    "signed bytes": "new Int8Array(u)",
    "members of an array": "({ buffer: u.buffer, byteOffset: 0, byteLength: u.length })",
    "numbers": "[...u]",
    "signed numbers": "[...new Int8Array(u)]",
    "numbers of another page": "other.Array.from(u)",
    "numbered members": "({ ...u })",
    "numbered members and a length": "({ ...u, length: u.length })",
    "Node's buffer": "({ type: 'Buffer', data: [...u] })",
    "Node's buffer with text": "({ type: 'Buffer', data: t })",
    "base64url": "t",
    "padded base64url": "pad(t)",
    "base64": "pad(t).replace(/-/g, '+').replace(/_/g, '/')",
    "base64 without padding": "t.replace(/-/g, '+').replace(/_/g, '/')",
    "base64 in lines": "pad(t).replace(/.{64}/g, '$&\\r\\n') + '\\n'",
}
#: ``made(json, form)``: the credential whose ``toJSON()`` should have made ``json``. It must not be called.
MADE = """
const frame = document.body.appendChild(document.createElement("iframe"));
const other = frame.contentWindow;
const pad = (text) => text.padEnd(Math.ceil(text.length / 4) * 4, "=");
const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const asBuffer = (u) => u.buffer;
const TEXTS = ["transports", "publicKeyAlgorithm"];
const METHODS = [...TEXTS, "authenticatorData", "publicKey"];
const made = (json, form = asBuffer) => {
  const { clientExtensionResults, response, ...members } = json;
  const given = Object.entries(response).map(([name, value]) => {
    const shaped = TEXTS.includes(name) ? value : form(toBytes(value), value);
    const isMethod = response.attestationObject && METHODS.includes(name);
    return isMethod ? [`get${name[0].toUpperCase()}${name.slice(1)}`, () => shaped] : [name, shaped];
  });
  return {
    ...members,
    rawId: form(toBytes(json.rawId), json.rawId),
    response: Object.fromEntries(given),
    getClientExtensionResults: () => clientExtensionResults,
    toJSON: () => { throw new Error("called"); },
  };
};
const refuse = () => { throw new TypeError("Illegal invocation"); };
"""


@pytest.fixture
def blank(page: Page, site: Site) -> Page:
    """A page of the demo without autofill."""
    page.goto(f"{site.url}/sign-up")
    return page


@pytest.fixture
def truth(site: Site) -> dict[str, Any]:
    """The JSON of a new passkey, as a browser's ``toJSON()`` makes it."""
    kept: list[dict[str, Any]] = []
    sign_up(site.app.test_client(), VirtualAuthenticator(site.url), "bob", after=lambda r: kept.append(deepcopy(r)))
    return kept[0]


def serialised(page: Page, json: dict[str, Any], change: str, form: str = "u.buffer") -> dict[str, Any]:
    """Return the JSON of the credential ``c`` that a browser makes ``json`` of, after a script has changed it."""
    script = f"{MADE} const c = made(given, (u, t) => {form}); {change}; return m.credentialToJSON(c);"
    found: dict[str, Any] = run(page, script, json)
    return found


@pytest.mark.proves("browser:rule-7")
def test_bytes_are_read_in_any_form(blank: Page, site: Site) -> None:
    """In whatever form a script writes bytes, the JSON is a browser's, and the server accepts it."""
    made: dict[str, list[dict[str, Any]]] = {form: [] for form in FORMS}
    expected: dict[str, list[dict[str, Any]]] = {form: [] for form in FORMS}

    def through_the_page(form: str, response: dict[str, Any]) -> None:
        expected[form].append(deepcopy(response))
        own = serialised(blank, response, "", FORMS[form])
        made[form].append(own)
        response.clear()
        response.update(own)

    for number, form in enumerate(FORMS):
        client, authenticator = site.app.test_client(), VirtualAuthenticator(site.url)
        after = partial(through_the_page, form)
        sign_up(client, authenticator, f"ada{number}", after=after)
        sign_in(client, authenticator, after=after)
    assert made == expected
    assert all(len(responses) == 2 for responses in made.values())


def test_bytes_of_extensions_are_read_in_any_form(blank: Page) -> None:
    """What ``prf`` and ``largeBlob`` computed is text for the page, in whatever form a script writes it."""
    script = f"""
    {MADE}
    const form = (t, u = toBytes(t)) => FORM;
    const results = {{ prf: {{ enabled: true, results: {{ first: form("-_8B"), second: form("AQI") }} }},
      largeBlob: {{ blob: form("_-8") }} }};
    return m.credentialToJSON(assertion(results)).clientExtensionResults;
    """
    expected = {"prf": {"enabled": True, "results": {"first": "-_8B", "second": "AQI"}}, "largeBlob": {"blob": "_-8"}}
    found = {name: run(blank, script.replace("FORM", form)) for name, form in FORMS.items()}
    assert found == dict.fromkeys(FORMS, expected)


#: What scripts do beside the bytes that decide.
ODDITIES = [
    "c.id = 'another'",
    "c.id += '='",
    "delete c.id",
    "Object.defineProperty(c, 'id', { get: refuse })",
    "delete c.rawId",
    "c.rawId = {}",
    "c.rawId = { some: 'words' }",
    "c.rawId = 'not base64!'",
    "c.rawId = new ArrayBuffer(0)",
    "Object.defineProperty(c, 'rawId', { get: refuse })",
    "delete c.type",
    "c.type = 'webauthn'",
    "c.toJSON = () => ({ id: 'x', rawId: 'x', type: 'public-key', response: { clientDataJSON: 'x' } })",
    "delete c.toJSON",
    "c.response.signature = c.response.userHandle = new ArrayBuffer(0)",
    "const { getTransports: get } = c.response; c.response.getTransports = () => [null, 7, ...get(), {}]",
    "c.response.transports = c.response.getTransports(); c.response.getTransports = refuse",
    "c.response.authenticatorData = c.response.getAuthenticatorData(); c.response.getAuthenticatorData = refuse",
    "const { getPublicKeyAlgorithm: get } = c.response; c.response.getPublicKeyAlgorithm = () => `${get()}`",
    "c.clientExtensionResults = c.getClientExtensionResults(); c.getClientExtensionResults = refuse",
]


@pytest.mark.proves("browser:rule-7")
def test_the_bytes_decide(blank: Page, truth: dict[str, Any]) -> None:
    """Nothing that a script says beside the bytes, or forgets, changes what the bytes say."""
    assert truth["response"]["transports"]
    assert truth["clientExtensionResults"]
    found = {oddity: serialised(blank, truth, oddity) for oddity in ODDITIES}
    assert found == dict.fromkeys(ODDITIES, truth)


#: What cannot be read after a script did this.
LOSSES = {
    "c.authenticatorAttachment = null": "authenticatorAttachment",
    "c.authenticatorAttachment = 5": "authenticatorAttachment",
    "Object.defineProperty(c, 'authenticatorAttachment', { get: refuse })": "authenticatorAttachment",
    "c.response.getTransports = refuse": "transports",
    "c.response.getTransports = () => null": "transports",
    "c.response.getPublicKey = () => null": "publicKey",
    "c.response.getPublicKeyAlgorithm = () => null": "publicKeyAlgorithm",
    "delete c.response.getAuthenticatorData": "authenticatorData",
    "c.response.getAuthenticatorData = async () => new ArrayBuffer(1)": "authenticatorData",
    "Object.defineProperty(c.response, 'clientDataJSON', { get: refuse })": "clientDataJSON",
    "c.response.attestationObject = { a: { b: 1 } }": "attestationObject",
    "const circle = {}; c.response.attestationObject = circle.data = circle": "attestationObject",
    "c.response.attestationObject = [1, 256]": "attestationObject",
}


@pytest.mark.proves("browser:rule-7")
def test_only_what_cannot_be_read_is_left_out(blank: Page, truth: dict[str, Any]) -> None:
    """A member that throws, is missing, or is nothing that bytes can be made of costs the others nothing."""
    expected = {change: deepcopy(truth) for change in LOSSES}
    for change, lost in LOSSES.items():
        assert expected[change].pop(lost, None) or expected[change]["response"].pop(lost)
    assert {change: serialised(blank, truth, change) for change in LOSSES} == expected


def test_a_credential_without_a_response(blank: Page, truth: dict[str, Any]) -> None:
    """The server gets what there is, and tells what is missing."""
    for response in ("undefined", "null", "'text'", "refuse()"):
        change = f"Object.defineProperty(c, 'response', {{ get: () => ({response}) }})"
        assert serialised(blank, truth, change) == {**truth, "response": {}}


#: Extension results of scripts, and what is copied of them.
RESULTS: dict[str, dict[str, Any]] = {
    "null": {},
    "{ credProps: { rk: true, by: null }, uvm: [[2, 4, 2]] }": {"credProps": {"rk": True}, "uvm": [[2, 4, 2]]},
    "{ credBlob: bytes(251, 255), appid: false }": {"credBlob": "-_8", "appid": False},
    "{ get prf() { return refuse(); }, appid: true }": {"appid": True},
    "{ prf: { enabled: true, get results() { return refuse(); } } }": {"prf": {"enabled": True}},
    "{ prf: { results: { first: bytes(1), second: 'no bytes!' } } }": {"prf": {"results": {"first": "AQ"}}},
    "{ odd: 1n, work: () => 1, name: Symbol(), appid: true }": {"appid": True},
    "{ credProps: { rk: true, toJSON: () => 'another' } }": {"credProps": {"rk": True}},
    "(() => { const a = { n: 1 }; a.a = a; return a; })()": {
        "n": 1,
        "a": {"n": 1, "a": {"n": 1, "a": {"n": 1, "a": {"n": 1}}}},
    },
}


def test_extension_results_are_copied_as_json(blank: Page) -> None:
    """What cannot be read or written as JSON costs the other results nothing, and circles end."""
    copy = "return m.credentialToJSON(assertion(results)).clientExtensionResults;"
    assert {given: run(blank, f"{MADE} const results = {given}; {copy}") for given in RESULTS} == RESULTS


def test_names_of_results_are_names(blank: Page) -> None:
    """A result called ``__proto__`` is copied as one and becomes no object's prototype."""
    found = run(
        blank,
        """
        const results = JSON.parse('{"__proto__": {"polluted": 1}, "prf": {"__proto__": {"polluted": 1}}}');
        const json = m.credentialToJSON(assertion(results)).clientExtensionResults;
        return [JSON.stringify(json), json.polluted, json.prf.polluted, {}.polluted].map((value) => value ?? null);
        """,
    )
    assert found == ['{"__proto__":{"polluted":1},"prf":{"__proto__":{"polluted":1}}}', None, None, None]


#: What scripts have put in place of the browser's parser.
PARSERS = ["throw 1", "", "return json", "return {}", "json.challenge = 1; json.user = null"]


@pytest.mark.proves("browser:rule-7")
@pytest.mark.parametrize(("parser", "options"), [("Creation", CREATION), ("Request", REQUEST)])
def test_foreign_parsers_do_not_matter(blank: Page, parser: str, options: dict[str, Any]) -> None:
    """Whatever a script has put in place of the browser's parser, the options are the same."""
    name = f"parse{parser}OptionsFromJSON"
    expected = run(blank, f"return visible(m.{name}(given));", options)
    for body in PARSERS:
        script = f"PublicKeyCredential.{name} = (json) => {{ {body} }}; return visible(m.{name}(given));"
        assert run(blank, script, options) == expected


def test_options_of_other_servers_are_read(blank: Page) -> None:
    """Base64 that browsers refuse in options is read as what it is."""
    known = {"type": "public-key", "id": "-_8"}
    options = {"challenge": "_-8BAgM", "allowCredentials": [known]}
    odd = [
        {"challenge": "_-8BAgM=", "allowCredentials": [{**known, "id": "-_8="}]},
        {"challenge": "/+8BAgM=", "allowCredentials": [{**known, "id": "+/8="}]},
    ]
    script = "return given.map((options) => visible(m.parseRequestOptionsFromJSON(options)));"
    expected, *found = run(blank, script, [options, *odd])
    assert found == [expected] * 2
    assert expected["challenge"] == [255, 239, 1, 2, 3]
