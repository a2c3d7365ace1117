"""AWS refuses one field of an edit: the operator changes the other fields, and the resource shows the refusal."""

from typing import Any

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import HERE, stream
from tests.e2e.test_kept_by_aws import kafka, wait_kept
from tests.waiting import eventually

POLLERS = ("provisionedPollerConfig.minimumPollers", "provisionedPollerConfig.maximumPollers")
REGISTRY = "amazonManagedKafkaEventSourceConfig.schemaRegistryConfig"
WITH_REGISTRY: dict[str, Any] = {
    "provisionedPollerConfig": {"minimumPollers": 2, "maximumPollers": 3},
    "amazonManagedKafkaEventSourceConfig": {
        "schemaRegistryConfig": {
            "schemaRegistryURI": f"arn:aws:glue:{HERE}:registry/orders",
            "eventRecordFormat": "JSON",
            "schemaValidationConfigs": [{"attribute": "KEY"}],
        }
    },
}
WITHOUT_REGISTRY: dict[str, Any] = dict.fromkeys(WITH_REGISTRY)
INVALID = "InvalidParameterValueException"


def refuse(bed: Bed, message: str, code: str = INVALID, **members: str) -> int:
    """Let AWS refuse each Update in which a member has this value. Returns the number of the fault."""
    return bed.control.fault(
        FaultKind.ERROR, "UpdateEventSourceMapping", match=members, code=code, message=message, status=400
    )


def sent(bed: Bed) -> list[set[str]]:
    """The members of each Update request."""
    return [set(one) - {"UUID"} for one in bed.requests("UpdateEventSourceMapping")]


def test_fields_that_aws_does_not_remove_together_do_not_block_an_edit(bed: Bed) -> None:
    bed.control.set(pace=0.05)
    operator = bed.operator("--sweep-interval=1")
    bed.apply(kafka(**WITH_REGISTRY))
    bed.wait_ready("orders")
    bed.patch("orders", WITHOUT_REGISTRY)
    told = wait_kept(bed, REGISTRY, *POLLERS)
    assert "SchemaRegistryConfig is only available for event source mappings with provisioned mode." in told
    together = {"AmazonManagedKafkaEventSourceConfig", "ProvisionedPollerConfig"}
    assert sent(bed)[0] == together
    assert len(sent(bed)) <= 2 * len(together) + 1

    bed.control.reset_counts()
    operator.kill()
    operator.start()
    bed.wait_swept(2)
    wait_kept(bed, REGISTRY, *POLLERS)
    assert "UpdateEventSourceMapping" not in bed.calls()

    bed.patch("orders", {"batchSize": 7, "tags": {"team": "shop"}})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 7)
    wait_kept(bed, REGISTRY, *POLLERS)
    assert bed.mapping("orders")["Tags"]["team"] == "shop"
    assert bed.calls()["UpdateEventSourceMapping"] == 2  # the edit, and the refused fields once more


def test_fields_that_aws_removes_one_after_the_other_are_removed(bed: Bed) -> None:
    bed.control.set(pace=0.05, empty_resets=True)
    bed.operator("--sweep-interval=1")
    bed.apply(kafka(**WITH_REGISTRY))
    bed.wait_ready("orders")
    bed.patch("orders", WITHOUT_REGISTRY)
    eventually(lambda: "ProvisionedPollerConfig" not in bed.mapping("orders"))
    bed.wait_condition("orders", "Synced", "True", "InSync")
    assert "SchemaRegistryConfig" not in bed.mapping("orders")["AmazonManagedKafkaEventSourceConfig"]
    assert "kept" not in bed.status("orders")["applied"]


@pytest.mark.parametrize(
    "message",
    ["Value '7777' at 'batchSize' is not taken.", "The mapping can't be changed so."],
    ids=["the sentence names the field", "the sentence names no field"],
)
def test_other_fields_are_changed_if_aws_refuses_one(bed: Bed, message: str) -> None:
    bed.control.set(pace=0.05)
    fault = refuse(bed, message, BatchSize="7777")
    bed.operator("--sweep-interval=1")
    bed.apply(stream())
    bed.wait_ready("orders")
    edit: dict[str, Any] = {"batchSize": 7777, "parallelizationFactor": 2, "maximumRetryAttempts": 5}
    bed.patch("orders", {**edit, "tags": {"team": "shop"}})
    ready = bed.wait_condition("orders", "Stalled", "True", "RefusedByAWS")
    assert message in ready["message"]
    assert "spec.batchSize" in ready["message"]
    assert "spec.parallelizationFactor" not in ready["message"]
    assert "spec.maximumRetryAttempts" not in ready["message"]
    assert bed.condition("orders", "Synced")["status"] == "False"
    eventually(lambda: "spec.batchSize" in bed.events("orders").get("RefusedByAWS", ""))
    found = bed.mapping("orders")
    assert (found["ParallelizationFactor"], found["MaximumRetryAttempts"]) == (2, 5)
    assert found["Tags"]["team"] == "shop"
    assert len(sent(bed)) <= 2 * 3 + 1
    updates = len(sent(bed))
    bed.wait_swept(3)
    assert len(sent(bed)) == updates

    bed.patch("orders", {"maximumRetryAttempts": 6})
    eventually(lambda: bed.mapping("orders")["MaximumRetryAttempts"] == 6)
    bed.wait_condition("orders", "Stalled", "True", "RefusedByAWS")
    bed.control.remove_fault(fault)
    bed.patch("orders", {"batchSize": 50})
    bed.wait_condition("orders", "Synced", "True", "InSync")
    assert bed.mapping("orders")["BatchSize"] == 50


def test_a_field_that_is_refused_for_a_while_is_changed_later(bed: Bed) -> None:
    bed.control.set(pace=0.05)
    bed.operator("--sweep-interval=1")
    bed.apply(stream())
    bed.wait_ready("orders")
    fault = refuse(bed, "The provided execution role does not have permissions to call it.", BatchSize="50")
    bed.patch("orders", {"batchSize": 50, "parallelizationFactor": 2})
    ready = bed.wait_condition("orders", "Reconciling", "True", "RoleLacksPermission")
    assert "spec.batchSize" in ready["message"]
    assert bed.mapping("orders")["ParallelizationFactor"] == 2
    bed.control.remove_fault(fault)
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 50)
    bed.wait_condition("orders", "Synced", "True", "InSync")
