"""The files in ``deploy/``, as far as they can be checked without a machine of their own.

nginx and gunicorn run on theirs in ``test_two_nodes.py``. Docker's are only read here: no container is started.
"""

from __future__ import annotations

import configparser
import json
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cluster
import pytest
import services
import yaml
from flask import Flask
from redis import Redis
from redis.exceptions import OutOfMemoryError

from demo import create_app, settings
from flask_passkey import PasskeyConfig
from flask_passkey.testing import VirtualAuthenticator, sign_up

DEPLOY = cluster.DEPLOY
#: As somebody fills it in: the demo refuses a placeholder.
FILLED_IN = re.sub(r"<[^>]+>", "0" * 64, (DEPLOY / "passkeys.env").read_text("utf-8"))
ENVIRONMENT = dict(re.findall(r"^([A-Z_]+)=(.*)$", FILLED_IN, re.MULTILINE))
GUNICORN = runpy.run_path(str(DEPLOY / "gunicorn.conf.py"))
NODES_CONF = (DEPLOY / "nginx" / "nodes.conf").read_text("utf-8")
#: What our gunicorn.conf.py reads.
OF_GUNICORN = {"BIND", "THREADS", "WEB_CONCURRENCY"}
SITE = "http://localhost:5000"


def unit() -> dict[str, list[str]]:
    """Return the systemd unit's settings; one that stands there twice has two values."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", (DEPLOY / "systemd" / "passkeys.service").read_text(), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def compose() -> Any:
    """Return the compose file."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


def instructions(name: str) -> list[str]:
    """Return the arguments of an instruction in the Dockerfile, one text each time it stands there."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", "")
    return re.findall(rf"^{name} +(.*)$", text, re.MULTILINE)


def known_settings() -> set[str]:
    """Return every setting that means something to the demo, as in its environment."""
    of_passkey = {f"PASSKEY_{field.name.upper()}" for field in fields(PasskeyConfig)}
    return {f"FLASK_{name}" for name in of_passkey | set(settings.DEFAULTS) | {"SECRET_KEY", "INSTANCE_PATH"}}


# nginx


@pytest.mark.services
def test_nginx_takes_the_configuration(tmp_path: Path) -> None:
    """``nginx -t`` finds nothing to complain of, not even a warning but that its user is not root."""
    cluster.make_certificate(tmp_path)
    cluster.write_site(tmp_path, cluster.Ports())
    found = subprocess.run([*services.nginx_command(tmp_path), "-t"], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    assert not [line for line in found.stderr.splitlines() if "[warn]" in line and '"user" directive' not in line]


def test_nginx_waits_longer_than_the_app() -> None:
    """The app's own 503 reaches people before nginx gives up, and a request ends before its worker must."""
    text = (DEPLOY / "nginx" / "passkeys.conf").read_text("utf-8")
    (seconds,) = re.findall(r"^ +proxy_read_timeout (\d+)s;", text, re.MULTILINE)
    assert 3 * 5 < int(seconds) <= GUNICORN["graceful_timeout"]
    (kilobytes,) = re.findall(r"^ +client_max_body_size (\d+)k;", text, re.MULTILINE)
    assert int(kilobytes) * 1024 > PasskeyConfig(rp_id="localhost").max_body


# systemd


def test_unit_is_well_formed(tmp_path: Path) -> None:
    """Every line is a section, a setting or a comment; where systemd is installed it finds no fault either."""
    text = (DEPLOY / "systemd" / "passkeys.service").read_text("utf-8")
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=["="], comment_prefixes=["#"])
    parser.read_string(text)
    assert parser.sections() == ["Unit", "Service", "Install"]
    analyze = shutil.which("systemd-analyze")
    if analyze:
        copy = tmp_path / "passkeys.service"
        copy.write_text(text.replace("/opt/passkeys/venv/bin/gunicorn", sys.executable))
        found = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, timeout=60)
        assert (found.returncode, [line for line in found.stderr.splitlines() if "passkeys.service" in line]) == (0, [])


def test_unit_leaves_the_app_little() -> None:
    """The service runs as nobody in particular, may write to its state folder only, and gains no privileges."""
    wanted = {
        "DynamicUser": "yes",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "CapabilityBoundingSet": "",
        "StateDirectory": "passkeys",
    }
    assert {name: unit()[name] for name in wanted} == {name: [value] for name, value in wanted.items()}
    assert "FLASK_INSTANCE_PATH=/var/lib/passkeys" in unit()["Environment"]


