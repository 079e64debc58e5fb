"""What ``passkey.js`` does where browsers, password managers and networks do not do as they should."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from browser.chromium import CORE, LAYERS, Authenticator, Site, Watch, account_id, sign_in, sign_out, sign_up
from flask import Flask
from flask_login import login_user
from playwright.sync_api import Page, expect

from flask_passkey import Passkey

#: In front of every script below: the module as ``m``, and a credential as a browser gives it, as far as is needed.
PREAMBLE = """
const m = await import("/passkey/static/passkey.js");
const bytes = (...values) => new Uint8Array(values).buffer;
const visible = (value) => JSON.parse(JSON.stringify(value, (_, part) =>
  part?.byteLength === undefined ? part : Array.from(new Uint8Array(part.buffer ?? part))));
const assertion = (extensions = {}) => ({
  id: "AQI", rawId: bytes(1, 2), type: "public-key", authenticatorAttachment: "platform",
  response: { clientDataJSON: bytes(3), authenticatorData: bytes(251, 255), signature: bytes(5), userHandle: null },
  getClientExtensionResults: () => extensions,
});
const answer = (give) => { CredentialsContainer.prototype.get = CredentialsContainer.prototype.create = give; };
const failure = async (work) => { try { await work(); } catch (error) { return error; } };
"""
CREATION: dict[str, Any] = {
    "rp": {"id": "localhost", "name": "Demo"},
    "user": {"id": "AQID-_8", "name": "ada", "displayName": "Ada"},
    "challenge": "_-8BAgM",
    "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (-7, -8, -257)],
    "timeout": 300000,
    "excludeCredentials": [{"type": "public-key", "id": "-_8", "transports": ["internal"]}],
    "authenticatorSelection": {"residentKey": "required", "requireResidentKey": True, "userVerification": "required"},
    "extensions": {"credProps": True, "prf": {"eval": {"first": "AQI", "second": "_w"}}, "credBlob": "-_8"},
}
REQUEST: dict[str, Any] = {
    "challenge": "_-8BAgM",
    "rpId": "localhost",
    "allowCredentials": [{"type": "public-key", "id": "-_8"}],
    "extensions": {"prf": {"evalByCredential": {"-_8": {"first": "AQI"}}}, "largeBlob": {"write": "AQI"}},
}


@pytest.fixture
def blank(page: Page, site: Site) -> Page:
    """A page of the demo without autofill."""
    page.goto(f"{site.url}/sign-up")
    return page


def run(page: Page, script: str, argument: object = None) -> Any:
    """Run a script after the preamble and return what it returns."""
    return page.evaluate(f"async (given) => {{ {PREAMBLE} {script} }}", argument)


@pytest.mark.proves("browser:rule-1")
def test_needs_no_other() -> None:
    """The modules import nothing but one another, and those of a page's scripts nothing of its attributes."""
    named = re.compile(r'^(?:import|export|\}) .*from "(.+)";$', re.MULTILINE)
    below = [f"./{module.name}" for module in LAYERS]
    for number, module in enumerate(LAYERS):
        assert set(named.findall(module.read_text())) == set(below[:number])
    assert "import " not in CORE.read_text().replace("import.meta", "")


@pytest.mark.proves("browser:rule-7")
@pytest.mark.parametrize(("parser", "options"), [("Creation", CREATION), ("Request", REQUEST)])
def test_own_parser_equals_the_browsers(blank: Page, parser: str, options: dict[str, Any]) -> None:
    """The options are those of the browser's own parser, to the byte, extensions included."""
    own, native = run(
        blank,
        """
        const name = `parse${given.parser}OptionsFromJSON`;
        const native = visible(PublicKeyCredential[name](given.options));
        return [visible(m[name](given.options)), native];
        """,
        {"parser": parser, "options": options},
    )
    assert set(own) == set(options)
    assert within(own, native)


