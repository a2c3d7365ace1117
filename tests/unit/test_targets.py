"""The targets of a term: which inventories they keep."""

from esm_operator.aws.connections import Connections
from esm_operator.aws.targets import Knowledge, Targets
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
