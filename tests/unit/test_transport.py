"""The transport to the API server: it adapts to a busy and to a slow server, and the lease does not wait."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from kubernetes.aio import client

from esm_operator import tasks
from esm_operator.cluster import kubernetes, transport
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.lease import RENEWAL, RETRY_PERIOD
from esm_operator.cluster.transport import BusyError, RequestKind, Transport
from esm_operator.fence import MARGIN, Fence
from esm_operator.ratelimit.concurrency_limiter import INITIAL, MOST, SLOW
from esm_operator.ratelimit.latency import Latency
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.unit.http_server import served
from tests.waiting import LIMIT, eventually_async

WRITE, LEASE, LIST = RequestKind.WRITE, RequestKind.LEASE, RequestKind.LIST


@asynccontextmanager
async def connected(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], lease: float = 1000.0
) -> AsyncGenerator[Transport]:
    """A transport to a server with this handler. The lease runs for so many seconds."""
    fence = Fence(clock=lambda: 0.0)
    fence.extend(lease)
    async with served(answer) as url:
        found = client.Configuration(host=url)
        made = Transport(client.ApiClient(found), client.ApiClient(found), RateLimiter(10_000), fence)
        yield made
        await made.close()


async def well(_: web.Request) -> web.Response:
    return web.json_response({"metadata": {}})


@pytest.mark.parametrize("refusals", [1, 3])
async def test_a_request_is_repeated_when_a_busy_server_allows_it(refusals: int) -> None:
    arrived: list[float] = []

    async def answer(_: web.Request) -> web.Response:
        arrived.append(asyncio.get_running_loop().time())
        if len(arrived) <= refusals:
            return web.json_response({"message": "too many requests"}, status=429, headers={"Retry-After": "1"})
        return web.json_response({"metadata": {"name": "done"}})

    async with connected(answer) as made, asyncio.timeout(LIMIT):
        assert await made.request("PATCH", "/a", body={}, kind=WRITE) == {"metadata": {"name": "done"}}
    assert len(arrived) == refusals + 1
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(arrived))


async def test_a_server_that_stays_busy_is_an_error() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"message": "too many requests"}, status=429)

    async with connected(answer) as made, asyncio.timeout(LIMIT):
        with pytest.raises(BusyError, match="PATCH /a failed with status 429"):
            await made.request("PATCH", "/a", body={}, kind=WRITE)


class Held:
    """Answers requests well, but those for one path only when they are released."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.began = 0
        """The number of requests for the path."""
        self.released = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.Response:
        if request.path == self._path:
            self.began += 1
            await self.released.wait()
        return await well(request)


