"""Answers of AWS are checked: a wrong type or a long text ends as an unreadable answer, and new members are allowed."""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from aiohttp import web

from esm_operator.aws.answer_limits import ListLimit
from esm_operator.aws.answer_shapes import MOST_CHARACTERS, MOST_ENTRIES
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.connections import Connections
from esm_operator.aws.errors import TooLongListError, UnreadableAnswerError, is_doubtful, understand
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.commands.account import Account, Console, ReadError
from esm_operator.fence import SHUT, Fence
from esm_operator.planning.target import Access, Target
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.aws import AwsServer
from tests.unit.http_server import served

UUID = "11111111-2222-3333-4444-555555555555"
HONEST: dict[str, Any] = {
    "UUID": UUID,
    "EventSourceMappingArn": f"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:{UUID}",
    "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
    "EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:orders",
    "State": "Enabled",
    "LastModified": 1_700_000_000.5,
    "BatchSize": 10,
    "FilterCriteria": {"Filters": [{"Pattern": "x" * 4_096}] * 20},
    "BisectBatchOnFunctionError": None,
    "ANewMember": {"of": ["AWS"]},
}
#: Members of a mapping that AWS would not send.
WRONG: list[dict[str, Any]] = [
    {"UUID": "../../functions/x"},
    {"UUID": 5},
    {"UUID": {"a": 1}},
    {"UUID": f"{UUID}\n"},
    {"LastModified": "7" * 400},
    {"LastModified": "\r\f\u2028" + "7" * 400},
    {"LastModified": "0001-01-01T00:00:00+14:00"},
    {"LastModified": "9999-12-31T23:59:59-12:00"},
    {"StartingPositionTimestamp": "0001-01-01T00:00:00Z"},
    {"FilterCriteria": {"Filters": [None]}},
    {"FilterCriteria": {"Filters": [{"Pattern": 5}]}},
    {"FilterCriteria": {"Filters": [{"Pattern": "x" * (MOST_CHARACTERS + 1)}]}},
    {"FilterCriteria": {"Filters": [{"Pattern": "x"}] * (MOST_ENTRIES + 1)}},
    {"Topics": [None]},
    {"SourceAccessConfigurations": [None]},
    {"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [["x"]]}}},
    {"EventSourceMappingArn": {}},
    {"DocumentDBEventSourceConfig": {"DatabaseName": {"a": 1}}},
    {"ScalingConfig": {"MaximumConcurrency": 10**400}},
    {"StateTransitionReason": "\x7f" * 900_000},
    {"State": None, "FunctionArn": ["a"]},
]


class Endpoint:
    """An endpoint that answers all requests to Lambda and the tagging API so."""

    def __init__(self) -> None:
        self.url = ""
        self.body: Any = {}
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(body=json.dumps(self.body), content_type="application/json")


@pytest.fixture
async def endpoint() -> AsyncGenerator[Endpoint]:
    made = Endpoint()
    async with served(made.answer) as made.url:
        yield made


async def client_of(
    aws: AwsServer, connections: Connections, endpoint: Endpoint, fence: Fence = SHUT
) -> MappingsClient:
    """A client whose requests to Lambda and the tagging API reach the endpoint."""
    connection = await connections.connect(Target("eu-west-1", Access(aws.endpoint)))
    for client in (connection.client, connection.tagging):
        client.meta.events.register("before-sign", lambda request, **_: setattr(request, "url", f"{endpoint.url}/"))
    return MappingsClient(MappingsApi(connection, RateLimiter(1000), RateLimiter(1000), fence), Inventory())


@pytest.fixture
async def client(aws: AwsServer, connections: Connections, endpoint: Endpoint) -> MappingsClient:
    return await client_of(aws, connections, endpoint)


async def test_an_honest_answer_passes(client: MappingsClient, endpoint: Endpoint) -> None:
    endpoint.body = {"EventSourceMappings": [HONEST], "ANewMember": 1}
    await client.refresh_by_function("orders")
    entry = client.inventory.get(UUID)
    assert entry is not None
    assert entry.report().last_modified == "2023-11-14T22:13:20.500000Z"


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: ascii(wrong)[:60])
async def test_a_wrong_type_in_a_mapping_is_an_unreadable_answer(
    client: MappingsClient, endpoint: Endpoint, wrong: dict[str, Any]
) -> None:
    endpoint.body = {"EventSourceMappings": [HONEST, HONEST | wrong]}
    with pytest.raises(UnreadableAnswerError) as raised:
        await client.refresh_by_function("orders")
    assert understand(raised.value).reason == "AWSUnreachable"
    endpoint.body = HONEST | wrong
    with pytest.raises(UnreadableAnswerError):
        await client.refresh(UUID)
    assert len(client.inventory) == 0


