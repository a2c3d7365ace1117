"""Resources that are created, edited and deleted within moments leave no mapping behind.

The API server may remove an object that had no finalizer when the DELETE read it, although a PATCH has added one in
between. The operator must notice that, because no finalizer holds the name any more.
"""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import pytest

from tests.conftest import NewBed
from tests.controlplane.client import ExistsError
from tests.e2e.kills import Stage, stage
from tests.e2e.manifests import HERE
from tests.waiting import eventually

pytestmark = pytest.mark.long


@pytest.fixture
def on(new_bed: NewBed) -> Stage:
    """A stage whose operator may send many requests."""
    arguments = ("--requests-per-second=100", "--kubernetes-requests-per-second=400", "--deletions-per-minute=60000")
    made = stage(new_bed(account="111111111111"), *arguments)
    made.bed.control.set(pace=0.0)
    made.start()
    return made


def test_600_resources_that_are_deleted_within_400_ms_leave_no_mapping(on: Stage) -> None:
    """On a slow machine no mapping exists after 400 ms. Then again, with pauses twice as long."""
    chance = random.Random()

    def create_and_delete(number: int, longest: float) -> None:
        on.bed.create(f"item-{number}", _spec(f"item-{number}", 10))
        time.sleep(chance.uniform(0, longest))
        on.bed.delete(f"item-{number}")

    for longest in (0.4, 0.8, 1.6, 3.2, 6.4):
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(create_and_delete, range(600), repeat(longest)))
        eventually(lambda: on.bed.all() == [], "all resources are gone")
        eventually(lambda: on.mappings() == {}, f"no mapping is left: {_functions(on)}")
        if on.creations("item"):
            break
    assert on.creations("item") > 0


def test_2000_random_steps_leave_one_mapping_for_each_resource(on: Stage) -> None:
    """Create, edit and delete with random pauses. The tags of a mapping become visible seconds after it."""
    seed = int(os.environ.get("RACES_SEED", "1"))
    print(f"RACES_SEED={seed}")
    on.bed.control.set(tag_delay=3.0)

    def steps(actor: int) -> None:
        chance = random.Random(f"{seed}/{actor}")
        name, lives = f"item-{actor}", False
        for _ in range(100):
            if not lives:
                lives = _create(on, name, chance.choice((1, 10)))
            elif chance.random() < 0.5:
                on.bed.edit(name, _spec(name, chance.choice((1, 5, 10))))
            else:
                on.bed.delete(name)
                lives = False
            time.sleep(chance.uniform(0, 1))

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(steps, range(20)))

    def differs() -> list[str]:
        resources = {one["metadata"]["name"] for one in on.bed.all() if "deletionTimestamp" not in one["metadata"]}
        return sorted({*_functions(on)} ^ resources) or [name for name in resources if _functions(on).count(name) != 1]

    def settled() -> bool:
        return not differs() and not any("deletionTimestamp" in one["metadata"] for one in on.bed.all())

    eventually(settled, "each resource has one mapping")
    for name in _functions(on):
        on.bed.wait_ready(name)
        on.bed.delete(name)
    eventually(lambda: on.bed.all() == [], "all resources are gone")
    assert on.mappings() == {}


def _spec(name: str, size: int) -> dict[str, object]:
    return {"functionName": name, "eventSourceARN": f"arn:aws:sqs:{HERE}:orders", "batchSize": size}


def _create(on: Stage, name: str, size: int) -> bool:
    try:
        on.bed.create(name, _spec(name, size))
    except ExistsError:  # the previous one is still being deleted
        return False
    return True


def _functions(on: Stage) -> list[str]:
    return sorted(one["FunctionArn"].rpartition(":")[2] for one in on.mappings().values())
