"""The annotations that control the operator: paused, reconcile-at and orphan."""

import json

from tests.aws import FaultKind
from tests.bed import WRITES, Bed
from tests.e2e.back_off import NOT_DELAYED, RETRY_AFTER
from tests.e2e.manifests import queue
from tests.waiting import eventually

PREFIX = "lambda.esm-operator.io"


def annotate(bed: Bed, name: str, key: str, value: str | None) -> None:
    bed.mark(name, {f"{PREFIX}/{key}": value})


def test_a_paused_resource_is_not_written_to_aws_and_shows_the_pending_changes(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue(batchSize=5))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    annotate(bed, "orders", "paused", "true")
    eventually(lambda: "paused" in bed.condition("orders", "Ready")["message"])
    assert bed.condition("orders", "Ready")["status"] == "True"
    before = {operation: bed.calls().get(operation, 0) for operation in WRITES}

    bed.patch("orders", {"batchSize": 7})
    waiting = bed.wait_condition("orders", "Reconciling", "True", "Paused")
    assert "change the mapping" in waiting["message"]
    assert bed.condition("orders", "Stalled")["status"] == "False"
    bed.delete("orders")
    waiting = eventually(
        lambda: (
            one if "delete the mapping" in (one := bed.condition("orders", "Reconciling")).get("message", "") else None
        )
    )
    assert "Remove the annotation" in waiting["message"]
    assert [(one["UUID"], one["BatchSize"]) for one in bed.mappings()] == [(uuid, 5)]
    assert {operation: bed.calls().get(operation, 0) for operation in WRITES} == before

    annotate(bed, "orders", "paused", None)
    bed.wait_gone("orders")
    assert not bed.mappings()


def test_a_new_paused_resource_creates_no_mapping(bed: Bed) -> None:
    bed.operator()
    manifest = queue()
    manifest["metadata"]["annotations"] = {f"{PREFIX}/paused": "true"}
    bed.apply(manifest)
    waiting = bed.wait_condition("orders", "Reconciling", "True", "Paused")
    assert "create the mapping" in waiting["message"]
    assert not bed.mappings()
    annotate(bed, "orders", "paused", None)
    bed.wait_ready("orders")


def test_reconcile_at_reconciles_immediately(bed: Bed) -> None:
    bed.operator("--sweep-interval=3600")
    bed.apply(queue(batchSize=5))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    tags = {**bed.mapping("orders")["Tags"], "by": "hand"}
    bed.control.edit_mapping(uuid, BatchSize=7, Tags=tags)
    annotate(bed, "orders", "reconcile-at", "now")
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 5)
    eventually(lambda: bed.status("orders").get("lastHandledReconcileAt") == "now")
    eventually(lambda: bed.status("orders").get("tagsAll", {}).get("by") == "hand")
    looks = bed.calls()["GetEventSourceMapping"]
    annotate(bed, "orders", "reconcile-at", "later")
    eventually(lambda: bed.status("orders").get("lastHandledReconcileAt") == "later")
    assert bed.calls()["GetEventSourceMapping"] > looks


def test_reconcile_at_ends_a_back_off(bed: Bed) -> None:
    bed.control.fault(
        FaultKind.ERROR,
        "CreateEventSourceMapping",
        times=1,
        code="InvalidParameterValueException",
        retry_after=RETRY_AFTER,
    )
    bed.operator()
    bed.apply(queue())
    bed.wait_condition("orders", "Stalled", "True", "RefusedByAWS")
    annotate(bed, "orders", "reconcile-at", "2026-01-01")
    bed.wait_ready("orders", limit=NOT_DELAYED)


def test_orphan_releases_a_resource_whose_mapping_cannot_be_deleted(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.fault(FaultKind.ACCESS_DENIED, "DeleteEventSourceMapping")
    bed.delete("orders")
    told = eventually(lambda: one if "orphan" in (one := bed.condition("orders", "Ready")).get("message", "") else None)
    command = told["message"].partition("kubectl ")[2].split()
    assert command[:3] == ["annotate", "esm", "orders"]
    bed.kubectl(*command)
    bed.wait_gone("orders")
    assert [one["UUID"] for one in bed.mappings()] == [uuid]
    assert bed.mappings()[0]["Tags"]["esm-operator.io/name"] == "orders"


def test_orphan_on_a_resource_that_is_not_deleted_does_nothing(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    annotate(bed, "orders", "orphan", "true")
    bed.patch("orders", {"batchSize": 7})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 7)
    assert bed.wait_ready("orders")["status"]["uuid"] == uuid


def reports(bed: Bed) -> dict[str, int]:
    """The counts of the Events about unknown annotations, by message."""
    listed = bed.kubectl("get", "events", "--field-selector=reason=UnknownAnnotation", "--output=json")
    return {one["message"]: one["count"] for one in json.loads(listed)["items"]}


def test_an_unknown_annotation_is_reported_once_in_an_event_and_a_condition(bed: Bed) -> None:
    """A mistyped annotation, or one with a former name, is reported."""
    operator = bed.operator("--sweep-interval=1")
    bed.apply(queue(batchSize=5))
    ready = bed.wait_ready("orders")["status"]["conditions"][0]
    annotate(bed, "orders", "let-go", "true")
    message = bed.event("orders", "UnknownAnnotation")
    assert f"The annotation {PREFIX}/let-go has no effect" in message
    assert f"It is called {PREFIX}/orphan now" in message
    condition = bed.wait_condition("orders", "UnknownAnnotations", "True", "UnknownAnnotation")
    assert condition["message"] == message
    assert bed.status("orders")["conditions"][0] == ready
    assert bed.kubectl("describe", "esm", "orders").count(message) == 2, "in the condition and in the Event"

    operator.stop()
    operator.start()
    bed.wait_swept(2)
    bed.patch("orders", {"batchSize": 7})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 7)
    annotate(bed, "orders", "orphaned", "true")
    eventually(lambda: len(reports(bed)) == 2)
    assert list(reports(bed).values()) == [1, 1]
    assert any(f"Did you mean {PREFIX}/orphan?" in one for one in reports(bed))

    annotate(bed, "orders", "let-go", None)
    annotate(bed, "orders", "orphaned", None)
    eventually(lambda: not bed.condition("orders", "UnknownAnnotations"))
    assert bed.calls()["UpdateEventSourceMapping"] == 1, "that of the edit"
