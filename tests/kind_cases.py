"""Cases of kinds 5 to 7 and 9 to 11: client data, options, origins and ``passkey.js``. See ``kinds.py``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any

from kind_trees import ACCEPTED, REFUSED, Case, Client, NotTaken, Tree
from rehearsal import TOKEN_BINDINGS

from flask_passkey.testing import (
    Ceremony,
    VirtualAuthenticator,
    add_passkey,
    cose_map,
    generate_key,
    sign_in,
    sign_up,
    step_up,
)

SITE = "http://localhost"


def signed_up(tree: Tree, bends: dict[str, Any] | None = None, **settings: Any) -> tuple[Client, VirtualAuthenticator]:
    """Return a browser that has signed up, and its authenticator."""
    client, authenticator = tree.site(**settings), VirtualAuthenticator(SITE, shared_rsa_key=True)
    sign_up(client, authenticator, "ada", **(bends or {}))
    return client, authenticator


def kind_5() -> Iterator[Case]:
    """Any value of ``tokenBinding`` is ignored, in every ceremony."""
    deep: Any = {"status": {"status": [[[[{}]]]]}}
    for value in (*TOKEN_BINDINGS, 1e308, -1, True, [1, [2]], deep, {"id": 5}, {"status": "supported", "id": None}):
        bend = {"bend": partial(_bind, value)}
        yield Case(5, f"sign-up, {value}", partial(signed_up, bends=bend))
        for name, act in (("sign-in", sign_in), ("step-up", step_up)):
            yield Case(5, f"{name}, {value}", partial(_used, act, bend))
        yield Case(5, f"another passkey, {value}", partial(_added, bend))


def _bind(value: object, ceremony: Ceremony) -> None:
    ceremony.client_data["tokenBinding"] = value


def _used(act: Any, bends: dict[str, Any], tree: Tree) -> None:
    client, authenticator = signed_up(tree)
    act(client, authenticator, **bends)


def _added(bends: dict[str, Any], tree: Tree) -> None:
    client, _ = signed_up(tree)
    add_passkey(client, VirtualAuthenticator(SITE), **bends)


def kind_6() -> Iterator[Case]:
    """No ``displayName`` that a browser gets is empty."""
    for name in (None, "", " ", "\u00a0", "\u3000 "):
        body = {"name": "ada"} if name is None else {"name": "ada", "display_name": name}
        for what in ("sign-up", "another passkey", "signals of a sign-in", "list"):
            yield Case(6, f"{what}, {name!r}", partial(_shown, what, body, "ada"))
    yield Case(6, "one that is there", partial(_shown, "sign-up", {"name": "ada", "display_name": "Ada L."}, "Ada L."))


def _shown(what: str, body: dict[str, Any], expected: str, tree: Tree) -> None:
    client, authenticator = tree.site(), VirtualAuthenticator(SITE)
    answers = {"sign-up": client.put("/user/authn", json=body).json}
    sign_up(client, authenticator, "ada", display_name=body.get("display_name"))
    answers["another passkey"] = client.put("/user/authn").json
    answers["signals of a sign-in"] = sign_in(tree.client(), authenticator)
    answers["list"] = client.get("/user/authn").json
    assert set(_display_names(answers[what])) == {expected}, answers[what]


def _display_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (found for name, found in value.items() if name == "displayName")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _display_names(inner)


EXTENSION = "abcdefghijklmnopabcdefghijklmnop"
NATIVE = [
    f"chrome-extension://{EXTENSION}", "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
    "safari-web-extension://2C127FA4-62C7-7E4F-90E5-472B45EECFDC", "ios:bundle-id:com.example.app",
    "android:apk-key-hash:" + "A" * 43, "android:apk-key-hash-sha256:" + "A" * 43, "tauri://localhost",
    "capacitor://localhost", "ionic://app.example.com", "app://obsidian.md", "electron:main", "ms-appx-web://example",
    "com.example.app://callback", "com.example.app:/callback", "MyApp:x", "a+b-c.d:e", "web+app://x:8443",
]  # fmt: skip
PAGES = ["http://localhost:8080", "https://localhost", "http://a.localhost:3000", "https://my_app.localhost"]
BAD_ORIGINS = [
    "http://example.com", "https://other.example", "https://localhost/app", "chrome-extension://*", "*", "null",
    "localhost", "localhost:5000", "localhost:5000/", "example.com:8443", "example.com:8443/x", "https:localhost",
    "ionic://a b", "https://*.localhost", "http://[::1", "https://localhost:99999", "1a:b", "://x", "HTTP:x", "x y:z",
]  # fmt: skip
HOSTS = [
    ("xn--bcher-kva.example", "https://xn--bcher-kva.example:8443"), ("xn--bcher-kva.example", "https://bücher.example"),
    ("example.com", "https://my_app.example.com"), ("::1", "http://[::1]:5000"),
]  # fmt: skip


def kind_7() -> Iterator[Case]:
    """Any origin that a client can have can be listed in full, and no other counts."""
    for origin in (*NATIVE, *PAGES):
        settings = {"PASSKEY_ORIGINS": [SITE, origin]}
        for act in ("sign-up", "sign-in", "step-up", "header"):
            yield Case(7, f"{origin}, {act}", partial(_from, origin, act, settings))
    for origin in NATIVE:
        unlisted = {"PASSKEY_ORIGINS": [SITE, *(other for other in NATIVE if other != origin)]}
        yield Case(7, f"{origin}, not listed", partial(_from, origin, "sign-up", unlisted), REFUSED)
        longer = partial(_from, f"{origin}x", "sign-up", {"PASSKEY_ORIGINS": [SITE, origin]})
        yield Case(7, f"{origin}, and a letter more", longer, REFUSED)
    for origin in BAD_ORIGINS:
        listed = {"PASSKEY_ORIGINS": [SITE, origin]}
        yield Case(7, f"{origin} cannot be listed", partial(_from, SITE, "sign-in", listed), REFUSED)
    for rp_id, origin in HOSTS:
        yield Case(7, f"{origin} at {rp_id}", partial(_started, rp_id, origin))


def _started(rp_id: str, origin: str, tree: Tree) -> None:
    tree.site(PASSKEY_RP_ID=rp_id, PASSKEY_ORIGINS=[origin])


def _from(origin: str, act: str, settings: dict[str, Any], tree: Tree) -> None:
    client, authenticator = tree.site(**settings), VirtualAuthenticator(SITE)
    sign_up(client, authenticator, "ada", origin=origin if act == "sign-up" else SITE)
    if act in ("sign-in", "step-up"):
        (sign_in if act == "sign-in" else step_up)(client, authenticator, origin=origin)
    if act == "header":
        answer = client.put("/session/authn", headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 200, answer


FORMS = {
    "buffer": "u.buffer", "typed array": "u", "view": "new DataView(u.buffer)", "signed": "new Int8Array(u.buffer)",
    "part of a buffer": "new Uint8Array([9, ...u, 9]).subarray(1, -1)", "numbers": "[...u]", "object": "({ ...u })",
    "Node's buffer": "Buffer.from(u)", "Node's JSON": "Buffer.from(u).toJSON()", "base64url": "t",
    "base64": "Buffer.from(u).toString('base64')", "padded": "t.padEnd(Math.ceil(t.length / 4) * 4, '=')",
    "another realm": "vm.runInNewContext('Uint8Array.from(n)', { n: [...u] })",
    "buffer of another realm": "vm.runInNewContext('Uint8Array.from(n).buffer', { n: [...u] })",
}  # fmt: skip
CHANGES = {
    "toJSON() without type": "const { type, ...json } = given; c.toJSON = () => json",
    "toJSON() throws": "c.toJSON = () => { throw 1 }",
    "toJSON() is null": "c.toJSON = () => null",
    "toJSON() lies": "c.toJSON = () => ({ id: 'x', rawId: 'x', type: 'x', response: { clientDataJSON: 'x' } })",
    "toJSON() with base64": "c.toJSON = () => ({ ...given, id: given.id + '=', rawId: given.rawId + '=' })",
    "toJSON() with numbers": "c.toJSON = () => ({ ...given, rawId: [...c.rawId] })",
    "toJSON() with padded members": "c.toJSON = () => ({ ...given, response: padded(given.response) })",
    "type is missing": "delete c.type",
    "type is another": "c.type = 'webauthn'",
    "id is not rawId": "c.id = 'another'",
    "id is base64": "c.id = Buffer.from(c.rawId).toString('base64')",
    "id is missing": "delete c.id",
    "rawId is missing": "delete c.rawId",
    "no extension results": "delete c.getClientExtensionResults",
    "extension results throw": "c.getClientExtensionResults = () => { throw 1 }",
    "extension results are null": "c.getClientExtensionResults = () => null",
    "transports throw": "response.getTransports = () => { throw 1 }",
    "no transports": "delete response.getTransports",
    "transports are null": "response.getTransports = () => null",
    "transports are no texts": "response.getTransports = () => [null, 5, {}]",
    "userHandle is null": "if (!response.attestationObject) response.userHandle = given.response.userHandle",
    "attachment is null": "c.authenticatorAttachment = null",
    "attachment throws": "Object.defineProperty(c, 'authenticatorAttachment', { get() { throw 1 } })",
    "public key throws": "response.getPublicKey = () => { throw 1 }",
}
PAGE = """
import vm from "node:vm";
const given = JSON.parse(process.argv.at(-1));
const pad = (text) => (typeof text === "string" ? `${text}==` : text);
const padded = (texts) => Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, pad(text)]));
const form = (t, u = Uint8Array.from(Buffer.from(t, "base64url"))) => (FORM);
const BYTES = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
const had = BYTES.filter((name) => given.response[name] !== undefined);
const response = Object.fromEntries(had.map((name) => [name, form(given.response[name])]));
response.getTransports = () => given.response.transports;
const c = { ...given, rawId: form(given.rawId), response, getClientExtensionResults: () => ({}) };
CHANGE;
console.log(JSON.stringify(credentialToJSON(c)));
"""


def kind_9() -> Iterator[Case]:
    """The JSON comes from the bytes, in whatever form and whatever else a script says."""
    pages = {name: PAGE.replace("FORM", form).replace("CHANGE", "") for name, form in FORMS.items()}
    pages |= {name: PAGE.replace("FORM", "u.buffer").replace("CHANGE", change) for name, change in CHANGES.items()}
    for name, page in pages.items():
        for ceremony in ("sign-up", "sign-in"):
            yield Case(9, f"{ceremony}, {name}", partial(_serialised, page, ceremony))


def _serialised(page: str, ceremony: str, tree: Tree) -> None:
    def after(response: dict[str, Any]) -> None:
        expected = deepcopy(response["response"])
        script = tree.script.read_text("utf-8") + page
        command = ["node", "--input-type=module", "-", json.dumps(response)]
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=True, timeout=60)
        response.clear()
        response.update(json.loads(done.stdout))
        assert response["response"]["clientDataJSON"] == expected["clientDataJSON"]

    client, authenticator = signed_up(tree, {"after": after} if ceremony == "sign-up" else None)
    if ceremony == "sign-in":
        sign_in(client, authenticator, after=after)


def kind_10() -> Iterator[Case]:
    """ES256 stands first where nothing else is set, and the order of a setting is kept."""
    for what in ("sign-up", "another passkey", "message"):
        yield Case(10, f"default, {what}", partial(_ordered, what, [-7, -8, -257], {}))
    for order in ([-8, -7], [-257, -7], [-36, -7, -8], [-7]):
        for what in ("sign-up", "another passkey"):
            yield Case(10, f"{order}, {what}", partial(_ordered, what, order, {"PASSKEY_ALGORITHMS": order}))
    for name, body in (("KeePassXC", {}), ("with a display name", {"display_name": "Ada"})):
        yield Case(10, f"the first kind that it has, {name}", partial(_first_made, body))


def _ordered(what: str, expected: list[int], settings: dict[str, Any], tree: Tree) -> None:
    if what == "message":
        try:
            tree.site(PASSKEY_ALGORITHMS=[])
        except NotTaken as refused:
            assert str(expected) in str(refused)
            return
    client = signed_up(tree, **settings)[0] if what == "another passkey" else tree.site(**settings)
    answer = client.put("/user/authn", json={"name": "eve"} if what == "sign-up" else None)
    assert [kind["alg"] for kind in answer.json["data"]["options"]["publicKey"]["pubKeyCredParams"]] == expected


def _first_made(body: dict[str, str], tree: Tree) -> None:
    answer = tree.site().put("/user/authn", json={"name": "ada", **body})
    offered = [kind["alg"] for kind in answer.json["data"]["options"]["publicKey"]["pubKeyCredParams"]]
    assert next(number for number in offered if number in (-8, -7, -257)) == -7


def kind_11() -> Iterator[Case]:
    """ML-DSA can be listed, and is not by default."""
    for number in (-48, -49, -50):
        for name, (act, right) in MLDSA.items():
            yield Case(11, f"{number}, {name}", partial(act, number), right)


def _made(number: int, tree: Tree) -> tuple[Client, VirtualAuthenticator]:
    client = tree.site(PASSKEY_ALGORITHMS=[number, -7])
    authenticator = VirtualAuthenticator(SITE, algorithm=number)
    sign_up(client, authenticator, "ada")
    return client, authenticator


def _exchange(number: int, ceremony: Any) -> None:
    """Make a key of the algorithm, whatever was offered."""
    ceremony.credential.private_key = generate_key(number)
    ceremony.public_key = cose_map(ceremony.credential.private_key)


def _signed_in(act: Any, number: int, tree: Tree) -> None:
    act(*_made(number, tree))


def _forged(number: int, tree: Tree) -> None:
    client, authenticator = _made(number, tree)
    sign_in(client, authenticator, tamper=lambda c: setattr(c, "signature", bytes(len(c.signature or b""))))


def _by_another_key(number: int, tree: Tree) -> None:
    client, authenticator = _made(number, tree)
    authenticator.credentials[0].private_key = generate_key(number)
    sign_in(client, authenticator)


def _bent_key(number: int, tree: Tree) -> None:
    def bend(ceremony: Any) -> None:
        _exchange(number, ceremony)
        ceremony.public_key[-1] += b"\0"

    sign_up(tree.site(PASSKEY_ALGORITHMS=[number]), VirtualAuthenticator(SITE, algorithm=number), "ada", bend=bend)


def _not_offered(number: int, tree: Tree) -> None:
    sign_up(tree.site(), VirtualAuthenticator(SITE), "ada", bend=partial(_exchange, number))


def _another_offered(number: int, tree: Tree) -> None:
    client = tree.site(PASSKEY_ALGORITHMS=[-7, *{-48, -49, -50} - {number}])
    sign_up(client, VirtualAuthenticator(SITE), "ada", bend=partial(_exchange, number))


MLDSA: dict[str, tuple[Any, str]] = {
    "sign-up": (_made, ACCEPTED),
    "sign-in": (partial(_signed_in, sign_in), ACCEPTED),
    "step-up": (partial(_signed_in, step_up), ACCEPTED),
    "wrong signature": (_forged, REFUSED),
    "signature of another key": (_by_another_key, REFUSED),
    "key of another length": (_bent_key, REFUSED),
    "not offered": (_not_offered, REFUSED),
    "another offered": (_another_offered, REFUSED),
}

CASES = [*kind_5(), *kind_6(), *kind_7(), *kind_9(), *kind_10(), *kind_11()]
