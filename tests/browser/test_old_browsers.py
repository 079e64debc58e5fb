"""Browsers without modules, far below the baseline of docs/reference/javascript.md."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from browser.chromium import Site
from flask import Flask, Response
from playwright.sync_api import Page, expect

from flask_passkey.web.files import OLD_SCRIPT

CANNOT = "This browser cannot use passkeys here. Please use a current version of Chrome, Edge, Firefox or Safari."


@pytest.fixture
def old(serve: Callable[..., Site], request: pytest.FixtureRequest) -> Site:
    """The demo as a browser without modules reads it: it leaves modules out, and heeds no ``nomodule``."""

    def prepare(app: Flask) -> None:
        def as_read(response: Response) -> Response:
            if response.mimetype == "text/html":
                text = re.sub(r'<script type="module".*?</script>', "", response.get_data(as_text=True))
                response.set_data(text.replace("<script nomodule ", "<script "))
            return response

        app.after_request(as_read)

    return serve(prepare=prepare)


def test_without_modules(page: Page, old: Site) -> None:
    """It says at once, in words, that the browser is too old, and shows nothing that cannot work."""
    page.goto(f"{old.url}/sign-in")
    expect(page.get_by_text(CANNOT)).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()


@pytest.mark.parametrize("locale", ["de-DE"])
def test_in_the_pages_language(page: Page, old: Site, locale: str) -> None:
    """The page's own sentence is shown."""
    page.goto(f"{old.url}/sign-in")
    expect(page.get_by_text("Dieser Browser kann hier keine Passkeys verwenden.")).to_be_visible()


def test_browsers_with_modules_do_not_load_it(page: Page, site: Site) -> None:
    """Nobody else pays for it."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}/sign-in")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
    assert any("passkey.min.js" in url for url in asked)
    assert not [url for url in asked if OLD_SCRIPT in url]
