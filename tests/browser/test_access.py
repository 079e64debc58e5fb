"""The demo for people who use a keyboard, a screen reader, much magnification, colours of their own, or no motion."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser.chromium import NO_AUTOFILL, Authenticator, Site, Watch, sign_up
from playwright.sync_api import Locator, Page, ViewportSize, expect

pytestmark = pytest.mark.proves("rules:13.4.8")

#: Where the focus is: what it is called, whether anything lies over it, and whether it can be seen at all.
FOCUS = """() => {
  const element = document.activeElement;
  const { left, top, width, height } = element.getBoundingClientRect();
  const over = document.elementFromPoint(left + width / 2, top + height / 2);
  const name = (element.labels?.[0] ?? element).textContent.replace(/\\s+/g, " ").trim();
  return { name, top, seen: element.contains(over) || over?.contains(element) === true };
}"""


def walk(page: Page, most: int = 30) -> list[dict[str, Any]]:
    """Press Tab until the focus leaves the page, and return every stop."""
    stops: list[dict[str, Any]] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            return stops
        stops.append(page.evaluate(FOCUS))
    return stops


@pytest.fixture
def two(page: Page, site: Site, authenticator: Authenticator) -> Page:
    """The list of an account with two passkeys."""
    sign_up(page, site)
    authenticator.replace(transport="usb", defaultBackupEligibility=False, defaultBackupState=False)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("status").first).to_have_text("Your new passkey is ready.")
    expect(page.locator("[data-name]")).to_have_count(2)
    return page


def open_dialog(page: Page) -> None:
    """Ask to delete the first passkey."""
    page.get_by_role("button", name="Delete").first.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()


# With a keyboard


def test_tab_goes_down_the_page(two: Page) -> None:
    """The focus goes from top to bottom as one reads, is never under anything, and ends after the last button."""
    for width in (320, 1280):
        two.set_viewport_size({"width": width, "height": 2000})
        stops = walk(two)
        names = [stop["name"] for stop in stops]
        assert names[0] == "Skip to the content"
        assert names[-1].startswith("Show what happens")
        assert [name for name in names if "“" in name] == [
            f"{verb} “{row}”" for row in two.locator("[data-name]").all_text_contents() for verb in ("Rename", "Delete")
        ]
        assert all(stop["seen"] for stop in stops)
        below = [stop["top"] for stop in stops if stop["name"] not in ("Skip to the content", "Flask-Passkey demo")]
        assert below == sorted(below)
    two.keyboard.press("Tab")
    two.keyboard.press("Enter")
    assert walk(two)[0]["name"].startswith("Rename"), "the first link skips what is on every page"


@pytest.mark.proves("browser:46")
def test_a_question_is_left_without_a_trace(two: Page) -> None:
    """After Cancel or Escape the focus is back on the button that asked; who goes on with Tab leaves nothing open."""
    asking = two.get_by_role("button", name="Delete").first
    for key in ("Enter", "Escape", "Tab", "Shift+Tab"):
        open_dialog(two)
        expect(two.get_by_role("button", name="Cancel")).to_be_focused()
        two.keyboard.press(key)
        if "Tab" in key:
            two.keyboard.press(key)
        expect(two.get_by_role("dialog")).to_be_hidden()
        focus = two.evaluate(FOCUS)
        assert focus["seen"], f"after {key} the focus is under something"
        assert focus["name"], f"after {key} the focus is lost"
        if "Tab" not in key:
            expect(asking).to_be_focused()
    expect(two.locator("[data-name]")).to_have_count(2)


def test_the_focus_stays_when_nothing_happened(page: Page, site: Site, authenticator: Authenticator) -> None:
    """A button that was off while its dialog was open has the focus again after a cancel."""
    page.add_init_script(NO_AUTOFILL)
    authenticator("setUserVerified", isUserVerified=False)
    page.goto(f"{site.url}/sign-in")
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("No passkey was used. You can try again")
    expect(button).to_be_focused()


# Magnified


#: Of a window of 1280 by 1024 pixels at 400 %, in pixels of CSS.
AT_400_PERCENT: ViewportSize = {"width": 320, "height": 256}


def within(page: Page, element: Locator) -> bool:
    """Tell whether an element can be scrolled to where the whole of it is seen."""
    element.evaluate("element => element.scrollIntoView({ block: 'nearest' })")
    box = element.bounding_box()
    assert box
    height = page.evaluate("innerHeight")
    return box["y"] > -1 and box["y"] + box["height"] < height + 1


@pytest.mark.proves("browser:46")
def test_room_at_400_percent(two: Page) -> None:
    """At 400 % nothing scrolls sideways, and everything can be brought into view, also of the question."""
    two.set_viewport_size(AT_400_PERCENT)
    two.locator("summary", has_text="Rename").first.click()
    for control in two.locator("a:not(.skip):visible, button:visible, input:visible, summary:visible").all():
        control.click(trial=True)
        assert within(two, control), control.text_content()
    open_dialog(two)
    dialog = two.get_by_role("dialog")
    for part in (dialog.get_by_role("heading"), *dialog.get_by_role("button").all()):
        part.click(trial=True)
        assert within(two, part), part.text_content()
    assert two.evaluate("document.documentElement.scrollWidth") <= AT_400_PERCENT["width"]


@pytest.mark.parametrize("path", ["sign-in", "sign-up", "enrol"])
def test_room_at_400_percent_before(page: Page, site: Site, authenticator: Authenticator, path: str) -> None:
    """So on the pages before."""
    page.set_viewport_size(AT_400_PERCENT)
    authenticator.present(False)
    page.goto(f"{site.url}/{path}")
    expect(page.locator("form").get_by_role("button")).to_be_visible()
    for control in page.locator("a:not(.skip):visible, button:visible, input:visible, summary:visible").all():
        control.click(trial=True)
        assert within(page, control), control.text_content()
    assert page.evaluate("document.documentElement.scrollWidth") <= AT_400_PERCENT["width"]


#: The most that people set who need room between letters, words and lines: WCAG 2.2, 1.4.12.
SPACING = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: 0.12em !important;
    word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }`);
  document.adoptedStyleSheets = [sheet];
}"""
#: The texts that do not fit into their box, other than those that only screen readers read.
CUT = """() => [...document.querySelectorAll("body *")]
  .filter((element) => element.checkVisibility() && !element.matches(".unseen, .skip, input"))
  .filter((element) => getComputedStyle(element).overflow !== "visible")
  .filter((element) => element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1)
  .map(({ outerHTML }) => outerHTML.slice(0, 80))"""


