"""LastProcessingResult of Lambda: a condition and a Warning event report a problem and its end."""

from tests.bed import WRITES, Bed
from tests.e2e.manifests import HERE, stream
from tests.waiting import eventually

KEY = f"arn:aws:kms:{HERE}:key/orders"
FILTERS = {"filters": [{"pattern": '{"data": {"kind": ["new"]}}'}]}


def event_types(bed: Bed, name: str) -> dict[str, str]:
    """The type of each of a resource's Events, by reason."""
    return {one["reason"]: one["type"] for one in bed.list_events() if one["involvedObject"]["name"] == name}


def test_a_problem_is_reported_until_it_ends(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(stream())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.wait_condition("orders", "Processing", "True", "NoProblem")
    writes = {name: count for name, count in bed.calls().items() if name in WRITES}

    bed.control.edit_mapping(uuid, LastProcessingResult="PROBLEM: Function call failed")
    told = bed.wait_condition("orders", "Processing", "False", "ProcessingProblem")
    assert 'Lambda reports "PROBLEM: Function call failed." for the mapping' in told["message"]
    assert bed.status("orders")["lastProcessingResult"] == "PROBLEM: Function call failed"
    assert bed.condition("orders", "Ready")["status"] == "True"
    eventually(lambda: bed.events("orders").get("ProcessingProblem") == told["message"])

    bed.control.edit_mapping(uuid, LastProcessingResult="OK")
    bed.wait_condition("orders", "Processing", "True", "NoProblem")
    eventually(lambda: "ProcessingRecovered" in bed.events("orders"))
    types = event_types(bed, "orders")
    assert (types["ProcessingProblem"], types["ProcessingRecovered"]) == ("Warning", "Normal")
    assert {name: count for name, count in bed.calls().items() if name in WRITES} == writes


def test_a_lasting_problem_is_reported_once(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(stream())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.edit_mapping(uuid, LastProcessingResult="PROBLEM: Function call failed")
    bed.wait_condition("orders", "Processing", "False", "ProcessingProblem")
    eventually(lambda: "ProcessingProblem" in bed.events("orders"))
    operator.stop()
    operator.start()
    bed.wait_swept(3)
    assert [one["reason"] for one in bed.list_events()].count("ProcessingProblem") == 1


def test_a_filter_that_cannot_be_decrypted_is_reported_until_it_can(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(stream(kmsKeyARN=KEY, filterCriteria=FILTERS))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    error = {"ErrorCode": "KMSAccessDeniedException", "Message": "Lambda may not use the key."}
    bed.control.edit_mapping(uuid, FilterCriteriaError=error)
    told = bed.wait_condition("orders", "Processing", "False", "FilterCriteriaError")
    for part in (*error.values(), "spec.kmsKeyARN"):
        assert part in told["message"]
    assert bed.status("orders")["filterCriteriaError"] == {
        "errorCode": error["ErrorCode"],
        "message": error["Message"],
    }
    eventually(lambda: error["Message"] in bed.events("orders").get("FilterCriteriaError", ""))
    bed.wait_swept(2)
    assert bed.condition("orders", "Ready")["status"] == "True"
    assert "UpdateEventSourceMapping" not in bed.calls(), "filters that AWS can't show are no drift"

    bed.control.edit_mapping(uuid, FilterCriteriaError=None)
    bed.wait_condition("orders", "Processing", "True", "NoProblem")
    assert "filterCriteriaError" not in bed.status("orders")
    eventually(lambda: "ProcessingRecovered" in bed.events("orders"))
    types = event_types(bed, "orders")
    assert (types["FilterCriteriaError"], types["ProcessingRecovered"]) == ("Warning", "Normal")