def within(part: object, whole: object) -> bool:
    """Tell whether ``whole`` has all that ``part`` has; browsers add defaults."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    return part == whole


@pytest.mark.proves("browser:rule-8")
def test_parser_tolerates_nulls_and_the_wrapper(blank: Page) -> None:
    """A null is as good as a missing member, and ``publicKey`` may be around the options."""
    options = {"publicKey": {**REQUEST, "timeout": None, "allowCredentials": None, "userVerification": None}}
    parsed = run(blank, "return visible(m.parseRequestOptionsFromJSON(given));", options)
    assert "timeout" not in parsed
    assert parsed["rpId"] == "localhost"


@pytest.mark.proves("browser:rule-7")
def test_own_serialiser_equals_the_browsers(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Real credentials of both kinds are serialised as by the browser's own ``toJSON()``, to the byte."""
    page.goto(f"{site.url}/sign-up")
    pairs = run(
        page,
        """
        const creation = { publicKey: m.parseCreationOptionsFromJSON(given) };
        const credentials = [await navigator.credentials.create(creation)];
        const request = { publicKey: m.parseRequestOptionsFromJSON({ challenge: "AQ" }) };
        credentials.push(await navigator.credentials.get(request));
        return credentials.map((credential) => [m.credentialToJSON(credential), credential.toJSON()]);
        """,
        {**CREATION, "extensions": {"credProps": True}},
    )
    assert [own for own, _ in pairs] == [native for _, native in pairs]
    assert len(pairs) == 2


def test_serialiser_survives_accessors_that_throw(blank: Page) -> None:
    """What a password manager's object does not give is left out, the rest is there."""
    kept = run(
        blank,
        """
        const credential = assertion();
        credential.response.getTransports = () => { throw new TypeError("Illegal invocation"); };
        Object.defineProperty(credential, "authenticatorAttachment", { get() { throw new Error("no"); } });
        return m.credentialToJSON(credential);
        """,
    )
    assert kept == {
        "id": "AQI",
        "rawId": "AQI",
        "type": "public-key",
        "clientExtensionResults": {},
        "response": {"clientDataJSON": "Aw", "authenticatorData": "-_8", "signature": "BQ"},
    }


@pytest.mark.proves("browser:rule-2")
def test_what_browsers_reject_with_gets_a_code(blank: Page) -> None:
    """Whatever a ceremony rejects with becomes a code and a sentence of ours, never the browser's text."""
    names = {
        "NotAllowedError": "cancelled",
        "AbortError": "aborted",
        "TimeoutError": "expired",
        "SecurityError": "domain",
        "NotSupportedError": "unsupported_device",
        "ConstraintError": "unsupported_device",
        "OperationError": "busy",
        "UnknownError": "authenticator",
        "NotReadableError": "authenticator",
        "EncodingError": "server",
    }
    found = run(
        blank,
        """
        console.warn = () => {};
        const oddities = { "a type error": new TypeError("user.id"), "a text": "no", "nothing at all": undefined };
        const dom = given.map((name) => [name, new DOMException("The browser's own words", name)]);
        const codes = {};
        for (const [name, reason] of [...dom, ...Object.entries(oddities)]) {
          answer(async () => { throw reason; });
          const error = await failure(() => m.startAuthentication({ optionsJSON: { challenge: "AQ" } }));
          codes[name] = error instanceof m.PasskeyError && error.message === m.MESSAGES[error.code] && error.code;
        }
        return codes;
        """,
        list(names),
    )
    assert found == {**names, "a type error": "server", "a text": "server", "nothing at all": "server"}


def test_a_duplicate_is_one_only_when_creating(blank: Page) -> None:
    """``InvalidStateError`` means "already there" in a registration and nothing we know in a sign-in."""
    codes = run(
        blank,
        """
        answer(async () => { throw new DOMException("", "InvalidStateError"); });
        const created = await failure(() => m.startRegistration({ optionsJSON: given }));
        const used = await failure(() => m.startAuthentication({ optionsJSON: { challenge: "AQ" } }));
        return [created.code, created.name, created.cause.name, used.code];
        """,
        CREATION,
    )
    assert codes == ["duplicate", "PasskeyError", "InvalidStateError", "server"]


@pytest.mark.proves("browser:rule-5")
def test_an_empty_answer_is_a_cancel(blank: Page) -> None:
    """A password manager that resolves with nothing has cancelled."""
    codes = run(
        blank,
        """
        const codes = [];
        for (const nothing of [null, undefined]) {
          answer(async () => nothing);
          codes.push((await failure(() => m.startAuthentication({ optionsJSON: { challenge: "AQ" } }))).code);
        }
        return codes;
        """,
    )
    assert codes == ["cancelled", "cancelled"]


