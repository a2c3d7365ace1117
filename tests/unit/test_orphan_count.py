"""The number of orphans that the running operator reports, and its requests to the API server."""

from collections.abc import AsyncGenerator

import pytest

from esm_operator.api.resource import Key, parse
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.planning.ownership import Owner
from esm_operator.reconcile.orphan_counter import OrphanCounter
from tests.unit.api_server import ApiServer

ONE, TWO = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
SPEC = {"functionName": "f", "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:q"}


def tags(name: str, namespace: str = "shop", cluster: str = "blue") -> dict[str, str]:
    return Owner(cluster, namespace, name, "u").tags()


@pytest.fixture
def api_server() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def kubernetes(api_server: ApiServer) -> AsyncGenerator[KubernetesClient]:
    async with api_server.connect() as made:
        yield made


def counter(
    kubernetes: KubernetesClient, *known: Key, api_server: ApiServer, namespaces: tuple[str, ...] = ()
) -> OrphanCounter:
    """The counter of an operator that manages these resources."""
    cache = ResourceCache()
    for key in known:
        cache.put(parse(api_server.cluster.mappings[key]))
    return OrphanCounter("blue", list(namespaces), cache, kubernetes)


async def test_a_mapping_counts_after_two_sweeps_in_a_row_without_a_resource(
    api_server: ApiServer, kubernetes: KubernetesClient, caplog: pytest.LogCaptureFixture
) -> None:
    orphans = counter(kubernetes, api_server=api_server)
    found = {ONE: tags("orders")}
    assert await orphans.count(found) == 0
    assert await orphans.count(found) == 1
    assert await orphans.count({**found, TWO: tags("bills")}) == 1
    assert await orphans.count({}) == 0
    assert [record.getMessage().count(ONE) for record in caplog.records] == [1], "each is logged once"


async def test_a_mapping_whose_resource_exists_does_not_count(
    api_server: ApiServer, kubernetes: KubernetesClient
) -> None:
    key = Key("shop", "orders")
    api_server.cluster.create(key, SPEC)
    orphans = counter(kubernetes, key, api_server=api_server)
    for _ in range(3):
        assert await orphans.count({ONE: tags("orders"), TWO: tags("orders", cluster="green")}) == 0
    assert api_server.asked == [], "the API server is asked only for resources that the operator does not know"


async def test_a_mapping_whose_resource_another_operator_manages_does_not_count(
    api_server: ApiServer, kubernetes: KubernetesClient
) -> None:
    api_server.cluster.create(Key("shop", "orders"), SPEC)
    orphans = counter(kubernetes, api_server=api_server)
    for _ in range(3):
        assert await orphans.count({ONE: tags("orders")}) == 0


async def test_mappings_of_other_namespaces_do_not_count(api_server: ApiServer, kubernetes: KubernetesClient) -> None:
    orphans = counter(kubernetes, api_server=api_server, namespaces=("bank",))
    for _ in range(3):
        assert await orphans.count({ONE: tags("orders")}) == 0
