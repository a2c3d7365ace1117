"""Scripted scenarios: the operator loses its lease and gets it back, and no other process leads in between."""

from collections.abc import Sequence

import pytest

from esm_operator.api.resource import Key
from tests.model.aws import QUEUE
from tests.model.script import ONE, SQS, Script
from tests.model.world import LEASE

KEYS = [Key("a", f"orders-{number}") for number in range(6)]
#: The pages of a sweep. The simulated AWS has two mappings on each.
SWEEP = ["list_event_source_mappings"] * 3
READS = ("get_event_source_mapping", "list_event_source_mappings", "list_tags")


def apply_all(script: Script) -> None:
    """Create resources with a function each."""
    for key in KEYS:
        script.apply(key, functionName=key.name, eventSourceARN=QUEUE)


def reads(lines: Sequence[str]) -> list[str]:
    """The reads of AWS Lambda in a history, by operation. A list of one function's mappings has its own name."""
    found: list[str] = []
    for line in lines:
        for name in READS:
            if f": {name}" in line:
                found.append(f"{name} of a function" if "FunctionName" in line else name)
    return found


def lose_lease(script: Script) -> list[str]:
    """Lose the lease, and get it back. Returns the reads of AWS until shortly after the first sweep."""
    script.world.lose_lease()
    before = len(script.world.history)
    script.calmly(20)
    return reads(script.world.history[before:])


def test_a_lost_lease_costs_one_sweep(script: Script) -> None:
    apply_all(script)
    script.begin()
    assert lose_lease(script) == SWEEP
    script.converge()


def test_a_lost_lease_costs_one_sweep_while_mappings_are_created(script: Script) -> None:
    """The API server refuses all statuses, so only this process knows which mappings it has created."""
    script.begin()
    apply_all(script)
    world, process = script.world, script.world.process
    assert process is not None
    process.gate.lease_is_cut = True
    while process.covers(0.0):
        world.deliver(len(script.cluster.watch))
        for call in list(world.waiting):
            world.decide(call, "failed" if "/status" in str(call) else "well")
        world.pass_time(1)
    process.gate.lease_is_cut = False
    assert len(script.aws.standing) == len(KEYS)
    before = len(world.history)
    script.calmly(20)
    assert reads(world.history[before:]) == SWEEP
    script.converge()
    assert len(script.aws.standing) == len(KEYS)


def test_a_create_without_an_answer_is_not_forgotten_with_the_lease(script: Script) -> None:
    """The Create is carried out after the lease was lost, when the resource is already being deleted."""
    script.apply(**SQS)
    script.world.start()
    script.world.decide(script.until_asked("create_event_source_mapping"), "late")
    script.world.lose_lease()
    script.delete()
    script.converge()
    assert script.gone(ONE)
    assert script.aws.standing == {}


@pytest.mark.parametrize("edited", [False, True])
def test_drift_while_the_lease_is_lost_is_corrected(script: Script, *, edited: bool) -> None:
    script.apply(**SQS, batchSize=10)
    script.begin()
    script.mapping().config["BatchSize"] = 7
    if edited:
        script.edit(maximumBatchingWindowInSeconds=5)
    script.world.lose_lease()
    script.converge()


def test_a_resource_that_replaces_another_while_the_lease_is_lost_inherits_nothing(script: Script) -> None:
    """The back-off of the first one is long, because AWS has refused it for an hour."""
    script.world.start()
    script.apply(**SQS)
    for _ in range(8):
        script.world.decide(script.until_asked("create_event_source_mapping"), "refused")
    process = script.world.process
    assert process is not None
    process.gate.lease_is_cut = True
    script.world.pass_time(LEASE + 1)
    script.delete()
    script.world.calm()
    script.cluster.edit(ONE, {"metadata": {"finalizers": []}})
    script.apply(**SQS)
    script.world.calm()
    process.gate.lease_is_cut = False
    script.calmly(30)
    assert script.reason() == "Enabled"
    script.converge()
