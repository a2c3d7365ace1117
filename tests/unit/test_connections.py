"""Connections to AWS: one that does not answer holds up no other, and one that can't be made has a reason."""

import asyncio
import gc
import json
import threading
import time
import tracemalloc
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from prometheus_client import REGISTRY

from esm_operator.aws import connection as connection_module
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.connections import UNUSED, Connections
from esm_operator.aws.errors import NotSentError, understand_any
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.clock import replaced
from esm_operator.commands import account
from esm_operator.commands.account import Account, Console, ReadError
from esm_operator.fence import SHUT, NotLeadingError
from esm_operator.planning.target import Access, Target
from esm_operator.ratelimit.in_flight_window import InFlightWindow
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.ratelimit.waiters import RequestPriority
from esm_operator.status.rendering import message_of_failure
from tests.aws import AwsServer, FaultKind
from tests.unit.clock import ShiftedClock
from tests.unit.http_server import served
from tests.waiting import LIMIT, eventually_async

LIST = "ListEventSourceMappings"
SWEEP = RequestPriority.SWEEP


async def client_of(connections: Connections, target: Target) -> MappingsClient:
    connection = await connections.connect(target)
    return MappingsClient(MappingsApi(connection, RateLimiter(1000), RateLimiter(1000), SHUT), Inventory())


async def test_a_request_through_a_connection_that_was_closed_is_not_sent(
    aws: AwsServer, connections: Connections
) -> None:
    client = await client_of(connections, Target("eu-west-1", Access(aws.endpoint)))
    connections.close()
    with pytest.raises(NotSentError, match="The connection was closed"):
        await client.refresh_by_function("orders")
    assert LIST not in aws.control.counts().calls


async def test_a_page_that_is_too_large_is_read_in_smaller_pages(aws: AwsServer, connections: Connections) -> None:
    filters = {"Filters": [{"Pattern": json.dumps({"body": {"kind": ["a" * 4_000]}})}] * 20}
    queue = "arn:aws:sqs:eu-west-1:123456789012:orders-{n}"
    asked = {"FunctionName": "large", "EventSourceArn": queue, "FilterCriteria": filters}
    aws.control.reset()
    uuids = aws.control.make_mappings(120, region="eu-west-1", **asked)
    client = await client_of(connections, Target("eu-west-1", Access(aws.endpoint)))
    await client.refresh_by_function("large")
    assert len(client.inventory) == 120
    assert aws.control.counts().calls[LIST] == 7, "three times a page of 100 is refused, and the last has 90 mappings"
    for uuid in uuids:
        aws.control.delete_mapping(uuid)


async def test_a_place_that_does_not_answer_holds_up_no_other(aws: AwsServer, connections: Connections) -> None:
    here = await client_of(connections, Target("eu-west-1", Access(aws.endpoint)))
    there = await client_of(connections, Target("us-east-1", Access(aws.endpoint)))
    fault = aws.control.fault(FaultKind.DELAY, LIST, match={"FunctionName": "hangs"}, seconds=4.5)
    hanging = [asyncio.create_task(here.refresh_by_function("hangs")) for _ in range(40)]
    await eventually_async(lambda: aws.control.counts().calls.get(LIST, 0) >= 8)
    async with asyncio.timeout(LIMIT):
        await there.refresh_by_function("orders")
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
    connections.retry(target)
    assert (await connections.connect(target)).account == "222222222222"


async def test_each_account_takes_little_memory(
    aws: AwsServer, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)

    async def connect(account: int) -> None:
        role = f"arn:aws:iam::{account}{account:011}:role/shop"
        await connections.connect(Target("eu-west-1", Access(aws.endpoint, role)))

    await connect(1)  # what all of them use is read
    tracemalloc.start()
    try:
        for account in (2, 3, 4):
            await connect(account)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / 3 < 5e6, "bytes for each; the descriptions of the services alone take 20 MB"


