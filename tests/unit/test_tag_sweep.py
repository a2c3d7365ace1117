"""The tag sweep without the tagging API: it reads the tags of one mapping at a time."""

import asyncio
import time

from esm_operator import tasks
from esm_operator.aws.account_region import AccountRegion
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.connections import Connections
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.aws.tag_sweep import TagSweep
from esm_operator.fence import Fence
from esm_operator.planning.target import Access, Place, Target
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.status.subject import Subject
from tests.aws import AwsServer, FaultKind
from tests.unit.listener import Listener
from tests.waiting import LIMIT, eventually_async

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders-{n}"
REGION = "eu-west-1"


async def test_a_failure_does_not_begin_the_pass_again(aws: AwsServer, connections: Connections) -> None:
    aws.control.reset()
    aws.control.make_mappings(20, region=REGION, FunctionName="orders-{n}", EventSourceArn=QUEUE)
    aws.control.fault(FaultKind.CLOSE, "GetResources")
    connection = await connections.connect(target := Target(REGION, Access(aws.endpoint)))
    listener, limiter, tagging = Listener(), RateLimiter(1000), RateLimiter(1000)
    subject = Subject(region=REGION, account="123456789012")
    place = Place("123456789012", REGION, aws.endpoint)
    shared = AccountRegion(listener, listener.inventory, limiter, tagging, time.monotonic(), subject, place)
    fence = Fence(clock=lambda: 0.0)
    api = MappingsApi(connection, limiter, tagging, fence)
    client = shared.clients[target] = MappingsClient(api, listener.inventory, shared.mappings_changed)
    for number in range(20):
        await client.refresh_by_function(f"orders-{number}")
    assert len(listener.inventory) == 20
    listener.inventory.record_swept(0.0)
    aws.control.reset_counts()
    aws.control.fault(FaultKind.ERROR, "ListTags", after=9, times=1, code="ServiceException", status=500)
    task = asyncio.create_task(TagSweep(shared, cluster="blue", interval=0.1).run())
    async with asyncio.timeout(LIMIT):
        await eventually_async(lambda: listener.passes > 0)
    await tasks.cancel([task])
    assert aws.control.counts().calls["ListTags"] == 21, "the second pass continues the first one"
