"""Events during a short loss of the lease."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client

from esm_operator.api.resource import Resource, parse
from esm_operator.cluster.event_recorder import MOST_WAITING, EventRecorder
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.fence import Fence
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.unit.http_server import served

ORDERS = parse({"metadata": {"namespace": "shop", "name": "orders", "uid": "1", "resourceVersion": "1"}})
LONG = 1000.0


@dataclass
class Server:
    """An API server that accepts Events."""

    url: str = ""
    told: list[str] = field(default_factory=list[str])

    async def answer(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        self.told.append(str(body.get("message") or body["count"]))
        return web.json_response({"metadata": {"name": "orders.1"}}, status=201)


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    made = Server()
    async with served(made.answer) as made.url:
        yield made


async def test_an_event_that_the_fence_refused_is_posted_when_it_is_recorded_again(
    server: Server,
) -> None:
    fence = Fence(clock=lambda: 0.0)
    kubernetes = KubernetesClient(client.ApiClient(client.Configuration(host=server.url)), RateLimiter(LONG), fence)
    events = EventRecorder(kubernetes)
    try:
        for message in ("one", "two"):
            events.warning(ORDERS, "Conflict", message)
        await events.settle(LONG)
        assert server.told == []
        fence.extend(LONG)
        for message in ("one", "two"):
            events.warning(ORDERS, "Conflict", message)
        await events.settle(LONG)
        assert server.told == ["one", "two"]
    finally:
        await kubernetes.close()


def quick_recorder(server: Server) -> tuple[KubernetesClient, EventRecorder]:
    """A recorder that posts without a limit of the rate."""
    fence = Fence(clock=lambda: 0.0)
    fence.extend(LONG)
    kubernetes = KubernetesClient(client.ApiClient(client.Configuration(host=server.url)), RateLimiter(LONG), fence)
    events = EventRecorder(kubernetes)
    events.rate_limiter = RateLimiter(LONG)
    return kubernetes, events


def resource(namespace: str, number: int) -> Resource:
    meta = {"namespace": namespace, "name": "orders", "uid": f"{namespace}-{number}", "resourceVersion": "1"}
    return parse({"metadata": meta})


async def test_namespaces_take_turns_and_the_one_with_most_events_loses_its_latest(server: Server) -> None:
    kubernetes, events = quick_recorder(server)
    try:
        for number in range(MOST_WAITING + 5):
            events.warning(resource("big", number), "Conflict", f"big {number}")
        for number in range(2):
            events.warning(resource("small", number), "Conflict", f"small {number}")
        await events.settle(LONG)
    finally:
        await kubernetes.close()
    assert server.told[:5] == ["big 0", "small 0", "big 1", "small 1", "big 2"]
    assert server.told[-1] == f"big {MOST_WAITING - 3}"
    assert len(server.told) == MOST_WAITING


async def test_of_many_namespaces_with_one_event_each_the_first_loses_its_event(server: Server) -> None:
    kubernetes, events = quick_recorder(server)
    try:
        for number in range(MOST_WAITING + 1):
            events.warning(resource(f"team-{number}", 0), "Conflict", f"team {number}")
        await events.settle(LONG)
    finally:
        await kubernetes.close()
    assert server.told == [f"team {number}" for number in range(1, MOST_WAITING + 1)]
