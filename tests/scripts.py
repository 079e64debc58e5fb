"""Runs ``passkey.js`` in node: a page and a browser that are just enough for it, and much faster than real ones."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from services import find

import flask_passkey

STATIC = Path(flask_passkey.__file__).parent / "static"

#: A browser: ``asked`` has every ceremony, with ``pick()`` for the person's answer; ``sent`` every request of a client
#: that was made with ``fetch``, which takes its answers from ``answers``.
BROWSER = """
class Target extends EventTarget {
  querySelectorAll() { return []; }
  querySelector(what) { return what.startsWith("input") ? {} : null; }
}
const asked = [], sent = [], answers = {};
const bytes = (...values) => new Uint8Array(values).buffer;
const credential = () => ({
  rawId: bytes(1, 2), authenticatorAttachment: "platform", getClientExtensionResults: () => ({}),
  response: { clientDataJSON: bytes(3), authenticatorData: bytes(4), signature: bytes(5), userHandle: null },
});
const ask = (method) => (options) => new Promise((resolve, reject) => {
  options.signal?.addEventListener("abort", () => reject(options.signal.reason));
  asked.push({ method, options, pick: () => resolve(credential()), cancel: (error) => reject(error) });
});
const page = new Target();
const globals = {
  isSecureContext: true,
  location: new URL("https://example.com/account"),
  MutationObserver: class { observe() {} },
  document: Object.assign(new Target(), { documentElement: { dataset: {} }, hidden: false, cookie: "" }),
  navigator: { credentials: { get: ask("get"), create: ask("create") } },
  PublicKeyCredential: class {
    static isConditionalMediationAvailable = async () => true;
    static getClientCapabilities = async () => ({ conditionalCreate: true });
  },
};
for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) globals[name] = page[name].bind(page);
for (const [name, value] of Object.entries(globals)) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
const OPTIONS = {
  challenge: "AQ", rpId: "example.com", rp: { id: "example.com", name: "" }, pubKeyCredParams: [],
  user: { id: "AQ", name: "ada", displayName: "" },
};
const fetch = async (url, { method, body, ...others }) => {
  sent.push({ method, url, body: body && JSON.parse(body), ...others });
  const code = answers[method]?.shift() ?? 0;
  const aborted = (_, reject) => others.signal.addEventListener("abort", () => reject(new Error()));
  if (code === "never") return new Promise(aborted);
  const data = { session_id: "1", options: { publicKey: OPTIONS }, credentials: [], number: sent.length };
  const status = code > 999 ? 400 : code || 200;
  return new Response(JSON.stringify({ code, msg: "", data: code ? null : data }), { status });
};
const failure = async (work) => { try { return await work(); } catch (error) { return error.code ?? `${error}`; } };
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
const soon = async () => { for (let turns = 0; turns < 20; turns++) await turn(); };
"""


def run_script(script: str, argument: object = None, *, module: str = "passkey.js") -> Any:
    """Run a script in front of that browser, with the module as ``m`` and the argument as ``given``.

    :returns: what the script returns.
    """
    program = f"""{BROWSER}
    const given = {json.dumps(argument)};
    const m = await import({json.dumps((STATIC / module).as_uri())});
    const found = await (async () => {{ {script} }})();
    process.stdout.write(JSON.stringify(found ?? null), () => process.exit());
    """
    command = [find("node"), "--input-type=module", "--eval", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
