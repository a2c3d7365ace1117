"""Scripted scenarios: the operator is killed after AWS has carried out a request, and before it records the result."""

from tests.model.aws import QUEUE
from tests.model.script import KINESIS, SQS, Script


def killed_after(script: Script, operation: str) -> None:
    """Let AWS carry out the next request of this kind, and kill the operator before the answer arrives."""
    script.world.decide(script.until_asked(operation), "carried out")
    script.world.crash()


def test_a_field_that_was_set_before_a_kill_is_reset_when_the_spec_drops_it(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    script.edit(batchSize=5)
    killed_after(script, "update_event_source_mapping")
    assert script.mapping().config["BatchSize"] == 5
    script.edit(batchSize=None)
    script.world.start()
    script.converge()
    assert script.mapping().config["BatchSize"] == 10


def test_a_tag_that_was_set_before_a_kill_is_removed_when_the_spec_drops_it(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    script.edit(tags={"team": "red"})
    killed_after(script, "tag_resource")
    assert script.mapping().tags["team"] == "red"
    script.edit(tags=None)
    script.world.start()
    script.converge()
    assert "team" not in script.mapping().tags


def test_a_mapping_that_was_created_before_a_kill_is_found_after_an_edit(script: Script) -> None:
    script.apply(**SQS)
    script.world.start()
    killed_after(script, "create_event_source_mapping")
    script.edit(functionName="bills")
    script.world.start()
    script.converge()
    assert script.mapping().function == "bills"


def test_the_intent_names_what_is_created_after_an_edit(script: Script) -> None:
    script.apply(**SQS)
    script.world.start()
    script.world.decide(script.until_asked("create_event_source_mapping"), "dropped")
    script.edit(functionName="bills")
    killed_after(script, "create_event_source_mapping")
    assert script.mapping().function == "bills"
    script.edit(functionName="returns")
    script.world.start()
    script.converge()
    assert script.mapping().function == "returns"


def test_the_predecessor_of_a_mapping_that_was_created_before_a_kill_is_deleted(script: Script) -> None:
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.edit(eventSourceARN=QUEUE, startingPosition=None)
    killed_after(script, "delete_event_source_mapping")
    assert len(script.aws.standing) == 2
    script.world.start()
    script.converge()
    assert script.mapping().source == QUEUE
