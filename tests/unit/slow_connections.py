"""Servers with slow connections, on real sockets.

The servers have a slow resolver, a late TLS handshake or a full accept queue. Each server delays a connection until
``Held.release`` is called, and records all bytes of the requests.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

#: A host name that only :func:`slow_resolver` resolves.
HOST = "slow.test"
#: The default answer of a server: a mapping, or an object of Kubernetes.
BODY = b'{"UUID": "11111111-2222-3333-4444-555555555555", "metadata": {"name": "orders", "resourceVersion": "2"}}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
#: The ways to delay a connection.
WAYS = ("slow resolver", "late TLS handshake", "full accept queue")
_SYN_SENT = "02"
_real_getaddrinfo = socket.getaddrinfo


class SlowServer:
    """An HTTP server on a raw socket. :meth:`close` ends it."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        backlog: int = 16,
        answer: Callable[[socket.socket], None] | None = None,
    ) -> None:
        """
        Args:
            tls: the TLS context. None: the server does not use TLS.
            backlog: the length of the accept queue.
            answer: sends the answer to one request. None: ``ANSWER``.
        """
        self._tls = tls
        self._answer = answer or (lambda connection: connection.sendall(ANSWER))
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(backlog)
        self.port: int = self._listener.getsockname()[1]
        self.handshake = threading.Event()
        """Set: TLS handshakes are made."""
        self.accepted = 0
        self.closed = 0
        """Connections that have ended."""
        self.received = b""
        """All bytes of requests, of all connections, as they came in."""
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    @property
    def requests(self) -> int:
        """The requests whose first line has arrived."""
        return self.received.count(b" HTTP/1.1\r\n")

    @property
    def is_connecting(self) -> bool:
        """Whether a client has sent SYN and has no answer."""
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return any(int(line[2].rpartition(":")[2], 16) == self.port and line[3] == _SYN_SENT for line in lines)

    def has_ended(self, connections: int) -> bool:
        """Whether there were this many connections, and all are closed."""
        return self.closed == self.accepted == connections

    def accept(self) -> None:
        """Accept connections from now on."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.handshake.set()
        for one in (self._listener, *self._open):
            with suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self.accepted += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                self.handshake.wait()
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            while self._read_request(connection):
                self._answer(connection)
        except OSError:
            pass
        finally:
            connection.close()
            with self._lock:
                self.closed += 1

    def _read_request(self, connection: socket.socket) -> bool:
        """Read from a connection. Returns False at its end."""
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(65536)
            if not data:
                return False
            self.received += data
            request += data
        head, _, body = request.partition(b"\r\n\r\n")
        lengths = [
            int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")
        ]
        missing = sum(lengths) - len(body)
        while missing > 0:
            data = connection.recv(missing)
            if not data:
                return False
            self.received += data
            missing -= len(data)
        return True


@dataclass
class Held:
    """A server that delays connections."""

    server: SlowServer
    url: str
    is_reached: Callable[[], bool]
    """Whether a request is delayed now."""
    release: Callable[[], None]
    """Stop delaying connections."""
    before: int = 0
    """Connections of the test itself, which are not of the client."""


def held_up(way: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> AbstractContextManager[Held]:
    """A server that delays connections in one of ``WAYS``.

    Args:
        way: the way.
        monkeypatch: for the resolver.
        folder: the folder of the certificate. See :func:`certificate`.
    """
    match way:
        case "slow resolver":
            return slow_resolver(monkeypatch)
        case "late TLS handshake":
            return late_handshake(folder)
        case _:
            return full_accept_queue()


@contextmanager
def slow_resolver(monkeypatch: pytest.MonkeyPatch) -> Generator[Held]:
    """A server whose name is resolved only after the release."""
    server, asked, go = SlowServer(), threading.Semaphore(0), threading.Event()

    def getaddrinfo(host: Any, *args: Any, **named: Any) -> Any:
        if host not in (HOST, HOST.encode()):
            return _real_getaddrinfo(host, *args, **named)
        asked.release()
        go.wait()
        return _real_getaddrinfo("127.0.0.1", *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    server.accept()
    try:
        yield Held(server, f"http://{HOST}:{server.port}", lambda: asked.acquire(blocking=False), go.set)
    finally:
        go.set()
        server.close()


@contextmanager
def late_handshake(folder: Path) -> Generator[Held]:
    """A server that accepts connections, and starts the TLS handshake only after the release."""
    server = SlowServer(tls=certificate(folder))
    server.accept()
    try:
        yield Held(server, server.url, lambda: server.accepted > 0, server.handshake.set)
    finally:
        server.close()


@contextmanager
def full_accept_queue() -> Generator[Held]:
    """A server with a full accept queue until the release. The kernel drops new connections."""
    server = SlowServer(backlog=0)
    filler = socket.create_connection(("127.0.0.1", server.port))  # Linux queues one connection more than the backlog
    filler.close()
    try:
        yield Held(server, f"http://127.0.0.1:{server.port}", lambda: server.is_connecting, server.accept, before=1)
    finally:
        server.close()


def certificate(folder: Path) -> ssl.SSLContext:
    """The TLS context of a server named localhost. The file ``ca.pem`` in the folder has its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context
