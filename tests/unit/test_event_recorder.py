"""Events during a short loss of the lease."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client

from esm_operator.api.resource import parse
from esm_operator.cluster.event_recorder import EventRecorder
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
