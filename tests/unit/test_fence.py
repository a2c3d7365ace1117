"""The fence for AWS: a write that may not begin is not sent, whatever boto3 does before and after."""

import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from esm_operator.aws.call import CALL_TIMEOUT, READS
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.connections import Connections
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.commands.iam_permissions import ACTIONS
from esm_operator.fence import MARGIN, Fence, NotLeadingError
from esm_operator.planning.target import Access, Target
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.aws import AwsServer

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
UUID = "11111111-2222-3333-4444-555555555555"
ARN = f"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:{UUID}"
Write = Callable[[MappingsClient], Coroutine[Any, Any, Any]]
CALLS: dict[str, Write] = {
    "CreateEventSourceMapping": lambda client: client.create({"FunctionName": "orders", "EventSourceArn": QUEUE}),
    "UpdateEventSourceMapping": lambda client: client.update({"UUID": UUID, "BatchSize": 5}),
    "DeleteEventSourceMapping": lambda client: client.delete(UUID),
    "TagResource": lambda client: client.tag(UUID, {"key": "value"}, frozenset()),
    "UntagResource": lambda client: client.tag(UUID, {}, frozenset({"key"})),
}


async def client_of(aws: AwsServer, connections: Connections, fence: Fence) -> MappingsClient:
    connection = await connections.connect(Target("eu-west-1", Access(aws.endpoint)))
    inventory = Inventory()
    inventory.record({"UUID": UUID, "EventSourceMappingArn": ARN, "State": "Enabled"}, 0.0)
    aws.control.reset()
    return MappingsClient(MappingsApi(connection, RateLimiter(1000), RateLimiter(1000), fence), inventory)


def test_all_writes_are_tried() -> None:
    """The IAM policy of the operator allows only reads and these writes."""
    assert CALLS.keys() == {one.name.partition(":")[2] for one in ACTIONS if one.name.startswith("lambda:")} - READS


@pytest.mark.parametrize("operation", CALLS)
async def test_a_write_that_the_lease_may_not_outlast_is_not_sent(
    aws: AwsServer, connections: Connections, operation: str
) -> None:
    fence = Fence(clock=lambda: 0.0)
    client = await client_of(aws, connections, fence)
    for until in (0.0, CALL_TIMEOUT, CALL_TIMEOUT + MARGIN):
        fence.extend(until)
        with pytest.raises(NotLeadingError):
            await CALLS[operation](client)
    assert aws.control.counts().calls == {}


async def test_writes_within_the_lease_and_all_reads_are_sent(aws: AwsServer, connections: Connections) -> None:
    fence = Fence(clock=lambda: 0.0)
    client = await client_of(aws, connections, fence)
    await client.refresh_by_function("orders")
    await client.refresh(UUID)
    fence.extend(CALL_TIMEOUT + MARGIN + 0.1)
    await CALLS["CreateEventSourceMapping"](client)
    fence.close()
    with pytest.raises(NotLeadingError):
        await CALLS["CreateEventSourceMapping"](client)
    assert aws.control.counts().calls == {
        "ListEventSourceMappings": 1,
        "GetEventSourceMapping": 1,
        "CreateEventSourceMapping": 1,
    }


async def test_the_fence_is_checked_after_the_wait_for_credentials(aws: AwsServer, connections: Connections) -> None:
    fence = Fence(clock=lambda: 0.0)
    fence.extend(CALL_TIMEOUT + MARGIN + 0.1)
    client = await client_of(aws, connections, fence)
    connection = await connections.connect(Target("eu-west-1", Access(aws.endpoint)))
    asked = threading.Event()

    def the_lease_is_lost(**_: Any) -> None:
        asked.set()
        fence.close()

    connection.client.meta.events.register("before-sign.lambda.CreateEventSourceMapping", the_lease_is_lost)
    with pytest.raises(NotLeadingError):
        await CALLS["CreateEventSourceMapping"](client)
    assert asked.is_set()
    assert aws.control.counts().calls == {}


async def test_a_fence_belongs_to_one_term_even_if_terms_share_a_connection(
    aws: AwsServer, connections: Connections
) -> None:
    before, after = Fence(clock=lambda: 0.0), Fence(clock=lambda: 0.0)
    for fence in (before, after):
        fence.extend(100.0)
    old = await client_of(aws, connections, before)
    new = await client_of(aws, connections, after)
    before.close()
    await CALLS["CreateEventSourceMapping"](new)
    with pytest.raises(NotLeadingError):
        await CALLS["CreateEventSourceMapping"](old)
    assert aws.control.counts().calls == {"CreateEventSourceMapping": 1}