@pytest.mark.parametrize("tags", [{"a": 5}, {"a": None}, {"a": {"b": "c"}}])
async def test_tags_are_texts(client: MappingsClient, endpoint: Endpoint, tags: Mapping[str, Any]) -> None:
    endpoint.body = {"Tags": tags}
    with pytest.raises(UnreadableAnswerError):
        await client.api.list_tags(HONEST["EventSourceMappingArn"])
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    endpoint.body = {"ResourceTagMappingList": [{"ResourceARN": HONEST["EventSourceMappingArn"], "Tags": pairs}]}
    with pytest.raises(UnreadableAnswerError):
        await anext(client.api.tagged({}, ListLimit(10)))


@pytest.mark.parametrize(
    "arn",
    ["x" * 9_900, HONEST["EventSourceMappingArn"] + "x" * 200, "arn:aws:lambda:eu-west-1:123456789012:function:f"],
)
async def test_a_tagged_resource_is_a_mapping(client: MappingsClient, endpoint: Endpoint, arn: str) -> None:
    endpoint.body = {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": []}]}
    with pytest.raises(UnreadableAnswerError):
        await anext(client.api.tagged({}, ListLimit(10)))


async def test_an_endless_list_of_a_function_ends_at_the_limit_of_the_inventory(
    client: MappingsClient, endpoint: Endpoint
) -> None:
    client.inventory = Inventory(500)
    many = [HONEST | {"UUID": f"{UUID[:-2]}{one:02}", "FunctionArn": f"{one}" + "f" * 9_000} for one in range(50)]
    endpoint.body = {"EventSourceMappings": many, "NextMarker": "more"}
    with pytest.raises(TooLongListError):
        await client.refresh_by_function("orders")
    assert 0 < len(client.inventory) < 50
    assert endpoint.asked < 5, "the number of mappings would end it later"


async def test_an_answer_about_another_mapping_is_refused(
    aws: AwsServer, connections: Connections, endpoint: Endpoint
) -> None:
    fence = Fence(clock=lambda: 0.0)
    fence.extend(1_000)
    client = await client_of(aws, connections, endpoint, fence)
    endpoint.body = HONEST | {"UUID": UUID.replace("1", "2")}
    for request in (client.refresh(UUID), client.update({"UUID": UUID, "BatchSize": 5}), client.delete(UUID)):
        with pytest.raises(UnreadableAnswerError) as raised:
            await request
        assert is_doubtful(raised.value)
    assert len(client.inventory) == 0


async def test_a_uuid_may_be_in_capitals(client: MappingsClient, endpoint: Endpoint) -> None:
    endpoint.body = HONEST
    await client.refresh(UUID.upper())
    assert client.inventory.uuids() == [UUID]


async def test_a_marker_is_a_text(client: MappingsClient, endpoint: Endpoint) -> None:
    endpoint.body = {"EventSourceMappings": [], "NextMarker": {"a": 1}}
    with pytest.raises(UnreadableAnswerError):
        await client.api.page()


async def test_a_command_reports_a_wrong_answer_in_one_visible_sentence(
    client: MappingsClient, endpoint: Endpoint
) -> None:
    account = Account(Target("eu-west-1"), client.api, Console(), 5.0)
    endpoint.body = {"EventSourceMappings": [HONEST | {"LastModified": "\r\x1b\u2028" + "7" * 400}]}
    with pytest.raises(ReadError, match="eu-west-1: lambda:ListEventSourceMappings: ") as said:
        await anext(account.mappings())
    assert str(said.value).isprintable()