@pytest.mark.proves("browser:rule-2")
def test_a_new_ceremony_ends_the_one_before(blank: Page) -> None:
    """The ceremony before is aborted, silently, even when the browser does not listen to the abort."""
    codes = run(
        blank,
        """
        answer(() => new Promise(() => {}));
        const optionsJSON = { challenge: "AQ" };
        const first = failure(() => m.startAuthentication({ optionsJSON }));
        const second = failure(() => m.startAuthentication({ optionsJSON }));
        const { code, message } = await first;
        m.WebAuthnAbortService.cancelCeremony();
        return [code, message, (await second).code];
        """,
    )
    assert codes == ["aborted", "", "aborted"]


def test_a_ceremony_that_never_settles_is_given_up(page: Page, site: Site) -> None:
    """When the browser never answers, the person reads so a while after the time-out, and can try again."""
    page.clock.install()
    page.goto(f"{site.url}/sign-up")
    run(
        page,
        """
        answer(() => new Promise(() => {}));
        globalThis.ending = failure(() => m.startRegistration({ optionsJSON: given }));
        """,
        CREATION,
    )
    page.clock.fast_forward(310_000)
    assert page.evaluate("Promise.race([ending, 'open'])") == "open"
    page.clock.fast_forward(10_000)
    assert page.evaluate("ending.then(({ code }) => code)") == "expired"


@pytest.mark.proves("browser:rule-3")
def test_an_answer_after_the_abort_is_not_posted(blank: Page) -> None:
    """A ceremony that its person walked away from does not spend its challenge."""
    posts = run(
        blank,
        """
        const sent = [];
        const client = new m.PasskeyClient({ fetch: async (url, { method }) => {
          sent.push(method);
          const data = { session_id: "1", options: { publicKey: { challenge: "AQ", rpId: "localhost" } } };
          return new Response(JSON.stringify({ code: 0, msg: "", data }));
        } });
        let give;
        answer(() => new Promise((resolve) => { give = resolve; }));
        const first = failure(() => client.authenticate());
        while (!give) await new Promise(requestAnimationFrame);
        m.WebAuthnAbortService.cancelCeremony();
        give(assertion());
        return [(await first).code, ...sent];
        """,
    )
    assert posts == ["aborted", "PUT"]


def test_secrets_stay_in_the_page(blank: Page) -> None:
    """What a passkey computes for the page alone is given to the page and never posted."""
    posted, kept = run(
        blank,
        """
        let posted;
        const client = new m.PasskeyClient({ fetch: async (url, { method, body }) => {
          if (method === "POST") posted = JSON.parse(body);
          const data = { session_id: "1", options: { publicKey: { challenge: "AQ", rpId: "localhost" } } };
          return new Response(JSON.stringify({ code: 0, msg: "", data }));
        } });
        const results = { prf: { enabled: true, results: { first: bytes(7) } }, hmacGetSecret: { output1: bytes(8) } };
        answer(async () => assertion({ ...results, credProps: { rk: true } }));
        const { clientExtensionResults } = await client.authenticate();
        return [posted.response.clientExtensionResults, clientExtensionResults];
        """,
    )
    assert posted == {"prf": {"enabled": True}, "credProps": {"rk": True}}
    assert kept["prf"]["results"] == {"first": "Bw"}


@pytest.mark.proves("browser:rule-9")
def test_options_are_fetched_twice_but_posted_once(blank: Page) -> None:
    """When the network fails, the options are asked for once more; a response is never sent twice."""
    outcome = run(
        blank,
        """
        const sent = [];
        const client = new m.PasskeyClient({ fetch: async (url, { method }) => {
          sent.push(method);
          if (sent.length !== 2) throw new TypeError("Failed to fetch");
          const data = { session_id: "1", options: { publicKey: { challenge: "AQ", rpId: "localhost" } } };
          return new Response(JSON.stringify({ code: 0, msg: "", data }));
        } });
        answer(async () => assertion());
        const { code } = await failure(() => client.authenticate());
        return [code, ...sent];
        """,
    )
    assert outcome == ["network", "PUT", "PUT", "POST"]


