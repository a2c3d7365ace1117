"""What the operator relies on in aiohttp. Each test is a row of operator/esm_operator/adapters/README.md."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Generator
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.connector import Connection

from tests.unit.slow_connections import ANSWER, WAYS, Held, SlowServer, held_up
from tests.waiting import LIMIT, eventually_async


class CalledOffError(Exception):
    """The request was called off."""


@pytest.fixture
def server() -> Generator[SlowServer]:
    made = SlowServer()
    made.accept()
    yield made
    made.close()


@pytest.fixture(params=WAYS)
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Held]:
    with held_up(request.param, monkeypatch, tmp_path) as made:
        yield made


def requests_that(check: Callable[[], object]) -> type[aiohttp.ClientRequest]:
    """A class of requests that call a function when they are sent."""

    class Request(aiohttp.ClientRequest):
        async def send(self, conn: Connection) -> aiohttp.ClientResponse:
            check()
            return await super().send(conn)

    return Request


def session_with(check: Callable[[], object], connector: aiohttp.TCPConnector | None = None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=connector, request_class=requests_that(check))


def trusting(folder: Path) -> aiohttp.TCPConnector:
    """A connector that trusts the certificate in a folder, if there is one."""
    trusted = folder / "ca.pem"
    return aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=trusted) if trusted.exists() else True)


# Requests


async def test_send_is_awaited_when_the_connection_is_ready_and_no_byte_has_left(held: Held, tmp_path: Path) -> None:
    asked = list[bytes]()
    async with session_with(lambda: asked.append(held.server.received), trusting(tmp_path)) as session:
        request = asyncio.create_task(session.put(held.url, data=b"body"))
        await eventually_async(held.is_reached)
        await asyncio.sleep(0.05)
        assert asked == [], "not before it is connected"
        held.release()
        await asyncio.wait_for(request, LIMIT)
    assert asked == [b""]
    assert b"body" in held.server.received


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
async def test_what_send_raises_closes_the_connection_and_is_not_repeated(server: SlowServer, method: str) -> None:
    answers = iter([None, CalledOffError(), None])

    def check() -> None:
        if (error := next(answers)) is not None:
            raise error

    async with session_with(check) as session:
        await session.request(method, server.url)
        with pytest.raises(CalledOffError):
            await session.request(method, server.url)
        await eventually_async(lambda: server.has_ended(1))
        await session.request(method, server.url)
    assert (server.accepted, server.requests) == (2, 2)


async def test_send_runs_with_the_context_of_the_caller(server: SlowServer) -> None:
    caller, seen = ContextVar[str]("caller"), set[str]()

    async def ask(name: str) -> None:
        caller.set(name)
        await session.get(server.url)

    async with session_with(lambda: seen.add(caller.get())) as session:
        await asyncio.gather(*(asyncio.create_task(ask(name)) for name in ("one", "two", "three")))
    assert seen == {"one", "two", "three"}


@pytest.mark.parametrize(("method", "repeated"), [("GET", True), ("PUT", True), ("PATCH", False), ("POST", False)])
async def test_a_request_that_is_repeated_on_a_new_connection_passes_send_again(method: str, repeated: bool) -> None:
    """aiohttp repeats it if the server has closed the connection that was kept alive, but never PATCH and POST."""
    answered = list[int]()

    def answer(connection: socket.socket) -> None:
        answered.append(1)
        if len(answered) == 2:
            raise OSError("The server closes the connection.")
        connection.sendall(ANSWER)

    server, sent = SlowServer(answer=answer), list[int]()
    server.accept()
    async with session_with(lambda: sent.append(1)) as session:
        await (await session.get(server.url)).read()
        sent.clear()
        request = session.request(method, server.url, data=b"body")
        if repeated:
            assert (await request).status == 200
        else:
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await request
    server.close()
    assert len(sent) == server.requests - 1 == (2 if repeated else 1)


async def test_a_request_that_is_given_up_while_it_connects_is_never_sent(held: Held, tmp_path: Path) -> None:
    async with aiohttp.ClientSession(connector=trusting(tmp_path)) as session:
        with pytest.raises(TimeoutError):
            await session.patch(held.url, data=b"given up", timeout=aiohttp.ClientTimeout(0.2))
        held.release()
        await session.patch(held.url, data=b"sent")
    await eventually_async(lambda: held.server.closed == held.server.accepted)
    assert held.server.requests == 1
    assert b"given up" not in held.server.received


# Answers


# Traces


class Traces:
    """What a session's traces show."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.config = aiohttp.TraceConfig()
        self.config.on_request_start.append(self._started)
        self.config.on_request_end.append(self._ended)
        self.config.on_request_exception.append(self._failed)

    async def _started(self, _: Any, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams) -> None:
        self.shown.append(f"started {request.url.path}")

    async def _ended(self, _: Any, context: SimpleNamespace, request: aiohttp.TraceRequestEndParams) -> None:
        self.shown.append(f"ended {request.url.path} {request.response.status}")

    async def _failed(self, _: Any, context: SimpleNamespace, request: aiohttp.TraceRequestExceptionParams) -> None:
        self.shown.append(f"failed {request.url.path} {type(request.exception).__name__}")


async def test_traces_show_the_end_of_a_request_when_the_head_of_its_answer_is_there() -> None:
    def begin(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\n")

    server, traces = SlowServer(answer=begin), Traces()
    server.accept()
    async with aiohttp.ClientSession(trace_configs=[traces.config]) as session:
        response = await asyncio.wait_for(session.get(f"{server.url}/watch?watch=true"), LIMIT)
        assert traces.shown == ["started /watch", "ended /watch 503"]
        response.close()
    server.close()


async def test_traces_show_the_start_before_the_connection_and_why_a_request_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    traces = Traces()
    with held_up("late TLS handshake", monkeypatch, tmp_path) as held:
        async with aiohttp.ClientSession(connector=trusting(tmp_path), trace_configs=[traces.config]) as session:
            with pytest.raises(TimeoutError):
                await session.get(f"{held.url}/watch", timeout=aiohttp.ClientTimeout(0.2))
            assert traces.shown[:2] == ["started /watch", "failed /watch TimeoutError"]
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get("http://127.0.0.1:1/other")
            assert traces.shown[2:] == ["started /other", "failed /other ClientConnectorError"]
