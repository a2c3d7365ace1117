"""The hooks into botocore and urllib3 that can cancel a request when its connection is ready.

botocore's last event, ``before-send``, comes before name resolution, connect and TLS handshake. No event comes between
the handshake and the first byte. Therefore :func:`install` gives a client connection classes that call the current
request before they send anything. They rely on internals of both libraries (README.md, section on connections).
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Protocol

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool
from urllib3.connection import HTTPConnection


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


#: The request that this thread makes.
current: ContextVar[Request] = ContextVar("current")


def install(client: Any) -> None:
    """Make an unused client of boto3 call :data:`current` before it connects and before it sends."""
    session = client._endpoint.http_session
    session._pool_classes_by_scheme = session._manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    client.meta.events.register("before-send", _before_send)


def _before_send(request: Any, event_name: str, **_: Any) -> None:
    current.get().connecting(event_name.rpartition(".")[2], request.url)


class _AskingConnection(HTTPConnection):
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
            _send_again_within(connected, current.get().sending(lambda: _cut(connected)))
        super().send(data)


# The parameter of send is "str" in botocore's mixin, and "data" in urllib3.
class _Connection(_AskingConnection, AWSHTTPConnection):  # pyright: ignore[reportIncompatibleMethodOverride]
    pass


class _TLSConnection(_AskingConnection, AWSHTTPSConnection):  # pyright: ignore[reportIncompatibleMethodOverride]
    pass


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(AWSHTTPSConnectionPool):
    ConnectionCls = _TLSConnection


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
