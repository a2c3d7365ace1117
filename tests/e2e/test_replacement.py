"""replacePolicy Recreate: the status in each step, events between the steps, and the order of requests to AWS."""

from typing import Any

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.controlplane.client import ApiError
from tests.e2e.back_off import NOT_DELAYED, RETRY_AFTER
from tests.e2e.manifests import HERE, QUEUE, STREAM, TEN_KINDS, mapping, queue, stream
from tests.waiting import eventually

OTHER = f"arn:aws:sqs:{HERE}:others"
REFUSED = "The stream is not to your liking."


def refuse_creation(bed: Bed) -> int:
    """Let AWS refuse each Create. Returns the number of the fault."""
    return bed.control.fault(
        FaultKind.ERROR,
        "CreateEventSourceMapping",
        code="InvalidParameterValueException",
        message=REFUSED,
        status=400,
        retry_after=RETRY_AFTER,
    )


def look_again(bed: Bed, name: str) -> None:
    """Request an immediate reconcile of a resource."""
    bed.annotate(name, reconcile_at="now")


def begin(bed: Bed, **edit: Any) -> str:
    """Create the mapping of a stream, start its replacement, and hold AWS in the deletion. Returns the old UUID."""
    bed.apply(stream(replacePolicy="Recreate", batchSize=7))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.set(hold=True)
    bed.patch("orders", edit or {"startingPosition": "TRIM_HORIZON"})
    bed.wait_condition("orders", "Reconciling", "True", "Replacing")
    eventually(lambda: [one["State"] for one in bed.mappings()] == ["Deleting"])
    return uuid


def order(bed: Bed) -> list[str]:
    """The Creates and Deletes that AWS carried out, in their order."""
    wanted = ("CreateEventSourceMapping", "DeleteEventSourceMapping")
    return [
        one["operation"].removesuffix("EventSourceMapping")
        for one in bed.control.requests(2000)
        if one["operation"] in wanted and one["status"] < 400
    ]


def test_the_status_shows_each_step(bed: Bed) -> None:
    bed.operator()
    before = begin(bed)
    reconciling = bed.wait_condition("orders", "Reconciling", "True", "Replacing")
    assert "spec.startingPosition" in reconciling["message"]
    assert bed.condition("orders", "Ready")["status"] == "False"
    assert bed.condition("orders", "Ready")["reason"] == "Replacing"
    eventually(lambda: bed.status("orders").get("state") == "Deleting")
    assert bed.status("orders")["uuid"] == before
    warned = eventually(lambda: bed.events("orders").get("Replacing"))
    assert before in warned
    assert "reads from spec.startingPosition" in warned

    bed.control.settle(before)
    bed.wait_condition("orders", "Reconciling", "True", "Creating")
    after = bed.status("orders")["uuid"]
    assert after != before
    assert bed.condition("orders", "Ready")["status"] == "False"
    bed.control.set(hold=False)
    bed.wait_ready("orders")
    assert [(one["UUID"], one["StartingPosition"], one["BatchSize"]) for one in bed.mappings()] == [
        (after, "TRIM_HORIZON", 7)
    ]
    assert order(bed) == ["Create", "Delete", "Create"]
    assert "CreatedAgain" not in bed.events("orders")


def test_a_refused_creation_after_the_deletion_is_reported_and_retried(bed: Bed) -> None:
    bed.operator()
    before = begin(bed)
    fault = refuse_creation(bed)
    bed.control.set(hold=False)
    warned = eventually(lambda: bed.events("orders").get("ReplacementFailed"))
    assert REFUSED in warned
    assert before in warned
    ready = eventually(
        lambda: told if REFUSED in (told := bed.condition("orders", "Ready")).get("message", "") else None
    )
    assert ready["status"] == "False"
    assert bed.mappings() == []

    bed.control.remove_fault(fault)
    look_again(bed, "orders")
    after = bed.wait_ready("orders", limit=NOT_DELAYED)["status"]["uuid"]
    assert [(one["UUID"], one["StartingPosition"]) for one in bed.mappings()] == [(after, "TRIM_HORIZON")]
    assert order(bed) == ["Create", "Delete", "Create"]


def test_a_creation_that_fails_once_is_retried(bed: Bed) -> None:
    bed.operator()
    begin(bed)
    bed.control.fault(FaultKind.SERVICE_EXCEPTION, "CreateEventSourceMapping", times=2)
    bed.control.set(hold=False)
    bed.wait_ready("orders")
    assert [one["StartingPosition"] for one in bed.mappings()] == ["TRIM_HORIZON"]


