"""A bundle of the modules that are in an installed wheel, made as docs/reference/javascript.md says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from browser.chromium import Authenticator, Site
from browser.test_frontends import BUNDLERS, ENTRY, WENT, bundle, serve_folder
from minified import STATIC
from often import seldom_but
from playwright.sync_api import Page
from services import find

import flask_passkey

ROOT = Path(__file__).parent.parent.parent
DOCS = (ROOT / "docs" / "reference" / "javascript.md").read_text("utf-8")
#: What a wheel is built of.
SOURCES = ("flask_passkey", "pyproject.toml", "setup.cfg", "MANIFEST.in", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return the environment of a shell whose ``python`` finds the package as pip has installed it, not the clone."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    quiet = {"npm_config_audit": "false", "npm_config_fund": "false"}
    if Path(flask_passkey.__file__).parent != ROOT / "flask_passkey":
        return {**os.environ, **quiet, "PATH": path}
    clone, site = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("site")
    for name in SOURCES:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, clone / name)
    pip = [sys.executable, "-m", "pip"] if find_spec("pip") else [find("uv"), "pip"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--target", site, clone], check=True, timeout=180)
    shutil.rmtree(clone)
    return {**os.environ, **quiet, "PATH": path, "PYTHONPATH": str(site)}


@pytest.fixture(scope="module")
def packages(environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package as the command in the documentation installs it."""
    (command,) = re.findall(r"```sh\n(npm install .*?)\n```", DOCS, re.DOTALL)
    folder = tmp_path_factory.mktemp("front")
    (folder / "package.json").write_text("{}")
    subprocess.run(["bash", "-c", command], cwd=folder, env=environment, check=True, timeout=180)
    return folder


def test_it_is_what_pip_has_installed(packages: Path) -> None:
    """npm has the files of the wheel, and all of them."""
    installed = (packages / "node_modules" / "flask-passkey").resolve()
    assert installed != STATIC
    files = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    assert {path.name: path.read_bytes() for path in installed.iterdir()} == files


@pytest.mark.proves("browser:bundles")
@pytest.mark.parametrize("name", seldom_but(["flask-passkey"], ["flask-passkey", "flask-passkey/client"]))
@pytest.mark.parametrize("bundler", seldom_but(["esbuild, IIFE", "vite"], BUNDLERS))
def test_a_bundle_of_it_signs_in(
    bundler: str,
    name: str,
    page: Page,
    serve: Callable[..., Site],
    authenticator: Authenticator,
    packages: Path,
    bundlers: Path,
    tmp_path: Path,
) -> None:
    """A page with the bundle makes an account and signs in."""
    assert f'"{name}"' in DOCS
    out = bundle(bundler, ENTRY.replace("MODULE", name), bundlers, tmp_path / "front", packages)
    site = serve(prepare=serve_folder(out))
    page.goto(f"{site.url}/sign-up")
    page.add_script_tag(url="/front/main.js", type="" if "IIFE" in bundler else "module")
    page.wait_for_function("() => globalThis.journey")
    assert page.evaluate("journey()") == WENT
