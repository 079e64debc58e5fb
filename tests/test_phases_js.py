"""What ``passkey.js`` says while it works, and on pages where passkeys cannot work."""

from __future__ import annotations

import pytest
from scripts import run_script

#: A client that notes its phases, and somebody who answers every dialog.
PHASES = """
const phases = [];
const onPhase = (phase) => phases.push(phase);
const client = new m.PasskeyClient({ fetch });
const during = async (work) => {
  let over = false;
  failure(work).finally(() => { over = true; });
  for (let answered = 0; !over; await soon()) while (answered < asked.length) asked[answered++].pick();
};
"""
ONE = ["preparing", "waiting", "finishing"]
STEP_UP = ["preparing", "confirming", "finishing"]


@pytest.mark.proves("browser:10")
@pytest.mark.parametrize(
    ("refused", "call", "phases"),
    [
        ("", "client.authenticate({ onPhase })", ONE),
        ("", "client.register({ onPhase })", ONE),
        ("", 'client.signUp({ name: "ada", onPhase })', ONE),
        ("answers.PUT = [40091]", "client.register({ onPhase })", ["preparing", *STEP_UP, *ONE]),
        ("answers.POST = [40091]", "client.register({ onPhase })", [*ONE, *STEP_UP]),
        ("", 'client.rename("AQ", "Phone", { onPhase })', []),
        ("answers.DELETE = [40091]", 'client.delete("AQ", { onPhase })', STEP_UP),
    ],
)
def test_phases(refused: str, call: str, phases: list[str]) -> None:
    """The server prepares, the browser asks, the server answers; a step-up in between asks for something else."""
    assert run_script(f"{PHASES} {refused}; await during(() => {call}); return phases;") == phases


@pytest.mark.parametrize(
    ("page", "code", "message"),
    [
        (
            "http://127.0.0.1:5000/sign-in?next=/a",
            "loopback",
            "Passkeys do not work on this address. Open http://localhost:5000/sign-in instead.",
        ),
        (
            "https://[::1]/",
            "loopback",
            "Passkeys do not work on this address. Open https://localhost/ instead.",
        ),
        (
            "http://shop.example.com:8080/sign-in?next=/a",
            "insecure",
            "Passkeys need a secure address. Open https://shop.example.com/sign-in instead.",
        ),
        (
            "http://192.168.0.7/",
            "domain",
            "Passkeys do not work on this address. Please open the usual address of this site.",
        ),
        (
            "https://192.168.0.7/",
            "domain",
            "Passkeys do not work on this address. Please open the usual address of this site.",
        ),
    ],
)
def test_pages_where_passkeys_cannot_work(page: str, code: str, message: str) -> None:
    """Where ``localhost`` or https would do, the page says so with its whole address."""
    found = run_script(
        """globalThis.location = new URL(given);
        globalThis.isSecureContext = /^https|127|::1/.test(given);
        const client = new m.PasskeyClient({ fetch });
        const error = await client.authenticate().catch((error) => error);
        return [m.whyUnavailable(), error.code, error.message, sent];""",
        page,
    )
    assert found == [code, code, message, []]


@pytest.mark.parametrize("name", ["", " ", "\u3000\t"])
def test_a_blank_name(name: str) -> None:
    """Somebody who enters nothing is told so, and the server is not asked."""
    found = run_script(
        """const client = new m.PasskeyClient({ fetch });
        const error = await client.signUp({ name: given }).catch((error) => error);
        return [error.name, error.code, error.message, sent];""",
        name,
    )
    assert found == ["PasskeyError", "name_missing", "Please enter a name.", []]
