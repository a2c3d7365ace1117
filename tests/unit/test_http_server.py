"""The HTTP server of the probes and the metrics, on real sockets."""

import asyncio
import logging
import selectors
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.metrics import http_server
from esm_operator.metrics.http_server import CONNECTIONS, HttpServer, Request, parse, text
from tests.operator_process import free_port
from tests.unit.slow_connections import certificate
from tests.waiting import eventually_async

MANY = 4 * CONNECTIONS
#: Connections that the server has displaced, and that have not ended yet.
FEW = 8
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: operator\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _alive(_: Request) -> http_server.Response:
    return text(HTTPStatus.OK, "alive")


async def _broken(_: Request) -> http_server.Response:
    raise ValueError("arn:aws:sqs:eu-west-1:123456789012:orders")


@asynccontextmanager
async def running(tls: Callable[[], ssl.SSLContext | None] = lambda: None) -> AsyncGenerator[int]:
    """A server. Yields its port."""
    port = free_port()
    server = HttpServer(f"127.0.0.1:{port}", {"/healthz": _alive, "/broken": _broken}, tls)
    await server.start()
    try:
        yield port
    finally:
        await server.stop()


async def connected(exits: AsyncExitStack, port: int, client: str = "127.0.0.1") -> Streams:
    """A connection from an address of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(client, 0))

    async def close() -> None:
        writer.transport.abort()

    exits.push_async_callback(close)
    return reader, writer


async def answer(streams: Streams, request: bytes = HEALTHZ) -> bytes:
    """Send a request and read to the end of the connection."""
    reader, writer = streams
    writer.write(request)
    return await asyncio.wait_for(reader.read(), 60)


async def ask(port: int, request: bytes = HEALTHZ) -> bytes:
    async with AsyncExitStack() as exits:
        return await answer(await connected(exits, port), request)


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", 200, b"alive\n"),
        (b"GET /healthz?verbose=1 HTTP/1.0\r\nA: b\r\n\r\n", 200, b"alive\n"),
        (b"HEAD /healthz HTTP/1.1\r\n\r\n", 200, b""),
        (b"POST /healthz HTTP/1.1\r\n\r\n", 405, b"The methods are GET and HEAD.\n"),
        (b"GET /secrets HTTP/1.1\r\n\r\n", 404, b"The paths are /healthz, /broken.\n"),
        (b"GET /broken HTTP/1.1\r\n\r\n", 500, b"The log shows the cause.\n"),
        (b"GET /healthz\r\n\r\n", 400, b"This is not a request of HTTP/1.\n"),
        (b"\x16\x03\x01\x02\r\n\r\n", 400, b"This is not a request of HTTP/1.\n"),
    ],
)
async def test_requests_are_answered(request_: bytes, status: int, body: bytes) -> None:
    async with running() as port:
        head, _, found = (await ask(port, request_)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close" in head, "no client keeps a connection"
    assert found == body


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_none(head: bytes) -> None:
    parse(head)


async def test_a_client_with_many_connections_displaces_only_its_own() -> None:
    async with running() as port, AsyncExitStack() as exits:
        kubelet = await connected(exits, port, "127.0.0.2")
        attackers = [await connected(exits, port) for _ in range(MANY)]
        assert await ask(port) != b""
        served = [task for task in asyncio.all_tasks() if task.get_name().startswith("connection of")]
        assert len(served) <= CONNECTIONS + FEW
        assert (await answer(kubelet)).endswith(b"alive\n"), "its connection is the oldest one"
        await eventually_async(lambda: sum(one.at_eof() for one, _ in attackers) >= MANY - CONNECTIONS - 1)


@pytest.mark.parametrize("begun", [b"", HEALTHZ[:-2]], ids=["idle", "half a request"])
async def test_a_slow_client_is_disconnected(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(http_server, "REQUEST_TIMEOUT", 0.05)
    async with running() as port:
        assert await ask(port, begun) == b""


async def test_a_client_that_does_not_read_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "TIMEOUT", 0.05)
    port = free_port()

    async def long(_: Request) -> http_server.Response:
        return text(HTTPStatus.OK, "x" * 50_000_000)

    server = HttpServer(f"127.0.0.1:{port}", {"/long": long})
    await server.start()
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"GET /long HTTP/1.1\r\n\r\n")
        await eventually_async(lambda: any(task.get_name().startswith("connection of") for task in asyncio.all_tasks()))
        await eventually_async(
            lambda: not any(task.get_name().startswith("connection of") for task in asyncio.all_tasks())
        )
    await server.stop()


async def test_clients_that_do_not_read_are_closed_before_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "READING", 0.0)
    port = free_port()

    whole = http_server.Response(HTTPStatus.OK, b"x" * 10_000_000)

    async def long(_: Request) -> http_server.Response:
        return whole

    server = HttpServer(f"127.0.0.1:{port}", {"/long": long, "/healthz": _alive})
    await server.start()
    async with AsyncExitStack() as exits:
        for number in range(CONNECTIONS):
            reader, writer = await connected(exits, port, f"127.0.1.{number + 1}")
            writer.write(b"GET /long HTTP/1.1\r\n\r\n")
            await asyncio.wait_for(reader.readexactly(100), 60)
        prometheus = await connected(exits, port, "127.0.0.2")
        await connected(exits, port, "127.0.0.3")
        assert b" 200 " in await answer(prometheus)
    await server.stop()


async def test_a_large_request_is_not_read() -> None:
    async with running() as port:
        with suppress(ConnectionError):  # the server may close the connection before all bytes are sent
            assert await ask(port, b"GET /healthz HTTP/1.1\r\nA: " + b"a" * 1_000_000) == b""


async def test_handshakes_count_as_connections(tmp_path: Path) -> None:
    certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    async with running(lambda: context) as port, AsyncExitStack() as exits:
        idle = [await connected(exits, port) for _ in range(MANY)]
        streams = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="localhost")
        assert (await answer(streams)).endswith(b"alive\n")
        await eventually_async(lambda: sum(one.at_eof() for one, _ in idle) >= MANY - CONNECTIONS)


async def test_no_socket_is_closed_before_its_transport(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is displaced in the turn of the event loop in which its handshake ends."""
    certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(http_server, "CONNECTIONS", 1)
    with socket.socket() as client, socket.socket() as other:
        client.setblocking(False)
        async with running(lambda: context) as port:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            handshake = trusting.wrap_bio(incoming, outgoing, server_hostname="localhost")
            await loop.sock_connect(client, ("127.0.0.1", port))
            while True:
                try:
                    handshake.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    if outgoing.pending:
                        await loop.sock_sendall(client, outgoing.read())
                    incoming.write(await loop.sock_recv(client, 65_536))
            # In one turn, the server gets a connection that displaces the first one, and the end of the handshake.
            other.connect(("127.0.0.1", port))
            client.send(outgoing.read())
            await eventually_async(lambda: closed_by_server(client))
            assert closed_descriptors(loop) == []


