"""Fields that are removed from the spec and that AWS keeps: the resource reports them until AWS has removed them."""

from typing import Any

import pytest

from tests.aws import DestinationReset
from tests.bed import Bed
from tests.e2e.manifests import HERE, QUEUE, mapping, stream
from tests.waiting import eventually

LOG_LEVEL = "loggingConfig.systemLogLevel"
DESTINATION = "destinationConfig.onFailure.destination"
TO_QUEUE = {"onFailure": {"destination": QUEUE}}


def kafka(name: str = "orders", **spec: Any) -> dict[str, Any]:
    """A mapping of an MSK cluster."""
    arn = f"arn:aws:kafka:{HERE}:cluster/{name}/11111111-2222-3333-4444-555555555555-1"
    return mapping(name, **{"eventSourceARN": arn, "topics": ["orders"], **spec})


def kept(bed: Bed, name: str = "orders") -> dict[str, Any]:
    """The fields in ``status.applied.kept``."""
    return bed.status(name).get("applied", {}).get("kept", {})


def wait_kept(bed: Bed, *paths: str, name: str = "orders") -> str:
    """Wait until the resource reports exactly these fields as kept. Returns the message."""
    told = bed.wait_condition(name, "Synced", "True", "KeptByAWS")["message"]
    assert set(kept(bed, name)) == set(paths)
    for path in paths:
        assert f"spec.{path}" in told
    assert bed.condition(name, "Ready")["status"] == "True"
    return told


def test_kept_fields_are_reported_after_edits_and_restarts(bed: Bed) -> None:
    bed.control.set(pace=0.05)
    operator = bed.operator("--sweep-interval=1")
    bed.apply(kafka(loggingConfig={"systemLogLevel": "DEBUG"}))
    bed.wait_ready("orders")
    bed.patch("orders", {"loggingConfig": None})
    wait_kept(bed, LOG_LEVEL)

    bed.patch("orders", {"batchSize": 7})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 7)
    wait_kept(bed, LOG_LEVEL)
    operator.kill()
    operator.start()
    bed.patch("orders", {"batchSize": 8})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 8)
    wait_kept(bed, LOG_LEVEL)
    bed.wait_swept(2)
    wait_kept(bed, LOG_LEVEL)
    sent = [set(one) - {"UUID"} for one in bed.requests("UpdateEventSourceMapping")]
    assert sent == [{"LoggingConfig"}, {"BatchSize"}, {"BatchSize"}]


def test_a_kept_field_is_not_reported_after_it_is_set_again(bed: Bed) -> None:
    bed.control.set(pace=0.05)
    bed.operator("--sweep-interval=1")
    bed.apply(kafka(loggingConfig={"systemLogLevel": "DEBUG"}))
    bed.wait_ready("orders")
    bed.patch("orders", {"loggingConfig": None})
    wait_kept(bed, LOG_LEVEL)
    bed.patch("orders", {"loggingConfig": {"systemLogLevel": "WARN"}})
    bed.wait_condition("orders", "Synced", "True", "InSync")
    assert bed.mapping("orders")["LoggingConfig"] == {"SystemLogLevel": "WARN"}
    assert not kept(bed)


def test_a_kept_field_is_not_reported_after_aws_removes_it(bed: Bed) -> None:
    bed.control.set(pace=0.05)
    bed.operator("--sweep-interval=1")
    bed.apply(kafka(loggingConfig={"systemLogLevel": "DEBUG"}, maximumBatchingWindowInSeconds=20))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.patch("orders", {"loggingConfig": None, "maximumBatchingWindowInSeconds": None})
    wait_kept(bed, LOG_LEVEL, "maximumBatchingWindowInSeconds")
    bed.control.edit_mapping(uuid, LoggingConfig=None, MaximumBatchingWindowInSeconds=None)
    bed.wait_condition("orders", "Synced", "True", "InSync")
    assert not kept(bed)
    assert len(bed.requests("UpdateEventSourceMapping")) == 1


def test_a_crash_during_the_update_loses_no_kept_field(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(kafka(loggingConfig={"systemLogLevel": "DEBUG"}))
    bed.wait_ready("orders")
    bed.control.set(hold=True)
    bed.patch("orders", {"loggingConfig": None})
    bed.wait_condition("orders", "Reconciling", "True", "Updating")
    eventually(lambda: "UpdateEventSourceMapping" in bed.calls())
    operator.kill()
    bed.control.set(hold=False)
    operator.start()
    wait_kept(bed, LOG_LEVEL)


@pytest.mark.parametrize(
    ("reset", "forms", "says"),
    [
        (DestinationReset.EMPTY_TEXT, 1, None),
        (DestinationReset.EMPTY_STRUCTURE, 2, None),
        (DestinationReset.IGNORED, 2, ""),
        (DestinationReset.REFUSED, 2, "The Destination field is required for an OnFailure configuration"),
    ],
)
def test_a_destination_is_removed_in_the_form_that_aws_accepts(
    bed: Bed, reset: DestinationReset, forms: int, says: str | None
) -> None:
    bed.control.set(pace=0.05, destination_reset=reset)
    bed.operator("--sweep-interval=1")
    bed.apply(stream(destinationConfig=TO_QUEUE, batchSize=5))
    bed.wait_ready("orders")
    bed.patch("orders", {"destinationConfig": None})
    if says is None:
        eventually(lambda: bed.mapping("orders")["DestinationConfig"] == {"OnFailure": {}})
        bed.wait_condition("orders", "Synced", "True", "InSync")
        assert not kept(bed)
    else:
        assert says in wait_kept(bed, DESTINATION)
        assert bed.mapping("orders")["DestinationConfig"] == {"OnFailure": {"Destination": QUEUE}}
    sent = [one["DestinationConfig"] for one in bed.requests("UpdateEventSourceMapping")]
    assert sent == [{"OnFailure": {"Destination": ""}}, {}][:forms]
    bed.wait_swept(2)
    assert len(bed.requests("UpdateEventSourceMapping")) == forms

    bed.patch("orders", {"batchSize": 7})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 7)
    bed.wait_condition("orders", "Synced", "True", "InSync" if says is None else "KeptByAWS")


def test_a_value_that_aws_has_reset_is_drift_again_while_the_resource_only_observes(bed: Bed) -> None:
    """The resource is set to Observe after a reset was sent, and before the status shows the new value."""
    operator = bed.operator("--sweep-interval=1")
    bed.apply(stream(functionResponseTypes=[]))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    operator.stop()
    bed.patch("orders", {"managementPolicy": "Observe"})
    bed.write_status("orders", {"applied": {"kept": {"functionResponseTypes": {"value": "[ReportBatchItemFailures]"}}}})

    bed.operator("--sweep-interval=1")
    bed.wait_condition("orders", "Ready", "True", "Observed")
    eventually(lambda: not bed.status("orders")["applied"].get("kept"), "AWS keeps nothing")
    bed.control.edit_mapping(uuid, FunctionResponseTypes=["ReportBatchItemFailures"])
    differs = bed.wait_condition("orders", "Synced", "False", "Observed")
    assert "functionResponseTypes" in differs["message"]
