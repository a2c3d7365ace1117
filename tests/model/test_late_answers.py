"""Scripted scenarios: answers of AWS arrive late or are outdated."""

from esm_operator.api.resource import Key
from esm_operator.clock import replaced
from tests.model.aws import QUEUE
from tests.model.calls import Call
from tests.model.script import KINESIS, ONE, SQS, TWO, Script


def is_status_of(call: Call, key: Key) -> bool:
    """Whether the request writes the status of a resource."""
    return call.name == "PATCH" and str(call.what["path"]).endswith(f"/{key.name}/status")


def test_a_state_that_changes_while_the_status_is_written_is_shown_in_the_end(script: Script) -> None:
    """The list of the function, which another resource needs, shows the new state. Nothing changes after that.

    The operator adopts the mapping, so only the status shows which resource has it.
    """
    with replaced(script.world.clock):
        script.aws.make("orders", QUEUE, {})
    script.mapping().due = script.world.clock.now + 10_000
    script.begin()
    script.apply(ONE, **SQS, adoption={"policy": "IfExists"})
    note = script.until(lambda call: is_status_of(call, ONE) and "Creating" in str(call))
    script.apply(TWO, **KINESIS)
    created = script.mapping()
    for _ in range(100):
        script.world.deliver(len(script.cluster.watch))
        for call in [one for one in script.world.waiting if one is not note]:
            if call.name == "create_event_source_mapping":
                script.aws.end_transition(created)
            script.world.decide(call, "lost" if call.name == "create_event_source_mapping" else "well")
        if any("list_event_source_mappings" in line and "FunctionName" in line for line in script.world.history):
            break
        script.world.pass_time(0.1)
    assert note in script.world.waiting
    script.world.decide(note, "well")
    script.calmly(60)
    assert script.reason() == "Enabled"
    assert created.source == QUEUE
    script.converge()
