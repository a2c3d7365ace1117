"""ListTags shows the tags of a new mapping late: the operator must not mistake its mapping for another owner's."""

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import queue, stream
from tests.waiting import eventually

#: Seconds until tags are visible. Longer than any other wait of the operator.
DELAY = 15.0


@pytest.fixture(autouse=True)
def tags_are_late(bed: Bed) -> None:
    bed.control.set(tag_delay=DELAY)


def test_a_mapping_whose_create_was_not_answered_is_found(bed: Bed) -> None:
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


def test_a_mapping_whose_create_was_not_answered_is_deleted_with_the_resource(bed: Bed) -> None:
    bed.control.fault(FaultKind.ANSWER_LOST, "CreateEventSourceMapping", times=1)
    bed.operator()
    bed.apply(queue())
    eventually(bed.mappings)
    bed.delete("orders")
    bed.wait_gone("orders")
    assert bed.mappings() == []


def test_a_recorded_mapping_is_deleted_with_the_resource_after_a_kill(bed: Bed) -> None:
    operator = bed.operator()
    bed.apply(queue())
    eventually(lambda: bed.status("orders").get("uuid"))
    operator.kill()
    bed.delete("orders")
    operator.start()
    bed.wait_gone("orders")
    assert bed.mappings() == []


def test_a_successor_whose_create_was_not_answered_is_found(bed: Bed) -> None:
    bed.operator()
    bed.apply(stream(replacePolicy="Recreate"))
    bed.wait_ready("orders")
    bed.control.fault(FaultKind.ANSWER_LOST, "CreateEventSourceMapping", times=1)
    bed.patch("orders", {"eventSourceARN": queue()["spec"]["eventSourceARN"], "startingPosition": None})
    ready = bed.wait_ready("orders")
    assert [one["UUID"] for one in bed.mappings()] == [ready["status"]["uuid"]]
