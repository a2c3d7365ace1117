"""The search for orphans while AWS and the API server change."""

import pytest

from esm_operator.api.resource import Key
from esm_operator.commands.account import Console
from esm_operator.commands.orphan_search import OrphanSearch, SearchFlags, SearchResult
from tests.aws import AwsServer
from tests.unit.api_server import ApiServer

KEY = Key("shop", "orders")
SPEC = {"functionName": "orders", "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders"}
TAGS = {"cluster": "blue", "namespace": KEY.namespace, "name": KEY.name, "uid": "uid-1"}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


async def found(aws: AwsServer, server: ApiServer) -> SearchResult:
    """The orphans that the search finds if one mapping has the tags of one resource."""
    aws.control.reset()
    tags = {f"esm-operator.io/{part}": value for part, value in TAGS.items()}
    aws.control.make_mapping(
        FunctionName=SPEC["functionName"], EventSourceArn=SPEC["eventSourceARN"], region="eu-west-1", Tags=tags
    )
    flags = SearchFlags(cluster_name="blue", region="eu-west-1", endpoint_url=aws.endpoint, requests_per_second=1000)
    async with server.connect() as kubernetes:
        return await OrphanSearch(kubernetes, flags, Console()).find()


async def test_a_mapping_without_a_resource_is_found(aws: AwsServer) -> None:
    orphans = (await found(aws, ApiServer())).orphans
    assert [(one.owner, one.why) for one in orphans] == [("blue/shop/orders", "there is no such resource")]


async def test_a_mapping_whose_resource_is_created_during_the_search_is_no_orphan(aws: AwsServer) -> None:
    server = ApiServer()

    def create() -> None:
        if KEY not in server.cluster.mappings:
            server.cluster.create(KEY, SPEC)

    server.answered = create
    result = await found(aws, server)
    assert (result.examined, result.orphans, result.failures) == (1, [], [])
