"""What npm and bundlers take from the folder of our files: the package ``flask-passkey``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import Site
from browser.test_ecosystem import HEAD, SAMPLE, compile_types
from browser.test_frontends import bundle, serve_folder
from flask import Flask
from minified import STATIC
from often import seldom_but
from playwright.sync_api import Page, expect

import flask_passkey

PACKAGE: dict[str, Any] = json.loads((STATIC / "package.json").read_text("utf-8"))
PAGE = """<!doctype html><html lang="en"><title>Page</title><link rel="icon" href="/static/icon.svg">
<script type="module" src="/front/main.js"></script>
<p data-passkey-if="available" hidden>Here are passkeys.</p>"""
#: What is not the package itself.
REST = """
import { sendSignal } from "flask-passkey/core";
import { loadMessages, PasskeyClient as Client } from "flask-passkey/client";
export const client: PasskeyClient = new Client();
loadMessages().then(() => sendSignal.name);
"""
TREES = ["esbuild, module", "webpack", "vite"]


def test_version() -> None:
    """The package has the version of the Python package."""
    assert PACKAGE["version"] == flask_passkey.__version__


def test_all_that_it_names_is_there(bundlers: Path) -> None:
    """npm packs the modules and their types, and what the package names is in it."""
    packed = bundlers / "node_modules" / "flask-passkey"
    named = [PACKAGE["main"], PACKAGE["types"], *PACKAGE["sideEffects"]]
    named += [path for way in (".", "./client", "./core") for path in PACKAGE["exports"][way].values()]
    assert [path for path in named if not (packed / path).is_file()] == []
    assert {path.name for path in packed.iterdir()} == {path.name for path in STATIC.iterdir()}


@pytest.mark.parametrize("bundler", TREES)
def test_the_page_comes_alive(
    bundler: str, page: Page, serve: Callable[..., Site], bundlers: Path, tmp_path: Path
) -> None:
    """A bundle that imports the package for its effects, and takes nothing from it, has the attributes."""
    out = bundle(bundler, 'import "flask-passkey";', bundlers, tmp_path / "front")

    def add_page(app: Flask) -> None:
        serve_folder(out)(app)
        app.add_url_rule("/front", "page", lambda: PAGE)

    page.goto(f"{serve(prepare=add_page).url}/front")
    expect(page.get_by_text("Here are passkeys.")).to_be_visible()


@pytest.mark.proves("browser:bundles")
@pytest.mark.parametrize("bundler", seldom_but(["vite"], TREES))
def test_what_is_not_used_is_left_out(bundler: str, bundlers: Path, tmp_path: Path) -> None:
    """Of the client a bundle has what it uses: nothing, one question, or the ceremonies, as of the core alone."""
    used = ("", "whyUnavailable", "startRegistration, startAuthentication", "PasskeyClient")
    entries = [(names, "client") for names in used] + [(used[2], "core")]
    sizes = []
    for number, (names, module) in enumerate(entries):
        entry = f'import {{ {names} }} from "flask-passkey/{module}"; globalThis.used = [{names}];'
        sizes.append((bundle(bundler, entry, bundlers, tmp_path / str(number)) / "main.js").stat().st_size)
    assert sizes[0] < 200
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3]
    assert abs(sizes[2] - sizes[4]) < 20  # not to the byte: short names are chosen anew
    assert sizes[1] < 4_500
    assert sizes[2] < (11_500 if bundler == "esbuild, module" else 9_500)  # esbuild puts what comes later into the file


@pytest.mark.parametrize(
    ("version", "module", "resolution"),
    [
        ("5.4", "es2022", "bundler"),
        ("5.4", "nodenext", "nodenext"),
        ("5.4", "es2022", "node10"),
        ("7", "es2022", "bundler"),
        ("7", "nodenext", "nodenext"),
    ],
)
def test_typescript_finds_the_types(
    npm: Path, bundlers: Path, tmp_path: Path, version: str, module: str, resolution: str
) -> None:
    """In every way of looking for packages, TypeScript finds the types of all modules; in the oldest of the first."""
    (tmp_path / "node_modules").mkdir()  # with no types of others
    (tmp_path / "node_modules" / "flask-passkey").symlink_to(bundlers / "node_modules" / "flask-passkey")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    head = HEAD.replace("./passkey.js", "flask-passkey")
    rest = "" if resolution == "node10" else REST
    (tmp_path / "sample.ts").write_text(head + rest + SAMPLE)
    compile_types(npm, version, module, resolution, folder=tmp_path, files=["sample.ts"])
