"""The demo on a real port, a real Chromium in front of it, and authenticators that we control."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import SPY, Authenticator, Site, Watch
from browser.tls import Certificate, make_certificate
from flask import Flask
from minified import ESBUILD, STATIC, TERSER
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, expect, sync_playwright
from services import chromium_options, find
from werkzeug.serving import make_server

from demo import create_app

#: Installed for the tests that want them, at the versions they were written with.
PACKAGES = (
    "@simplewebauthn/browser@13.3.0",
    "axe-core@4.14.1",
    "typescript-5.4@npm:typescript@5.4.5",
    "typescript-5.9@npm:typescript@5.9.3",
    "typescript-7@npm:typescript@7.0.2",
    ESBUILD,
    TERSER,
)
#: Front ends and what bundles them, likewise.
FRONT_ENDS = (
    "@hotwired/turbo@8.0.23",
    "htmx.org@4.0.1",
    "react-dom@19.3.1",
    "react@19.3.1",
    "vite@8.3.8",
    "webpack@5.112.2",
    "webpack-cli@7.3.1",
    ESBUILD,
)
#: Domains of tests over TLS.
HOSTS = ("rp.test", "brand.test", "stranger.test", "shop.test")
HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[BrowserType]:
    """What starts Chromium."""
    expect.set_options(timeout=15_000)  # a busy machine is no failure
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="session")
def launch(chromium: BrowserType) -> Callable[..., Browser]:
    """Start Chromium with some flags of its own."""
    return lambda *flags: chromium.launch(**chromium_options(flags))


@pytest.fixture
def launch_with(chromium: BrowserType, tmp_path: Path) -> Callable[..., BrowserContext]:
    """Start Chromium with preferences that somebody has chosen, and some flags."""

    def start(preferences: dict[str, Any], *flags: str) -> BrowserContext:
        profile = tmp_path / "profile"
        (profile / "Default").mkdir(parents=True)
        (profile / "Default" / "Preferences").write_text(json.dumps(preferences))
        return chromium.launch_persistent_context(profile, **chromium_options(flags))

    return start


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    """The Chromium of most tests."""
    chromium = launch()
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages from the npm registry; they are never part of the repository."""
    return npm_install(tmp_path_factory.mktemp("npm"), PACKAGES)


@pytest.fixture(scope="session")
def bundlers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the front ends from the npm registry, and our package as npm packs it."""
    return npm_install(tmp_path_factory.mktemp("frontends"), (*FRONT_ENDS, str(STATIC)))


def npm_install(folder: Path, packages: Sequence[str]) -> Path:
    """Install packages into a folder, and return it; a folder is installed as if it had been published."""
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--install-links", "--prefix", str(folder)]
    done = subprocess.run([find("npm"), "install", *options, *packages], capture_output=True, text=True, timeout=180)
    if done.returncode and os.environ.get("PASSKEY_TEST_REQUIRE_SERVICES") != "1":
        pytest.skip("the npm registry cannot be reached")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for all domains here."""
    return make_certificate(HOSTS, tmp_path_factory.mktemp("tls") / "site.pem")


def in_one_piece(app: Flask) -> Callable[..., list[bytes]]:
    """Read and close each answer before it is sent: werkzeug leaves a file open when a browser does not wait for it."""

    def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
        answer = app(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            getattr(answer, "close", lambda: None)()

    return wsgi_app


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Start the demo with some settings of its own, on a free port of localhost, behind TLS where asked for."""
    stops: list[Callable[[], None]] = []

    def start(
        prepare: Callable[[Flask], None] = lambda app: None, tls: ssl.SSLContext | None = None, **config: Any
    ) -> Site:
        server = make_server("127.0.0.1", 0, Flask("not yet"), threaded=True, ssl_context=tls)
        url = f"http://localhost:{server.port}"
        defaults = {"PASSKEY_ORIGINS": [url], "INSTANCE_PATH": str(tmp_path), "RATELIMIT_ENABLED": False}
        app = create_app({**defaults, **config})
        prepare(app)
        server.app = in_one_piece(app)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            thread.join()
            server.server_close()
            with app.app_context():
                app.extensions["passkey"].credentials.close()

        stops.append(stop)
        return Site(app, url, server.port)

    yield start
    for stop in stops:
        stop()


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    """The demo as it comes, without its limits."""
    return serve()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Fail the test for anything the browser complained about: errors, warnings, what the CSP refused."""
    watching = Watch()
    yield watching
    assert watching.complaints == []


@pytest.fixture
def locale() -> str:
    """The language that the browser prefers, and its region; a test may be parametrized with others."""
    return "en-GB"


@pytest.fixture
def context(browser: Browser, watch: Watch, serve: Callable[..., Site], locale: str) -> Iterator[BrowserContext]:
    """A browser without a past, closed before the servers stop."""
    made = browser.new_context(locale=locale, timezone_id="Europe/Berlin")
    made.set_default_timeout(15_000)
    made.add_init_script(SPY)
    made.on("page", watch.follow)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty page."""
    return context.new_page()


@pytest.fixture
def authenticator(page: Page) -> Authenticator:
    """An authenticator of the page that holds synced passkeys and answers at once."""
    return Authenticator(page)