def test_room_between_letters(two: Page) -> None:
    """With much space between letters, words and lines no text is cut off, and nothing scrolls sideways."""
    two.evaluate(SPACING)
    for width in (320, 1280):
        two.set_viewport_size({"width": width, "height": 700})
        assert two.evaluate(CUT) == []
        assert two.evaluate("document.documentElement.scrollWidth") <= width


# Without motion, with colours of their own

#: How long anything in the page, or behind a question, takes to change.
MOTION = """() => [...document.querySelectorAll("*")]
  .flatMap((element) => [undefined, "::before", "::after", "::backdrop"].map((part) => getComputedStyle(element, part)))
  .filter((style) => style.animationName !== "none" || !/^(0s(, )?)+$/.test(style.transitionDuration)).length"""


def test_nothing_moves_for_those_who_ask(two: Page) -> None:
    """Where less motion is asked for nothing fades or slides: what changes is changed."""
    assert two.evaluate(MOTION) > 0, "there is something to switch off"
    two.emulate_media(reduced_motion="reduce")
    assert two.evaluate(MOTION) == 0
    open_dialog(two)
    assert two.evaluate("document.getAnimations().length") == 0
    assert two.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


#: The controls and messages that cannot be told from the ground they are on: no border, no line, no colour.
FLAT = """() => [...document.querySelectorAll("button, summary, input, .message:not(:empty), .badge, .mark, .dialog")]
  .filter((element) => element.checkVisibility() && !element.closest(".more"))
  .filter((element) => {
    const { borderTopStyle, borderTopWidth, borderTopColor } = getComputedStyle(element);
    const ground = getComputedStyle(document.body).backgroundColor;
    return borderTopStyle === "none" || parseFloat(borderTopWidth) < 1 || borderTopColor === ground
      || /^rgba.*, 0\\)$/.test(borderTopColor);
  })
  .map(({ outerHTML }) => outerHTML.slice(0, 80))"""
#: The drawings whose lines have the colour of the ground.
UNSEEN_GLYPHS = """() => [...document.querySelectorAll(".glyph")].filter((element) =>
  getComputedStyle(element).stroke === getComputedStyle(document.body).backgroundColor).length"""


@pytest.mark.proves("browser:46")
def test_forced_colours(two: Page) -> None:
    """In a system's own colours, where grounds are gone, every control has an edge, and the focus a ring."""
    two.emulate_media(forced_colors="active", color_scheme="dark", reduced_motion="reduce")
    assert two.evaluate(FLAT) == []
    assert two.evaluate(UNSEEN_GLYPHS) == 0
    two.emulate_media(color_scheme="light")
    assert two.evaluate(FLAT) == []
    assert two.evaluate(UNSEEN_GLYPHS) == 0
    open_dialog(two)
    assert two.evaluate(FLAT) == []
    ring, ground = two.evaluate(
        "[document.activeElement, document.body].map(getComputedStyle)"
        ".map(({ outlineColor, backgroundColor }, body) => (body ? backgroundColor : outlineColor))"
    )
    assert ring != ground