def test_the_envelope_decides(blank: Page) -> None:
    """The envelope's code counts; the status only where something else than the blueprint answered."""
    answers = [
        (502, "<html>Bad gateway", "unavailable"),
        (429, "Too many", "rate_limited"),
        (500, "", "server"),
        (200, "null", "server"),
        (200, '{"code": 50006, "msg": "…", "data": null}', "unavailable"),
        (503, '{"code": 50001, "msg": "…", "data": null}', "unavailable"),
        (500, '{"code": 50005, "msg": "…", "data": null}', "server"),
        (200, '{"code": 40019, "msg": "…", "data": null}', "switched_off"),
        (401, '{"code": 401, "msg": "…", "data": null}', "sign_in_required"),
        (403, '{"code": 403, "msg": "…", "data": null}', "forbidden"),
        (400, '{"code": 40001, "msg": "…", "data": null}', "invalid"),
        (404, '{"code": 404, "msg": "…", "data": null}', "not_found"),
        (413, '{"code": 413, "msg": "…", "data": null}', "server"),
    ]
    found = run(
        blank,
        """
        const codes = [];
        for (const [status, body] of given) {
          const client = new m.PasskeyClient({ fetch: async () => new Response(body, { status }) });
          codes.push((await failure(() => client.list())).code);
        }
        return codes;
        """,
        answers,
    )
    assert found == [code for _, _, code in answers]


@pytest.mark.proves("browser:rule-12")
def test_messages_and_csrf_token_are_the_apps(blank: Page) -> None:
    """Sentences can be replaced, for one action or for all; a CSRF token of the page goes along."""
    found = run(
        blank,
        """
        const requests = [];
        const fetch = async (url, request) => {
          if (request.credentials !== "same-origin" || request.headers.Accept !== "application/json") throw request;
          requests.push(request.headers);
          return new Response('{"code": 40001, "msg": "", "data": null}');
        };
        const messages = { invalid: "Bitte prüfen.", "rename.invalid": "Kein guter Name." };
        const meta = document.createElement("meta");
        meta.name = "csrf-token";
        meta.content = "from the page";
        document.head.append(meta);
        const client = new m.PasskeyClient({ fetch, messages });
        const other = new m.PasskeyClient({ fetch, csrf: "given", csrfHeader: "X-CSRF" });
        return [(await failure(() => client.list())).message, (await failure(() => client.rename("AQ", ""))).message,
          requests[0]["X-CSRFToken"], (await failure(() => other.list())).message, requests[2]["X-CSRF"]];
        """,
    )
    words = ["Bitte prüfen.", "Kein guter Name.", "from the page", "Please check what you entered.", "given"]
    assert found == words


@pytest.mark.proves("browser:15")
def test_a_sign_in_brings_the_password_manager_up_to_date(page: Page, site: Site, authenticator: Authenticator) -> None:
    """What changed elsewhere, here a name, is told to the password manager when its passkey is used."""
    sign_up(page, site, name="ada", display_name="Ada King")
    with site.app.app_context():
        site.app.extensions["demo_accounts"].call(account_id(site), "Ada Lovelace")
    sign_out(page, authenticator)
    sign_in(page, authenticator)
    assert [credential["userDisplayName"] for credential in authenticator.credentials] == ["Ada Lovelace"]


