"""Calls to AWS that take long: no write leaves after its lease or its deadline, and no call waits for ever.

The servers and the resolver are real sockets and threads: see slow_connections.py. Where a test needs time to pass, it
shortens a limit, or sets the clock of the calls.
"""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from esm_operator.aws import call
from esm_operator.aws import connection as connection_module
from esm_operator.aws.answer_limits import ListLimit
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.connection import Connector
from esm_operator.aws.connections import Connections
from esm_operator.aws.errors import NotSentError, is_doubtful, understand
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.fence import Fence, NotLeadingError
from esm_operator.planning.target import Access, Target
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.aws import AwsServer
from tests.unit.clock import StoppedClock, stopped
from tests.unit.slow_connections import WAYS, Held, SlowServer, certificate, held_up
from tests.waiting import LIMIT, eventually_async

CREATE = {"FunctionName": "orders", "EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:orders"}
UUID = "11111111-2222-3333-4444-555555555555"
SHORT = 0.3
"""Seconds: a limit that is to be exceeded, or a pause that is to be short."""


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(connection_module, "FIRST_CALL_PATIENCE", 0.0)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))


@pytest.fixture
async def one_thread(credentials: None) -> AsyncGenerator[Connections]:
    """Connections with one thread each, so that a second call waits until the thread of the first is free."""
    del credentials
    made = Connections(Connector(threads=1))
    yield made
    made.close()


@pytest.fixture
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Held]:
    """A server that holds connections up; urllib3's own limit does not get in the way."""
    monkeypatch.setattr(connection_module, "CONNECT_TIMEOUT", LIMIT)
    with held_up(getattr(request, "param", WAYS[0]), monkeypatch, tmp_path) as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Generator[StoppedClock]:
    """The clock of the process, at which calls look often."""
    monkeypatch.setattr(call, "SEND_TIMEOUT", SHORT)
    with stopped() as clock:
        yield clock


def lease() -> Fence:
    """One that does not end by itself."""
    fence = Fence(clock=lambda: 0.0)
    fence.extend(1000.0)
    return fence


class To:
    """A client whose requests go to another server than the one that it was connected at."""

    def __init__(self, aws: AwsServer, connections: Connections) -> None:
        self._aws = aws
        self._connections = connections

    async def server(self, url: str, fence: Fence) -> MappingsClient:
        self.connection = await self._connections.connect(Target("eu-west-1", Access(self._aws.endpoint)))

        def redirect(request: Any, **_: Any) -> None:
            request.url = request.url.replace(self._aws.endpoint, url)

        for client in (self.connection.client, self.connection.tagging):
            client.meta.events.register("before-sign", redirect)
        return self.client(fence)

    def client(self, fence: Fence) -> MappingsClient:
        """One of another term."""
        return MappingsClient(MappingsApi(self.connection, RateLimiter(1000), RateLimiter(1000), fence), Inventory())

    async def thread_is_free(self) -> None:
        """Wait until the only thread has nothing to do."""
        async with asyncio.timeout(LIMIT):
            await asyncio.get_running_loop().run_in_executor(self.connection.threads, lambda: None)


@pytest.fixture
def to(aws: AwsServer, one_thread: Connections) -> To:
    return To(aws, one_thread)


# The lease


@pytest.mark.parametrize("held", WAYS, indirect=True)
async def test_a_write_does_not_leave_if_the_lease_ends_while_it_connects(to: To, held: Held) -> None:
    fence = lease()
    client = await to.server(held.url, fence)
    create = asyncio.create_task(client.create(CREATE))
    await eventually_async(held.is_reached)
    fence.close()
    held.release()
    with pytest.raises(NotLeadingError):
        await asyncio.wait_for(create, LIMIT)
    await eventually_async(lambda: held.server.has_ended(held.before + 1))
    assert held.server.received == b""


@pytest.mark.parametrize("held", WAYS, indirect=True)
async def test_a_write_leaves_if_the_lease_outlasts_a_slow_connection(to: To, held: Held) -> None:
    client = await to.server(held.url, lease())
    create = asyncio.create_task(client.create(CREATE))
    await eventually_async(held.is_reached)
    held.release()
    assert (await asyncio.wait_for(create, LIMIT))["UUID"] == UUID
    assert held.server.requests == 1


@pytest.mark.parametrize("held", WAYS, indirect=True)
async def test_a_read_needs_no_lease(to: To, held: Held) -> None:
    fence = lease()
    fence.close()
    client = await to.server(held.url, fence)
    get = asyncio.create_task(client.refresh(UUID))
    await eventually_async(held.is_reached)
    held.release()
    assert await asyncio.wait_for(get, LIMIT)
    assert held.server.requests == 1


