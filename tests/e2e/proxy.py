"""A TCP proxy in front of a server, so that the network fails for one operator only.

A stopped API server would affect all clients in a test. TLS passes through the proxy, because the certificate of the
API server is valid for the proxy's address. In front of the AWS server, which uses plain HTTP, the proxy also records
the requests of its client.
"""

import queue
import re
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import yaml

HOST = "127.0.0.1"
_REQUEST = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (\S+) HTTP/1\.1\r\n")
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """A plain HTTP request that passed the proxy."""

    at: float
    """The time of ``time.monotonic``."""
    method: str
    path: str


class Proxy:
    """Forwards connections to a server. A context manager."""

    def __init__(self, host: str, port: int) -> None:
        """
        Args:
            host: the host of the server.
            port: the port of the server.
        """
        self._server = (host, port)
        self._lock = threading.Lock()
        self._connections: set[tuple[socket.socket, socket.socket]] = set()
        self._requests: list[Request] = []
        self._refusing = False
        self._refused = 0
        self._late = 0.0
        self._closed = False
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._flowing.set()

    @property
    def requests(self) -> list[Request]:
        """The plain HTTP requests so far, in order. Requests in TLS are not visible."""
        with self._lock:
            return list(self._requests)

    @property
    def refused(self) -> int:
        """The number of new connections that it has closed immediately."""
        return self._refused

    def delay_answers(self, seconds: float) -> None:
        """Forward all data of the server so many seconds later, also that of connections that exist."""
        self._late = seconds

    def cut(self) -> None:
        """Close all connections now, as the restart of a server does. New connections work."""
        with self._lock:
            connections, self._connections = self._connections, set()
        for pair in connections:
            _end(*pair)

    def hang(self) -> None:
        """Keep and accept connections, and forward nothing in either direction."""
        self._flowing.clear()

    def refuse(self) -> None:
        """Close all connections, and new ones immediately."""
        self._refusing = True
        self.cut()

    def restore(self) -> None:
        """Forward everything again immediately, also data that arrived while the proxy hung."""
        self._refusing = False
        self._late = 0.0
        self._flowing.set()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                # With a reset, because a client that sends immediately would read a normal end as an empty answer.
                self._refused += 1
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
                client.close()
                continue
            threading.Thread(target=self._connect, args=(client,), name="proxy connection", daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._server, timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = (client, server)
        with self._lock:
            self._connections.add(pair)
        if self._refusing or self._closed:
            self.cut()
        back = threading.Thread(target=self._pump_answers, args=(server, client), name="proxy answers", daemon=True)
        back.start()
        self._pump_requests(client, server)
        back.join()
        with self._lock:
            self._connections.discard(pair)
        client.close()
        server.close()

    def _pump_requests(self, client: socket.socket, server: socket.socket) -> None:
        """Forward the data of the client. When it ends, close both sides."""
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                self._flowing.wait()
                self._note(data)
                server.sendall(data)
        _end(client, server)

    def _pump_answers(self, server: socket.socket, client: socket.socket) -> None:
        """Forward the data of the server, each part after the delay that was set when it arrived."""
        parts: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

        def forward() -> None:
            with suppress(OSError):
                while (part := parts.get())[1]:
                    time.sleep(max(0.0, part[0] - time.monotonic()))
                    self._flowing.wait()
                    client.sendall(part[1])
            _end(server, client)

        forwarding = threading.Thread(target=forward, name="proxy answers later", daemon=True)
        forwarding.start()
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                parts.put((time.monotonic() + self._late, data))
        parts.put((0.0, b""))
        forwarding.join()

    def _note(self, data: bytes) -> None:
        found = _REQUEST.match(data)
        if found is not None:
            request = Request(time.monotonic(), found[1].decode(), found[2].decode())
            with self._lock:
                self._requests.append(request)


class HttpProxy(Proxy):
    """A proxy for CONNECT requests, as HTTPS_PROXY needs it. The same server answers for all hosts."""

    @property
    def url(self) -> str:
        """The URL for HTTPS_PROXY and proxy-url."""
        return f"http://{HOST}:{self.port}"

    def _connect(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(_CHUNK)
            if not data:
                client.close()
                return
            head += data
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        super()._connect(client)


def kubeconfig_through(kubeconfig: Path, proxy: Proxy, into: Path) -> Path:
    """Write a copy of a kubeconfig that uses a proxy. Returns the file."""
    config = yaml.safe_load(kubeconfig.read_text())
    for each in config["clusters"]:
        assert urlsplit(each["cluster"]["server"]).scheme == "https"
        each["cluster"]["server"] = f"https://{HOST}:{proxy.port}"
    into.write_text(yaml.safe_dump(config, sort_keys=False))
    return into


def _end(*ends: socket.socket) -> None:
    """Close both directions. A reader gets an end of file."""
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
