"""``flask passkey check --url``: an app as a request from outside sees it, behind servers that spoil something."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import services
from apps import make_app
from cluster import make_certificate
from flask import Flask, abort, redirect, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from demo import create_app
from flask_passkey import PasskeyConfig, SQLCredentialRepository, advisories
from flask_passkey.cli import passkey
from flask_passkey.doctor import Finding, look
from flask_passkey.doctor.outside import client

WSGI = Callable[..., Iterable[bytes]]
Headers = list[tuple[str, str]]


@pytest.fixture(autouse=True)
def _no_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what is installed here."""
    monkeypatch.setattr(advisories, "installed_versions", dict)


@contextmanager
def served(wsgi: WSGI, *, certificate: tuple[str, str] | None = None, path: str = "") -> Iterator[str]:
    """Serve an app on a free port and yield its address."""
    server = make_server("localhost", 0, wsgi, threaded=True, ssl_context=certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http{'s' if certificate else ''}://localhost:{server.server_port}{path}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def site(page: Headers | None = None, **config: Any) -> Flask:
    """Return an app at localhost with a page.

    :param page: headers of the page.
    """
    app = make_app(config).app
    app.add_url_rule("/", "page", lambda: ("<!doctype html>", page or []))
    return app


def seen(app: Flask, wsgi: WSGI | None = None, *, path: str = "") -> dict[str, Finding]:
    """Return what is found where an app is served, by id."""
    with served(wsgi or app, path=path) as url:
        return {finding.id: finding for finding in look(config_of(app), url)}


def config_of(app: Flask) -> PasskeyConfig:
    """Return the settings of an app."""
    config: PasskeyConfig = app.extensions["passkey_state"].config
    return config


def changing_request(inner: WSGI, change: Callable[[dict[str, Any]], object]) -> WSGI:
    """Return a proxy that changes what it passes on."""

    def proxy(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        change(environ)
        return inner(environ, start_response)

    return proxy


def changing_answer(inner: WSGI, change: Callable[[str, str], str | None]) -> WSGI:
    """Return a proxy that changes headers of what comes back, or takes them away."""

    def proxy(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        def start(status: str, headers: Headers, *rest: Any) -> Any:
            changed = [(name, change(name.lower(), value)) for name, value in headers]
            return start_response(status, [(name, value) for name, value in changed if value is not None], *rest)

        return inner(environ, start)

    return proxy


def without_header(name: str) -> Callable[[str, str], str | None]:
    """Return a change that takes one header away."""
    return lambda found, value: None if found == name else value


def test_a_healthy_site_has_no_finding() -> None:
    """From the start of a sign-in to the script and the documents."""
    headers = [
        ("Content-Security-Policy", "default-src 'none'; script-src 'nonce-x' 'strict-dynamic'; connect-src 'self'"),
        ("Permissions-Policy", "camera=(), publickey-credentials-get=(self), publickey-credentials-create=*"),
    ]
    app = site(
        headers,
        PASSKEY_RELATED_ORIGINS=["https://example.org"],
        PASSKEY_ENDPOINTS={"manage": "https://a.org/"},
        PASSKEY_ANDROID_APPS={"com.example.app": [":".join(["AB"] * 32)]},
        PASSKEY_APPLE_APPS=["ABCDE12345.com.example.app"],
    )
    assert seen(app) == {}


def test_a_healthy_site_below_a_path_has_no_finding() -> None:
    """The address is given with the path."""
    app = site(PASSKEY_URL_PREFIX="/auth")
    assert seen(app, DispatcherMiddleware(Response("root"), {"/shop": app}), path="/shop") == {}


def test_the_demo_has_no_finding(tmp_path: Path) -> None:
    """Its limits leave room for the check, and its page has what passkeys need."""
    app = create_app({"INSTANCE_PATH": str(tmp_path), "PASSKEY_ORIGINS": "http://localhost:5000"})
    app.testing = True  # at localhost any port will do
    assert seen(app) == {}


def test_the_command_asks(tmp_path: Path) -> None:
    """``--url`` adds what is seen from outside to what is seen from inside, and an error fails the command."""
    credentials = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkey.sqlite3")
    app = make_app(credentials=credentials).app
    with served(changing_answer(app, without_header("set-cookie"))) as url:
        result = app.test_cli_runner().invoke(passkey, ["check", "--json", "--url", url])
    found = {finding["id"]: finding for finding in json.loads(result.stdout)}
    assert set(found) == {"outside.no-cookie", "outside.ceremony-lost"} and result.exit_code == 1
    with served(app) as url:
        assert app.test_cli_runner().invoke(passkey, ["check", "--strict", "--url", url]).exit_code == 0


def test_another_host_behind_the_proxy() -> None:
    """A proxy that passes its own name of the app on makes addresses that lead nowhere."""
    app = site()
    found = seen(app, changing_request(app, lambda environ: environ.update(HTTP_HOST="backend:8000")))
    assert set(found) == {"outside.host"} and "backend:8000" in found["outside.host"].message
    assert "proxy_set_header Host $http_host;" in found["outside.host"].fix


def test_another_scheme_behind_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that ends TLS and says so to nobody: the app thinks that people are on http."""
    monkeypatch.setattr("cluster.HOST", "localhost")
    make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "fullchain.pem"))
    port = services.free_port()
    app = site(PASSKEY_ORIGINS=[f"https://localhost:{port}"])
    plain = changing_request(app, lambda environ: environ.update({"wsgi.url_scheme": "http"}))
    certificate = (str(tmp_path / "fullchain.pem"), str(tmp_path / "privkey.pem"))
    server = make_server("localhost", port, plain, threaded=True, ssl_context=certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        found = {finding.id: finding for finding in look(config_of(app), f"https://localhost:{port}")}
        monkeypatch.delenv("SSL_CERT_FILE")
        (bad,) = look(config_of(app), f"https://localhost:{port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert set(found) == {"outside.scheme"}
    assert "ProxyFix(app.wsgi_app, x_for=1, x_proto=1)" in found["outside.scheme"].fix
    assert (bad.id, bad.severity) == ("outside.certificate", "error") and "self-signed" in bad.message


@pytest.mark.parametrize(
    ("change", "id_", "line"),
    [
        (lambda n, v: v.replace("; HttpOnly", "") if n == "set-cookie" else v, "outside.cookie-flags", "proxy_cookie_"),
        (lambda n, v: f"{v}; Domain=a.org" if n == "set-cookie" else v, "outside.cookie-flags", "proxy_cookie_domain"),
        (
            lambda n, v: v.replace("Path=/", "Path=/x") if n == "set-cookie" else v,
            "outside.cookie-flags",
            "_cookie_path",
        ),
        (without_header("cache-control"), "outside.cached", "Cache-Control"),
        (
            lambda n, v: "text/plain" if "javascript" in v else v,
            "outside.script-type",
            'add_type("text/javascript", ".js")',
        ),
        (without_header("content-type"), "outside.no-sign-in", "--url"),
    ],
)
def test_a_proxy_that_changes_answers(change: Callable[[str, str], str | None], id_: str, line: str) -> None:
    """What comes back otherwise than the app has sent it is found."""
    app = site()
    found = seen(app, changing_answer(app, change))
    assert line in found.pop(id_).fix and not found


def test_processes_that_share_no_store() -> None:
    """Where one of two processes begins and the other is asked to finish, nothing is known."""
    turns = itertools.cycle([site(), site()])
    found = seen(site(), lambda environ, start_response: next(turns)(environ, start_response))
    assert set(found) == {"outside.ceremony-lost"} and 'SESSION_TYPE = "redis"' in found["outside.ceremony-lost"].fix


def test_a_proxy_that_lets_other_sites_in() -> None:
    """A proxy that takes the origin away takes the protection with it."""
    app = site()

    def strip(environ: dict[str, Any]) -> None:
        for name in ("HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE"):
            environ.pop(name, None)

    found = seen(app, changing_request(app, strip))
    assert set(found) == {"outside.cross-site"} and "proxy_set_header Origin" in found["outside.cross-site"].fix


def test_a_proxy_that_sends_another_origin() -> None:
    """All requests are refused then, and the finding says by whom."""
    app = site()
    found = seen(app, changing_request(app, lambda environ: environ.update(HTTP_ORIGIN="https://backend")))
    assert set(found) == {"outside.refused"} and "PASSKEY_ORIGINS = ['http://localhost:" in found["outside.refused"].fix


def test_refusals_by_200_are_refusals() -> None:
    """With PASSKEY_HTTP_STATUS = False the code in the answer counts."""
    app = site(PASSKEY_HTTP_STATUS=False)
    assert seen(app) == {}
    assert set(seen(app, changing_request(app, lambda environ: environ.update(HTTP_ORIGIN="https://b")))) == {
        "outside.refused"
    }


def test_a_server_with_other_settings() -> None:
    """The server was started with another RP ID than the command."""
    app = site(PASSKEY_RP_ID="sub.localhost", PASSKEY_ORIGINS="http://sub.localhost")
    asked = PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "localhost"}, development=True)
    accepts = changing_request(app, lambda environ: environ.update(HTTP_ORIGIN="http://sub.localhost"))
    with served(accepts) as url:
        (found,) = look(asked, url)
    assert (
        found.id == "outside.other-settings" and found.fix == "PASSKEY_RP_ID = 'localhost' where the server is started"
    )


@pytest.mark.parametrize(
    ("name", "value", "id_", "line"),
    [
        (
            "Permissions-Policy",
            "publickey-credentials-get=()",
            "permissions-policy",
            "publickey-credentials-get=(self)",
        ),
        ("Permissions-Policy", "publickey-credentials-create=(), camera=*", "permissions-policy", "create=(self)"),
        ("Content-Security-Policy", "script-src 'none'", "csp-script-src", "script-src 'self'"),
        ("Content-Security-Policy", "default-src https://cdn.example", "csp-script-src", "script-src 'self'"),
        ("Content-Security-Policy", "connect-src", "csp-connect-src", "connect-src 'self'"),
    ],
)
def test_a_page_whose_headers_take_passkeys_away(name: str, value: str, id_: str, line: str) -> None:
    """What browsers forbid because of a header of the page is found on the page, also behind a redirect."""
    app = site(PASSKEY_URL_PREFIX="/auth")
    app.add_url_rule("/start", "start", lambda: ("<!doctype html>", [(name, value)]))
    app.view_functions["page"] = lambda: Response(status=302, headers={"Location": "/start"})
    found = seen(app)
    assert line in found[f"outside.{id_}"].fix


def test_no_other_site_is_asked() -> None:
    """A page that leads elsewhere is not looked at, and a sign-in that does is told."""
    asked: list[str] = []

    def elsewhere(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked.append(environ["PATH_INFO"])
        return Response(status=404)(environ, start_response)

    with served(elsewhere) as other:
        app = site()
        app.view_functions["page"] = lambda: Response(status=302, headers={"Location": f"{other}/page"})
        assert seen(app) == {}
        found = seen(site(), Response(status=301, headers={"Location": f"{other}/x"}))
    assert set(found) == {"outside.redirect"} and found["outside.redirect"].fix == f"--url {other}/x" and not asked


@pytest.mark.parametrize("answer", [302, 401])
def test_strangers_that_are_sent_away(answer: int) -> None:
    """An app that lets nobody in who is not in already is told where to let our routes through, and that line mends."""
    app = site()
    app.add_url_rule("/login", "login", lambda: "")

    def wall(*open_to: str) -> None:
        def send_away() -> Any:
            if request.blueprint in open_to or request.endpoint in ("login", "page"):
                return None
            return redirect("/login?next=/session/authn") if answer == 302 else abort(answer)

        app.before_request_funcs[None] = [send_away]

    wall()
    found = seen(app)
    assert set(found) == {"outside.sign-in-first"}
    assert found["outside.sign-in-first"].fix.startswith('if request.blueprint in ("passkey", "passkey_pages"): return')
    wall("passkey", "passkey_pages")
    assert seen(app) == {}


def test_a_document_of_an_app_below_a_path() -> None:
    """It is where no browser looks; the finding has the lines for the proxy."""
    app = site(PASSKEY_RELATED_ORIGINS=["https://example.org"], PASSKEY_ENDPOINTS={"manage": "https://a.org/"})
    found = seen(app, DispatcherMiddleware(Response("root"), {"/shop": app}), path="/shop")
    assert set(found) == {"outside.document-below"}
    assert "location = /.well-known/passkey-endpoints { proxy_pass" in found["outside.document-below"].fix


def test_a_document_that_is_hidden() -> None:
    """A proxy that answers for the document itself is found."""
    app = site(PASSKEY_APPLE_APPS=["ABCDE12345.com.example.app"])
    hidden = DispatcherMiddleware(app, {"/.well-known": Response("nothing", status=404)})
    found = seen(app, hidden)
    assert set(found) == {"outside.document"} and "is answered with 404 text/plain" in found["outside.document"].message


@pytest.mark.parametrize(
    ("url", "id_", "line"),
    [
        ("example.com", "outside.url", "--url http"),
        ("ftp://localhost", "outside.url", "--url http"),
        ("http://localhost:99999", "outside.url", "--url http"),
        ("http://ada:secret@example.com/shop", "outside.http", "--url https://example.com/shop"),
        ("https://sub.localhost", "outside.origin", "PASSKEY_ORIGINS = ["),
        ("https://example.org", "outside.origin", "--url http"),
    ],
)
def test_an_address_that_cannot_have_passkeys(url: str, id_: str, line: str) -> None:
    """It is told without a request."""
    (found,) = look(PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "localhost"}), url)
    assert found.id == id_ and line in found.fix and "secret" not in f"{found}"


def test_a_server_that_is_away_or_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command does not wait for ever: neither for a connection, nor for bytes that come one by one."""
    monkeypatch.setattr(client, "TIMEOUT", 0.5)
    config = PasskeyConfig.from_mapping({}, development=True)
    (found,) = look(config, f"http://localhost:{services.free_port()}")
    assert (found.id, found.severity) == ("outside.unreachable", "error")

    def drip(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        for _ in range(60):
            time.sleep(0.1)
            yield b" "

    with served(drip) as url:
        began = time.monotonic()
        (found,) = look(config, url)
        took = time.monotonic() - began
    assert found.id == "outside.unreachable" and "takes too long" in found.message and took < 3


def test_what_is_no_http_is_told() -> None:
    """A port of something else is no traceback."""
    with socket.create_server(("localhost", 0)) as server:

        def greet() -> None:
            with server.accept()[0] as connection:
                connection.sendall(b"220 mail\r\n\r\n")

        threading.Thread(target=greet, daemon=True).start()
        config = PasskeyConfig.from_mapping({}, development=True)
        (found,) = look(config, f"http://localhost:{server.getsockname()[1]}")
    assert found.id == "outside.unreachable" and "BadStatusLine" in found.message


def test_certificates_are_checked() -> None:
    """Nothing has switched that off."""
    connection = client.Site("https://localhost")._connection()
    context: ssl.SSLContext = vars(connection)["_context"]
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