async def test_a_write_does_not_leave_on_a_connection_kept_alive_if_the_lease_has_ended(to: To) -> None:
    server = SlowServer()
    server.accept()
    fence = lease()
    client = await to.server(server.url, fence)
    await client.create(CREATE)
    events = to.connection.client.meta.events
    events.register_last("before-send", lambda **_: fence.close(), unique_id="end")
    with pytest.raises(NotLeadingError):
        await client.create(CREATE)
    events.unregister("before-send", unique_id="end")
    assert (server.accepted, server.requests) == (1, 1)
    await eventually_async(lambda: server.has_ended(1))
    await to.client(lease()).create(CREATE)
    assert (server.accepted, server.requests) == (2, 2), "the connection was not used again"
    server.close()


async def test_the_body_of_a_write_does_not_leave_if_the_lease_ends_after_its_head(to: To) -> None:
    server = SlowServer()
    server.accept()
    times = iter([0.0, 0.0, 1000.0])  # before it connects, before the head, before the body
    fence = Fence(clock=lambda: next(times))
    fence.extend(100.0)
    client = await to.server(server.url, fence)
    with pytest.raises(NotLeadingError):
        await client.create(CREATE)
    await eventually_async(lambda: server.has_ended(1))
    assert server.requests == 1
    assert b"orders" not in server.received
    server.close()


async def test_no_connection_is_made_for_a_write_that_may_not_leave(to: To, held: Held) -> None:
    fence = lease()
    fence.close()
    client = await to.server(held.url, fence)
    with pytest.raises(NotLeadingError):
        await asyncio.wait_for(client.create(CREATE), LIMIT)
    assert not held.is_reached()


# The deadline before the first byte


@pytest.mark.parametrize("held", WAYS, indirect=True)
async def test_a_write_that_was_given_up_while_it_connects_is_never_sent(
    to: To, held: Held, clock: StoppedClock
) -> None:
    client = await to.server(held.url, lease())
    create = asyncio.create_task(client.create(CREATE))
    await eventually_async(held.is_reached)
    clock.now += call.SEND_TIMEOUT
    with pytest.raises(NotSentError, match="no connection to") as given_up:
        await asyncio.wait_for(create, LIMIT)
    assert not is_doubtful(given_up.value)
    assert understand(given_up.value).reason == "AWSUnreachable"
    held.release()
    await to.thread_is_free()
    await eventually_async(lambda: held.server.has_ended(held.before + 1))
    assert held.server.received == b""


@pytest.mark.parametrize("held", WAYS, indirect=True)
async def test_a_write_that_was_cancelled_while_it_connects_is_never_sent(to: To, held: Held) -> None:
    client = await to.server(held.url, lease())
    create = asyncio.create_task(client.create(CREATE))
    await eventually_async(held.is_reached)
    create.cancel()
    await asyncio.wait([create], timeout=LIMIT)
    assert create.cancelled()
    held.release()
    await to.thread_is_free()
    await eventually_async(lambda: held.server.has_ended(held.before + 1))
    assert held.server.received == b""


