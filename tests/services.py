"""Real servers for tests: each on loopback, on a free port, with a folder of its own, stopped by its own process id.

A URL in the environment wins over a server of our own. A program that is nowhere to be found skips the test,
and fails it with ``PASSKEY_TEST_REQUIRE_SERVICES=1``.
"""

from __future__ import annotations

import glob
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

#: Where programs are that distributions do not put on PATH; the newest version wins.
ELSEWHERE = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/*/bin", "/usr/sbin")
#: How Chromium is started: all by which it would phone home is off, and ``*.test`` is this machine, over plain http.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
)
#: Seconds a server has to start or to stop.
PATIENCE = 30
#: How many ports each worker of pytest has for its servers.
PORTS = 2000


def _own_ports() -> Iterator[int]:
    """Yield the ports of this worker in turns, from a random one, as another run may use them at the same time."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
    first, start = 10_000 + worker * PORTS, random.SystemRandom().randrange(PORTS)
    return itertools.cycle([first + (start + number) % PORTS for number in range(PORTS)])


_ports = _own_ports()


@contextmanager
def redis_server(
    *options: str,
    port: int | None = None,
    config: Path | None = None,
    data: Path | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[str]:
    """Run Redis and yield its URL.

    :param config: a file of settings, instead of no persistence.
    :param data: a folder that keeps what it persists, to start with that again.
    """
    settings = [str(config)] if config else ["--save", "", "--appendonly", "no"]
    command = [find("redis-server"), *settings, "--bind", "127.0.0.1", *options]
    with nullcontext(data) if data else _folder() as folder:
        command += ["--dir", str(folder)]
        ready = partial(_answers, question=b"PING\r\n", answer=b"+PONG")
        with _running(command, "--port", folder, ready, port=port, stop=stop) as port:
            yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def redis_sentinel(url: str) -> Iterator[int]:
    """Run a Sentinel that watches over a Redis server under the name ``mine``, and yield its port."""
    watched = urlsplit(url)
    with _folder() as folder:
        file = folder / "sentinel.conf"
        file.write_text(
            f"sentinel monitor mine {watched.hostname} {watched.port} 1\n"
            "sentinel down-after-milliseconds mine 500\n"
            "sentinel failover-timeout mine 3000\n"
        )
        command = [find("redis-server"), str(file), "--sentinel", "--bind", "127.0.0.1"]
        with _running(command, "--port", folder, partial(_answers, question=b"PING\r\n", answer=b"+PONG")) as port:
            yield port


@contextmanager
def memcached_server(*, port: int | None = None) -> Iterator[str]:
    """Run memcached and yield its address as ``host:port``."""
    command = [find("memcached"), "-l", "127.0.0.1", "-U", "0"]
    if os.geteuid() == 0:
        command += ["-u", _ordinary_user().pw_name]
    ready = partial(_answers, question=b"version\r\n", answer=b"VERSION")
    with _folder() as folder, _running(command, "-p", folder, ready, port=port, stop=signal.SIGKILL) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def postgresql_server(*, port: int | None = None, cluster: Path | None = None) -> Iterator[str]:
    """Run PostgreSQL on an empty cluster and yield the SQLAlchemy URL of its database, for psycopg 3.

    It refuses to run as root, so root starts it as another user.

    :param cluster: a folder that keeps the data, to start with them again.
    """
    programs = Path(find("postgres")).resolve().parent
    # Protocol 3.0 and a user's name; "R" asks for a password or none, "E" says that it is still starting.
    hello = struct.pack("!ii", 22, 196608) + b"user\0passkey\0\0"
    with nullcontext(cluster) if cluster else _folder() as folder:
        data, options = str(folder / "data"), _as_ordinary_user(folder)
        initdb = [str(programs / "initdb"), "-D", data, "-U", "passkey", "-A", "trust", "-E", "UTF8", "--locale=C"]
        if not os.path.exists(data):
            subprocess.run([*initdb, "--no-sync"], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE, **options)
        command = [str(programs / "postgres"), "-D", data, "-h", "127.0.0.1", "-k", "", "-F"]
        ready = partial(_answers, question=hello, answer=b"R")
        with _running(command, "-p", folder, ready, port=port, stop=signal.SIGINT, **options) as port:
            yield f"postgresql+psycopg://passkey@127.0.0.1:{port}/postgres"


@contextmanager
def pgbouncer_server(url: str) -> Iterator[str]:
    """Run PgBouncer in transaction mode before a PostgreSQL server, and yield the URL for its clients.

    :param url: SQLAlchemy URL of the server, of a user who needs no password.
    """
    behind = urlsplit(url)
    server = f"host={behind.hostname} port={behind.port} user={behind.username}"
    names = f"user\0{behind.username}\0database\0{behind.path.strip('/')}\0\0".encode()
    hello = struct.pack("!ii", 8 + len(names), 196608) + names
    port = free_port()
    with _folder() as folder:
        # It has no option for the port, so its settings are in a file with that name.
        (folder / str(port)).write_text(
            f"[databases]\n* = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
            "unix_socket_dir =\npool_mode = transaction\ndefault_pool_size = 4\n"
        )
        ready, options = partial(_answers, question=hello, answer=b"R"), _as_ordinary_user(folder)
        with _running([find("pgbouncer")], "-q", folder, ready, port=port, stop=signal.SIGINT, **options):
            yield f"postgresql+psycopg://{behind.username}@127.0.0.1:{port}{behind.path}"


@dataclass(frozen=True)
class Server:
    """A running server that works in processes of its own."""

    process: subprocess.Popen[bytes]

    def children(self) -> list[int]:
        """Return the ids of these processes."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


#: What of nginx must not be where the system's own nginx has it. More than one worker, as in real life.
_NGINX = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/*.conf;
}}
"""


def nginx_command(folder: Path) -> list[str]:
    """Return the command that runs nginx in the foreground on all ``*.conf`` in a folder, with everything in it."""
    main = folder / "nginx.main"
    main.write_text(_NGINX.format(folder=folder))
    return [find("nginx"), "-e", f"{folder}/nginx-error.log", "-p", str(folder), "-c", str(main)]


@contextmanager
def nginx_server(folder: Path, *, port: int) -> Iterator[Server]:
    """Run nginx on all ``*.conf`` in a folder.

    :param port: one it listens on.
    """
    process = subprocess.Popen(nginx_command(folder))
    try:
        wait_for(port, process, folder / "nginx-error.log")
        yield Server(process)
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(PATIENCE)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"nginx did not start:\n{log.read_text(errors='replace') if log.exists() else ''}")
            time.sleep(0.02)


@contextmanager
def mariadb_server(*, port: int | None = None) -> Iterator[str]:
    """Run MariaDB on new files and yield the SQLAlchemy URL of an empty database, for PyMySQL."""
    server, install = find("mariadbd"), find("mariadb-install-db")
    with _folder() as folder:
        options, data = _as_ordinary_user(folder), f"--datadir={folder}/data"
        # Small and in no hurry to reach the disk.
        small = ("innodb-buffer-pool-size=32M", "innodb-log-file-size=16M", "innodb-flush-log-at-trx-commit=0")
        command = ["--no-defaults", data, *(f"--{option}" for option in small)]
        create = [install, *command, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(create, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE, **options)
        init = folder / "init.sql"
        init.write_text("CREATE DATABASE passkey;\n")
        command = [server, *command, "--bind-address=127.0.0.1", f"--socket={folder}/socket", f"--init-file={init}"]
        command += ["--character-set-server=utf8mb4", "--skip-name-resolve", f"--pid-file={folder}/pid"]
        with _running(command, "--port", folder, _greets, port=port, **options) as port:
            yield f"mysql+pymysql://root@127.0.0.1:{port}/passkey?charset=utf8mb4"


@contextmanager
def dynamodb_server(*, port: int | None = None) -> Iterator[str]:
    """Run moto, a stand-in for DynamoDB, and yield its URL."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1"]
    ready = partial(_answers, question=b"GET /moto-api/ HTTP/1.0\r\n\r\n", answer=b"HTTP/1.1 200")
    with _folder() as folder, _running(command, "-p", folder, ready, port=port) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def mongodb_server(*, port: int | None = None) -> Iterator[str]:
    """Run BriskDB, a stand-in for MongoDB, and yield its URL, with no more connections than it takes."""
    with _folder() as folder:
        command = [sys.executable, str(Path(__file__).parent / "briskdb_server.py"), str(folder / "data")]
        with _running(command, "--port", folder, _listens, port=port) as port:
            yield f"mongodb://127.0.0.1:{port}/?directConnection=true&maxPoolSize=2&serverMonitoringMode=poll"


def find(program: str) -> str:
    """Return the path of a program, or skip the test; or fail it, where services are required."""
    elsewhere = (f"{folder}/{program}" for pattern in ELSEWHERE for folder in sorted(glob.glob(pattern), reverse=True))
    path = shutil.which(program) or next(filter(os.path.isfile, elsewhere), None)
    if path is None and os.environ.get("PASSKEY_TEST_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{program} is not installed, and PASSKEY_TEST_REQUIRE_SERVICES=1 asks for it")
    return path or pytest.skip(f"{program} is not installed")


def chromium_options(flags: Sequence[str] = ()) -> dict[str, Any]:
    """Return how Playwright starts Chromium: ``CHROMIUM``, or the one on the PATH."""
    program = os.environ.get("CHROMIUM") or shutil.which("google-chrome") or find("chromium")
    return {"executable_path": program, "headless": True, "args": [*FLAGS, *flags]}


def free_port() -> int:
    """Return a port that nothing listens on.

    It is below those that the kernel gives to whoever asks for any, and another worker of pytest has others: nobody
    else takes it before it is used, nor while a server is being restarted.
    """
    for port in itertools.islice(_ports, PORTS):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no port is free")


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="passkey-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _running(
    command: list[str],
    port_option: str,
    folder: Path,
    ready: Callable[[int], bool],
    *,
    port: int | None = None,
    stop: signal.Signals = signal.SIGTERM,
    **options: Any,
) -> Iterator[int]:
    """Run a server until the block ends, from when it answers, and yield its port."""
    port = port or free_port()
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([*command, port_option, str(port)], stdout=output, stderr=output, **options)
    try:
        deadline = time.monotonic() + PATIENCE
        while not ready(port):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{command[0]} did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.02)
        yield port
    finally:
        process.send_signal(stop)
        process.wait(PATIENCE)


def _answers(port: int, *, question: bytes, answer: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(question)
            return connection.recv(64).startswith(answer)
    except OSError:
        return False


def _greets(port: int) -> bool:
    """Tell whether a server speaks first, as MariaDB does when it is ready."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            return len(connection.recv(64)) > 5
    except OSError:
        return False


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def _ordinary_user() -> pwd.struct_passwd:
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def _as_ordinary_user(folder: Path) -> dict[str, Any]:
    """Return what makes :mod:`subprocess` run a program in a folder, as somebody else where this is root."""
    if os.geteuid() != 0:
        return {"cwd": folder}
    user = _ordinary_user()
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"cwd": folder, "user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
