"""Two nodes of the demo behind the nginx configuration that we ship, with TLS, Redis and PostgreSQL, for tests.

Everything is on loopback. A browser believes to be at :data:`SITE` and has an address of its own, 127.x.y.z.
"""

from __future__ import annotations

import http.client
import ipaddress
import itertools
import json
import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import nodes
import services
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "example.com"
SITE = f"https://{HOST}"
DEPLOY = nodes.ROOT / "deploy"
#: nginx has no answer of a node, and says so.
NO_ANSWER = 502
_addresses = itertools.count(int(ipaddress.IPv4Address("127.1.0.1")))


def make_certificate(folder: Path) -> None:
    """Make a certificate for :data:`HOST` that signs itself, valid for a day."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    unsigned = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    unsigned = unsigned.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    certificate = unsigned.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "privkey.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))


@dataclass(frozen=True)
class Ports:
    """The ports that stand for those of a real site."""

    http: int = field(default_factory=services.free_port)
    https: int = field(default_factory=services.free_port)
    #: One for each node.
    nodes: tuple[int, ...] = field(default_factory=lambda: (services.free_port(), services.free_port()))


def write_site(folder: Path, ports: Ports) -> None:
    """Write the shipped configuration of nginx with only addresses, ports and paths changed.

    One header is added: which node answered, or the nodes that were asked, one after the other.
    """
    text = (DEPLOY / "nginx" / "passkeys.conf").read_text("utf-8")
    text = text.replace("/etc/ssl/passkeys/", f"{folder}/").replace("/var/log/nginx/", f"{folder}/")
    for port, ours in ((80, ports.http), (443, ports.https)):
        text = re.sub(rf"^    listen \[::\]:{port}\b.*\n", "", text, flags=re.MULTILINE)  # not every machine has IPv6
        text = re.sub(rf"\blisten {port}\b", f"listen 127.0.0.1:{ours}", text)
    hsts = "    add_header Strict-Transport-Security"
    assert text.count(hsts) == 1
    (folder / "passkeys.conf").write_text(text.replace(hsts, f"    add_header X-Node $upstream_addr always;\n{hsts}"))
    write_nodes(folder, ports)


def write_nodes(folder: Path, ports: Ports, *, down: int | None = None) -> None:
    """Write the shipped list of nodes with our addresses.

    :param down: number of the node that is to get nothing new.
    """
    text = (DEPLOY / "nginx" / "nodes.conf").read_text("utf-8")
    for number, port in enumerate(ports.nodes):
        there, ours = f"server 10.0.0.{11 + number}:8000", f"server 127.0.0.1:{port}"
        assert text.count(there) == 1
        text = text.replace(there, ours + (" down" if number == down else ""))
    (folder / "nodes.conf").write_text(text)


@dataclass(frozen=True)
class Answer(nodes.Answer):
    """An answer, and who gave it.

    :param cut_off: the node died after nginx had passed on the first of it.
    """

    headers: http.client.HTTPMessage
    cut_off: bool = False
    #: As it came, compressed or not.
    body: bytes = b""

    @property
    def node(self) -> str:
        """Address of the node that answered; several, if nginx asked another one after the first."""
        return self.headers.get("X-Node", "")


class _Connection(http.client.HTTPSConnection):
    """A connection to :data:`HOST`, which is at a port of ours."""

    def __init__(self, port: int, address: str, context: ssl.SSLContext) -> None:
        super().__init__(HOST, timeout=nodes.PATIENCE, context=context)
        self._ours, self._address, self._tls = port, address, context

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self._ours), self.timeout, (self._address, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(plain, server_hostname=HOST)


def _read(response: http.client.HTTPResponse) -> bytes | None:
    """Return the body; ``None`` if it ends too early."""
    try:
        return response.read()
    except http.client.IncompleteRead:
        return None


@dataclass
class Browser(nodes.Browser):
    """A browser at :data:`SITE`, with an address of its own."""

    url: str = SITE
    port: int = 0
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    address: str = field(default_factory=lambda: str(ipaddress.IPv4Address(next(_addresses))))

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies, "Origin": SITE} | headers
        headers |= {"Content-Type": "application/json"} if body else {}
        connection = _Connection(self.port, self.address, self.tls)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = _read(response)
        finally:
            connection.close()
        for header in response.headers.get_all("Set-Cookie") or ():
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
        if text is None:
            return Answer(NO_ANSWER, None, response.headers, cut_off=True)
        envelope = json.loads(text) if response.headers.get_content_type() == "application/json" else None
        return Answer(response.status, envelope, response.headers, body=text)

    def send(self, method: str, path: str, **options: Any) -> Answer:
        answer = super().send(method, path, **options)
        assert isinstance(answer, Answer)
        return answer


class Cluster:
    """Two nodes, what they share, and nginx; each can be stopped and started again at its address."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        self.folder, self.workers = folder, workers
        self.ports = Ports()
        self.nodes: dict[int, nodes.Node] = {}
        self.nginx: services.Server | None = None
        self._parts: dict[str, ExitStack] = {}
        self.redis_port, self.postgresql_port = services.free_port(), services.free_port()
        self.redis_url = f"redis://127.0.0.1:{self.redis_port}/0"
        self.database_uri = f"postgresql+psycopg://passkey@127.0.0.1:{self.postgresql_port}/postgres"
        make_certificate(folder)
        write_site(folder, self.ports)
        self._tls = ssl.create_default_context(cafile=folder / "fullchain.pem")

    # Parts

    def start_redis(self) -> None:
        """Start Redis, empty."""
        self._start("redis", services.redis_server(port=self.redis_port))

    def start_postgresql(self) -> None:
        """Start PostgreSQL, with the data it had."""
        cluster = self.folder / "postgresql"
        cluster.mkdir(exist_ok=True)
        self._start("postgresql", services.postgresql_server(port=self.postgresql_port, cluster=cluster))

    def start_nginx(self) -> None:
        """Start nginx on the written configuration."""
        self.nginx = self._start("nginx", services.nginx_server(self.folder, port=self.ports.https))

    def start_node(self, number: int) -> None:
        """Start a node, with the settings of gunicorn that we ship."""
        options = ("-c", str(DEPLOY / "gunicorn.conf.py"))
        config = {
            "PASSKEY_RP_ID": HOST,
            "PASSKEY_ORIGINS": SITE,
            "PASSKEY_DATABASE_URI": self.database_uri,
            "REDIS_URL": self.redis_url,
            "RATELIMIT_ENABLED": "true",
            "SECRET_KEY": "the same on both",
            "TRUSTED_PROXIES": "1",
        }
        port = self.ports.nodes[number]
        running = nodes.node(self.folder, *options, workers=self.workers, threads=8, port=port, **config)
        self.nodes[number] = self._start(f"node {number}", running)

    def start(self) -> None:
        """Start everything, the nodes at the same time."""
        self.start_redis()
        self.start_postgresql()
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.start_node, range(len(self.ports.nodes))))
        self.start_nginx()

    def stop(self, part: str) -> None:
        """Stop a part as an administrator does, and wait until it has ended."""
        self._parts.pop(part).close()

    def stop_all(self) -> None:
        """Stop what still runs."""
        for part in list(self._parts)[::-1]:
            self.stop(part)

    def _start(self, part: str, running: Any) -> Any:
        stack = ExitStack()
        started = stack.enter_context(running)
        self._parts[part] = stack
        return started

    # What happens to them

    def freeze_node(self, number: int) -> None:
        """Stop a node where it is: the kernel still takes what is sent to it, but nobody reads it."""
        for pid in self.nodes[number].workers():
            os.kill(pid, signal.SIGSTOP)

    def kill_node(self, number: int) -> None:
        """End a node as a power cut does: the master and all workers, with SIGKILL."""
        node = self.nodes[number]
        for pid in (node.process.pid, *node.workers()):
            os.kill(pid, signal.SIGKILL)
        self.stop(f"node {number}")

    @contextmanager
    def vanished(self, number: int) -> Iterator[None]:
        """Have a node that is stopped be as a machine without power: who connects to it hears nothing at all."""
        with ExitStack() as sockets:
            listener = sockets.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.ports.nodes[number]))
            listener.listen(0)
            for _ in range(4):  # when its queue is full, the kernel drops what else arrives
                waiting = sockets.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            yield

    def reload_node(self, number: int) -> None:
        """Have a node start new workers with new code, and wait until the old ones have finished."""
        node = self.nodes[number]
        old = set(node.workers())
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(node.workers()) == self.workers and not old & set(node.workers()))

    def drain(self, number: int | None) -> None:
        """Give a node nothing new, and wait until what it has is finished; with ``None`` all get something again."""
        assert self.nginx
        write_nodes(self.folder, self.ports, down=number)
        old = set(self.nginx.children())
        self.nginx.process.send_signal(signal.SIGHUP)
        wait_until(lambda: bool(self.nginx and (now := set(self.nginx.children())) and not old & now))

    # Who visits

    def address(self, number: int) -> str:
        """Return a node's address as nginx writes it."""
        return f"127.0.0.1:{self.ports.nodes[number]}"

    def browser(self) -> Browser:
        """Return a new browser at a new address."""
        return Browser(port=self.ports.https, tls=self._tls)


@contextmanager
def cluster(folder: Path, *, workers: int = 1) -> Iterator[Cluster]:
    """Run two nodes until the block ends."""
    folder.chmod(0o755)  # PostgreSQL and nginx have other users
    made = Cluster(folder, workers=workers)
    try:
        made.start()
        yield made
    finally:
        made.stop_all()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens by itself."""
    deadline = time.monotonic() + nodes.PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