async def test_a_write_is_not_sent_after_its_deadline_though_nobody_has_given_it_up_yet(
    to: To, held: Held, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that was suspended: the thread continues before the coroutine does."""
    client = await to.server(held.url, lease())
    create = asyncio.create_task(client.create(CREATE))
    await eventually_async(held.is_reached)
    clock.now += 3600
    held.release()
    with pytest.raises(NotSentError, match="no connection to"):
        await asyncio.wait_for(create, LIMIT)
    await eventually_async(lambda: held.server.has_ended(1))
    assert held.server.received == b""


async def test_a_handshake_that_urllib3_gives_up_leaves_no_doubt(
    to: To, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(connection_module, "CONNECT_TIMEOUT", SHORT)
    with held_up("late TLS handshake", monkeypatch, tmp_path) as late:
        client = await to.server(late.url, lease())
        with pytest.raises(NotSentError) as given_up:
            await asyncio.wait_for(client.create(CREATE), LIMIT)
    assert not is_doubtful(given_up.value)
    assert late.server.received == b""


async def test_a_call_is_given_up_if_no_thread_is_free(to: To, held: Held, clock: StoppedClock) -> None:
    """A thread hangs in the resolver for as long as that takes, even if its call was given up."""
    client = await to.server(held.url, lease())
    hanging = asyncio.create_task(client.create(CREATE))
    await eventually_async(held.is_reached)
    waiting = asyncio.create_task(client.create(CREATE))
    clock.now += call.SEND_TIMEOUT
    with pytest.raises(NotSentError, match="no connection to"):
        await asyncio.wait_for(hanging, LIMIT)
    assert not waiting.done()
    clock.now += call.WAIT_TIMEOUT
    with pytest.raises(NotSentError, match="No thread") as given_up:
        await asyncio.wait_for(waiting, LIMIT)
    assert not is_doubtful(given_up.value)
    waiting = asyncio.create_task(client.create(CREATE))
    held.release()
    await asyncio.wait_for(waiting, LIMIT)
    assert held.server.requests == 1, "none that was given up was sent"


async def test_a_call_is_given_up_if_there_are_no_credentials(to: To, clock: StoppedClock) -> None:
    server = SlowServer()
    server.accept()
    client = await to.server(server.url, lease())
    asked, come = threading.Event(), threading.Event()

    def wait_for_credentials(**_: Any) -> None:
        asked.set()
        come.wait()

    to.connection.client.meta.events.register_first("before-sign.lambda", wait_for_credentials)
    create = asyncio.create_task(client.create(CREATE))
    await eventually_async(asked.is_set)
    clock.now += call.WAIT_TIMEOUT
    with pytest.raises(NotSentError, match="no AWS credentials"):
        await asyncio.wait_for(create, LIMIT)
    come.set()
    await to.thread_is_free()
    assert server.accepted == 0
    await asyncio.wait_for(client.create(CREATE), LIMIT)
    assert server.requests == 1
    server.close()


async def test_time_that_credentials_and_the_window_take_is_not_the_calls(
    to: To, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = SlowServer()
    server.accept()
    client = await to.server(server.url, lease())

    def take_long(*_: Any, **__: Any) -> None:
        clock.now += call.WAIT_TIMEOUT / 3

    wait = client.rate_limiter.window.wait
    monkeypatch.setattr(client.rate_limiter.window, "wait", lambda: take_long() or wait())
    to.connection.client.meta.events.register_first("before-sign.lambda", take_long)
    assert call.SEND_TIMEOUT + call.CALL_TIMEOUT < call.WAIT_TIMEOUT / 3
    await asyncio.wait_for(client.create(CREATE), LIMIT)
    assert server.requests == 1
    server.close()


# STS and the tagging API


async def test_a_target_whose_account_is_not_known_in_time_is_given_up(
    one_thread: Connections, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "SEND_TIMEOUT", SHORT)
    with pytest.raises(NotSentError, match="no connection to"):
        await asyncio.wait_for(one_thread.connect(Target("eu-west-1", Access(held.url))), LIMIT)
    held.release()
    await eventually_async(lambda: held.server.has_ended(1))
    assert held.server.received == b""


async def test_the_first_call_has_more_time_than_others(one_thread: Connections, clock: StoppedClock) -> None:
    got, never = threading.Event(), threading.Event()

    def keep_waiting(_: socket.socket) -> None:
        got.set()
        never.wait()

    server = SlowServer(answer=keep_waiting)
    server.accept()
    connect = asyncio.create_task(one_thread.connect(Target("eu-west-1", Access(server.url))))
    await eventually_async(got.is_set)
    clock.now += call.CALL_TIMEOUT
    await asyncio.sleep(4 * SHORT)
    assert not connect.done()
    clock.now += connection_module.STS_TIMEOUT - call.CALL_TIMEOUT
    with pytest.raises(ReadTimeoutError):
        await asyncio.wait_for(connect, LIMIT)
    never.set()
    server.close()


async def test_the_tagging_api_is_given_up_too(to: To, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await to.server(held.url, lease())
    monkeypatch.setattr(call, "SEND_TIMEOUT", SHORT)
    with pytest.raises(NotSentError, match="no connection to"):
        await asyncio.wait_for(anext(client.api.tagged({"key": "value"}, ListLimit(100))), LIMIT)
    held.release()
    await to.thread_is_free()
    assert held.server.received == b""


# The deadline after the first byte

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ANSWERS = {
    "its head": HEAD + b"X-Filler: ",
    "its body": HEAD + b"Content-Length: 1000000\r\n\r\n{",
    "its body, and then closes": HEAD + b"Connection: close\r\n\r\n{",
}


@pytest.mark.parametrize("beginning", ANSWERS)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_an_answer_that_drips_in_is_cut_off(
    to: To, clock: StoppedClock, tmp_path: Path, beginning: str, tls: bool
) -> None:
    begun, cut_off = threading.Event(), threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(ANSWERS[beginning])
        begun.set()
        with suppress(OSError):
            while True:
                connection.sendall(b" ")
                time.sleep(0.01)
        cut_off.set()

    server = SlowServer(tls=certificate(tmp_path) if tls else None, answer=drip)
    server.handshake.set()
    server.accept()
    client = await to.server(server.url, lease())
    create = asyncio.create_task(client.create(CREATE))
    await eventually_async(begun.is_set)
    clock.now += call.CALL_TIMEOUT
    with pytest.raises(ReadTimeoutError) as late:
        await asyncio.wait_for(create, LIMIT)
    assert is_doubtful(late.value), "AWS has got it, and may have done it"
    await to.thread_is_free()
    await eventually_async(cut_off.is_set)
    assert server.requests == 1
    server.close()


async def test_a_write_that_was_cancelled_after_it_was_sent_frees_its_thread(to: To) -> None:
    got, never = threading.Event(), threading.Event()

    def keep_waiting(_: socket.socket) -> None:
        got.set()
        never.wait()

    server = SlowServer(answer=keep_waiting)
    server.accept()
    client = await to.server(server.url, lease())
    create = asyncio.create_task(client.create(CREATE))
    await eventually_async(got.is_set)
    create.cancel()
    await to.thread_is_free()
    never.set()
    server.close()
