"""An edit of the spec: the Update has only changed members, and removed fields return to AWS's default."""

from tests.bed import Bed
from tests.e2e.manifests import queue, stream
from tests.waiting import eventually


def test_one_field_is_changed_and_nothing_else_is_sent(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(batchSize=5, scalingConfig={"maximumConcurrency": 4}))
    uuid = bed.wait_ready("orders")["status"]["uuid"]

    bed.patch("orders", {"batchSize": 7})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 7)
    bed.wait_ready("orders")
    assert bed.requests("UpdateEventSourceMapping") == [{"UUID": uuid, "BatchSize": 7}]


def test_a_removed_field_returns_to_the_default_and_other_fields_stay_unchanged(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    filters = {"filters": [{"pattern": '{"body": {"kind": ["new"]}}'}]}
    bed.apply(queue(batchSize=5, filterCriteria=filters, scalingConfig={"maximumConcurrency": 4}))
    uuid = bed.wait_ready("orders")["status"]["uuid"]

    bed.apply(queue())
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 10)
    ready = bed.wait_ready("orders")
    assert bed.requests("UpdateEventSourceMapping") == [
        {"UUID": uuid, "BatchSize": 10, "FilterCriteria": {}, "ScalingConfig": {}}
    ]
    assert sorted(ready["status"]["applied"]["fields"]) == ["eventSourceARN", "functionName"]

    bed.control.edit_mapping(uuid, MaximumBatchingWindowInSeconds=30)
    bed.wait_swept(2)
    assert bed.mapping("orders")["MaximumBatchingWindowInSeconds"] == 30
    assert len(bed.requests("UpdateEventSourceMapping")) == 1


def test_a_mapping_is_disabled_and_enabled(bed: Bed) -> None:
    bed.operator()
    bed.apply(stream(enabled=False))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    assert bed.status("orders")["state"] == "Disabled"

    bed.patch("orders", {"enabled": True})
    eventually(lambda: bed.status("orders").get("state") == "Enabled")
    bed.patch("orders", {"enabled": False})
    eventually(lambda: bed.status("orders").get("state") == "Disabled")
    assert bed.wait_ready("orders")["status"]["conditions"][0]["reason"] == "Disabled"
    bed.patch("orders", {"enabled": None})
    eventually(lambda: bed.status("orders").get("state") == "Enabled")
    assert bed.requests("UpdateEventSourceMapping") == [
        {"UUID": uuid, "Enabled": True},
        {"UUID": uuid, "Enabled": False},
        {"UUID": uuid, "Enabled": True},
    ]


def test_a_mapping_moves_to_another_alias_of_its_function(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    uuid = bed.wait_ready("orders")["status"]["uuid"]

    bed.patch("orders", {"functionName": "orders:live"})
    eventually(lambda: bed.status("orders")["functionARN"].endswith(":function:orders:live"))
    bed.wait_ready("orders")
    assert bed.requests("UpdateEventSourceMapping") == [{"UUID": uuid, "FunctionName": "orders:live"}]
    assert bed.calls()["CreateEventSourceMapping"] == 1