async def test_a_connection_that_no_resource_needs_is_closed_after_a_while(
    aws: AwsServer, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten targets are added and removed. Their threads and sockets do not remain."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    with replaced(clock := ShiftedClock()):
        used = Target("eu-west-1", Access(aws.endpoint))
        connections.keep([used])
        await (await client_of(connections, used)).refresh_by_function("orders")
        before = resources_in_use()
        for number in range(10):
            role = f"arn:aws:iam::{100000000000 + number}:role/shop"
            target = Target("eu-west-1", Access(aws.endpoint, role))
            connections.keep([used, target])
            await (await client_of(connections, target)).refresh_by_function("orders")
        connections.keep([used])
        assert resources_in_use()[0] > before[0]
        clock.ahead += UNUSED
        connections.keep([used])
        await eventually_async(lambda: resources_in_use()[0] <= before[0])
        gc.collect()
        await eventually_async(lambda: resources_in_use()[1] <= before[1])
        await (await client_of(connections, used)).refresh_by_function("orders")


def resources_in_use() -> tuple[int, int]:
    """The threads and the open files of this process."""
    return threading.active_count(), len(list(Path("/dev/fd").iterdir()))


@dataclass
class Between:
    """What answers in place of AWS."""

    url: str = ""
    status: int = 200
    body: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        return web.Response(status=self.status, text=self.body, content_type="text/html")


@pytest.fixture
async def between() -> AsyncGenerator[Between]:
    made = Between()
    async with served(made.answer) as made.url:
        yield made


PAGE = "<html><head><title>S3CRET</title></head><body><hr>Log in</body></html>"
ANSWERS = [
    (200, PAGE),
    (403, PAGE),
    (404, PAGE),
    (200, PAGE.replace("<hr>", "")),
    (200, ""),
    (200, "{}"),
    (200, "<GetCallerIdentityResponse><Other>S3CRET</Other></GetCallerIdentityResponse>"),
]


@pytest.mark.parametrize(("status", "body"), ANSWERS)
async def test_a_wrong_answer_in_place_of_sts_is_reported_in_a_sentence(
    between: Between, connections: Connections, caplog: pytest.LogCaptureFixture, status: int, body: str
) -> None:
    between.status, between.body = status, body
    with pytest.raises((ClientError, BotoCoreError)) as refused:
        await connections.connect(Target("eu-west-1", Access(between.url)))
    failure = understand_any(refused.value)
    assert failure.reason not in ("OperatorError", "AccessDenied")
    assert "S3CRET" not in message_of_failure(failure) + caplog.text
    with pytest.raises(ReadError) as said:
        await Account.connect(Target("eu-west-1", Access(between.url)), Connections(), 10.0, Console())
    assert "S3CRET" not in str(said.value)


@pytest.mark.parametrize(("status", "body"), [(200, PAGE), (200, "{}"), (200, "")])
async def test_what_answers_in_place_of_lambda_is_counted_as_a_failure(
    aws: AwsServer, between: Between, connections: Connections, status: int, body: str
) -> None:
    target = Target("eu-west-1", Access(aws.endpoint))
    client = await client_of(connections, target)
    between.status, between.body = status, body
    (await connections.connect(target)).client.meta.events.register(
        "before-sign.lambda", lambda request, **_: setattr(request, "url", f"{between.url}/")
    )
    before = failures("AWSUnreachable")
    with pytest.raises((ClientError, BotoCoreError)) as refused:
        await client.refresh("11111111-2222-3333-4444-555555555555")
    assert understand_any(refused.value).reason == "AWSUnreachable"
    assert failures("AWSUnreachable") == before + 1


def failures(reason: str) -> float:
    return REGISTRY.get_sample_value("esm_operator_aws_failures_total", {"reason": reason}) or 0.0


async def test_an_invalid_endpoint_is_reported_by_the_commands(connections: Connections) -> None:
    with pytest.raises(ReadError, match="eu-west-1: endpoint: "):
        await Account.connect(Target("eu-west-1", Access("http://local_stack:4566")), connections, 10.0, Console())


async def test_piled_up_requests_are_not_sent_in_one_burst(aws: AwsServer, connections: Connections) -> None:
    """The budget would grant all of it: it is the last gate that counts what is sent within a second."""
    connection = await connections.connect(Target("eu-west-1", Access(aws.endpoint)))
    rate_limiter = RateLimiter(1000)
    rate_limiter.window = InFlightWindow(5, rate=5)
    client = MappingsClient(MappingsApi(connection, rate_limiter, RateLimiter(1000), SHUT), Inventory())
    aws.control.reset_counts()
    began = time.monotonic()
    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*(client.refresh_by_function("orders") for _ in range(16)))
    assert time.monotonic() - began >= 3.0
    assert aws.control.counts().calls[LIST] == 16


