"""Others on both sides of the module: a client from npm on our routes, TypeScript on our declarations."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import CLIENT, CORE, LAYERS, MODULE, Authenticator, Site
from flask import Flask, send_from_directory
from often import seldom_but
from playwright.sync_api import Page
from services import find

PHASES = {"preparing", "waiting", "confirming", "finishing"}
#: What a module exports for those above it alone.
INNER = re.compile(r" alone: these may change at any time\. \*/\nexport \{(.*?)\};", re.DOTALL)
HEAD = """
import { PasskeyClient, PasskeyError, passkey, startAuthentication, type PasskeyCredential } from "./passkey.js";
import type { RequestOptionsJSON } from "./passkey.js";
import * as all from "./passkey.js";
"""
SAMPLE = """
export async function sample(json: RequestOptionsJSON): Promise<unknown> {
  const { response } = await startAuthentication({ optionsJSON: { publicKey: json }, useBrowserAutofill: true });
  const client = new PasskeyClient({ base: "/api", csrf: () => "token", messages: { cancelled: "Nichts passiert." } });
  try {
    const { user, next } = await client.authenticate({ uiMode: "immediate" });
    return user.display_name.length + (next ?? "").length;
  } catch (error) {
    if (error instanceof PasskeyError && error.code === "cancelled") return error.envelope?.correlation_id;
  }
  const credential: PasskeyCredential = await client.register({ preset: "this-device" });
  const { stop } = await client.autofill({ onSuccess: (data) => data.user.id, onError: ({ code }) => code });
  stop();
  document.addEventListener("passkey:error", ({ detail }) => detail.code);
  const made = await client.conditionalCreate({ timeout: 5_000 });
  if (made !== null) return made.name.length;
  const { hybridTransport } = await client.capabilities();
  const paid = await client.fetch("/pay", { method: "POST", signal: AbortSignal.timeout(1_000) });
  new PasskeyClient({
    options: (publicKey, { kind }) => (kind === "get" ? { ...publicKey, hints: ["hybrid"] } : undefined),
  });
  if (!paid.ok) return all.attach(document)();
  return [response.signature.length, credential.used_at, passkey?.messages.done, hybridTransport];
}
// @ts-expect-error there is no such code
new PasskeyError("nonsense");
// @ts-expect-error there is no such action
new PasskeyClient({ messages: { "regster.cancelled": "Nichts passiert." } });
new PasskeyClient({ messages: { "register.done": "Fertig." } });
all.MESSAGES.waiting.length;
"""


def test_simplewebauthn_signs_up_and_in(
    page: Page, serve: Callable[..., Site], authenticator: Authenticator, npm: Path
) -> None:
    """The client most people know completes a sign-up and a sign-in on our routes, with our options as they are."""
    folder = npm / "node_modules" / "@simplewebauthn" / "browser" / "esm"

    def add_client(app: Flask) -> None:
        app.add_url_rule("/npm/<path:name>", "npm", lambda name: send_from_directory(folder, name))

    site = serve(prepare=add_client)
    page.goto(f"{site.url}/sign-up")
    credential, user = page.evaluate(
        """async () => {
          const { startRegistration, startAuthentication } = await import("/npm/index.js");
          const call = async (method, path, body) => {
            const headers = { "Content-Type": "application/json" };
            const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
            const { code, msg, data } = await answer.json();
            if (code) throw new Error(`${code} ${msg}`);
            return data;
          };
          const begun = await call("PUT", "/user/authn", { name: "ada" });
          const created = await startRegistration({ optionsJSON: begun.options.publicKey });
          const credential = await call("POST", "/user/authn", { session_id: begun.session_id, response: created });
          const again = await call("PUT", "/session/authn");
          const used = await startAuthentication({ optionsJSON: again.options.publicKey });
          const signedIn = await call("POST", "/session/authn", { session_id: again.session_id, response: used });
          return [credential, signedIn.user];
        }"""
    )
    assert user["name"] == "ada"
    assert credential["current"] is True
    page.goto(site.url)
    assert page.url == f"{site.url}/passkeys"


#: For DOM libraries that have the types.
NATIVE = """
import { startAuthentication, startRegistration } from "./passkey.js";
declare const creation: PublicKeyCredentialCreationOptionsJSON;
declare const request: PublicKeyCredentialRequestOptionsJSON;
startRegistration({ optionsJSON: creation });
startAuthentication({ optionsJSON: { publicKey: request } });
"""


@pytest.mark.parametrize("version", seldom_but(["5.4", "7"], ["5.4", "5.9", "7"]))
def test_typescript_accepts_the_declarations(npm: Path, tmp_path: Path, version: str) -> None:
    """TypeScript, old and new, finds no fault in the declarations, nor in a program that uses them."""
    for module in LAYERS:
        shutil.copy(module.with_suffix(".d.ts"), tmp_path)
    (tmp_path / "sample.ts").write_text(HEAD + SAMPLE + "".join(f"all.{name};\n" for name in sorted(declared())))
    (tmp_path / "native.ts").write_text(NATIVE)
    files = ["sample.ts"] if version == "5.4" else ["sample.ts", "native.ts"]
    compile_types(npm, version, "es2022", "bundler", folder=tmp_path, files=files)


def compile_types(npm: Path, version: str, module: str, resolution: str, *, folder: Path, files: list[str]) -> None:
    """Check programs in a folder, with a version of TypeScript."""
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", module, "--moduleResolution", resolution]
    compiler = npm / "node_modules" / f"typescript-{version}" / "bin" / "tsc"
    command = [find("node"), str(compiler), *options, "--skipDefaultLibCheck", *files]
    checked = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert checked.stdout == ""
    assert checked.returncode == 0


def declared(*modules: Path) -> set[str]:
    """Return the names of the values that are declared for modules, by default for all."""
    texts = [module.with_suffix(".d.ts").read_text() for module in modules or LAYERS]
    return {name for text in texts for name in re.findall(r"^export (?:function|const|class) (\w+)", text, re.M)}


def inner(module: Path) -> set[str]:
    """Return the names that a module exports, but not for everybody."""
    return {name for names in INNER.findall(module.read_text()) for name in re.findall(r"\w+", names)}


def imported_by(*modules: Path) -> set[str]:
    """Return the names that modules import of others."""
    lists = [re.findall(r"^import \{(.*?)\}", module.read_text(), re.M | re.S) for module in modules]
    return {name for found in lists for names in found for name in re.findall(r"\w+", names)}


def test_every_attribute_is_explained() -> None:
    """The declarations list each ``data-passkey`` attribute that the module looks at or sets, and no other."""
    script = "".join(module.read_text() for module in LAYERS)
    text = MODULE.with_suffix(".d.ts").read_text()
    known = {f"data-passkey-{name}" for name in re.findall(r"data-passkey-([a-z]+)", script)}
    known |= {f"data-passkey-{name.lower()}" for name in re.findall(r"passkey([A-Z][a-z]+)\b(?=[;,: }\]\")])", script)}
    assert len(known) > 12
    assert set(re.findall(r"data-passkey-[a-z]+", text)) == known


def test_declarations_name_what_is_there(page: Page, site: Site) -> None:
    """The declarations export what the modules export, and the client has the methods it is said to have."""
    page.goto(f"{site.url}/sign-up")
    found: dict[str, Any] = page.evaluate(
        """async (given) => {
          const names = {};
          for (const name of given) names[name] = Object.keys(await import(`/passkey/static/${name}`));
          const { PasskeyClient, loadMessages } = await import("/passkey/static/passkey-client.js");
          const methods = Object.getOwnPropertyNames(PasskeyClient.prototype);
          return { names, methods, codes: Object.keys(await loadMessages()) };
        }""",
        [module.name for module in LAYERS],
    )
    client = CLIENT.with_suffix(".d.ts").read_text().partition("export class PasskeyClient {")[2].partition("\n}")[0]
    methods = set(re.findall(r"^  (\w+)\(", client, re.M))
    declared_codes = CORE.with_suffix(".d.ts").read_text().partition("PasskeyErrorCode =")[2].partition(";")[0]
    codes = set(re.findall(r'^  \| "(\w+)"', declared_codes, re.M))
    for number, module in enumerate(LAYERS, 1):
        assert declared(*LAYERS[:number]) | inner(module) == set(found["names"][module.name])
        assert inner(module) <= imported_by(*LAYERS[number:])
    assert methods == set(found["methods"])
    assert codes == {code for code in found["codes"] if "." not in code} - {*PHASES, "done"}
