"""Drift: another tool, or AWS itself, changes or deletes a mapping. The next sweep detects, reports and corrects it."""

import json
from typing import Any

import pytest

from tests.aws import FaultKind
from tests.bed import WRITES, Bed
from tests.e2e.manifests import QUEUE, queue, stream
from tests.waiting import eventually

SECONDLY = "--sweep-interval=1"
OURS = "esm-operator.io/"
#: The seconds before the operator repeats a correction that AWS did not keep.
NOT_KEPT = 30.0


def users(tags: dict[str, str]) -> dict[str, str]:
    """The tags without those of the operator."""
    return {key: value for key, value in tags.items() if not key.startswith(OURS)}


def disable(bed: Bed, uuid: str, reason: str = "User action") -> None:
    """Disable the mapping in AWS."""
    bed.control.edit_mapping(uuid, State="Disabled", StateTransitionReason=reason)


def is_sooner_than_the_wait(bed: Bed) -> bool:
    """Whether the second of two Updates was sent before the operator would have repeated the first one."""
    first, second = (
        one["time"] for one in bed.control.requests(2000) if one["operation"] == "UpdateEventSourceMapping"
    )
    return second - first < NOT_KEPT


# -- Fields -------------------------------------------------------------------------------------------------


def test_a_change_by_hand_is_corrected(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(stream(batchSize=50, parallelizationFactor=2))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.edit_mapping(uuid, BatchSize=7, ParallelizationFactor=3, MaximumRetryAttempts=9)
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 50)
    bed.wait_ready("orders")
    assert bed.requests("UpdateEventSourceMapping") == [{"UUID": uuid, "BatchSize": 50, "ParallelizationFactor": 2}]
    assert bed.mapping("orders")["MaximumRetryAttempts"] == 9
    told = eventually(lambda: bed.events("orders").get("DriftCorrected"))
    assert "batchSize: 7 -> 50" in told
    assert "parallelizationFactor: 3 -> 2" in told
    assert "maximumRetryAttempts" not in told


def test_what_is_added_by_hand_to_an_empty_field_is_removed(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(queue(functionResponseTypes=[], filterCriteria={"filters": []}))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    patterns = {"Filters": [{"Pattern": '{"body": {"kind": ["order"]}}'}]}
    bed.control.edit_mapping(uuid, FunctionResponseTypes=["ReportBatchItemFailures"], FilterCriteria=patterns)
    eventually(lambda: not bed.mapping("orders").get("FunctionResponseTypes"))
    bed.wait_ready("orders")
    assert not (bed.mapping("orders").get("FilterCriteria") or {}).get("Filters")
    told = eventually(lambda: bed.events("orders").get("DriftCorrected"))
    assert "filterCriteria" in told
    assert "functionResponseTypes: [ReportBatchItemFailures] -> AWS's default" in told
    bed.patch("orders", {"managementPolicy": "Observe"})
    bed.wait_condition("orders", "Ready", "True", "Observed")
    eventually(lambda: not bed.status("orders")["applied"].get("kept"), "the reset is recorded")
    bed.control.edit_mapping(uuid, FilterCriteria=patterns)
    differs = bed.wait_condition("orders", "Synced", "False", "Observed")
    assert "filterCriteria" in differs["message"]


def test_a_change_by_hand_that_is_first_seen_in_transition_is_corrected(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(queue(batchSize=5))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.set(hold=True)
    bed.aws.client("lambda", region="eu-west-1").update_event_source_mapping(UUID=uuid, BatchSize=7)
    bed.wait_condition("orders", "Reconciling", "True", "Updating")
    bed.control.set(hold=False)
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 5)
    bed.wait_ready("orders")
    eventually(lambda: "batchSize: 7 -> 5" in bed.events("orders").get("DriftCorrected", ""))


def test_a_change_while_no_operator_ran_is_corrected(bed: Bed) -> None:
    operator = bed.operator(SECONDLY)
    bed.apply(queue(batchSize=5))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    operator.kill()
    bed.control.edit_mapping(uuid, BatchSize=7)
    operator.start()
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 5)
    eventually(lambda: "batchSize: 7 -> 5" in bed.events("orders").get("DriftCorrected", ""))