async def test_what_is_under_way_keeps_its_place(aws: AwsServer, connections: Connections) -> None:
    """It may reach AWS at any moment until it is answered."""
    connection = await connections.connect(Target("eu-west-1", Access(aws.endpoint)))
    rate_limiter = RateLimiter(1000)
    rate_limiter.window = InFlightWindow(1, rate=0.01)
    client = MappingsClient(MappingsApi(connection, rate_limiter, RateLimiter(1000), SHUT), Inventory())
    aws.control.fault(FaultKind.DELAY_ANSWER, LIST, seconds=1.0, times=1)
    began = time.monotonic()
    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*(client.refresh_by_function("orders") for _ in range(2)))
    assert time.monotonic() - began >= 2.0, "the answer, and a second"


async def test_a_request_that_fails_is_not_sent_again(aws: AwsServer, connections: Connections) -> None:
    """botocore would do so by itself, past the budget; all retrying is the work queue's."""
    client = await client_of(connections, Target("eu-west-1", Access(aws.endpoint)))
    aws.control.fault(FaultKind.ERROR, LIST, code="ServiceException", status=500, message="Down.", times=1)
    aws.control.reset_counts()
    with pytest.raises(ClientError):
        await client.refresh_by_function("orders")
    assert aws.control.counts().calls[LIST] == 1


async def test_a_command_sends_a_request_again_that_may_succeed_soon(
    aws: AwsServer, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no work queue that would come back to it."""
    monkeypatch.setattr(connection_module, "_LONGEST_PAUSE", 0.01)
    made = account.connections("export")
    reader = await Account.connect(Target("eu-west-1", Access(aws.endpoint)), made, 1000.0, Console())
    aws.control.reset_counts()
    aws.control.fault(FaultKind.ERROR, LIST, code="ServiceException", status=500, message="Down.", times=3)
    assert [one async for one in reader.mappings("orders")] == []
    assert aws.control.counts().calls[LIST] == 4
    aws.control.fault(FaultKind.ERROR, LIST, code="AccessDeniedException", status=403, message="No.", times=1)
    with pytest.raises(ReadError, match="eu-west-1: lambda:ListEventSourceMappings: "):
        await anext(reader.mappings("orders"))
    assert aws.control.counts().calls[LIST] == 5, "what is refused is not asked for again"
    made.close()


async def test_a_transient_failure_of_the_first_call_is_retried(
    aws: AwsServer, connections: Connections, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise all resources of the target would report it."""
    monkeypatch.setattr(connection_module, "FIRST_CALL_PATIENCE", LIMIT)
    aws.control.reset_counts()
    aws.control.fault(FaultKind.CLOSE, "GetCallerIdentity", times=2)
    assert (await connections.connect(Target("eu-west-1", Access(aws.endpoint)))).account == "123456789012"
    assert aws.control.counts().calls["GetCallerIdentity"] == 3
    assert caplog.text == ""


async def test_a_refusal_of_the_first_call_is_not_retried(
    aws: AwsServer, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "FIRST_CALL_PATIENCE", LIMIT)
    aws.control.reset_counts()
    aws.control.fault(FaultKind.UNRECOGNIZED_CLIENT, "GetCallerIdentity", times=1)
    with pytest.raises(ClientError):
        await connections.connect(Target("eu-west-1", Access(aws.endpoint)))
    assert aws.control.counts().calls["GetCallerIdentity"] == 1


async def test_what_the_commands_read_with_can_write_nothing(aws: AwsServer, connections: Connections) -> None:
    connection = await connections.connect(Target("eu-west-1", Access(aws.endpoint)))
    api = MappingsApi(connection, RateLimiter(1000), RateLimiter(1000))
    aws.control.reset_counts()
    with pytest.raises(NotLeadingError):
        await api.call("delete_event_source_mapping", {"UUID": "11111111-2222-3333-4444-555555555555"}, SWEEP)
    assert aws.control.counts().calls == {}
