"""The page of the examples, step by step: its edits in *before*, its commands, and a passkey in the running app."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import services
from example_apps import EXAMPLES, NAMES, require
from nodes import Browser
from often import seldom_but
from test_docs import ROOT

from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_in

pytestmark = pytest.mark.proves("frictions:pages")

PAGE = (ROOT / "docs" / "tutorials" / "examples.md").read_text("utf-8")
WHO = {"name": "ada", "email": "ada@example.com", "password": "correct horse", "password_confirm": "correct horse"}
WEB = "http://localhost:3000"


def section(name: str) -> str:
    """Return what the page says of an example."""
    return PAGE.partition(f"[after](../../examples/{name}/after)")[2].partition("\n## ")[0]


def edited(before: list[str], diff: list[str]) -> list[str]:
    """Return the lines of a file after the edits of a diff, each of which must be where it says."""
    after: list[str] = []
    at = 0
    for line in diff:
        if hunk := re.match(r"@@ -(\d+)(?:,(\d+))? ", line):
            start = int(hunk[1]) - (hunk[2] != "0")
            after, at = after + before[at:start], start
        elif line.startswith("+"):
            after.append(line[1:])
        else:
            assert before[at] == line[1:]
            after, at = after + [line[1:]] * line.startswith(" "), at + 1
    return after + before[at:]


def edit(folder: Path, text: str) -> None:
    """Make all edits of a section in an app."""
    diffs = text.partition("```diff\n")[2].partition("\n```\n")[0] + "\n"
    for diff in re.split(r"^--- before/", diffs, flags=re.MULTILINE)[1:]:
        path, _, *lines = diff.splitlines(keepends=True)
        file = folder / path.strip()
        before = file.read_text("utf-8").splitlines(keepends=True) if file.exists() else []
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(edited(before, lines)), "utf-8")


def flask(folder: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command of an app, which must succeed."""
    run = [sys.executable, "-m", "flask", *command]
    done = subprocess.run(run, cwd=folder, env=env(**settings), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def env(**settings: str) -> dict[str, str]:
    """Return the environment of an app, as of somebody who has installed Flask-Passkey."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": paths} | {f"FLASK_{name}": value for name, value in settings.items()}


@contextmanager
def served(folder: Path, port: int, **settings: str) -> Iterator[str]:
    """Run the app as the page says, and give its address."""
    log = folder / "server.log"
    run = [sys.executable, "-m", "flask", "run", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(run, cwd=folder, env=env(**settings), stdout=output, stderr=output)
    try:
        services.wait_for(port, process, log)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(30)


def submit(browser: Browser, path: str) -> None:
    """Fill in a form as a person does, who takes no notice of fields that it does not have."""
    page = _exchange(browser, "GET", path, {})
    token = re.search(r'name="csrf_token".*? value="(.+?)"', page)
    _exchange(browser, "POST", path, WHO | ({"csrf_token": token[1]} if token else {}))


def _exchange(browser: Browser, method: str, path: str, fields: dict[str, str]) -> str:
    connection = HTTPConnection(str(urlsplit(browser.url).netloc), timeout=30)
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    headers |= {"Content-Type": "application/x-www-form-urlencoded"} if fields else {}
    connection.request(method, path, urlencode(fields) if fields else None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    cookies = [line.partition(";")[0].partition("=") for line in answer.headers.get_all("Set-Cookie", [])]
    browser.cookies |= {name: value for name, _, value in cookies}
    connection.close()
    assert answer.status < 400, text
    return text


@pytest.mark.parametrize("name", NAMES)
def test_the_edits_lead_from_before_to_after(name: str, tmp_path: Path) -> None:
    """Whoever makes the edits of the page in *before*, and no other, has *after*, but for its tests."""
    folder = shutil.copytree(EXAMPLES / name / "before", tmp_path / name)
    edit(folder, section(name))
    shutil.copy(EXAMPLES / name / "after" / "test_app.py", folder)
    assert dict(texts(folder)) == dict(texts(EXAMPLES / name / "after"))


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the files of an app with what is in them."""
    for file in folder.rglob("*"):
        if file.is_file() and not {"__pycache__", ".pytest_cache", "instance"} & set(file.parts):
            yield file.relative_to(folder).as_posix(), file.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", seldom_but(["login"], NAMES))
def test_the_steps_of_the_page_lead_to_a_passkey(name: str, tmp_path: Path) -> None:
    """After the edits and the commands the app runs, the check finds nothing, and a passkey is added and signs in."""
    require(name)
    folder = shutil.copytree(EXAMPLES / name / "before", tmp_path / name)
    commands = re.findall(r"`(flask [^`]+)`", section(name).rpartition("\nThen: ")[2])
    migrates = "flask db upgrade" in commands
    for command in (["init"], ["migrate"], ["upgrade"]) if migrates else ():  # the app that exists has its tables
        flask(folder, "db", *command)
    edit(folder, section(name))
    assert commands.pop() == "flask run"
    port = services.free_port()
    origin = WEB if name == "spa" else f"http://localhost:{port}"
    settings = {"WEB_ORIGIN": WEB} if name == "spa" else {"PASSKEY_ORIGINS": origin}
    for command in commands:
        flask(folder, *command.split()[1:], **settings)
    found = json.loads(flask(folder, "passkey", "check", "--json", **settings).stdout)
    assert [finding for finding in found if not finding["id"].startswith("versions.")] == []
    with served(folder, port, **settings) as url:
        browser, authenticator = Browser(url), VirtualAuthenticator(origin)
        for path in ("/sign-up", "/sign-in"):
            browser.post(path, json=WHO) if name == "spa" else submit(browser, path)
        add_passkey(browser, authenticator)
        assert sign_in(Browser(url), authenticator)["user"]["name"] in (WHO["name"], WHO["email"])
