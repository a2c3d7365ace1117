"""Scripted scenarios in which AWS supports no tags. Only the resources record their mappings."""

import json
from collections.abc import Generator

import pytest

from esm_operator.api.annotations import INTENT
from esm_operator.api.resource import FINALIZER
from esm_operator.clock import replaced
from tests.model.aws import QUEUE, STREAM, Standing
from tests.model.script import KINESIS, ONE, SQS, TWO, Script, a_script, killed_before_the_note
from tests.model.test_without_tags import PromisesWithoutTags


@pytest.fixture
def script() -> Generator[Script]:
    with a_script(PromisesWithoutTags()) as script:
        yield script


def test_a_mapping_that_was_created_before_a_kill_is_found_without_tags(script: Script) -> None:
    script.apply(**SQS)
    script.world.start()
    killed_before_the_note(script)
    uuid = script.mapping().uuid
    script.world.start()
    script.calmly(60)
    assert script.reason() == "Enabled"
    assert script.status()["uuid"] == script.mapping().uuid == uuid


def test_a_mapping_of_another_tool_is_a_conflict_without_tags(script: Script) -> None:
    one = by_hand(script)
    script.apply(**SQS)
    script.world.start()
    script.calmly(60)
    assert script.reason() == "Conflict"
    assert_deleted_without_it(script, one)


def test_an_intent_that_a_user_has_changed_claims_no_mapping_without_tags(script: Script) -> None:
    """The intent is an annotation. Everybody who may edit the resource may change it."""
    with replaced(script.world.clock):
        other = script.aws.make("bills", QUEUE, {})
    assert other is not None
    script.apply(**SQS)
    script.world.start()
    killed_before_the_note(script)
    annotations = script.cluster.mappings[ONE]["metadata"]["annotations"]
    script.promises.excused.add(ONE)  # the resource loses its own mapping
    changed = {**json.loads(annotations[INTENT]), "function": "bills"}
    script.cluster.edit(ONE, {"metadata": {"annotations": {INTENT: json.dumps(changed)}}})
    script.world.start()
    script.calmly(60)
    script.delete()
    script.calmly(120)
    assert other.uuid in script.aws.standing
    assert other.state == "Enabled"


def test_a_mapping_that_was_only_observed_is_not_owned(script: Script) -> None:
    other = by_hand(script)
    script.apply(**SQS, managementPolicy="Observe")
    script.begin()
    assert script.status()["uuid"] == other.uuid
    script.edit(managementPolicy="Full")
    script.calmly(60)
    assert script.reason() == "Conflict"
    assert_deleted_without_it(script, other)


def test_the_mapping_of_another_resource_is_not_adopted(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    uuid = script.mapping().uuid
    script.world.crash()
    script.world.start()
    script.apply(TWO, **SQS, adoption={"policy": "IfExists"})
    script.calmly(60)
    assert script.reason(TWO) == "Conflict"
    assert "uuid" not in script.status(TWO)
    script.delete(TWO)
    script.calmly(60)
    assert script.mapping().uuid == uuid


def test_of_two_resources_that_record_a_mapping_the_older_one_owns_it(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    status = script.status()
    script.world.crash()
    script.apply(TWO, **{**SQS, "functionName": "bills"})
    script.cluster.edit(TWO, {"metadata": {"finalizers": [FINALIZER]}})
    script.cluster.edit(TWO, {"status": {name: status[name] for name in ("uuid", "applied")}})
    script.delete(TWO)
    script.world.start()
    script.calmly(60)
    assert script.gone(TWO)
    assert script.mapping().uuid == status["uuid"]


def test_the_mapping_of_a_create_that_takes_effect_late_belongs_to_the_resource(script: Script) -> None:
    """The mapping of the next Create has been deleted by hand, and the operator has been killed."""
    script.apply(**SQS)
    script.world.start()
    late = script.until_asked("create_event_source_mapping")
    script.world.decide(late, "late")
    script.world.decide(script.until_asked("create_event_source_mapping"), "well")
    script.calmly()
    assert script.status()["uuid"] == script.mapping().uuid
    assert script.status()["creating"]
    script.world.crash()
    script.aws.standing.clear()
    script.world.land(late)
    script.world.start()
    script.converge()
    assert script.status()["uuid"] == script.mapping().uuid
    assert "creating" not in script.status()


def test_a_mapping_that_is_retained_is_released_once(script: Script) -> None:
    script.apply(**SQS, deletionPolicy="Retain")
    script.begin()
    one = script.mapping()
    assert_deleted_without_it(script, one)


def test_a_mapping_with_other_immutable_fields_is_not_the_result_of_a_create(script: Script) -> None:
    """Another tool created it while the Create was in progress. AWS refused the Create, and the answer is lost."""
    script.apply(ONE, **{**KINESIS, "startingPosition": "TRIM_HORIZON"})
    script.world.start()
    creation = script.until_asked("create_event_source_mapping")
    other = by_hand(script, STREAM)
    script.world.decide(creation, "lost")
    script.calmly(60)
    assert script.reason() == "Conflict"
    assert_deleted_without_it(script, other)


def test_a_mapping_that_aws_names_in_a_refusal_is_not_the_result_of_a_create(script: Script) -> None:
    script.apply(**SQS)
    script.world.start()
    creation = script.until_asked("create_event_source_mapping")
    other = by_hand(script)
    script.world.decide(creation, "well")
    script.calmly(60)
    assert script.reason() == "Conflict"
    assert "creating" not in script.status()
    script.world.crash()
    script.delete()
    script.world.start()
    script.calmly(60)
    assert script.gone()
    assert script.mapping() is other


def test_a_restored_status_does_not_mean_that_a_create_is_pending(script: Script) -> None:
    """The resource is a new one, and the mapping may belong to the cluster of the backup."""
    script.apply(**SQS)
    script.world.start()
    script.until_asked("create_event_source_mapping")
    script.world.crash()
    script.world.late.clear()
    body = script.cluster.mappings[ONE]
    script.cluster.lose(ONE)
    other = by_hand(script)
    kept = {name: body["metadata"][name] for name in ("annotations", "finalizers")}
    script.cluster.create(ONE, body["spec"], kept)
    script.cluster.edit(ONE, {"status": body["status"]})
    assert script.status()["creating"]
    script.world.start()
    script.calmly(60)
    assert script.reason() == "Conflict"
    assert_deleted_without_it(script, other)


def assert_deleted_without_it(script: Script, mapping: Standing) -> None:
    """Check that the resource can be deleted and leaves a mapping unchanged."""
    script.delete()
    script.calmly(60)
    assert script.gone()
    assert script.mapping() is mapping


def by_hand(script: Script, source: str = QUEUE) -> Standing:
    """A mapping that another tool creates."""
    with replaced(script.world.clock):
        one = script.aws.make("orders", source, {})
    assert one is not None
    return one
