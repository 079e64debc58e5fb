"""Each example with passkeys in Chromium: a person who has a password gets a passkey, uses it, and goes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import Authenticator, Watch, wait_for_autofill
from example_apps import NAMES, app_of
from often import seldom_but
from playwright.sync_api import Locator, Page, expect
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, make_server

PASSWORD = "correct horse"
#: Those whose pages are rendered by Flask.
RENDERED = [name for name in NAMES if name != "spa"]


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serve apps on free ports of localhost."""
    servers: list[BaseWSGIServer] = []

    def start(app: Any) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://localhost:{server.port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def start(tmp_path: Path, watch: Watch) -> Iterator[Callable[..., Any]]:
    """Make an example's app."""
    watch.expected_statuses = {404}  # no app has an icon
    with ExitStack() as stack:
        yield lambda name, **config: stack.enter_context(app_of(name, tmp_path, **config))


def fill(page: Page) -> None:
    """Fill in a form with a name and a password."""
    page.get_by_label(re.compile("^(Name|Email)")).fill("ada@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)


def press(page: Page, button: str) -> None:
    """Press a button; Flask-Security has words of its own."""
    words = {"Sign up": "^(Sign up|Register)$", "Sign in": "^(Sign in|Login)$"}
    found = page.get_by_role("button", name=re.compile(words.get(button, f"^{button}$")))
    found.wait_for()
    page.wait_for_load_state()  # before it the script does not listen
    found.click()


def sign_up(page: Page, address: str) -> None:
    """Make an account with a password, and see the page to sign in."""
    page.goto(f"{address}/sign-up")
    fill(page)
    again = page.get_by_label("Retype Password")
    if again.count():
        again.fill(PASSWORD)
    press(page, "Sign up")
    expect(page).not_to_have_url(f"{address}/sign-up")
    if page.get_by_role("button", name="Sign out").count():  # Flask-Security signs them in
        press(page, "Sign out")
    expect(page).to_have_url(re.compile("/sign-in"))


def sign_in(page: Page, address: str, *, offered: bool = True) -> None:
    """Sign in with the password, and see the offer of a passkey."""
    fill(page)
    press(page, "Sign in")
    expect(page).to_have_url(f"{address}/passkeys/offer?next=/" if offered else f"{address}/")


def get_a_passkey(page: Page, address: str, authenticator: Authenticator) -> None:
    """Make an account with a password, sign in with it, and take the offer of a passkey."""
    authenticator.present(False)
    sign_up(page, address)
    sign_in(page, address)
    authenticator.present(True)
    press(page, "Create a passkey")
    expect(page).to_have_url(f"{address}/")


def passkeys_of(page: Page, count: int) -> Locator:
    """Go to the list of passkeys, and return their names."""
    page.get_by_role("link", name="Your passkeys").click()
    names = page.locator("[data-name]")
    expect(names).to_have_count(count)
    return names


@pytest.mark.parametrize("name", seldom_but(["security"], RENDERED))
def test_a_person_goes_from_a_password_to_a_passkey(
    name: str, start: Callable[..., Any], serve: Callable[[Any], str], page: Page, authenticator: Authenticator
) -> None:
    """Sign in with a password, take the offer, sign in with the passkey, rename it, delete it and the account."""
    address = serve(start(name))
    get_a_passkey(page, address, authenticator)
    assert len(authenticator.credentials) == 1
    authenticator.present(False)
    press(page, "Sign out")
    expect(page).to_have_url(f"{address}/sign-in")
    wait_for_autofill(page)
    authenticator.present(True)
    press(page, "Sign in with a passkey")
    names = passkeys_of(page, 1)
    page.locator("summary", has_text="Rename").click()
    page.get_by_label("New name").fill("Blue key")
    press(page, "Save")
    expect(names).to_have_text("Blue key")
    page.locator("summary", has_text="Delete").click()
    press(page, "Delete passkey")
    expect(names).to_have_count(0)
    page.get_by_role("link", name="Home").click()
    press(page, "Delete my account")
    expect(page).to_have_url(f"{address}/sign-up")


@pytest.mark.parametrize("name", seldom_but(["sqlite3"], RENDERED))
def test_autofill_and_the_way_back(
    name: str, start: Callable[..., Any], serve: Callable[[Any], str], page: Page, authenticator: Authenticator
) -> None:
    """The name field beside the password signs in; whoever lost the passkey adds another after the password."""
    address = serve(start(name))
    get_a_passkey(page, address, authenticator)
    with page.expect_response(lambda answer: answer.request.method == "POST" and "/session/authn" in answer.url):
        press(page, "Sign out")  # autofill answers at once while somebody is there
    expect(page).to_have_url(f"{address}/")
    authenticator.replace()
    page.context.clear_cookies()
    authenticator.present(False)
    page.goto(f"{address}/sign-in")
    sign_in(page, address, offered=False)
    names = passkeys_of(page, 1)
    page.get_by_role("link", name="No passkey at hand?").click()
    page.get_by_label(re.compile("Your password")).fill("wrong horse")
    press(page, "Confirm with your password")
    expect(page.get_by_role("alert")).to_have_text("That is not your password.")
    page.get_by_label(re.compile("Your password")).fill(PASSWORD)
    press(page, "Confirm with your password")
    authenticator.present(True)
    press(page, "Add a passkey")
    expect(names).to_have_count(2)


@pytest.mark.parametrize("name", seldom_but(["factory"], RENDERED))
def test_every_page_of_an_example_has_one_heading(
    name: str, start: Callable[..., Any], serve: Callable[[Any], str], page: Page, authenticator: Authenticator
) -> None:
    """The ready pages stand in the app's own base template, with its link home and without its heading."""
    address = serve(start(name))
    authenticator.present(False)
    sign_up(page, address)
    sign_in(page, address)
    for path in ("", "/passkeys", "/passkeys/confirm", "/passkeys/new", "/"):
        if path:  # the offer, where it is now, is good for one try
            page.goto(f"{address}{path}")
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        expect(page.get_by_role("link", name="Home")).to_be_visible()


def test_the_api_of_an_example_wants_a_passkey(
    start: Callable[..., Any], serve: Callable[[Any], str], page: Page, authenticator: Authenticator, watch: Watch
) -> None:
    """A project is deleted after a step-up with the passkey; without one the page leads to the password."""
    watch.expected_statuses |= {403}
    address = serve(start("factory"))
    authenticator.present(False)
    sign_up(page, address)
    sign_in(page, address)
    press(page, "Not now")
    for project in ("Engine", "Wheel"):
        page.get_by_label("Project").fill(project)
        press(page, "Add")
        expect(page.get_by_role("button", name=f"Delete {project}")).to_be_visible()
    press(page, "Delete Engine")
    expect(page).to_have_url(f"{address}/passkeys/confirm?next=/")
    page.get_by_label("Your password").fill(PASSWORD)
    press(page, "Confirm with your password")
    expect(page).to_have_url(f"{address}/")
    press(page, "Delete Engine")
    expect(page.get_by_role("button", name="Delete Engine")).to_have_count(0)
    passkeys_of(page, 0)
    authenticator.present(True)
    press(page, "Add a passkey")
    expect(page.locator("[data-name]")).to_have_count(1)
    page.context.clear_cookies(name="session")
    authenticator.present(False)
    page.goto(f"{address}/sign-in")
    sign_in(page, address, offered=False)
    authenticator.present(True)
    press(page, "Delete Wheel")
    expect(page.get_by_role("button", name="Delete Wheel")).to_have_count(0)
    expect(page).to_have_url(f"{address}/")


def static_files(folder: Path, api: Callable[[], str]) -> Any:
    """Serve the single-page app, with the address of its API in place of the usual one."""
    types = {".js": "text/javascript", ".html": "text/html"}

    @Request.application
    def files(request: Request) -> Response:
        path = folder / (request.path.removeprefix("/") or "index.html")
        return Response(path.read_text("utf-8").replace("http://localhost:5000", api()), mimetype=types[path.suffix])

    return files


def test_a_single_page_app_on_another_origin(
    start: Callable[..., Any],
    serve: Callable[[Any], str],
    tmp_path: Path,
    page: Page,
    authenticator: Authenticator,
    watch: Watch,
) -> None:
    """From the password to a passkey and back, with pages on one port and the API on another."""
    watch.expected_statuses |= {401, 403}
    authenticator.present(False)
    api: list[str] = []
    web = serve(static_files(tmp_path / "spa" / "web", lambda: api[0]))
    api.append(serve(start("spa", WEB_ORIGIN=web)))
    page.goto(web)
    fill(page)
    press(page, "Sign up")
    expect(page.get_by_role("status")).to_have_text("Welcome! Sign in now.")
    press(page, "Sign in")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, ada@example.com")
    authenticator.present(True)
    press(page, "Add a passkey")
    expect(page.get_by_role("listitem")).to_have_count(1)
    authenticator.present(False)
    for password, told in (("wrong", "Wrong password."), (PASSWORD, "Thank you. You can change your passkeys now.")):
        page.get_by_label("Lost your passkey? Your password").fill(password)
        press(page, "Confirm that it is you")
        expect(page.get_by_role("status")).to_have_text(told)
    press(page, "Sign out")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.wait_for_function("asked.at(-1).method === 'get'")
    wait_for_autofill(page)
    authenticator.present(True)
    press(page, "Sign in with a passkey")
    page.get_by_role("listitem").get_by_label("Name").fill("Blue key")
    press(page, "Rename")
    press(page, "Delete Blue key")
    expect(page.get_by_role("listitem")).to_have_count(0)
    press(page, "Delete my account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
