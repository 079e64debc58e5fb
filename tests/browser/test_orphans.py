"""A new passkey that the server did not take is taken back from the password manager, if that is certain; else not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser.chromium import Authenticator, Site, Watch, requests_of, sign_up
from playwright.sync_api import Page, Request, Route, expect

pytestmark = pytest.mark.proves("frictions:taken-name")

#: Another device, which has no passkey of the account yet.
OTHER: dict[str, Any] = {"transport": "usb"}


def add(page: Page) -> None:
    """Press the button."""
    page.get_by_role("button", name="Add a passkey").click()


@pytest.mark.proves("browser:30")
@pytest.mark.parametrize("quirk", ["isBadUP", "isBadUV"])
def test_a_refused_passkey_is_taken_back(
    page: Page, site: Site, authenticator: Authenticator, watch: Watch, quirk: str
) -> None:
    """What did not verify is no passkey here: its owner reads so, and the password manager will not offer it."""
    sign_up(page, site)
    authenticator.replace(**OTHER)
    authenticator("setResponseOverrideBits", **{quirk: True})
    watch.expected_statuses = {400}
    add(page)
    said = page.get_by_role("alert").filter(has_text="The passkey could not be verified. Please try again.")
    expect(said).to_be_visible()
    assert authenticator.credentials == []


def test_a_refused_sign_up_is_taken_back(page: Page, site: Site, authenticator: Authenticator, watch: Watch) -> None:
    """So is the passkey of an account that was not created."""
    authenticator("setResponseOverrideBits", isBadUP=True)
    watch.expected_statuses = {400}
    page.goto(f"{site.url}/sign-up")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("alert")).to_have_text("The passkey could not be verified. Please try again.")
    assert authenticator.credentials == []


#: HTTP status and envelope's code of an answer; whether the passkey is certain not to be stored after it, of an
#: account and of a sign-up: there the app's own sign-in may refuse when all is stored.
ANSWERS = [
    (400, 40025, True, True),
    (409, 40093, True, True),
    (403, 40019, True, True),
    (400, 40001, True, False),
    (401, 401, False, False),
    (403, 403, False, False),
    (404, 404, False, False),
    (409, 409, False, False),
    (413, 413, False, False),
    (415, 415, False, False),
    (429, 429, False, False),
    (401, 40090, False, False),
    (500, 50005, False, False),
    (503, 50001, False, False),
    (503, 50006, False, False),
    (400, None, False, False),
    (403, None, False, False),
    (502, None, False, False),
    (200, None, False, False),
    (0, None, False, False),
]
#: Register and sign up with a browser that gives any ID, and a server that gives one answer; return what was signalled.
SCRIPT = """async ([status, code, ids]) => {
  const m = await import("/passkey/static/passkey.js");
  const signalled = [];
  PublicKeyCredential.signalUnknownCredential = async ({ rpId, credentialId }) => signalled.push([rpId, credentialId]);
  const known = { type: "public-key", id: "KNOW" };
  const user = { id: "AQ", name: "x", displayName: "" };
  const publicKey = { rp: { id: "localhost", name: "x" }, user, challenge: "AQ", pubKeyCredParams: [],
    excludeCredentials: [known] };
  const fetch = async (url, { method }) => {
    const data = { session_id: "1", options: { publicKey } };
    if (method === "PUT") return new Response(JSON.stringify({ code: 0, msg: "", data }));
    if (!status) throw new TypeError("Failed to fetch");
    return new Response(code === null ? "<html>" : JSON.stringify({ code, msg: "", data: null }), { status });
  };
  const client = new m.PasskeyClient({ fetch });
  for (const id of ids) {
    CredentialsContainer.prototype.create = async () => ({
      rawId: Uint8Array.from(atob(id), (char) => char.charCodeAt(0)), response: {},
    });
    const work = id === "SIGN" ? client.signUp({ name: "x" }) : client.register();
    await work.then(() => signalled.push("no error"), () => {});
  }
  return signalled;
}"""


@pytest.mark.proves("browser:30")
def test_only_what_is_certain_is_signalled(page: Page, site: Site) -> None:
    """A passkey that may have been stored is never deleted: not after lost answers, nor those that leave it open."""
    page.goto(f"{site.url}/sign-up")
    found = [page.evaluate(SCRIPT, [status, code, ["ADDA", "SIGN"]]) for status, code, _, _ in ANSWERS]
    added, new = ["localhost", "ADDA"], ["localhost", "SIGN"]
    assert found == [[added] * sure + [new] * too for _, _, sure, too in ANSWERS]


def test_a_passkey_that_the_account_has_is_never_signalled(page: Page, site: Site) -> None:
    """A password manager that gives out an ID again that is registered already does not lose its good passkey."""
    page.goto(f"{site.url}/sign-up")
    assert page.evaluate(SCRIPT, [400, 40025, ["KNOW", "OTHR"]]) == [["localhost", "OTHR"]]


def late() -> Callable[[Route], None]:
    """Answer the first finish as when the sign-in was too long ago, and pass the others on."""
    posts: list[Request] = []

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            posts.append(route.request)
            if len(posts) == 1:
                return route.fulfill(status=403, json={"code": 40091, "msg": "", "data": None})
        return route.continue_()

    return answer


@pytest.mark.proves("browser:rule-9")
def test_a_step_up_does_not_cost_the_new_passkey(
    page: Page, site: Site, authenticator: Authenticator, watch: Watch
) -> None:
    """When the sign-in gets too old while the passkey is made, one more confirms it, and the same passkey is stored."""
    sign_up(page, site)
    made = requests_of(page)
    watch.expected_statuses = {403}
    page.route("**/user/authn", late())
    page.evaluate(
        """() => {  // one device has the passkey that confirms and makes another one
          const create = CredentialsContainer.prototype.create;
          CredentialsContainer.prototype.create = function ({ publicKey, ...others }) {
            const user = { ...publicKey.user, id: Uint8Array.of(1) };
            return create.call(this, { publicKey: { ...publicKey, user, excludeCredentials: [] }, ...others });
          };
        }"""
    )
    add(page)
    expect(page.locator("[data-name]")).to_have_count(2)
    asked = [(request.method, request.url.removeprefix(site.url)) for request in made]
    new, confirm = "/user/authn", "/session/authn"
    assert asked == [("PUT", new), ("POST", new), ("PUT", confirm), ("POST", confirm), ("POST", new)]
    assert made[1].post_data_json == made[4].post_data_json
    assert len(authenticator.credentials) == 2
