"""Files for browsers through the nginx configuration that we ship: compressed, and kept for good."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cluster
import pytest
import services
from apps import App, make_app
from minified import STATIC
from werkzeug.serving import make_server

from flask_passkey.web import files

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def app() -> App:
    """Return an app at the address that the configuration is for."""
    return make_app({"PASSKEY_RP_ID": cluster.HOST}, pages=True)


@pytest.fixture(scope="module")
def browser(app: App) -> Iterator[cluster.Browser]:
    """Return a browser in front of nginx, with the app behind it."""
    temporary = TemporaryDirectory(prefix="passkey-test-", ignore_cleanup_errors=True)
    server = make_server("127.0.0.1", 0, app.app, threaded=True)
    with temporary as name:
        folder, ports = Path(name), cluster.Ports(nodes=(server.port, server.port))
        folder.chmod(0o755)  # nginx has another user
        cluster.make_certificate(folder)
        cluster.write_site(folder, ports)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        tls = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
        with services.nginx_server(folder, port=ports.https):
            yield cluster.Browser(port=ports.https, tls=tls)
        server.shutdown()
        thread.join()
        server.server_close()


def address(app: App, name: str) -> str:
    """Return the address of a file with its version."""
    with app.app.test_request_context():
        return files.url_of(name)


@pytest.mark.parametrize("name", ["passkey.min.js", "passkey-core.js", "passkey.css"])
def test_files_are_compressed_and_kept(app: App, browser: cluster.Browser, name: str) -> None:
    """What a browser that can gunzip gets is as long as gzip makes it, and may be kept; asked again it is not sent."""
    path, packed = address(app, name), {"Accept-Encoding": "gzip, br"}
    answer = browser.send("GET", path, headers=packed)
    assert gzip.decompress(answer.body) == (STATIC / name).read_bytes()
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    again = browser.send("GET", path, headers=packed | {"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.body) == (304, b"")
    plain = browser.send("GET", path)
    assert plain.body == (STATIC / name).read_bytes()


@pytest.mark.parametrize("path", ["/passkeys/sign-in", "/user/authn"])
def test_what_is_one_persons_is_not_compressed(browser: cluster.Browser, path: str) -> None:
    """The length of a compressed page tells strangers what is in it, so pages and envelopes are sent as they are."""
    answer = browser.send("GET", path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers
    assert answer.body


def test_the_plain_address_asks_each_time(browser: cluster.Browser) -> None:
    """Without its version a file is not kept, through nginx either."""
    answer = browser.send("GET", "/passkey/static/passkey.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["ETag"].startswith('W/"'), "the bytes are gzip's"
