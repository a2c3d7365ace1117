"""Somebody changes or deletes a mapping by hand: it is put right in the next sweep, and told."""

from tests.e2e.bed import Bed, eventually
from tests.e2e.manifests import stream


def test_a_change_by_hand_is_put_right(bed: Bed) -> None:
    bed.operator("--sweep-interval=2")
    bed.apply(stream(batchSize=50))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.edit_mapping(uuid, BatchSize=7)
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 50)
    bed.wait_ready("orders")
    assert bed.requests("UpdateEventSourceMapping") == [{"UUID": uuid, "BatchSize": 50}]
    told = eventually(lambda: bed.events("orders").get("DriftCorrected"))
    assert "batchSize: 7 -> 50" in told


def test_a_mapping_deleted_by_hand_is_made_again(bed: Bed) -> None:
    bed.operator("--sweep-interval=2")
    bed.apply(stream())
    before = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.delete_mapping(before)
    eventually(lambda: bed.status("orders").get("uuid") not in (before, None, ""))
    bed.wait_ready("orders")
    assert len(bed.mappings()) == 1
    told = eventually(lambda: bed.events("orders").get("CreatedAgain"))
    assert "startingPosition" in told


def test_what_lambda_says_of_its_polls_is_told(bed: Bed) -> None:
    bed.operator("--sweep-interval=2")
    bed.apply(stream())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.edit_mapping(uuid, LastProcessingResult="PROBLEM: Function call failed")
    problem = bed.wait_condition("orders", "Processing", "False", "ProcessingProblem")
    assert problem["message"] == "PROBLEM: Function call failed"
    assert bed.condition("orders", "Ready")["status"] == "True"
