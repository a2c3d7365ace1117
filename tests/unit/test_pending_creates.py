"""Pending creates: when the outcome of a Create of another process is known."""

import pytest

from esm_operator.aws.client import MappingsClient
from esm_operator.aws.connections import Connections
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.clock import monotonic
from esm_operator.fence import SHUT
from esm_operator.planning.target import Access, Target
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.reconcile.pending_creates import CLOCKS_DIFFER, SETTLE, PendingCreates
from tests.aws import AwsServer
from tests.unit.clock import ShiftedClock


@pytest.fixture
async def client(aws: AwsServer, connections: Connections) -> MappingsClient:
    connection = await connections.connect(Target("eu-west-1", Access(aws.endpoint)))
    aws.control.reset()
    return MappingsClient(MappingsApi(connection, RateLimiter(1000), RateLimiter(1000), SHUT), Inventory())


def lists(aws: AwsServer) -> int:
    return aws.control.counts().calls.get("ListEventSourceMappings", 0)


async def test_the_outcome_of_an_ended_process_is_known_some_seconds_after_the_start(
    aws: AwsServer, client: MappingsClient, shifted_clock: ShiftedClock
) -> None:
    pending = PendingCreates()
    pending.inherited("orders", monotonic() + SETTLE, alive=False)
    assert await pending.settle(client)
    assert lists(aws) == 0, "the sweep looks, and it is not time to conclude anything"
    shifted_clock.ahead += SETTLE
    assert not await pending.settle(client)
    assert lists(aws) == 1


async def test_the_create_of_a_running_process_is_looked_for_immediately_and_known_some_seconds_later(
    aws: AwsServer, client: MappingsClient, shifted_clock: ShiftedClock
) -> None:
    pending = PendingCreates()
    shifted_clock.ahead += 10 * SETTLE
    pending.inherited("orders", monotonic() + SETTLE, alive=True)
    assert await pending.settle(client)
    assert lists(aws) == 1
    assert 0 < pending.left() <= SETTLE
    shifted_clock.ahead += SETTLE
    assert not await pending.settle(client)
    assert lists(aws) == 2


async def test_the_time_that_earlier_processes_have_waited_counts(client: MappingsClient) -> None:
    short, long = PendingCreates(), PendingCreates()
    settles = monotonic() + SETTLE
    short.inherited("orders", settles, alive=False, waited=1.0)
    long.inherited("orders", settles, alive=False, waited=SETTLE + CLOCKS_DIFFER)
    assert await short.settle(client)
    assert not await long.settle(client)
    assert long.may_have_made
