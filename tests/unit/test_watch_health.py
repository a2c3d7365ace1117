"""Watch health: a watch without an answer is reported with the reason until it gets an answer."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web

from esm_operator.adapters.kopf_watch_health import WatchHealth
from tests.unit.clock import StoppedClock, stopped
from tests.unit.http_server import served

WATCHED = "/apis/lambda.esm-operator.io/v1/eventsourcemappings"
PATIENCE = 30.0


@dataclass
class Server:
    """A server that answers with a status."""

    url: str = ""
    status: int = 200

    async def answer(self, request: web.Request) -> web.Response:
        return web.Response(status=self.status)


@pytest.fixture(autouse=True)
def clock() -> Generator[StoppedClock]:
    with stopped() as clock:
        clock.now = 0.0
        yield clock


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    made = Server()
    async with served(made.answer) as made.url:
        yield made


async def ask(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url):
        pass


@pytest.mark.parametrize("before", ["", "/k8s/clusters/blue"])
async def test_a_watch_that_is_refused_for_long_is_reported(server: Server, clock: StoppedClock, before: str) -> None:
    watches = WatchHealth([WATCHED])
    async with aiohttp.ClientSession(trace_configs=[watches.trace()]) as session:
        await ask(session, server.url + before + WATCHED)
        clock.now = 1000.0
        assert watches.describe_unanswered(PATIENCE) == "", "an open watch is not requested again"
        server.status = 503
        await ask(session, f"{server.url}{before}{WATCHED}?watch=true")
        clock.now = 1020.0
        await ask(session, f"{server.url}{before}{WATCHED}?watch=true")
        assert watches.describe_unanswered(PATIENCE) == ""
        clock.now = 1031.0
        said = watches.describe_unanswered(PATIENCE)
        assert f"{before}{WATCHED} for 31 s (503 Service Unavailable)" in said
        server.status = 200
        await ask(session, f"{server.url}{before}{WATCHED}?watch=true")
        assert watches.describe_unanswered(PATIENCE) == ""


async def test_an_unreachable_server_is_reported(server: Server, clock: StoppedClock) -> None:
    watches = WatchHealth([WATCHED])
    async with aiohttp.ClientSession(trace_configs=[watches.trace()]) as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(session, f"http://127.0.0.1:1{WATCHED}")
        clock.now = 31.0
        assert "Cannot connect to host 127.0.0.1:1" in watches.describe_unanswered(PATIENCE)


async def test_other_requests_do_not_count(server: Server, clock: StoppedClock) -> None:
    watches = WatchHealth([WATCHED])
    server.status = 500
    async with aiohttp.ClientSession(trace_configs=[watches.trace()]) as session:
        await ask(session, f"{server.url}/apis/lambda.esm-operator.io/v1/namespaces/a/eventsourcemappings")
        await ask(session, f"{server.url}/version")
    clock.now = 100.0
    assert watches.describe_unanswered(PATIENCE) == ""
