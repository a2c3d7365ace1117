"""Scripted scenarios on the model: AWS refuses a field of an Update while the operator dies or the spec changes."""

from collections.abc import Generator, Mapping
from typing import Any

import pytest

from tests.model.aws import QUEUE, REFUSED_WINDOW, WINDOW
from tests.model.calls import Call
from tests.model.script import Script, a_script
from tests.model.world import SWEEP_INTERVAL

SQS: Mapping[str, Any] = {"functionName": "orders", "eventSourceARN": QUEUE}
FIELD = "maximumBatchingWindowInSeconds"
UPDATE = "update_event_source_mapping"


@pytest.fixture
def script() -> Generator[Script]:
    with a_script() as script:
        yield script


def kept(script: Script) -> Mapping[str, Any]:
    """The fields in ``status.applied.kept``."""
    return script.status().get("applied", {}).get("kept", {})


def asked(script: Script) -> list[str]:
    """The Updates that have been sent, one line each."""
    return [line for line in script.world.history if f"well: {UPDATE}" in line]


def until_update(script: Script, number: int) -> Call:
    """Continue without faults until the Update with this number, counted from 1. It waits for its answer."""
    for _ in range(number - 1):
        script.world.decide(script.until_asked(UPDATE), "well")
    return script.until_asked(UPDATE)


@pytest.mark.parametrize("fate", ["well", "carried out"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_crash_during_the_search_for_the_refused_field_does_no_harm(script: Script, number: int, fate: str) -> None:
    script.apply(**SQS)
    script.begin()
    script.edit(batchSize=5, maximumBatchingWindowInSeconds=REFUSED_WINDOW, tags={"team": "red"})
    script.world.decide(until_update(script, number), fate)
    script.world.crash()
    script.world.start()
    script.converge()
    assert script.reason() == "RefusedByAWS"
    assert (script.mapping().config["BatchSize"], script.mapping().tags["team"]) == (5, "red")


@pytest.mark.parametrize("fate", ["well", "carried out"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_crash_while_aws_refuses_a_reset_does_no_harm(script: Script, number: int, fate: str) -> None:
    script.apply(**SQS, maximumBatchingWindowInSeconds=20)
    script.begin()
    script.edit(batchSize=5, maximumBatchingWindowInSeconds=None)
    script.world.decide(until_update(script, number), fate)
    script.world.crash()
    script.world.start()
    script.converge()
    assert script.reason() == "Enabled"
    assert script.mapping().config["BatchSize"] == 5
    assert kept(script)[FIELD]["message"] == "It can't be."

    script.mapping().config[WINDOW] = 0  # changed by hand
    script.calmly(2 * SWEEP_INTERVAL)
    assert not kept(script)


def test_a_refused_reset_is_sent_once_for_each_edit(script: Script) -> None:
    script.apply(**SQS, maximumBatchingWindowInSeconds=20)
    script.begin()
    before = len(asked(script))
    script.edit(maximumBatchingWindowInSeconds=None)
    script.calmly(4 * SWEEP_INTERVAL)
    script.edit(tags={"team": "red"})
    script.calmly(4 * SWEEP_INTERVAL)
    script.world.crash()
    script.world.start()
    script.calmly(4 * SWEEP_INTERVAL)
    assert len(asked(script)) - before == 2
    assert script.mapping().tags["team"] == "red"


@pytest.mark.parametrize("fate", ["well", "carried out"])
def test_a_crash_after_a_reset_that_aws_accepts_and_ignores_does_no_harm(script: Script, fate: str) -> None:
    script.aws.window_refusal, script.aws.ignores_window_reset = "", True
    script.apply(**SQS, maximumBatchingWindowInSeconds=20)
    script.begin()
    script.edit(maximumBatchingWindowInSeconds=None)
    script.world.decide(until_update(script, 1), fate)
    script.world.crash()
    script.world.start()
    script.converge()
    assert set(kept(script)[FIELD]) == {"value"}
    before = len(asked(script))
    script.edit(batchSize=5)
    script.converge()
    assert len(asked(script)) - before == 1
    assert FIELD in kept(script)


def test_a_reset_that_aws_refuses_for_a_while_is_sent_until_aws_accepts_it(script: Script) -> None:
    script.apply(**SQS, maximumBatchingWindowInSeconds=20)
    script.begin()
    script.aws.window_refusal = "The execution role does not have permissions to call it."
    script.edit(maximumBatchingWindowInSeconds=None, batchSize=5)
    script.calmly(20)
    assert script.reason() == "RoleLacksPermission"
    assert not kept(script)
    assert script.mapping().config["BatchSize"] == 5
    script.aws.window_refusal = ""
    script.converge()
    assert script.mapping().config[WINDOW] == 0
    assert script.reason() == "Enabled"


def test_a_refused_value_is_sent_again_with_growing_pauses(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    script.edit(maximumBatchingWindowInSeconds=REFUSED_WINDOW)
    script.calmly(3600)
    assert 4 <= len(asked(script)) <= 8  # after 60 s, doubling up to half an hour


def test_an_edit_before_the_refusal_arrives_is_not_delayed(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    script.edit(maximumBatchingWindowInSeconds=REFUSED_WINDOW)
    refused = script.until_asked(UPDATE)
    script.edit(maximumBatchingWindowInSeconds=20)
    script.world.deliver(len(script.cluster.watch))
    script.world.decide(refused, "well")
    script.calmly(20)
    assert script.mapping().config[WINDOW] == 20
    assert script.reason() == "Enabled"
