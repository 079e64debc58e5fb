"""Sign-in inside a frame of another site's page, in a real browser with and without third-party cookies.

The browser believes that ``*.test`` is on this machine. ``shop.test`` and ``rp.test`` are two sites, which share no
cookies but those that say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from browser.chromium import NO_AUTOFILL, SPY, Authenticator, Site, Watch, sign_out, sign_up
from browser.tls import Certificate
from flask import Flask, Response, request
from flask_login import current_user
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect

pytestmark = pytest.mark.proves("threats:framing", "frictions:E")

RP, SHOP = "https://rp.test", "https://shop.test"
GET = "publickey-credentials-get"
#: What the site in the frame has to set, besides the RP ID and its origin.
EMBEDDED = {
    "PASSKEY_ALLOW_CROSS_ORIGIN": True,
    "PASSKEY_TOP_ORIGINS": [SHOP],
    "SESSION_COOKIE_SAMESITE": "None",
    "SESSION_COOKIE_PARTITIONED": True,
}
#: The page in the frame: it says who is signed in, and has nothing of the demo's, whose pages are for no frame.
FRAMED = """
<h1>{}</h1>
<form data-passkey="authenticate" data-passkey-next="/framed">
  <button>Sign in with a passkey</button> <p role="status" data-passkey-status></p>
</form>
<script type="module" src="/passkey/static/passkey.js"></script>
"""
#: Chromium's setting for third-party cookies: block all, or none. Which is the default depends on who built it.
THIRD_PARTY = {"blocked": 1, "allowed": 0}


@dataclass
class Sites:
    """The demo, and a shop whose page has it in a frame."""

    demo: Site
    #: The headers of the requests for our routes.
    asked: list[dict[str, str]] = field(default_factory=list)
    #: The names of the cookies that came with the last page in the frame.
    cookies: set[str] = field(default_factory=set)


@pytest.fixture
def sites(serve: Callable[..., Site], certificate: Certificate) -> Callable[..., Sites]:
    """Start both sites."""

    def start(**config: Any) -> Sites:
        made = Sites(Site(Flask("not yet"), RP, 0))

        def prepare(app: Flask) -> None:
            @app.before_request
            def note() -> None:
                if "/authn" in request.path:
                    made.asked.append(dict(request.headers))
                if request.path == "/framed":
                    made.cookies = set(request.cookies)

            @app.get("/shop")
            def shop() -> Response:
                page = f'<link rel="icon" href="data:,"><iframe src="{RP}/framed" allow="{GET} *"></iframe>'
                policies = {
                    "Content-Security-Policy": f"frame-src {RP}; img-src data:",
                    "Permissions-Policy": f"{GET}=*",
                }
                return Response(page, headers=policies, mimetype="text/html")

            @app.get("/framed")
            def framed() -> Response:
                name = f"Hello {current_user.name}" if current_user.is_authenticated else "Hello"
                policy = f"script-src 'self'; frame-ancestors {SHOP}"
                return Response(FRAMED.format(name), headers={"Content-Security-Policy": policy}, mimetype="text/html")

            @app.after_request
            def probe(response: Response) -> Response:
                response.set_cookie("probe", "1", secure=True, samesite="None")
                return response

        made.demo = serve(prepare, certificate.tls, PASSKEY_RP_ID="rp.test", PASSKEY_ORIGINS=[RP], **config)
        made.demo.url = RP
        return made

    return start


@pytest.fixture(params=THIRD_PARTY)
def third_party(request: pytest.FixtureRequest) -> str:
    """What the browser does with third-party cookies."""
    choice: str = request.param
    return choice


@pytest.fixture
def open_page(
    launch_with: Callable[..., BrowserContext], certificate: Certificate, watch: Watch, third_party: str
) -> Iterator[Callable[[Sites], Page]]:
    """Open an empty page of a browser that finds both sites."""
    opened: list[BrowserContext] = []

    def start(sites: Sites) -> Page:
        preferences = {"profile": {"cookie_controls_mode": THIRD_PARTY[third_party]}}
        context = launch_with(preferences, *certificate.flags(sites.demo.port))
        opened.append(context)
        context.set_default_timeout(15_000)
        context.add_init_script(SPY)
        context.add_init_script(f"if (globalThis.PublicKeyCredential) {NO_AUTOFILL}")
        context.on("page", watch.follow)
        return context.new_page()

    yield start
    for context in opened:
        context.close()


def press_in_the_shop(page: Page, sites: Sites) -> FrameLocator:
    """Sign up at the site itself, sign out there, and press the button in the shop's frame."""
    authenticator = Authenticator(page)
    sign_up(page, sites.demo)
    sign_out(page, authenticator, autofill=False)
    sites.asked.clear()
    page.goto(f"{SHOP}/shop")
    frame = page.frame_locator("iframe")
    authenticator.present(True)
    frame.get_by_role("button", name="Sign in with a passkey").click()
    return frame


def test_sign_in_in_a_frame_of_another_site(
    sites: Callable[..., Sites], open_page: Callable[[Sites], Page], third_party: str
) -> None:
    """The app allows it, and people sign in there, whether or not their browser blocks cookies of third parties."""
    made = sites(**EMBEDDED)
    page = open_page(made)
    frame = press_in_the_shop(page, made)
    expect(frame.get_by_role("heading", level=1)).to_have_text("Hello Ada")
    assert ("probe" in made.cookies) is (third_party == "allowed"), "the browser does as it was told"
    assert [headers["Sec-Fetch-Site"] for headers in made.asked] == ["same-origin"] * 2
    assert {headers["Origin"] for headers in made.asked} == {RP}


@pytest.mark.parametrize("third_party", ["allowed"], indirect=True)
def test_a_frame_of_another_site_is_refused_unless_allowed(
    sites: Callable[..., Sites], open_page: Callable[[Sites], Page], watch: Watch
) -> None:
    """As the settings come, nobody signs in there."""
    watch.expected_statuses = {404}
    made = sites(SESSION_COOKIE_SAMESITE="None", SESSION_COOKIE_PARTITIONED=True)
    page = open_page(made)
    frame = press_in_the_shop(page, made)
    expect(frame.locator("[data-passkey-status]")).to_contain_text("That took too long.")
    expect(frame.get_by_role("heading", level=1)).to_have_text("Hello")
