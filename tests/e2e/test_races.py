"""Resources that are created, edited and deleted within moments leave no mapping behind.

The API server may remove an object that had no finalizer when the DELETE read it, although a PATCH has added one in
between. The operator must notice that, because no finalizer holds the name any more.
"""

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.aws import AwsServer
from tests.controlplane import ControlPlane
from tests.e2e.bed import eventually
from tests.e2e.kills import Stage, lone_stage
from tests.e2e.manifests import HERE
from tests.e2e.rest import ExistsError

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

#: Seconds for what AWS and the operator still have to do at the end.
LONGEST = 60.0


@pytest.fixture
def on(
    control_plane: ControlPlane, aws_server: AwsServer, operator_kubeconfig: Path, tmp_path: Path
) -> Iterator[Stage]:
    """A stage whose operator may send many requests."""
    namespace = f"races-{random.randrange(10**9)}"
    arguments = ("--requests-per-second=100", "--kubernetes-requests-per-second=400", "--deletions-per-minute=60000")
    with lone_stage(control_plane, aws_server, operator_kubeconfig, tmp_path, namespace, arguments) as made:
        aws_server.control.set(pace=0.0)
        try:
            made.start()
            yield made
        finally:
            print(made.operator.tail(100))


def test_600_resources_that_are_deleted_within_400_ms_leave_no_mapping(on: Stage) -> None:
    chance = random.Random()

    def create_and_delete(number: int) -> None:
        on.api.create(f"item-{number}", _spec(f"item-{number}", 10))
        time.sleep(chance.uniform(0, 0.4))
        on.api.delete(f"item-{number}")

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(create_and_delete, range(600)))
    eventually(lambda: on.api.all() == [], LONGEST, "all resources are gone")
    eventually(lambda: on.mappings() == {}, LONGEST, f"no mapping is left: {_functions(on)}")
    assert on.creations("item") > 0


def test_2000_random_steps_leave_one_mapping_for_each_resource(on: Stage) -> None:
    """Create, edit and delete at random distances; the tags of a mapping become visible seconds after it."""
    seed = int(os.environ.get("RACES_SEED", "1"))
    print(f"RACES_SEED={seed}")
    on.control.set(tag_delay=3.0)

    def steps(actor: int) -> None:
        chance = random.Random(f"{seed}/{actor}")
        name, lives = f"item-{actor}", False
        for _ in range(100):
            if not lives:
                lives = _create(on, name, chance.choice((1, 10)))
            elif chance.random() < 0.5:
                on.api.edit(name, _spec(name, chance.choice((1, 5, 10))))
            else:
                on.api.delete(name)
                lives = False
            time.sleep(chance.uniform(0, 1))

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(steps, range(20)))

    def differs() -> list[str]:
        resources = {one["metadata"]["name"] for one in on.api.all() if "deletionTimestamp" not in one["metadata"]}
        return sorted({*_functions(on)} ^ resources) or [name for name in resources if _functions(on).count(name) != 1]

    def settled() -> bool:
        return not differs() and not any("deletionTimestamp" in one["metadata"] for one in on.api.all())

    eventually(settled, LONGEST, "each resource has one mapping")
    for name in _functions(on):
        on.wait_ready(name)
        on.api.delete(name)
    eventually(lambda: on.api.all() == [], LONGEST, "all resources are gone")
    assert on.mappings() == {}


def _spec(name: str, size: int) -> dict[str, object]:
    return {"functionName": name, "eventSourceARN": f"arn:aws:sqs:{HERE}:orders", "batchSize": size}


def _create(on: Stage, name: str, size: int) -> bool:
    try:
        on.api.create(name, _spec(name, size))
    except ExistsError:  # the one before is still being deleted
        return False
    return True


def _functions(on: Stage) -> list[str]:
    return sorted(one["FunctionArn"].rpartition(":")[2] for one in on.mappings().values())
