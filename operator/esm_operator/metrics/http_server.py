"""A small HTTP server for the probes and the metrics, which limits what its clients can use.

Everybody in the pod's network can connect to it. Therefore each connection carries one request and ends soon. If there
are too many connections, the server closes one of the client address that has most of them. So a client with a thousand
idle connections displaces only its own ones. If several addresses have most, their connections end in the order of
:class:`Rank`, oldest first.

A web framework would limit requests, but not connections. The server accepts each connection itself, so that also TLS
handshakes count.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from http import HTTPStatus

from esm_operator.ratelimit.failure_log import FailureLog

logger = logging.getLogger(__name__)

#: Connections that a server has at the same time.
CONNECTIONS = 32
#: Bytes of a request, without a body.
LARGEST_REQUEST = 16_384
#: Seconds for the TLS handshake and the request, and for the whole connection.
REQUEST_TIMEOUT, TIMEOUT = 5.0, 30.0
#: Seconds after an answer to an unknown client in which the client should have read the answer.
READING = 1.0
#: Addresses of known clients that a server remembers.
_REMEMBERED = 128
#: Seconds until the server accepts connections again after a failure.
_PAUSE = 1.0
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request."""

    method: str
    path: str
    """Without the query."""
    headers: Mapping[str, str]
    """By the name in lower case."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer."""

    status: HTTPStatus
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "text/plain; charset=utf-8"})

    def render(self, *, with_body: bool = True) -> bytes:
        """The bytes to send."""
        headers = {**self.headers, "Content-Length": str(len(self.body)), "Connection": "close"}
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}", *(f"{key}: {headers[key]}" for key in headers)]
        return "\r\n".join(lines).encode("latin-1") + _END + (self.body if with_body else b"")


Handler = Callable[[Request], Awaitable[Response]]


class Rank(IntEnum):
    """Which connections of equal clients are closed first: those with lower values."""

    UNKNOWN = 0
    """The request is of an unknown client, which waits for its check or does not read its answer."""
    CONNECTED = 1
    """No request has arrived, as during a TLS handshake."""
    ANSWERED = 2
    """The request is being answered. Any client is known."""
    KNOWN = 3
    """The request is of a known client, or the last request from this address was."""


def text(status: HTTPStatus, sentence: str) -> Response:
    """An answer with one line of text."""
    return Response(status, f"{sentence}\n".encode())


def parse(head: bytes) -> Request | None:
    """The request of these bytes; None: it is not HTTP/1."""
    first, *lines = head.removesuffix(_END).decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return None
    pairs = (line.partition(":") for line in lines)
    return Request(words[0], words[1].partition("?")[0], {name.lower(): value.strip() for name, _, value in pairs})