@pytest.mark.proves("browser:rule-11")
def test_signals_never_matter(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A browser whose Signal API throws, hangs or is missing signs people in all the same."""
    page.add_init_script(
        """
        PublicKeyCredential.signalAllAcceptedCredentials = () => { throw new TypeError("no"); };
        PublicKeyCredential.signalCurrentUserDetails = undefined;
        """
    )
    sign_up(page, site)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/passkeys")


@pytest.mark.proves("browser:rule-6")
def test_passkeys_are_named_by_the_server_list(page: Page, site: Site, authenticator: Authenticator) -> None:
    """The client's own calls work in a page script: list, rename, remove and its refusal."""
    sign_up(page, site)
    found = run(
        page,
        """
        const client = new m.PasskeyClient();
        const [{ id }] = await client.list();
        const { name } = await client.rename(id, "  Phone ");
        const capabilities = await client.capabilities();
        return [name, capabilities.passkeys, capabilities.platform, capabilities.conditionalGet];
        """,
    )
    assert found == ["Phone", True, True, True]


@pytest.mark.proves("browser:28")
def test_presets_say_where_the_passkey_should_live(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A preset narrows the browser's dialog to one kind of device; without one the choice is the person's."""
    page.goto(f"{site.url}/sign-up")
    asked = run(
        page,
        """
        const seen = [];
        answer(async ({ publicKey }) => { seen.push(publicKey); throw new DOMException("", "NotAllowedError"); });
        const client = new m.PasskeyClient();
        for (const preset of [undefined, "this-device", "security-key"]) {
          await failure(() => client.signUp({ name: "ada", preset }));
        }
        return seen.map(({ hints, authenticatorSelection: { authenticatorAttachment } }) =>
          [hints?.[0], authenticatorAttachment]);
        """,
    )
    assert asked == [[None, None], ["client-device", "platform"], ["security-key", "cross-platform"]]


def test_a_sign_up_that_is_answered_with_another_account(blank: Page) -> None:
    """A server that would add the passkey to whatever account is open is found out before a dialog opens."""
    found = run(
        blank,
        """
        const asked = [];
        answer(async () => { asked.push("dialog"); throw new DOMException("", "NotAllowedError"); });
        const fetch = async () => new Response(JSON.stringify(
          { code: 0, msg: "", data: { session_id: "x", options: { publicKey: given } } }));
        const client = new m.PasskeyClient({ fetch });
        const codes = [];
        for (const name of ["bob", "ADA", " ada ", "ada", "\\u2068ada\\u2069"]) {
          codes.push((await failure(() => client.signUp({ name }))).code);
        }
        const { message } = await failure(() => client.signUp({ name: "bob" }));
        return [codes, asked.length, message];
        """,
        CREATION,
    )
    sentence = "You are signed in already. Sign out to create another account."
    assert found == [["other_account", "other_account", "cancelled", "cancelled", "cancelled"], 3, sentence]


def test_a_page_says_for_whom_it_was_made(blank: Page) -> None:
    """``userId`` and ``data-passkey-user`` go to the server, and options fetched for another user are not used."""
    sent = run(
        blank,
        """
        const sent = [];
        answer(async () => { throw new DOMException("", "NotAllowedError"); });
        const fetch = async (url, { body }) => {
          sent.push(body ? JSON.parse(body) : null);
          return new Response(JSON.stringify({ code: 40092, msg: "", data: null }), { status: 409 });
        };
        const client = new m.PasskeyClient({ fetch });
        const codes = [];
        codes.push((await failure(() => client.register({ userId: "1" }))).code);
        codes.push((await failure(() => client.register())).code);
        m.passkey.transport = fetch;
        const button = Object.assign(document.createElement("button"), { type: "button" });
        Object.assign(button.dataset, { passkey: "register", passkeyUser: "2" });
        document.body.append(button);
        const failed = new Promise((done) => button.addEventListener("passkey:error", done));
        button.click();
        codes.push((await failed).detail.code);
        return [sent, codes];
        """,
    )
    assert sent == [[{"user_id": "1"}, None, {"user_id": "2"}], ["other_account"] * 3]


def test_a_step_up_without_a_passkey(blank: Page) -> None:
    """Whoever has no passkey to confirm with is told to sign in again, not that a passkey is missing from a list."""
    code = run(
        blank,
        """
        const fetch = async (url) => {
          const code = url.endsWith("/session/authn") ? 404 : 40091;
          return new Response(JSON.stringify({ code, msg: "", data: null }), { status: code === 404 ? 404 : 403 });
        };
        return (await failure(() => new m.PasskeyClient({ fetch }).register())).code;
        """,
    )
    assert code == "step_up_required"


@pytest.mark.proves("browser:20", "browser:rule-4")
def test_immediate_mediation_where_the_browser_has_it(blank: Page) -> None:
    """Asked for passkeys that are right here, the browser gets the mode without a signal; elsewhere it is a dialog."""
    asked = run(
        blank,
        """
        const seen = [];
        answer(async (options) => { seen.push(options); throw new DOMException("", "NotAllowedError"); });
        const client = new m.PasskeyClient();
        const codes = [];
        for (const immediateGet of [true, false]) {
          PublicKeyCredential.getClientCapabilities = async () => ({ immediateGet });
          codes.push((await failure(() => client.authenticate({ uiMode: "immediate" }))).code);
        }
        return [codes, seen.map((options) => [options.uiMode ?? null, "signal" in options, "mediation" in options])];
        """,
    )
    assert asked == [["cancelled", "cancelled"], [["immediate", False, False], [None, True, False]]]


@pytest.mark.proves("browser:rule-10")
def test_events_can_be_taken_over(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A page that prevents the default of an event decides itself: nothing is said, nobody is sent anywhere."""
    page.goto(f"{site.url}/sign-up")
    page.evaluate(
        """
        globalThis.heard = [];
        for (const name of ["passkey:success", "passkey:error"]) addEventListener(name, (event) => {
          event.preventDefault();
          heard.push([name, event.target.dataset.passkey, event.detail.code ?? typeof event.detail.id]);
        });
        """
    )
    authenticator("setUserVerified", isUserVerified=False)
    page.get_by_label("Name", exact=True).fill("Ada")
    button = page.get_by_role("button", name="Create an account with a passkey")
    button.click()
    page.wait_for_function("() => heard.length === 1")
    authenticator("setUserVerified", isUserVerified=True)
    button.click()
    page.wait_for_function("() => heard.length === 2")
    heard = [["passkey:error", "sign-up", "cancelled"], ["passkey:success", "sign-up", "string"]]
    assert page.evaluate("heard") == heard
    assert page.url.endswith("/sign-up")
    assert page.locator("[data-passkey-status]").inner_text() == ""


@pytest.mark.proves("browser:19")
def test_nobody_is_sent_to_another_site(page: Page, site: Site, authenticator: Authenticator) -> None:
    """An address on another site is not followed after a sign-in, wherever it came from."""
    sign_up(page, site)
    for target in ("https://example.com/", "//example.com/", "javascript:alert(1)", "http://[", "blob:", "user@"):
        if target in ("blob:", "user@"):  # those have the site's own origin
            target = f"blob:{site.url}/0" if target == "blob:" else site.url.replace("//", "//user:pass@")
        page.evaluate(
            """target => {
              const button = document.createElement("button");
              Object.assign(button.dataset, { passkey: "step-up", passkeyNext: target });
              button.textContent = "Confirm";
              document.querySelector("main").append(button);
            }""",
            target,
        )
        with page.expect_navigation(url=f"{site.url}/passkeys"):
            page.get_by_role("button", name="Confirm").click()


@pytest.mark.proves("browser:19")
def test_the_server_says_where_to_go(page: Page, serve: Callable[..., Site], authenticator: Authenticator) -> None:
    """An address from the app's sign-in hook comes before that of the page."""

    def say_where(app: Flask) -> None:
        passkey: Passkey = app.extensions["passkey"]

        @passkey.login_user
        def login(user: Any) -> dict[str, str]:
            return {"next": "/sign-up?from=hook"} if login_user(user) else {}

    site = serve(prepare=say_where)
    sign_up(page, site)
    page.evaluate(
        """() => {
          const button = document.createElement("button");
          Object.assign(button.dataset, { passkey: "step-up", passkeyNext: "/sign-in" });
          button.textContent = "Confirm";
          document.querySelector("main").append(button);
        }"""
    )
    with page.expect_request("**/sign-up?from=hook"):
        page.get_by_role("button", name="Confirm").click()


@pytest.mark.proves("browser:rule-10")
def test_mistakes_of_a_page_are_not_shown_raw(page: Page, site: Site, watch: Watch) -> None:
    """What a page forgot is in the console for its developer; the person reads one of our sentences."""
    page.goto(f"{site.url}/sign-up")
    page.evaluate("() => document.querySelector('input[name=name]').remove()")
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("alert")).to_have_text("Something went wrong. Please try again.")
    assert ["TypeError" in complaint for complaint in watch.complaints] == [True]
    watch.complaints.clear()


def test_a_lost_connection_is_told(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Without a connection the person reads so, and the button works again."""
    page.goto(f"{site.url}/sign-up")
    page.evaluate(
        """() => {
          globalThis.connected = fetch;
          globalThis.tries = 0;
          globalThis.fetch = async () => { tries++; throw new TypeError("Failed to fetch"); };
        }"""
    )
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("We could not reach the server.")
    assert page.evaluate("tries") == 2
    page.evaluate("() => { globalThis.fetch = connected; }")
    page.get_by_role("button", name="Create an account with a passkey").click()
    page.wait_for_url(f"{site.url}/passkeys")
