"""Several targets of one account and region, some of which may not list mappings."""

from collections.abc import AsyncGenerator

import pytest

from esm_operator.aws.connections import Connections
from esm_operator.aws.targets import Knowledge, Targets
from esm_operator.fence import SHUT
from esm_operator.planning.target import Access, Place, Target
from esm_operator.settings import Settings
from tests.aws import AwsServer, FaultKind
from tests.unit.listener import Listener
from tests.waiting import eventually_async

LIST = "ListEventSourceMappings"


class SweepListener(Listener):
    """Records the targets whose resources are reconciled after a first sweep."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[Target] = []

    def mappings_changed(self, place: Place, uuids: object) -> None: ...

    def results_changed(self, place: Place, uuids: object) -> None: ...

    def first_sweep_ended(self, target: Target) -> None:
        self.ended.append(target)


@pytest.fixture
def denied(aws: AwsServer) -> AwsServer:
    aws.control.reset()
    aws.control.fault(FaultKind.ERROR, LIST, times=4, code="AccessDeniedException", status=403)
    return aws


@pytest.fixture
async def targets(connections: Connections) -> AsyncGenerator[Targets]:
    made = Targets(connections, SHUT, Settings(cluster_name="blue"), SweepListener(), Knowledge())
    yield made
    await made.close()


def target(aws: AwsServer, number: int) -> Target:
    return Target("eu-west-1", Access(aws.endpoint, external_id=str(number)))


async def test_a_client_that_is_denied_delays_no_other(
    denied: AwsServer, connections: Connections, targets: Targets
) -> None:
    """The next client reads immediately, and no status shows the denial."""
    wanted = [target(denied, number) for number in range(5)]
    established = {one: await connections.connect(one) for one in wanted}
    connected = [targets.attach(one, connection) for one, connection in established.items()]
    shared = connected[0].account_region
    listener = shared.resources
    assert isinstance(listener, SweepListener)
    await eventually_async(lambda: bool(listener.ended))
    assert shared.failure is None
    assert shared.inventory.swept
    assert denied.control.counts().calls[LIST] == 5
    reader = shared.client
    assert reader is connected[-1].client
    targets.attach(later := target(denied, 5), await connections.connect(later))
    targets.keep({*wanted[1:], later})
    assert shared.client is reader


async def test_a_denial_of_all_clients_is_shown(denied: AwsServer, connections: Connections, targets: Targets) -> None:
    wanted = [target(denied, number) for number in range(2)]
    established = {one: await connections.connect(one) for one in wanted}
    attached = [targets.attach(one, connection) for one, connection in established.items()]
    shared = attached[0].account_region
    await eventually_async(lambda: shared.failure is not None)
    assert denied.control.counts().calls[LIST] >= 2
