"""The policies for deletion, for writes to AWS in general, and for changes of immutable fields."""

from tests.bed import WRITES, Bed
from tests.e2e.manifests import HERE, QUEUE, queue, stream
from tests.waiting import eventually


def test_a_retained_mapping_remains_without_an_owner(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(deletionPolicy="Retain", tags={"team": "shop"}))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.delete("orders")
    bed.wait_gone("orders")
    assert [(one["UUID"], one["State"], one["Tags"]) for one in bed.mappings()] == [(uuid, "Enabled", {"team": "shop"})]


def test_observe_only_reports(bed: Bed) -> None:
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, BatchSize=3, region="eu-west-1")
    bed.operator("--sweep-interval=1")
    bed.apply(queue(managementPolicy="Observe", batchSize=5))
    ready = bed.wait_ready("orders")
    assert ready["status"]["uuid"] == made["UUID"]
    synced = bed.condition("orders", "Synced")
    assert synced["status"] == "False"
    assert "batchSize" in synced["message"]

    bed.control.edit_mapping(made["UUID"], BatchSize=5)
    eventually(lambda: bed.condition("orders", "Synced")["status"] == "True")
    bed.delete("orders")
    bed.wait_gone("orders")
    assert len(bed.mappings()) == 1
    assert not bed.calls().keys() & WRITES


def test_observe_with_a_uuid_reports_about_that_mapping(bed: Bed) -> None:
    """The manifest of `esm-operator export --management-policy Observe`, without a sweep meanwhile."""
    bed.operator("--sweep-interval=600")
    bed.apply(queue("other"))
    bed.wait_ready("other")
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, BatchSize=3, region="eu-west-1")
    adoption = {"policy": "IfExists", "uuid": made["UUID"]}
    bed.apply(queue(managementPolicy="Observe", batchSize=3, adoption=adoption))
    ready = bed.wait_ready("orders")
    assert (ready["status"]["uuid"], ready["status"]["state"]) == (made["UUID"], "Enabled")
    assert bed.condition("orders", "Ready")["reason"] == "Observed"
    assert bed.condition("orders", "Synced")["status"] == "True"

    bed.patch("orders", {"batchSize": 7})
    synced = eventually(lambda: (one := bed.condition("orders", "Synced")).get("status") == "False" and one)
    assert "batchSize" in synced["message"]

    unknown = "11111111-2222-3333-4444-555555555555"
    bed.patch("orders", {"adoption": {"uuid": unknown}})
    refused = eventually(lambda: (one := bed.condition("orders", "Ready")).get("reason") == "NotFound" and one)
    assert unknown in refused["message"]
    assert not bed.status("orders").get("uuid")
    bed.patch("orders", {"adoption": {"uuid": made["UUID"]}})
    bed.wait_ready("orders")
    assert not {one["UUID"] for one in bed.mappings()} - {made["UUID"], bed.status("other")["uuid"]}


def test_observe_reports_about_the_current_mapping_after_a_replacement(bed: Bed) -> None:
    """The adopted mapping has been replaced."""
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, region="eu-west-1")
    bed.operator("--sweep-interval=1")
    adoption = {"policy": "IfExists", "uuid": made["UUID"]}
    bed.apply(queue(adoption=adoption, replacePolicy="Recreate"))
    bed.wait_ready("orders")
    bed.patch("orders", {"eventSourceARN": f"arn:aws:sqs:{HERE}:others"})
    eventually(lambda: bed.status("orders").get("uuid") not in (made["UUID"], None, ""))
    successor = bed.wait_ready("orders")["status"]["uuid"]
    bed.patch("orders", {"managementPolicy": "Observe"})
    eventually(lambda: bed.condition("orders", "Ready").get("reason") == "Observed")
    assert bed.status("orders")["uuid"] == successor

    bed.control.delete_mapping(successor)
    eventually(lambda: bed.condition("orders", "Ready").get("reason") == "NotFound")
    assert not bed.status("orders").get("uuid")


def test_recreate_replaces_the_mapping(bed: Bed) -> None:
    bed.operator()
    bed.apply(stream(replacePolicy="Recreate"))
    before = bed.wait_ready("orders")["status"]["uuid"]
    bed.patch("orders", {"startingPosition": "TRIM_HORIZON"})
    eventually(lambda: bed.status("orders").get("uuid") not in (before, None, ""))
    bed.wait_ready("orders")
    assert [(one["UUID"], one["StartingPosition"]) for one in bed.mappings()] == [
        (bed.status("orders")["uuid"], "TRIM_HORIZON")
    ]
    events = eventually(lambda: bed.events("orders") if "Created" in bed.events("orders") else None)
    assert "spec.startingPosition" in events["Replacing"]
    assert "CreatedAgain" not in events


def test_recreate_replaces_the_mapping_for_another_source(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(replacePolicy="Recreate"))
    before = bed.wait_ready("orders")["status"]["uuid"]
    other = f"arn:aws:sqs:{HERE}:others"
    bed.patch("orders", {"eventSourceARN": other})
    eventually(lambda: [one["EventSourceArn"] for one in bed.mappings()] == [other])
    bed.wait_ready("orders")
    assert bed.status("orders")["uuid"] == bed.mappings()[0]["UUID"] != before


def test_recreate_does_not_move_the_mapping_to_another_region(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(replacePolicy="Recreate"))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.patch("orders", {"eventSourceARN": QUEUE.replace("eu-west-1", "us-west-2")})
    stalled = bed.wait_condition("orders", "Stalled", "True", "TargetChanged")
    assert "us-west-2" in stalled["message"]
    assert [one for one in bed.control.requests() if one["region"] == "us-west-2"] == []

    bed.patch("orders", {"eventSourceARN": QUEUE})
    assert bed.wait_ready("orders")["status"]["uuid"] == uuid
    assert [one["UUID"] for one in bed.mappings()] == [uuid]


def test_observe_reports_immutable_differences(bed: Bed) -> None:
    """The status shows the result of an adoption. The mapping with this UUID reads from another queue."""
    other = f"arn:aws:sqs:{HERE}:others"
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=other, region="eu-west-1")
    bed.operator()
    # People may type it in upper case. The UUIDs of AWS are in lower case.
    adoption = {"policy": "IfExists", "uuid": made["UUID"].upper()}
    bed.apply(queue(managementPolicy="Observe", adoption=adoption))
    bed.wait_ready("orders")
    synced = bed.condition("orders", "Synced")
    assert synced["status"] == "False"
    assert "eventSourceARN" in synced["message"]
    assert bed.status("orders")["uuid"] == made["UUID"]
