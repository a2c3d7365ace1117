"""The hooks into botocore and urllib3 that can cancel a request when its connection is ready, and limit its answer.

botocore's last event, ``before-send``, comes before name resolution, connect and TLS handshake. No event comes between
the handshake and the first byte. Therefore :func:`install` gives a client connection classes that call the current
request before they send anything, and for each part of the answer that arrives. They rely on internals of both
libraries (README.md, section on connections). botocore does not decompress answers, so the bytes that arrive are all.
"""

import io
import socket
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import cache, partial
from http.client import HTTPResponse
from typing import Any, Protocol

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool
from urllib3.connection import HTTPConnection

#: Bytes of the body of an error answer that are parsed. botocore uses JSON that is cut off as the message, and reads
#: the code from the head, so that the answer remains a refusal. AWS sends less.
MOST_OF_ERROR = 20_000


class Request(Protocol):
    """The request that a thread sends. Its methods raise to cancel it."""

    def connecting(self, operation: str, url: str) -> None:
        """The request of an operation, such as ``CreateEventSourceMapping``, is signed. The connection is next."""
        ...

    def sending(self, cut: Callable[[], None]) -> float:
        """The connection is ready, and bytes of the request are sent next. Called for each part of the request.

        Args:
            cut: ends the connection and the wait for the answer. Any thread may call it at any time.

        Returns:
            seconds in which AWS has to acknowledge these bytes. After that, the kernel stops sending them again.
        """
        ...

    def receiving(self, received: int) -> None:
        """So many bytes of the answer have arrived, those of the head included. Called for each part that arrives."""
        ...

    def parsing(self, body: bytes) -> None:
        """The answer has arrived, and is parsed next."""
        ...

    def check(self) -> None:
        """Raise if nobody waits for the answer any more."""
        ...


#: The request that this thread makes.
current: ContextVar[Request] = ContextVar("current")


def install(client: Any, request: Callable[[], Request] = current.get) -> None:
    """Make an unused client of boto3 call the request of this thread: before it connects, sends and parses, and while
    it receives.
    """
    session, events = client._endpoint.http_session, client.meta.events
    session._pool_classes_by_scheme = session._manager.pool_classes_by_scheme = _pools(request)
    events.register("before-send", partial(_before_send, request))
    events.register("before-parse", partial(_before_parse, request))


def _before_send(current_request: Callable[[], Request], request: Any, event_name: str, **_: Any) -> None:
    current_request().connecting(event_name.rpartition(".")[2], request.url)


def _before_parse(current_request: Callable[[], Request], response_dict: Any, **_: Any) -> None:
    if response_dict["status_code"] >= 300:
        response_dict["body"] = response_dict["body"][:MOST_OF_ERROR].decode(errors="ignore").encode()
    current_request().parsing(response_dict["body"])


@cache
def _pools(request: Callable[[], Request]) -> dict[str, type]:
    """The connection pools of a client, by the scheme of the URL."""

    class Received(io.RawIOBase):
        """The bytes of an answer, as they arrive."""

        def __init__(self, raw: io.RawIOBase) -> None:
            self._raw = raw
            self._received = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int | None:
            count = self._raw.readinto(buffer)
            self._received += count or 0
            request().receiving(self._received)
            return count

        def close(self) -> None:
            self._raw.close()
            super().close()

    class LimitedResponse(HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **named: Any) -> None:
            super().__init__(sock, *args, **named)
            self.fp: Any = io.BufferedReader(Received(self.fp.detach()))

    class AskingConnection(HTTPConnection):
        response_class = LimitedResponse
        _is_connecting = False

        def connect(self) -> None:
            self._is_connecting = True
            try:
                super().connect()
            finally:
                self._is_connecting = False

        def send(self, data: Any) -> None:
            if not self._is_connecting:
                if self.sock is None:
                    self.connect()
                connected = _tcp(self.sock)
                _send_again_within(connected, request().sending(lambda: _cut(connected)))
            super().send(data)

    # The parameter of send is "str" in botocore's mixin, and "data" in urllib3.
    class Connection(AskingConnection, AWSHTTPConnection):  # pyright: ignore[reportIncompatibleMethodOverride]
        pass

    class TLSConnection(AskingConnection, AWSHTTPSConnection):  # pyright: ignore[reportIncompatibleMethodOverride]
        pass

    class Pool(AWSHTTPConnectionPool):
        ConnectionCls = Connection

    class TLSPool(AWSHTTPSConnectionPool):
        ConnectionCls = TLSConnection

    return {"http": Pool, "https": TLSPool}


def _tcp(connected: Any) -> socket.socket:
    """The TCP socket of a connection. urllib3 wraps it for TLS inside of the TLS of a proxy."""
    while not isinstance(connected, socket.socket):
        connected = connected.socket
    return connected


def _cut(connected: socket.socket) -> None:
    """Shut a connection down, without the side effects of SSLSocket.shutdown, because another thread may read."""
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _send_again_within(connected: socket.socket, seconds: float) -> None:
    """Limit how long the kernel repeats bytes that are not acknowledged (tcp(7), TCP_USER_TIMEOUT, only on Linux).

    Without the limit, the kernel repeats them for many minutes, even on a closed connection, and a request can reach
    AWS long after its deadline.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(1000 * seconds)))
