"""What ``passkey.js`` loads when it needs it, ``passkey-later.js``: what is there before, and where it never comes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from scripts import STATIC, run_script

#: A client of a copy of the modules, whose address is given, and a person who answers every dialog.
ALONE = """
const alone = await import(given);
const client = new alone.PasskeyClient({ fetch });
const answered = async (work) => {
  const ended = work().then(({ number }) => number, ({ code, message, action }) => [action, code, message]);
  for (let turns = 0; turns < 3; turns++) { await soon(); for (const { pick } of asked) pick(); }
  return ended;
};
"""
SORRY = "Something went wrong. Please try again."


@pytest.fixture
def alone(tmp_path: Path) -> str:
    """Return the address of the module in a folder where ``passkey-later.js`` is not."""
    for name in ("passkey-core.js", "passkey-client.js", "passkey.js"):
        shutil.copy(STATIC / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return (tmp_path / "passkey.js").as_uri()


@pytest.mark.proves("browser:rule-13")
def test_what_works_does_not_need_it(alone: str) -> None:
    """Whoever signs in, steps up on the way or takes a signal does so without it."""
    found = run_script(
        f"""{ALONE} const told = [];
        PublicKeyCredential.signalCurrentUserDetails = async ({{ name }}) => told.push(name);
        const signedIn = await answered(() => client.authenticate());
        answers.PATCH = [40091];
        const renamed = await answered(() => client.rename("AQ", "Phone"));
        const signals = {{ rpId: "example.com", userId: "AQ", name: "ada" }};
        const tell = async () => Response.json({{ code: 0, data: {{ signals }} }});
        await new alone.PasskeyClient({{ fetch: tell }}).list();
        return [signedIn, renamed, told, "cancelled" in alone.MESSAGES];""",
        alone,
    )
    assert found == [2, 6, ["ada"], False]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("answers.PATCH = [40001];", ["rename", "invalid", SORRY]),
        ("answers.PATCH = [429];", ["rename", "rate_limited", SORRY]),
        ("answers.PATCH = [40091]; answers.PUT = [404];", ["rename", "step_up_required", SORRY]),
        ("client.messages.invalid = 'Nein.'; answers.PATCH = [40001];", ["rename", "invalid", "Nein."]),
        (
            "answers.PATCH = ['x']; client.transport = async () => { throw new TypeError('no net'); };",
            ["rename", "network", "We could not reach the server. Check your connection and try again."],
        ),
    ],
)
def test_where_it_does_not_come(alone: str, script: str, told: list[str]) -> None:
    """A refusal keeps its code and the page's own sentence; without one the person reads that something went wrong."""
    assert run_script(f"{ALONE} {script} return answered(() => client.rename('AQ', 'Phone'));", alone) == told


def test_simplewebauthns_names_without_it(alone: str) -> None:
    """What takes its words from there rejects no more than it does without a browser's help."""
    found = run_script(
        f"""{ALONE} await alone.sendSignal({{ signalName: "unknownCredential", rpID: "a", credentialID: "AQ" }});
        const ended = {{ optionsJSON: OPTIONS, signal: AbortSignal.abort() }};
        const code = await failure(() => alone.startAuthentication(ended));
        return [await alone.getBrowserCapabilities(), code, Object.keys(await alone.loadMessages()).length];""",
        alone,
    )
    assert found == [{}, "aborted", 9]


def test_sentences_come_with_the_first_refusal() -> None:
    """Before there are those that may be needed at once, afterwards all."""
    found = run_script(
        """const client = new m.PasskeyClient({ fetch });
        const before = [m.MESSAGES.invalid ?? null, new m.PasskeyError("invalid").message];
        answers.PATCH = [40001];
        const { message } = await client.rename("AQ", "").catch((error) => error);
        return [before, message, new m.PasskeyError("invalid").message, m.MESSAGES === (await m.loadMessages())];"""
    )
    sentence = "Please check what you entered."
    assert found == [[None, SORRY], sentence, sentence, True]


@pytest.mark.parametrize("module", ["passkey-core.js", "passkey-client.js", "passkey.js"])
def test_every_module_loads_them(module: str) -> None:
    """Whichever module a script imports, it loads the sentences into the one object that all of them have."""
    found = run_script(
        """const core = await import(given);
        const loaded = await m.loadMessages();
        const { message } = new m.PasskeyError("cancelled");
        return [loaded.cancelled === message, loaded === m.MESSAGES, loaded === core.MESSAGES];""",
        (STATIC / "passkey-core.js").as_uri(),
        module=module,
    )
    assert found == [True, True, True]