@pytest.mark.slow
def test_unit_and_image_run_gunicorn_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both run one command, and gunicorn accepts it, with our settings of it and of the app."""
    (started,) = unit()["ExecStart"]
    program, *arguments = shlex.split(started.replace("(", r"\(").replace(")", r"\)"))
    image = json.loads(instructions("CMD")[-1])
    assert (Path(program).name, arguments) == (image[0], image[1:])
    local = [each.replace("/opt/passkeys", str(DEPLOY)) for each in arguments]
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    subprocess.run(
        [sys.executable, "-m", "gunicorn", "--check-config", *local], check=True, timeout=120, cwd=DEPLOY.parent
    )


def test_stopping_waits_for_requests() -> None:
    """systemd and Docker wait longer for a node to end than the node for its requests."""
    (stop,) = unit()["TimeoutStopSec"]
    grace = compose()["services"]["node1"]["stop_grace_period"].removesuffix("s")
    assert min(int(stop), int(grace)) > GUNICORN["graceful_timeout"]


# Settings


def test_settings_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every key of the environment file means something, and the demo starts with all of them: TLS, one proxy."""
    assert ENVIRONMENT.keys() <= known_settings()
    for name, value in (ENVIRONMENT | {"FLASK_INSTANCE_PATH": str(tmp_path / "instance")}).items():
        monkeypatch.setenv(name, value)
    app = create_app()
    with app.app_context():
        config = app.extensions["passkey"].config
    assert (config.rp_id, config.origins, config.https_only) == ("example.com", ("https://example.com",), True)
    assert app.config["TRUSTED_PROXIES"] == 1
    assert app.config["SESSION_COOKIE_SECURE"] is True
    assert app.config["SESSION_TYPE"] == "redis"
    assert not (tmp_path / "instance").exists(), "nothing is kept on a node"


def test_compose_file_fits_the_others() -> None:
    """Names, addresses, files and settings in the compose file are those of the other files."""
    parts = compose()["services"]
    inside = {name: part["networks"] for name, part in parts.items() if name != "nginx"}
    addresses = {name: networks["inside"]["ipv4_address"] for name, networks in inside.items()}
    port = json.loads(instructions("EXPOSE")[0])
    assert re.findall(r"^ +server (\S+)", NODES_CONF, re.MULTILINE) == [
        f"{addresses[node]}:{port}" for node in ("node1", "node2")
    ]
    assert urlsplit(ENVIRONMENT["FLASK_REDIS_URL"]).hostname == addresses["redis"]
    assert urlsplit(ENVIRONMENT["FLASK_PASSKEY_DATABASE_URI"]).hostname == addresses["postgresql"]
    for node in (parts["node1"], parts["node2"]):
        assert node["environment"].keys() <= known_settings() | OF_GUNICORN
        assert Path(node["env_file"]).name == "passkeys.env"
        assert (DEPLOY / node["build"]["context"] / node["build"]["dockerfile"]).is_file()
        assert (node["read_only"], node["cap_drop"]) == (True, ["ALL"])
    mounted = [volume.split(":")[0] for part in parts.values() for volume in part.get("volumes", [])]
    ours = [path for path in mounted if path.startswith("./") and not path.startswith("./secrets/")]
    assert ours == ["./nginx"] and (DEPLOY / "nginx").is_dir()


def test_image_is_made_of_what_is_there() -> None:
    """The image has the package with its extra, our settings of gunicorn, a user of its own and a check; no secrets."""
    copied = {source for line in instructions("COPY") for source in line.split()[:-1]}
    assert all((DEPLOY.parent / source).exists() for source in copied)
    assert {"setup.cfg", "pyproject.toml", "flask_passkey", "demo", "deploy/gunicorn.conf.py"} <= copied
    assert not [source for source in copied if (DEPLOY / "secrets").is_relative_to(DEPLOY.parent / source)]
    (made,) = [line for line in instructions("RUN") if "pip install" in line]
    setup = configparser.ConfigParser()
    setup.read(DEPLOY.parent / "setup.cfg")
    assert "'/src[demo]'" in made and "demo" in setup["options.extras_require"]
    assert instructions("USER") == ["passkeys"]
    assert len(instructions("HEALTHCHECK")) == 1
    names = {each.partition("=")[0] for each in instructions("ENV")[0].split()}
    assert names <= known_settings() | OF_GUNICORN | {"PYTHONUNBUFFERED"}


