"""Scripted scenarios where AWS takes no tags: only the resources record which mappings are theirs."""

import json
from collections.abc import Generator

import pytest

from esm_operator.cluster.resource import INTENT
from tests.model.aws import QUEUE
from tests.model.script import ONE, SQS, Script, a_script, killed_before_the_note
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


def test_a_mapping_of_somebody_else_is_a_conflict_without_tags(script: Script) -> None:
    with script.world.clock.told():
        one = script.aws.make("orders", QUEUE, {})
    assert one is not None
    script.apply(**SQS)
    script.world.start()
    script.calmly(60)
    assert script.reason() == "Conflict"
    script.delete()
    script.calmly(60)
    assert script.gone()
    assert script.mapping() is one


def test_an_intent_that_somebody_has_changed_claims_no_mapping_without_tags(script: Script) -> None:
    """It is an annotation, which everybody may write who may edit the resource."""
    with script.world.clock.told():
        other = script.aws.make("bills", QUEUE, {})
    assert other is not None
    script.apply(**SQS)
    script.world.start()
    killed_before_the_note(script)
    annotations = script.cluster.mappings[ONE]["metadata"]["annotations"]
    script.promises.excused.add(ONE)  # its own mapping is lost by that
    changed = {**json.loads(annotations[INTENT]), "function": "bills"}
    script.cluster.edit(ONE, {"metadata": {"annotations": {INTENT: json.dumps(changed)}}})
    script.world.start()
    script.calmly(60)
    script.delete()
    script.calmly(120)
    assert other.uuid in script.aws.standing
    assert other.state == "Enabled"