async def test_open_watches_leave_connections_to_other_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind that resources reference has a watch, and the client of other requests has 100 connections."""
    begun, ended = 0, asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return await well(request)
        response = web.StreamResponse()
        await response.prepare(request)
        await ended.wait()
        return response

    def begin() -> None:
        nonlocal begun
        begun += 1

    async with served(answer) as url, asyncio.timeout(LIMIT):

        async def found() -> client.Configuration:
            return client.Configuration(host=url)

        async def watch(path: str) -> None:
            async for _ in made.watch(path, "1", 600.0, begin):
                pass

        monkeypatch.setattr(kubernetes, "configuration", found)
        made = await KubernetesClient.connect(10_000)
        watches = [asyncio.create_task(watch(f"/kind{number}")) for number in range(120)]
        await eventually_async(lambda: begun == len(watches))
        assert (await made.list_object("/objects", "one")).items == ()
        await tasks.cancel(watches)
        await made.close()
        ended.set()


async def test_requests_for_the_lease_do_not_wait_for_others() -> None:
    held = Held("/object")
    async with connected(held) as made:
        requests = [asyncio.create_task(made.request("GET", "/object")) for _ in range(int(MOST) + 1)]
        await eventually_async(lambda: held.began > 0)
        await made.request("PUT", "/lease", body={}, kind=LEASE, lease_duration=LIMIT)
        held.released.set()
        await asyncio.gather(*requests)


@pytest.mark.parametrize("kind", [WRITE, LEASE, LIST])
async def test_a_slow_server_gets_more_time(kind: RequestKind, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "READ" if kind is LIST else kind.name
    monkeypatch.setattr(transport, f"{name}_TIMEOUT", 0.1)  # for a lease, of the second that it has to spare
    monkeypatch.setattr(transport, f"LONGEST_{name}_TIMEOUT", LIMIT)
    timed_out = 0

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return await well(request)

    async with connected(answer) as made, asyncio.timeout(LIMIT):
        for _ in range(5):
            try:
                await made.request("PUT", "/a", body={}, kind=kind, lease_duration=transport.LEASE_PAUSES + 1.0)
            except TimeoutError:
                timed_out += 1
        assert 1 <= timed_out <= 3, "0.1, 0.2 and 0.4 s are too short"


async def test_lists_that_hang_delay_no_other_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_TIMEOUT", 0.1)
    held = Held("/objects")
    async with connected(held) as made, asyncio.timeout(LIMIT):
        for _ in range(6):
            with pytest.raises(TimeoutError):
                await made.request("GET", "/objects", kind=LIST)
        assert made.requests_limit == INITIAL
        lists = [asyncio.create_task(made.request("GET", "/objects", kind=LIST)) for _ in range(int(MOST))]
        await eventually_async(lambda: held.began == 6 + MOST)
        await made.request("PUT", "/a", body={}, kind=WRITE)
        held.released.set()
        await asyncio.gather(*lists)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("/apis/a.io/v1/namespaces/shop/things/one", "/apis/a.io/v1/namespaces/bank/things/two", True),
        ("/apis/a.io/v1/things/one", "/apis/a.io/v1/things/two", True),
        ("/api/v1/namespaces/shop", "/api/v1/namespaces/bank", True),
        ("/api/v1/namespaces/shop/events", "/api/v1/namespaces/bank/events", True),
        ("/apis/a.io/v1/namespaces/shop/things/one", "/apis/a.io/v1/namespaces/shop/things/one/status", False),
        ("/apis/a.io/v1/namespaces/shop/things/one", "/apis/a.io/v1/namespaces/shop/others/one", False),
    ],
)
async def test_a_slow_type_of_request_counts_only_for_itself(one: str, other: str, *, alike: bool) -> None:
    """The first request is slow, and so is that with which it is compared if they are alike."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0 if request.path == other and answered else SLOW * 1.2)
        return await well(request)

    async with connected(answer) as made, asyncio.timeout(LIMIT):
        answered = False
        await made.request("GET", one)
        answered = True
        await made.request("GET", other)
        await made.request("GET", one)
        assert (made.requests_limit < INITIAL) == alike


async def test_the_time_out_of_a_write_stays_within_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease runs long enough for the shortest time-out, but not for those that the latency would need."""
    monkeypatch.setattr(transport, "WRITE_TIMEOUT", 0.1)
    answered = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.method == "PUT":
            await answered.wait()
        return await well(request)

    async with connected(answer, lease=MARGIN + 1.0) as made, asyncio.timeout(LIMIT):
        for _ in range(6):
            with pytest.raises(TimeoutError):
                await made.request("PUT", "/a", body={}, kind=WRITE)
        answered.set()
        await made.request("PUT", "/a", body={}, kind=WRITE)


@pytest.mark.parametrize("duration", [10.0, 15.0, 20.0, 60.0])
def test_two_requests_for_the_lease_that_hang_do_not_cost_the_lease(duration: float) -> None:
    latency, passed = Latency(), RENEWAL
    for _ in range(2):
        shares = transport.LEASE_TIMEOUT, transport.LONGEST_LEASE_TIMEOUT
        least, longest = (share * (duration - transport.LEASE_PAUSES) for share in shares)
        passed += latency.timeout(least, longest) + RETRY_PERIOD
        latency.timed_out()
    assert passed <= duration - 1.0, "a third one has time to succeed"
