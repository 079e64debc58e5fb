"""A way to a server that can be long, and that counts how often it is gone: a proxy of TCP connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any


class Link:
    """Passes bytes on between clients and a server.

    :param port: the server's, on loopback.
    :param delay: seconds from one end to the other.
    """

    def __init__(self, port: int, *, delay: float = 0.0) -> None:
        #: How often a client has sent something and waited for the answer.
        self.round_trips = 0
        self.delay = delay
        self._server = port
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = [socket.create_server(("127.0.0.1", 0))]
        self.port: int = self._ends[0].getsockname()[1]
        self._threads = [self._start(self._accept)]

    def close(self) -> None:
        """Cut all connections, and accept no more."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def count(self) -> None:
        """Count one more."""
        with self._lock:
            self.round_trips += 1

    def _start(self, work: Callable[..., None], *args: Any) -> threading.Thread:
        thread = threading.Thread(target=work, args=args, daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._ends[0].accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                self._ends += client, server
                connection = _Connection(self)
                for source, sink, asks in ((client, server, True), (server, client, False)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    under_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
                    self._threads.append(self._start(connection.receive, source, under_way, asks))
                    self._threads.append(self._start(connection.send, sink, under_way))


class _Connection:
    """One connection: what a client sends after an answer is a new way to the server and back."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._answered = True

    def receive(self, source: socket.socket, under_way: SimpleQueue[tuple[float, bytes]], asks: bool) -> None:
        data = b"more"
        while data:
            try:
                data = source.recv(65_536)
            except OSError:
                data = b""
            if asks and data and self._answered:
                self._link.count()
            self._answered = not asks
            under_way.put((time.monotonic() + self._link.delay, data))

    def send(self, sink: socket.socket, under_way: SimpleQueue[tuple[float, bytes]]) -> None:
        data = b"more"
        while data:
            due, data = under_way.get()
            if (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            with suppress(OSError):
                sink.sendall(data) if data else sink.shutdown(socket.SHUT_WR)


@contextmanager
def link_to(port: int, *, delay: float = 0.0) -> Iterator[Link]:
    """Have a way to a server until the block ends.

    :param delay: seconds from one end to the other.
    """
    link = Link(port, delay=delay)
    try:
        yield link
    finally:
        link.close()
