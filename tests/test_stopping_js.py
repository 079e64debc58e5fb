"""What ``passkey.js`` began ends when its caller says so: autofill, ceremonies and requests."""

from __future__ import annotations

import pytest
from scripts import run_script

pytestmark = pytest.mark.proves("frictions:N")

#: A component that offers autofill while it is there, and two ways of saying that it goes.
COMPONENT = {
    "signal": """
const mount = (name) => {
  const ending = new AbortController();
  const [onSuccess, onError] = [() => heard.push(name), ({ code }) => heard.push(name + code)];
  client.autofill({ onSuccess, onError, signal: ending.signal });
  return () => ending.abort("unmounted");
};
""",
    "stop": """
const mount = (name) => {
  const [onSuccess, onError] = [() => heard.push(name), ({ code }) => heard.push(name + code)];
  const started = client.autofill({ onSuccess, onError });
  return () => started.then(({ stop }) => stop());
};
""",
}
PREPARE = "const heard = []; const client = new m.PasskeyClient({ fetch });"
PICK = "asked.at(-1).pick(); await soon();"


def state() -> str:
    """Return a script that returns how many ceremonies there were, which of them are over, and who heard what."""
    return "return [asked.length, asked.map(({ options }) => options.signal.aborted), heard];"


@pytest.mark.proves("browser:rule-2")
@pytest.mark.parametrize("way", COMPONENT)
def test_strict_mode(way: str) -> None:
    """React's StrictMode mounts, unmounts and mounts a component in one task: the last one has autofill."""
    found = run_script(
        f"{PREPARE} {COMPONENT[way]} mount('dead')(); mount('live'); await soon(); {PICK} {state()}",
    )
    assert found == [1, [False], ["live"]]


@pytest.mark.parametrize("way", COMPONENT)
def test_unmounted_later(way: str) -> None:
    """What is stopped while the browser waits ends there, nobody of it hears anything, and another one may begin."""
    found = run_script(
        f"""{PREPARE} {COMPONENT[way]} const unmount = mount('dead'); await soon(); unmount(); await soon();
        mount('live'); await soon(); asked[0].pick(); await soon(); {PICK} {state()}"""
    )
    assert found == [2, [True, False], ["live"]]


def test_overlapping_calls() -> None:
    """The newest call has autofill, of whatever client, and the one before is stopped, also while it prepares."""
    found = run_script(
        f"""{PREPARE} {COMPONENT["stop"]} mount('first'); await soon(); mount('second'); mount('third'); await soon();
        new m.PasskeyClient({{ fetch }}).autofill({{ onSuccess: () => heard.push("other") }}); await soon();
        {PICK} {state()}"""
    )
    assert found == [3, [True, True, False], ["other"]]


def test_stopping_the_old_one_again_does_not_matter() -> None:
    """Somebody else's autofill goes on when a component that was replaced is stopped at last."""
    found = run_script(
        f"""{PREPARE} {COMPONENT["signal"]} const unmount = mount('old'); await soon(); mount('new'); await soon();
        unmount(); await soon(); {PICK} {state()}"""
    )
    assert found == [2, [True, False], ["new"]]


def test_stopped_while_the_server_answers() -> None:
    """Who stops after a passkey was picked hears nothing any more, and the request ends."""
    found = run_script(
        f"""{PREPARE} answers.POST = ["never"]; {COMPONENT["signal"]}
        const unmount = mount('dead'); await soon(); {PICK} unmount(); await soon();
        return [sent.at(-1).method, sent.at(-1).signal.aborted, heard];"""
    )
    assert found == ["POST", True, []]


def test_a_signal_that_was_aborted_before() -> None:
    """Nothing begins after the end."""
    found = run_script(
        f"""{PREPARE} const signal = AbortSignal.abort();
        const codes = [];
        await client.autofill({{ signal }});
        for (const work of [() => client.list({{ signal }}), () => client.authenticate({{ signal }}),
          () => m.startAuthentication({{ optionsJSON: OPTIONS, signal }})]) codes.push(await failure(work));
        await soon();
        return [codes, sent, asked];"""
    )
    assert found == [["aborted"] * 3, [], []]


METHODS = {
    "authenticate": "client.authenticate({ signal })",
    "stepUp": "client.stepUp({ signal })",
    "register": "client.register({ signal })",
    "signUp": 'client.signUp({ name: "ada", signal })',
    "enrol": 'client.enrol("x", { signal })',
    "list": "client.list({ signal })",
    "rename": 'client.rename("AQ", "Phone", { signal })',
    "delete": 'client.delete("AQ", { signal })',
    "prefetch": 'client.prefetch("authenticate", { signal })',
}


@pytest.mark.proves("browser:rule-2")
@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_a_signal(method: str) -> None:
    """A method ends while the server prepares; whoever gave a time-out reads that it took too long."""
    found = run_script(
        f"""{PREPARE} answers.PUT = answers.GET = answers.PATCH = answers.DELETE = ["never", "never"];
        const codes = [];
        for (const reason of ["gone", new DOMException("", "TimeoutError")]) {{
          const ending = new AbortController();
          const {{ signal }} = ending;
          const failed = failure(() => {METHODS[method]});
          await soon();
          ending.abort(reason);
          codes.push(await failed);
        }}
        return [codes, asked.length];"""
    )
    assert found == [["aborted", "expired"], 0]


@pytest.mark.parametrize("method", ["authenticate", "stepUp", "register", "signUp", "enrol"])
def test_a_dialog_is_closed(method: str) -> None:
    """The browser's dialog is told, nothing is posted, and the page's autofill is offered again."""
    found = run_script(
        f"""{PREPARE} client.autofill(); await soon();
        const ending = new AbortController();
        const {{ signal }} = ending;
        const failed = failure(() => {METHODS[method]});
        await soon();
        ending.abort();
        const code = await failed;
        await soon();
        const posted = sent.filter(({{ method }}) => method === "POST");
        return [code, asked.map(({{ options }}) => options.signal.aborted), posted];"""
    )
    assert found == ["aborted", [True, True, False], []]


def test_conditional_create_ends_silently() -> None:
    """It never rejects: what was ended made no passkey."""
    found = run_script(
        f"""{PREPARE} const ending = new AbortController();
        const made = client.conditionalCreate({{ signal: ending.signal }});
        await soon();
        ending.abort();
        return [await made, asked.length, asked[0].options.signal.aborted];"""
    )
    assert found == [None, 1, True]


def test_browsers_without_reasons() -> None:
    """Chrome before 100 and Safari before 15.4 have neither ``throwIfAborted()`` nor ``reason``."""
    found = run_script(
        f"""delete AbortSignal.prototype.throwIfAborted;
        Object.defineProperty(AbortSignal.prototype, "reason", {{ get: () => undefined }});
        {PREPARE} const first = failure(() => client.authenticate()); await soon();
        const second = client.authenticate(); await soon(); {PICK} return [await first, (await second).number];"""
    )
    assert found == ["aborted", 2]
