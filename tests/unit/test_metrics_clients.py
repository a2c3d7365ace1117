"""Kubernetes decides who may read the metrics, and its answers are kept for a short time."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from kubernetes.aio import client

from esm_operator.clock import replaced
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.metrics_clients import ALLOWED_FOR, KEPT, LONGEST_TOKEN, REFUSED_FOR, REVIEWS, MetricsClients
from esm_operator.metrics.http_server import CONNECTIONS
from esm_operator.metrics.probes import MetricsServer
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.operator_process import free_port
from tests.unit.clock import ShiftedClock
from tests.unit.http_server import served
from tests.unit.test_http_server import answer, connected
from tests.waiting import eventually_async

#: By token: the user and whether the user may get /metrics.
USERS = {"prometheus": True, "renewed": True, "tenant": False}


class Reviews:
    """The two reviews of an API server."""

    def __init__(self) -> None:
        self.asked = Counter[str]()
        self.status = 201
        self.url = ""
        self.held = asyncio.Event()
        """Set: reviews are answered."""
        self.held.set()

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked[body["kind"]] += 1
        assert request.path.endswith(f"/{body['kind'].lower()}s")
        await self.held.wait()
        spec = body["spec"]
        if body["kind"] == "TokenReview":
            known = spec["token"] in USERS
            user = {"username": spec["token"], "groups": ["all"], "uid": "1", "extra": {"pod": ["a"]}}
            status = {"authenticated": True, "user": user} if known else {"error": "invalid bearer token"}
        else:
            assert spec["nonResourceAttributes"] == {"path": "/metrics", "verb": "get"}
            assert (spec["groups"], spec["uid"], spec["extra"]) == (["all"], "1", {"pod": ["a"]})
            status = {"allowed": USERS[spec["user"]]}
        return web.json_response({"status": status, "message": "no"}, status=self.status)


@pytest.fixture
async def reviews() -> AsyncGenerator[Reviews]:
    made = Reviews()
    async with served(made.answer) as made.url:
        yield made


def clients(reviews: Reviews, rate: float = 1000.0) -> MetricsClients:
    async def connect() -> KubernetesClient:
        return KubernetesClient(client.ApiClient(client.Configuration(host=reviews.url)), RateLimiter(rate))

    return MetricsClients(connect)


async def status(clients: MetricsClients, header: str) -> int:
    refusal = await clients.authorize(header)
    return 200 if refusal is None else refusal.status


@pytest.mark.parametrize(
    ("header", "wanted", "asked"),
    [
        ("Bearer prometheus", 200, 2),
        ("bearer prometheus", 200, 2),
        ("Bearer tenant", 403, 2),
        ("Bearer unknown", 401, 1),
        ("", 401, 0),
        ("Bearer ", 401, 0),
        ("Basic prometheus", 401, 0),
        ("prometheus", 401, 0),
        ("Bearer " + "a" * (LONGEST_TOKEN + 1), 401, 0),
    ],
)
async def test_clients_are_authenticated_and_authorized(reviews: Reviews, header: str, wanted: int, asked: int) -> None:
    made = clients(reviews)
    assert await status(made, header) == wanted
    assert reviews.asked.total() == asked
    await made.close()


@pytest.mark.parametrize(("token", "seconds"), [("prometheus", ALLOWED_FOR), ("tenant", REFUSED_FOR)])
async def test_answers_are_kept_for_a_short_time(reviews: Reviews, token: str, seconds: float) -> None:
    made, clock = clients(reviews), ShiftedClock()
    with replaced(clock):
        for passed, asked in ((0.0, 2), (seconds - 1, 2), (2.0, 4)):
            clock.ahead += passed
            await status(made, f"Bearer {token}")
            assert reviews.asked.total() == asked
    await made.close()


async def test_an_api_server_that_fails_lets_nobody_in(reviews: Reviews, caplog: pytest.LogCaptureFixture) -> None:
    made = clients(reviews)
    reviews.status = 403
    assert [await status(made, "Bearer prometheus") for _ in range(3)] == [503] * 3
    assert caplog.text.count("could not check a client") == 1
    reviews.status = 201
    assert await status(made, "Bearer prometheus") == 200
    await made.close()


async def test_a_client_that_was_allowed_is_reviewed_first(reviews: Reviews) -> None:
    made, clock = clients(reviews, REVIEWS), ShiftedClock()
    with replaced(clock):
        assert await status(made, "Bearer prometheus") == 200
        assert made.knows("Bearer prometheus")
        clock.ahead += ALLOWED_FOR + 1
        others = [asyncio.create_task(status(made, f"Bearer {number}")) for number in range(20)]
        await eventually_async(lambda: reviews.asked["TokenReview"] > 1)
        assert await status(made, "Bearer prometheus") == 200
    assert not all(task.done() for task in others), "it came later and was reviewed earlier"
    assert not made.knows("Bearer 0")
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await made.close()


async def test_invented_tokens_from_many_addresses_do_not_displace_a_known_client(reviews: Reviews) -> None:
    made, clock, port = clients(reviews), ShiftedClock(), free_port()
    server = MetricsServer(f"127.0.0.1:{port}", clients=made)
    await server.start()
    async with AsyncExitStack() as exits:
        with replaced(clock):
            assert b" 200 " in await answer(await connected(exits, port), scrape("prometheus"))
            clock.ahead += ALLOWED_FOR + 1
            reviews.held.clear()
            prometheus = await connected(exits, port, "127.0.0.2")
            prometheus[1].write(scrape("prometheus"))
            await eventually_async(lambda: reviews.asked["TokenReview"] == 2)
            for number in range(2 * CONNECTIONS):
                _, writer = await connected(exits, port, f"127.0.1.{number + 1}")
                writer.write(scrape(f"invented-{number}"))
            await eventually_async(lambda: reviews.asked["TokenReview"] > CONNECTIONS)
            reviews.held.set()
            assert b" 200 " in await asyncio.wait_for(prometheus[0].read(), 60)
    await server.stop()


async def test_idle_connections_do_not_displace_a_known_client_that_has_a_new_token(reviews: Reviews) -> None:
    """Kubernetes renews the tokens of ServiceAccounts."""
    made, port = clients(reviews), free_port()
    server = MetricsServer(f"127.0.0.1:{port}", clients=made)
    await server.start()
    async with AsyncExitStack() as exits:
        for _ in range(2):
            assert b" 200 " in await answer(await connected(exits, port, "127.0.0.2"), scrape("prometheus"))
        reviews.held.clear()
        prometheus = await connected(exits, port, "127.0.0.2")
        prometheus[1].write(scrape("renewed"))
        await eventually_async(lambda: reviews.asked["TokenReview"] == 2)
        for number in range(2 * CONNECTIONS):
            await connected(exits, port, f"127.0.1.{number + 1}")
        reviews.held.set()
        assert b" 200 " in await asyncio.wait_for(prometheus[0].read(), 60)
    await server.stop()


def scrape(token: str) -> bytes:
    """A request for the metrics."""
    return f"GET /metrics HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


async def test_many_tokens_take_no_more_memory(reviews: Reviews) -> None:
    made = clients(reviews)
    assert await status(made, "Bearer prometheus") == 200
    for number in range(KEPT + 10):
        await status(made, f"Bearer {number}")
    before = reviews.asked.total()
    assert await status(made, "Bearer prometheus") == 200
    assert reviews.asked.total() == before, "wrong tokens do not displace an allowed one"
    assert len(made._known) == KEPT  # pyright: ignore[reportPrivateUsage]
    await made.close()
