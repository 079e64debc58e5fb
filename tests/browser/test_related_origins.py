"""One account on several domains: related origins, over TLS, in a real browser that fetches our list of them.

The browser believes that ``*.test`` is on this machine, and trusts the certificate made here and no other.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from browser.chromium import NO_AUTOFILL, SPY, Authenticator, Site, Watch, forget_passkeys, sign_in, sign_out, sign_up
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
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


@dataclass
class Certificate:
    """A server's certificate, and how Chromium is told to trust it."""

    tls: ssl.SSLContext
    fingerprint: str


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for all domains here, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Flask-Passkey tests")])
    now, day = datetime.now(UTC), timedelta(days=1)
    hosts = [x509.DNSName(origin.removeprefix("https://")) for origin in (HOME, BRAND, STRANGER)]
    draft = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    made = draft.add_extension(x509.SubjectAlternativeName(hosts), critical=False).sign(key, hashes.SHA256())
    file = tmp_path_factory.mktemp("tls") / "site.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    der = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return Certificate(tls, base64.b64encode(hashlib.sha256(key.public_key().public_bytes(*der)).digest()).decode())


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
    chromium = launch(
        f"--host-resolver-rules=MAP *.test 127.0.0.1:{family.site.port}",
        f"--ignore-certificate-errors-spki-list={certificate.fingerprint}",
    )
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
    assert said == [["domain", "Passkeys do not work on this address."]] * 2
