"""The page's own sentences: all of them, without a script of the page's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser.chromium import Authenticator, Site, Watch
from playwright.sync_api import Page, Route, expect

CODES = "import('/passkey/static/passkey.js').then(async (m) => Object.keys(await m.loadMessages()))"
#: What each client on the page says, by code: the one of the attributes, another one, and one with words of its own.
SAID = """async () => {
  const m = await import("/passkey/static/passkey.js");
  const clients = [m.passkey, new m.PasskeyClient(), new m.PasskeyClient({ messages: { server: "mine" } })];
  return clients.map(({ messages }) => messages);
}"""


def put_in_head(page: Page, *islands: str) -> None:
    """Let the sign-up page have these texts as its messages."""
    made = "".join(f'<script type="application/json" data-passkey-messages>{island}</script>' for island in islands)

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace("</head>", made + "</head>"))

    page.route("**/sign-up", answer)


@pytest.mark.proves("browser:rule-10")
def test_every_sentence_is_the_pages(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A page can bring every sentence, also one for a single action, and no other is shown."""
    page.goto(f"{site.url}/sign-up")
    words = {key: f"<{key}> ¿?" for key in page.evaluate(CODES) if key != "aborted"}
    put_in_head(page, json.dumps({**words, "sign-up.waiting": "<moment> ¿?", "list.network": ""}))
    page.reload()
    said: list[dict[str, Any]] = page.evaluate(SAID)
    assert said[0] == said[1] == {"aborted": "", **words, "sign-up.waiting": "<moment> ¿?", "list.network": ""}
    assert said[2] == {**said[1], "server": "mine"}
    authenticator.present(False)
    page.get_by_label("Name", exact=True).fill("Ada")
    button = page.get_by_role("button", name="Create an account with a passkey")
    button.click()
    expect(page.get_by_role("status")).to_have_text("<moment> ¿?")
    page.reload()
    authenticator.present(True)
    authenticator("setUserVerified", isUserVerified=False)
    page.get_by_label("Name", exact=True).fill("Ada")
    button.click()
    expect(page.get_by_role("status")).to_have_text("<sign-up.cancelled> ¿?")


def test_a_page_adds_to_the_sentences_of_its_site(page: Page, site: Site, watch: Watch) -> None:
    """Of several such elements the later one wins; one that is not JSON costs only its own sentences."""
    put_in_head(page, '{"done": "site", "server": "site"}', '{"done": }', '{"done": "page"}')
    page.goto(f"{site.url}/sign-up")
    said: list[dict[str, Any]] = page.evaluate(SAID)
    assert [said[0][key] for key in ("done", "server", "waiting")] == [
        "page",
        "site",
        "Follow the steps that your browser or device shows.",
    ]
    assert {"data-passkey-messages is not JSON" in complaint for complaint in watch.complaints} == {True}
    watch.complaints.clear()
