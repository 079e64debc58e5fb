"""``passkey.js`` in front ends of all kinds: bundled, from another origin, and on pages that change without loading."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import MODULE, Authenticator, Site
from flask import Flask, Response, request, send_from_directory
from playwright.sync_api import Page
from services import find

#: Installed for these tests only, at the versions they were written with.
PACKAGES = ("esbuild@0.28.2", "vite@8.3.8", "webpack@5.112.2", "webpack-cli@7.3.1")
#: An account is made and signed in with a client that nobody told where the routes are.
ENTRY = f"""
import {{ PasskeyClient }} from {str(MODULE)!r};
globalThis.journey = async () => {{
  const client = new PasskeyClient();
  await client.signUp({{ name: "ada" }});
  const {{ user }} = await client.authenticate();
  return [user.name, (await client.list()).length];
}};
"""
#: How each bundler makes ``out/main.js`` of ``main.js``, without a file of settings.
BUNDLERS = {
    "esbuild, IIFE": ["esbuild", "main.js", "--bundle", "--outfile=out/main.js"],
    "esbuild, module": ["esbuild", "main.js", "--bundle", "--format=esm", "--minify", "--outfile=out/main.js"],
    "webpack": ["webpack", "./main.js", "--mode=production", "--output-path=out", "--output-filename=main.js"],
    "vite": ["vite", "build", "--logLevel=warn", "--config=vite.config.mjs"],
}
VITE = """
const output = { entryFileNames: "main.js" };
export default { build: { outDir: "out", rolldownOptions: { input: "main.js", output } } };
"""


@pytest.fixture(scope="session")
def bundlers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the front ends from the npm registry."""
    folder = tmp_path_factory.mktemp("frontends")
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    command = [find("npm"), "install", *options, *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if done.returncode and os.environ.get("PASSKEY_TEST_REQUIRE_SERVICES") != "1":
        pytest.skip("the npm registry cannot be reached")
    assert done.returncode == 0, done.stderr
    return folder


def serve_folder(folder: Path) -> Callable[[Flask], None]:
    """Return what lets the demo serve a folder below ``/front``."""

    def prepare(app: Flask) -> None:
        app.add_url_rule("/front/<path:name>", "front", lambda name: send_from_directory(folder, name))

    return prepare


@pytest.mark.parametrize("bundler", BUNDLERS)
def test_bundled(
    bundler: str, page: Page, serve: Callable[..., Site], authenticator: Authenticator, bundlers: Path, tmp_path: Path
) -> None:
    """In a bundle of every kind the module loads and finds the routes, without a word from the app."""
    folder = tmp_path / "front"
    folder.mkdir()
    (folder / "main.js").write_text(ENTRY)
    (folder / "vite.config.mjs").write_text(VITE)
    (folder / "node_modules").symlink_to(bundlers / "node_modules")
    command = [str(folder / "node_modules" / ".bin" / BUNDLERS[bundler][0]), *BUNDLERS[bundler][1:]]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    site = serve(prepare=serve_folder(folder / "out"))
    page.goto(f"{site.url}/sign-up")
    page.add_script_tag(url="/front/main.js", type="" if "IIFE" in bundler else "module")
    page.wait_for_function("() => globalThis.journey")
    assert page.evaluate("journey()") == ["ada", 1]


def allow_other_origins(app: Flask) -> None:
    """Do what Flask-CORS does with ``supports_credentials``."""

    def allow(response: Response) -> Response:
        if origin := request.headers.get("Origin"):
            allowed = {
                "Origin": origin,
                "Credentials": "true",
                "Methods": "PUT, PATCH, DELETE",
                "Headers": "content-type",
            }
            for name, value in allowed.items():
                response.headers[f"Access-Control-Allow-{name}"] = value
        return response

    app.after_request(allow)


def allow_to_connect(app: Flask) -> None:
    """Take the policy away that keeps the demo's pages to their own origin."""

    def allow(response: Response) -> Response:
        del response.headers["Content-Security-Policy"]
        return response

    app.after_request_funcs[None].insert(0, allow)  # Flask calls the first one last


@pytest.mark.parametrize("how", ["imported from there", "with a base"])
def test_an_api_on_another_origin(
    how: str, page: Page, serve: Callable[..., Site], authenticator: Authenticator
) -> None:
    """A page at one port uses the API at another one: cookies go along by themselves."""
    front = serve(prepare=allow_to_connect)
    api = serve(prepare=allow_other_origins, PASSKEY_ORIGINS=[front.url])
    page.goto(f"{front.url}/sign-up")
    found: Any = page.evaluate(
        """async ([from, base]) => {
          const { PasskeyClient } = await import(`${from}/passkey/static/passkey.js`);
          const client = new PasskeyClient({ base });
          await client.signUp({ name: "ada" });
          const { user } = await client.authenticate();
          return [user.name, (await client.list()).length];
        }""",
        [api.url, None] if "imported" in how else [front.url, api.url],
    )
    assert found == ["ada", 1]
