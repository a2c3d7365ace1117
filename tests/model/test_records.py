"""Scripted scenarios where AWS takes no tags: only the resources record which mappings are theirs."""

from collections.abc import Generator

import pytest

from tests.model.aws import QUEUE
from tests.model.script import SQS, Script, a_script, killed_before_the_note
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
