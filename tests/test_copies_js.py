"""Several copies of ``passkey.js`` in one page: in the app's bundle, say, and by itself."""

from __future__ import annotations

import pytest
from scripts import STATIC, run_script

#: What every test has: the module ``m``, and another copy of all that it is made of.
OTHER = """
const { readFile } = await import("node:fs/promises");
const address = (text) => "data:text/javascript," + encodeURIComponent(text);
const textOf = (name) => readFile(new URL(`${given}/${name}`), "utf8");
const core = address(await textOf("passkey-core.js"));
const bound = address((await textOf("passkey-client.js")).replaceAll("./passkey-core.js", core));
const text = (await textOf("passkey.js")).replaceAll("./passkey-core.js", core);
const other = () => import(address(text.replaceAll("./passkey-client.js", bound)));
"""


def run(script: str) -> object:
    """Run a script that can import another copy."""
    return run_script(OTHER + script, STATIC.as_uri())


def test_one_ceremony_in_a_page() -> None:
    """A dialog of one copy ends the autofill of another, and a new autofill of one takes the other's place."""
    found = run(
        """const o = await other(); const heard = [];
        new m.PasskeyClient({ fetch }).autofill({ onSuccess: () => heard.push("first") }); await soon();
        const client = new o.PasskeyClient({ fetch }); client.stepUp().catch(() => {}); await soon();
        const isOver = asked.map(({ options }) => options.signal.aborted);
        client.autofill({ onSuccess: () => heard.push("second") }); await soon();
        asked[1].cancel(new Error()); await soon(); asked.at(-1).pick(); await soon();
        return [isOver, heard];"""
    )
    assert found == [[True, False], ["second"]]


def test_the_page_comes_alive_once() -> None:
    """The attributes are of the copy that came first; the other one listens to nothing, and has the same client."""
    found = run(
        """const added = []; const listen = EventTarget.prototype.addEventListener;
        EventTarget.prototype.addEventListener = function (...what) { added.push(what[0]); listen.apply(this, what); };
        const o = await other();
        return [added, o.attach === m.attach, o.attach() === m.attach(), o.passkey === m.passkey];"""
    )
    assert found == [[], False, True, True]


@pytest.mark.parametrize("module", ["passkey-core.js", "passkey-client.js", "passkey.js"])
def test_importing_does_nothing_without_a_page(module: str) -> None:
    """A server that renders pages can import all modules, and those for scripts do nothing in a page either."""
    if module == "passkey.js":
        before = "delete globalThis.document;"
    else:
        before = "globalThis.document = new Proxy({}, { get() { throw new Error('touched'); } });"
    found = run(
        f"""{before} const names = Object.getOwnPropertySymbols(globalThis).length;
        const copy = await import(given + "/{module}?2");
        return [typeof copy.startRegistration, Object.getOwnPropertySymbols(globalThis).length - names];"""
    )
    assert found == ["function", 0]
