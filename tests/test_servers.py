"""Other servers than gunicorn's threads: gevent, Waitress, uvicorn through a2wsgi, and uWSGI behind nginx."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nodes
import pytest
import services
from nodes import Browser

from flask_passkey.testing import VirtualAuthenticator, add_passkey, sign_in, sign_up

pytestmark = pytest.mark.services

_UVICORN = """
import a2wsgi, demo, uvicorn
uvicorn.run(a2wsgi.WSGIMiddleware(demo.create_app()), host="127.0.0.1", port={port}, log_level="warning")
"""
#: How each serves the demo at a port.
COMMANDS = {
    "gevent": ["-m", "gunicorn", "--worker-class=gevent", "--bind=127.0.0.1:{port}", "demo:create_app()"],
    "Waitress": ["-m", "waitress", "--host=127.0.0.1", "--port={port}", "--call", "demo:create_app"],
    "a2wsgi": ["-c", _UVICORN],
}
_NGINX = """
server {{
    listen 127.0.0.1:{port};
    location / {{
        uwsgi_pass 127.0.0.1:{behind};
        uwsgi_param REQUEST_METHOD $request_method;
        uwsgi_param QUERY_STRING $query_string;
        uwsgi_param CONTENT_TYPE $content_type;
        uwsgi_param CONTENT_LENGTH $content_length;
        uwsgi_param REQUEST_URI $request_uri;
        uwsgi_param PATH_INFO $document_uri;
        uwsgi_param SERVER_PROTOCOL $server_protocol;
        uwsgi_param REMOTE_ADDR $remote_addr;
        uwsgi_param SERVER_PORT $server_port;
        uwsgi_param SERVER_NAME $server_name;
        uwsgi_param HTTP_HOST $http_host;
    }}
}}
"""
#: It leaves a connection in the pool, as an app may that looks something up at start.
_APP = """
import demo
application = demo.create_app()
with application.app_context():
    application.extensions["passkey"].credentials.get(b"nobody's")
"""
_UWSGI = [
    "--master", "--processes=3", "--die-on-term", "--need-app", "--disable-logging",
    "--buffer-size=32768",
]  # fmt: skip


def come_and_go(url: str, name: str) -> None:
    """Sign up, add a passkey and sign in with it in another browser."""
    one, two, browser = VirtualAuthenticator(url), VirtualAuthenticator(url), Browser(url)
    sign_up(browser, one, name)
    add_passkey(browser, two)
    assert sign_in(Browser(url), two)["user"]["name"] == name


@pytest.mark.parametrize("server", COMMANDS)
def test_ceremonies_work_on_it(server: str, tmp_path: Path) -> None:
    """Six people at once sign up, add a passkey and sign in with that in another browser."""
    port = services.free_port()
    command = [sys.executable, *(part.format(port=port) for part in COMMANDS[server])]
    with nodes.serve(command, tmp_path, port=port) as node, ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: come_and_go(node.url, f"user{number}"), range(6)))


@pytest.mark.proves("frictions:K")
def test_ceremonies_work_on_workers_that_uwsgi_forks(tmp_path: Path, postgresql_url: str) -> None:
    """The app is loaded and its database used before uWSGI forks, without Python's hooks; nobody is refused."""
    port, behind = services.free_port(), services.free_port()
    (tmp_path / "uwsgi.conf").write_text(_NGINX.format(port=port, behind=behind))
    (tmp_path / "app.py").write_text(_APP)
    options = [*_UWSGI, f"--socket=127.0.0.1:{behind}", f"--wsgi-file={tmp_path}/app.py"]
    run = f"import pyuwsgi; pyuwsgi.run({options!r})"
    command = [sys.executable, "-c", run]
    with (
        services.nginx_server(tmp_path, port=port),
        nodes.serve(command, tmp_path, port=port, PASSKEY_DATABASE_URI=postgresql_url) as node,
        ThreadPoolExecutor(12) as pool,
    ):
        list(pool.map(lambda number: come_and_go(node.url, f"user{number}"), range(24)))