# Read aloud


def read_aloud(page: Page) -> list[dict[str, Any]]:
    """Return what Chromium tells a screen reader of the page: role, name, properties, and which element it is."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", ""),
            "description": node.get("description", {}).get("value", ""),
            "element": node.get("backendDOMNodeId"),
            **{known["name"]: known["value"].get("value") for known in node.get("properties", [])},
        }
        for node in nodes
        if not node["ignored"]
    ]


def names(page: Page, role: str) -> list[str]:
    """Return what everything of one role is called."""
    return [node["name"] for node in read_aloud(page) if node["role"] == role]


def regions(page: Page) -> dict[str, int]:
    """Return the page's first region for messages of each kind."""
    found = {node["live"]: node["element"] for node in reversed(read_aloud(page)) if "live" in node}
    assert set(found) == {"polite", "assertive"}
    return found


def test_every_control_says_what_it_is_for(two: Page) -> None:
    """A button of a row names its passkey, by the new name right after a rename; the question names it too."""
    two.locator("summary", has_text="Rename").first.click()
    two.get_by_label("New name").first.fill("Phone")
    two.get_by_label("New name").first.press("Enter")
    expect(two.locator("[data-name]").first).to_have_text("Phone")
    other = two.locator("[data-name]").nth(1).inner_text()
    of_rows = [name for name in names(two, "button") if "“" in name]
    assert of_rows == ["Delete “Phone”", f"Delete “{other}”"]
    assert names(two, "DisclosureTriangleGrouped") == ["Rename “Phone”", f"Rename “{other}”"]
    open_dialog(two)
    assert names(two, "dialog") == ["Delete “Phone”?"]
    controls = [node for node in read_aloud(two) if node["role"] in ("button", "link", "textbox")]
    assert controls and all(node["name"] for node in controls)


def test_the_fields_hint_belongs_to_it(page: Page, site: Site, authenticator: Authenticator) -> None:
    """Who comes to the name field hears its label and its hint."""
    authenticator.present(False)
    for path in ("sign-in", "sign-up"):
        page.goto(f"{site.url}/{path}")
        expect(page.get_by_label("Name", exact=True)).to_be_visible()
        field = next(node for node in read_aloud(page) if node["role"] == "textbox")
        assert (field["name"], field["description"]) == ("Name", page.locator("#name-hint").inner_text())


def test_what_happens_is_read_out(page: Page, site: Site, authenticator: Authenticator, watch: Watch) -> None:
    """Messages appear in regions that were there before, empty: what is calm politely, a failure at once."""
    page.add_init_script(NO_AUTOFILL)
    sign_up(page, site)
    page.context.clear_cookies()
    page.goto(f"{site.url}/sign-in")
    page.wait_for_load_state()
    status, alert = page.get_by_role("status"), page.get_by_role("alert")
    before = regions(page)
    expect(status.or_(alert).filter(has_text=re.compile(r"\S"))).to_have_count(0)
    authenticator("setUserVerified", isUserVerified=False)
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.click()
    expect(status).to_contain_text("No passkey was used. You can try again")
    expect(alert).to_be_empty()
    watch.expected_statuses = {401}
    authenticator("setUserVerified", isUserVerified=True)
    authenticator("setResponseOverrideBits", isBogusSignature=True)
    button.click()
    expect(alert).to_have_text("The passkey could not be verified. Please try again.")
    expect(status).to_be_empty()
    assert regions(page) == before


#: Notes every text that comes into the page after it is there.
LATER = """addEventListener("DOMContentLoaded", () => {
  globalThis.later = [];
  const note = (change) => later.push(...[...change.addedNodes].map((node) => node.data));
  new MutationObserver((changes) => changes.forEach(note)).observe(document.body, { childList: true, subtree: true });
});"""


def test_news_of_the_page_before_are_read_out(page: Page, site: Site, authenticator: Authenticator) -> None:
    """What a page has to say of the one before, it says when it is there: no screen reader reads it out otherwise."""
    page.add_init_script(LATER)
    said = "text => globalThis.later?.includes(text)"
    sign_up(page, site)
    page.wait_for_function(said, arg="Welcome! Your account and its passkey are ready.")
    authenticator.present(False)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.wait_for_function(said, arg="You are signed out.")
