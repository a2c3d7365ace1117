"""Slow connections to the API server: no write is sent after the end of its lease or after its time-out."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from kubernetes.aio import client

from esm_operator.adapters.kubernetes_client import new_client
from esm_operator.api.recorded_status import MappingStatus
from esm_operator.api.resource import parse
from esm_operator.cluster import transport
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.fence import Fence, NotLeadingError
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.unit.slow_connections import WAYS, Held, SlowServer, held_up
from tests.waiting import LIMIT, eventually_async

RESOURCE = parse(
    {
        "metadata": {"namespace": "shop", "name": "orders", "uid": "1", "resourceVersion": "1", "generation": 1},
        "spec": {"functionName": "orders"},
    }
)


@pytest.fixture
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Held]:
    with held_up(request.param, monkeypatch, tmp_path) as made:
        yield made


@asynccontextmanager
async def connected(url: str, folder: Path, fence: Fence) -> AsyncGenerator[KubernetesClient]:
    found = client.Configuration()
    found.host = url
    if url.startswith("https"):
        found.ssl_ca_cert = str(folder / "ca.pem")
    kubernetes = KubernetesClient(new_client(found), RateLimiter(1000), fence, "test")
    try:
        yield kubernetes
    finally:
        await kubernetes.close()


def long_lease() -> Fence:
    fence = Fence(clock=lambda: 0.0)
    fence.extend(1000.0)
    return fence


@pytest.mark.parametrize("held", WAYS, indirect=True)
async def test_a_write_is_not_sent_if_the_lease_ends_while_it_connects(held: Held, tmp_path: Path) -> None:
    fence = long_lease()
    async with connected(held.url, tmp_path, fence) as kubernetes:
        write = asyncio.create_task(kubernetes.set_status(RESOURCE, MappingStatus(uuid="x")))
        await eventually_async(held.is_reached)
        fence.close()
        held.release()
        with pytest.raises(NotLeadingError):
            await asyncio.wait_for(write, LIMIT)
        await eventually_async(lambda: held.server.has_ended(held.before + 1))
        assert held.server.received == b""


@pytest.mark.parametrize("held", WAYS, indirect=True)
async def test_a_write_is_sent_if_the_lease_outlasts_a_slow_connection(held: Held, tmp_path: Path) -> None:
    async with connected(held.url, tmp_path, long_lease()) as kubernetes:
        write = asyncio.create_task(kubernetes.set_status(RESOURCE, MappingStatus(uuid="x")))
        await eventually_async(held.is_reached)
        held.release()
        assert (await asyncio.wait_for(write, LIMIT))["metadata"]
        assert held.server.requests == 1


@pytest.mark.parametrize("held", WAYS, indirect=True)
async def test_an_abandoned_write_is_never_sent(held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected(held.url, tmp_path, long_lease()) as kubernetes:
        with monkeypatch.context() as patched:
            patched.setattr(transport, "WRITE_TIMEOUT", 0.3)
            write = asyncio.create_task(kubernetes.set_status(RESOURCE, MappingStatus(uuid="given up")))
            await eventually_async(held.is_reached)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(write, LIMIT)
        held.release()
        await kubernetes.set_status(RESOURCE, MappingStatus(uuid="sent"))
    await eventually_async(lambda: held.server.closed == held.server.accepted)
    assert held.server.requests == 1
    assert b"given up" not in held.server.received


async def test_a_write_is_not_sent_on_a_kept_connection_after_the_lease(tmp_path: Path) -> None:
    server = SlowServer()
    server.accept()
    times = iter([0.0, 0.0, 0.0, 1000.0])  # each write reads the clock twice: before it connects, and before it is sent
    fence = Fence(clock=lambda: next(times))
    fence.extend(100.0)
    async with connected(server.url, tmp_path, fence) as kubernetes:
        await kubernetes.set_status(RESOURCE, MappingStatus(uuid="x"))
        with pytest.raises(NotLeadingError):
            await kubernetes.set_status(RESOURCE, MappingStatus(uuid="x"))
        await eventually_async(lambda: server.has_ended(1))
    assert server.requests == 1
    server.close()
