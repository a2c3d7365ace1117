"""The targets of a term: which inventories they keep."""

from prometheus_client import REGISTRY

from esm_operator.aws.connections import Connections
from esm_operator.aws.targets import Knowledge, Targets
from esm_operator.clock import monotonic
from esm_operator.fence import SHUT
from esm_operator.planning.target import Access, Target
from esm_operator.settings import Settings
from tests.aws import AwsServer
from tests.unit.listener import Listener


async def test_a_target_that_comes_back_is_swept_again(aws: AwsServer, connections: Connections) -> None:
    """Nobody has read its mappings meanwhile, even if another target is not connected yet."""
    here, there = Target("eu-west-1", Access(aws.endpoint)), Target("us-east-1", Access(aws.endpoint))
    connection = await connections.connect(here)
    targets = Targets(connections, SHUT, Settings(cluster_name="blue"), Listener(), Knowledge())
    targets.attach(here, connection).inventory.record_swept(0.0)
    targets.keep({there})
    assert not targets.attach(here, connection).inventory.swept
    await targets.close()


async def test_endpoints_of_one_account_share_nothing(aws: AwsServer, connections: Connections) -> None:
    """An endpoint can answer with any account number."""
    real, forged = (Target("eu-west-1", Access(f"{aws.endpoint}{path}")) for path in ("", "/"))
    targets = Targets(connections, SHUT, Settings(cluster_name="blue"), Listener(), Knowledge())
    one, other = [await targets.connect(target) for target in (real, forged)]
    assert one.client.account == other.client.account
    assert one.inventory is not other.inventory
    full = one.client.rate_limiter.rate
    other.client.rate_limiter.throttled(monotonic(), retry_after=20.0)
    assert one.client.rate_limiter.rate == full
    await targets.close()


async def test_what_is_known_of_a_target_is_released_with_it(aws: AwsServer, connections: Connections) -> None:
    """Inventory, rate limiter and metrics do not remain. Those of the same account at another endpoint do."""
    real, forged = (Target("eu-west-2", Access(f"{aws.endpoint}{path}")) for path in ("", "/"))
    knowledge = Knowledge()
    targets = Targets(connections, SHUT, Settings(cluster_name="blue"), Listener(), knowledge)
    for target in (real, forged):
        await (await targets.connect(target)).client.refresh_by_function("orders")
    targets.keep({real})
    assert len(knowledge.inventories) == len(knowledge.rate_limiters) == 1
    assert series("eu-west-2") == {"esm_operator_aws_throttles", "esm_operator_aws_rate_limiter_requests"}
    targets.keep(set())
    assert knowledge == Knowledge()
    assert series("eu-west-2") == set()
    await targets.close()


def series(region: str) -> set[str]:
    """The metrics that have series of a region."""
    return {
        metric.name for metric in REGISTRY.collect() for one in metric.samples if one.labels.get("region") == region
    }
