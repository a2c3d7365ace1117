"""AWS carries out a request and its answer is lost. The operator finds the result, and does not repeat the request."""

from collections import Counter

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import queue, stream
from tests.waiting import eventually


@pytest.fixture(params=[0.0, 3.0], ids=["tags at once", "tags 3 s late"], autouse=True)
def tag_delay(bed: Bed, request: pytest.FixtureRequest) -> None:
    """The seconds until the tags of a Create are visible."""
    bed.control.set(tag_delay=request.param)


def test_lost_answers_of_update_tag_and_delete_do_no_harm(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(batchSize=5))
    uuid = bed.wait_ready("orders")["status"]["uuid"]

    for operation in ("UpdateEventSourceMapping", "TagResource", "DeleteEventSourceMapping"):
        bed.control.fault(FaultKind.ANSWER_LOST, operation, times=1)
    bed.patch("orders", {"batchSize": None, "tags": {"team": "shop"}})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 10)
    eventually(lambda: bed.mapping("orders")["Tags"].get("team") == "shop")
    bed.wait_ready("orders")
    assert bed.status("orders")["uuid"] == uuid
    assert "batchSize" not in bed.status("orders")["applied"]["fields"]

    bed.delete("orders")
    bed.wait_gone("orders")
    assert bed.mappings() == []


def test_an_update_to_a_missing_function_is_reported_until_it_is_corrected(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.set_world(missing_functions=["payments"])
    bed.patch("orders", {"functionName": "payments"})
    ready = bed.wait_condition("orders", "Ready", "False", "FunctionNotFound")
    assert "Function does not exist" in ready["message"]
    assert bed.status("orders")["uuid"] == uuid

    bed.patch("orders", {"functionName": "orders"})
    bed.wait_ready("orders")


def test_a_mapping_whose_create_was_not_answered_is_found_after_an_edit_of_the_function(bed: Bed) -> None:
    bed.control.fault(FaultKind.ANSWER_LOST, "CreateEventSourceMapping", times=1)
    bed.operator()
    bed.apply(queue())
    made = eventually(bed.mappings)[0]
    bed.control.fault(FaultKind.SERVICE_EXCEPTION, "CreateEventSourceMapping", match={"FunctionName": "orders"})
    bed.patch("orders", {"functionName": "payments"})
    eventually(lambda: bed.status("orders").get("functionARN", "").endswith(":function:payments"))
    bed.wait_ready("orders")
    assert [one["UUID"] for one in bed.mappings()] == [made["UUID"]]


def test_a_mapping_whose_create_was_not_answered_is_deleted_with_the_resource(bed: Bed) -> None:
    bed.control.fault(FaultKind.ANSWER_LOST, "CreateEventSourceMapping", times=1)
    bed.operator()
    bed.apply(queue())
    eventually(bed.mappings)
    bed.control.fault(FaultKind.SERVICE_EXCEPTION, "CreateEventSourceMapping")
    bed.delete("orders")
    bed.wait_gone("orders")
    assert bed.mappings() == []


def test_a_create_that_takes_effect_after_the_next_one_leaves_one_mapping(bed: Bed) -> None:
    """No other mapping uses the function of that Create at this time."""
    bed.control.set(pace=0.05)
    bed.control.fault(FaultKind.DELAY, "CreateEventSourceMapping", times=1, seconds=8.0)
    bed.operator("--sweep-interval=1")
    bed.apply(queue())
    bed.wait_ready("orders")
    bed.patch("orders", {"functionName": "payments"})
    bed.wait_ready("orders")
    eventually(lambda: len(bed.requests("CreateEventSourceMapping")) >= 2, what="AWS has answered both")
    eventually(
        lambda: bed.functions() == Counter(["payments"]), what="one mapping, of the function that the spec names"
    )
    assert bed.mappings()[0]["UUID"] == bed.status("orders")["uuid"]


def test_lost_answers_of_a_replacement_leave_one_mapping(bed: Bed) -> None:
    bed.operator()
    bed.apply(stream(replacePolicy="Recreate"))
    old = bed.wait_ready("orders")["status"]["uuid"]
    for operation in ("DeleteEventSourceMapping", "CreateEventSourceMapping"):
        bed.control.fault(FaultKind.ANSWER_LOST, operation, times=1)
    bed.patch("orders", {"startingPosition": "TRIM_HORIZON"})
    ready = bed.wait_ready("orders")
    assert ready["status"]["uuid"] != old
    assert [(one["UUID"], one["StartingPosition"]) for one in bed.mappings()] == [
        (ready["status"]["uuid"], "TRIM_HORIZON")
    ]


def test_a_lost_answer_of_the_release_of_a_mapping_does_no_harm(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(deletionPolicy="Retain", tags={"team": "shop"}))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.fault(FaultKind.ANSWER_LOST, "UntagResource", times=1)
    bed.delete("orders")
    bed.wait_gone("orders")
    assert [(one["UUID"], one["Tags"]) for one in bed.mappings()] == [(uuid, {"team": "shop"})]