def test_a_refused_creation_is_retried_after_a_restart(bed: Bed) -> None:
    operator = bed.operator()
    begin(bed)
    fault = refuse_creation(bed)
    bed.control.set(hold=False)
    eventually(lambda: "ReplacementFailed" in bed.events("orders"))
    operator.kill()
    bed.control.remove_fault(fault)
    operator.start()
    bed.wait_ready("orders")
    assert [one["StartingPosition"] for one in bed.mappings()] == ["TRIM_HORIZON"]
    assert "CreatedAgain" not in bed.events("orders")


def test_an_edit_during_the_deletion_determines_the_new_mapping(bed: Bed) -> None:
    bed.operator()
    begin(bed)
    bed.patch("orders", {"startingPosition": "LATEST", "batchSize": 9})
    bed.control.set(hold=False)
    bed.wait_ready("orders")
    assert [(one["StartingPosition"], one["BatchSize"], one["State"]) for one in bed.mappings()] == [
        ("LATEST", 9, "Enabled")
    ]
    assert order(bed) == ["Create", "Delete", "Create"]


def test_a_resource_deleted_during_the_replacement_leaves_no_mapping(bed: Bed) -> None:
    bed.operator()
    begin(bed)
    bed.delete("orders")
    bed.control.set(hold=False)
    bed.wait_gone("orders")
    assert bed.mappings() == []
    assert order(bed) == ["Create", "Delete"]


def test_a_resource_deleted_while_the_creation_is_refused_leaves_no_mapping(bed: Bed) -> None:
    bed.operator()
    begin(bed)
    refuse_creation(bed)
    bed.control.set(hold=False)
    eventually(lambda: "ReplacementFailed" in bed.events("orders"))
    bed.delete("orders")
    bed.wait_gone("orders")
    assert bed.mappings() == []


def test_with_a_new_source_the_new_one_is_created_before_the_old_one_is_deleted(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(replacePolicy="Recreate", batchSize=7))
    before = bed.wait_ready("orders")["status"]["uuid"]
    bed.patch("orders", {"eventSourceARN": OTHER})
    eventually(lambda: [one["EventSourceArn"] for one in bed.mappings()] == [OTHER])
    after = bed.wait_ready("orders")["status"]["uuid"]
    assert [(one["UUID"], one["BatchSize"]) for one in bed.mappings()] == [(after, 7)]
    assert order(bed) == ["Create", "Create", "Delete"]
    assert [one["UUID"] for one in bed.requests("DeleteEventSourceMapping")] == [before]
    warned = eventually(lambda: bed.events("orders").get("Replacing"))
    assert before in warned
    assert after in warned


def test_with_a_new_source_that_is_refused_the_old_mapping_remains(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue(replacePolicy="Recreate"))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    fault = refuse_creation(bed)
    bed.patch("orders", {"eventSourceARN": OTHER})
    warned = eventually(lambda: bed.events("orders").get("ReplacementFailed"))
    assert REFUSED in warned
    assert "still works" in warned
    bed.wait_swept(2)
    assert [(one["UUID"], one["State"]) for one in bed.mappings()] == [(uuid, "Enabled")]

    bed.control.remove_fault(fault)
    bed.patch("orders", {"eventSourceARN": QUEUE})
    assert bed.wait_ready("orders")["status"]["uuid"] == uuid
    assert order(bed) == ["Create"]


