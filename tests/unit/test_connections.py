"""Connections to AWS: one that does not answer holds up no other, and one that can't be made says why."""

import asyncio

import pytest
from botocore.exceptions import NoCredentialsError

from esm_operator.aws.client import Connections, MappingsClient
from esm_operator.aws.errors import understand_any
from esm_operator.aws.inventory import Inventory
from esm_operator.cluster.target import Access, Target
from esm_operator.leading.fence import SHUT
from esm_operator.waiting.budget import Budget
from tests.aws import AwsServer, FaultKind

LIST = "ListEventSourceMappings"
LIMIT = 60.0
"""Seconds after which something that should come is given up."""


async def client_of(connections: Connections, target: Target) -> MappingsClient:
    connection = await connections.connect(target)
    return MappingsClient(connection, connections, Budget(1000), Budget(1000), Inventory(), SHUT)


async def test_a_place_that_does_not_answer_holds_up_no_other(aws: AwsServer, connections: Connections) -> None:
    here = await client_of(connections, Target("eu-west-1", Access(aws.endpoint)))
    there = await client_of(connections, Target("us-east-1", Access(aws.endpoint)))
    fault = aws.control.fault(FaultKind.DELAY, LIST, match={"FunctionName": "hangs"}, seconds=3.0)
    hanging = [asyncio.create_task(here.find("hangs")) for _ in range(40)]
    while aws.control.counts().calls.get(LIST, 0) < 8:  # noqa: ASYNC110  (it is the server that is looked at)
        await asyncio.sleep(0.05)
    async with asyncio.timeout(LIMIT):
        await there.find("orders")
    assert not any(one.done() for one in hanging), "the other place was not waited for"
    aws.control.remove_fault(fault)
    for one in hanging:
        one.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_role_without_credentials_to_assume_it_with(
    aws: AwsServer, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    target = Target("eu-west-1", Access(aws.endpoint, "arn:aws:iam::222222222222:role/shop"))
    with pytest.raises(NoCredentialsError) as refused:
        await connections.connect(target)
    assert understand_any(refused.value).reason == "NoCredentials"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    connections.retry()
    assert (await connections.connect(target)).account == "222222222222"
