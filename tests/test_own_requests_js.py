"""What apps add to ``passkey.js``: requests of their views, changes to options, and code written for SimpleWebAuthn."""

from __future__ import annotations

from typing import Any

from scripts import run_script

#: A client whose view wants a fresh sign-in as often as is said, before it answers.
VIEW = """
const views = [];
let refusals = given;
const client = new m.PasskeyClient({ csrf: "token", fetch: async (input, init) => {
  if (!(input instanceof Request)) return fetch(input, init);
  const { method, url, credentials, headers } = input;
  views.push([method, new URL(url).pathname, await input.text(), credentials, headers.get("X-CSRFToken")]);
  if (refusals-- > 0) return Response.json({ code: 40091, msg: "", data: null }, { status: 403 });
  return Response.json({ paid: true });
} });
const pay = (init) => client.fetch("https://example.com/pay", { method: "POST", body: "10", ...init });
"""
PAID = ["POST", "/pay", "10", "same-origin", "token"]


def test_a_view_that_wants_a_step_up() -> None:
    """The person confirms and the request is sent again, with its body, its cookies and the CSRF token."""
    found = run_script(
        f"""{VIEW} const answered = pay(); await soon(); asked[0].pick();
        const paid = await (await answered).json();
        return [paid, views, sent.map(({{ method, body }}) => [method, body.step_up ?? null])];""",
        1,
    )
    assert found == [{"paid": True}, [PAID, PAID], [["PUT", True], ["POST", None]]]


def test_a_view_that_wants_nothing_more() -> None:
    """No dialog opens, and the answer is the view's."""
    assert run_script(f"{VIEW} return [await (await pay()).json(), views, asked];", 0) == [{"paid": True}, [PAID], []]


def test_a_view_that_is_never_content() -> None:
    """The request is repeated once only; then the app gets the refusal."""
    found = run_script(
        f"""{VIEW} const answered = pay(); await soon(); asked[0].pick();
        return [(await answered).status, views.length];""",
        9,
    )
    assert found == [403, 2]


def test_nobody_confirms() -> None:
    """The request is not repeated, and the app is told why."""
    found = run_script(
        f"""{VIEW} const answered = pay().catch(({{ code, message }}) => [code, message]); await soon();
        asked[0].cancel(new DOMException("", "NotAllowedError"));
        return [await answered, views.length];""",
        1,
    )
    assert found == [["cancelled", "Nothing was changed. Please confirm with a passkey to go on."], 1]


def test_an_account_without_a_passkey() -> None:
    """Who has nothing to confirm with gets the view's refusal."""
    found = run_script(f"{VIEW} answers.PUT = [404]; return [(await pay()).status, views.length];", 1)
    assert found == [403, 1]


def test_ended_during_the_step_up() -> None:
    """The signal of the request ends the dialog, too."""
    found = run_script(
        f"""{VIEW} const ending = new AbortController();
        const answered = failure(() => pay({{ signal: ending.signal }})); await soon();
        ending.abort();
        return [await answered, asked[0].options.signal.aborted, views.length];""",
        1,
    )
    assert found == ["aborted", True, 1]


def test_options_as_the_app_wants_them() -> None:
    """A hook sees every kind of options before the browser does, and changes them for one time only."""
    found = run_script(
        """
        const seen = [];
        const client = new m.PasskeyClient({ fetch, options: (publicKey, { kind, action }) => {
          seen.push([kind, action, "extensions" in publicKey]);
          publicKey.extensions = { prf: { eval: { first: "AQI" } } };
          if (action === "authenticate") return { ...publicKey, hints: ["hybrid"] };
        } });
        const over = () => asked.at(-1).cancel(new DOMException("", "NotAllowedError"));
        const works = [() => client.authenticate(), () => client.authenticate(), () => client.register()];
        for (const work of works) { const ended = failure(work); await soon(); over(); await ended; }
        await client.autofill(); await soon();
        const visible = ({ extensions, hints }) => [[...new Uint8Array(extensions.prf.eval.first)], hints ?? null];
        return [seen, asked.map(({ options }) => visible(options.publicKey))];
        """
    )
    signing_in = ["get", "authenticate", False]
    assert found[0] == [signing_in, signing_in, ["create", "register", False], ["get", "autofill", False]]
    assert found[1] == [[[1, 2], ["hybrid"]], [[1, 2], ["hybrid"]], [[1, 2], None], [[1, 2], None]]


#: What ``@simplewebauthn/browser`` 14 exports, but for what is its own test's.
SIMPLEWEBAUTHN = {
    "WebAuthnAbortService",
    "WebAuthnError",
    "base64URLStringToBuffer",
    "browserSupportsPasskeys",
    "browserSupportsWebAuthn",
    "browserSupportsWebAuthnAutofill",
    "bufferToBase64URLString",
    "getBrowserCapabilities",
    "platformAuthenticatorIsAvailable",
    "sendSignal",
    "startAuthentication",
    "startRegistration",
}


def test_simplewebauthns_names() -> None:
    """Code for SimpleWebAuthn 14 finds every name in this module."""
    assert set(run_script("return Object.keys(m);")) >= SIMPLEWEBAUTHN


def test_signals_by_simplewebauthns_names() -> None:
    """A signal reaches the browser in the form of the specification, and one that it does not have is no error."""
    found = run_script(
        """const told = [];
        for (const name of ["UnknownCredential", "AllAcceptedCredentials"]) {
          PublicKeyCredential[`signal${name}`] = async (argument) => { told.push(argument); };
        }
        const rpID = "example.com", userID = "AQ";
        await m.sendSignal({ signalName: "unknownCredential", rpID, credentialID: "Ag" });
        await m.sendSignal({ signalName: "allAcceptedCredentials", rpID, userID, allAcceptedCredentialIDs: ["Ag"] });
        await m.sendSignal({ signalName: "currentUserDetails", rpID, userID, userName: "ada" });
        return told;"""
    )
    everything = {"rpId": "example.com", "userId": "AQ", "allAcceptedCredentialIds": ["Ag"]}
    assert found == [{"rpId": "example.com", "credentialId": "Ag"}, everything]


def test_capabilities_in_words() -> None:
    """What the browser does not name is unknown, and a browser without the question knows nothing."""
    found: Any = run_script(
        """const told = () => ({ conditionalGet: true, hybridTransport: false });
        PublicKeyCredential.getClientCapabilities = async () => told();
        const known = await m.getBrowserCapabilities();
        const able = await m.browserSupportsPasskeys();
        delete PublicKeyCredential.getClientCapabilities;
        const words = new Set(Object.values(await m.getBrowserCapabilities()));
        return [known, able, words.size, await m.browserSupportsPasskeys()];"""
    )
    known, able, answers, old = found
    assert [known[name] for name in ("conditionalGet", "hybridTransport", "relatedOrigins")] == [
        "supported",
        "unsupported",
        "unknown",
    ]
    assert (able, answers, old) == (False, 1, False)