def test_with_a_new_source_of_another_mapping_the_old_mapping_remains(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    taken = bed.control.make_mapping(FunctionName="orders", EventSourceArn=OTHER, region="eu-west-1")
    bed.apply(queue(replacePolicy="Recreate"))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.patch("orders", {"eventSourceARN": OTHER})
    told = bed.wait_condition("orders", "Stalled", "True", "Conflict")["message"]
    assert taken["UUID"] in told
    bed.wait_swept(2)
    assert {one["UUID"] for one in bed.mappings()} == {uuid, taken["UUID"]}
    assert "DeleteEventSourceMapping" not in bed.calls()


def test_with_a_new_source_an_edit_back_keeps_one_mapping(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue(replacePolicy="Recreate"))
    bed.wait_ready("orders")
    bed.control.set(hold=True)
    bed.patch("orders", {"eventSourceARN": OTHER})
    eventually(lambda: len(bed.mappings()) == 2)
    bed.patch("orders", {"eventSourceARN": QUEUE})
    bed.control.set(hold=False)
    eventually(lambda: [one["EventSourceArn"] for one in bed.mappings()] == [QUEUE])
    ready = bed.wait_ready("orders")
    assert [(one["UUID"], one["State"]) for one in bed.mappings()] == [(ready["status"]["uuid"], "Enabled")]


def test_with_a_new_source_a_deletion_during_the_replacement_leaves_no_mapping(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue(replacePolicy="Recreate"))
    bed.wait_ready("orders")
    bed.control.set(hold=True)
    bed.patch("orders", {"eventSourceARN": OTHER})
    eventually(lambda: len(bed.mappings()) == 2)
    bed.delete("orders")
    bed.control.set(hold=False)
    bed.wait_gone("orders")
    eventually(lambda: bed.mappings() == [])


def test_two_changes_in_one_edit_are_one_replacement(bed: Bed) -> None:
    bed.operator()
    begin(bed, startingPosition="TRIM_HORIZON", batchSize=9, tags={"team": "shop"})
    bed.control.set(hold=False)
    bed.wait_ready("orders")
    (made,) = bed.mappings()
    assert (made["EventSourceArn"], made["StartingPosition"], made["BatchSize"]) == (STREAM, "TRIM_HORIZON", 9)
    assert made["Tags"]["team"] == "shop"
    assert "UpdateEventSourceMapping" not in bed.calls()


def document_db(**config: Any) -> dict[str, Any]:
    """The part of a spec that names a collection of a DocumentDB cluster."""
    return {"documentDBEventSourceConfig": {"databaseName": "shop", **config}}


def test_another_collection_is_refused_at_apply_without_recreate(bed: Bed) -> None:
    bed.operator()
    base = {**TEN_KINDS["documentdb"], **document_db(collectionName="orders")}
    bed.apply(mapping("orders", **base))
    bed.wait_ready("orders")
    for config in ({"collectionName": "returns"}, {"collectionName": None}, {"databaseName": "archive"}):
        with pytest.raises(ApiError) as refused:
            bed.patch("orders", {"documentDBEventSourceConfig": config})
        assert f"spec.documentDBEventSourceConfig.{next(iter(config))}" in refused.value.message
        assert "replacePolicy: Recreate" in refused.value.message
    assert "UpdateEventSourceMapping" not in bed.calls()


def test_with_another_collection_the_new_mapping_is_created_before_the_old_one_is_deleted(bed: Bed) -> None:
    bed.operator()
    base = {**TEN_KINDS["documentdb"], "replacePolicy": "Recreate"}
    bed.apply(mapping("orders", **{**base, **document_db()}))
    before = bed.wait_ready("orders")["status"]["uuid"]
    for collection in ("orders", "returns", None):
        bed.patch("orders", document_db(collectionName=collection))
        eventually(lambda wanted=collection: [_collection(one) for one in bed.mappings()] == [wanted])
        after = bed.wait_ready("orders")["status"]["uuid"]
        assert [one["UUID"] for one in bed.mappings()] == [after]
        assert after != before
        before = after
    assert order(bed) == ["Create", *["Create", "Delete"] * 3]
    assert bed.control.counts().errors.keys() <= {"GetEventSourceMapping"}, "only what is gone is refused"


def _collection(found: dict[str, Any]) -> str | None:
    collection: str | None = found["DocumentDBEventSourceConfig"].get("CollectionName")
    return collection


def test_the_full_document_setting_of_documentdb_is_updated_alone(bed: Bed) -> None:
    bed.operator()
    base = {**TEN_KINDS["documentdb"], **document_db(collectionName="orders", fullDocument="Default")}
    bed.apply(mapping("orders", **base))
    bed.wait_ready("orders")
    for value, sent in (("UpdateLookup", "UpdateLookup"), (None, "Default")):
        bed.patch("orders", document_db(fullDocument=value))
        eventually(lambda wanted=sent: bed.mapping("orders")["DocumentDBEventSourceConfig"]["FullDocument"] == wanted)
        bed.wait_ready("orders")
        told = bed.condition("orders", "Synced")
        assert (told["status"], told["reason"]) == ("True", "InSync")
        (update,) = bed.requests("UpdateEventSourceMapping")[-1:]
        assert update["DocumentDBEventSourceConfig"] == {"FullDocument": sent}
    assert bed.calls()["UpdateEventSourceMapping"] == 2
    assert bed.control.counts().errors == {}
