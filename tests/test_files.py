"""Our files for browsers: their addresses, who keeps them for how long, and the element that loads the script."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from apps import App, make_app
from flask import Flask, render_template_string, session
from flask.testing import FlaskClient
from flask_talisman import Talisman
from markupsafe import escape
from minified import STATIC
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse

from flask_passkey import MemoryCredentialRepository, Passkey
from flask_passkey.testing import VirtualAuthenticator, sign_up
from flask_passkey.web import files

SCRIPT = "/passkey/static/passkey.min.js"
FOREVER = "public, max-age=31536000, immutable"
ICON = "/passkey/icons/fbfc3007-154e-4ecc-8c0b-6e020557d7bd/light"


def digest(name: str) -> bytes:
    """Return the digest of a file as it is in the repository."""
    return hashlib.sha384((STATIC / name).read_bytes()).digest()


def versioned(name: str = "passkey.min.js") -> str:
    """Return the address of a file with its version."""
    return f"/passkey/static/{name}?v={digest(name).hex()[:16]}"


def get(client: FlaskClient | Client, path: str, **headers: str) -> TestResponse:
    """Read and close an answer."""
    answer = client.get(path, headers=headers)
    with answer:
        answer.get_data()
    return answer


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a copy of the files, which is served in their place."""
    shutil.copytree(STATIC, tmp_path / "static")
    monkeypatch.setattr(files, "FOLDER", str(tmp_path / "static"))
    return tmp_path / "static"


# How long they are kept


@pytest.mark.parametrize(
    "name", ["passkey.min.js", "passkey-core.min.js", "passkey.js", "passkey.css", "passkey-old.js"]
)
def test_kept_for_good_at_the_address_with_its_version(client: FlaskClient, name: str) -> None:
    """Nobody asks again for a file whose address says what is in it."""
    answer = get(client, versioned(name))
    assert answer.headers["Cache-Control"] == FOREVER
    assert answer.data == (STATIC / name).read_bytes()


@pytest.mark.parametrize(
    ("settings", "policy"), [({}, "no-cache"), ({"SEND_FILE_MAX_AGE_DEFAULT": 60}, "public, max-age=60")]
)
def test_the_plain_address_is_as_the_apps_own_files(settings: dict[str, Any], policy: str) -> None:
    """Without a version the app's setting says how long files are kept."""
    client = make_app(settings).app.test_client()
    assert get(client, SCRIPT).headers["Cache-Control"] == policy


@pytest.mark.parametrize("version", ["", "0123456789abcdef", "0" * 10_000, "%00", "%ff"])
def test_another_version_is_todays_file_and_kept_by_nobody(version: str) -> None:
    """A page of another release gets a file that works, and no cache takes it for what the page has asked for."""
    client = make_app({"SEND_FILE_MAX_AGE_DEFAULT": 3600}).app.test_client()
    answer = get(client, f"{SCRIPT}?v={version}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")
    assert answer.data == (STATIC / "passkey.min.js").read_bytes()


@pytest.mark.parametrize("name", ["nothing.js", "../views.py", "a%00b", "", "passkey.js/x"])
def test_no_such_file(client: FlaskClient, name: str) -> None:
    """What is not one of our files is not found, with a version or without."""
    assert get(client, f"/passkey/static/{name}").status_code == 404
    assert get(client, f"/passkey/static/{name}?v=0123456789abcdef").status_code == 404


# ETags


