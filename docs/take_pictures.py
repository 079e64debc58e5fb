"""Take the pictures of the demo that README.md and docs/start/demo.md show: ``nox -s pictures``.

They show the real demo in a real Chromium, in which a user signs up, adds a security key and so on.
"""

from __future__ import annotations

import io
import logging
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browser.chromium import Authenticator
from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from services import chromium_options
from werkzeug.serving import make_server

from demo import create_app

FOLDER = Path(__file__).parent / "pictures"
#: Width and height of the windows, in CSS pixels, and the pixels of a picture for each of those.
DESK, PHONE, SCALE = (860, 640), (390, 720), 1.5
#: Number of colours of a picture; with all colours of the shadows it would be half as large again.
COLOURS = 96
SECURITY_KEY = {"transport": "usb", "defaultBackupEligibility": False, "defaultBackupState": False}


@contextmanager
def served_demo() -> Iterator[str]:
    """Serve the demo on a free port of localhost and yield its address."""
    server = make_server("127.0.0.1", 0, Flask("not yet"), threaded=True)
    url = f"http://localhost:{server.port}"
    with tempfile.TemporaryDirectory() as folder:
        config = {"INSTANCE_PATH": folder, "RATELIMIT_ENABLED": False}
        server.app = app = create_app(config | {"PASSKEY_ORIGINS": ["http://localhost:5000", url]})
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield url
        server.shutdown()
        with app.app_context():
            app.extensions["passkey"].credentials.close()


def open_page(browser: Browser, size: tuple[int, int], language: str = "en-GB", scheme: str = "light") -> Page:
    """Return an empty page in a new browser profile."""
    width, height = size
    context = browser.new_context(
        locale=language,
        viewport={"width": width, "height": height},
        device_scale_factor=SCALE,
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    return context.new_page()


def take(page: Page, name: str, *, whole: bool = False) -> None:
    """Save a picture of the window, or of the whole page."""
    page.mouse.move(0, 0)
    page.evaluate("() => document.fonts.ready")
    picture = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    picture = picture.quantize(COLOURS, dither=Image.Dither.NONE).convert("RGB")
    FOLDER.mkdir(exist_ok=True)
    picture.save(FOLDER / f"{name}.webp", lossless=True, quality=100, method=6)


def sign_up(page: Page, url: str) -> Authenticator:
    """Create an account, with a passkey on this device."""
    authenticator = Authenticator(page)
    page.goto(f"{url}/sign-up")
    page.get_by_label("Name", exact=True).fill("ada@example.com")
    page.get_by_label("What should we call you?").fill("Ada Lovelace")
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")
    rename(page, 0, "Ada’s laptop")
    return authenticator


def rename(page: Page, number: int, name: str) -> None:
    """Rename a passkey in the list."""
    page.locator("summary", has_text="Rename").nth(number).click()
    page.locator("details[open]").get_by_label("New name").fill(name)
    page.locator("details[open]").get_by_role("button", name="Save").click()
    expect(page.locator("[data-name]").nth(number)).to_have_text(name)


def add(page: Page, authenticator: Authenticator, name: str, **kind: object) -> None:
    """Add a passkey that another device keeps."""
    count = page.locator("[data-name]").count()
    authenticator.replace(**kind)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("[data-name]")).to_have_count(count + 1)
    rename(page, count, name)


def show_list(browser: Browser, url: str) -> None:
    """Take the list in light and dark, the question before a passkey is deleted, and the panel for developers."""
    page = open_page(browser, DESK)
    authenticator = sign_up(page, url)
    add(page, authenticator, "Phone")
    add(page, authenticator, "Blue security key", **SECURITY_KEY)
    page.reload()
    take(page, "your-passkeys", whole=True)
    page.emulate_media(color_scheme="dark")
    take(page, "your-passkeys-dark", whole=True)
    page.get_by_role("button", name="Delete “Phone”").click()
    take(page, "delete")
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Show what happens").click()
    authenticator.replace()
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("[data-panel-list] li")).not_to_have_count(0)
    page.locator("[data-panel-list] summary").first.click()
    page.evaluate("() => document.querySelector('[data-panel]').scrollIntoView()")
    take(page, "panel")


def show_offer(browser: Browser, url: str) -> None:
    """Take the page after a sign-in on a phone with the passkey of a security key."""
    page = open_page(browser, PHONE)
    page.add_init_script("PublicKeyCredential.getClientCapabilities = undefined")
    page.add_init_script("PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable = async () => true")
    authenticator = Authenticator(page, **SECURITY_KEY)
    page.goto(f"{url}/sign-up")
    page.get_by_label("Name", exact=True).fill("grace@example.com")
    page.get_by_role("button", name="Create an account with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your passkeys")
    rename(page, 0, "Blue security key")
    authenticator.present(False)
    page.get_by_role("button", name="Sign out").click()
    authenticator.present(True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("button", name="Create a passkey on this device")).to_be_visible()
    take(page, "offer")


def show_ways_in(browser: Browser, url: str) -> None:
    """Take sign-in and sign-up, in both languages, and a browser in which passkeys cannot work."""
    for name, path, language, scheme in (
        ("sign-in", "/sign-in", "en-GB", "light"),
        ("sign-in-german", "/sign-in", "de-DE", "dark"),
        ("sign-up", "/sign-up", "en-GB", "light"),
    ):
        page = open_page(browser, PHONE, language, scheme)
        page.goto(url + path)
        expect(page.locator("form[data-passkey]")).to_be_visible()
        take(page, name)
    page = open_page(browser, PHONE)
    page.goto(f"{url.replace('localhost', 'example.test')}/sign-in")
    take(page, "wrong-address")


def main() -> None:
    """Take all pictures."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with served_demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium_options())
        show_list(browser, url)
        show_offer(browser, url)
        show_ways_in(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
