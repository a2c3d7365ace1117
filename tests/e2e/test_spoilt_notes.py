"""Copied, outdated or damaged annotations and statuses of the operator: no mapping is created twice, lost or stolen."""

from tests.bed import Bed
from tests.e2e.manifests import QUEUE, queue
from tests.waiting import eventually

INTENT = "lambda.esm-operator.io/intent"
STRANGER = "22222222-2222-2222-2222-222222222222"


def test_a_corrected_spec_ends_a_conflict_and_leaves_the_other_alone(bed: Bed) -> None:
    hand = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, region="eu-west-1")
    bed.operator()
    bed.apply(queue())
    bed.wait_condition("orders", "Stalled", "True", "Conflict")
    bed.patch("orders", {"functionName": "returns", "adoption": {"policy": "IfExists"}})
    ready = bed.wait_ready("orders")
    assert ready["status"]["uuid"] != hand["UUID"]
    assert {one["FunctionArn"].rpartition(":")[2] for one in bed.mappings()} == {"orders", "returns"}
    assert "UpdateEventSourceMapping" not in bed.calls()


def test_a_copied_manifest_with_status_and_annotations_gets_its_own_mapping(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    original = bed.get("orders")
    assert original is not None
    meta = {name: original["metadata"][name] for name in ("annotations", "finalizers", "namespace")}
    copy = {**original, "metadata": {**meta, "name": "copy"}}
    copy["spec"] = {**original["spec"], "functionName": "returns"}
    copy.pop("status")
    bed.client.create(copy)
    bed.wait_ready("copy")
    assert len(bed.mappings()) == 2


def test_a_status_lost_after_an_edit_of_the_function_loses_no_mapping(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    bed.patch("orders", {"functionName": "returns"})
    bed.wait_ready("orders")
    uuid = bed.status("orders")["uuid"]
    bed.apply(queue("second", functionName="orders", eventSourceARN=QUEUE))
    bed.wait_ready("second")
    bed.write_status("orders", None)
    eventually(lambda: bed.status("orders").get("uuid") == uuid, what="the mapping is taken up again")
    bed.delete("orders")
    bed.wait_gone("orders")
    assert [one["UUID"] for one in bed.mappings()] == [bed.status("second")["uuid"]]


def test_a_deletion_with_only_the_finalizer_left_deletes_the_mapping(bed: Bed) -> None:
    operator = bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    operator.stop()
    bed.mark("orders", {INTENT: None})
    bed.write_status("orders", None)
    bed.delete("orders")
    operator.start()
    bed.wait_gone("orders")
    assert bed.mappings() == []


def test_a_uuid_of_another_resource_in_the_status_is_corrected(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(), queue("second", functionName="returns", eventSourceARN=QUEUE))
    own, other = (bed.wait_ready(name)["status"]["uuid"] for name in ("orders", "second"))
    bed.write_status("orders", {"uuid": other})
    bed.patch("orders", {"batchSize": 7})
    eventually(lambda: bed.status("orders").get("uuid") == own, what="the own mapping is found again")
    bed.delete("orders")
    bed.wait_gone("orders")
    assert [one["UUID"] for one in bed.mappings()] == [other]


def test_an_invalid_uuid_in_the_status_is_corrected(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    own = bed.wait_ready("orders")["status"]["uuid"]
    for spoilt in ("garbage", STRANGER):
        bed.write_status("orders", {"uuid": spoilt})
        eventually(lambda: bed.status("orders").get("uuid") == own, what=f"{spoilt} is replaced")
    bed.delete("orders")
    bed.wait_gone("orders")
    assert not bed.mappings()
