"""Scripted scenarios: the status after a creation, which is written once if AWS is quick."""

import pytest

from tests.model.aws import QUEUE, Standing
from tests.model.script import ONE, SQS, TWO, Script


def status_writes(script: Script) -> list[str]:
    """The reasons of Ready in the statuses that were written, in order."""
    return [line.rpartition(" ")[2] for line in script.world.history if f"{ONE.name}/status" in line]


def mapping_of(script: Script) -> Standing:
    """The mapping of the resource."""
    (one,) = [one for one in script.aws.standing.values() if one.function == SQS["functionName"]]
    return one


def create(script: Script) -> None:
    """Create a resource when the operator knows AWS, until AWS has answered the Create."""
    script.apply(TWO, functionName="invoices", eventSourceARN=QUEUE)
    script.begin()
    script.apply(**SQS)
    script.world.decide(script.until_asked("create_event_source_mapping"), "well")


def test_one_status_is_written_if_aws_is_quick(script: Script) -> None:
    create(script)
    mapping_of(script).due = script.world.clock.now
    script.calmly(2)
    assert status_writes(script) == ["Enabled"]
    assert script.status()["uuid"] == mapping_of(script).uuid
    script.converge()


def test_the_status_shows_a_creation_that_takes_longer(script: Script) -> None:
    create(script)
    mapping_of(script).due = script.world.clock.now + 60
    script.calmly(5)
    assert status_writes(script) == ["Creating"]
    assert script.status()["uuid"] == mapping_of(script).uuid
    script.converge()


@pytest.mark.parametrize("event", ["crash", "deletion", "edit", "lost lease"])
def test_nothing_is_lost_between_the_creation_and_the_status(script: Script, event: str) -> None:
    create(script)
    mapping_of(script).due = script.world.clock.now + 60
    match event:
        case "crash":
            script.world.crash()
            script.world.start()
        case "deletion":
            script.delete()
        case "edit":
            script.edit(batchSize=5)
        case _:
            script.world.lose_lease()
    script.converge()
    assert len(script.aws.standing) == 1 + (event != "deletion")
