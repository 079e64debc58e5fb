"""One account on several domains: related origins, over TLS, in a real browser that fetches our list of them.

The browser believes that ``*.test`` is on this machine, and trusts the certificate of the tests and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from browser.chromium import NO_AUTOFILL, SPY, Authenticator, Site, Watch, forget_passkeys, sign_in, sign_out, sign_up
from browser.tls import Certificate
from flask import Flask, request
from playwright.sync_api import Browser, Page, expect

HOME, BRAND, STRANGER = "https://rp.test", "https://brand.test", "https://stranger.test"


@dataclass
class Family:
    """The demo on several domains."""

    #: Its first domain, the RP ID; the others are the same server.
    site: Site
    #: The headers of the requests for the list of related origins.
    asked: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def family(serve: Callable[..., Site], certificate: Certificate) -> Family:
    """The demo at home, at a related origin, and at one that is not."""
    asked: list[dict[str, str]] = []

    def listen(app: Flask) -> None:
        @app.before_request
        def note() -> None:
            if request.path.startswith("/.well-known/"):
                asked.append(dict(request.headers))

    rp = {"PASSKEY_RP_ID": "rp.test", "PASSKEY_ORIGINS": [HOME], "PASSKEY_RELATED_ORIGINS": [BRAND]}
    return Family(serve(listen, certificate.tls, **rp), asked)


@pytest.fixture
def page(launch: Callable[..., Browser], family: Family, certificate: Certificate, watch: Watch) -> Iterator[Page]:
    """An empty page of a browser that finds all domains here."""
    chromium = launch(*certificate.flags(family.site.port))
    context = chromium.new_context()
    context.set_default_timeout(15_000)
    context.add_init_script(SPY)
    context.on("page", watch.follow)
    yield context.new_page()
    chromium.close()


def at(family: Family, origin: str) -> Site:
    """Return the same site at another domain."""
    return Site(family.site.app, origin, family.site.port)


def test_one_account_on_all_domains(page: Page, family: Family, authenticator: Authenticator) -> None:
    """A passkey made on a related domain belongs to the RP ID, and signs in on both."""
    page.add_init_script(NO_AUTOFILL)
    sign_up(page, at(family, BRAND))
    (credential,) = authenticator.credentials
    assert credential["rpId"] == "rp.test"
    sign_out(page, authenticator, autofill=False)
    sign_in(page, authenticator)
    assert page.url.startswith(BRAND)
    page.goto(f"{HOME}/sign-in")
    sign_in(page, authenticator)
    assert page.url.startswith(HOME)
    expect(page.locator("[data-name]")).to_have_count(1)


def test_autofill_and_signals_on_a_related_domain(
    page: Page, family: Family, authenticator: Authenticator, watch: Watch
) -> None:
    """There passkeys are offered in the name field too, and the password manager hears of the ones that are gone."""
    sign_up(page, at(family, BRAND))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("Last used today")).to_be_visible()
    sign_out(page, authenticator)
    forget_passkeys(family.site)
    watch.expected_statuses = {401}
    authenticator.present(True)
    page.reload()  # the name field is answered at once; a click would compete with it
    expect(page.get_by_role("alert")).to_contain_text("This passkey is no longer registered here.")
    assert authenticator.credentials == []


def test_the_list_is_asked_for_by_nobody(page: Page, family: Family, authenticator: Authenticator) -> None:
    """The browser asks for the list without cookies: it must not need any."""
    page.add_init_script(NO_AUTOFILL)
    sign_up(page, at(family, HOME))
    assert family.asked == [], "at home there is nothing to ask"
    page.goto(f"{BRAND}/sign-in")
    sign_in(page, authenticator)
    assert family.asked
    assert {request["Host"] for request in family.asked} == {"rp.test"}
    assert not [request for request in family.asked if "Cookie" in request]


def test_no_passkeys_for_strangers(page: Page, family: Family, authenticator: Authenticator, watch: Watch) -> None:
    """At an address that is not set up the module says so, and nothing about the passkey; so does the page."""
    watch.expected_statuses = {403}
    page.goto(f"{STRANGER}/sign-in")
    expect(page.get_by_role("complementary").get_by_role("link", name=HOME)).to_be_visible()
    said = page.evaluate(
        """async () => {
          const { PasskeyClient } = await import("/passkey/static/passkey.js");
          const client = new PasskeyClient();
          const attempts = [() => client.authenticate(), () => client.signUp({ name: "Ada" })];
          const said = [];
          for (const attempt of attempts) await attempt().catch(({ code, message }) => said.push([code, message]));
          return said;
        }"""
    )
    assert said == [["domain", "Passkeys do not work on this address. Please open the usual address of this site."]] * 2