def test_nodes_agree_on_the_etag(client: FlaskClient, folder: Path) -> None:
    """It is the content's: a node that was installed at another time has the same, and no other date tells of it."""
    first = get(client, SCRIPT)
    os.utime(folder / "passkey.min.js", (1, 1))
    second = get(client, SCRIPT)
    assert first.headers["ETag"] == second.headers["ETag"] == f'"{digest("passkey.min.js").hex()[:16]}"'
    assert "Last-Modified" not in first.headers
    again = get(client, SCRIPT, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_another_content_has_another_etag(client: FlaskClient, folder: Path) -> None:
    """A file that changes has another ETag and version at once, and what was kept of it is asked for again."""
    before = get(client, versioned())
    with (folder / "passkey.min.js").open("a") as script:
        script.write("// changed\n")
    after = get(client, versioned(), **{"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.headers["Cache-Control"]) == (200, "no-cache")
    assert after.headers["ETag"] != before.headers["ETag"]


# Beside cookies


@pytest.mark.parametrize("path", [versioned(), ICON])
def test_no_shared_cache_keeps_a_cookie(client: FlaskClient, path: str) -> None:
    """The session's cookie, which Flask-Session sends with every answer, is never in one that others may get."""
    sign_up(client, VirtualAuthenticator("http://localhost"), "ada")
    answer = get(client, path)
    assert "Set-Cookie" in answer.headers
    assert answer.cache_control.private
    assert not answer.cache_control.public
    assert answer.cache_control.max_age


@pytest.mark.parametrize("path", [versioned(), ICON])
def test_files_do_not_vary_by_cookies(site: App, path: str) -> None:
    """A file is the same for everybody, also where the app looks into the session at every request."""
    site.app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    site.app.before_request(lambda: None if "user_id" in session else None)
    answer = get(site.app.test_client(), path)
    assert answer.cache_control.public
    assert "Cookie" not in answer.vary


# The element that loads the script


def tags(page: str) -> list[dict[str, str]]:
    """Return the attributes of the scripts in a page."""
    found = re.findall(r"<script ([^>]*)></script>", page)
    return [dict(re.findall(r'([a-z]+)(?:="([^"]*)")?', attributes)) for attributes in found]


def test_script_tag(site: App) -> None:
    """It has the versioned address and the digest of the module, and of the script for browsers without modules."""
    with site.app.test_request_context():
        module, old = tags(site.passkey.script_tag())
    for attributes, name in ((module, "passkey.min.js"), (old, "passkey-old.js")):
        assert attributes.pop("src") == versioned(name)
        assert attributes.pop("integrity") == f"sha384-{base64.b64encode(digest(name)).decode()}"
    assert (module, old) == ({"type": "module"}, {"nomodule": "", "defer": ""})


@pytest.mark.parametrize("nonce", ["r4nd0m", '"><script>alert(1)</script>', "a&b"])
def test_script_tag_with_a_nonce(site: App, nonce: str) -> None:
    """The nonce is text, whatever is in it."""
    with site.app.test_request_context():
        tag = site.passkey.script_tag(nonce)
    assert [attributes["nonce"] for attributes in tags(tag)] == [str(escape(nonce))] * 2


@pytest.mark.parametrize("pages", [False, True])
def test_templates_have_it(pages: bool) -> None:
    """Templates of the app and the ready pages have the element, with Flask-Talisman's nonce where it has one."""

    def protect(app: Flask) -> None:
        policy = {"script-src": "'self'"}
        Talisman(app, force_https=False, content_security_policy=policy, content_security_policy_nonce_in="script-src")

    site = make_app(before=protect, pages=pages)
    site.app.add_url_rule("/own", "own", lambda: render_template_string("{{ passkey_ui.script_tag(csp_nonce()) }}"))
    answer = get(site.app.test_client(), "/passkeys/sign-in" if pages else "/own")
    found = tags(answer.text)
    assert [attributes["src"] for attributes in found] == [
        escape(versioned(name)) for name in (files.SCRIPT, files.OLD_SCRIPT)
    ]
    for attributes in found:
        assert f"'nonce-{attributes['nonce']}'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("prefix", ["", "/api/v4"])
def test_script_tag_below_a_path(prefix: str) -> None:
    """Where the app is mounted below a path, with or without a prefix, the address leads to the file."""
    site = make_app({"PASSKEY_URL_PREFIX": prefix, "APPLICATION_ROOT": "/shop"})
    site.app.add_url_rule("/own", "own", lambda: str(site.passkey.script_tag()))
    client = Client(DispatcherMiddleware(Flask("root"), {"/shop": site.app}))
    for attributes in tags(get(client, "/shop/own").text):
        assert attributes["src"].startswith(f"/shop{prefix}/passkey/static/")
        assert get(client, attributes["src"]).headers["Cache-Control"] == FOREVER


def test_script_tag_at_another_host() -> None:
    """Where the routes are at a host, and by another name, pages of others load the script from there."""
    app = Flask(__name__, host_matching=True, static_host="www.example.com")
    app.config.update(TESTING=True, SECRET_KEY="x", PASSKEY_CEREMONY_STORE="database")
    app.config.update(PASSKEY_RP_ID="example.com", PASSKEY_ORIGINS="https://www.example.com")
    app.config["PASSKEY_DATABASE_URI"] = "sqlite://"
    passkey = Passkey(app, blueprint_name="webauthn", host="auth.example.com")
    with app.test_request_context("/", base_url="https://www.example.com"):
        addresses = [attributes["src"] for attributes in tags(passkey.script_tag())]
    assert [address.partition("?")[0] for address in addresses] == [
        f"https://auth.example.com/passkey/static/{name}" for name in (files.SCRIPT, files.OLD_SCRIPT)
    ]


def test_script_tag_of_another_app(site: App) -> None:
    """An extension that the current app does not have says so."""
    other = Passkey(credentials=MemoryCredentialRepository())
    with site.app.test_request_context(), pytest.raises(RuntimeError, match="init_app"):
        other.script_tag()


@pytest.mark.parametrize("path", [".", "./", "icons/..", "x/..", "%00", "..%2f__init__.py", "a" * 5000])
def test_what_is_no_file_is_not_found(site: App, path: str) -> None:
    """Folders, and what cannot be the name of a file, are not found, whoever asks."""
    assert site.app.test_client().get(f"/passkey/static/{path}").status_code == 404
