"""What a sign-up's form sends along with the name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from browser.chromium import Authenticator, Site, Watch
from flask import Flask
from playwright.sync_api import Page, expect

from flask_passkey import Passkey
from flask_passkey.errors import MalformedRequest

#: More inputs for the demo's form.
INPUTS = """() => document.querySelector("form[data-passkey='sign-up']").insertAdjacentHTML("afterbegin", `
  <input name="mail" data-passkey-field value="ada@example.com">
  <textarea name="about" data-passkey-field>one\ntwo</textarea>
  <input type="checkbox" name="terms" data-passkey-field checked>
  <input type="checkbox" name="news" data-passkey-field>
  <input type="radio" name="plan" value="a" data-passkey-field><input type="radio" name="plan" value="b" checked>
  <select name="country" data-passkey-field><option>de<option selected>fr</select>
  <input name="off" data-passkey-field disabled value="x">
  <input type="password" name="secret" data-passkey-field value="hunter2" autocomplete="off">
  <input name="secret" data-passkey-field value="hunter2">
  <input type="file" name="photo" data-passkey-field>
  <input type="hidden" name="csrf_token" value="x">
  <input data-passkey-field value="nameless">`)"""


def test_marked_inputs_are_sent(
    page: Page, serve: Callable[..., Site], authenticator: Authenticator, watch: Watch
) -> None:
    """Inputs that say so reach create_user as a form sends them: no password, no file, nothing else of the page."""
    seen: list[Mapping[str, str]] = []

    def prepare(app: Flask) -> None:
        passkey: Passkey = app.extensions["passkey"]
        create = passkey._hooks.create_user
        assert create is not None

        @passkey.check_sign_up
        def check_sign_up(name: str, display_name: str, fields: Mapping[str, str]) -> None:
            if fields.get("mail") == "wrong":
                raise MalformedRequest("mail")

        @passkey.create_user
        def create_user(name: str, display_name: str, fields: Mapping[str, str]) -> Any:
            seen.append(fields)
            return create(name, display_name)

    watch.expected_statuses.add(400)
    site = serve(prepare=prepare)
    page.goto(f"{site.url}/sign-up")
    page.evaluate(INPUTS)
    page.get_by_label("Name", exact=True).fill("Ada")
    button = page.get_by_role("button", name="Create an account with a passkey")
    page.locator("input[name=mail]").fill("wrong")
    button.click()
    expect(page.get_by_role("alert")).to_have_text("Please check what you entered.")
    assert authenticator("getCredentials")["credentials"] == []
    page.locator("input[name=mail]").fill("ada@example.com")
    with page.expect_navigation(url=f"{site.url}/passkeys"):
        button.click()
    expected = {"mail": "ada@example.com", "about": "one\ntwo", "terms": "on", "plan": "b", "country": "fr"}
    assert seen == [expected]