# The document


def test_document_names_what_exists() -> None:
    """Every setting, test and session that the pages on operation name is there, and the README leads to deployment."""
    pages = sorted((DEPLOY.parent / "docs" / "operate").glob("*.md"))
    text = "".join(page.read_text("utf-8") for page in pages)
    assert set(re.findall(r"`(FLASK_[A-Z_]+)`", text)) <= known_settings()
    assert {f"FLASK_{name}" for name in re.findall(r"`(PASSKEY_[A-Z_]+)`", text)} <= known_settings()
    assert all((DEPLOY.parent / name).is_file() for name in re.findall(r"`(tests/\w+\.py)`", text))
    sessions = re.findall(r"^def (\w+)\(session", (DEPLOY.parent / "noxfile.py").read_text("utf-8"), re.MULTILINE)
    assert {*re.findall(r"`nox -s (\w+)`", text)} == {"nodes", "footprint"} <= {*sessions}
    assert "/docs/operate/deployment.md)" in (DEPLOY.parent / "README.md").read_text("utf-8")


# Redis


@pytest.fixture
def app_on(tmp_path: Path) -> Iterator[Any]:
    """Make the demo on a Redis."""
    made: list[Flask] = []

    def make(url: str) -> Flask:
        made.append(create_app({"INSTANCE_PATH": str(tmp_path / "instance"), "REDIS_URL": url}))
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            app.extensions["passkey"].credentials.close()
        app.config["SESSION_REDIS"].close()


@pytest.mark.services
def test_redis_keeps_what_it_has_when_it_is_killed(app_on: Any, tmp_path: Path) -> None:
    """With the shipped settings the death of Redis costs nobody a ceremony or session that is on its disk by then."""
    port, data = services.free_port(), tmp_path / "redis"
    data.mkdir()
    authenticator = VirtualAuthenticator(SITE)
    client = app_on(f"redis://127.0.0.1:{port}/0").test_client()
    client.environ_base |= {"HTTP_ORIGIN": SITE}
    with services.redis_server(port=port, config=DEPLOY / "redis.conf", data=data, stop=signal.SIGKILL) as url:
        sign_up(client, authenticator, "ada")
        begun = client.put("/session/authn").get_json()["data"]
        wait_until_written(url)
    with services.redis_server(port=port, config=DEPLOY / "redis.conf", data=data):
        assert client.get("/user/authn").status_code == 200
        body = {"session_id": begun["session_id"], "response": authenticator.get(begun["options"])}
        assert client.post("/session/authn", json=body).status_code == 200
        assert client.post("/session/authn", json=body).status_code == 404


def wait_until_written(url: str) -> None:
    """Wait until Redis has handed everything to its file: it puts that off while the disk is slow."""
    with Redis.from_url(url) as client:
        for _ in range(300):
            state: Any = client.info("persistence")
            if state["aof_buffer_length"] == state["aof_pending_bio_fsync"] == 0:
                return
            time.sleep(0.1)
    raise AssertionError("Redis does not write its file")


@pytest.mark.services
def test_a_full_redis_refuses_and_forgets_nothing(app_on: Any) -> None:
    """With the shipped settings a Redis that is full answers begins with 503; it throws no ceremony away."""
    with services.redis_server("--maxmemory", "3mb", config=DEPLOY / "redis.conf") as url:
        client = app_on(url).test_client()
        client.environ_base |= {"HTTP_ORIGIN": SITE}
        pending = [client.put("/session/authn").status_code for _ in range(20)]
        assert pending == [200] * 20
        with Redis.from_url(url) as redis:
            fill(redis)
            answer = client.put("/session/authn")
            assert (answer.status_code, answer.get_json()["code"]) == (503, 50006)
            assert sum(b"passkey:" in key for key in redis.scan_iter(count=1000)) == 20


def fill(redis: Redis) -> None:
    """Write until there is no more room."""
    for size in (10_000, 100, 1):
        for number in range(100_000):
            try:
                redis.set(f"filler:{size}:{number}", b"x" * size)
            except OutOfMemoryError:
                break
