"""Scripted scenarios: AWS carries out a Create after the operator has stopped waiting for the answer."""

import pytest

from esm_operator.api.annotations import INTENT
from esm_operator.api.resource import FINALIZER, Intent
from esm_operator.clock import replaced
from tests.model.aws import ACCOUNT, QUEUE, REGION, STREAM
from tests.model.script import KINESIS, ONE, SQS, Script
from tests.model.world import CLUSTER_NAME


def assert_nothing_is_left(script: Script) -> None:
    """Check that, without further faults, the resource is removed and leaves no mapping."""
    script.converge()
    assert script.gone()
    assert script.aws.standing == {}


@pytest.mark.parametrize("fate", ["late", "lost", "done but failed"])
def test_a_resource_is_removed_only_when_the_outcome_of_its_create_is_known(script: Script, fate: str) -> None:
    script.apply(**SQS)
    script.world.start()
    script.world.decide(script.until_asked("create_event_source_mapping"), fate)
    script.delete()
    script.calmly(3)
    assert not script.gone()
    assert_nothing_is_left(script)


def test_a_resource_is_removed_only_when_the_outcome_of_a_killed_operators_create_is_known(script: Script) -> None:
    script.apply(**SQS)
    script.world.start()
    script.until_asked("create_event_source_mapping")
    script.world.crash()
    script.delete()
    script.world.start()
    script.calmly(3)
    assert not script.gone()
    assert_nothing_is_left(script)


def test_a_resource_is_removed_only_when_the_outcome_of_another_operators_create_is_known(script: Script) -> None:
    """The resource gets another label, so this operator sees it first long after its own start."""
    script.begin()
    intent = Intent(str(ONE), ACCOUNT, REGION, "orders", QUEUE, (), ("enabled",), (), {})
    metadata = {"finalizers": [FINALIZER], "annotations": {INTENT: intent.render()}}
    script.cluster.create(ONE, SQS, metadata)
    script.delete()
    script.calmly(5)
    assert not script.gone()
    owner = {"cluster": CLUSTER_NAME, "namespace": ONE.namespace, "name": ONE.name, "uid": "uid-1"}
    with replaced(script.world.clock):
        assert script.aws.make("orders", QUEUE, {f"esm-operator.io/{part}": value for part, value in owner.items()})
    assert_nothing_is_left(script)


def test_a_resource_is_removed_only_when_the_outcome_of_a_killed_operators_second_create_is_known(
    script: Script,
) -> None:
    script.apply(**SQS)
    script.begin()
    script.aws.standing.clear()
    script.until_asked("create_event_source_mapping")
    script.world.crash()
    script.delete()
    script.world.start()
    script.calmly(3)
    assert not script.gone()
    assert_nothing_is_left(script)


def test_a_successor_that_is_created_late_and_not_needed_any_more_is_deleted(script: Script) -> None:
    """The replacement is edited back while no operator runs, so the resource looks in sync before and after."""
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.edit(eventSourceARN=QUEUE, startingPosition=None)
    script.until_asked("create_event_source_mapping")
    script.world.crash()
    script.edit(eventSourceARN=STREAM, startingPosition="LATEST")
    script.world.start()
    script.calmly(3)
    assert script.reason() == "Enabled"
    assert len(script.aws.standing) == 1
    script.calmly(120)
    assert [one.source for one in script.aws.standing.values()] == [STREAM]
    script.converge()


def test_an_answered_create_does_not_show_the_outcome_of_the_one_before_it(script: Script) -> None:
    """The mapping of the second Create is deleted before the first Create takes effect and makes another one."""
    script.apply(**SQS)
    script.world.start()
    first = script.until_asked("create_event_source_mapping")
    script.world.decide(first, "late")
    second = script.until_asked("create_event_source_mapping")
    first.ends = script.world.clock.now + 5
    script.world.decide(second, "well")
    script.calmly()
    script.aws.end_transition(script.mapping())
    script.delete()
    script.world.decide(script.until_asked("delete_event_source_mapping"), "well")
    script.aws.end_transition(script.mapping())
    assert_nothing_is_left(script)
    assert first.done


def test_a_create_of_this_process_is_not_mistaken_for_one_of_an_earlier_process(script: Script) -> None:
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.world.crash()
    script.world.start()
    script.calmly(60)
    script.edit(eventSourceARN=QUEUE, startingPosition=None)
    successor = script.until_asked("create_event_source_mapping")
    script.world.decide(successor, "late")
    script.aws.standing.clear()
    script.delete()
    script.calmly(3)
    assert not script.gone()
    assert_nothing_is_left(script)
    assert successor.done
