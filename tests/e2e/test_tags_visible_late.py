"""ListTags shows the tags of a new mapping seconds after the mapping: the operator must not take it for another's."""

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import queue, stream
from tests.waiting import eventually

#: Seconds until tags are visible: longer than the operator waits for anything else.
DELAY = 15.0


@pytest.fixture(autouse=True)
def tags_are_late(bed: Bed) -> None:
    bed.control.set(tag_delay=DELAY)


def test_the_answer_of_create_is_lost(bed: Bed) -> None:
    bed.control.fault(FaultKind.ANSWER_LOST, "CreateEventSourceMapping", times=1)
    bed.operator()
    bed.apply(queue())
    uuid = eventually(bed.mappings)[0]["UUID"]
    awaited = bed.wait_condition("orders", "Ready", "False", "TagsNotVisible")
    assert uuid in awaited["message"]
    ready = bed.wait_ready("orders")
    assert ready["status"]["uuid"] == uuid
    assert "Conflict" not in bed.events("orders")
    assert len(bed.mappings()) == 1


def test_the_answer_of_create_is_lost_and_the_resource_is_deleted(bed: Bed) -> None:
    bed.control.fault(FaultKind.ANSWER_LOST, "CreateEventSourceMapping", times=1)
    bed.operator()
    bed.apply(queue())
    eventually(bed.mappings)
    bed.delete("orders")
    bed.wait_gone("orders")
    assert bed.mappings() == []


def test_the_operator_is_killed_after_it_has_noted_the_mapping_and_the_resource_is_deleted(bed: Bed) -> None:
    operator = bed.operator()
    bed.apply(queue())
    eventually(lambda: bed.status("orders").get("uuid"))
    operator.kill()
    bed.delete("orders")
    operator.start()
    bed.wait_gone("orders")
    assert bed.mappings() == []


def test_the_answer_of_create_is_lost_in_a_replacement(bed: Bed) -> None:
    bed.operator()
    bed.apply(stream(replacePolicy="Recreate"))
    bed.wait_ready("orders")
    bed.control.fault(FaultKind.ANSWER_LOST, "CreateEventSourceMapping", times=1)
    bed.patch("orders", {"eventSourceARN": queue()["spec"]["eventSourceARN"], "startingPosition": None})
    ready = bed.wait_ready("orders")
    assert [one["UUID"] for one in bed.mappings()] == [ready["status"]["uuid"]]
