"""Scripted scenarios: tags become visible later than the mapping, and processes run only for seconds."""

import pytest

from esm_operator.clock import replaced
from tests.model.aws import QUEUE
from tests.model.script import KINESIS, ONE, SQS, Script, killed_before_the_note


@pytest.fixture
def tags_are_late(script: Script) -> None:
    script.aws.tag_delay = 15.0


@pytest.mark.usefixtures("tags_are_late")
@pytest.mark.parametrize("ending", ["it lives", "it is deleted"])
@pytest.mark.parametrize("fate", ["lost", "killed"])
def test_a_mapping_whose_create_was_not_answered_is_found_when_its_tags_become_visible(
    script: Script, fate: str, ending: str
) -> None:
    script.apply(**SQS)
    if fate == "killed":
        script.world.start()
        killed_before_the_note(script)
        script.world.start()
    else:
        script.world.start()
        script.world.decide(script.until_asked("create_event_source_mapping"), "lost")
    if ending == "it is deleted":
        script.delete()
    script.calmly(60)
    assert not script.said('"Conflict"')
    if ending == "it is deleted":
        assert script.gone()
        assert script.aws.standing == {}
    else:
        assert script.reason() == "Enabled"
    script.converge()


@pytest.mark.usefixtures("tags_are_late")
def test_the_tags_of_a_noted_mapping_are_awaited_after_a_restart(script: Script) -> None:
    script.apply(**SQS)
    script.world.start()
    script.until(lambda call: call.name == "PATCH" and "uuid" in (call.what["body"].get("status") or {}))
    script.calmly()
    script.world.crash()
    script.delete()
    script.world.start()
    script.calmly(120)
    assert script.gone()
    assert script.aws.standing == {}


@pytest.mark.usefixtures("tags_are_late")
def test_a_successor_whose_create_was_not_answered_replaces_its_predecessor(script: Script) -> None:
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.edit(eventSourceARN=QUEUE, startingPosition=None)
    script.world.decide(script.until_asked("create_event_source_mapping"), "lost")
    script.calmly(60)
    assert script.mapping().source == QUEUE
    script.converge()


def test_a_new_mapping_of_another_tool_is_reported_as_conflict_immediately(script: Script) -> None:
    """No Create of the resource can have made it, so its missing tags prove that it has no owner."""
    script.world.start()
    script.calmly(60)
    with replaced(script.world.clock):
        assert script.aws.make("orders", QUEUE, {}) is not None
    script.apply(**SQS)
    script.calmly(5)
    assert script.reason() == "Conflict"


@pytest.mark.usefixtures("tags_are_late")
def test_a_mapping_that_another_cluster_has_just_made_is_not_adopted(script: Script) -> None:
    """Its tags are not visible yet when adoption.policy IfExists is applied."""
    script.world.start()
    script.calmly(60)
    tags = {f"esm-operator.io/{part}": "elsewhere" for part in ("cluster", "namespace", "name", "uid")}
    with replaced(script.world.clock):
        one = script.aws.make("orders", QUEUE, tags)
    assert one is not None
    script.apply(**SQS, adoption={"policy": "IfExists"})
    script.calmly(60)
    assert script.reason() == "Conflict"
    assert one.tags == tags


def test_a_conflicting_mapping_that_got_our_tags_meanwhile_is_deleted_with_the_resource(script: Script) -> None:
    """The tags were read long ago; they are read again before the finalizer is removed."""
    with replaced(script.world.clock):
        one = script.aws.make("orders", QUEUE, {})
    assert one is not None
    script.apply(**SQS)
    script.begin()
    assert script.reason() == "Conflict"
    uid = script.cluster.mappings[ONE]["metadata"]["uid"]
    one.tags = {
        f"esm-operator.io/{part}": value
        for part, value in zip(("cluster", "namespace", "name", "uid"), ("model", "a", "one", uid), strict=True)
    }
    script.delete()
    script.calmly(60)
    assert script.gone()
    assert script.aws.standing == {}


# -- Processes that run only for seconds --------------------------------------------------------------------


@pytest.mark.parametrize("what", ["delete", "edit"])
def test_processes_that_live_for_five_seconds_get_past_a_create_that_was_not_answered(
    script: Script, what: str
) -> None:
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.world.start()
    creation = script.until_asked("create_event_source_mapping")
    script.world.crash()
    script.world.late.remove(creation)  # AWS never received it
    if what == "delete":
        script.delete()
    else:
        script.edit(eventSourceARN=QUEUE, startingPosition=None)
    for _ in range(10):
        script.world.start()
        script.calmly(5)
        script.world.crash()
    if what == "delete":
        assert script.gone()
    else:
        assert script.mapping().source == QUEUE