def closed_by_server(client: socket.socket) -> bool:
    """Whether the server has closed a connection."""
    try:
        return client.recv(65_536) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def closed_descriptors(loop: asyncio.AbstractEventLoop) -> list[int]:
    """Descriptors that a loop waits for although they are closed. The kernel gives their numbers to other sockets."""
    selector: selectors.BaseSelector = getattr(loop, "_selector")  # noqa: B009
    return [
        number
        for number in selector.get_map()
        if isinstance(number, int) and not Path(f"/proc/self/fd/{number}").exists()
    ]


async def test_failures_are_counted_and_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with running() as port:
            for _ in range(20):
                assert b"arn:" not in await ask(port, b"GET /broken HTTP/1.1\r\n\r\n")
    assert len([one for one in caplog.records if "could not answer GET /broken" in one.getMessage()]) == 1


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1"])
async def test_a_taken_address_is_an_error(host: str) -> None:
    port = free_port("")
    server = HttpServer(f"{host}:{port}", {})
    await server.start()
    with pytest.raises(OSError, match=r"[Aa]ddress"):
        http_server.check(f"127.0.0.1:{port}" if host else f":{port}")
    await server.stop()
    http_server.check(f"{host}:{port}")


async def test_without_an_address_there_is_no_server() -> None:
    server = HttpServer("", {})
    await server.start()
    await server.stop()
    http_server.check("")