def listen(address: str) -> socket.socket:
    """A socket that listens at ``host:port``. Without host, it listens at all addresses, of IPv6 too.

    Raises:
        OSError: the address cannot be used.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host and socket.has_dualstack_ipv6():
        with suppress(OSError):  # the kernel has no IPv6, or the port is taken
            return socket.create_server(("", int(port)), family=socket.AF_INET6, dualstack_ipv6=True)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family)


def check(address: str) -> None:
    """Raise OSError if an address cannot be used; an empty one is not used."""
    if address:
        listen(address).close()


class _Protocol(asyncio.StreamReaderProtocol):
    """A protocol of streams that keeps its transport, also if the task that opens the connection is cancelled."""

    made: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made = transport
        super().connection_made(transport)


@dataclass(eq=False, slots=True)
class _Connection:
    """A connection. Its socket is closed by the transport as soon as there is one, because asyncio waits for it."""

    socket: socket.socket
    client: str
    """The address of the client."""
    has_transport: bool = False
    rank: Rank = Rank.CONNECTED

    def give_up_answer(self) -> None:
        """Lower the rank of an answer that was not read in time."""
        if self.rank is Rank.ANSWERED:
            self.rank = Rank.UNKNOWN


class HttpServer:
    """An HTTP server at one address. For one event loop."""

    def __init__(
        self,
        address: str,
        routes: Mapping[str, Handler],
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        knows: Callable[[Request], bool] | None = None,
    ) -> None:
        """
        Args:
            address: ``host:port``. Empty: there is no server.
            routes: the handlers by path.
            tls: the TLS context of the next connection. None: the connection is not encrypted.
            knows: whether a request is of a known client, whose connection is closed last. None: any client is known.
        """
        self._address = address
        self._routes = routes
        self._tls = tls
        self._knows = knows
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        """By task, oldest connection first."""
        self._known: OrderedDict[str, None] = OrderedDict()
        """The addresses of known clients, the latest last. A client may come back with a new token."""
        self._failures = FailureLog(logger, f"The server at {address} accepts connections again")
        self._errors = FailureLog(logger, f"The server at {address} answers requests again")

    async def start(self) -> None:
        """Begin to answer. Raises OSError if the address cannot be used."""
        if not self._address:
            return
        self._listener = listen(self._address)
        self._listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(self._listener), name=f"server at {self._address}")

    async def stop(self) -> None:
        """Stop answering."""
        ending = [*self._connections, *([self._accepting] if self._accepting is not None else [])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listener)
            except OSError as error:
                self._failures.failed(
                    f"The server at {self._address} could not accept a connection ({error.strerror}), and retries.",
                    cause=error.errno,
                )
                await asyncio.sleep(_PAUSE)
                continue
            self._failures.succeeded()
            client = str(peer[0])
            self._admit(_Connection(connection, client, rank=Rank.KNOWN if client in self._known else Rank.CONNECTED))
            await asyncio.sleep(0)  # other tasks have their turn, however many clients connect

    def _admit(self, connection: _Connection) -> None:
        if len(self._connections) >= CONNECTIONS:
            self._displace()
        task = asyncio.create_task(self._serve(connection), name=f"connection of {connection.client}")
        self._connections[task] = connection

        def end(ended: asyncio.Task[None]) -> None:
            self._connections.pop(ended, None)
            if not connection.has_transport:  # the task was cancelled before it began
                connection.socket.close()
            if not ended.cancelled() and (error := ended.exception()) is not None:
                self._errors.failed(f"A connection failed ({error!r}).", cause=type(error))

        task.add_done_callback(end)

    def _displace(self) -> None:
        """Close a connection of the client that has most connections: of the lowest rank, the oldest."""
        counts = Counter(one.client for one in self._connections.values())
        task, _ = min(self._connections.items(), key=lambda item: (-counts[item[1].client], item[1].rank))
        del self._connections[task]
        task.cancel()

    async def _serve(self, connection: _Connection) -> None:
        """Answer one request. A client that is too slow, or breaks off, gets no answer."""
        reader = asyncio.StreamReader(limit=LARGEST_REQUEST)
        protocol = _Protocol(reader)
        try:
            async with asyncio.timeout(TIMEOUT):
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    transport = await self._open(connection, protocol)
                    head = await reader.readuntil(_END)
                request = parse(head)
                connection.rank = self._rank(connection.client, request)
                writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
                writer.write(await self._answer(request))
                asyncio.get_running_loop().call_later(READING, connection.give_up_answer)
                if not writer.is_closing():
                    writer.close()
                await writer.wait_closed()
        except (OSError, EOFError, asyncio.LimitOverrunError):  # TimeoutError and ssl.SSLError are OSErrors
            pass
        finally:
            if isinstance(protocol.made, asyncio.WriteTransport):
                protocol.made.abort()

    def _rank(self, client: str, request: Request | None) -> Rank:
        """The rank of a request. The address of a known client is remembered."""
        if self._knows is None or request is None:
            return Rank.ANSWERED
        if self._knows(request):
            self._known[client] = None
            self._known.move_to_end(client)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return Rank.KNOWN if client in self._known else Rank.UNKNOWN

    async def _open(self, connection: _Connection, protocol: _Protocol) -> asyncio.Transport:
        loop, tls = asyncio.get_running_loop(), self._tls()
        limits = {"ssl_handshake_timeout": REQUEST_TIMEOUT, "ssl_shutdown_timeout": 1.0} if tls is not None else {}
        connection.has_transport = True
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection.socket, ssl=tls, **limits)
        return transport

    async def _answer(self, request: Request | None) -> bytes:
        if request is None:
            return text(HTTPStatus.BAD_REQUEST, "This is not a request of HTTP/1.").render()
        handler = self._routes.get(request.path)
        if handler is None:
            return text(HTTPStatus.NOT_FOUND, f"The paths are {', '.join(self._routes)}.").render()
        if request.method not in ("GET", "HEAD"):
            return text(HTTPStatus.METHOD_NOT_ALLOWED, "The methods are GET and HEAD.").render()
        try:
            response = await handler(request)
            self._errors.succeeded()
        except Exception as error:
            self._errors.failed(f"The operator could not answer GET {request.path} ({error!r}).", cause=type(error))
            response = text(HTTPStatus.INTERNAL_SERVER_ERROR, "The log shows the cause.")
        return response.render(with_body=request.method == "GET")
