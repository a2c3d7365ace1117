"""Resources of a namespace that need the tags of the same mapping share requests for them."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from aiohttp import web
from botocore.exceptions import ClientError

from esm_operator.aws.client import MappingsClient
from esm_operator.aws.connection import Connector
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.clock import monotonic
from esm_operator.planning.target import Access, Target
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.ratelimit.waiters import requests_of
from tests.unit.http_server import served
from tests.unit.test_error_answers import IDENTITY
from tests.waiting import eventually_async

UUID = "11111111-2222-4333-8444-555555555555"
ARN = f"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:{UUID}"


class Scene:
    """An endpoint whose answers to ListTags can be held back, and a client."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.held = asyncio.Event()
        self.held.set()
        self.client: MappingsClient

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            return web.Response(text=IDENTITY)
        self.asked += 1
        number = str(self.asked)
        await self.held.wait()
        return web.json_response({"Tags": {"number": number}, "message": "no"}, status=self.status)

    def refresh(self, namespace: str) -> asyncio.Task[None]:
        with requests_of(namespace):
            return asyncio.create_task(self.client.refresh_tags(UUID), name=namespace)

    @property
    def number(self) -> str | None:
        """The number of the request whose answer is in the inventory."""
        return (self.client.inventory.tags(UUID) or {}).get("number")


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Scene]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    made = Scene()
    async with served(made.answer) as url:
        connection = await Connector().connect(Target("eu-west-1", Access(endpoint_url=url)))
        inventory = Inventory()
        inventory.record({"UUID": UUID, "EventSourceMappingArn": ARN}, monotonic())
        made.client = MappingsClient(MappingsApi(connection, RateLimiter(1000), RateLimiter(1000)), inventory)
        yield made
        made.held.set()
        connection.close()


async def test_resources_of_a_namespace_share_a_request_that_begins_after_they_asked(scene: Scene) -> None:
    scene.held.clear()
    first = scene.refresh("a")
    await eventually_async(lambda: scene.asked == 1)
    others = [scene.refresh("a") for _ in range(20)]
    await asyncio.sleep(0)
    scene.held.set()
    await asyncio.gather(first, *others)
    assert scene.asked == 2
    assert scene.number == "2"


async def test_a_later_request_is_sent(scene: Scene) -> None:
    for number in range(1, 4):
        await scene.refresh("a")
        assert scene.asked == number
        assert scene.number == str(number)


async def test_namespaces_share_no_request(scene: Scene) -> None:
    scene.held.clear()
    asked = [scene.refresh(namespace) for namespace in ("a", "b")]
    await eventually_async(lambda: scene.asked == 2)
    scene.held.set()
    await asyncio.gather(*asked)


async def test_a_failure_is_shared(scene: Scene) -> None:
    scene.held.clear()
    scene.status = 400
    asked = [scene.refresh("a")]
    await eventually_async(lambda: scene.asked == 1)
    asked += [scene.refresh("a") for _ in range(20)]
    await asyncio.sleep(0)
    scene.held.set()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(one, ClientError) for one in results)
    assert len({id(one) for one in results}) == len(results), "each has a traceback of its own"
    assert scene.asked == 2


async def test_a_cancelled_resource_leaves_the_request_to_the_next_one(scene: Scene) -> None:
    scene.held.clear()
    first = scene.refresh("a")
    await eventually_async(lambda: scene.asked == 1)
    second, third = scene.refresh("a"), scene.refresh("a")
    await asyncio.sleep(0)
    first.cancel()
    await eventually_async(lambda: scene.asked == 2)
    second.cancel()
    scene.held.set()
    await third
    assert scene.number == "3"