def test_a_function_moved_by_hand_is_moved_back(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(queue(functionName="orders:live"))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.edit_mapping(uuid, FunctionArn="arn:aws:lambda:eu-west-1:123456789012:function:orders:next")
    eventually(lambda: bed.mapping("orders")["FunctionArn"].endswith(":function:orders:live"))
    bed.wait_ready("orders")
    assert [one["UUID"] for one in bed.mappings()] == [uuid]


def test_a_changed_filter_under_a_kms_key_is_corrected(bed: Bed) -> None:
    bed.operator(SECONDLY)
    filters = {"filters": [{"pattern": '{"data": {"kind": ["new"]}}'}]}
    key = "arn:aws:kms:eu-west-1:123456789012:key/orders"
    bed.apply(stream(kmsKeyARN=key, filterCriteria=filters))
    bed.wait_ready("orders")
    bed.wait_swept(3)
    assert {name for name in bed.calls() if name in WRITES} == {"CreateEventSourceMapping"}
    assert bed.condition("orders", "Ready")["status"] == "True"


# -- Disabled -----------------------------------------------------------------------------------------------


def test_a_mapping_disabled_by_hand_is_enabled_again(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(stream(enabled=True))
    disable(bed, bed.wait_ready("orders")["status"]["uuid"])
    told = bed.event("orders", "DriftCorrected")
    assert "enabled: false -> true" in told
    assert "User action" in told
    eventually(lambda: bed.mapping("orders")["State"] == "Enabled")
    bed.wait_ready("orders")


def test_a_mapping_disabled_by_hand_stays_disabled_if_the_spec_does_not_set_enabled(bed: Bed) -> None:
    operator = bed.operator(SECONDLY)
    bed.apply(stream())
    disable(bed, bed.wait_ready("orders")["status"]["uuid"])
    ready = bed.wait_condition("orders", "Ready", "True", "Disabled")
    assert "set spec.enabled to true" in ready["message"]
    operator.kill()
    operator.start()
    bed.patch("orders", {"batchSize": 50})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 50)
    bed.wait_condition("orders", "Ready", "True", "Disabled")
    assert bed.mapping("orders")["State"] == "Disabled"
    bed.patch("orders", {"enabled": True})
    eventually(lambda: bed.mapping("orders")["State"] == "Enabled")
    bed.wait_ready("orders")


def test_a_mapping_that_aws_disables_is_reported_if_the_spec_does_not_set_enabled(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(queue())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    disable(bed, uuid, "Lambda initiated")
    told = bed.wait_condition("orders", "Stalled", "True", "DisabledInAWS")["message"]
    assert "Lambda initiated" in told
    assert "set spec.enabled to true" in told
    assert bed.condition("orders", "Ready")["status"] == "False"
    assert bed.event("orders", "DisabledInAWS") == told
    bed.wait_swept(2)
    assert "UpdateEventSourceMapping" not in bed.calls()
    bed.patch("orders", {"enabled": True})
    bed.wait_ready("orders")
    assert bed.mapping("orders")["State"] == "Enabled"


def test_a_mapping_that_aws_keeps_disabling_is_not_enabled_in_each_sweep(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(queue(enabled=True))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    reason = "The queue was deleted"
    disable(bed, uuid, reason)
    told = eventually(lambda: bed.events("orders").get("DriftCorrected"))
    assert reason in told
    eventually(lambda: bed.mapping("orders")["State"] == "Enabled")
    bed.wait_ready("orders")

    disable(bed, uuid, reason)
    waiting = bed.wait_condition("orders", "Reconciling", "True", "ChangeNotKept")
    assert "enabled: false -> true" in waiting["message"]
    assert "stateTransitionReason" in waiting["message"]
    assert bed.status("orders")["stateTransitionReason"] == reason
    assert bed.condition("orders", "Ready")["status"] == "False"
    bed.wait_swept(3)
    assert bed.mapping("orders")["State"] == "Disabled"
    assert bed.calls()["UpdateEventSourceMapping"] == 1

    bed.annotate("orders", reconcile_at="now")
    eventually(lambda: bed.mapping("orders")["State"] == "Enabled")
    bed.wait_ready("orders")
    assert bed.status("orders")["lastHandledReconcileAt"] == "now"
    assert is_sooner_than_the_wait(bed)


def test_drift_soon_after_an_edit_is_corrected_as_drift(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(queue(batchSize=5))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.patch("orders", {"batchSize": 9})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 9)
    bed.wait_ready("orders")
    bed.control.edit_mapping(uuid, BatchSize=7)
    eventually(lambda: "batchSize: 7 -> 9" in bed.events("orders").get("DriftCorrected", ""))
    bed.wait_ready("orders")
    assert "ChangeNotKept" not in bed.events("orders")
    eventually(lambda: bed.events("orders").get("Updated", "").endswith("batchSize: 5 -> 9."))
    assert is_sooner_than_the_wait(bed)


def test_an_edit_ends_the_back_off_of_a_correction(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(queue(batchSize=5))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.edit_mapping(uuid, BatchSize=7)
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 5)
    bed.wait_ready("orders")
    bed.control.edit_mapping(uuid, BatchSize=7)
    bed.wait_condition("orders", "Reconciling", "True", "ChangeNotKept")
    bed.patch("orders", {"tags": {"team": "shop"}})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 5)
    bed.wait_ready("orders")
    assert is_sooner_than_the_wait(bed)


def test_an_adopted_mapping_stays_disabled_until_the_spec_sets_enabled(bed: Bed) -> None:
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, Enabled=False, region="eu-west-1")
    bed.operator(SECONDLY)
    bed.apply(queue(adoption={"policy": "Required"}))
    told = bed.wait_condition("orders", "Ready", "True", "Disabled")["message"]
    assert "spec.enabled to true" in told
    bed.wait_swept(2)
    assert "UpdateEventSourceMapping" not in bed.calls()
    bed.patch("orders", {"enabled": True})
    eventually(lambda: bed.mapping("orders")["State"] == "Enabled")
    assert bed.wait_ready("orders")["status"]["uuid"] == made["UUID"]


# -- Deleted ------------------------------------------------------------------------------------------------


def test_a_mapping_deleted_by_hand_is_created_again(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(stream(), queue("queue"))
    before = {bed.wait_ready(name)["status"]["uuid"] for name in ("orders", "queue")}
    for uuid in before:
        bed.control.delete_mapping(uuid)
    for name in ("orders", "queue"):
        eventually(lambda name=name: bed.status(name).get("uuid") not in (*before, None, ""))
        bed.wait_ready(name)
    assert len(bed.mappings()) == 2
    assert "startingPosition" in eventually(lambda: bed.events("orders").get("CreatedAgain"))
    assert "startingPosition" not in eventually(lambda: bed.events("queue").get("CreatedAgain"))


def test_a_mapping_that_is_being_deleted_by_hand_is_created_again_after_its_end(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(stream())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.set(hold=True)
    bed.aws.client("lambda", region="eu-west-1").delete_event_source_mapping(UUID=uuid)
    bed.wait_condition("orders", "Reconciling", "True", "Deleting")
    bed.wait_swept(2)
    assert bed.calls()["CreateEventSourceMapping"] == 1
    bed.control.set(hold=False)
    eventually(lambda: bed.status("orders").get("uuid") not in (uuid, None, ""))
    bed.wait_ready("orders")
    assert len(bed.mappings()) == 1


# -- Observe ------------------------------------------------------------------------------------------------


def test_drift_is_only_reported_with_management_policy_observe(bed: Bed) -> None:
    made = bed.control.make_mapping(
        FunctionName="orders", EventSourceArn=QUEUE, BatchSize=5, Tags={"team": "shop"}, region="eu-west-1"
    )
    bed.operator(SECONDLY)
    bed.apply(queue(managementPolicy="Observe", batchSize=5, enabled=True))
    bed.wait_condition("orders", "Synced", "True", "InSync")
    bed.control.edit_mapping(made["UUID"], BatchSize=7)
    disable(bed, made["UUID"])
    for field in ("batchSize", "enabled"):
        eventually(lambda field=field: field in _false(bed.condition("orders", "Synced")).get("message", ""))
    told = eventually(lambda: bed.events("orders").get("DriftObserved"))
    assert "batchSize" in told
    bed.control.delete_mapping(made["UUID"])
    bed.wait_condition("orders", "Reconciling", "True", "NotFound")
    assert not bed.calls().keys() & WRITES


def _false(condition: dict[str, Any]) -> dict[str, Any]:
    """The condition if it is False, else None."""
    return condition if condition.get("status") == "False" else {}


# -- Tags ---------------------------------------------------------------------------------------------------


def drifted(bed: Bed, count: int, *arguments: str) -> list[str]:
    """Resources whose mappings lost a tag, and have another one changed, while no operator ran.

    An operator does not check tags that it has just written, because the tagging API is late. So another process
    starts.

    Returns:
        the names of the resources. The operator runs.
    """
    names = [f"orders-{number}" for number in range(count)]
    operator = bed.operator(SECONDLY, "--tag-sweep-interval=1", *arguments)
    bed.apply(*(queue(name, tags={"team": "shop", "stage": "live"}) for name in names))
    for name in names:
        bed.wait_ready(name)
    operator.stop()
    for found in bed.mappings():
        tags = {**found["Tags"], "team": "hand", "by": "hand"}
        bed.control.edit_mapping(found["UUID"], Tags={key: text for key, text in tags.items() if key != "stage"})
    bed.control.reset_counts()
    operator.start()
    return names


def wait_tags_right(bed: Bed, names: list[str]) -> None:
    """Wait until all tags are as the specs describe. Tags of other tools remain."""
    wanted = {"team": "shop", "stage": "live", "by": "hand"}
    for name in names:
        eventually(lambda name=name: users(bed.mapping(name)["Tags"]) == wanted, what=f"the tags of {name}")


def test_tags_changed_by_hand_are_corrected_in_bulk(bed: Bed) -> None:
    names = drifted(bed, 5)
    wait_tags_right(bed, names)
    for name in names:
        told = eventually(lambda name=name: bed.events(name).get("DriftCorrected"))
        assert "stage" in told
        assert "team" in told
        assert "hand" not in told
        eventually(lambda name=name: bed.status(name)["tagsAll"] == bed.mapping(name)["Tags"])
    calls = bed.calls()
    assert calls["ListTags"] == len(names)
    assert calls["TagResource"] == len(names)
    assert "UntagResource" not in calls
    assert all("PaginationToken" not in one or not one["PaginationToken"] for one in bed.requests("GetResources"))


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (FaultKind.ACCESS_DENIED, {}),
        (FaultKind.CLOSE, {}),
        (FaultKind.ERROR, {"code": "InternalFailure", "message": "GetResources is not implemented.", "status": 501}),
        (FaultKind.ERROR, {"code": "UnknownOperationException", "message": "", "status": 400}),
    ],
    ids=["denied", "unreachable", "not implemented", "unknown"],
)
def test_tags_are_corrected_without_the_tagging_api(bed: Bed, kind: FaultKind, answer: dict[str, Any]) -> None:
    bed.control.fault(kind, "GetResources", **answer)
    names = drifted(bed, 3, "--requests-per-second=100")
    wait_tags_right(bed, names)
    assert bed.calls().get("GetResources", 0) <= 3, "the tagging API is not tried in each tag sweep"
    for name in names:  # the correction has written the status again
        eventually(lambda name=name: "cannot use the tagging API" in bed.condition(name, "Synced")["message"])


def test_tags_are_read_again_before_a_correction(bed: Bed) -> None:
    bed.control.set(tagging_lag=600)
    operator = bed.operator(SECONDLY, "--tag-sweep-interval=1")
    bed.apply(queue(tags={"team": "shop"}))
    bed.wait_ready("orders")
    operator.stop()
    bed.control.reset_counts()
    operator.start()
    eventually(lambda: bed.calls().get("GetResources", 0) >= 3)
    assert bed.calls()["ListTags"] >= 1
    assert not bed.calls().keys() & WRITES
    assert bed.condition("orders", "Ready")["status"] == "True"


def test_unchanged_tags_cost_no_call_for_each_mapping(bed: Bed) -> None:
    operator = bed.operator(SECONDLY, "--tag-sweep-interval=1")
    bed.apply(*(queue(f"orders-{number}", tags={"team": "shop"}) for number in range(3)))
    for number in range(3):
        bed.wait_ready(f"orders-{number}")
    operator.stop()
    bed.control.reset_counts()
    operator.start()
    eventually(lambda: bed.calls().get("GetResources", 0) >= 3)
    assert "ListTags" not in bed.calls(), json.dumps(bed.calls())
